"""Was a text cut at an end? Glare that swallows the first or last characters leaves two traces at most.

The print fades out towards the end: of 415 numbers and PINs that were right and sure, eleven do; of wrong ones that
glare had cut short, both did (docs/benchmarks.md). Or it begins with fewer characters than its groups have. A text
whose length is known need not be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import cv2
import numpy as np

from app.vision.decoding.groups import USUAL_GROUP, groups_of
from app.vision.picture.pixels import Colour, Floats, grey, percentiles

FADED = 0.75
"""Contrast of the first or last character, in that of most, below which others may have vanished beyond it."""

BEFORE_SPACE = 0.85
"""The same where the end is that of a full group and print pales over four characters towards it: what vanished beyond
stood a space further off, where a reflection is stronger by more."""

GONE = 0.34
"""What a next character's contrast would be, if it paled by twice as much as the last one, below which others have most
likely vanished: print then ends within a reflection and not before it. Of 23 ends below 7 were those of the whole text,
of 29 others 25."""

GENTLE = 0.55
"""The same, from where it would be seen, and the end is one: of 12 ends that pale but keep more 11 were those of the
whole text (the other was in doubt throughout), of 24 between this and `GONE` 13."""

HARDLY_SEEN = 0.4
"""Contrast of an end that pales so, from where it says more than the panel's edge beyond it. Of 5,040 PINs stated one
right one has such an end beside an edge and no end of the light, and one that had lost six characters."""

FAINT = 0.55
"""Contrast of a character, in that of most, below which it is asked about where its text is anyway. Alone it is right
nearly always: 20 of 1,099 PINs read rightly have such a one."""

_FALLING = 0.95
"""The same in that of the three characters beside it: where print grows clearer again towards the end, or stays as pale
as it is, the worst of the glare lies inside the text and a character beyond it would be seen."""

BESIDE_WHITE = 0.92
"""Likewise, where the paper beyond the end is as white as can be: where it is merely lit well, print is as dark at the
end as elsewhere, while a reflection that swallows characters takes something of the one beside them."""

_SEEN = 0.8  # share of the usual contrast from which an end is not pale
_RIM = 0.12  # of the height, above and below the line
_SMOOTH = 0.02  # of the height: noise is no contrast
_INK, _PAPER = 4, 96  # percentiles of lightness


def pale_ends(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """Whether the first or the last character is much paler than most: its position, or both; empty when neither is.

    `spans`: the steps of each character, `steps`: those of the line's width.
    """
    if len(spans) < 2:
        return frozenset()
    groups = groups_of(spans)
    full = groups[-1] >= groups[0]
    ends = _from_ends(contrasts(line, spans, steps))
    parted = {0: len(groups) > 1, len(spans) - 1: len(groups) > 1 and full}
    return frozenset(
        at
        for at, inwards in ends.items()
        if _falls(inwards) and (_fades(inwards) or (parted[at] and _fades_into_space(inwards)))
    )


def fading_groups(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """Whether the first or last character ends a full group and pales at all outwards: a PIN may go on a space further
    off, under layer and a reflection at once.
    """
    groups = groups_of(spans)
    if len(groups) < 2:
        return frozenset()
    ends = _from_ends(contrasts(line, spans, steps))
    full = (0, len(spans) - 1) if groups[-1] >= groups[0] else (0,)
    return frozenset(at for at in full if ends[at][0] < BEFORE_SPACE and _falls(ends[at]))


def gone_ends(line: Colour, spans: Sequence[tuple[int, int]], steps: int, below: float = _SEEN) -> frozenset[int]:
    """Whether print pales so steeply towards the first or the last character, whose share of the usual contrast is
    `below` this, that nobody would see a next one.
    """
    if len(spans) < 2:
        return frozenset()
    ends = _from_ends(contrasts(line, spans, steps))
    return frozenset(
        at for at, inwards in ends.items() if inwards[0] < below and _falls(inwards) and _next(inwards) < GONE
    )


def paler_ends(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """Whether the first or the last character has less contrast than most, in whatever way it came to be so."""
    if len(spans) < 2:
        return frozenset()
    ends = _from_ends(contrasts(line, spans, steps))
    return frozenset(at for at, inwards in ends.items() if inwards[0] < _SEEN)


def faint_ones(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """The positions of characters that light has taken half of the contrast from: a stroke may have gone with it."""
    if len(spans) < 2:
        return frozenset()
    clear = contrasts(line, spans, steps)
    return frozenset(np.flatnonzero(clear < FAINT * np.median(clear)).tolist())


def _from_ends(contrasts: Floats) -> dict[int, Floats]:
    """The contrasts from each end inwards, of most characters' one."""
    shares = cast(Floats, np.maximum(contrasts, 1e-3) / np.float32(max(1e-3, float(np.median(contrasts)))))
    return {0: shares, len(shares) - 1: shares[::-1]}


def _falls(inwards: Floats) -> bool:
    return bool(inwards[0] < _FALLING * np.mean(inwards[1:4]))


def _fades(inwards: Floats) -> bool:
    return bool(inwards[0] < FADED and _next(inwards) < GENTLE)


def _next(inwards: Floats) -> float:
    """The contrast of a next character that pales by twice as much as the last one."""
    return float(inwards[0] * (inwards[0] / inwards[1]) ** 2)


def _fades_into_space(inwards: Floats) -> bool:
    return bool(len(inwards) > USUAL_GROUP and inwards[0] < BEFORE_SPACE and (np.diff(inwards[:4]) > 0).all())


def paling_ends(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """The same where paper is as white as can be beyond the ends: already a little paler is too pale then."""
    if len(spans) < 2:
        return frozenset(range(len(spans)))
    clear = contrasts(line, spans, steps)
    return frozenset(at for at in (0, len(spans) - 1) if clear[at] < BESIDE_WHITE * np.median(clear))


def contrasts(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> Floats:
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
        low, high = percentiles(shade[:, left : max(left + 1, int(middle + half) + 1)], _INK, _PAPER)
        found.append(high - low)
    return np.array(found, np.float32)
