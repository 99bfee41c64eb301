"""Cards on the mat: kept, asked about, handed over, rejected, taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.cards import UNREADABLE, Barcode, CardState, FieldReading, FieldState, typed
from app.core.effects import (
    AcknowledgeRead,
    ChangeCard,
    Play,
    ReadAgain,
    SaveCard,
    Sound,
)
from app.core.events import (
    CardChanged,
    CardLeftTooEarly,
    CardSaved,
    CardSighted,
    CardWasDuplicate,
    CardWasRead,
    FieldTyped,
    Key,
    KeyHeld,
    KeyPressed,
    TagSeen,
)
from app.core.parcels import Reason
from app.core.states import (
    Ask,
    Reading,
    Rejecting,
    Saving,
    Waiting,
)
from tests.core.making import (
    EMPTY,
    EXPECTED,
    PLAIN,
    SEEN,
    TAG,
    at_work,
    card_read,
    kept,
    number,
    read_field,
)
from tests.core.stories import COVERED, asked, tray, with_cards


def test_a_clean_card_is_kept_without_a_key() -> None:
    walk = at_work()
    walk.on(CardSighted(SEEN))
    assert isinstance(walk.state, Reading)
    walk.on(CardWasRead(card_read(expiry=None)))
    draft = walk.the(SaveCard).draft
    assert (draft.verdict, draft.no, draft.t_video_us) == (CardState.KEPT, 1, 1_500_000)
    assert isinstance(walk.state, Saving)
    assert tray(walk) == ()
    walk.on(CardSaved(kept(draft)))
    assert walk.effects[0] == AcknowledgeRead("read-1")
    assert isinstance(walk.state, Waiting)
    assert walk.state.settled
    assert len(tray(walk)) == 1


def test_the_card_that_still_lies_there_is_not_read_twice() -> None:
    walk = with_cards(at_work(), 1)
    walk.on(CardSighted(SEEN))
    assert isinstance(walk.state, Waiting)
    walk.on(CardSighted(EMPTY), CardSighted(SEEN))
    assert isinstance(walk.state, Reading)


def test_a_card_taken_away_too_early_is_asked_back() -> None:
    walk = at_work()
    walk.on(CardSighted(SEEN), CardLeftTooEarly())
    assert isinstance(walk.state, Waiting)
    assert walk.state.notice is not None
    assert walk.state.notice.code == "card.left-too-early"


def two_doubts() -> tuple[str, CardWasRead]:
    """A number with two doubtful characters of which Luhn leaves two fillings; gives the true number."""
    true = number(4)
    at_2, at_9 = int(true[2]), int(true[9])
    # Position 2 counts double under Luhn, position 9 single: +1 there and -2 here keeps the sum.
    other_2 = next(d for d in range(10) if _doubled(d) == (_doubled(at_2) + 2) % 10)
    other_9 = (at_9 - 2) % 10
    doubts = {2: f"{at_2}{other_2}", 9: f"{at_9}{other_9}"}
    return true, CardWasRead(card_read(number=read_field(true, doubts)))


def _doubled(digit: int) -> int:
    return (digit * 2) % 10 + (digit * 2) // 10


def test_of_two_doubts_under_luhn_only_one_is_asked() -> None:
    true, event = two_doubts()
    walk = at_work()
    walk.on(event)
    state = asked(walk, Ask.CHARACTER)
    assert state.question.position == 2
    assert [option.check_holds for option in state.question.options] == [True, True]
    assert state.choice == 0
    walk.key(Key.SPACE)
    draft = walk.the(SaveCard).draft
    assert draft.number is not None
    assert draft.number.last4() == true[-4:]
    assert draft.reasons == (Reason.NUMBER_CONFIRMED,)
    assert draft.verdict is CardState.KEPT


def test_one_doubt_that_the_check_digit_decides_is_not_asked() -> None:
    true = number(5)
    walk = at_work()
    walk.on(CardWasRead(card_read(number=read_field(true, {4: true[4] + str((int(true[4]) + 1) % 10)}))))
    assert walk.the(SaveCard).draft.reasons == ()


def test_an_option_that_breaks_the_check_digit_cannot_be_chosen() -> None:
    true, event = two_doubts()
    wrong = str((int(true[2]) + 5) % 10)
    reading = event.read.number.chars[2]
    options = (*reading.candidates, replace(reading.candidates[0], glyph=wrong))
    chars = (*event.read.number.chars[:2], replace(reading, candidates=options), *event.read.number.chars[3:])
    walk = at_work()
    walk.on(CardWasRead(replace(event.read, number=replace(event.read.number, chars=chars))))
    assert walk.key(Key.DIGIT, 3) == (Play(Sound.WRONG_CODE),)
    assert asked(walk, Ask.CHARACTER).choice == 0
    assert walk.key(Key.DIGIT, 9) == ()


def test_a_pin_has_no_check_digit_so_nothing_is_preselected() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(pin=read_field("7KQM2XWR", {0: "7Z", 5: "XK"}))))
    assert asked(walk, Ask.CHARACTER).choice is None
    assert walk.key(Key.SPACE) == (Play(Sound.WRONG_CODE),)
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    assert asked(walk, Ask.CHARACTER).question.position == 5
    walk.on(KeyPressed(Key.DIGIT, 1), KeyPressed(Key.SPACE))
    assert walk.the(SaveCard).draft.reasons == (Reason.PIN_CONFIRMED,)


def test_a_covered_pin_is_scratched_and_read_again() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(pin=COVERED)))
    asked(walk, Ask.PIN_COVERED)
    assert walk.key(Key.SPACE) == (AcknowledgeRead("read-1"), ReadAgain())
    walk.on(CardWasRead(card_read("read-2")))
    draft = walk.the(SaveCard).draft
    assert (draft.verdict, draft.pin is not None) == (CardState.KEPT, True)


def test_f7_hands_over_what_could_not_be_read() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(pin=COVERED)))
    walk.key(Key.F7)
    draft = walk.the(SaveCard).draft
    assert (draft.verdict, draft.reasons, draft.pin) == (CardState.REVIEW, (Reason.PIN_COVERED,), None)
    assert draft.number is not None
    walk.saved()
    assert Play(Sound.REVIEW) in walk.effects


def test_a_number_typed_by_hand_must_fit_and_is_marked() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(number=UNREADABLE)))
    asked(walk, Ask.NUMBER_UNREADABLE)
    assert walk.on(FieldTyped("number", typed(number(1)[:-1] + "x"))) == (Play(Sound.WRONG_CODE),)
    walk.on(FieldTyped("number", typed(number(1))))
    assert walk.the(SaveCard).draft.reasons == (Reason.NUMBER_BY_HAND,)


@pytest.mark.parametrize(
    "bad",
    [
        FieldReading(FieldState.COVERED),
        replace(read_field(number(1)), state=FieldState.DOUBTFUL),
        read_field("1234567890123456"),
        read_field(number(1)[:-1]),
    ],
    ids=["covered", "doubtful in no place", "wrong check digit", "too short"],
)
def test_a_number_that_cannot_be_right_is_asked_for_and_never_kept(bad: FieldReading) -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(number=bad)))
    asked(walk, Ask.NUMBER_UNREADABLE)
    walk.key(Key.F7)
    assert walk.the(SaveCard).draft.number is None


def test_a_pin_outside_its_alphabet_is_asked_for() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(pin=read_field("0OIL1234"))))
    asked(walk, Ask.PIN_UNREADABLE)


def test_a_product_without_pin_is_never_asked_for_one() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(product_id=PLAIN.id, pin=UNREADABLE)))
    assert walk.the(SaveCard).draft.verdict is CardState.KEPT


def test_an_unknown_product_goes_to_review() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(product_id=None, gtin=None, pin=FieldReading(FieldState.ABSENT))))
    draft = walk.the(SaveCard).draft
    assert (draft.verdict, draft.reasons) == (CardState.REVIEW, (Reason.UNKNOWN_PRODUCT,))


def test_a_card_of_the_same_parcel_shown_again_counts_once() -> None:
    walk = with_cards(at_work(), 1)
    walk.on(CardWasRead(card_read("shown-again")))
    walk.on(CardWasDuplicate("shown-again", "0042", same_parcel=True, wall_us=1))
    assert isinstance(walk.state, Waiting)
    assert walk.state.notice is not None
    assert walk.state.notice.code == "card.already-here"
    assert len(tray(walk)) == 1
    assert AcknowledgeRead("shown-again") in walk.effects


def test_a_read_that_arrives_twice_is_kept_once() -> None:
    walk = at_work()
    event = CardWasRead(card_read())
    walk.on(event)
    first = walk.effects
    assert walk.on(event) == ()
    assert isinstance(walk.state, Saving)
    assert walk.state.visit.pending == ()
    walk.on(CardSaved(kept(next(e.draft for e in first if isinstance(e, SaveCard)))))
    assert walk.on(event) == (AcknowledgeRead("read-1"),)
    assert len(tray(walk)) == 1


def test_cards_that_come_during_a_question_wait_their_turn() -> None:
    walk = at_work(replace(EXPECTED, declared=3))
    walk.on(CardWasRead(card_read("a", pin=COVERED)))
    walk.on(CardWasRead(card_read("b")), CardWasRead(card_read("c")), CardWasRead(card_read("b")))
    asked(walk, Ask.PIN_COVERED)
    walk.key(Key.F7)
    assert walk.saved().read_id == "a"
    assert walk.saved().read_id == "b"
    assert walk.saved().read_id == "c"
    assert isinstance(walk.state, Waiting)
    assert walk.state.visit.pending == ()


def test_reading_again_with_another_card_on_the_mat_takes_that_one_first() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read("a", pin=COVERED)), CardWasRead(card_read("b")))
    walk.key(Key.F5)
    assert walk.effects[0] == AcknowledgeRead("a")
    assert not walk.has(ReadAgain)
    assert walk.saved().read_id == "b"
    assert isinstance(walk.state, Waiting)
    assert walk.state.visit.pending == ()


def test_the_reject_dialog_needs_a_reason_and_a_hold() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(pin=COVERED)), KeyPressed(Key.F9))
    assert isinstance(walk.state, Rejecting)
    assert walk.on(KeyHeld(Key.SPACE)) == ()
    walk.key(Key.DIGIT, 2)
    assert walk.key(Key.SPACE) == ()
    assert walk.key(Key.ENTER) == ()
    walk.on(KeyHeld(Key.SPACE))
    draft = walk.the(SaveCard).draft
    assert (draft.verdict, draft.reasons) == (CardState.REJECTED, (Reason.REJECTED_DAMAGED,))
    walk.saved()
    assert Play(Sound.REJECTED) in walk.effects


def test_esc_leaves_the_reject_dialog_without_harm() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read("a", pin=COVERED)), KeyPressed(Key.F9), CardWasRead(card_read("b")))
    walk.key(Key.ESC)
    assert asked(walk, Ask.PIN_COVERED).visit.pending[0].read_id == "b"


def test_f2_takes_the_last_card_back_and_reads_it_anew() -> None:
    walk = at_work()
    walk.on(TagSeen(TAG, 900_000), CardWasRead(card_read("a")))
    card = walk.saved()
    walk.key(Key.F2)
    assert walk.effects == (ChangeCard(card.card_id, CardState.WITHDRAWN, ()), ReadAgain())
    walk.on(CardChanged(replace(card, state=CardState.WITHDRAWN)))
    assert tray(walk) == ()
    walk.on(CardWasRead(card_read("b")))
    draft = walk.the(SaveCard).draft
    assert (draft.no, draft.tag) == (1, TAG)


def test_a_chip_belongs_to_the_card_it_came_with() -> None:
    walk = at_work(replace(EXPECTED, declared=3))
    walk.on(TagSeen(TAG, 900_000), TagSeen(None, 2_500_000), CardWasRead(card_read("a", pin=COVERED)))
    second = replace(TAG, uid="04FFFFFFFFFFFF")
    walk.on(TagSeen(second, 3_000_000), KeyPressed(Key.F7))
    assert walk.saved().tag == TAG
    walk.on(CardWasRead(card_read("b", first_us=3_100_000, best_us=3_900_000)))
    assert walk.saved().tag == second
    walk.on(CardWasRead(card_read("c", first_us=5_000_000, best_us=6_000_000)))
    assert walk.saved().tag is None


def test_a_late_answer_of_the_eye_gets_no_foreign_chip() -> None:
    """The eye answered when the next card lay on the reader already: its chip is not this card's."""
    walk = at_work(replace(EXPECTED, declared=3))
    walk.on(TagSeen(TAG, 4_000_000), CardWasRead(card_read("a", first_us=1_000_000, best_us=2_000_000)))
    assert walk.saved().tag is None


def test_two_chips_during_one_card_are_no_answer() -> None:
    walk = at_work(replace(EXPECTED, declared=3))
    walk.on(TagSeen(TAG, 900_000), TagSeen(replace(TAG, uid="04FFFFFFFFFFFF"), 1_500_000), CardWasRead(card_read("a")))
    assert walk.saved().tag is None


def test_the_parcel_itself_is_no_card() -> None:
    walk = at_work()
    label = (Barcode("CODE128", EXPECTED.waybill),)
    read = card_read("a", number=UNREADABLE, pin=UNREADABLE, gtin=None, product_id=None, barcodes=label)
    walk.on(CardWasRead(read))
    assert walk.effects == (AcknowledgeRead("a"),)
    assert tray(walk) == ()


def test_receipts_change_the_card_under_the_hands() -> None:
    walk = with_cards(at_work(), 1)
    assert isinstance(walk.state, Waiting)
    walk.on(CardChanged(replace(walk.state.visit.cards[0], state=CardState.ACCEPTED)))
    assert walk.state.visit.cards[0].state is CardState.ACCEPTED
