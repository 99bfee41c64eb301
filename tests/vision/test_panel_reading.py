"""What a PIN of an unknown product may hold, which twins are told apart, and what the coach counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.cards import ABSENT, Candidate, CharReading, FieldReading, FieldState, PanelState
from app.core.products import DIGITS, UNKNOWN_PIN, FieldPattern
from app.vision.coach import Legible, count_legible
from app.vision.conclude import _guess_pattern
from app.vision.decode import Decoded
from app.vision.fuse import Fused
from app.vision.panel import Area
from app.vision.recognise import BLANK, GLYPHS, Engine, View
from app.vision.spots import Spot
from app.vision.twins import tell_twins


def spot(*chances: dict[str, float]) -> Spot:
    """A field read by one view: each character's chances, a blank step between them."""
    lattice = np.zeros((2 * len(chances) + 1, BLANK + 1), np.float32)
    lattice[:, BLANK] = 1.0
    for at, glyphs in enumerate(chances):
        row = lattice[2 * at + 1]
        for glyph, p in glyphs.items():
            row[GLYPHS.index(glyph)] = p
        row[BLANK] = 1 - sum(glyphs.values())
    picture = np.zeros((8, 8, 3), np.uint8)
    return Spot(Area(0, 0, 100, 20), (0, 100), (View(Engine.OWN, lattice, len(lattice)),), picture)


def plain(text: str, p: float = 0.98) -> list[dict[str, float]]:
    return [{glyph: p} for glyph in text]


def test_clear_digits_are_digits_even_with_one_that_may_be_an_o() -> None:
    pattern = _guess_pattern([spot(*plain("65304590"), {"0": 0.4, "O": 0.55})])
    assert pattern is not None
    assert pattern.alphabet == DIGITS


def test_letters_that_look_like_digits_do_not_make_a_field_of_digits() -> None:
    """A Z6Q2LZU2 whose letters each had a digit's shadow was given out as eight digits once."""
    shadows = {"Z": "2", "Q": "0", "L": "1", "U": "0"}
    chances = [{g: 0.75, shadows[g]: 0.2} if g in shadows else {g: 0.95} for g in "Z6Q2LZU2"]
    pattern = _guess_pattern([spot(*chances)])
    assert pattern is None or pattern is UNKNOWN_PIN


def test_in_between_nobody_guesses() -> None:
    chances = [{"2": 0.5, "Z": 0.45}, {"5": 0.5, "S": 0.45}, {"8": 0.5, "B": 0.45}, {"0": 0.5, "O": 0.45}]
    assert _guess_pattern([spot(*chances)]) is None


def test_one_plain_letter_among_digits_makes_a_mixed_field() -> None:
    """A 668P05 was left open as "digits or not" although nothing else looks like its P."""
    own = spot(*plain("668P05", 0.9999))
    both = replace(own, views=(*own.views, replace(own.views[0], engine=Engine.PPOCR)))
    assert _guess_pattern([both]) is UNKNOWN_PIN


def test_one_letter_among_many_digits_is_a_misread_digit_or_nobody_knows() -> None:
    pattern = _guess_pattern([spot(*plain("6683905712", 0.9999), {"B": 0.6, "8": 0.3})])
    assert pattern is None or pattern.alphabet == DIGITS


def said(engine: Engine, chances: dict[str, float]) -> Decoded:
    return Decoded("".join(max(chances, key=lambda g: chances[g])), (chances,), 1.0, ((0, 1),), 0.0, 1, engine)


def read(glyph: str, twin: str) -> Fused:
    char = CharReading((Candidate(glyph, 0.9995), Candidate(twin, 0.0004)), sure=True)
    return Fused(FieldReading(FieldState.READ, (char,)), None)


ONE = FieldPattern(UNKNOWN_PIN.alphabet, (1,))


@pytest.mark.parametrize(
    ("own", "ppocr", "state"),
    [
        ({"1": 0.999, "I": 0.0002}, {"1": 0.99, "I": 0.001}, FieldState.READ),
        ({"1": 0.98, "I": 0.019}, {"1": 0.999, "I": 0.0001}, FieldState.DOUBTFUL),
        ({"1": 0.999, "I": 0.0002}, {"1": 0.5, "I": 0.49}, FieldState.DOUBTFUL),
    ],
)
def test_a_one_is_sure_where_both_engines_tell_it(
    own: dict[str, float], ppocr: dict[str, float], state: FieldState
) -> None:
    readings = [said(Engine.OWN, own), said(Engine.PPOCR, ppocr)]
    assert tell_twins(read("1", "I"), readings, ONE).reading.state is state


@pytest.mark.parametrize(("rest", "state"), [(0.003, FieldState.READ), (0.02, FieldState.DOUBTFUL)])
def test_a_zero_is_sure_only_where_ours_is_all_but_certain(rest: float, state: FieldState) -> None:
    readings = [said(Engine.OWN, {"0": 1 - rest, "O": rest}), said(Engine.PPOCR, {"0": 0.99, "O": 0.01})]
    assert tell_twins(read("0", "O"), readings, ONE).reading.state is state


def test_twins_are_no_question_where_the_alphabet_has_one_of_them() -> None:
    fused = read("1", "I")
    assert tell_twins(fused, [], FieldPattern(DIGITS, (1,))) is fused


def test_the_coach_counts_what_can_be_read() -> None:
    chars = tuple(CharReading((Candidate(g, 0.99),), sure=g != "7") for g in "1237")
    doubtful = FieldReading(FieldState.DOUBTFUL, chars)
    assert count_legible(PanelState.OPEN, doubtful, (), 0, None) == Legible(3, 4)
    covered = FieldReading(FieldState.COVERED)
    seen = Decoded("12", ({"1": 0.99}, {"2": 0.99}), 1.0, ((0, 1), (2, 3)), 0.0, 4)
    assert count_legible(PanelState.PARTIAL, covered, [seen], 6, None) == Legible(2, 8)
    assert count_legible(PanelState.COVERED, covered, (), 0, None) is None
    assert count_legible(PanelState.NONE, ABSENT, (), 0, None) is None
