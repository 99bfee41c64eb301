"""Does a text fade out at an end? Glare that swallows the first or last characters leaves no trace but this.

Of 415 numbers and PINs that were right and sure, eleven fade so; of wrong ones that glare had cut short, both did
(docs/benchmarks.md). A text whose length is known need not be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from app.vision.pixels import Colour, Floats, grey

FADED = 0.75
"""Contrast of the first or last character, in that of most, below which others may have vanished beyond it."""

_RIM = 0.12  # of the height, above and below the line
_SMOOTH = 0.02  # of the height: noise is no contrast
_INK, _PAPER = 4, 96  # percentiles of lightness


def pale_ends(line: Colour, spans: Sequence[tuple[int, int]], steps: int) -> frozenset[int]:
    """Whether the first or the last character is much paler than most: its position, or both; empty when neither is.

    `spans`: the steps of each character, `steps`: those of the line's width.
    """
    if len(spans) < 2:
        return frozenset()
    contrasts = _contrasts(line, [(first + last) / 2 * line.shape[1] / max(1, steps) for first, last in spans])
    return frozenset(at for at in (0, len(spans) - 1) if contrasts[at] < FADED * np.median(contrasts))


def _contrasts(line: Colour, middles: Sequence[float]) -> Floats:
    """Levels between ink and paper within half a pitch of each character's middle."""
    height, width = line.shape[:2]
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
