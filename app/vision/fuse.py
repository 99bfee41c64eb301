"""From several readings of one field to one answer, or to exactly the doubtful characters.

Probabilities are combined per character before anything is decided; strings are not voted over. Readings of one card
are not independent (a systematic misread repeats), so their sum counts less than it would if they were; how much less,
and what a glyph may be after all, was fitted (`calibration`), so that a stated probability is the share that is right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.core.cards import UNREADABLE, Candidate, CharReading, FieldReading, FieldState
from app.core.products import FieldPattern
from app.vision.calibration import REPEAT, WEIGHTS, corrected, mistakes
from app.vision.decode import Decoded
from app.vision.recognise import Engine

SURE = 0.98
"""What every character of a field needs to be sure."""

BEYOND_DISPUTE = 0.995
"""From here on a character is sure although some views put another glyph first: one engine's view of a glyph is often
wrong in the same way throughout, which the probability takes into account."""

SURE_FIELD = 0.98
"""What their product needs: many characters that are hardly sure make no sure field."""

LEAST_AGREEMENT = 0.8
_FLOOR = 1e-4
_UNREADABLE = 0.45
_MOST_CANDIDATES = 4
_TWINS = ("0O", "1I")
"""Many fonts print these alike: where the alphabet has both, neither is ever sure and a person decides."""

_NEGLIGIBLE = 1e-3
_MOST_FILLINGS = 512
_PLAUSIBLE = 2e-3  # share of what was read that fits the check digit, below which the reading is wrong somewhere else
_DOUBTED = 3
_STRANGE = 0.6
_SPACED, _ONE_LOST, _TWO_LOST = 1.45, 1.75, 3.4  # pitches between the neighbours of a space, of lost characters
_STANDS_OUT = 1.4  # a gap against the next widest: where one character is lost of even print it is about two
_LARGEST_GROUP = 6  # characters that cards print without a space where they print spaces at all


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
    chances = [combine([(r.engine, r.chars[i]) for r in same], _alphabet(pattern, i)) for i in range(length)]
    if sum(next(iter(c.values())) for c in chances) / max(1, length) < _UNREADABLE:
        return Fused(UNREADABLE, lead)
    checked = under_check(chances, pattern)
    sound = agreement >= LEAST_AGREEMENT
    chars = tuple(
        _reading(c, pattern, sound and (bool(pattern.check) or _undisputed(c, [r.chars[i] for r in same])))
        for i, c in enumerate(checked or chances)
    )
    if checked is None or (_all_sure(chars) and math.prod(c.best.p for c in chars) < SURE_FIELD):
        chars = _doubt_weakest(chars)
    if sum(_has_hole(r, pattern) for r in same) * 2 > len(same):
        chars = tuple(CharReading(c.candidates, sure=False) for c in chars)
    state = FieldState.READ if _all_sure(chars) else FieldState.DOUBTFUL
    return Fused(FieldReading(state, chars), lead)


def _alphabet(pattern: FieldPattern, position: int) -> str:
    return "".join(g for g in pattern.alphabet if pattern.allows_glyph(g, position))


def _has_hole(reading: Decoded, pattern: FieldPattern) -> bool:
    """Whether between two characters something was not read: there is room for two more, or for one, and print that
    is not parted into groups elsewhere has no reason to be parted there. Narrow spaces of proportional print are hardly
    wider than its widest pairs; but then no gap stands out from the next one.
    """
    middles = [(first + last) / 2 for first, last in reading.spans]
    gaps = [b - a for a, b in pairwise(middles)]
    if len(gaps) < 3:
        return False
    pitch = max(1.0, sorted(gaps)[len(gaps) // 3])
    wide = [at + 1 for at, gap in enumerate(gaps) if gap > _SPACED * pitch]
    groups = [b - a for a, b in pairwise([0, *wide, len(middles)])]
    ungrouped = max(groups) > max((_LARGEST_GROUP, *pattern.grouping))
    second, widest = sorted(gaps)[-2:]
    if ungrouped:
        return widest > _ONE_LOST * pitch and widest > _STANDS_OUT * second
    return widest > _TWO_LOST * pitch


def _length(readings: Sequence[Decoded]) -> tuple[int, float]:
    """The length most readings stand for, and the share of their weight, 0..1."""
    weights: dict[int, float] = {}
    for r in readings:
        clean = 1.0 - 0.7 * max(0.0, r.strange - _STRANGE)
        # A view that hardly believes in its own length says little about it, however its text stands out there.
        weights[len(r.text)] = weights.get(len(r.text), 0.0) + min(r.p, r.of_length) * clean + 0.02
    best = max(weights, key=lambda n: weights[n])
    # The share that other lengths have inside each reading counts as disagreement too.
    # Not so texts of the same length: which glyph stands where is for the characters' own chances to say.
    same = [r.of_length for r in readings if len(r.text) == best]
    inner = sum(same) / len(same)
    return best, weights[best] / sum(weights.values()) * min(1.0, inner + 0.3)


def _undisputed(chances: Mapping[str, float], views: Sequence[Mapping[str, float]]) -> bool:
    best = next(iter(chances))
    return chances[best] >= BEYOND_DISPUTE or _agreed(views, best)


def _agreed(views: Sequence[Mapping[str, float]], best: str) -> bool:
    """Whether nearly all views put the same glyph first."""
    return sum(1 for view in views if max(view, key=lambda g: view[g]) == best) >= LEAST_AGREEMENT * len(views)


def combine(views: Sequence[tuple[Engine, Mapping[str, float]]], alphabet: str) -> dict[str, float]:
    """Glyph -> probability over all views, best first: logs averaged for each engine, weighed, what each glyph may be
    after all mixed in, and the likeliest glyph's probability corrected to what was found.
    """
    total = np.zeros(len(alphabet))
    for engine, weight in WEIGHTS.items():
        chances = [_listed(view, alphabet) for who, view in views if who is engine]
        if chances:
            total += weight * len(chances) ** REPEAT * np.log(chances).mean(axis=0)
    raw = np.exp(total - total.max())
    mixed = (raw / raw.sum()) @ mistakes(alphabet)
    best = int(mixed.argmax())
    p = corrected(float(mixed[best]))
    rest = mixed * ((1 - p) / max(1e-9, 1 - mixed[best]))
    rest[best] = p
    order = np.argsort(-rest, kind="stable")
    return {alphabet[i]: float(rest[i]) for i in order}


def _listed(view: Mapping[str, float], alphabet: str) -> list[float]:
    """The probability of each glyph of an alphabet in a view, never quite nothing."""
    listed = [_FLOOR] * len(alphabet)
    for glyph, p in view.items():
        if p > _FLOOR and glyph in alphabet:
            listed[alphabet.index(glyph)] = p
    return listed


def under_check(chars: Sequence[dict[str, float]], pattern: FieldPattern) -> list[dict[str, float]] | None:
    """The probabilities given that the check digit holds; unchanged without one, None when hardly anything fits it."""
    if not pattern.check or not chars:
        return list(chars)
    fillings = _fillings(chars)
    fitting = [(text, p) for text, p in fillings if pattern.check_holds(text)]
    share = sum(p for _, p in fitting) / sum(p for _, p in fillings)
    if share < _PLAUSIBLE:
        return None
    given: list[dict[str, float]] = [{} for _ in chars]
    for text, p in fitting:
        for glyphs, glyph in zip(given, text, strict=True):
            glyphs[glyph] = glyphs.get(glyph, 0.0) + p
    total = sum(p for _, p in fitting)
    return [dict(sorted(((g, p / total) for g, p in glyphs.items()), key=lambda item: -item[1])) for glyphs in given]


def _fillings(chars: Sequence[dict[str, float]]) -> list[tuple[str, float]]:
    """The likeliest texts with their probability, best first."""
    texts = [("", 1.0)]
    for chances in chars:
        shown = [(g, p) for g, p in chances.items() if p >= _NEGLIGIBLE / 10] or [next(iter(chances.items()))]
        texts = [(text + g, q * p) for text, q in texts for g, p in shown]
        texts = sorted(texts, key=lambda item: -item[1])[:_MOST_FILLINGS]
    return texts


def _reading(chances: Mapping[str, float], pattern: FieldPattern, trusted: bool) -> CharReading:
    best = next(iter(chances))
    twin = any(best in pair and set(pair) <= set(pattern.alphabet) for pair in _TWINS)
    sure = trusted and not twin and chances[best] >= SURE
    least = 0.004 if sure else 0.0
    shown = [Candidate(g, round(p, 5)) for g, p in chances.items() if p >= least or g == best]
    return CharReading(tuple(shown[:_MOST_CANDIDATES]), sure)


def _all_sure(chars: Sequence[CharReading]) -> bool:
    return all(c.sure for c in chars)


def _doubt_weakest(chars: Sequence[CharReading]) -> tuple[CharReading, ...]:
    """A text that breaks its check digit, or is not sure as a whole: its weakest characters are doubtful after all."""
    weakest = sorted(range(len(chars)), key=lambda i: chars[i].best.p)[:_DOUBTED]
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
