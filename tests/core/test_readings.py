"""What was read of a field: doubts, alternatives, and what a check digit may decide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.asking import shows_no_card
from app.core.cards import (
    ABSENT,
    Barcode,
    CardState,
    FieldReading,
    FieldState,
    Whole,
    alternatives,
    settle,
    typed,
    whole_ways,
)
from app.core.effects import SaveCard
from app.core.events import CardWasRead
from app.core.parcels import Reason
from app.core.products import DIGITS, UNKNOWN_PIN, CheckDigit, FieldPattern
from tests.core.making import PRODUCT, at_work, card_read, number, read_field

LUHN = PRODUCT.number


@st.composite
def doubtful_numbers(draw: st.DrawFn) -> tuple[str, FieldReading]:
    """A true number and a reading of it whose doubts all hold the truth."""
    true = number(draw(st.integers(0, 10**12)))
    doubts = {}
    for position in draw(st.sets(st.integers(0, 15), min_size=1, max_size=4)):
        others = draw(st.text(DIGITS + "OIB", min_size=1, max_size=3))
        doubts[position] = "".join(dict.fromkeys(draw(st.permutations(true[position] + others))))
    assume(any(len(glyphs) > 1 for glyphs in doubts.values()))
    return true, read_field(true, doubts)


def _text(reading: FieldReading) -> str:
    return reading.secret().reveal()


@given(doubtful_numbers())
def test_a_check_digit_never_decides_against_the_truth(case: tuple[str, FieldReading]) -> None:
    true, reading = case
    settled = settle(reading, LUHN)
    for position, char in enumerate(settled.chars):
        if char.sure:
            assert char.best.glyph == true[position]
        else:
            assert true[position] in [c.glyph for c in char.candidates]
    assert (settled.state is FieldState.READ) == (not settled.doubts)


@given(doubtful_numbers())
def test_whoever_answers_with_the_truth_is_never_refused(case: tuple[str, FieldReading]) -> None:
    true, reading = case
    reading = settle(reading, LUHN)
    while reading.doubts:
        position = reading.doubts[0]
        offered = alternatives(reading, position, LUHN, most=9)
        assert any(a.check_holds for a in offered if a.candidate.glyph == true[position])
        reading = settle(reading.resolve(position, true[position]), LUHN)
    assert _text(reading) == true
    assert reading.fits(LUHN)


def test_without_a_check_digit_nothing_is_decided() -> None:
    pattern = FieldPattern("23456789", (4,))
    reading = read_field("2345", {0: "2O"})
    assert settle(reading, pattern) is reading
    assert [a.check_holds for a in alternatives(reading, 0, pattern)] == [True, False]


def test_where_too_much_is_open_nothing_is_decided() -> None:
    doubts = dict.fromkeys(range(2, 14), "0OIB1")
    pattern = FieldPattern(DIGITS, (16,), check=CheckDigit.LUHN)
    few = read_field("7" * 16, dict.fromkeys(range(14), "7O"))
    assert settle(few, pattern).state in (FieldState.READ, FieldState.DOUBTFUL)
    many = read_field("7" * 16, dict.fromkeys(range(12), "7123"))
    assert settle(many, pattern) is many
    assert all(a.check_holds for a in alternatives(many, 0, pattern))
    assert settle(read_field("7" * 16, doubts), pattern).state is FieldState.DOUBTFUL


def test_glyphs_outside_the_alphabet_hide_no_filling() -> None:
    """Thirteen places with a wrong letter each, two with a second digit: both true fillings count, none is chosen."""
    true = number(3)
    doubts = {i: "O" + true[i] for i in range(13)}
    doubts[13] = true[13] + str((int(true[13]) + 1) % 10)
    doubts[15] = true[15] + str((int(true[15]) - 2) % 10)
    settled = settle(read_field(true, doubts), LUHN)
    assert all(settled.chars[i].best.glyph == true[i] for i in range(13))


def in_lengths(*lengths: tuple[str, float], doubts: str = "") -> FieldReading:
    """A reading, all in doubt, that may have these texts; the characters of `doubts` are in doubt in each of them."""
    wholes = tuple(
        Whole(read_field(text, {i: g + "0" for i, g in enumerate(text) if g in doubts}).chars, p) for text, p in lengths
    )
    chars = tuple(replace(char, sure=False) for char in read_field(lengths[0][0]).chars)
    return FieldReading(FieldState.DOUBTFUL, chars, wholes=wholes)


def test_every_length_that_the_product_allows_is_a_way_to_read_a_field() -> None:
    reading = in_lengths(("K5XB", 0.5), ("K5XBT", 0.3), ("KXB", 0.1))
    ways = whole_ways(reading, UNKNOWN_PIN)
    assert [(way.length, way.check_holds) for way in ways] == [(4, True), (5, True)], "no PIN has three characters"
    assert whole_ways(reading, FieldPattern(UNKNOWN_PIN.alphabet, (4,))) == ()
    assert whole_ways(replace(reading, wholes=()), UNKNOWN_PIN) == ()


def test_a_length_that_breaks_the_check_digit_is_struck_out_and_alone_is_no_question() -> None:
    text = number(3)
    pattern = replace(LUHN, lengths=(15, 16))
    wrong = next(one for at in range(16) if not pattern.matches(one := text[:at] + text[at + 1 :]))
    both = whole_ways(in_lengths((wrong, 0.6), (text, 0.3)), pattern)
    assert [way.check_holds for way in both] == [False, True]
    assert whole_ways(in_lengths((text, 0.6), (wrong, 0.3)), pattern) == ()


def test_what_may_not_be_all_of_a_field_is_asked_as_a_whole_unless_the_check_digit_tells() -> None:
    text = number(3)
    (way,) = whole_ways(in_lengths((text, 0.6)), FieldPattern(DIGITS, tuple(range(13, 21))))
    assert (way.length, way.check_holds) == (16, True)
    assert len(whole_ways(in_lengths((text, 0.6)), FieldPattern(DIGITS, (16,)))) == 1, "it may be another line"
    assert whole_ways(in_lengths((text, 0.6)), LUHN) == ()
    assert len(whole_ways(in_lengths((text, 0.6)), replace(LUHN, lengths=(16, 17)))) == 1, "one text in ten fits"


def test_no_check_digit_decides_while_the_length_is_open() -> None:
    text = number(3)
    longer = next(text + g for g in "0123456789" if replace(LUHN, lengths=(17,)).matches(text + g))
    pattern = replace(LUHN, lengths=(16, 17))
    reading = in_lengths((text, 0.6), (longer, 0.3))
    assert settle(reading, pattern) == reading
    assert settle(reading.pick(16), pattern).state is FieldState.READ


def test_what_a_length_was_picked_for_is_read_as_it_is_in_that_length() -> None:
    reading = in_lengths(("K5XB", 0.5), ("K5XBT", 0.3), doubts="T")
    assert (reading.pick(4).state, reading.pick(4).doubts) == (FieldState.READ, ())
    assert (reading.pick(5).state, reading.pick(5).doubts) == (FieldState.DOUBTFUL, (4,))
    with pytest.raises(KeyError):
        reading.pick(6)


@pytest.mark.parametrize("lengths", [("K5X",), ("K5XB", "T5XB"), ("K5XBT", "K5XBTT"), ("K5XB", "K5X", "K5", "K")])
def test_whole_readings_are_few_differ_in_length_and_have_the_one_that_was_read(lengths: tuple[str, ...]) -> None:
    chars = read_field("K5XB", {0: "KX"}).chars
    with pytest.raises(ValueError, match="differ in length"):
        FieldReading(FieldState.DOUBTFUL, chars, wholes=tuple(Whole(read_field(t).chars, 0.3) for t in lengths))


def test_a_whole_reading_shows_no_glyph() -> None:
    assert not set("K5XBT") & set(repr(in_lengths(("K5XB", 0.5), ("K5XBT", 0.3)).wholes[0].chars[0].candidates))


def test_confidence_is_that_of_the_whole_field() -> None:
    assert ABSENT.confidence == 0.0
    assert abs(read_field("12", p=0.9).confidence - 0.81) < 1e-9
    assert typed("1234").confidence == 1.0
    assert typed("1234").by_hand


def test_resolving_keeps_the_other_candidates() -> None:
    reading = read_field("1234", {1: "28", 3: "47"}).resolve(1, "8")
    assert [c.glyph for c in reading.chars[1].candidates] == ["8", "2"]
    assert (reading.state, reading.doubts) == (FieldState.DOUBTFUL, (3,))
    assert reading.resolve(3, "9").state is FieldState.READ


def test_a_card_with_a_code_for_a_short_time_goes_to_review() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read("read-1", timed=True, batch="A17", region="CN")))
    draft = walk.the(SaveCard).draft
    assert draft.verdict is CardState.REVIEW
    assert draft.reasons == (Reason.TIMED_CODE,)
    assert (draft.batch, draft.region) == ("A17", "CN")


def test_what_shows_nothing_but_a_parcels_code_is_no_card() -> None:
    nothing = card_read("read-1", gtin=None, product_id=None, number=ABSENT, pin=ABSENT)
    waybill = Barcode("CODE128", "SF1420773101918")
    assert shows_no_card(nothing)
    assert shows_no_card(replace(nothing, barcodes=(waybill,)))
    bare = replace(nothing, barcodes=(Barcode("CODE128", "431234567890123"),))
    assert not shows_no_card(bare), "digits may be a card's number"
    assert shows_no_card(bare, "431234567890123"), "but not those of the parcel in work"
    assert not shows_no_card(replace(nothing, timed=True)), "a code for a short time is told about"
