"""The stories of a parcel, told event by event: what the clerk does, what is kept, what is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.cards import UNREADABLE, Barcode, CardState, FieldReading, FieldState, typed
from app.core.effects import (
    AcknowledgeRead,
    Announce,
    ChangeCard,
    CheckBadge,
    CheckPasscode,
    FindParcel,
    MarkShot,
    OpenParcelRecord,
    Play,
    ReadAgain,
    RecordFact,
    SaveCard,
    SealParcel,
    Sound,
    StartRecording,
    StopRecording,
    UseSpareCamera,
    WatchForCards,
)
from app.core.events import (
    CardChanged,
    CardLeftTooEarly,
    CardSaved,
    CardSighted,
    CardWasDuplicate,
    CardWasRead,
    CodeScanned,
    Device,
    DeviceBack,
    DeviceLost,
    FieldTyped,
    Key,
    KeyHeld,
    KeyPressed,
    ParcelDoneBefore,
    ParcelFound,
    ParcelRefused,
    ParcelResumed,
    ParcelSealed,
    ParcelUnknown,
    PasscodeEntered,
    RecordingBegan,
    RecordingClosed,
    RecordingCut,
    RecordingResumed,
    SaveFailed,
    ShotTaken,
    SignedIn,
    SignInRefused,
    TagSeen,
    Tick,
    WaybillTyped,
)
from app.core.parcels import CardDraft, EarlierParcel, ExpectedParcel, Reason, WayOut
from app.core.states import (
    Ask,
    Asking,
    Counting,
    Idle,
    Opening,
    Paused,
    Reading,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    Waiting,
)
from tests.core.making import (
    BADGE,
    CLERK,
    EMPTY,
    EXPECTED,
    GTIN,
    PARCEL,
    PLAIN,
    RECORDING,
    SEEN,
    SUPERVISOR,
    TAG,
    WAYBILL,
    Walk,
    at_desk,
    at_work,
    card_read,
    kept,
    number,
    read_field,
    visit,
)

COVERED = FieldReading(FieldState.COVERED)
CUT = RecordingCut("camera.lost", 77)


def with_cards(walk: Walk, count: int) -> Walk:
    for i in range(count):
        walk.on(CardWasRead(card_read(f"earlier-{i}")))
        walk.saved()
    return walk


def asked(walk: Walk, ask: Ask) -> Asking:
    assert isinstance(walk.state, Asking)
    assert walk.state.question.ask is ask
    return walk.state


def paused(walk: Walk) -> Paused:
    assert isinstance(walk.state, Paused)
    return walk.state


def tray(walk: Walk) -> tuple[str, ...]:
    """Last four of the counted cards."""
    state = walk.state.back_to if isinstance(walk.state, Paused) else walk.state
    assert not isinstance(state, (SignedOut, Idle)) and hasattr(state, "visit")  # noqa: PT018  one thought
    return tuple(card.last4 for card in state.visit.counted)


# At the desk


def test_badge_signs_in_and_says_so_in_the_log() -> None:
    walk = Walk()
    assert walk.on(CodeScanned(" cib-demo7001 ")) == (CheckBadge(BADGE),)
    walk.on(SignedIn(CLERK))
    assert walk.state == Idle(CLERK)
    assert walk.the(Announce).operator == CLERK


def test_three_wrong_passcodes_wait_sixty_seconds_but_a_badge_works() -> None:
    walk = Walk()
    walk.on(Tick(1_000_000))
    for _ in range(3):
        assert walk.on(PasscodeEntered("1007", "0000")) == (CheckPasscode("1007", "0000"),)
        walk.on(SignInRefused(by_badge=False))
    assert walk.on(PasscodeEntered("1007", "2468")) == (Play(Sound.WRONG_CODE),)
    walk.on(Tick(60_999_999))
    assert walk.on(PasscodeEntered("1007", "2468")) == (Play(Sound.WRONG_CODE),)
    assert walk.on(CodeScanned(BADGE)) == (CheckBadge(BADGE),)
    walk.on(Tick(61_000_000))
    assert walk.on(PasscodeEntered("1007", "2468")) == (CheckPasscode("1007", "2468"),)


def test_an_unknown_badge_does_not_count_as_a_wrong_passcode() -> None:
    walk = Walk()
    walk.on(*[SignInRefused(by_badge=True)] * 5)
    assert walk.on(PasscodeEntered("1007", "2468")) == (CheckPasscode("1007", "2468"),)


def test_a_waybill_opens_the_parcel_and_the_knife_waits_for_the_recording() -> None:
    walk = at_desk()
    assert walk.on(CodeScanned(WAYBILL)) == (FindParcel(WAYBILL),)
    walk.on(ParcelFound(EXPECTED, PARCEL, RECORDING))
    assert [type(effect) for effect in walk.effects[:2]] == [OpenParcelRecord, StartRecording]
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Opening)
    assert not walk.state.began
    assert WatchForCards(True) in walk.on(RecordingBegan(RECORDING, 1))


@pytest.mark.parametrize(
    ("code", "notice"),
    [(GTIN[1:], "code.is-product"), (BADGE, "code.is-badge"), ("HELLO", "code.unknown"), ("1" * 16, "code.unknown")],
)
def test_a_code_that_is_no_waybill_gets_one_line_and_a_low_tone(code: str, notice: str) -> None:
    walk = at_desk()
    assert walk.on(CodeScanned(code)) == (Play(Sound.WRONG_CODE),)
    assert isinstance(walk.state, Idle)
    assert walk.state.notice is not None
    assert walk.state.notice.code == notice


def test_an_unannounced_parcel_opens_on_space() -> None:
    walk = at_desk()
    walk.on(WaybillTyped("sf 1382290461175"), ParcelUnknown(WAYBILL))
    assert walk.key(Key.SPACE) == (FindParcel(WAYBILL, unannounced=True),)
    walk.on(ParcelFound(ExpectedParcel(WAYBILL, "", 0), PARCEL, RECORDING), RecordingBegan(RECORDING, 1))
    walk.on(CardWasRead(card_read()))
    walk.saved()
    walk.key(Key.SPACE)
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Sealing)
    assert walk.state.way_out is WayOut.EQUAL


def test_esc_turns_an_unannounced_parcel_down() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), ParcelUnknown(WAYBILL), KeyPressed(Key.ESC))
    assert walk.key(Key.SPACE) == ()
    assert walk.state == Idle(CLERK)


def test_a_waybill_done_before_shows_what_came_of_it() -> None:
    walk = at_desk()
    earlier = EarlierParcel(WAYBILL, 1, 6, 1, 7)
    walk.on(CodeScanned(WAYBILL), ParcelDoneBefore(earlier))
    assert isinstance(walk.state, Idle)
    assert walk.state.earlier == earlier
    assert walk.key(Key.SPACE) == ()


def test_the_answer_for_an_earlier_scan_does_not_open_the_wrong_parcel() -> None:
    walk = at_desk()
    walk.on(CodeScanned("SF1111111111111"), CodeScanned(WAYBILL))
    walk.on(ParcelFound(ExpectedParcel("SF1111111111111", "", 1), "other", "other"))
    assert isinstance(walk.state, Idle)
    walk.on(ParcelFound(EXPECTED, PARCEL, RECORDING))
    assert isinstance(walk.state, Opening)
    walk.on(ParcelFound(EXPECTED, "again", "again"))
    assert walk.state.visit.parcel_id == PARCEL


def test_a_store_that_cannot_look_up_frees_the_desk() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), SaveFailed("store.io", ""))
    assert isinstance(walk.state, Idle)
    assert (walk.state.finding, walk.state.notice and walk.state.notice.code) == ("", "store.io")


def test_no_parcel_is_begun_when_something_is_missing() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), ParcelRefused(("camera.not_ready", "disk.low")))
    assert isinstance(walk.state, Idle)
    assert walk.state.notice is not None
    assert walk.state.notice.code == "camera.not_ready"


def test_a_card_shown_at_the_desk_is_nobodys_card() -> None:
    walk = at_desk()
    assert walk.on(CardWasRead(card_read())) == (AcknowledgeRead("read-1"),)


def test_f12_locks_the_desk() -> None:
    walk = at_desk()
    assert [type(effect) for effect in walk.key(Key.F12)] == [RecordFact, Announce]
    assert isinstance(walk.state, SignedOut)


# Reading cards


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
    assert (draft.verdict, draft.reasons) == (CardState.REJECTED, (Reason.OPERATOR_REJECTED,))
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


# Interruptions


def test_a_lost_camera_stops_the_hands_and_the_card_is_read_from_the_start() -> None:
    walk = with_cards(at_work(), 1)
    walk.on(CardSighted(EMPTY), CardSighted(SEEN), CUT)
    assert (paused(walk).device, paused(walk).saved_wall_us) == (Device.CAMERA, 77)
    assert walk.on(CardWasRead(card_read("b"))) == (AcknowledgeRead("b"),)
    assert walk.key(Key.SPACE) == ()
    assert walk.key(Key.F4) == (UseSpareCamera(),)
    walk.on(DeviceBack(Device.CAMERA))
    assert not paused(walk).ready
    walk.on(RecordingResumed(5_000_000))
    assert paused(walk).ready
    assert walk.key(Key.SPACE) == (WatchForCards(True), ReadAgain())
    walk.on(CardWasRead(card_read("c")))
    walk.saved()
    assert len(tray(walk)) == 2


def test_a_gap_of_two_minutes_needs_a_supervisor() -> None:
    walk = at_work()
    walk.on(CUT, RecordingResumed(120_000_000))
    assert walk.key(Key.SPACE) == ()
    assert walk.on(CodeScanned(WAYBILL)) == (Play(Sound.WRONG_CODE),)
    assert walk.on(CodeScanned(BADGE)) == (CheckBadge(BADGE),)
    walk.on(SignedIn(CLERK))
    assert paused(walk).supervisor
    walk.on(SignedIn(SUPERVISOR))
    assert walk.the(RecordFact).body == (("released_by", SUPERVISOR.id),)
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Waiting)
    assert walk.state.visit.operator == CLERK


def test_work_goes_on_only_when_everything_is_back() -> None:
    walk = at_work()
    walk.on(DeviceLost(Device.DISK, "store.disk_full"), DeviceLost(Device.RECORDER, "recorder.gone"))
    assert paused(walk).device is Device.DISK
    walk.on(DeviceBack(Device.DISK))
    assert (paused(walk).device, paused(walk).ready) == (Device.RECORDER, False)
    walk.on(DeviceBack(Device.RECORDER))
    assert paused(walk).ready


def test_a_failed_write_does_not_let_work_go_on_without_a_camera() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read()))
    draft = walk.the(SaveCard).draft
    walk.on(CUT, SaveFailed("store.disk_full", "28"))
    assert walk.key(Key.SPACE) == ()
    walk.on(RecordingResumed(1_000_000))
    assert walk.key(Key.SPACE) == (SaveCard(draft),)
    walk.saved()
    assert len(tray(walk)) == 1


def test_a_camera_lost_during_a_failed_write_is_waited_for() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read()), SaveFailed("store.io", ""), DeviceLost(Device.CAMERA, "camera.lost"))
    assert (paused(walk).device, paused(walk).ready) == (Device.CAMERA, False)
    assert walk.key(Key.SPACE) == ()


def test_a_save_that_failed_is_tried_again() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read()))
    draft = walk.the(SaveCard).draft
    walk.on(SaveFailed("store.disk_full", "28"))
    assert (paused(walk).device, paused(walk).code) == (Device.STORE, "store.disk_full")
    assert tray(walk) == ()
    assert walk.key(Key.SPACE) == (SaveCard(draft),)
    walk.saved()
    assert len(tray(walk)) == 1


def test_a_card_shown_during_a_pause_is_read_afterwards() -> None:
    walk = at_work()
    walk.on(SaveFailed("store.io", ""), CardWasRead(card_read()))
    assert ReadAgain() in walk.key(Key.SPACE)


def test_a_card_saved_during_a_pause_is_not_lost() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read("a")))
    draft = walk.the(SaveCard).draft
    walk.on(CardWasRead(card_read("b")), CUT)
    assert walk.on(CardSaved(kept(draft))) == (AcknowledgeRead("a"),)
    walk.on(RecordingResumed(1), KeyPressed(Key.SPACE))
    assert walk.saved().read_id == "b"
    assert len(tray(walk)) == 2


def test_a_parcel_whose_opening_was_not_written_is_written_again() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), ParcelFound(EXPECTED, PARCEL, RECORDING), SaveFailed("store.disk_full", ""))
    walk.key(Key.SPACE)
    assert [type(effect) for effect in walk.effects] == [OpenParcelRecord, StartRecording]
    assert isinstance(walk.state, Opening)


def test_a_recording_that_begins_during_a_pause_is_seen_afterwards() -> None:
    walk = at_desk()
    walk.on(CodeScanned(WAYBILL), ParcelFound(EXPECTED, PARCEL, RECORDING), SaveFailed("store.io", ""))
    walk.on(RecordingBegan(RECORDING, 9))
    assert WatchForCards(True) in walk.key(Key.SPACE)
    assert isinstance(walk.state, Opening)
    assert (walk.state.began, walk.state.visit.first_us) == (True, 9)


def test_a_recording_that_closes_by_itself_stops_the_hands() -> None:
    walk = at_work()
    walk.on(RecordingClosed(RECORDING))
    assert paused(walk).device is Device.RECORDER
    assert walk.has(StartRecording)
    walk.on(RecordingBegan(RECORDING, 3))
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Waiting)


def test_the_reject_dialog_survives_a_pause() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read(pin=COVERED)), KeyPressed(Key.F9), KeyPressed(Key.DIGIT, 1), CUT)
    assert walk.on(KeyHeld(Key.SPACE)) == ()
    walk.on(RecordingResumed(1), KeyPressed(Key.SPACE), KeyHeld(Key.SPACE))
    assert walk.the(SaveCard).draft.verdict is CardState.REJECTED


def test_a_parcel_found_unfinished_goes_on_with_all_its_cards() -> None:
    card = kept(_draft("a"))
    parcel = visit(cards=(card,), shots=(5,)).as_open_parcel()
    walk = Walk()
    walk.on(ParcelResumed(parcel), CardWasRead(card_read("a")), CardWasRead(card_read("b")))
    walk.on(CardWasRead(card_read("b")), CardChanged(replace(card, state=CardState.AT_CENTRE)))
    walk.on(SignedIn(SUPERVISOR))
    assert walk.the(StartRecording).recording_id == RECORDING
    walk.on(RecordingBegan(RECORDING, 500_000))
    assert AcknowledgeRead("a") in walk.effects
    assert walk.saved().read_id == "b"
    assert isinstance(walk.state, Waiting)
    assert [c.state for c in walk.state.visit.cards] == [CardState.AT_CENTRE, CardState.KEPT]
    assert walk.state.visit.shots == (5,)


def _draft(read_id: str) -> CardDraft:
    walk = at_work()
    walk.on(CardWasRead(card_read(read_id)))
    return walk.the(SaveCard).draft


def test_a_parcel_that_turns_up_after_sign_in_is_taken_up_too() -> None:
    walk = at_desk()
    walk.on(ParcelResumed(visit().as_open_parcel()))
    assert isinstance(walk.state, Opening)


# Counting and sealing


def test_equal_is_one_key_and_the_event_comes_after_the_recording() -> None:
    walk = with_cards(at_work(), 2)
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Counting)
    assert walk.key(Key.SPACE) == (WatchForCards(False), StopRecording(RECORDING))
    walk.on(RecordingClosed(RECORDING))
    assert walk.the(SealParcel) == SealParcel(PARCEL, WayOut.EQUAL, 2, 2)
    assert walk.on(RecordingClosed(RECORDING)) == ()
    walk.on(ParcelSealed(PARCEL, 9))
    assert isinstance(walk.state, Idle)
    assert walk.state.last is not None
    assert len(walk.state.last.cards) == 2


def short() -> Walk:
    walk = with_cards(at_work(), 1)
    walk.on(KeyPressed(Key.SPACE), KeyPressed(Key.SPACE))
    assert walk.the(MarkShot) == MarkShot(PARCEL, 1)
    return walk


def test_two_shots_are_needed_and_a_double_key_press_is_one_shot() -> None:
    walk = short()
    assert walk.key(Key.SPACE)[0] == MarkShot(PARCEL, 1)
    walk.on(ShotTaken(1, 10), ShotTaken(1, 11))
    assert walk.key(Key.SPACE)[0] == MarkShot(PARCEL, 2)
    walk.on(ShotTaken(2, 12))
    assert walk.key(Key.SPACE) == (Play(Sound.WRONG_CODE),)
    walk.on(KeyPressed(Key.DIGIT, 1), KeyPressed(Key.SPACE))
    assert isinstance(walk.state, Sealing)
    assert (walk.state.way_out, walk.state.visit.shots) == (WayOut.SUBMIT_DIFFERENT, (10, 12))


def test_looking_again_goes_back_to_the_mat() -> None:
    walk = short()
    walk.on(ShotTaken(1, 10), ShotTaken(2, 12), KeyPressed(Key.DIGIT, 2), KeyPressed(Key.SPACE))
    assert isinstance(walk.state, Waiting)
    walk.on(CardWasRead(card_read("found")))
    walk.saved()
    walk.on(KeyPressed(Key.SPACE), KeyPressed(Key.SPACE))
    assert isinstance(walk.state, Sealing)
    assert walk.state.way_out is WayOut.EQUAL


def test_a_supervisor_is_called_and_may_be_sent_away() -> None:
    walk = short()
    walk.on(ShotTaken(1, 10), ShotTaken(2, 12), KeyPressed(Key.DIGIT, 3), KeyPressed(Key.SPACE))
    assert paused(walk).supervisor
    assert walk.key(Key.SPACE) == ()
    walk.key(Key.ESC)
    assert isinstance(walk.state, Counting)
    walk.on(KeyPressed(Key.SPACE), SignedIn(SUPERVISOR), KeyPressed(Key.SPACE))
    assert isinstance(walk.state, Counting)
    assert walk.state.choice is None


def test_a_shot_that_comes_late_still_counts() -> None:
    walk = short()
    walk.on(KeyPressed(Key.ESC), ShotTaken(1, 10))
    assert isinstance(walk.state, Waiting)
    assert walk.state.visit.shots == (10,)


def test_a_card_found_while_counting_is_taken_and_a_known_one_changes_nothing() -> None:
    walk = with_cards(at_work(), 1)
    walk.key(Key.SPACE)
    assert walk.on(CardWasRead(card_read("earlier-0"))) == (AcknowledgeRead("earlier-0"),)
    assert isinstance(walk.state, Counting)
    walk.on(CardWasRead(card_read("new")))
    walk.saved()
    assert len(tray(walk)) == 2


def test_the_whole_parcel_is_rejected_by_a_hold_only() -> None:
    walk = with_cards(at_work(), 2)
    walk.on(KeyPressed(Key.SPACE), KeyPressed(Key.F9), CardWasRead(card_read("late")), KeyPressed(Key.DIGIT, 6))
    walk.on(KeyHeld(Key.SPACE))
    assert [e.state for e in walk.effects if isinstance(e, ChangeCard)] == [CardState.REJECTED] * 2
    assert AcknowledgeRead("late") in walk.effects
    assert isinstance(walk.state, Sealing)
    assert walk.state.way_out is WayOut.REJECT_ALL


def test_a_card_shown_over_the_dialog_of_the_whole_parcel_is_taken_when_it_closes() -> None:
    walk = with_cards(at_work(), 1)
    walk.on(KeyPressed(Key.SPACE), KeyPressed(Key.F9), CardWasRead(card_read("late")), KeyPressed(Key.ESC))
    assert walk.saved().read_id == "late"


def test_a_rejection_that_could_not_be_written_is_written_before_the_seal() -> None:
    walk = with_cards(at_work(), 2)
    assert isinstance(walk.state, Waiting)
    first, second = walk.state.visit.cards
    walk.on(KeyPressed(Key.SPACE), KeyPressed(Key.F9), KeyPressed(Key.DIGIT, 6), KeyHeld(Key.SPACE))
    walk.on(CardChanged(replace(first, state=CardState.REJECTED)), SaveFailed("store.disk_full", ""))
    assert walk.on(RecordingClosed(RECORDING)) == ()
    assert walk.on(RecordingCut("camera.lost", 1)) == ()
    walk.key(Key.SPACE)
    rejection = ChangeCard(second.card_id, CardState.REJECTED, (Reason.OPERATOR_REJECTED,))
    assert walk.effects == (rejection, SealParcel(PARCEL, WayOut.REJECT_ALL, 2, 2))


def test_a_parcel_sealed_during_a_pause_is_sealed() -> None:
    walk = with_cards(at_work(), 2)
    walk.on(KeyPressed(Key.SPACE), KeyPressed(Key.SPACE), RecordingClosed(RECORDING), SaveFailed("store.io", ""))
    walk.on(ParcelSealed(PARCEL, 9))
    assert isinstance(walk.state, Idle)


def test_losing_the_camera_while_sealing_changes_nothing() -> None:
    walk = with_cards(at_work(), 2)
    walk.on(KeyPressed(Key.SPACE), KeyPressed(Key.SPACE), CUT, DeviceLost(Device.CAMERA, "camera.lost"))
    assert isinstance(walk.state, Sealing)
