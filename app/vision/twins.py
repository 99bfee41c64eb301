"""Zero or O, one or I: where a field may hold both, the engines' odds and the line itself decide, or a person.

Measured on lines in faces that neither training nor the product uses (docs/reading-panel.md): our recogniser's odds for
one against I are right throughout. Zero against O it takes by the neighbours as much as by the print, so that the odds
are weighed there with what else stands in the line, and with what its other round glyphs, like it or unlike it, are
taken for: one line is one face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean

from app.core.cards import Candidate, CharReading, FieldState
from app.core.products import FieldPattern
from app.vision.decode import Decoded
from app.vision.fuse import SURE_FIELD, Fused
from app.vision.lineshape import Shape, measure
from app.vision.pixels import Colour
from app.vision.recognise import Engine

_LEAST_P = 1e-4
_PAIR = 0.99  # probability that it is one of the two
_NEEDED = {"1": ("I", 4.5, 2.0), "I": ("1", 6.5, 3.0)}
"""Per glyph its twin, and the log odds against it that our recogniser and PP-OCR must give, each on the mean."""

_ZERO_OR_O = "0O"
_TWINS = (*_NEEDED, *_ZERO_OR_O)

TOLD = 3.25
"""Log odds for a zero, or for an O, by `WEIGHTS`, from which it is sure."""

WEIGHTS = (-1.509, 0.517, 0.165, -1.186, -0.918, 0.25)
"""Log odds that a glyph is a zero and no O, for `_features`. Fitted on practice lines, see the docs."""

_SAME_WIDTH, _SAME_CORE = 0.12, 0.15  # differences between two round glyphs that speak neither for nor against one kind


@dataclass(frozen=True, slots=True, repr=False)
class Sight:
    """One look's picture of a field, and what its views said of it."""

    picture: Colour
    readings: Sequence[Decoded]


def tell_twins(fused: Fused, sights: Sequence[Sight], pattern: FieldPattern) -> Fused:
    """The same field with each twin glyph sure where it is told from its twin, and doubtful elsewhere."""
    if pattern.check:
        return fused  # the check digit has had its say
    glyphs = [c.best.glyph for c in fused.reading.chars]
    same = [replace(sight, readings=[r for r in sight.readings if len(r.text) == len(glyphs)]) for sight in sights]
    views = list(chain.from_iterable(sight.readings for sight in same))
    zeros = _zero_odds(fused.reading.chars, same, pattern)
    chars = tuple(
        _by_line(c, zeros[at]) if at in zeros else _by_engines(c, at, views, pattern)
        for at, c in enumerate(fused.reading.chars)
    )
    if chars == fused.reading.chars:
        return fused
    read = all(c.sure for c in chars)
    if read and math.prod(c.best.p for c in chars if c.best.glyph not in _TWINS) < SURE_FIELD:
        return fused
    state = FieldState.READ if read else FieldState.DOUBTFUL
    return Fused(replace(fused.reading, state=state, chars=chars), fused.lead)


def _by_engines(char: CharReading, at: int, views: Sequence[Decoded], pattern: FieldPattern) -> CharReading:
    glyph = char.best.glyph
    if glyph not in _NEEDED or not pattern.allows_glyph(_NEEDED[glyph][0], at):
        return char
    twin, own, other = _NEEDED[glyph]
    told = _odds(views, at, glyph, twin, Engine.OWN) >= own and _odds(views, at, glyph, twin, Engine.PPOCR) >= other
    return replace(char, sure=_pair(char, (glyph, twin)) >= _PAIR and told)


def _by_line(char: CharReading, odds: float) -> CharReading:
    """The character as the line tells it: what the engines took for the twin is put right where it is beyond doubt."""
    sure = abs(odds) >= TOLD and _pair(char, _ZERO_OR_O) >= _PAIR
    glyph = "0" if odds > 0 else "O"
    if not sure or char.best.glyph == glyph:
        return replace(char, sure=sure)
    twin, *others = char.candidates
    rest = (c for c in others if c.glyph != glyph)
    return CharReading((Candidate(glyph, twin.p), Candidate(twin.glyph, round(1 - twin.p, 5)), *rest), sure)


def _pair(char: CharReading, pair: Sequence[str]) -> float:
    return sum(c.p for c in char.candidates if c.glyph in pair)


def _zero_odds(chars: Sequence[CharReading], sights: Sequence[Sight], pattern: FieldPattern) -> dict[int, float]:
    """By place, the log odds that what was read as a zero or an O is a zero: the mean over the looks that show it."""
    places = [
        at
        for at, char in enumerate(chars)
        if char.best.glyph in _ZERO_OR_O and all(pattern.allows_glyph(g, at) for g in _ZERO_OR_O)
    ]
    lines = [_line_of(chars, sight) for sight in sights if sight.readings] if places else []
    if not lines:
        return dict.fromkeys(places, 0.0)
    return {at: fmean(_zero_by(line, at) for line in lines) for at in places}


@dataclass(frozen=True, slots=True, repr=False)
class _Line:
    """What one look shows of a field: per character the glyph it is taken for, its shape, and the log odds of zero
    against O by our recogniser and by PP-OCR.
    """

    glyphs: Sequence[str]
    shapes: Sequence[Shape]
    odds: Sequence[tuple[float, float]]


def _line_of(chars: Sequence[CharReading], sight: Sight) -> _Line:
    # Ours tells places finest, and its first view is as wide as the picture.
    lead = next((r for r in sight.readings if r.engine is Engine.OWN), sight.readings[0])
    engines = Engine.OWN, Engine.PPOCR
    odds = [[_odds(sight.readings, at, "0", "O", engine) for engine in engines] for at in range(len(chars))]
    return _Line(
        [c.best.glyph for c in chars],
        measure(sight.picture, lead),
        [(own, other) for own, other in odds],
    )


def _features(line: _Line, at: int) -> tuple[float, ...]:
    """What `WEIGHTS` weigh for one character of a line."""
    kinds = [_kind(glyph) for glyph in line.glyphs]
    near = [kinds[i] for i in range(max(0, at - 2), min(len(kinds), at + 3)) if i != at]
    rest = [kind for i, kind in enumerate(kinds) if i != at]
    return 1.0, *line.odds[at], fmean(near or [0.0]), fmean(rest or [0.0]), _of_round_ones(line, at)


def _zero_by(line: _Line, at: int) -> float:
    return sum(w * f for w, f in zip(WEIGHTS, _features(line, at), strict=True))


def _kind(glyph: str) -> float:
    """1 for a digit, -1 for a letter, 0 for what may be either: engines take a round glyph for what stands around."""
    return 0.0 if glyph in _TWINS else 1.0 if glyph.isdigit() else -1.0


def _of_round_ones(line: _Line, at: int) -> float:
    """What the engines say of the line's other zeros and Os, for those alike and against those unlike this one."""
    here, total = line.shapes[at], 0.0
    for i, glyph in enumerate(line.glyphs):
        if i != at and glyph in _ZERO_OR_O:
            apart = abs(math.log(line.shapes[i].width / here.width)) / _SAME_WIDTH
            apart += abs(line.shapes[i].core - here.core) / _SAME_CORE
            total += (1 - min(apart, 2.0)) * _within(fmean(line.odds[i]), 4.0)
    return _within(total, 6.0)


def _within(value: float, most: float) -> float:
    return min(max(value, -most), most)


def _odds(readings: Sequence[Decoded], at: int, glyph: str, twin: str, engine: Engine) -> float:
    """Mean log odds of a glyph against its twin over the views of one engine; 0 when it has none of this length."""
    odds = [
        math.log(max(_LEAST_P, r.chars[at].get(glyph, 0.0)) / max(_LEAST_P, r.chars[at].get(twin, 0.0)))
        for r in readings
        if r.engine is engine
    ]
    return sum(odds) / len(odds) if odds else 0.0
