"""Constrained decoding: only texts of the pattern come out, and the check digit decides between near equals."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn

from app.core.cards import FieldState
from app.core.products import DIGITS, LATIN, CheckDigit, FieldPattern, by_place
from app.vision.decode import decode
from app.vision.fuse import confirm, fuse
from app.vision.recognise import BLANK, GLYPHS, OTHER, SEPARATOR

COLUMNS = len(GLYPHS) + 3


def lattice(text: str, doubts: dict[int, dict[str, float]] | None = None) -> np.ndarray:
    """What a recogniser would give for `text` (spaces and dashes are separators); `doubts` by position in `text`."""
    rows = []
    for position, sign in enumerate(text):
        peak = np.full(COLUMNS, 1e-5)
        for glyph, p in (doubts or {}).get(position, {sign: 0.999}).items():
            peak[GLYPHS.index(glyph) if glyph in GLYPHS else SEPARATOR] = p
        blank = np.full(COLUMNS, 1e-5)
        blank[BLANK] = 0.999
        rows += [blank, peak]
    found = np.array(rows, np.float32)
    return found / found.sum(axis=1, keepdims=True)


patterns = st.builds(
    FieldPattern,
    alphabet=st.sampled_from((DIGITS, LATIN, DIGITS + LATIN, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ")),
    lengths=st.sets(st.integers(1, 12), min_size=1, max_size=4).map(lambda s: tuple(sorted(s))),
)


@settings(max_examples=60, deadline=None)
@given(pattern=patterns, seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 30))
def test_only_texts_of_the_pattern_come_out(pattern: FieldPattern, seed: int, steps: int) -> None:
    noise = np.random.default_rng(seed).random((steps, COLUMNS)).astype(np.float32) ** 6
    found = decode(noise / noise.sum(axis=1, keepdims=True), pattern)
    if found is not None:
        assert pattern.matches(found.text)
        assert len(found.spans) == len(found.chars) == len(found.text)
        assert all(0 < sum(c.values()) <= 1.001 for c in found.chars)


@settings(max_examples=60, deadline=None)
@given(text=st.text(DIGITS + LATIN, min_size=4, max_size=16))
def test_a_clear_lattice_is_read_as_it_stands(text: str) -> None:
    found = decode(lattice(text), FieldPattern(DIGITS + LATIN, tuple(range(4, 17))))
    assert found is not None
    assert found.text == text
    assert found.p > 0.95


def test_separators_are_not_part_of_the_text() -> None:
    found = decode(lattice("AB12-CD34 EF56"), FieldPattern(DIGITS + LATIN, (12,)))
    assert found is not None
    assert found.text == "AB12CD34EF56"


def test_repeated_glyphs_stay_apart() -> None:
    found = decode(lattice("7700"), FieldPattern(DIGITS, (4,)))
    assert found is not None
    assert found.text == "7700"


def test_letters_become_the_digits_they_look_like() -> None:
    found = decode(lattice("O1S8"), FieldPattern(DIGITS, (4,)))
    assert found is not None
    assert found.text == "0158"


def test_nothing_comes_of_a_lattice_without_glyphs() -> None:
    assert decode(lattice("    "), FieldPattern(DIGITS, (4,))) is None
    assert decode(np.zeros((0, COLUMNS), np.float32), FieldPattern(DIGITS, (4,))) is None


def test_the_check_digit_decides_between_near_equals() -> None:
    right = "453914880343646"
    right += luhn.calc_check_digit(right)
    doubts = {3: {"9": 0.45, "3": 0.54}}  # the wrong digit is a little likelier
    found = decode(lattice(right, doubts), FieldPattern(DIGITS, (16,), check=CheckDigit.LUHN))
    assert found is not None
    assert found.text == right


def test_a_strange_sign_shows() -> None:
    rows = lattice("1234")
    rows[5] = 0
    rows[5, OTHER] = 1
    found = decode(rows, FieldPattern(DIGITS, (3, 4)))
    assert found is not None
    assert found.strange > 0.9


def test_a_zero_is_never_sure_where_an_o_may_stand() -> None:
    pattern = FieldPattern(DIGITS + LATIN, (8,))
    readings = [r for r in [decode(lattice("K7M0W4XA"), pattern)] * 4 if r is not None]
    fused = fuse(readings, pattern)
    assert fused.reading.state is FieldState.DOUBTFUL
    assert fused.reading.doubts == (3,)


def test_frames_that_differ_leave_the_character_open() -> None:
    pattern = FieldPattern(DIGITS, (6,))
    views = [lattice("123456"), lattice("123456"), lattice("128456"), lattice("128456")]
    fused = fuse([r for r in (decode(v, pattern) for v in views) if r is not None], pattern)
    assert fused.reading.doubts == (2,)
    assert {c.glyph for c in fused.reading.chars[2].candidates} == {"3", "8"}


def test_a_broken_check_digit_is_never_sure() -> None:
    pattern = FieldPattern(DIGITS, (16,), check=CheckDigit.LUHN)
    fused = fuse([r for r in [decode(lattice("4539148803436460"), pattern)] * 3 if r is not None], pattern)
    assert fused.reading.state is not FieldState.READ


def test_a_hole_between_characters_is_a_doubt() -> None:
    rows = lattice("12345678")
    blank = np.repeat(rows[:1], 12, axis=0)
    holed = np.concatenate([rows[:8], blank, rows[8:]])
    pattern = FieldPattern(DIGITS, tuple(range(4, 12)))
    reading = decode(holed, pattern)
    assert reading is not None
    assert fuse([reading] * 4, pattern).reading.state is FieldState.DOUBTFUL


def test_a_code_128_of_the_same_digits_makes_the_number_sure() -> None:
    pattern = FieldPattern(DIGITS, (16,))
    doubtful = decode(lattice("1234567890123456", {4: {"5": 0.5, "6": 0.45}}), pattern)
    assert doubtful is not None
    reading = fuse([doubtful], pattern).reading
    assert reading.state is FieldState.DOUBTFUL
    confirmed = confirm(reading, "1234567890123456")
    assert confirmed is not None
    assert confirmed.state is FieldState.READ
    assert confirm(reading, "9999567890123456") is None
    assert confirm(reading, "123456789012345") is None


def test_a_place_that_holds_digits_only_takes_a_letter_for_the_digit_it_looks_like() -> None:
    pattern = by_place([LATIN, DIGITS, DIGITS, LATIN])
    found = decode(lattice("SO1B"), pattern)
    assert found is not None
    assert found.text == "S01B"
    assert set(found.chars[1]) <= set(DIGITS)
    assert decode(lattice("501B"), pattern) is not None
