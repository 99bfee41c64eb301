"""Would a character beyond the end of a PIN be seen? Scratching leaves layer above and below the line. Where that
stands out from the paper beyond the end as it does around the print, a reflection would have left a next character too;
and where the paper there is plain, none stands on it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from app.vision.ends.fading import contrasts
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Gray, grey, percentiles

_REACH = 2.5  # heights of the print beyond the line that are looked at
_OUTSIDE = 0.1  # of that height, above and below the panel
_SMOOTH = 2.0  # pixels

_NEXT, _LATER = 1.0, (1.5, 2.0)
"""Pitches beyond the end at which a next character stands, close by and behind a space or half of one."""

_RIM_THERE, _RIM_LATER = 0.5, 0.4
"""Of what the layer's rim stands out by around most characters, how much it does at the next place and behind it."""

_PLAIN = 0.42
"""Of the range of levels in most characters' places, what it is at most where none stands. Of 48 PINs that were left
open for a pale end alone 20 end so; of 21 that light had cut short none."""

_BEHIND_SPACE = 0.12
"""By how much more of that range there may be behind the next place than in it: of a group that light had left faintly
behind a space it was 0.15 (9000331 hard)."""

_LEAST_CONTRAST = 0.5  # of the last character, in that of most: what is paler is no measure of what comes next
_LEAST_RIM = 12.0  # levels: what stands out by less tells nothing


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Rims:
    """A panel along a line of print: grey, the rows of print from `top` to `bottom`, `before` columns of pixels before
    the line's picture.
    """

    picture: Gray
    top: int
    bottom: int
    before: int


NO_RIMS = Rims(np.zeros((0, 0), np.uint8), 0, 0, 0)
"""Where there is no panel: tells nothing."""


def rims_along(card: Colour, area: Area, rows: tuple[float, float], panel: Area | None) -> Rims:
    """The panel of the rectified card along a line whose picture shows `area`, its print between `rows` of the card."""
    height = rows[1] - rows[0]
    if panel is None or height < 1:
        return NO_RIMS
    first, last = round(area.x), round(area.right)
    left, right = max(0, round(first - _REACH * height)), min(card.shape[1], round(last + _REACH * height))
    top, bottom = panel.y - _OUTSIDE * height, panel.bottom + _OUTSIDE * height
    high, low = max(0, int(min(top, rows[0]))), min(len(card), int(max(bottom, rows[1])) + 1)
    part = np.ascontiguousarray(card[high:low, left : max(left + 1, right)])
    smooth = cv2.GaussianBlur(grey(part), (0, 0), _SMOOTH)
    return Rims(np.asarray(smooth, np.uint8), int(rows[0]) - high, int(rows[1]) - high, first - left)


def plain_ends(
    rims: Rims, line: Colour, spans: Sequence[tuple[int, int]], steps: int, ends: Collection[int]
) -> frozenset[int]:
    """Those of some `ends` (first, last position) beyond which print would be seen and is not.

    `spans`: the steps of each character, `steps`: those of the line's width.
    """
    if not ends or len(spans) < 2 or not rims.picture.size:
        return frozenset()
    clear = contrasts(line, spans, steps)
    bold = [at for at in ends if clear[at] >= _LEAST_CONTRAST * np.median(clear)]
    if not bold:
        return frozenset()
    middles = [(first + last) / 2 * line.shape[1] / max(1, steps) + rims.before for first, last in spans]
    gaps = sorted(b - a for a, b in pairwise(middles))
    pitch = max(4.0, gaps[len(gaps) // 3])
    places = [place for middle in middles if (place := _place(rims, middle, pitch)) is not None]
    rim, ink = (float(level) for level in np.median(np.array(places or [(0.0, 0.0)]), axis=0))
    if rim < _LEAST_RIM or ink <= 0:
        return frozenset()

    def is_end(at: int) -> bool:
        way = 1 if at else -1
        seen = [_place(rims, middles[at] + way * away * pitch, pitch) for away in (_NEXT, *_LATER)]
        found = [place for place in seen if place is not None]
        if len(found) < len(seen):
            return False
        levels = [level / ink for _, level in found]
        plain = max(levels) <= min(_PLAIN, levels[0] + _BEHIND_SPACE)
        return plain and found[0][0] >= _RIM_THERE * rim and found[1][0] >= _RIM_LATER * rim

    return frozenset(filter(is_end, bold))


def _place(rims: Rims, middle: float, pitch: float) -> tuple[float, float] | None:
    """By how many levels the rim is darker than the paper at a character's place, and the range of levels of the print
    there; None where that lies beyond the picture.
    """
    left, right = int(middle - pitch / 2), int(middle + pitch / 2) + 1
    if left < 0 or right > rims.picture.shape[1]:
        return None
    part = rims.picture[:, left:right]
    row = part[max(0, rims.top) : rims.bottom]
    rows = np.median(part, axis=1)
    around = np.concatenate([rows[: max(1, rims.top)], rows[min(len(rows) - 1, rims.bottom) :]])
    low, paper, high = percentiles(row, 3, 80, 97)
    return paper - float(around.min()), high - low
