"""What lies right behind a line of print: more of the card, or something that lies over it and over more print.

Print, its ground and light on both are mixtures of two colours, brighter or darker; a thumb has another colour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Floats

_BAND = 0.2  # of the height, above and below the ink
_FIRST, _LAST = -0.05, 0.35  # heights behind the last character: there the card's ground is seen
_ROWS = 12  # of pixels that are looked at: more tell nothing more of a colour
_INK, _GROUND = 0.25, 0.75  # shares of a line's pixels, from the darkest up, that are one of the two or the other
_FOREIGN = 34.0
"""Levels by which a colour is neither print nor ground nor a mixture of them. Of 109 values read rightly one has 26,
all others have 12 or less; the thumb over the last zero of a 300 has 43."""


def goes_under(card: Colour, area: Area, reach: float = 0.0) -> bool:
    """Whether the print of an area of the card ends where something lies over the card, or up to `reach` heights before
    that.
    """
    return foreign_beside(card, area, reach, (0.0, math.inf))[1] > _FOREIGN


def foreign_beside(card: Colour, area: Area, reach: float, until: tuple[float, float]) -> tuple[float, float]:
    """How far, in levels, a colour before and behind an area of print is from those of the print and its ground: up to
    `reach` heights away, beyond the first place no further than the pixels `until`.
    """
    text = _pixels(card, area, area.x, area.right)
    if not len(text):
        return 0.0, 0.0
    light = text.sum(axis=1)
    dark, bright = np.quantile(light, _INK), np.quantile(light, _GROUND)
    ink, ground = np.median(text[light <= dark], axis=0), np.median(text[light >= bright], axis=0)
    way = (ground - ink) / max(1.0, float(np.linalg.norm(ground - ink)))

    lit = np.maximum(ink, ground)

    def most(end: float, outwards: int, last: float) -> float:
        seen = [np.median(part, axis=0) for part in _beside(card, area, reach, end, outwards, last)]
        apart = [one - ink for one in seen if (one < lit).any()]  # what is lighter in every way may be light
        return max((float(np.linalg.norm(one - way * (one @ way))) for one in apart), default=0.0)

    return most(area.x, -1, until[0]), most(area.right, 1, until[1])


def _beside(card: Colour, area: Area, reach: float, end: float, outwards: int, last: float) -> Iterator[Floats]:
    """The pixels of each place from an end of an area outwards (-1 left, 1 right)."""
    for step in range(1 + round(reach / _LAST)):
        near, far = (step * _LAST + _FIRST) * area.h, (step + 1) * _LAST * area.h
        if step and far > outwards * (last - end):
            return
        left, right = sorted((end + outwards * near, end + outwards * far))
        if len(part := _pixels(card, area, left, right)):
            yield part


def _pixels(card: Colour, area: Area, left: float, right: float) -> Floats:
    top, bottom = round(area.y + _BAND * area.h), round(area.bottom - _BAND * area.h)
    every = max(1, (bottom - top) // _ROWS)
    part = card[max(0, top) : max(0, bottom) : every, max(0, round(left)) : max(0, round(right))]
    return part.reshape(-1, 3).astype(np.float32)
