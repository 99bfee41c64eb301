"""Where text stands: the PP-OCR detector on a picture, its heat map boxed line by line (DB post-processing)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from app.vision.models import DETECTOR, compile_model, load_model, models_folder
from app.vision.picture.pixels import Colour, Floats

FRAME_SIZE = (1184, 672)
"""Size at which a whole frame is searched."""

WORK_W, WORK_H = 736, 480
"""Size at which a rectified card is searched (multiples of 32): 8.6 pixels a millimetre, lines from 1.3 mm height."""

_CARD_SHAPE = (1, 3, WORK_H, WORK_W)
_HEAT = 0.3
_STANDING, _LEAST_W = 2.5, 5  # heights to a width of text on end, and the pixels it is wide at least
_LEAST_SCORE = 0.45
_PIECES_APART = 0.8  # heights between two pieces of one line at most
_UNCLIP = 1.6  # the model is trained on shrunken text; boxes grow by area * 1.6 / perimeter


@dataclass(frozen=True, slots=True)
class LineBox:
    """A line of text as an upright box in pixels of the searched picture, `tilt` its slope (dy/dx), `score` 0..1."""

    x: float
    y: float
    w: float
    h: float
    tilt: float
    score: float

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def mid_y(self) -> float:
        return self.y + self.h / 2


class LineFinder:
    """The text detector; one instance a process. 40 to 60 ms a card on one thread."""

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        path = (folder or models_folder()) / DETECTOR
        self._any = compile_model(load_model(path), threads)
        self._card = compile_model(load_model(path), threads, shape=_CARD_SHAPE)

    def warm_up(self) -> None:
        """Prepare the one shape that cards have."""
        self._card(np.zeros(_CARD_SHAPE, np.float32))

    def find(self, card: Colour) -> tuple[LineBox, ...]:
        """Lines of text of a rectified card, top to bottom."""
        return self.search(card)[0]

    def search(self, card: Colour, size: tuple[int, int] = (WORK_W, WORK_H)) -> tuple[tuple[LineBox, ...], int]:
        """Lines of text, top to bottom, and how many runs of text stand on end instead: more, and the card lies so.

        `size`: pixels at which a picture wider than high is searched, both multiples of 32.
        """
        heat = self._heat(card, size)
        mask = cv2.dilate((heat > _HEAT).astype(np.uint8), np.ones((2, 2), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        scale = (card.shape[1] / heat.shape[1], card.shape[0] / heat.shape[0])
        boxes = [_box(contour, heat, scale) for contour in contours]
        standing = sum(h > _STANDING * w and w >= _LEAST_W for _, _, w, h in map(cv2.boundingRect, contours))
        return join([b for b in boxes if b is not None]), standing

    def _heat(self, card: Colour, size: tuple[int, int]) -> Floats:
        turned = size if card.shape[1] >= card.shape[0] else (size[1], size[0])
        small = cv2.resize(card, turned, interpolation=cv2.INTER_AREA)
        tensor = (small.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        model = self._card if tensor.shape == _CARD_SHAPE else self._any
        return cast(Floats, model(np.ascontiguousarray(tensor))[0][0, 0])


def _box(contour: cv2.typing.MatLike, heat: Floats, scale: tuple[float, float]) -> LineBox | None:
    """A contour of the heat map as a line box in picture pixels; None when too small or too faint."""
    x, y, w, h = cv2.boundingRect(contour)
    if min(w, h) < 4 or w < h * 0.5:
        return None
    inside = np.zeros((h, w), np.uint8)
    cv2.drawContours(inside, [contour - (x, y)], -1, 1, cv2.FILLED)
    score = float(cv2.mean(heat[y : y + h, x : x + w], inside)[0])
    if score < _LEAST_SCORE:
        return None
    _, (side, other), angle = cv2.minAreaRect(contour)
    length, thick = max(side, other), max(1.0, min(side, other))
    tilt = float(np.tan(np.radians(angle if side >= other else angle - 90))) if length > 3 * thick else 0.0
    grow = length * thick * _UNCLIP / (2 * (length + thick))
    sx, sy = scale
    return LineBox((x - grow) * sx, (y - grow) * sy, (w + 2 * grow) * sx, (h + 2 * grow) * sy, _small(tilt), score)


def join(boxes: Sequence[LineBox]) -> tuple[LineBox, ...]:
    """Lines top to bottom, pieces of one line put together: a wide gap between groups may have split a number."""
    whole: list[LineBox] = []
    for box in sorted(boxes, key=lambda b: b.x):
        at = next((i for i, left in enumerate(whole) if _goes_on(left, box)), None)
        if at is None:
            whole.append(box)
        else:
            whole[at] = _together(whole[at], box)
    return tuple(sorted(whole, key=lambda b: b.mid_y))


def _goes_on(left: LineBox, right: LineBox) -> bool:
    """Whether `right` is the next piece of the same line: level with it, as high, and close behind its end."""
    low, high = sorted((left.h, right.h))
    level = abs(left.mid_y + left.tilt * (right.x - left.x - left.w / 2) - right.mid_y) < 0.25 * low
    return high < 1.5 * low and level and -1.2 * low < right.x - left.right < _PIECES_APART * low


def _together(left: LineBox, right: LineBox) -> LineBox:
    top, bottom = min(left.y, right.y), max(left.y + left.h, right.y + right.h)
    tilt = (left.tilt * left.w + right.tilt * right.w) / (left.w + right.w)
    end = max(left.right, right.right)
    return LineBox(left.x, top, end - left.x, bottom - top, tilt, min(left.score, right.score))


def _small(tilt: float) -> float:
    return tilt if abs(tilt) < 0.15 else 0.0


def cut(card: Colour, box: LineBox, pad: float = 0.0) -> Colour:
    """The picture of a line, straightened by shearing, with `pad` times its height of margin."""
    margin = pad * box.h
    sloped = abs(box.tilt) * box.w
    height = max(8.0, box.h - sloped) + 2 * margin
    left, mid = box.x - margin, box.mid_y
    width = box.w + 2 * margin
    shear = np.array([[1, 0, left], [box.tilt, 1, mid - height / 2 - box.tilt * width / 2]], np.float32)
    size = (max(8, round(width)), max(8, round(height)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cast(Colour, cv2.warpAffine(card, shear, size, flags=flags, borderMode=cv2.BORDER_REPLICATE))
