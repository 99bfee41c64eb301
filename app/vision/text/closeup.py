"""A line's picture closed round its ink: how a recogniser sees it best.

Boxes of the line finder stand half a character off, and more where the panel's edge or residue lies beside the line.
Our recogniser reads lines whose characters fill 60 to 90 % of the picture; set lower, it drops narrow characters.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from app.vision.picture.pixels import Colour, grey, percentiles

_LEAST_INK = 0.35
"""Share of the picture's height that the rows of ink must take to be believed."""

_TRIM = 0.08  # of the height, at the top and at the bottom, where no rows of ink are to be told
_SHADE, _SPREAD, _LEAST_SPREAD = 150.0, 50.0, 4.0
_NEAR = 0.8  # heights over which lightness is made even
_SOFT = 1.2  # pixels


def ink_rows(line: Colour) -> tuple[int, int]:
    """The first row of the line's characters and the one after their last, by the steps sideways in each row."""
    height = line.shape[0]
    smooth = cv2.GaussianBlur(grey(line), (0, 0), max(0.6, 0.03 * height))
    steps = np.abs(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3))
    # A panel's edge or a scratch is one strong step; characters are many.
    profile = cv2.blur(np.minimum(steps, percentiles(steps, 97)[0] + 1).mean(axis=1)[None], (3, 1))[0]
    low, high = percentiles(profile, 5, 85)
    inked = profile > low + 0.4 * (high - low)
    rows = np.arange(height)
    middle = int(np.argmax(np.where((rows > 0.3 * height) & (rows < 0.7 * height), profile, 0)))
    above, below = np.flatnonzero(~inked[:middle]), np.flatnonzero(~inked[middle + 1 :])
    top = int(above[-1]) + 1 if len(above) else 0
    return top, middle + 1 + int(below[0]) if len(below) else height


def believed_rows(line: Colour, rows: tuple[int, int] | None = None) -> tuple[int, int]:
    """`ink_rows` (`rows` where known), or nearly all of the height where they take too little to be believed."""
    height = line.shape[0]
    top, bottom = rows or ink_rows(line)
    return (top, bottom) if _is_believed(top, bottom, height) else (round(0.1 * height), round(0.9 * height))


def _is_believed(top: int, bottom: int, height: int) -> bool:
    return bottom - top >= _LEAST_INK * height


def close_up(line: Colour, share: float, rows: tuple[int, int] | None = None) -> Colour:
    """The line cut or prolonged above and below so that its ink takes `share` of the height, the ink in the middle.

    `rows`: what `ink_rows` says, where that is known.
    """
    height = line.shape[0]
    top, bottom = rows or ink_rows(line)
    if not _is_believed(top, bottom, height):
        rim = round(_TRIM * height)
        return np.ascontiguousarray(line[rim : height - rim])
    wanted = (bottom - top) / share
    move = np.array([[1, 0, 0], [0, 1, (top + bottom - wanted) / 2]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (line.shape[1], max(8, round(wanted)))
    return cast(Colour, cv2.warpAffine(line, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))


def widen(line: Colour, factor: float) -> Colour:
    """The line made wider or narrower, its height kept."""
    size = (max(8, round(line.shape[1] * factor)), line.shape[0])
    return cast(Colour, cv2.resize(line, size, interpolation=cv2.INTER_LINEAR))


def even_out(line: Colour) -> Colour:
    """The line in grey with the same mean and spread of lightness everywhere: under glare and half shadow too."""
    shade = grey(line).astype(np.float32)
    reach = _NEAR * line.shape[0]
    off = shade - _spread_out(shade, reach)
    spread = np.sqrt(_spread_out(off * off, reach))
    even = np.clip(_SHADE + _SPREAD * off / np.maximum(spread, _LEAST_SPREAD), 0, 255).astype(np.uint8)
    return np.repeat(even[:, :, None], 3, axis=2)


def further_pictures(line: Colour, rows: tuple[int, int] | None = None) -> list[Colour]:
    """Five other pictures of a doubtful line: sharper, softer, wider, narrower, its light evened; `rows` as above."""
    rows = rows or ink_rows(line)
    close, loose, closest = (close_up(line, share, rows) for share in (0.82, 0.75, 0.88))
    soft = cast(Colour, cv2.GaussianBlur(close, (0, 0), _SOFT))
    return [
        _sharper(close, 1.5),
        even_out(_sharper(loose, 2.0)),
        widen(loose, 1.1),
        soft,
        even_out(widen(closest, 0.95)),
    ]


def _sharper(line: Colour, reach: float) -> Colour:
    return cast(Colour, cv2.addWeighted(line, 2.0, cv2.GaussianBlur(line, (0, 0), reach), -1.0, 0))


def _spread_out(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], reach: float) -> cv2.typing.MatLike:
    return cv2.GaussianBlur(values, (0, 0), reach, borderType=cv2.BORDER_REPLICATE)
