"""What the reader believes of its engines: how much their words weigh, and which glyph a glyph may be after all.

Fitted by `training/confidence.py` on 19,670 characters of 1,469 fields: 450 cards of seeds 510000 to 510149 in
three tiers and 870 practice lines, none of them used elsewhere. The figures of held-out cards: `docs/benchmarks.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import numpy as np

from app.vision.picture.pixels import Floats
from app.vision.text.recognise import GLYPHS, Engine

WEIGHTS: Mapping[Engine, float] = {Engine.PPOCR: 0.35, Engine.OWN: 0.65}
"""What the mean logarithm of an engine's views counts."""

REPEAT = 0.4
"""Of n views of one engine the mean counts n ** REPEAT times: they repeat its mistakes, so less than n times."""

STATED_FOUND = (
    (0.40525, 0.43636),
    (0.61106, 0.56115),
    (0.78312, 0.71508),
    (0.92122, 0.90691),
    (0.97916, 0.93462),
    (0.98831, 0.98281),
    (0.99604, 0.99909),
    (0.99839, 0.99971),
    (0.99963, 0.99993),
)
"""The last correction: probability after the table, and the share of right glyphs that was found there."""

MISTAKES: Mapping[str, str] = {
    "0": "O995 Q45 C31 ?39",
    "1": "I89 L17 717 ?30",
    "2": "Z78 ?29",
    "3": "035 535 ?29",
    "4": "A47 ?30",
    "5": "S47 ?30",
    "6": "G48 ?30",
    "7": "Z69 T58 124 ?28",
    "8": "B80 ?29",
    "9": "036 ?31",
    "A": "483 ?53",
    "B": "882 ?52",
    "C": "E61 ?52",
    "D": "0101 O101 ?50",
    "E": " ?53",
    "F": " ?54",
    "G": "681 ?52",
    "H": " ?54",
    "I": "J129 145 L45 ?52",
    "J": " ?54",
    "K": " ?54",
    "L": "142 I42 ?50",
    "M": " ?54",
    "N": "M120 ?52",
    "O": "0291 Q226 D31 ?54",
    "P": "A60 R60 ?50",
    "Q": "042 O42 ?51",
    "R": " ?53",
    "S": "5313 ?51",
    "T": "781 ?52",
    "U": "V140 W120 ?50",
    "V": "W297 U81 ?50",
    "W": " ?54",
    "X": " ?53",
    "Y": " ?53",
    "Z": "2140 ?52",
}
"""For each glyph read without doubt what it was after all, in 100,000; `?`: any other glyph, together."""


@lru_cache(maxsize=64)
def mistakes(alphabet: str) -> Floats:
    """(n, n) for the n glyphs of an alphabet: the chance that what reads as the row's glyph is the column's."""
    table = np.zeros((len(GLYPHS), len(GLYPHS)), np.float32)
    for row, glyph in enumerate(GLYPHS):
        *named, rest = MISTAKES[glyph].split()
        table[row] = int(rest[1:]) / 1e5 / (len(GLYPHS) - 1 - len(named))
        for word in named:
            table[row, GLYPHS.index(word[0])] = int(word[1:]) / 1e5
        table[row, row] = 0.0
        table[row, row] = 1 - table[row].sum()
    columns = [GLYPHS.index(glyph) for glyph in alphabet]
    part = table[np.ix_(columns, columns)]
    return cast(Floats, part / part.sum(axis=1, keepdims=True))


def corrected(p: float) -> float:
    """The probability of the likeliest glyph, 0..1, as it was found to be."""
    stated = (0.0, *(s for s, _ in STATED_FOUND), 1.0)
    found = (0.0, *(f for _, f in STATED_FOUND), STATED_FOUND[-1][1])
    return float(np.interp(p, stated, found))
