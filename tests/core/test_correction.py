"""Doubt-first correction by keys only: pick, move, reopen, type, keep as printed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.audit import EventKind
from app.core.cards import CardState, FieldReading, FieldState, Whole, typed
from app.core.effects import RecordFact, SaveCard
from app.core.events import CardWasRead, FieldTyped, Key, KeyPressed
from app.core.parcels import Reason
from app.core.session_correct import shape_of
from app.core.states import Ask, Asking, Decided, LengthDecided, Saving
from tests.core.making import PRODUCT, RULES, Walk, at_work, card_read, number, read_field

PIN = "7KQM2XWR"


def asking_pin(doubts: dict[int, str], read_id: str = "read-1") -> Walk:
    """A card is read whose PIN (no check digit) has these doubts."""
    walk = at_work()
    walk.on(CardWasRead(replace(card_read(read_id, pin=read_field(PIN, doubts)), catalogue="v1")))
    assert isinstance(walk.state, Asking)
    return walk


def asking_number(doubts: dict[int, str]) -> Walk:
    walk = at_work()
    walk.on(CardWasRead(card_read("read-1", number=read_field(number(7), doubts))))
    assert isinstance(walk.state, Asking)
    return walk


def at(walk: Walk) -> int:
    assert isinstance(walk.state, Asking)
    return walk.state.question.position


def pin_of(walk: Walk) -> str:
    draft = walk.the(SaveCard).draft
    assert draft.pin is not None
    return draft.pin.reveal()


def test_the_arrows_pick_and_space_answers() -> None:
    walk = asking_pin({1: "KX", 5: "XK"})
    walk.key(Key.DOWN)
    assert isinstance(walk.state, Asking)
    assert walk.state.choice == 0
    walk.key(Key.DOWN)
    walk.key(Key.DOWN)
    assert walk.state.choice == 1
    walk.key(Key.UP)
    walk.key(Key.SPACE)
    assert at(walk) == 5
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    assert pin_of(walk) == "7KQM2KWR"
    assert walk.the(SaveCard).draft.reasons == (Reason.PIN_CONFIRMED,)


def three_ways() -> dict[int, str]:
    """Doubts at 3 and 9 of a number: two ways fit the check digit, a third at 3 fits none of those at 9."""
    text = number(7)
    for more in itertools.product("0123456789", repeat=3):
        first, second, other = more
        doubts = {3: text[3] + first + second, 9: text[9] + other}
        fits = {
            (a, b)
            for a in doubts[3]
            for b in doubts[9]
            if PRODUCT.number.matches(text[:3] + a + text[4:9] + b + text[10:])
        }
        if len(set(doubts[3])) == 3 and len(set(doubts[9])) == 2 and {a for a, _ in fits} == {text[3], first}:
            return doubts
    raise AssertionError("there is always one")


def test_the_arrows_leave_out_what_breaks_the_check_digit_and_it_is_struck_out() -> None:
    walk = asking_number(three_ways())
    assert isinstance(walk.state, Asking)
    assert [option.check_holds for option in walk.state.question.options] == [True, True, False]
    walk.key(Key.DIGIT, 3)
    assert walk.state.choice == 0
    assert walk.state.notice is not None
    for _ in range(4):
        walk.key(Key.DOWN)
    assert isinstance(walk.state, Asking)
    assert walk.state.choice == 1


def test_left_and_right_go_between_the_doubtful_characters_and_an_answer_can_be_changed() -> None:
    walk = asking_pin({1: "KX", 3: "MW", 5: "XK"})
    walk.key(Key.RIGHT)
    assert at(walk) == 3
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    assert at(walk) == 1
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    assert at(walk) == 5
    walk.key(Key.LEFT)
    walk.key(Key.LEFT)
    assert at(walk) == 1
    assert isinstance(walk.state, Asking)
    assert walk.state.choice == 1, "the answer given before stands there as chosen"
    walk.key(Key.LEFT)
    assert at(walk) == 1
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    assert pin_of(walk) == PIN


def test_backspace_takes_the_last_answer_back() -> None:
    walk = asking_pin({1: "KX", 5: "XK"})
    walk.key(Key.BACKSPACE)
    assert at(walk) == 1, "nothing was answered yet"
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    walk.key(Key.BACKSPACE)
    assert at(walk) == 1
    assert isinstance(walk.state, Asking)
    assert walk.state.read.pin.doubts == (1, 5)
    assert walk.state.choice is None


def test_what_the_check_digit_settles_after_an_answer_is_kept_with_it() -> None:
    walk = asking_number(three_ways())
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    draft = walk.the(SaveCard).draft
    assert draft.number is not None
    assert draft.number.reveal() == number(7)


def test_one_character_may_be_typed_and_is_marked() -> None:
    walk = asking_pin({1: "X8", 5: "XK"})
    walk.on(FieldTyped("pin", typed("K")))
    assert at(walk) == 5
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    draft = walk.the(SaveCard).draft
    assert pin_of(walk) == PIN
    assert draft.reasons == (Reason.PIN_BY_HAND, Reason.PIN_CONFIRMED)
    assert draft.verdict is CardState.KEPT


@pytest.mark.parametrize("glyph", ["0", "O", "*"])
def test_a_typed_character_that_the_product_does_not_have_is_refused(glyph: str) -> None:
    walk = asking_pin({1: "KX", 5: "XK"})
    walk.on(FieldTyped("pin", typed(glyph)))
    assert isinstance(walk.state, Asking)
    assert walk.state.notice is not None
    assert walk.state.notice.code == "pin.does-not-fit"
    assert walk.state.typed is None, "with another doubt open the text is not whole"


def test_a_typed_digit_that_breaks_the_check_digit_is_refused() -> None:
    doubts = three_ways()
    walk = asking_number(doubts)
    walk.on(FieldTyped("number", typed(doubts[3][2])))
    assert isinstance(walk.state, Asking)
    assert at(walk) == 9, "what fits none of the alternatives may still be right: the next one decides"
    walk.on(FieldTyped("number", typed(doubts[9][0])))
    assert isinstance(walk.state, Asking)
    assert walk.state.notice is not None
    assert walk.state.notice.code == "number.does-not-fit"


def test_nine_keeps_a_text_as_printed_sends_the_card_to_review_and_reports_the_template_without_it() -> None:
    walk = asking_pin({1: "KX"})
    walk.on(FieldTyped("pin", typed("0123-456".replace("-", ""))))
    assert isinstance(walk.state, Asking)
    walk.key(Key.DIGIT, 9)
    assert isinstance(walk.state, Saving)
    draft, fact = walk.the(SaveCard).draft, walk.the(RecordFact)
    assert draft.verdict is CardState.REVIEW
    assert draft.reasons == (Reason.PIN_BY_HAND, Reason.PIN_AS_PRINTED)
    assert pin_of(walk) == "0123456"
    assert fact.kind is EventKind.TEMPLATE_REPORTED
    body = dict(fact.body)
    assert (body["product"], body["field"], body["shape"], body["catalogue"]) == (PRODUCT.id, "pin", "9999999", "v1")
    assert "0123456" not in str(fact)


def test_a_number_kept_as_printed_is_not_asked_about_again_but_the_pin_is() -> None:
    walk = at_work()
    walk.on(
        CardWasRead(card_read("read-1", number=read_field(number(7), three_ways()), pin=read_field(PIN, {1: "KX"})))
    )
    walk.on(FieldTyped("number", typed("12345")))
    walk.key(Key.DIGIT, 9)
    assert isinstance(walk.state, Asking)
    assert walk.state.question.field == "pin"
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    draft = walk.the(SaveCard).draft
    assert draft.verdict is CardState.REVIEW
    assert draft.number is not None
    assert draft.number.reveal() == "12345"


def test_nine_means_nothing_before_something_was_refused() -> None:
    walk = asking_pin({1: "KX"})
    before = walk.state
    walk.key(Key.DIGIT, 9)
    assert walk.state == before
    assert not walk.has(RecordFact)


def test_a_decided_glyph_does_not_show() -> None:
    assert "7" not in repr(Decided("pin", 0, "7"))
    assert shape_of(typed("A1B2")) == "A9A9"


LONGER = "7KQMM2XWR"


def open_length(*texts: str, doubts: dict[int, str] | None = None) -> FieldReading:
    """A reading that may have these texts, all its characters in doubt; in the last of them some are all the same."""
    readings = [read_field(text, doubts if text == texts[-1] else None) for text in texts]
    wholes = tuple(Whole(reading.chars, 0.4) for reading in readings)
    chars = tuple(replace(char, sure=False) for char in readings[0].chars)
    return FieldReading(FieldState.DOUBTFUL, chars, wholes=wholes)


def asking_length(doubts: dict[int, str] | None = None) -> Walk:
    """A card of an unknown product is read whose PIN may have eight characters, or nine."""
    walk = at_work()
    reading = open_length(PIN, LONGER, doubts=doubts)
    walk.on(CardWasRead(card_read("read-1", product_id=None, pin=reading)))
    assert isinstance(walk.state, Asking)
    return walk


def test_how_many_characters_there_are_is_asked_first_and_one_key_answers_it() -> None:
    walk = asking_length()
    assert isinstance(walk.state, Asking)
    assert (walk.state.question.ask, walk.state.question.field, walk.state.choice) == (Ask.LENGTH, "pin", None)
    assert [way.length for way in walk.state.question.wholes] == [8, 9]
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Asking), "nothing is chosen yet"
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    assert pin_of(walk) == LONGER
    assert Reason.PIN_LENGTH in walk.the(SaveCard).draft.reasons


def test_what_may_not_be_all_of_it_is_asked_once_and_not_for_each_character() -> None:
    """A PIN that lacked its last four characters was asked about as "character 8: 6 or 0?"; it was a 6, and kept so."""
    walk = at_work()
    walk.on(CardWasRead(card_read("read-1", product_id=None, pin=open_length(PIN))))
    assert isinstance(walk.state, Asking)
    assert [way.length for way in walk.state.question.wholes] == [8]
    assert walk.state.question.option_of(f"{PIN}7788") is None
    assert walk.state.choice is None, "nobody confirms it by mistake"
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    assert pin_of(walk) == PIN
    assert Reason.PIN_LENGTH in walk.the(SaveCard).draft.reasons


def test_after_the_length_only_what_is_doubtful_in_it_is_asked() -> None:
    walk = asking_length({4: "MN", 8: "RK"})
    walk.key(Key.DOWN)
    walk.key(Key.DOWN)
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Asking)
    assert (walk.state.question.ask, at(walk)) == (Ask.CHARACTER, 4)
    walk.key(Key.RIGHT)
    assert at(walk) == 8
    walk.key(Key.LEFT)
    for _ in range(2):
        walk.key(Key.DIGIT, 1)
        walk.key(Key.SPACE)
    assert pin_of(walk) == LONGER
    assert walk.the(SaveCard).draft.reasons[:2] == (Reason.PIN_LENGTH, Reason.PIN_CONFIRMED)


def test_a_length_that_was_picked_can_be_taken_back() -> None:
    walk = asking_length({4: "MN"})
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    walk.key(Key.BACKSPACE)
    assert isinstance(walk.state, Asking)
    assert (walk.state.question.ask, walk.state.decided, walk.state.choice) == (Ask.LENGTH, (), None)
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    assert pin_of(walk) == PIN


def test_where_no_length_is_right_the_field_is_typed() -> None:
    walk = asking_length()
    walk.on(FieldTyped("pin", typed("7KQM2XWRTT")))
    assert pin_of(walk) == "7KQM2XWRTT"
    assert Reason.PIN_LENGTH not in walk.the(SaveCard).draft.reasons


def test_a_product_of_one_length_is_not_asked_for_it() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read("read-1", pin=open_length(PIN, LONGER))))
    assert isinstance(walk.state, Asking)
    assert walk.state.question.ask is Ask.CHARACTER
    assert walk.state.read.pin.wholes == ()


def test_what_is_right_is_told_by_the_text_of_the_card() -> None:
    walk = asking_length({4: "MN"})
    assert isinstance(walk.state, Asking)
    question = walk.state.question
    assert (question.option_of(LONGER), question.option_of(PIN), question.option_of("7")) == (1, 0, None)
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Asking)
    question = walk.state.question
    assert (question.option_of("7KQMN2XWR"), question.option_of("7KQMR2XWR"), question.option_of("7")) == (
        1,
        None,
        None,
    )


KEYS = st.sampled_from(
    [KeyPressed(key) for key in (Key.LEFT, Key.RIGHT, Key.UP, Key.DOWN, Key.BACKSPACE, Key.SPACE)]
    + [KeyPressed(Key.DIGIT, n) for n in (1, 2, 3, 9)]
    + [FieldTyped("pin", typed(t)) for t in ("K", "0", "AB", PIN)]
)


@given(st.lists(KEYS, max_size=25))
def test_whatever_the_keys_a_pin_of_open_length_is_one_of_its_readings_or_typed(
    keys: list[KeyPressed | FieldTyped],
) -> None:
    walk = asking_length({4: "MN", 8: "RK"})
    for key in keys:
        if not isinstance(walk.state, Asking):
            break
        walk.on(key)
    if isinstance(walk.state, Saving):
        draft = walk.state.draft
        assert draft.pin is not None
        picked = {PIN, *(f"7KQM{a}2XW{b}" for a in "MN" for b in "RK")}
        assert draft.pin.reveal() in picked or Reason.PIN_BY_HAND in draft.reasons
    else:
        assert isinstance(walk.state, Asking)
        lengths = [one for one in walk.state.decided if isinstance(one, LengthDecided)]
        assert (walk.state.question.ask is Ask.LENGTH) == (not lengths)


@given(st.lists(KEYS, max_size=25))
def test_whatever_the_keys_only_a_whole_pin_is_kept(keys: list[KeyPressed | FieldTyped]) -> None:
    walk = asking_pin({1: "KX", 3: "MW", 5: "XK"})
    for key in keys:
        if not isinstance(walk.state, Asking):
            break
        walk.on(key)
    if isinstance(walk.state, Saving):
        draft = walk.state.draft
        assert draft.pin is not None
        text = draft.pin.reveal()
        assert PRODUCT.pin is not None
        assert PRODUCT.pin.matches(text) or Reason.PIN_AS_PRINTED in draft.reasons
    else:
        assert isinstance(walk.state, Asking)
        assert walk.state.question.ask is Ask.CHARACTER
        assert RULES.catalogue.by_id(walk.state.read.product_id) is PRODUCT
