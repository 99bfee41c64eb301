"""How wide and how hollow each character of one printed line is: all of them are of one face and seen alike.

Measured in the close crop, in heights of a capital, between the columns with least ink on either side of a character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import cv2
import numpy as np

from app.vision.decoding.decode import Decoded
from app.vision.picture.pixels import Colour, Floats, Gray, grey, percentiles
from app.vision.text.closeup import believed_rows

_HEIGHT = 40
"""Pixels to which the rows of ink are scaled."""

_EDGE = 0.3  # of the ink in the fullest columns, from which a column belongs to a character
_CORE = 0.14  # of the width, to either side of the middle: what a zero's dot or slash fills
_MARGIN = 0.25  # of the line's height, above and below it
_STROKE, _HALF = 4, 0.5  # columns; of the usual ink of a row, from which it belongs to the character
_LEAST_WIDTH, _MOST_WIDTH = 0.2, 1.4


@dataclass(frozen=True, slots=True)
class Shape:
    """One character: its `width` in heights, and the ink in its middle against that of its strokes, 0..1."""

    width: float
    core: float


def measure(line: Colour, reading: Decoded) -> tuple[Shape, ...]:
    """The shape of each character of a reading; `line`: the picture whose steps its spans count."""
    shade = grey(line)
    top, bottom = believed_rows(line)
    band = shade[max(0, top - 1) : bottom + 1]
    zoom = _HEIGHT / len(band)
    way = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
    ink = _ink(cast(Gray, cv2.resize(band, (max(8, round(band.shape[1] * zoom)), _HEIGHT), interpolation=way)))
    middles = [(first + last) / 2 / max(1, reading.steps) * line.shape[1] * zoom for first, last in reading.spans]
    return tuple(_shape(ink[:, left:right]) for left, right in _cells(ink, middles))


def heights(line: Colour, reading: Decoded) -> tuple[float, ...]:
    """How high each character of a reading stands, in heights of the line; as `measure`, but with a margin above and
    below: in some faces digits are taller than capitals.
    """
    shade = grey(line)
    top, bottom = believed_rows(line)
    margin = round(_MARGIN * (bottom - top))
    band = shade[max(0, top - margin) : bottom + margin]
    zoom = _HEIGHT / max(1, bottom - top)
    size = (max(8, round(band.shape[1] * zoom)), max(8, round(len(band) * zoom)))
    ink = _ink(cast(Gray, cv2.resize(band, size, interpolation=cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA)))
    middles = [(first + last) / 2 / max(1, reading.steps) * line.shape[1] * zoom for first, last in reading.spans]
    return tuple(_height(ink[:, left:right]) for left, right in _cells(ink, middles))


def _height(cell: Floats) -> float:
    rows = np.sort(cell, axis=1)[:, -_STROKE:].mean(axis=1)  # of what is no wider than a stroke as well
    low, high = _edges(rows, _HALF * percentiles(rows, 90)[0])
    return (high - low) / _HEIGHT


def _ink(band: Gray) -> Floats:
    """How far each pixel is from its paper, 0 or more, whether the print is dark on light or the other way."""
    smooth = cv2.GaussianBlur(band.astype(np.float32), (0, 0), 0.02 * _HEIGHT)
    low, middle, high = percentiles(smooth, 3, 50, 97)
    light = -smooth if high - middle >= middle - low else smooth
    reach = _HEIGHT // 2 | 1
    paper = cv2.morphologyEx(light, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    return cast(Floats, np.maximum(cv2.blur(paper, (int(1.6 * _HEIGHT) | 1, reach)) - light, 0))


def _cells(ink: Floats, middles: Sequence[float]) -> list[tuple[int, int]]:
    """The columns (first, last + 1) of each character: between neighbours, the emptiest of those near half way."""
    profile = cv2.blur(ink.mean(axis=0)[None], (3, 1))[0]
    steps = [b - a for a, b in pairwise(middles)]
    pitch = max(4.0, float(np.median(steps))) if steps else 0.7 * _HEIGHT
    cuts = [_emptiest(profile, a, b, pitch) for a, b in pairwise(middles)]
    lefts = [middles[0] - 0.65 * pitch, *cuts]
    rights = [*cuts, middles[-1] + 0.65 * pitch]
    cells = []
    for middle, left, right in zip(middles, lefts, rights, strict=True):
        first = int(np.clip(round(max(left, middle - 0.75 * pitch)), 0, len(profile) - 4))
        cells.append((first, max(first + 4, round(min(right, middle + 0.75 * pitch)))))
    return cells


def _emptiest(profile: Floats, left: float, right: float, pitch: float) -> int:
    first = int(left + 0.25 * (right - left))
    columns = np.arange(first, max(first + 1, int(left + 0.75 * (right - left)))).clip(0, len(profile) - 1)
    away = np.abs(columns - (left + right) / 2) / pitch
    return int(columns[int(np.argmin(profile[columns] + 0.05 * profile.max() * away))])


def _shape(cell: Floats) -> Shape:
    waist = cell[_HEIGHT // 4 : _HEIGHT * 3 // 4]
    least = _EDGE * percentiles(cell.mean(axis=0), 95)[0]
    left, right = _edges(waist.mean(axis=0), least)
    width, middle = right - left, (left + right) / 2
    first = int(np.clip(round(middle - _CORE * width), 0, cell.shape[1] - 1))
    last = max(first + 1, round(middle + _CORE * width) + 1)
    core = cell[int(0.3 * _HEIGHT) : int(0.7 * _HEIGHT), first:last].mean() / max(1.0, percentiles(waist, 92)[0])
    return Shape(float(np.clip(width / _HEIGHT, _LEAST_WIDTH, _MOST_WIDTH)), float(min(core, 1.0)))


def _edges(profile: Floats, least: float) -> tuple[float, float]:
    """Where the profile rises above `least` and where it last falls below it, in parts of a column."""
    above = np.flatnonzero(profile > least)
    if not len(above):
        return 0.0, 0.0
    a, b = int(above[0]), int(above[-1])
    left = a - (profile[a] - least) / (profile[a] - profile[a - 1]) if a > 0 else a
    right = b + (profile[b] - least) / (profile[b] - profile[b + 1]) if b < len(profile) - 1 else b
    return float(left), float(right)
