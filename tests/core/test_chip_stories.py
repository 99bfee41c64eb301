"""Stories of the chip tray: held once, tapped in any order, nothing written that is not waiting there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.cards import Tag
from app.core.chips import ChipEnd, ChipStand
from app.core.effects import (
    LayOnReader,
    ListChips,
    MarkPunch,
    ProveDestroyed,
    PutChipAside,
    RecordFact,
    SurveyChip,
    SwitchChipOff,
    WatchForCards,
)
from app.core.events import (
    CardWasRead,
    ChipRunEnded,
    ChipsListed,
    ChipStageBegan,
    ChipSurveyed,
    Device,
    DeviceBack,
    DeviceLost,
    Key,
    KeyHeld,
    PunchShotTaken,
    RecordingCut,
    TagSeen,
    Tick,
)
from app.core.states import Asking, ChipTray, Counting, Idle, Paused, Saving, Waiting
from tests.core.examples import CHIP, COPY, OFF, PLAN, SECOND_CHIP, TORN
from tests.core.making import RULES, Walk, at_desk, at_work, card_read, number, read_field

HOLD = KeyHeld(Key.SPACE)
FOREIGN = Tag("08112233", "0004", "20", "phone", simulated=True)


def tag(uid: str) -> Tag:
    return Tag(uid, "0044", "00", "NTAG213", simulated=True)


FIRST, SECOND = TagSeen(tag(CHIP.uid), 10), TagSeen(tag(SECOND_CHIP.uid), 20)
AWAY = TagSeen(None, 30)


def at_tray(walk: Walk | None = None) -> Walk:
    walk = walk or at_work()
    walk.key(Key.F4)
    assert walk.has(ListChips)
    walk.on(ChipsListed((CHIP, SECOND_CHIP)))
    return walk


def tray(walk: Walk) -> ChipTray:
    assert isinstance(walk.state, ChipTray)
    return walk.state


def test_a_tap_shows_the_plan_and_writes_nothing_until_the_hold() -> None:
    walk = at_tray()
    assert walk.on(FIRST)[0] == SurveyChip(CHIP)
    walk.on(ChipSurveyed(CHIP.card_id, PLAN))
    assert tray(walk).plan == PLAN
    assert not tray(walk).armed
    walk.on(HOLD)
    assert walk.the(SwitchChipOff).card == CHIP
    assert walk.the(RecordFact).body == (("cards", 2),)
    assert tray(walk).running


def test_one_hold_then_each_tap_runs_in_any_order_and_the_last_one_disarms() -> None:
    walk = at_tray()
    walk.on(HOLD)
    assert not walk.has(SwitchChipOff)
    walk.on(SECOND)
    assert walk.the(SwitchChipOff).card == SECOND_CHIP
    walk.on(ChipStageBegan(SECOND_CHIP.card_id, "data", 2, 5))
    assert (tray(walk).stage, tray(walk).number) == ("data", 2)
    walk.on(ChipRunEnded(replace(OFF, card_id=SECOND_CHIP.card_id)), AWAY, FIRST)
    assert walk.the(SwitchChipOff).card == CHIP
    walk.on(ChipRunEnded(OFF))
    assert not tray(walk).armed
    assert [card.stand for card in tray(walk).cards] == [ChipStand.OFF, ChipStand.OFF]
    walk.on(AWAY, FIRST)
    assert not walk.has(SwitchChipOff)


def test_a_chip_that_does_not_wait_here_is_named_and_not_spoken_to() -> None:
    walk = at_tray()
    walk.on(HOLD, TagSeen(FOREIGN, 1))
    assert tray(walk).notice is not None
    assert tray(walk).notice.code == "chip.not-here"  # type: ignore[union-attr]
    assert not walk.has(SwitchChipOff)
    walk.on(TagSeen(None, 2, several=True))
    assert tray(walk).notice.code == "chip.several"  # type: ignore[union-attr]


def test_a_card_that_left_comes_back_before_any_other_goes_on() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(TORN), AWAY, SECOND)
    assert not walk.has(SwitchChipOff)
    assert dict(tray(walk).notice.args) == {"wanted": CHIP.uid, "there": SECOND_CHIP.uid}  # type: ignore[union-attr]
    assert tray(walk).cards[0].stand is ChipStand.UNFINISHED
    walk.on(AWAY, FIRST)
    assert walk.the(SwitchChipOff).card.uid == CHIP.uid
    walk.on(ChipRunEnded(TORN), AWAY)
    walk.key(Key.F2)  # leave it for later, on purpose
    walk.on(SECOND)
    assert walk.the(SwitchChipOff).card == SECOND_CHIP


@pytest.mark.parametrize("why", ["why.two-chips", "why.other-chip", "gate.decision-expired"])
def test_a_refused_run_of_a_torn_card_lets_no_other_go_on(why: str) -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(TORN), AWAY, FIRST)
    walk.on(ChipRunEnded(ChipEnd(CHIP.card_id, ChipStand.UNFINISHED, "refused", why)), AWAY, SECOND)
    assert not walk.has(SwitchChipOff)
    assert tray(walk).notice.code == "chip.other-first"  # type: ignore[union-attr]
    walk.on(AWAY, FIRST)
    assert walk.the(SwitchChipOff).card.uid == CHIP.uid


@pytest.mark.parametrize("end", [OFF, COPY])
def test_a_torn_card_that_is_finished_or_given_to_destruction_lets_the_others_go_on(end: ChipEnd) -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(TORN), AWAY, FIRST, ChipRunEnded(end), AWAY, SECOND)
    assert walk.the(SwitchChipOff).card == SECOND_CHIP


def test_nothing_disturbs_a_run_and_every_key_says_so() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST)
    for key in (Key.ESC, Key.F2):
        walk.key(key)
        assert tray(walk).running
    walk.on(SECOND, HOLD)
    assert not walk.has(SwitchChipOff)


def test_a_reader_that_goes_is_named_and_goes_on_when_it_is_back() -> None:
    walk = at_tray()
    walk.on(HOLD, DeviceLost(Device.NFC, "nfc.lost"))
    assert tray(walk).reader == "nfc.lost"
    walk.on(DeviceBack(Device.NFC), FIRST)
    assert walk.the(SwitchChipOff).card == CHIP


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("punched", [False, True])
def test_a_run_whose_reader_was_lost_does_not_hold_the_clerk_in_the_tray(back: bool, punched: bool) -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST)
    if punched:
        walk.on(ChipRunEnded(COPY), PunchShotTaken(CHIP.card_id, 1, 5), PunchShotTaken(CHIP.card_id, 2, 9))
    assert tray(walk).running
    walk.key(Key.ESC)
    assert tray(walk).running
    walk.on(DeviceLost(Device.NFC, "nfc.timeout"), *((DeviceBack(Device.NFC),) if back else ()))
    walk.key(Key.ESC)
    assert isinstance(walk.state, Waiting)
    walk.on(ChipRunEnded(OFF))  # kept by who ran it
    assert isinstance(walk.state, Waiting)


def test_a_proof_of_destruction_asked_of_a_lost_reader_can_be_left() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(COPY), DeviceLost(Device.NFC, "nfc.lost"))
    walk.on(PunchShotTaken(CHIP.card_id, 1, 5), PunchShotTaken(CHIP.card_id, 2, 9))
    assert tray(walk).running
    walk.key(Key.ESC)
    assert isinstance(walk.state, Waiting)


def test_an_armed_reader_does_not_stay_armed() -> None:
    walk = at_tray()
    walk.on(HOLD, Tick(1_000_000), Tick(1_000_000 + RULES.armed_us - 1))
    assert tray(walk).armed
    walk.on(Tick(1_000_000 + RULES.armed_us))
    assert not tray(walk).armed
    walk.on(FIRST)
    assert walk.has(SurveyChip)
    assert not walk.has(SwitchChipOff)


def test_leaving_the_tray_disarms_and_the_eye_looks_again() -> None:
    walk = at_tray()
    walk.on(HOLD)
    walk.key(Key.ESC)
    assert isinstance(walk.state, Waiting)
    assert walk.the(WatchForCards).on
    at_tray(walk)
    assert not tray(walk).armed


def test_a_card_that_was_read_meanwhile_is_dealt_with_afterwards() -> None:
    walk = at_tray()
    walk.on(CardWasRead(card_read("a")), CardWasRead(card_read("b", number=read_field(number(4), {2: "05", 9: "83"}))))
    assert isinstance(walk.state, ChipTray)
    walk.key(Key.ESC)
    assert isinstance(walk.state, Saving)
    walk.saved()
    assert isinstance(walk.state, Asking)


def test_a_cut_recording_stops_the_hands_and_a_run_that_goes_on_is_not_lost() -> None:
    walk = at_work()
    walk.key(Key.SPACE)
    at_tray(walk)
    walk.on(HOLD, FIRST, RecordingCut("camera.lost", 1))
    assert isinstance(walk.state, Paused)
    assert isinstance(walk.state.back_to, Counting)
    assert walk.the(WatchForCards).on
    walk.on(ChipRunEnded(OFF))  # kept by who ran it


def test_a_copy_is_punched_on_camera_with_a_still_before_and_after() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(COPY))
    walk.key(Key.SPACE)
    assert walk.the(MarkPunch).no == 1
    walk.on(PunchShotTaken(CHIP.card_id, 1, 5_000_000))
    walk.key(Key.SPACE)
    assert walk.the(MarkPunch).no == 2
    walk.on(PunchShotTaken(CHIP.card_id, 2, 9_000_000))
    assert walk.the(ProveDestroyed).shots == (5_000_000, 9_000_000)
    walk.on(ChipRunEnded(ChipEnd(CHIP.card_id, ChipStand.DESTROY, "still-answers", "still-answers")))
    assert tray(walk).shots == ()
    walk.key(Key.SPACE)
    assert walk.the(MarkPunch).no == 1


SILENT = ChipEnd(CHIP.card_id, ChipStand.WAITING, "not-completed", "why.chip-gone", silent=1, most_silent=3)
MUTE = ChipEnd(CHIP.card_id, ChipStand.DESTROY, "refused", "why.stays-silent", silent=3, most_silent=3)


@pytest.mark.parametrize("torn", [False, True])
def test_a_chip_that_answers_no_more_is_punched_after_three_silent_runs(torn: bool) -> None:
    walk, silent = at_tray(), SILENT
    walk.on(HOLD)
    if torn:
        walk.on(FIRST, ChipRunEnded(TORN), AWAY)
        silent = replace(TORN, silent=1)
    walk.key(Key.DIGIT, 1)
    for run in (1, 2, 3):
        assert not tray(walk).punching
        walk.key(Key.SPACE)
        assert walk.the(SwitchChipOff).card.card_id == CHIP.card_id
        end = replace(silent, silent=run) if run < 3 else MUTE
        kept = replace(CHIP, stand=end.stand, mute=end is MUTE)
        walk.on(ChipRunEnded(end), ChipsListed((kept, SECOND_CHIP)))
    assert tray(walk).punching
    walk.key(Key.SPACE)
    assert walk.the(MarkPunch).no == 1
    walk.on(SECOND)  # it holds nobody up
    assert walk.the(SwitchChipOff).card == SECOND_CHIP


def test_a_chip_that_answers_after_all_is_tapped_as_ever() -> None:
    walk = at_tray()
    walk.on(HOLD)
    walk.key(Key.DIGIT, 1)
    walk.key(Key.SPACE)
    walk.on(ChipRunEnded(MUTE), ChipsListed((replace(CHIP, stand=ChipStand.DESTROY, mute=True), SECOND_CHIP)))
    assert tray(walk).punching
    walk.on(FIRST)
    assert walk.the(SwitchChipOff).card.card_id == CHIP.card_id
    walk.on(ChipRunEnded(OFF))
    assert not tray(walk).punching


def test_a_copy_that_has_to_be_punched_is_not_run_again_by_a_tap() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(COPY), AWAY, FIRST)
    assert not walk.has(SwitchChipOff)


def test_a_torn_card_still_goes_first_after_the_tray_was_left() -> None:
    """Also after the program ended meanwhile: what was torn is known from what is kept, not from the screen."""
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(TORN), AWAY)
    walk.key(Key.ESC)
    walk.key(Key.F4)
    walk.on(ChipsListed((replace(CHIP, stand=ChipStand.UNFINISHED), SECOND_CHIP)), HOLD, SECOND)
    assert not walk.has(SwitchChipOff)
    assert dict(tray(walk).notice.args)["wanted"] == CHIP.uid  # type: ignore[union-attr]
    walk.key(Key.F2)
    assert walk.the(PutChipAside).card_id == CHIP.card_id
    walk.key(Key.ESC)
    walk.key(Key.F4)
    walk.on(ChipsListed((replace(CHIP, stand=ChipStand.UNFINISHED, aside=True), SECOND_CHIP)), HOLD, AWAY, SECOND)
    assert walk.the(SwitchChipOff).card == SECOND_CHIP


def test_of_two_torn_cards_the_second_is_insisted_on_after_the_first() -> None:
    """A kill may leave several; neither may be forgotten for a card that was never touched."""
    torn = tuple(replace(card, stand=ChipStand.UNFINISHED) for card in (CHIP, SECOND_CHIP))
    third = replace(CHIP, card_id="third", uid="04A1B2C3D4E582")
    for done in (True, False):
        walk = at_work()
        walk.key(Key.F4)
        walk.on(ChipsListed((*torn, third)), HOLD)
        if done:
            walk.on(FIRST, ChipRunEnded(OFF), ChipsListed((torn[1], third)), AWAY)
        else:
            walk.key(Key.F2)
        walk.on(TagSeen(tag(third.uid), 50))
        assert not walk.has(SwitchChipOff)
        assert dict(tray(walk).notice.args)["wanted"] == SECOND_CHIP.uid  # type: ignore[union-attr]
        walk.on(AWAY, SECOND)
        assert walk.the(SwitchChipOff).card.card_id == SECOND_CHIP.card_id


def test_the_end_of_a_run_that_went_on_while_the_tray_was_left_does_not_end_the_next_one() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, DeviceLost(Device.NFC, "nfc.timeout"))
    walk.key(Key.ESC)
    at_tray(walk)
    walk.on(DeviceBack(Device.NFC), HOLD, AWAY, SECOND)
    walk.on(ChipRunEnded(OFF))
    assert tray(walk).running
    assert [card.stand for card in tray(walk).cards] == [ChipStand.OFF, ChipStand.WAITING]
    walk.on(ChipRunEnded(replace(OFF, card_id=SECOND_CHIP.card_id)))
    assert not tray(walk).running
    assert tray(walk).cards[1].stand is ChipStand.OFF


def test_no_key_tries_another_card_while_a_torn_one_is_away() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(TORN), AWAY)
    walk.key(Key.DIGIT, 2)
    walk.key(Key.SPACE)
    assert not walk.has(SwitchChipOff)


def test_punching_needs_the_video() -> None:
    walk = at_tray(at_desk())
    walk.on(HOLD, FIRST, ChipRunEnded(COPY))
    walk.key(Key.SPACE)
    assert not walk.has(MarkPunch)
    assert tray(walk).notice.code == "chip.punch-needs-video"  # type: ignore[union-attr]
    walk.key(Key.ESC)
    assert isinstance(walk.state, Idle)


def test_a_card_left_on_the_reader_is_not_taken_for_the_chip_of_the_next_card() -> None:
    walk = at_tray()
    walk.on(HOLD, FIRST, ChipRunEnded(OFF))
    walk.key(Key.ESC)
    assert isinstance(walk.state, Waiting)
    assert walk.state.visit.tag is None
    at_tray(walk)
    walk.on(TagSeen(tag("04FFFFFFFFFF80"), 40))  # nobody's yet: it may be the next card's
    walk.key(Key.ESC)
    assert walk.state.visit.tag is not None  # type: ignore[union-attr]


def test_a_digit_takes_a_card_in_hand_and_moves_only_simulated_ones() -> None:
    walk = at_tray()
    walk.key(Key.DIGIT, 2)
    assert walk.the(LayOnReader).uid == SECOND_CHIP.uid
    real = at_work()
    real.key(Key.F4)
    real.on(ChipsListed((replace(CHIP, simulated=False),)))
    real.key(Key.DIGIT, 1)
    assert tray(real).at == CHIP.card_id
    assert not real.has(LayOnReader)
