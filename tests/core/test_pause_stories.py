"""What interrupts the work, and how it goes on without losing or doubling anything."""

from __future__ import annotations

from dataclasses import replace

from app.core.cards import CardState
from app.core.effects import (
    AcknowledgeRead,
    CheckBadge,
    OpenParcelRecord,
    Play,
    ReadAgain,
    RecordFact,
    SaveCard,
    Sound,
    StartRecording,
    UseSpareCamera,
    WatchForCards,
)
from app.core.events import (
    CardChanged,
    CardSaved,
    CardSighted,
    CardWasRead,
    CodeScanned,
    Device,
    DeviceBack,
    DeviceLost,
    Key,
    KeyHeld,
    KeyPressed,
    ParcelFound,
    ParcelResumed,
    RecordingBegan,
    RecordingClosed,
    RecordingResumed,
    SaveFailed,
    SignedIn,
)
from app.core.parcels import CardDraft
from app.core.states import (
    Opening,
    Waiting,
)
from tests.core.making import (
    BADGE,
    CLERK,
    EMPTY,
    EXPECTED,
    PARCEL,
    RECORDING,
    SEEN,
    SUPERVISOR,
    WAYBILL,
    Walk,
    at_desk,
    at_work,
    card_read,
    kept,
    visit,
)
from tests.core.stories import COVERED, CUT, paused, tray, with_cards


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


def test_a_supervisor_whose_rights_lapsed_does_not_release_and_is_told_why() -> None:
    walk = at_work()
    walk.on(CUT, RecordingResumed(120_000_000))
    walk.on(SignedIn(replace(SUPERVISOR, role=CLERK.role, lapsed=True)))
    assert (paused(walk).supervisor, paused(walk).lapsed) == (True, True)
    walk.on(SignedIn(SUPERVISOR))
    assert (paused(walk).supervisor, paused(walk).lapsed) == (False, False)


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
