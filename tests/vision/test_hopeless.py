"""Fields that nobody is asked about character by character, because the right text is not among what was read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.asking import next_question, shows_no_card
from app.core.cards import Candidate, FieldState, Whole
from app.core.products import DIGITS, UNKNOWN_NUMBER, Catalogue, FieldPattern
from app.core.states import Ask
from app.eye.watcher import as_card_read
from app.vision.conclude import _whole, conclude
from app.vision.decoding.decode import decode_views
from app.vision.decoding.fuse import SURE, Fused, fuse
from app.vision.ends.lit import Lit
from app.vision.fields.spots import Spot
from app.vision.hopeless import hopeless, unread
from app.vision.look import Look
from app.vision.picture.area import Area
from app.vision.text.recognise import OTHER, SEPARATOR, Engine, View
from tests.vision.test_decode import lattice
from tests.vision.test_fading import paling

OPEN = FieldPattern(DIGITS, tuple(range(4, 21)))
ILLEGIBLE = dict.fromkeys("02468", 0.2)
DOUBT = {5: {"8": 0.6, "3": 0.4}}


def spot(rows: np.ndarray, *shares: float) -> Spot:
    """A line that reads so, in print whose last characters keep these shares of their contrast."""
    views = tuple(View(engine, rows, len(rows)) for engine in Engine)
    picture, _, _ = paling("8" * (len(rows) // 2), *shares)
    return Spot(Area(0, 0, picture.shape[1], 48), (0, picture.shape[1]), views, picture)


def read(one: Spot, pattern: FieldPattern = OPEN) -> Fused:
    return fuse(decode_views(one.views, pattern), pattern)


def is_hopeless(
    one: Spot, pattern: FieldPattern = OPEN, others: bool = False, closed: tuple[int, ...] | None = ()
) -> bool:
    fused = read(one, pattern)
    assert fused.reading.state is FieldState.DOUBTFUL
    return hopeless(fused, others, [one], pattern, closed)


def test_a_character_or_two_in_doubt_are_asked_about() -> None:
    assert not is_hopeless(spot(lattice("41889763", DOUBT)))
    assert not hopeless(read(spot(lattice("41889763"))), False, [spot(lattice("41889763"))], OPEN), "nothing is open"


def test_what_may_be_anything_is_not() -> None:
    one = spot(lattice("41889763", {3: ILLEGIBLE, 4: ILLEGIBLE}))
    assert is_hopeless(one)
    assert is_hopeless(one, FieldPattern(DIGITS, (8,))), "however long it is"


def test_print_that_breaks_off_in_a_reflection_is_not_unless_its_length_is_known_or_its_end_is_seen() -> None:
    rows, steep, gentle = lattice("41889763", DOUBT), (0.5, 0.75, 0.95), (0.6, 0.66, 0.75, 0.9)
    assert is_hopeless(spot(rows, *steep))
    assert not is_hopeless(spot(rows, *gentle))
    assert not is_hopeless(spot(rows, *steep), FieldPattern(DIGITS, (8,)))
    assert not is_hopeless(spot(rows, *steep), closed=(1,))
    assert is_hopeless(spot(rows, *steep), closed=(0,))


@pytest.mark.parametrize(
    ("light", "lost"), [((4, 5, 7), True), ((4, 3, 3), False), ((4, 1, 7), False), ((-3, -9, -9), False)]
)
def test_nor_is_print_that_pales_into_light_that_grows_beyond_its_end(light: tuple[int, ...], lost: bool) -> None:
    """HV2FPPPYV5C7837 was offered without its last X, which had vanished in a reflection (3000155h)."""
    rows = lattice("41889763", DOUBT)
    one = spot(rows, 0.6, 0.66, 0.75, 0.9)
    pitch = one.picture.shape[1] // 8
    levels = np.full(12 * pitch, 230.0, np.float32)
    for place, more in enumerate(light):
        first = round((8.25 + place) * pitch)  # characters stand in the last of their two steps
        levels[first : first + pitch] += more
    shone = replace(one, lit=Lit(levels, 0))
    assert not hopeless(read(one), False, [one], OPEN)
    assert hopeless(read(shone), False, [shone], OPEN) is lost
    assert not hopeless(read(shone), False, [shone], OPEN, {1}), "its end is seen"
    assert not hopeless(read(shone), False, [shone, one], OPEN), "one look without that light is enough"


@pytest.mark.parametrize(
    ("trace", "light", "asked"), [(0.2, 30, True), (0.2, 0, False), (0.2, -30, False), (0.03, 30, False)]
)
def test_a_number_that_may_go_on_in_light_is_asked_about(trace: float, light: int, asked: bool) -> None:
    """58506229055062 was stated without its 2, of which a reflection had left a trace (17000406h)."""
    text = "41889763520432"
    one = spot(lattice(text, {13: {"2": trace, " ": 1 - trace}}))
    pitch = one.picture.shape[1] // len(text)
    levels = np.full(18 * pitch, 150.0, np.float32)
    for place in range(len(text) - 1, 18):
        levels[round((place + 0.25) * pitch) :] += light / 3
    shone = replace(one, lit=Lit(levels, 0))
    sure = read(shone, UNKNOWN_NUMBER)
    assert (sure.reading.state, len(sure.reading.chars)) == (FieldState.READ, 13)
    reading = _whole(sure, [shone], UNKNOWN_NUMBER).reading
    assert reading.doubts == ((12,) if asked else ())
    assert _whole(sure, [shone, one], UNKNOWN_NUMBER).reading.state is FieldState.READ, "one look without it is enough"


def test_one_clear_look_at_the_end_is_enough() -> None:
    rows = lattice("41889763", DOUBT)
    veiled, clear = spot(rows, 0.5, 0.75, 0.95), spot(rows)
    assert hopeless(read(veiled), False, [veiled, veiled], OPEN)
    assert not hopeless(read(veiled), False, [veiled, clear], OPEN)


@pytest.mark.parametrize(
    ("text", "lost"), [("4188 9763 5204", False), ("4188 9     204", True), ("418 9763 5204", True)]
)
def test_holes_and_short_first_groups_are_not(text: str, lost: bool) -> None:
    assert is_hopeless(spot(lattice(text, DOUBT))) is lost


def test_a_text_without_groups_that_lacks_a_character_is_only_where_some_view_sees_it() -> None:
    """48521811846611 was offered as 4852181146611 and 485218146611, a hole in all eight views of it (9000046h)."""
    one, whole = spot(lattice("41889 7635204")), spot(lattice("41889876352043"))
    seen = replace(one, views=(*one.views, *whole.views[:1]))
    assert is_hopeless(one, others=False)
    assert is_hopeless(one, others=True)
    assert hopeless(read(one), False, [seen], OPEN)
    assert not hopeless(read(one), True, [seen], OPEN)


@pytest.mark.parametrize(("p", "lost"), [(0.8, True), (0.2, False)])
def test_a_sign_that_no_field_has_inside_a_text_of_open_length_hides_characters(p: float, lost: bool) -> None:
    """154431963350?4648 was offered with 16 and 17 characters; it has 18, two of them under glare."""
    rows = lattice("418897 63", DOUBT)
    rows[2 * 6 + 1, [OTHER, SEPARATOR]] = p, 1 - p
    assert is_hopeless(spot(rows), others=True) is lost
    assert not is_hopeless(spot(rows))


@pytest.mark.parametrize(("text", "lost"), [("41889763", True), ("4188976352048816", False)])
def test_a_short_pin_of_which_light_may_have_taken_an_end_is_not_put_up_to_be_confirmed(text: str, lost: bool) -> None:
    """EFNMFCEE was asked about as if it were all of A7JUEFNMFCEE (9000331h); of 46 such ones 13 were not all there."""
    one = spot(lattice(text))
    fused = read(one)

    def asked(sure: bool) -> Fused:
        chars = (replace(fused.reading.chars[0], sure=False), *fused.reading.chars[1:])
        told = chars if sure else tuple(replace(c, sure=False) for c in chars)
        wholes = (Whole(fused.reading.chars, 1.0),)
        return replace(fused, reading=replace(fused.reading, state=FieldState.DOUBTFUL, chars=told, wholes=wholes))

    assert hopeless(asked(sure=True), False, [one], OPEN, {1}) is lost
    assert not hopeless(asked(sure=True), False, [one], OPEN), "a number that pales is right nearly always"
    assert not hopeless(asked(sure=False), False, [one], OPEN, {1}), "in doubt for want of proof, not for light"


@pytest.mark.parametrize(
    ("rest", "lost", "lost_in_lengths"), [(0.07, True, True), (0.04, True, False), (0.03, False, False)]
)
def test_what_is_shown_must_be_likely_to_hold_the_right_text(rest: float, lost: bool, lost_in_lengths: bool) -> None:
    """952123958380985518, blurred and scraped, was offered in three lengths, its ninth 9 not among them (5000113h)."""
    one = spot(lattice("41889763", DOUBT))
    fused = read(one)
    chars = list(fused.reading.chars)
    chars[5] = replace(chars[5], candidates=tuple(map(Candidate, "8356", (0.57 - rest, 0.28, 0.15, rest))))
    weak = replace(fused, reading=replace(fused.reading, chars=tuple(chars)))
    assert hopeless(weak, False, [one], OPEN) is lost
    assert hopeless(weak, True, [one], OPEN) is lost_in_lengths


def test_nor_is_a_pin_of_open_length_that_pales_towards_an_end_that_nobody_sees() -> None:
    """NGXFHJP5JJUK was offered as NGXFHJP5JJU, and with an I for the half of its K that was left (5000313h)."""
    one = spot(lattice("41889763", DOUBT), 0.7, 0.74, 0.82, 0.9)
    assert is_hopeless(one, others=True)
    assert not is_hopeless(one)
    assert not is_hopeless(one, others=True, closed=(1,))
    assert not is_hopeless(one, others=True, closed=None), "numbers pale and are right"


@pytest.mark.parametrize(("text", "lost"), [("4188 9 63 5204", True), ("4188 963 5204 1", False)])
def test_nor_is_a_text_of_open_length_that_parts_one_off(text: str, lost: bool) -> None:
    """HNQE 7G6L RV97 VQSX AG was offered in 16 and 17 characters: light lay on two of VQSX (12000125h)."""
    one = spot(lattice(text, DOUBT))
    seen = replace(one, views=(*one.views, *spot(lattice(text.replace("963", "9637"))).views[:1]))  # no hole in it
    assert hopeless(read(one), True, [seen], OPEN) is lost


def test_four_characters_that_may_not_be_all_are_not() -> None:
    """P93S was offered for P93SK8FY."""
    one = spot(lattice("4188"))
    fused = read(one)
    asked = replace(fused.reading, state=FieldState.DOUBTFUL, wholes=(Whole(fused.reading.chars, 1.0),))
    assert hopeless(Fused(asked, fused.lead), False, [one], OPEN)


def test_nor_are_four_in_doubt_whose_last_end_is_seen() -> None:
    """VVPE was asked about for WQE7XYRF: a line of needle print found by half, right before the layer (3000205e)."""
    one = spot(lattice("4188", {2: {"8": 0.6, "3": 0.4}}))
    assert is_hopeless(one, closed=(1,))
    assert not is_hopeless(one, others=True), "it is offered longer, too"


def test_a_character_that_light_has_half_taken_is_asked_about_where_the_text_is_anyway() -> None:
    """JXPH 6PTE was confirmed as JXPH 6PTF, two zeros having been asked about: light lay on the E (3000420t)."""
    text = "4188976352048812"
    corners = np.array([[0, 0], [160, 0], [160, 100], [0, 100]], np.float32)

    def doubts(doubt: dict[int, dict[str, float]], share: float) -> tuple[int, ...]:
        one = spot(lattice(text, doubt))
        faint = one.picture.astype(np.float32)
        first, last = (round(at * faint.shape[1] / len(text)) for at in (9.2, 10.3))  # as its two steps have it
        faint[:, first:last] = 250 - share * (250 - faint[:, first:last])
        seen = replace(one, picture=faint.astype(np.uint8))
        return conclude([Look(corners, 1.0, 0.0, (), number=seen, number_proved=True)], Catalogue()).number.doubts

    assert doubts(DOUBT, 0.45) == (5, 9)
    assert doubts(DOUBT, 0.7) == (5,)
    assert doubts({}, 0.45) == (), "by itself it is right nearly always"


@pytest.mark.parametrize(("doubt", "asked"), [(DOUBT, (5, 9)), ({}, ())])
def test_so_is_one_that_is_hardly_sure(doubt: dict[int, dict[str, float]], asked: tuple[int, ...]) -> None:
    """4Q01 I62H … was asked about in nine characters and kept an O that was a 0, at 0.994 (11000235h)."""
    one = spot(lattice("4188976352048812", {**doubt, 9: {"0": 0.99, "8": 0.01}}))
    corners = np.array([[0, 0], [160, 0], [160, 100], [0, 100]], np.float32)
    number = conclude([Look(corners, 1.0, 0.0, (), number=one, number_proved=True)], Catalogue()).number
    assert SURE < number.chars[9].best.p < 0.995
    assert number.doubts == asked


def test_an_illegible_number_is_typed_and_the_card_is_still_one() -> None:
    """Its questions led the clerk through ten characters to a number that was not the card's."""
    text = "4188976352048812"
    one = spot(lattice(text, dict.fromkeys((4, 5, 9), ILLEGIBLE)))
    corners = np.array([[0, 0], [160, 0], [160, 100], [0, 100]], np.float32)
    found = conclude([Look(corners, 1.0, 0.0, (), number=one, number_proved=True)], Catalogue())
    assert (found.number.state, found.number.wholes) == (FieldState.UNREADABLE, ())
    card = as_card_read(found, 0, 0)
    question = next_question(card, Catalogue())
    assert question is not None
    assert (question.ask, question.holds) == (Ask.NUMBER_UNREADABLE, ())
    assert card.crops == (), "no pictures are drawn of what nobody is asked about"
    assert not shows_no_card(card), "something of it was seen"
    pin = next_question(replace(card, number=found.pin, pin=unread(found.number)), Catalogue(), frozenset({"number"}))
    assert pin is not None
    assert pin.ask is Ask.PIN_UNREADABLE
