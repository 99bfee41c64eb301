"""What lies right behind a line of print: more of the card, or something that lies over it and over more print.

Print, its ground and light on both are mixtures of two colours, brighter or darker; a thumb has another colour.
"""

from __future__ import annotations

import numpy as np

from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Floats

_BAND = 0.2  # of the height, above and below the ink
_FIRST, _LAST = -0.05, 0.35  # heights behind the last character: there the card's ground is seen
_INK, _GROUND = 0.25, 0.75  # shares of a line's pixels, from the darkest up, that are one of the two or the other
_FOREIGN = 34.0
"""Levels by which a colour is neither print nor ground nor a mixture of them. Of 109 values read rightly one has 26,
all others have 12 or less; the thumb over the last zero of a 300 has 43."""


def goes_under(card: Colour, area: Area, reach: float = 0.0) -> bool:
    """Whether the print of an area of the card ends where something lies over the card, or up to `reach` heights before
    that.
    """
    steps = range(1 + round(reach / _LAST))
    return any(_foreign(card, area, area.right + step * _LAST * area.h) > _FOREIGN for step in steps)


def _foreign(card: Colour, area: Area, end: float) -> float:
    """How far, in levels, the colour behind `end` is from those of the print and its ground."""
    text = _pixels(card, area, area.x, area.right)
    behind = _pixels(card, area, end + _FIRST * area.h, end + _LAST * area.h)
    if not len(text) or not len(behind):
        return 0.0
    light = text.sum(axis=1)
    dark, bright = np.quantile(light, _INK), np.quantile(light, _GROUND)
    ink, ground = np.median(text[light <= dark], axis=0), np.median(text[light >= bright], axis=0)
    way = (ground - ink) / max(1.0, float(np.linalg.norm(ground - ink)))
    apart = np.median(behind, axis=0) - ink
    return float(np.linalg.norm(apart - way * (apart @ way)))


def _pixels(card: Colour, area: Area, left: float, right: float) -> Floats:
    top, bottom = round(area.y + _BAND * area.h), round(area.bottom - _BAND * area.h)
    part = card[max(0, top) : max(0, bottom), max(0, round(left)) : max(0, round(right))]
    return part.reshape(-1, 3).astype(np.float32)
