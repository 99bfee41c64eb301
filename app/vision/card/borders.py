"""Where the picture ends across a card: what stands there may go on where no camera looked."""

from __future__ import annotations

import numpy as np

from app.vision.picture.area import Area
from app.vision.picture.pixels import RATIO, Corners
from app.vision.picture.rectify import size_of, to_frame

_NEXT = 2.0  # heights behind a line's end in which its next character would stand, a space between
_RIM = 0.006  # of the picture's width: what is nearer to its border is not seen whole
_ALONE = 0.04  # how far a picture's sides may be from a card's, so that it shows a card and nothing else
NUMBERS = (0.8, 1.5)
"""Heights left between a line and the card's edges: of 3,550 numbers and PINs none stood nearer than 0.95 and 1.36."""

UPRIGHT = (0.5, 0.6)
"""The same on cards printed upright, which are narrow: of 45 none stood nearer than 0.71 and 0.88."""

WORDS = (0.0, 0.25)
"""Of values and dates, which are printed as near to the edge as a height."""


def lies_on_border(corners: Corners, size: tuple[int, int]) -> bool:
    """Whether a side of the outline is the picture's border (width, height), and not the card's edge."""
    return not _is_all(corners, size) and any(_on_border(corners[i], corners[(i + 1) % 4], size) for i in range(4))


def ends_out_of_view(
    area: Area, corners: Corners, size: tuple[int, int], edges: tuple[float, float] | None = None
) -> tuple[bool, bool]:
    """Whether, before and behind a line of the rectified card, its next character would stand beyond the picture, whose
    width and height are given, or so near to what was taken for the card's edge that this cuts the card: less than
    `edges` heights, those of numbers and PINs unless given.
    """
    reach, (wide, high) = _NEXT * area.h, size_of(corners)
    edges = edges or (UPRIGHT if high > wide else NUMBERS)
    before, behind = area.x < edges[0] * area.h, wide - area.right < edges[1] * area.h
    if _is_all(corners, size):
        return before, behind
    places = ((max(0.0, area.x - reach), area.mid_y), (min(float(wide), area.right + reach), area.mid_y))
    out = [_is_out(point, size) for point in to_frame(corners, np.array(places, np.float32))]
    return before or out[0], behind or out[1]


def _is_all(corners: Corners, size: tuple[int, int]) -> bool:
    """Whether the card fills the picture, as a scanner cuts it out."""
    long, short = max(size), min(size)
    fills = all(_on_border(corners[i], corners[(i + 1) % 4], size) for i in range(4))
    return fills and abs(long / short / RATIO - 1) < _ALONE


def _on_border(one: Corners, two: Corners, size: tuple[int, int]) -> bool:
    rim, far = _RIM * size[0], np.array(size, np.float32) - 1
    ends = np.stack([one, two])
    return bool(((ends < rim).all(axis=0) | (ends > far - rim).all(axis=0)).any())


def _is_out(point: Corners, size: tuple[int, int]) -> bool:
    rim, far = _RIM * size[0], np.array(size, np.float32) - 1
    return bool(((point < rim) | (point > far - rim)).any())
