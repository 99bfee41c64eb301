"""What a PIN of an unknown product may hold, which twins are told apart, and what the coach counts."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.core.cards import ABSENT, Candidate, CharReading, FieldReading, FieldState, PanelState
from app.core.products import DIGITS, UNKNOWN_PIN, FieldPattern
from app.vision.conclude import _guess_pattern
from app.vision.decoding.decode import Decoded
from app.vision.decoding.fuse import Fused
from app.vision.decoding.lineshape import measure
from app.vision.decoding.twinjudge import Glance
from app.vision.decoding.twins import Sight, tell_twins
from app.vision.fields.spots import Spot, settled
from app.vision.panel.coach import Legible, count_legible
from app.vision.picture.area import Area
from app.vision.text.recognise import BLANK, GLYPHS, Engine, View


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


@pytest.mark.parametrize(
    ("glyph", "other", "alike"), [("O", "0", True), ("I", "1", True), ("Q", "0", False), ("D", "O", False)]
)
def test_views_that_differ_settle_nothing_but_between_twins_that_are_told_by_their_print(
    glyph: str, other: str, alike: bool
) -> None:
    """5NGK JMW7 X23Z 7Q53: a Q was in doubt, and for Qs that may be zeros no further view was taken."""
    views = [spot(*plain(f"X23Z7{seen}53")).views[0] for seen in (glyph, other)]
    assert settled(views) is alike


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


def test_a_clear_letter_is_no_digit_because_of_its_neighbours() -> None:
    """A 2628T4O2 whose T every view read was given out as 26287402."""
    own = spot(*plain("2628T432", 0.9999))
    both = replace(own, views=(*own.views, replace(own.views[0], engine=Engine.PPOCR)))
    pattern = _guess_pattern([both])
    assert pattern is None or pattern is UNKNOWN_PIN


def test_one_plain_letter_among_digits_makes_a_mixed_field() -> None:
    """A 668P05 was left open as "digits or not" although nothing else looks like its P."""
    own = spot(*plain("668P05", 0.9999))
    both = replace(own, views=(*own.views, replace(own.views[0], engine=Engine.PPOCR)))
    assert _guess_pattern([both]) is UNKNOWN_PIN


def test_one_letter_among_many_digits_is_a_misread_digit_or_nobody_knows() -> None:
    pattern = _guess_pattern([spot(*plain("6683905712", 0.9999), {"B": 0.6, "8": 0.3})])
    assert pattern is None or pattern.alphabet == DIGITS


def read(glyph: str, twin: str) -> Fused:
    char = CharReading((Candidate(glyph, 0.9995), Candidate(twin, 0.0004)), sure=True)
    return Fused(FieldReading(FieldState.READ, (char,)), None)


def alone(text: str, odds: dict[int, float]) -> tuple[Glance, ...]:
    """What the judge of single glyphs said of the places of `odds`."""
    return tuple(Glance((at + 0.5) / len(text), value, value) for at, value in odds.items())


def line_of(text: str, doubts: dict[int, tuple[float, float]]) -> tuple[Fused, list[Decoded]]:
    """A line both engines read alike; at the places of `doubts`, by ours and by PP-OCR, with a chance of the twin."""
    twin = {"0": "O", "O": "0"}

    def chances(engine: int) -> tuple[dict[str, float], ...]:
        rest = [doubts[at][engine] if at in doubts else 0.0001 for at in range(len(text))]
        return tuple({g: 1 - p, twin.get(g, "8"): p} for g, p in zip(text, rest, strict=True))

    spans = tuple((4 * at + 1, 4 * at + 3) for at in range(len(text)))
    readings = [
        Decoded(text, chances(at), 1.0, spans, 0.0, 4 * len(text), engine)
        for at, engine in enumerate((Engine.OWN, Engine.PPOCR))
    ]
    chars = tuple(CharReading((Candidate(g, 0.9996), Candidate(twin.get(g, "8"), 0.0003)), sure=True) for g in text)
    return Fused(FieldReading(FieldState.READ, chars), None), readings


def printed(text: str) -> np.ndarray:
    """The text in black on white, a cell of 24 pixels a character: zeros are narrow ovals, Os are circles."""
    picture = np.full((48, 24 * len(text), 3), 250, np.uint8)
    for at, glyph in enumerate(text):
        axes = {"0": (5, 15), "O": (10, 15)}.get(glyph)
        if axes:
            cv2.ellipse(picture, (24 * at + 12, 24), axes, 0, 0, 360, (20, 20, 20), 3, cv2.LINE_AA)
        else:
            cv2.putText(picture, glyph, (24 * at + 1, 38), cv2.FONT_HERSHEY_SIMPLEX, 1.05, (20, 20, 20), 3, cv2.LINE_AA)
    return picture


def told_at(text: str, at: int, odds: dict[int, float], print_of: str = "", torn: float = 1e-4) -> tuple[str, bool]:
    """The glyph at a place of a line both engines read as `text`, by what the judge said of its places; `torn`: the
    chance that the engines see of its twin there."""
    fused, readings = line_of(text, {at: (torn, torn)})
    sight = Sight(printed(print_of or text), readings, alone(text, odds))
    char = tell_twins(fused, [sight], UNKNOWN_PIN).reading.chars[at]
    return char.best.glyph, char.sure


@pytest.mark.parametrize(("text", "first"), [("KWX0HTR", "0"), ("KWX1HTR", "1")])
def test_a_twin_is_sure_where_the_judge_of_single_glyphs_tells_it(text: str, first: str) -> None:
    assert told_at(text, 3, {3: 8.0}) == (first, True)
    assert told_at(text, 3, {3: 0.3}) == (first, False)
    assert told_at(text, 3, {})[1] is False, "it was not asked"
    assert told_at(text, 3, {0: 8.0})[1] is False, "it was asked about another place"


def test_an_o_needs_less_to_be_told_than_a_zero() -> None:
    """On cards Os were taken for zeros by a little, but no zero for an O (docs/reading-panel.md)."""
    assert told_at("KWXOHTR", 3, {3: -1.6}, torn=0.5) == ("O", True)
    assert told_at("KWX0HTR", 3, {3: 1.6}, torn=0.5) == ("0", False)


def test_a_one_that_looks_a_little_like_an_i_is_asked_about() -> None:
    """L2TI C81E VCGH 1BG7 was stated as L2TI C8IE …: the judge and our recogniser together gave 4.5 for the I."""
    assert told_at("KWXIHTR", 3, {3: -2.8}, torn=0.5) == ("I", False)
    assert told_at("KWXIHTR", 3, {3: -3.6}, torn=0.5) == ("I", True)


def test_both_are_offered_as_likely_as_they_are() -> None:
    fused, readings = line_of("KWX0HTR", {})
    sight = Sight(printed("KWX0HTR"), readings, alone("KWX0HTR", {3: -4.0}))
    offered = tell_twins(fused, [sight], UNKNOWN_PIN).reading.chars[3].candidates
    assert [c.glyph for c in offered[:2]] == ["O", "0"]
    assert offered[1].p > 0.005
    assert sum(c.p for c in offered) == pytest.approx(1.0, abs=0.01)


def test_a_round_glyph_is_told_by_those_like_it_and_those_unlike_it() -> None:
    assert told_at("K0XTHR4P", 1, {1: 2.2}, torn=0.1) == ("0", False), "alone it is in doubt"
    around = {1: 2.2, 3: 4.5, 5: -4.5}
    assert told_at("K0X0HO4P", 1, around, torn=0.1) == ("0", True), "as narrow as a zero, no circle as the O"
    as_the_o = told_at("K0X0HO4P", 1, around, print_of="KOX0HO4P", torn=0.1)
    assert as_the_o[1] is False, "printed like the O"


@pytest.mark.parametrize(("taller", "belied"), [(0, False), (4, True)])
def test_an_o_as_tall_as_digits_that_stand_above_capitals_is_in_doubt(taller: int, belied: bool) -> None:
    """The hollow zeros of OCR-B were stated as Os (9DG2 JP0W CJ3T AS0M I3): only their height tells them from one."""
    text, picture = "K4HT0X7L", np.full((60, 24 * 8, 3), 250, np.uint8)
    for at, glyph in enumerate(text):
        top = 14 - taller * (glyph.isdigit())
        cv2.rectangle(picture, (24 * at + 6, top), (24 * at + 16, 46), (20, 20, 20), 3)
    fused, readings = line_of(text, {4: (0.4, 0.4)})
    sight = Sight(picture, readings, alone(text, {4: -8.0}))
    told = tell_twins(fused, [sight], UNKNOWN_PIN).reading.chars[4]
    assert told.sure is not belied


def test_what_was_taken_for_the_twin_is_put_right_where_the_glyph_is_beyond_doubt() -> None:
    assert told_at("K0XTHR4P", 1, {1: -9.0}) == ("O", True)


def test_an_o_among_digits_is_told_by_its_print() -> None:
    """Engines take a round glyph for what stands around it: T1SO07LH was read as T1S007LH, without any doubt."""
    assert told_at("2780943K", 3, {3: -9.0}) == ("O", True)


def test_a_zero_that_no_look_shows_is_in_doubt() -> None:
    fused, _ = line_of("K0XTHR4P", {})
    told = tell_twins(fused, [], UNKNOWN_PIN).reading
    assert (told.state, told.chars[1].best.glyph, told.chars[1].sure) == (FieldState.DOUBTFUL, "0", False)


def test_shapes_tell_narrow_from_wide_and_filled_from_hollow() -> None:
    text = "H0HOH0"
    _, readings = line_of(text, {})
    picture = printed(text)
    cv2.circle(picture, (24 * 5 + 12, 24), 4, (20, 20, 20), -1)
    shapes = measure(picture, readings[0])
    light_on_dark = measure(255 - picture, readings[0])
    for found in (shapes, light_on_dark):
        assert found[3].width > 1.4 * found[1].width
        assert found[5].core > 0.5 > 0.35 > found[1].core


@pytest.mark.parametrize("size", [(8, 8), (9, 40), (64, 300)])
def test_pictures_without_ink_have_shapes_within_bounds(size: tuple[int, int]) -> None:
    _, readings = line_of("K0O4", {})
    noise = np.random.default_rng(7).integers(0, 255, (*size, 3), np.uint8)
    for picture in (np.full((*size, 3), 128, np.uint8), noise):
        for shape in measure(picture, readings[0]):
            assert 0.2 <= shape.width <= 1.4
            assert 0 <= shape.core <= 1


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
