"""How light lies along a line of print and beyond its ends: a reflection that ends before more print could stand there
has hidden none, and one that begins right behind the last character may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Floats, percentiles

_REACH = 2.5  # heights beyond the line that are looked at
_RIM = 0.15  # of the height, above and below, that is not
_SMOOTH = 5  # pixels
_PAPER = 0.75  # of the lightness in a column, from its darkest up: ink is less than that
_MOST = 90  # percentile of the columns of a place: between its strokes is paper
_PAST = 12.0
"""Levels by which paper beyond an end is darker than at the end, from where the worst of a reflection is over."""

_STILL_LIGHTER = 2.0
"""Levels by which each place beyond an end is lighter than the end. Of 16 pale ends of doubtful fields that
are so (1,900 cards), 13 lacked characters."""

_AS_LIGHT = 3.0
"""Levels by which both next places may be darker than an end and count as lying in the same light."""

_PLACES = (1, 2, 3)
"""Pitches beyond the last character at which the next one would stand, behind a space too."""

_LIGHTER, _GLARING = 1.3, 225.0
"""Of the paper around the print, and in levels, how light both next places are where nobody would see a character. Of
some 750 numbers of hard cards six end so: all six had more behind."""

_FAR_LIGHTER, _LIGHT = 1.45, 205.0
"""The same where print is dark on dull paper: a reflection need not be white then. Of 3,550 numbers stated one right
one ends so, and one that lacked its last digit."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Lit:
    """The lightness of paper in each column of pixels, 0..255; `before` of them stand before the line's picture."""

    levels: Floats
    before: int


UNLIT = Lit(np.zeros(0, np.float32), 0)
"""Where nobody looked: tells nothing."""


def lit_along(card: Colour, area: Area) -> Lit:
    """The light along a line of the rectified card, whose picture begins at the area's left."""
    left, reach = round(area.x), round(_REACH * area.h)
    first, last = max(0, left - reach), min(card.shape[1], round(area.right) + reach)
    top, bottom = round(area.y + _RIM * area.h), round(area.bottom - _RIM * area.h)
    rows = card[max(0, top) : max(1, top + 1, bottom), first : max(first + 1, last)]
    if not rows.size:
        return UNLIT
    blue, green, red = cv2.split(cv2.blur(np.ascontiguousarray(rows), (_SMOOTH, _SMOOTH)))
    darkest = np.sort(cv2.min(cv2.min(blue, green), red), axis=0)
    return Lit(darkest[int(_PAPER * (len(darkest) - 1))].astype(np.float32), left - first)


def past_ends(lit: Lit, width: int, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """The ends (first, last position) beyond which the light falls where a next character would stand.

    `width` of the line's picture; `spans`: the steps of each character, `steps`: those of the width.
    """
    cells = _Cells.of(lit, width, spans, steps)
    return frozenset(at for at in cells.ends if min(cells.beyond(at, _PLACES), default=255.0) < cells.level(at) - _PAST)


def unended(lit: Lit, width: int, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """The ends (first, last position) beyond which both next places are as light: a next character would stand in the
    very light that the last one stands in.
    """
    cells = _Cells.of(lit, width, spans, steps)
    beyond = {at: cells.beyond(at, _PLACES[:2]) for at in cells.ends}
    return frozenset(at for at, levels in beyond.items() if min(levels, default=0.0) >= cells.level(at) - _AS_LIGHT)


def rising_ends(lit: Lit, width: int, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """The ends (first, last position) beyond which it grows lighter still for three places: what pales towards such an
    end pales into the light, and more of it may stand there.
    """
    cells = _Cells.of(lit, width, spans, steps)
    return frozenset(at for at in cells.ends if _rises(cells.level(at), cells.beyond(at, _PLACES)))


def _rises(level: float, beyond: Sequence[float]) -> bool:
    return len(beyond) == len(_PLACES) and min(beyond) >= level + _STILL_LIGHTER and beyond[-1] >= beyond[0]


def ends_in_light(lit: Lit, width: int, spans: Sequence[tuple[int, int]], steps: int, until: float) -> frozenset[int]:
    """The ends (first, last position) beyond which paper is right away much lighter than around the print, up to pixel
    `until`.
    """
    cells = _Cells.of(lit, width, spans, steps)
    usual = cells.usual
    found = {end: cells.beyond(end, _PLACES[:2], until) for end in cells.ends}
    needed = min(max(_GLARING, _LIGHTER * usual), max(_LIGHT, _FAR_LIGHTER * usual))
    return frozenset(end for end, levels in found.items() if min(levels, default=0.0) > needed)


def light_behind(lit: Lit, width: int, spans: Sequence[tuple[int, int]], steps: int) -> tuple[float, list[float]]:
    """How light the paper of a line's characters is mostly, and that of the next places behind the last of them."""
    cells = _Cells.of(lit, width, spans, steps)
    return cells.usual, [level for end in cells.ends[1:] for level in cells.beyond(end, _PLACES[:2])]


@dataclass(frozen=True, slots=True)
class _Cells:
    """The places of a line's characters and of those that may stand beyond."""

    lit: Lit
    middles: tuple[float, ...]
    pitch: float

    @classmethod
    def of(cls, lit: Lit, width: int, spans: Sequence[tuple[int, int]], steps: int) -> _Cells:
        middles = tuple((first + last) / 2 * width / max(1, steps) for first, last in spans)
        gaps = sorted(b - a for a, b in pairwise(middles))
        return cls(lit, middles, max(4.0, gaps[len(gaps) // 3]) if gaps else 4.0)

    @property
    def ends(self) -> tuple[int, ...]:
        return (0, len(self.middles) - 1) if len(self.middles) > 1 else ()

    @property
    def usual(self) -> float:
        """How light the paper of most characters is."""
        return float(np.median([self.level(at) for at in range(len(self.middles))] or [255.0]))

    def level(self, at: int) -> float:
        """How light the paper of a character is."""
        return next(iter(self._levels([self.middles[at]])), 255.0)

    def beyond(self, end: int, places: Sequence[int], until: float = float("inf")) -> list[float]:
        """How light it is so many pitches beyond an end, where that is on the card and before pixel `until`."""
        way = -1 if end == 0 else 1
        middles = [self.middles[end] + way * place * self.pitch for place in places]
        return self._levels([middle for middle in middles if middle + self.pitch / 2 <= until])

    def _levels(self, middles: Sequence[float]) -> list[float]:
        found = []
        for middle in middles:
            first = round(middle - self.pitch / 2) + self.lit.before
            part = self.lit.levels[max(0, first) : max(0, first + round(self.pitch))]
            if len(part) > self.pitch / 2:
                found.append(percentiles(part, _MOST)[0])
        return found
