"""Zero or O, one or I: where a field may hold both, each engine's own odds decide, or a person.

Measured on lines in faces that neither training nor the product uses (docs/reading-panel.md): our recogniser's odds for
one against I are right throughout; those for O too, but many faces print a zero that looks like an O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from app.core.cards import CharReading, FieldState
from app.core.products import FieldPattern
from app.vision.decode import Decoded
from app.vision.fuse import SURE_FIELD, Fused
from app.vision.recognise import Engine

_LEAST_P = 1e-4
_PAIR = 0.99  # probability that it is one of the two
_NEEDED = {"1": ("I", 4.5, 2.0), "I": ("1", 6.5, 3.0), "O": ("0", 3.0, 2.0), "0": ("O", 5.0, 2.0)}
"""Per glyph its twin, and the log odds against it that our recogniser and PP-OCR must give, each on the mean."""


def tell_twins(fused: Fused, readings: Sequence[Decoded], pattern: FieldPattern) -> Fused:
    """The same field with each twin glyph sure where both engines tell it from its twin, and doubtful elsewhere."""
    if pattern.check:
        return fused  # the check digit has had its say
    same = [r for r in readings if len(r.text) == len(fused.reading.chars)]
    chars = tuple(_told(c, at, same, pattern) for at, c in enumerate(fused.reading.chars))
    if chars == fused.reading.chars:
        return fused
    read = all(c.sure for c in chars)
    if read and math.prod(c.best.p for c in chars if c.best.glyph not in _NEEDED) < SURE_FIELD:
        return fused
    state = FieldState.READ if read else FieldState.DOUBTFUL
    return Fused(replace(fused.reading, state=state, chars=chars), fused.lead)


def _told(char: CharReading, at: int, readings: Sequence[Decoded], pattern: FieldPattern) -> CharReading:
    glyph = char.best.glyph
    if glyph not in _NEEDED or not pattern.allows_glyph(_NEEDED[glyph][0], at):
        return char
    twin, own, other = _NEEDED[glyph]
    pair = sum(c.p for c in char.candidates if c.glyph in (glyph, twin))
    told = (
        _odds(readings, at, glyph, twin, Engine.OWN) >= own and _odds(readings, at, glyph, twin, Engine.PPOCR) >= other
    )
    return replace(char, sure=pair >= _PAIR and told)


def _odds(readings: Sequence[Decoded], at: int, glyph: str, twin: str, engine: Engine) -> float:
    """Mean log odds of a glyph against its twin over the views of one engine; 0 when it has none of this length."""
    odds = [
        math.log(max(_LEAST_P, r.chars[at].get(glyph, 0.0)) / max(_LEAST_P, r.chars[at].get(twin, 0.0)))
        for r in readings
        if r.engine is engine
    ]
    return sum(odds) / len(odds) if odds else 0.0
