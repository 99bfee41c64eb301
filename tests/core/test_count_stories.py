"""Declared against found, evidence, rejecting the whole parcel, sealing."""

from __future__ import annotations

from dataclasses import replace

from app.core.cards import CardState
from app.core.effects import (
    AcknowledgeRead,
    ChangeCard,
    MarkShot,
    Play,
    SealParcel,
    Sound,
    StopRecording,
    WatchForCards,
)
from app.core.events import (
    CardChanged,
    CardWasRead,
    Device,
    DeviceLost,
    Key,
    KeyHeld,
    KeyPressed,
    ParcelSealed,
    RecordingClosed,
    RecordingCut,
    SaveFailed,
    ShotTaken,
    SignedIn,
)
from app.core.parcels import Reason, WayOut
from app.core.states import (
    Counting,
    Idle,
    Sealing,
    Waiting,
)
from tests.core.making import (
    PARCEL,
    RECORDING,
    SUPERVISOR,
    Walk,
    at_work,
    card_read,
)
from tests.core.stories import CUT, paused, tray, with_cards


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
    rejection = ChangeCard(second.card_id, CardState.REJECTED, (Reason.REJECTED_SENDER,))
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
