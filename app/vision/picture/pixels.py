"""The kinds of arrays that vision passes around, and the few conversions between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.cards import Quad
from app.vision.picture.files import open_picture

Gray = NDArray[np.uint8]  # (height, width)
Colour = NDArray[np.uint8]  # (height, width, 3), blue green red
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Corners = NDArray[np.float32]  # (4, 2) x, y in pixels, clockwise

CARD_W_MM, CARD_H_MM = 85.60, 53.98  # ISO/IEC 7810 ID-1
RATIO = CARD_W_MM / CARD_H_MM


def from_planes(y: Gray, u: Gray, v: Gray) -> Colour:
    """YUV 4:2:0 planes (height even) to a colour picture of the same size."""
    stacked = np.concatenate([y.reshape(-1), u.reshape(-1), v.reshape(-1)])
    return cast(Colour, cv2.cvtColor(stacked.reshape(y.shape[0] * 3 // 2, y.shape[1]), cv2.COLOR_YUV2BGR_I420))


def grey(picture: Colour) -> Gray:
    return cast(Gray, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def smaller(picture: Gray, scale: float) -> Gray:
    """A grey picture at `scale` (1 at most), never without a row or column: a thin one would be left none."""
    if scale >= 1.0:
        return picture
    across, down = (max(scale, 1 / side) for side in (picture.shape[1], picture.shape[0]))
    return cast(Gray, cv2.resize(picture, None, fx=across, fy=down, interpolation=cv2.INTER_AREA))


def load_picture(path: Path) -> Colour:
    """A picture file as colour, made smaller if it is huge. Raises BadInput as `files.open_picture`."""
    return open_picture(path).pixels


def percentiles(values: NDArray[Any], *percents: float) -> list[float]:
    """Percentiles of all values (at least one) as numpy tells them, between two values by straight interpolation.

    Numpy's own take 30 microseconds of preparations, and up to eight times as long as sorting with vector instructions.
    """
    ranked = np.sort(values, axis=None)
    places = [percent / 100 * (len(ranked) - 1) for percent in percents]
    pairs = [
        (place, float(ranked[int(place)]), float(ranked[min(int(place) + 1, len(ranked) - 1)])) for place in places
    ]
    return [low + (high - low) * (place - int(place)) for place, low, high in pairs]


def png(picture: Colour | Gray) -> bytes:
    """PNG bytes of a picture, in memory."""
    done, data = cv2.imencode(".png", picture)
    return bytes(data) if done else b""


def as_quad(corners: NDArray[Any]) -> Quad:
    """Corners as plain numbers, a tenth of a pixel."""
    a, b, c, d = ((round(float(x), 1), round(float(y), 1)) for x, y in corners)
    return a, b, c, d
