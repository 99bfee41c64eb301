"""Was a text cut at an end? Glare that swallows the first or last characters leaves two traces at most.

The print fades out towards the end: of 415 numbers and PINs that were right and sure, eleven do; of wrong ones that
glare had cut short, both did (docs/benchmarks.md). Or it begins with fewer characters than its groups have. A text
whose length is known need not be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from app.vision.pixels import Colour, Floats, grey

FADED = 0.75
"""Contrast of the first or last character, in that of most, below which others may have vanished beyond it."""

_FALLING = 0.95
"""The same in that of the three characters beside it: where print grows clearer again towards the end, or stays as pale
as it is, the worst of the glare lies inside the text and a character beyond it would be seen."""

BESIDE_WHITE = 0.92
"""Likewise, where the paper beyond the end is as white as can be: where it is merely lit well, print is as dark at the
end as elsewhere, while a reflection that swallows characters takes something of the one beside them."""

_SPACED = 1.6  # pitches between neighbours with a space between them
_USUAL_GROUP = 4  # characters, or more: of fewer no card's groups were found, unless all of them are
LARGEST_GROUP = 6  # characters that cards print without a space where they print spaces at all
_RIM = 0.12  # of the height, above and below the line
_SMOOTH = 0.02  # of the height: noise is no contrast
_INK, _PAPER = 4, 96  # percentiles of lightness


def pale_ends(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """Whether the first or the last character is much paler than most: its position, or both; empty when neither is.

    `spans`: the steps of each character, `steps`: those of the line's width.
    """
    if len(spans) < 2:
        return frozenset()
    contrasts = _contrasts(line, spans, steps)
    inwards = {0: contrasts[1:4], len(spans) - 1: contrasts[-4:-1]}
    return frozenset(
        at
        for at, beside in inwards.items()
        if contrasts[at] < FADED * np.median(contrasts) and contrasts[at] < _FALLING * np.mean(beside)
    )


def paling_ends(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """The same where paper is as white as can be beyond the ends: already a little paler is too pale then."""
    if len(spans) < 2:
        return frozenset(range(len(spans)))
    contrasts = _contrasts(line, spans, steps)
    return frozenset(at for at in (0, len(spans) - 1) if contrasts[at] < BESIDE_WHITE * np.median(contrasts))


def begins_within_group(spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the first group is shorter than four and than the next one: what groups is filled from the left. A wide
    gap in print that is not parted elsewhere is a pair of letters such as LT, and parts no group.

    `spans`: the steps of each character.
    """
    middles = [(first + last) / 2 for first, last in spans]
    gaps = [b - a for a, b in pairwise(middles)]
    if len(gaps) < _USUAL_GROUP:
        return False
    pitch = max(1.0, sorted(gaps)[len(gaps) // 3])
    starts = [0, *(at + 1 for at, gap in enumerate(gaps) if gap > _SPACED * pitch), len(middles)]
    groups = [b - a for a, b in pairwise(starts)]
    return len(groups) > 1 and groups[0] < min(_USUAL_GROUP, groups[1]) and max(groups) <= LARGEST_GROUP


def _contrasts(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> Floats:
    """Levels between ink and paper within half a pitch of each character's middle."""
    height, width = line.shape[:2]
    middles = [(first + last) / 2 * width / max(1, steps) for first, last in spans]
    rim = round(_RIM * height)
    shade = cv2.GaussianBlur(grey(line), (0, 0), max(0.8, _SMOOTH * height))[rim : height - rim]
    gaps = sorted(b - a for a, b in pairwise(middles))
    half = max(1.0, gaps[len(gaps) // 3] / 2)
    found = []
    for middle in middles:
        left = int(np.clip(middle - half, 0, width - 1))
        low, high = np.percentile(shade[:, left : max(left + 1, int(middle + half) + 1)], (_INK, _PAPER))
        found.append(high - low)
    return np.array(found, np.float32)
