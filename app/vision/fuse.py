"""From several readings of one field to one answer, or to exactly the doubtful characters.

Probabilities are combined per character before anything is decided; strings are not voted over. Readings of one card
are not independent (a systematic misread repeats), so their sum counts less than it would if they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.core.cards import UNREADABLE, Candidate, CharReading, FieldReading, FieldState, settle
from app.core.products import DIGITS, FieldPattern
from app.vision.decode import Decoded

SURE_DIGIT = 0.97
SURE_MIXED = 0.999
SURE_TWIN = 0.9995
"""What a character needs to be sure: among digits; among letters and digits; where a twin glyph is in the alphabet."""

LEAST_AGREEMENT = 0.8
_FLOOR = 1e-4
_UNREADABLE = 0.45
_MOST_CANDIDATES = 4
_NEVER = 1.1
_TWINS = (("0O", _NEVER), ("1I", SURE_TWIN), ("OQ", SURE_TWIN))
"""Glyphs that many fonts print alike, and what one needs while its twin is in the alphabet too: a zero and an O cannot
be told apart by sight, so without the product's alphabet a person decides."""
_STRANGE = 0.6


@dataclass(frozen=True, slots=True, repr=False)
class Fused:
    """One field over all readings. `lead`: the reading whose spans show where the characters stand, for crops."""

    reading: FieldReading
    lead: Decoded | None


def fuse(readings: Sequence[Decoded], pattern: FieldPattern) -> Fused:
    """One answer from the readings of all frames and views."""
    if not readings:
        return Fused(UNREADABLE, None)
    length, agreement = _length(readings)
    same = [r for r in readings if len(r.text) == length]
    lead = max(same, key=lambda r: r.p * math.prod(max(c.values()) for c in r.chars))
    chars = tuple(_character([r.chars[i] for r in same], pattern, agreement) for i in range(length))
    if sum(c.best.p for c in chars) / max(1, length) < _UNREADABLE:
        return Fused(UNREADABLE, lead)
    if _all_sure(chars) and not (pattern.matches("".join(c.best.glyph for c in chars))):
        chars = _doubt_weakest(chars)
    if sum(_has_hole(r) for r in same) * 2 > len(same):
        chars = tuple(CharReading(c.candidates, sure=False) for c in chars)
    state = FieldState.READ if _all_sure(chars) else FieldState.DOUBTFUL
    return Fused(settle(FieldReading(state, chars), pattern), lead)


def _has_hole(reading: Decoded) -> bool:
    """Whether between two characters there is room for two more: something in between was not read."""
    middles = [(first + last) / 2 for first, last in reading.spans]
    steps = sorted(b - a for a, b in pairwise(middles))
    return len(steps) >= 3 and steps[-1] > 3.4 * max(1.0, steps[len(steps) // 3])


def _length(readings: Sequence[Decoded]) -> tuple[int, float]:
    """The length most readings stand for, and the share of their weight, 0..1."""
    weights: dict[int, float] = {}
    for r in readings:
        clean = 1.0 - 0.7 * max(0.0, r.strange - _STRANGE)
        weights[len(r.text)] = weights.get(len(r.text), 0.0) + r.p * clean + 0.05
    best = max(weights, key=lambda n: weights[n])
    # The share that other lengths have inside each reading counts as disagreement too.
    inner = sum(r.p for r in readings if len(r.text) == best) / sum(1 for r in readings if len(r.text) == best)
    return best, weights[best] / sum(weights.values()) * min(1.0, inner + 0.3)


def _character(views: Sequence[Mapping[str, float]], pattern: FieldPattern, agreement: float) -> CharReading:
    chances = combine(views)
    best = next(iter(chances))
    same = sum(1 for view in views if max(view, key=lambda g: view[g]) == best) / len(views)
    sure = chances[best] >= _needed(best, pattern) and same >= LEAST_AGREEMENT and agreement >= LEAST_AGREEMENT
    shown = [Candidate(g, round(p, 4)) for g, p in chances.items() if p >= 0.004 or g == best]
    return CharReading(tuple(shown[:_MOST_CANDIDATES]), sure)


def combine(views: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Glyph -> probability over all views, best first: logs added, tempered by the root of their number."""
    glyphs = {g for view in views for g in view}
    temper = 1 / math.sqrt(len(views))
    logs = {g: temper * sum(math.log(max(_FLOOR, view.get(g, 0.0))) for view in views) for g in glyphs}
    top = max(logs.values())
    raw = {g: math.exp(v - top) for g, v in logs.items()}
    total = sum(raw.values())
    return {g: p / total for g, p in sorted(raw.items(), key=lambda item: -item[1])}


def _needed(glyph: str, pattern: FieldPattern) -> float:
    if set(pattern.alphabet) <= set(DIGITS):
        return SURE_DIGIT
    for twins, needed in _TWINS:
        if glyph in twins and sum(t in pattern.alphabet for t in twins) > 1:
            return needed
    return SURE_MIXED


def _all_sure(chars: Sequence[CharReading]) -> bool:
    return all(c.sure for c in chars)


def _doubt_weakest(chars: Sequence[CharReading]) -> tuple[CharReading, ...]:
    """A text that breaks its check digit has an error somewhere: the weakest characters are doubtful after all."""
    weakest = sorted(range(len(chars)), key=lambda i: chars[i].best.p)[:3]
    return tuple(CharReading(c.candidates, sure=False) if i in weakest else c for i, c in enumerate(chars))


def doubt_all(fused: Fused) -> Fused:
    """The same reading with no character sure."""
    if fused.reading.state is not FieldState.READ:
        return fused
    chars = tuple(CharReading(c.candidates, sure=False) for c in fused.reading.chars)
    return Fused(FieldReading(FieldState.DOUBTFUL, chars), fused.lead)


def confirm(reading: FieldReading, text: str) -> FieldReading | None:
    """The reading made sure by another source of the same text (a Code 128); None when they do not fit together.

    At least seven characters in ten must agree, and no sure character may differ.
    """
    if len(reading.chars) != len(text) or not text:
        return None
    agree = sum(c.best.glyph == t for c, t in zip(reading.chars, text, strict=True))
    if agree < 0.7 * len(text) or any(c.sure and c.best.glyph != t for c, t in zip(reading.chars, text, strict=True)):
        return None
    chars = tuple(_confirmed(c, t) for c, t in zip(reading.chars, text, strict=True))
    return FieldReading(FieldState.READ, chars)


def _confirmed(char: CharReading, glyph: str) -> CharReading:
    others = tuple(c for c in char.candidates if c.glyph != glyph)
    return CharReading((Candidate(glyph, 0.999), *others), sure=True)
