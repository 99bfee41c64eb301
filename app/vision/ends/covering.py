"""Whether something that lies over the card ends a line: paper, a sticker, another card, a finger.

Its edge runs straight across the row of the line and goes on above and below it, where the line has no ink: there the
ground changes at once, at the same place and in the same way. Print, a reflection or a shadow does not do that. A
finger's sides are such edges too, if they lie aslant; and it mostly has a colour that the line has not.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from app.vision.ends.beside import foreign_beside
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Floats

_BEFORE, _BEHIND = 0.35, 1.3
"""Heights inside of a line's end and beyond it in which an edge is looked for: it may cut a character, or hide the next
behind a space."""

_NEAR, _FAR = 0.06, 0.3  # heights on either side of a place between which its ground is compared
_LASTS, _SHARE = 1.0, 0.5
"""Heights on either side of an edge over which the ground stays changed, mostly, and by what share of the change."""

_CLOSE_BY, _AT_ONCE = 0.14, 0.7
"""Heights up to which the ground changes by how much of the change up to `_FAR`: light comes gradually, what lies over
the card at once (21000040 and 21000281 typical)."""

_TILT = 0.5  # heights by which an upright edge may stand elsewhere above a line than below it
_ALIKE = 0.8  # cosine of the two changes of colour
_PLAIN = 3  # rows that are needed

_LEAST = (40.0, 24.0)
"""Levels from which something lies before a line and behind it. Lines are printed one below the other, so that both
bands may change where they begin: of 339 numbers and 288 PINs read rightly five have 30 to 36 levels there. Behind them
one each has 31 and 26, all others 23 or less; what is laid over an end has 25 to 150, but for paper on pale cards."""

_PRINTED = 30.0
"""The same above and below a panel, where other things are printed: of 432 PINs of easy cards six have 24 to 30, one
37."""

_ENDED, _CLOSE = 10.0, 0.35
"""The same behind a PIN that stands closer, in heights, to what seems its panel's end: what lies there may be that end.
Of 1,470 PINs read rightly 2 % stand so close, of 288 4 % have such an edge."""

_SLANT, _SLANTING = 1.6, 34.0
"""The same of an edge that lies aslant, up to so many heights: chance makes more such pairs. Of 389 numbers and 410
PINs read rightly one has 34, of 208 hidden ends that were stated 39."""

_FOREIGN, _REACH = (32.0, 40.0), 1.0
"""Levels by which a colour up to so many heights beside a number, and beside a PIN, is neither that of its print nor of
its ground nor between them: a finger's, a glove's. Of 427 numbers and PINs read rightly three have more than 28, one
more than 30; within panels a tinted layer has up to 37."""

_ABOVE = 0.35  # heights above and below a line that hold none of its ink
_PANEL = (0.12, 0.5)  # the same, of a PIN's line, above and below its panel
_INSIDE = 0.2  # heights inside of a panel's ends from where its ground is its own
_RIM = 0.15  # heights behind a panel's end, in which what covers it may end it

Band = tuple[float, float]


def covered_ends(card: Colour, line: Area, until: float) -> tuple[bool, bool]:
    """Whether something lies over the card before and behind a line on its plain ground. `until`: where the next thing
    that is printed begins.
    """
    bands = (line.y - _ABOVE * line.h, line.y), (line.bottom, line.bottom + _ABOVE * line.h)
    edged = _covered(card, line, bands, (0.0, until), _LEAST)
    if until <= line.right:  # below bars: the label that it stands on may end right beside it
        return edged
    return _either(edged, _foreign(card, line, (0.0, until), _FOREIGN[0]))


def _either(one: tuple[bool, bool], other: tuple[bool, bool]) -> tuple[bool, bool]:
    return one[0] or other[0], one[1] or other[1]


def _foreign(card: Colour, line: Area, until: tuple[float, float], least: float) -> tuple[bool, bool]:
    before, behind = foreign_beside(card, line, _REACH, until)
    return before > least, behind > least


def covered_panel(card: Colour, line: Area, panel: Area) -> tuple[bool, bool]:
    """The same of a line in a panel, by the card above and below that and by the panel's own ground."""
    near, far = (share * line.h for share in _PANEL)
    bands = (panel.y - far, panel.y - near), (panel.bottom + near, panel.bottom + far)
    ends = min(panel.x, line.x) - _RIM * line.h, max(panel.right, line.right + _RIM * line.h) + _RIM * line.h
    least = (_LEAST[0], _ENDED if panel.right - line.right < _CLOSE * line.h else _PRINTED)
    ground = panel.x + _INSIDE * line.h, panel.right - _INSIDE * line.h
    before, behind = _foreign(card, line, ground, _FOREIGN[1])
    before = before and line.x - panel.x > _CLOSE * line.h  # else what is beside the line is the card
    return _either(_covered(card, line, bands, ends, least), (before, behind))


def _covered(
    card: Colour, line: Area, bands: tuple[Band, Band], until: tuple[float, float], least: tuple[float, float]
) -> tuple[bool, bool]:
    before, behind = (_is_edged(card, line, bands, side, until[side], least[side]) for side in (0, 1))
    return before, behind


def _is_edged(card: Colour, line: Area, bands: tuple[Band, Band], side: int, until: float, least: float) -> bool:
    """Whether the ground changes along an edge across a line's row near its end (0 left, 1 right), by so many levels.

    `bands`: the rows above and below the line without any of its ink; `until`: the pixel where it is looked for last.
    """
    end = line.right if side else line.x
    inside, beyond = end - (1 if side else -1) * _BEFORE * line.h, end + (1 if side else -1) * _BEHIND * line.h
    low, high = (inside, min(beyond, until)) if side else (max(beyond, until), inside)
    rim, aside = _FAR * line.h, _SLANT * line.h / 2  # rim: of the card, whose own edge is another one
    first, last = max(rim, low - aside), min(card.shape[1] - rim, high + aside)
    places, left = np.arange(int(first), int(last)), max(0, int(first - _LASTS * line.h))
    rows = [_rows(card[:, left : max(left, int(last + _LASTS * line.h) + 1)], band) for band in bands]
    if high - low < _PLAIN or len(places) < _PLAIN or any(len(row) < _PLAIN for row in rows):
        return False
    one, other = (_hard_steps(np.median(row, axis=0), places - left, line.h, least) for row in rows)
    limits = (_TILT, least), (_SLANT, max(least, _SLANTING))
    return any(_change_alike(one, other, places, (low, high), tilt * line.h, size) for tilt, size in limits)


def _rows(card: Colour, band: Band) -> Floats:
    top, bottom = (min(card.shape[0], max(0, int(at))) for at in band)
    return card[top:bottom].astype(np.float32)


def _steps(ground: Floats, places: np.ndarray, height: float, reach: float = _FAR) -> Floats:
    """How the colour (n, 3) changes at each place, from what lies left of it to what lies right, within a reach."""
    sums = np.concatenate([np.zeros((1, 3), np.float32), np.cumsum(ground, axis=0)])
    near, far = max(1, round(_NEAR * height)), max(3, round(reach * height))

    def mean(first: np.ndarray, last: np.ndarray) -> Floats:
        first, last = np.clip(first, 0, len(ground)), np.clip(last, 0, len(ground))
        return cast(Floats, (sums[last] - sums[first]) / np.maximum(1, last - first)[:, None])

    steps = mean(places + near, places + far) - mean(places - far, places - near)
    inner = (places - near > 0) & (places + near < len(ground))
    return cast(Floats, np.where(inner[:, None], steps, 0))


def _hard_steps(ground: Floats, places: np.ndarray, height: float, least: float) -> Floats:
    """The changes of `_steps` of at least so many levels that come at once and last: print comes and goes, light comes
    gradually, what covers stays.
    """
    steps, close = _steps(ground, places, height), _steps(ground, places, height, _CLOSE_BY)
    near, far = max(1, round(_NEAR * height)), max(3, round(_LASTS * height))
    sizes = np.linalg.norm(steps, axis=1) / np.sqrt(3)
    kept = np.zeros_like(steps)
    for at in np.flatnonzero(sizes >= least):
        place = int(places[at])
        left, right = ground[max(0, place - far) : place - near], ground[place + near : place + far]
        change = np.median(right, axis=0) - np.median(left, axis=0)
        whole = steps[at] @ steps[at]
        if change @ steps[at] >= _SHARE * whole and close[at] @ steps[at] >= _AT_ONCE * whole:
            kept[at] = steps[at]
    return kept


def _change_alike(one: Floats, other: Floats, places: np.ndarray, within: Band, tilt: float, least: float) -> bool:
    """Whether both bands change by so many levels, at most `tilt` pixels apart and on either side of a place `within`
    bounds.
    """
    sizes = [np.linalg.norm(steps, axis=1) / np.sqrt(3) for steps in (one, other)]
    for at in np.flatnonzero(sizes[0] >= least):
        near = slice(max(0, at - round(tilt)), at + round(tilt) + 1)
        middles = (places[at] + places[near]) / 2
        cosines = other[near] @ one[at] / np.maximum(1e-3, 3 * sizes[1][near] * sizes[0][at])
        alike = (cosines > _ALIKE) & (sizes[1][near] >= least) & (middles >= within[0]) & (middles <= within[1])
        if alike.any():
            return True
    return False
