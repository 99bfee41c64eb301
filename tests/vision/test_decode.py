"""Constrained decoding: only texts of the pattern come out, and the check digit decides between near equals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn

from app.core.cards import FieldState
from app.core.products import DIGITS, LATIN, CheckDigit, FieldPattern, by_place
from app.vision.decoding.calibration import MISTAKES, corrected, mistakes
from app.vision.decoding.decode import Decoded, decode, decode_views
from app.vision.decoding.fuse import SURE, combine, confirm, fuse, under_check
from app.vision.text.recognise import BLANK, GLYPHS, OTHER, SEPARATOR, Engine, View

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


def said(lattices: Sequence[np.ndarray], pattern: FieldPattern) -> list[Decoded]:
    """What both engines would say, had they read these very lattices."""
    views = [View(engine, rows, len(rows)) for rows in lattices for engine in Engine]
    return decode_views(views, pattern)


def test_a_view_is_decoded_once_for_each_pattern() -> None:
    digits, mixed = FieldPattern(DIGITS, (4,)), FieldPattern(DIGITS + LATIN, (4,))
    view = View(Engine.OWN, lattice("1O5S"), 8)
    (first,), (again,), (other,) = (decode_views([view], pattern) for pattern in (mixed, mixed, digits))
    assert first is again
    assert (first.text, other.text) == ("1O5S", "1055")
    assert (first.steps, first.engine) == (8, Engine.OWN)
    (same,) = decode_views([replace(view, engine=Engine.PPOCR)], mixed)
    assert same.engine is Engine.PPOCR, "a copy remembers nothing of its original"
    assert decode_views([view, view], FieldPattern(DIGITS, (9,))) == []


def place_step_by_step(rows: np.ndarray, text: str) -> list[tuple[int, int]]:
    """Where each glyph stands on the likeliest path, by the plain recursion over steps."""
    states = [BLANK, *(sign for glyph in text for sign in (GLYPHS.index(glyph), BLANK))]
    logs, count = np.log(rows[:, states]), len(states)
    score = [float(logs[0, at]) if at < 2 else -np.inf for at in range(count)]
    paths: list[tuple[int, ...]] = [(at,) for at in range(count)]
    for log in logs[1:]:
        froms = [
            max([at, at - 1, at - 2] if at % 2 and at > 2 and states[at] != states[at - 2] else [at, max(0, at - 1)],
                key=lambda before: score[before])
            for at in range(count)
        ]  # fmt: skip
        score = [score[before] + float(log[at]) for at, before in enumerate(froms)]
        paths = [(*paths[before], at) for at, before in enumerate(froms)]
    path = paths[count - 1 if score[count - 1] >= score[count - 2] else count - 2]
    where = [[step for step, state in enumerate(path) if state == 2 * at + 1] for at in range(len(text))]
    return [(steps[0], steps[-1] + 1) for steps in where]


@pytest.mark.parametrize("seed", range(12))
def test_characters_stand_where_the_likeliest_path_has_them(seed: int) -> None:
    """Repeated glyphs need a blank between them; blurred steps leave the path open to both sides."""
    draw = np.random.default_rng(seed)
    rows = lattice("7004455X12")
    rows = np.repeat(rows, 3, axis=0) * draw.uniform(0.2, 1.0, (3 * len(rows), COLUMNS)).astype(np.float32)
    rows += draw.uniform(0, 0.05, rows.shape).astype(np.float32)
    rows[:, len(GLYPHS) : BLANK] = 1e-9
    rows /= rows.sum(axis=1, keepdims=True)
    found = decode(rows, FieldPattern(DIGITS + LATIN, (10,)))
    assert found is not None
    plain = np.maximum(rows, 1e-9)
    assert list(found.spans) == place_step_by_step(plain / plain.sum(axis=1, keepdims=True), found.text)


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
    fused = fuse(said([lattice("K7M0W4XA")] * 2, pattern), pattern)
    assert fused.reading.state is FieldState.DOUBTFUL
    assert fused.reading.doubts == (3,)


def test_frames_that_differ_leave_the_character_open() -> None:
    pattern = FieldPattern(DIGITS, (6,))
    views = [lattice("123456"), lattice("123456"), lattice("128456"), lattice("128456")]
    fused = fuse(said(views, pattern), pattern)
    assert fused.reading.doubts == (2,)
    assert {c.glyph for c in fused.reading.chars[2].candidates[:2]} == {"3", "8"}


def test_a_broken_check_digit_is_never_sure() -> None:
    pattern = FieldPattern(DIGITS, (16,), check=CheckDigit.LUHN)
    fused = fuse(said([lattice("4539148803436460")] * 2, pattern), pattern)
    assert fused.reading.state is not FieldState.READ


def test_a_hole_between_characters_is_a_doubt() -> None:
    rows = lattice("12345678")
    blank = np.repeat(rows[:1], 12, axis=0)
    holed = np.concatenate([rows[:8], blank, rows[8:]])
    pattern = FieldPattern(DIGITS, tuple(range(4, 12)))
    readings = said([holed] * 2, pattern)
    assert readings
    assert fuse(readings, pattern).reading.state is FieldState.DOUBTFUL


def spread(text: str, wide: dict[int, int]) -> np.ndarray:
    """The text's lattice with so many more blank steps before the characters at these positions."""
    rows = lattice(text)
    blank = np.full(COLUMNS, 1e-5, np.float32)
    blank[BLANK] = 1
    blanks = {at: np.tile(blank, (count, 1)) for at, count in wide.items()}
    steady = [
        np.concatenate([rows[2 * at : 2 * at + 1]] * 3 + [rows[2 * at + 1 : 2 * at + 2]]) for at in range(len(text))
    ]
    return np.concatenate([part for at, rows in enumerate(steady) for part in (blanks.get(at, rows[:0]), rows)])


@pytest.mark.parametrize(
    ("text", "wide", "state"),
    [
        ("698835906305484", {13: 4}, FieldState.DOUBTFUL),  # glare took a 3 out of print without spaces
        ("6988359063054384", {}, FieldState.READ),
        ("6988359063054384", {4: 4, 8: 4, 12: 4}, FieldState.READ),  # fours
        ("6988359063054384", {4: 2, 8: 4, 12: 2}, FieldState.READ),  # fours whose spaces are hardly one
        ("2818802649830263", {4: 2, 8: 1, 12: 4}, FieldState.READ),  # … as proportional print has them
        ("698839063054384", {4: 4, 5: 4, 7: 4, 11: 4}, FieldState.DOUBTFUL),  # glare took the second of the second four
        ("698830663054384", {4: 8, 7: 4, 11: 4}, FieldState.DOUBTFUL),  # … the first of it
        ("698835906305384", {4: 4, 8: 4, 12: 8}, FieldState.DOUBTFUL),  # … the first of the last four
        ("318028447569893", {2: 4, 3: 3, 7: 2, 11: 2}, FieldState.DOUBTFUL),  # … of print whose spaces are narrow
        ("5836757998908155", {4: 1, 8: 1, 12: 1, 13: 3}, FieldState.DOUBTFUL),  # … a 1 of it, of narrow spaces too
        ("5836757998908155", {4: 1, 8: 1, 12: 3}, FieldState.READ),
        ("5836757998908155", {13: 3}, FieldState.READ),  # no spaces that tell fours
        ("698835906305438", {4: 4, 8: 4, 12: 4}, FieldState.READ),  # filled from the left
        ("6988359063054384", {4: 4, 10: 4}, FieldState.READ),  # 4-6-6
    ],
)
def test_a_gap_where_print_of_its_kind_has_none_is_a_lost_character(
    text: str, wide: dict[int, int], state: FieldState
) -> None:
    pattern = FieldPattern(DIGITS, (15, 16))
    assert fuse(said([spread(text, wide)] * 2, pattern), pattern).reading.state is state


def test_a_broad_letter_stands_apart_without_anything_lost() -> None:
    """SZX4 G9WX S1 in proportional print was asked about: between its W and its X there seemed to be a narrow space."""
    pattern = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))
    for text, state in (("SZX4G9WXS7", FieldState.READ), ("SZX4G9VXS7", FieldState.DOUBTFUL)):
        reading = fuse(said([spread(text, {4: 3, 7: 2, 8: 3})] * 2, pattern), pattern).reading
        assert reading.state is state


def test_an_engine_that_cannot_read_a_face_says_nothing_about_the_length() -> None:
    """Strokes like 69113088: ours was sure in four views, PP-OCR saw 8808 or 883088 and believed in neither."""
    digits = FieldPattern(DIGITS, tuple(range(4, 21)))

    def view(text: str, engine: Engine) -> Decoded:
        rows = lattice(text)
        return decode_views([View(engine, rows, len(rows))], digits)[0]

    ours = [view("69113088", Engine.OWN)] * 4
    doubts = (("8808", 0.15, 0.29), ("8808", 0.25, 0.32), ("8806", 0.35, 0.13), ("883088", 0.16, 0.35))
    lost = [replace(view(text, Engine.PPOCR), p=p, of_length=share) for text, p, share in doubts]
    assert fuse([*ours, *lost], digits).reading.state is FieldState.READ
    believed = [replace(d, p=0.9, of_length=0.95) for d in lost]
    assert fuse([*ours, *believed], digits).reading.state is FieldState.DOUBTFUL


@pytest.mark.parametrize(
    ("theirs", "sureness", "doubts"),
    [
        ("64667949", 0.95, (5, 7)),  # they take the last zero for a nine, so the other nine may be a zero too
        ("64667949", 0.6, ()),  # they are not sure of it
        ("64667948", 0.95, ()),  # no other glyph is taken for an eight here
        ("64667940", 0.95, ()),
        ("64687940", 0.95, ()),  # no six becomes the eight that they see
        ("61667940", 0.95, ()),
    ],
)
def test_a_glyph_that_an_engine_took_another_one_for_is_not_sure_in_the_same_line(
    theirs: str, sureness: float, doubts: tuple[int, ...]
) -> None:
    """64667040 was stated as 64667940: scraping had taken the left side of a dotted zero, and some of the other's."""
    digits = FieldPattern(DIGITS, tuple(range(4, 21)))
    rows, text = lattice("64667940"), "64667940"
    ours = decode_views([View(Engine.OWN, rows, len(rows))] * 2, digits)
    other = replace(ours[0], engine=Engine.PPOCR, text=theirs)
    chars = [{glyph: 0.9999} for glyph in theirs]
    for at, (a, b) in enumerate(zip(text, theirs, strict=True)):
        if a != b:
            chars[at] = {b: sureness, a: 1 - sureness}
    reading = fuse([*ours, *ours, *[replace(other, chars=tuple(chars))] * 2], digits).reading
    assert "".join(c.best.glyph for c in reading.chars) == text
    assert reading.doubts == doubts


@pytest.mark.parametrize(("weakest", "state"), [(0.995, FieldState.READ), (0.984, FieldState.DOUBTFUL)])
def test_ours_is_believed_where_it_is_sure_in_every_view_of_what_pp_ocr_takes_for_another(
    weakest: float, state: FieldState
) -> None:
    """K5BZ SDLH LPZZ CGQZ SM: a G that PP-OCR took for a six in half of its views, ours in none. But 9936 1018 3995 was
    stated as … 3905: of the torn nine ours were a little less sure, PP-OCR saw it in half of its views (3000143h).
    """
    pattern = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))
    rows = lattice("GZKM")
    (read,) = decode_views([View(Engine.OWN, rows, len(rows))], pattern)
    ours = [replace(read, chars=({"G": p, "6": 1 - p}, *read.chars[1:])) for p in (0.996, 0.996, 0.996, weakest)]
    theirs = replace(read, engine=Engine.PPOCR, chars=({"6": 0.65, "G": 0.35}, *read.chars[1:]))
    assert fuse([*ours, theirs, theirs], pattern).reading.state is state


def test_doubt_about_a_glyph_is_no_doubt_about_the_length() -> None:
    pattern = FieldPattern(DIGITS, (7, 8))
    (found,) = decode_views([View(Engine.OWN, lattice("12345678", {2: {"3": 0.5, "8": 0.49}}), 16)], pattern)
    assert found.p < 0.6
    assert found.of_length > 0.9


def test_a_code_128_of_the_same_digits_makes_the_number_sure() -> None:
    pattern = FieldPattern(DIGITS, (16,))
    reading = fuse(said([lattice("1234567890123456", {4: {"5": 0.5, "6": 0.45}})], pattern), pattern).reading
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


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("26450284707804531", [*"26450", *[DIGITS] * 12]),
        ("KW284797", [LATIN, LATIN, *[DIGITS] * 6]),
        ("88A1284707", [*"88A1", *[DIGITS] * 6]),
    ],
)
def test_clear_print_is_as_sure_where_places_hold_less_than_others(text: str, places: list[str]) -> None:
    pattern = by_place(places)
    readings = said([lattice(text)], pattern)
    assert all(r.text == text and min(r.p, r.of_length) > 0.99 for r in readings)
    assert fuse(readings, pattern, scraped=False).reading.state is FieldState.READ


def test_print_that_lacks_a_fixed_beginning_is_not_read_into_the_pattern() -> None:
    pattern = by_place([*"26450", *[DIGITS] * 12])
    readings = said([lattice("96450284707804531")], pattern)
    assert not readings or fuse(readings, pattern, scraped=False).reading.state is not FieldState.READ


def test_probabilities_add_to_one_and_the_correction_never_turns_round() -> None:
    for alphabet in (DIGITS, DIGITS + LATIN, "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"):
        assert np.allclose(mistakes(alphabet).sum(axis=1), 1, atol=1e-5)
        assert (mistakes(alphabet).argmax(axis=1) == np.arange(len(alphabet))).all()
    steps = [corrected(p) for p in np.linspace(0, 1, 300)]
    assert steps == sorted(steps)
    assert steps[0] >= 0
    assert steps[-1] < 1
    assert set(MISTAKES) == set(DIGITS + LATIN)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(DIGITS), st.floats(0, 1), min_size=1), min_size=1, max_size=6))
def test_a_combination_is_a_distribution_whatever_the_views_say(views: list[dict[str, float]]) -> None:
    engines = [list(Engine)[i % 2] for i in range(len(views))]
    found = combine(list(zip(engines, views, strict=True)), DIGITS)
    assert abs(sum(found.values()) - 1) < 1e-3
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_more_views_of_the_same_say_are_believed_more_but_never_wholly() -> None:
    view = {"7": 0.97, "1": 0.03}
    sure = [combine([(e, view) for e in Engine] * n, DIGITS)["7"] for n in (1, 2, 6, 40)]
    assert sure == sorted(sure)
    assert sure[-1] < 1


def test_two_doubtful_digits_are_decided_by_the_check_digit() -> None:
    body = "453914880343646"
    right = body + luhn.calc_check_digit(body)
    pattern = FieldPattern(DIGITS, (16,), check=CheckDigit.LUHN)
    chars = [{g: 1.0} for g in right]
    chars[3], chars[9] = {"8": 0.52, right[3]: 0.48}, {"1": 0.5, right[9]: 0.5}
    given_check = under_check(chars, pattern)
    assert given_check is not None
    fitting = [a + b for a in chars[3] for b in chars[9] if luhn.is_valid(right[:3] + a + right[4:9] + b + right[10:])]
    assert fitting == [right[3] + right[9]]
    assert given_check[3] == {right[3]: 1.0}
    assert given_check[9] == {right[9]: 1.0}


def test_a_check_digit_that_nothing_fits_leaves_doubt() -> None:
    pattern = FieldPattern(DIGITS, (16,), check=CheckDigit.LUHN)
    assert under_check([{g: 1.0} for g in "4539148803436460"], pattern) is None


def test_a_clear_text_of_both_engines_is_sure_and_one_engine_alone_is_not() -> None:
    pattern = FieldPattern(DIGITS + LATIN, (8,))
    rows = lattice("K7M3W4XA")
    fused = fuse(said([rows] * 2, pattern), pattern)
    assert fused.reading.state is FieldState.READ
    assert min(c.best.p for c in fused.reading.chars) >= SURE
    alone = fuse(decode_views([View(Engine.PPOCR, rows, len(rows))], pattern), pattern)
    assert alone.reading.state is not FieldState.READ


def test_an_engine_that_misreads_a_glyph_in_half_of_its_views_does_not_outweigh_all_else() -> None:
    """PP-OCR takes a V in dot matrix for a U; ours saw a V in every view, and the PIN was left open all the same."""
    pattern = FieldPattern(DIGITS + LATIN, (8,))
    rows = lattice("K7M3V4XA")
    odd = rows.copy()
    at = int(odd[:, GLYPHS.index("V")].argmax())
    odd[at, GLYPHS.index("V")], odd[at, GLYPHS.index("U")] = 0.4, 0.55
    views = [View(Engine.OWN, rows, len(rows))] * 4 + [View(Engine.PPOCR, r, len(r)) for r in (rows, rows, odd, odd)]
    assert fuse(decode_views(views, pattern), pattern).reading.state is FieldState.READ
    doubtful = [View(Engine.OWN, r, len(r)) for r in (rows, odd, odd, odd)] + views[4:]
    assert fuse(decode_views(doubtful, pattern), pattern).reading.state is FieldState.DOUBTFUL


def test_what_a_view_reads_is_among_the_three_that_are_offered() -> None:
    """Of a relief read as 8 and as 6 the views together made 8, 3, 5, 6: the 6 that stands there had no key."""
    pattern, blurred = FieldPattern(DIGITS, (4,)), {"8": 0.5, "3": 0.3, "5": 0.18, "6": 0.02}
    one = lattice("4171", {2: {"6": 0.4, "8": 0.3, "3": 0.2, "5": 0.1}})
    char = fuse(said([*[lattice("4171", {2: blurred})] * 3, one], pattern), pattern).reading.chars[2]
    by_p = [c.glyph for c in sorted(char.candidates, key=lambda c: -c.p)]
    assert (char.sure, by_p) == (False, ["8", "3", "5", "6"])
    assert [c.glyph for c in char.candidates] == ["8", "6", "3", "5"]


def test_where_anything_is_in_doubt_what_one_view_reads_otherwise_is_too() -> None:
    """1203 4704 … was confirmed as 1293 4704 …, another character having been asked about and answered (3000161h)."""
    pattern = FieldPattern(DIGITS, (8,))
    blurred = {"5": 0.55, "6": 0.45}
    usual, other = lattice("41780526"), {7: {"9": 0.9, "6": 0.1}}

    def sure(doubts: dict[int, dict[str, float]]) -> list[int]:
        views = [View(Engine.OWN, lattice("41780526", doubts), 16) for _ in range(7)]
        reading = fuse(decode_views([*views, View(Engine.PPOCR, lattice("41780526", other), 16)], pattern), pattern)
        return [at for at, char in enumerate(reading.reading.chars) if char.sure]

    assert len(usual) == 16
    assert 7 in sure({}), "seven views of eight are enough"
    assert sure({2: blurred}) == [0, 1, 3, 4, 5, 6]


def test_twins_are_no_doubts_that_make_others_doubtful() -> None:
    """0Z1U JSYM MELO YX was left open: three twins, each told by the judge of twins, made an E of one view count."""
    pattern = FieldPattern(DIGITS + LATIN, (8,))
    usual, other = lattice("0O1A526E"), lattice("0O1A526E", {7: {"F": 0.9, "E": 0.1}})
    views = [View(Engine.OWN, usual, 16) for _ in range(7)] + [View(Engine.PPOCR, other, 16)]
    reading = fuse(decode_views(views, pattern), pattern).reading
    assert [at for at, char in enumerate(reading.chars) if not char.sure] == [0, 1, 2], "those are told later"


def test_a_zero_is_sure_where_its_place_holds_no_letters() -> None:
    """Such places have no twins, and nobody judges them: a 0 or 1 was never sure where letters stand elsewhere."""
    pattern = by_place([LATIN, *[DIGITS] * 6])
    rows = lattice("K120345")
    read = decode_views([View(engine, rows, len(rows)) for engine in Engine] * 2, pattern)
    assert all(c.sure for c in fuse(read, pattern).reading.chars[1:])
    anywhere = FieldPattern(DIGITS + LATIN, (7,))
    assert (
        not fuse(decode_views([View(e, rows, len(rows)) for e in Engine] * 2, anywhere), anywhere).reading.chars[3].sure
    )
