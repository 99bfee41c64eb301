"""A number whose end glare has swallowed looks whole: only its paling last characters tell."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import DIGITS, UNKNOWN_NUMBER, UNKNOWN_PIN, CheckDigit, FieldPattern
from app.vision.conclude import _whole
from app.vision.decoding.decode import Decoded, decode_views
from app.vision.decoding.fuse import Fused, fuse
from app.vision.decoding.groups import begins_within_group, many_begin_within_group
from app.vision.ends.beyond import Beyond
from app.vision.ends.fading import fading_groups, gone_ends, pale_ends, paling_ends
from app.vision.fields.spots import Spot
from app.vision.picture.area import Area
from app.vision.text.recognise import BLANK, GLYPHS, Engine, View

TEXT = "4445249958090917"
PITCH, HEIGHT = 26, 48


def line(text: str = TEXT, veiled: slice | None = None, veil: float = 0.0) -> np.ndarray:
    """The text in dark print on grey, one character every PITCH pixels, `veil` 0..1 of light over a part of it."""
    picture = np.full((HEIGHT, PITCH * len(text), 3), 150, np.uint8)
    for at, sign in enumerate(text):
        cv2.putText(picture, sign, (PITCH * at + 3, 36), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (30, 30, 30), 2, cv2.LINE_AA)
    noisy = picture + np.random.default_rng(5).normal(0, 3, picture.shape)
    if veiled is not None:
        noisy[:, veiled] += (235 - noisy[:, veiled]) * veil
    return np.clip(noisy, 0, 255).astype(np.uint8)


def spans(count: int) -> list[tuple[int, int]]:
    return [(10 * at + 4, 10 * at + 7) for at in range(count)]


@pytest.mark.parametrize("text", [TEXT, "1111111111111111", "1000000000000001"])
def test_even_print_does_not_fade(text: str) -> None:
    assert not pale_ends(line(text), spans(len(text)), 10 * len(text))


@pytest.mark.parametrize(("end", "at"), [(slice(0, 2 * PITCH), 0), (slice(-2 * PITCH, None), len(TEXT) - 1)])
def test_print_that_pales_towards_an_end_fades(end: slice, at: int) -> None:
    assert pale_ends(line(veiled=end, veil=0.5), spans(len(TEXT)), 10 * len(TEXT)) == {at}
    assert not pale_ends(line(veiled=end, veil=0.1), spans(len(TEXT)), 10 * len(TEXT))
    middle = slice(6 * PITCH, 8 * PITCH)
    assert not pale_ends(line(veiled=middle, veil=0.5), spans(len(TEXT)), 10 * len(TEXT)), "both ends are there"


def test_print_that_grows_clearer_towards_an_end_does_not_fade() -> None:
    """The lamp's reflection lies over the second to fourth character: before the first there would be print to see."""
    picture = line()
    worst = np.exp(-(((np.arange(picture.shape[1]) - 2.5 * PITCH) / (2 * PITCH)) ** 2))[None, :, None]
    veiled = (picture + (235 - picture) * 0.75 * worst).astype(np.uint8)
    places = spans(len(TEXT)), 10 * len(TEXT)
    assert not pale_ends(veiled, *places)
    assert pale_ends(veiled[:, 2 * PITCH :], places[0][:-2], 10 * (len(TEXT) - 2)) == {0}, "here it is worst at the end"


def paling(text: str, *shares: float, at_start: bool = False) -> tuple[np.ndarray, list[tuple[int, int]], int]:
    """`line` whose last characters (first, from the end inwards) keep these shares of their contrast, and its spans."""
    picture = line(text).astype(np.float32)
    places = [at for at, sign in enumerate(text) if sign != " "]
    for at, share in zip(places if at_start else places[::-1], shares, strict=False):
        cell = picture[:, PITCH * at : PITCH * (at + 1)]
        cell += (235 - cell) * (1 - share)
    return picture.astype(np.uint8), [(10 * at + 4, 10 * at + 7) for at in places], 10 * len(text)


@pytest.mark.parametrize("at_start", [False, True])
def test_a_little_is_too_pale_where_the_next_character_stands_a_space_further_off(at_start: bool) -> None:
    """E7ED K1HW 2U8A was stated for E7ED K1HW 2U8A RC4X: beyond a full group a reflection has room to grow."""
    shares, end = (0.79, 0.84, 0.9, 0.96), 0 if at_start else 11
    assert pale_ends(*paling("8888 8888 8888", *shares, at_start=at_start)) == {end}
    assert not pale_ends(*paling("888888888888", *shares, at_start=at_start)), "here it would stand right beside"
    assert not pale_ends(*paling("8888 8888 88", *shares)), "behind a group that is not full nothing is left out"
    assert not pale_ends(*paling("8888 8888 8888", 0.79, 0.9, 0.84, 0.96, at_start=at_start)), "uneven, not paling"


def test_a_panels_full_group_that_pales_at_its_end_is_asked_about() -> None:
    """0482 4749 and 4985-1732 were stated for PINs of twelve: the rest lay under layer, or glare, a space off."""
    untold, closed = (Beyond.UNTOLD, Beyond.UNTOLD), (Beyond.UNTOLD, Beyond.CLOSED)
    rows = np.full((10 * 9, len(GLYPHS) + 3), 1e-6, np.float32)
    rows[:, BLANK] = 1
    picture, places, _ = paling("8888 8888", 0.79, 0.9, 0.84, 1.0)
    for first, _ in places:
        rows[first + 1, [BLANK, GLYPHS.index("8")]] = (1e-6, 1)
    sure = fuse(decode_views([View(engine, rows, len(rows)) for engine in Engine], UNKNOWN_PIN), UNKNOWN_PIN)
    spot = Spot(Area(0, 0, 400, 40), (0, 400), (), picture)
    even = replace(spot, picture=paling("8888 8888")[0])
    assert _whole(sure, [spot], UNKNOWN_PIN, [untold]).reading.doubts == (7,)
    for other, ends in ((even, untold), (spot, closed)):
        assert _whole(sure, [other], UNKNOWN_PIN, [ends]).reading.state is FieldState.READ
    assert _whole(sure, [spot], UNKNOWN_PIN).reading.state is FieldState.READ, "no panel: beside it lies the card"
    assert not fading_groups(*paling("88888888", 0.79, 0.9, 0.84)), "no group, no space"


def test_a_pin_shorter_than_any_is_not_stated() -> None:
    """28QE was stated of a half covered panel."""
    rows = np.full((40, len(GLYPHS) + 3), 1e-6, np.float32)
    rows[:, BLANK] = 1
    for at, glyph in enumerate("2897"):
        rows[10 * at + 5, [BLANK, GLYPHS.index(glyph)]] = (1e-6, 1)
    four = FieldPattern(DIGITS, (4,))

    def state(pattern: FieldPattern, seen: Beyond) -> FieldState:
        sure = fuse(decode_views([View(engine, rows, len(rows)) for engine in Engine], pattern), pattern)
        spot = Spot(Area(0, 0, 400, 40), (0, 400), (), line("2897"))
        return _whole(sure, [spot], pattern, [(Beyond.UNTOLD, seen)]).reading.state

    assert state(UNKNOWN_PIN, Beyond.UNTOLD) is FieldState.DOUBTFUL
    assert state(UNKNOWN_PIN, Beyond.CLOSED) is FieldState.READ
    assert state(four, Beyond.UNTOLD) is FieldState.READ


@pytest.mark.parametrize("at_start", [False, True])
def test_print_that_breaks_off_in_a_reflection_goes_on_behind_it(at_start: bool) -> None:
    steep, gentle, more = (0.5, 0.75, 0.95), (0.6, 0.66, 0.75, 0.9), (0.7, 0.74, 0.82, 0.9)
    assert gone_ends(*paling("888888888888", *steep, at_start=at_start)) == {0 if at_start else 11}
    assert gone_ends(*paling("888888888888", *gentle, at_start=at_start)) == frozenset()
    assert pale_ends(*paling("888888888888", *gentle, at_start=at_start)), "it is asked about all the same"
    assert not pale_ends(*paling("888888888888", *more, at_start=at_start)), "a next one would be seen"
    assert gone_ends(line("8"), [(4, 7)], 10) == frozenset()


def grouped(*sizes: int, apart: int = 8) -> list[tuple[int, int]]:
    starts = np.cumsum([10 + (apart if at and at in np.cumsum(sizes) else 0) for at in range(sum(sizes))])
    return [(int(at), int(at) + 3) for at in starts]


@pytest.mark.parametrize(
    ("sizes", "cut"),
    [
        ((3, 4, 2), True),
        ((2, 4, 4, 4, 2), True),
        ((4, 4, 2), False),
        ((3, 3, 3), False),
        ((4, 8, 2), False),
        ((9,), False),
        ((2, 2), False),
        ((3,), False),
        ((1, 17), False),  # B and Q stand wide apart in print without groups
    ],
)
def test_print_in_groups_that_begins_with_less_than_a_group_was_cut(sizes: tuple[int, ...], cut: bool) -> None:
    """676 6038 56 was stated for 9676 6038 56: glare had left nothing of the nine, and paled nothing else."""
    assert begins_within_group(grouped(*sizes)) is cut


def test_one_view_in_which_the_first_gap_seems_wide_does_not_tell_that_print_was_cut() -> None:
    """3092 2365 5352 587, crisp and whole, was asked about for one of its eight views."""
    whole, short = said(*grouped(4, 4, 4, 3)), said(*grouped(1, 3, 4, 4, 3))
    assert not many_begin_within_group([short, *[whole] * 7])
    assert many_begin_within_group([*[short] * 3, *[whole] * 5])
    assert many_begin_within_group([short])
    assert not many_begin_within_group([])


@pytest.mark.parametrize(
    ("sizes", "apart", "cut"),
    [
        ((2, 4, 4, 4, 2), 4, True),
        ((4, 4, 4, 4), 4, False),
        ((4, 4, 4, 2), 4, False),
        ((2, 4, 4, 4, 2), 1, False),  # uneven, hardly parted
        ((2, 4, 2), 4, False),  # too few to tell
    ],
)
def test_print_in_fours_with_narrow_spaces_that_begins_within_one_was_cut(
    sizes: tuple[int, ...], apart: int, cut: bool
) -> None:
    """65 3954 8688 9342 10 was stated for 2365 …: glare lay over two digits, and its spaces were hardly one."""
    short, whole = said(*grouped(*sizes, apart=apart)), said(*grouped(4, 4, 4, 4))
    assert many_begin_within_group([short, short, whole]) is cut
    assert not many_begin_within_group([short, whole, whole]), "in one view of three it is chance"


@pytest.mark.parametrize(("text", "cut"), [("LWQP4VJR", False), ("LTQP4VJR", True)])
def test_a_wide_letter_parts_no_group(text: str, cut: bool) -> None:
    """LWQP4VJR and AWXNR0 in proportional print were left unread: a W moves its neighbour away."""
    places = grouped(2, 6)
    places[2:] = [(first - 1, last - 1) for first, last in places[2:]]
    assert many_begin_within_group([said(*places, text=text)]) is cut


def said(*places: tuple[int, int], text: str = "") -> Decoded:
    return Decoded(text or "8" * len(places), (), 1.0, places, 0.0, 200)


def test_nothing_and_one_character_do_not_fade() -> None:
    assert not pale_ends(line(), [], 100)
    assert not pale_ends(np.zeros((1, 1, 3), np.uint8), [(0, 1)], 1)
    assert not pale_ends(np.zeros((1, 1, 3), np.uint8), [(0, 1), (1, 2)], 0)


def read(pattern: FieldPattern) -> Fused:
    """The text as both engines read it, without any doubt about what is seen."""
    rows = np.full((10 * len(TEXT), len(GLYPHS) + 3), 1e-6, np.float32)
    rows[:, BLANK] = 1
    for at, glyph in enumerate(TEXT):
        rows[10 * at + 5, [BLANK, GLYPHS.index(glyph)]] = (1e-6, 1)
    return fuse(decode_views([View(engine, rows, len(rows)) for engine in Engine], pattern), pattern)


def test_a_faded_number_is_asked_about_unless_its_length_is_known_or_another_look_shows_its_end() -> None:
    def spot(picture: np.ndarray) -> Spot:
        return Spot(Area(0, 0, 400, 40), (0, 400), (), picture)

    faded, clear = spot(line(veiled=slice(0, 2 * PITCH), veil=0.6)), spot(line())
    one_length = FieldPattern(DIGITS, (len(TEXT),), check=CheckDigit.NONE)
    sure = read(UNKNOWN_NUMBER)
    assert sure.reading.state is FieldState.READ
    assert _whole(sure, [clear], UNKNOWN_NUMBER).reading.state is FieldState.READ
    asked = _whole(sure, [faded], UNKNOWN_NUMBER).reading
    assert (asked.state, asked.doubts) == (FieldState.DOUBTFUL, (0,)), "the person is shown the pale end"
    (whole,) = asked.wholes
    assert whole.chars == sure.reading.chars, "and is asked whether that is all of it"
    doubtful = replace(sure, reading=replace(sure.reading, state=FieldState.DOUBTFUL))
    assert len(_whole(doubtful, [faded], UNKNOWN_NUMBER).reading.wholes) == 1, "whatever else is in doubt"
    assert _whole(doubtful, [clear], UNKNOWN_NUMBER).reading.wholes == ()
    assert _whole(sure, [faded, clear], UNKNOWN_NUMBER).reading.state is FieldState.READ
    ended, untold = (Beyond.CLOSED, Beyond.UNTOLD), (Beyond.UNTOLD, Beyond.CLOSED)
    assert _whole(sure, [faded], UNKNOWN_NUMBER, [ended]).reading.state is FieldState.READ, "the layer ends it"
    assert _whole(sure, [faded], UNKNOWN_NUMBER, [untold]).reading.state is FieldState.DOUBTFUL
    assert _whole(read(one_length), [faded], one_length).reading.state is FieldState.READ


def test_the_edge_of_a_panel_ends_no_print_that_hardly_anything_is_left_of() -> None:
    """33 89-7169-7000-61 was stated for 24 5183-8971-…: print paled to nothing before what seemed the panel's edge."""
    sure, ended = read(UNKNOWN_NUMBER), (Beyond.CLOSED, Beyond.UNTOLD)
    for shares, state in (((0.3, 0.6, 0.8), FieldState.DOUBTFUL), ((0.5, 0.75, 0.95), FieldState.READ)):
        spot = Spot(Area(0, 0, 400, 40), (0, 400), (), paling(TEXT, *shares, at_start=True)[0])
        assert _whole(sure, [spot], UNKNOWN_NUMBER, [ended]).reading.state is state


def test_a_text_that_ends_at_a_lamps_reflection_is_asked_about() -> None:
    """SN1I was stated for SN1IIABIS0: behind the fourth character the paper was burnt out."""
    spot, sure = Spot(Area(0, 0, 400, 40), (0, 400), (), line()), read(UNKNOWN_NUMBER)
    burnt, untold = (Beyond.UNTOLD, Beyond.BURNT), (Beyond.UNTOLD, Beyond.UNTOLD)
    asked = _whole(sure, [spot], UNKNOWN_NUMBER, [burnt]).reading
    assert (asked.state, asked.doubts) == (FieldState.DOUBTFUL, (len(TEXT) - 1,))
    for other in (untold, (Beyond.UNTOLD, Beyond.CLOSED)):
        assert _whole(sure, [spot, spot], UNKNOWN_NUMBER, [burnt, other]).reading.state is FieldState.READ


def test_white_paper_is_not_taken_for_a_reflection_where_print_is_dark_to_its_end() -> None:
    """A well exposed 7776181914956208 was doubted because its paper is as white as a picture gets."""
    sure, white = read(UNKNOWN_NUMBER), (Beyond.WHITE, Beyond.WHITE)

    def doubts(picture: np.ndarray) -> tuple[int, ...]:
        spot = Spot(Area(0, 0, 400, 40), (0, 400), (), picture)
        return _whole(sure, [spot], UNKNOWN_NUMBER, [white]).reading.doubts

    assert doubts(line()) == ()
    assert doubts(line(veiled=slice(0, PITCH), veil=0.15)) == (0,)
    assert doubts(line(veiled=slice(-PITCH, None), veil=0.15)) == (len(TEXT) - 1,)
    assert paling_ends(line(), spans(1), 10) == {0}, "one character has nothing to be compared with"
