"""How print is parted into groups: cards fill them from the left and part them alike; a gap may tell what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from app.vision.decoding.decode import Decoded

_SPACED = 1.6  # pitches between neighbours with a space between them
_BROAD, _BROADER = "MW", 0.25  # glyphs of proportional print, and by how many pitches either moves its neighbours away
USUAL_GROUP = 4  # characters, or more: of fewer no card's groups were found, unless all of them are
_FEW_FOURS, _NARROW = 3, 1.2  # groups, and of the next widest: what makes every fourth gap a narrow space
LARGEST_GROUP = 6  # characters that cards print without a space where they print spaces at all


def begins_within_group(spans: Sequence[tuple[int, int]], text: str = "") -> bool:
    """Whether the first group is shorter than four and than the next one: what groups is filled from the left. A wide
    gap in print that is not parted elsewhere is a pair of letters such as LT, and parts no group.

    `spans`: the steps of each character of `text`.
    """
    groups = groups_of(spans, text)
    return len(groups) > 1 and groups[0] < min(USUAL_GROUP, groups[1]) and max(groups) <= LARGEST_GROUP


def groups_of(spans: Sequence[tuple[int, int]], text: str = "") -> list[int]:
    """How many characters stand together; all of them where they are too few to tell."""
    gaps = gaps_of(spans, text)
    if len(gaps) < USUAL_GROUP:
        return [len(spans)]
    starts = [0, *(at + 1 for at, gap in enumerate(gaps) if gap > _SPACED), len(spans)]
    return [b - a for a, b in pairwise(starts)]


def gaps_of(spans: Sequence[tuple[int, int]], text: str = "") -> list[float]:
    """How far neighbours stand apart, in pitches, a wide glyph of `text` beside them allowed for."""
    middles = [(first + last) / 2 for first, last in spans]
    gaps = [b - a for a, b in pairwise(middles)]
    pitch = max(1.0, sorted(gaps)[len(gaps) // 3]) if gaps else 1.0
    broad = [a in _BROAD or b in _BROAD for a, b in pairwise(text or " " * len(spans))]
    return [gap / pitch - _BROADER * near for gap, near in zip(gaps, broad, strict=True)]


def many_begin_within_group(views: Sequence[Decoded]) -> bool:
    """Whether a third of the views do: steps are coarse, and in one view even print may begin with a wide gap. Narrow
    spaces are told less surely: then two thirds must.
    """
    digits = (view for view in views if view.text.isdigit())  # letters are not as wide as each other
    narrow = sum(_begins_between_narrow_spaces(gaps_of(view.spans)) for view in digits)
    if views and narrow * 3 >= 2 * len(views):
        return True
    return sum(begins_within_group(view.spans, view.text) for view in views) * 3 > len(views)


def _begins_between_narrow_spaces(gaps: Sequence[float]) -> bool:
    """The same of print in fours whose spaces are hardly one: every fourth gap is wider, and more so on average, but
    the fourth one is not among them.
    """
    if len(gaps) < _FEW_FOURS * USUAL_GROUP - 1:
        return False
    usual = [float(np.mean(gaps[first::USUAL_GROUP])) for first in range(USUAL_GROUP)]
    widest = int(np.argmax(usual))
    others = sorted(usual)[-2]
    spaces = gaps[widest::USUAL_GROUP]
    return widest != USUAL_GROUP - 1 and usual[widest] > _NARROW * others and min(spaces) > others


def parts_one_off(spans: Sequence[tuple[int, int]], text: str = "") -> bool:
    """Whether a single character stands by itself, with more behind it: cards print none so."""
    return 1 in groups_of(spans, text)[:-1]
