"""A recording that is closed is never opened again: the parcel goes on in the next one."""

from __future__ import annotations

from app.core.effects import StartRecording
from app.core.events import (
    CardWasRead,
    CodeScanned,
    Device,
    ParcelResumed,
    RecordingBegan,
    RecordingClosed,
    SignedIn,
)
from app.core.states import Opening, Paused, Saving, Waiting
from tests.core.making import BADGE, CLERK, RECORDING, Walk, card_read, visit


def test_recording_closed_while_nobody_was_there_is_followed_by_another() -> None:
    walk = Walk()
    walk.on(ParcelResumed(visit().as_open_parcel()), CodeScanned(BADGE), SignedIn(CLERK))
    assert walk.the(StartRecording).recording_id == RECORDING
    walk.on(RecordingClosed(RECORDING))
    assert walk.the(StartRecording).recording_id == RECORDING  # the station finds it closed and takes a new one
    walk.on(RecordingBegan("recording-2", 500_000))
    assert isinstance(walk.state, Opening)
    assert walk.state.began
    walk.on(CardWasRead(card_read()))
    assert isinstance(walk.state, Saving)
    assert walk.state.draft.recording_id == "recording-2"


def test_recording_closed_under_the_hands_is_followed_by_another() -> None:
    walk = Walk(Waiting(visit(first_us=1)))
    walk.on(RecordingClosed(RECORDING))
    assert isinstance(walk.state, Paused)
    walk.the(StartRecording)
    walk.on(RecordingBegan("recording-2", 9_000_000))
    assert isinstance(walk.state, Paused)
    assert walk.state.ready
    assert walk.state.back_to.visit.recording_id == "recording-2"


def test_recording_found_closed_while_the_opening_stands_still_is_followed_by_another() -> None:
    walk = Walk(Paused(Device.STORE, "store.io", Opening(visit())))
    walk.on(RecordingClosed(RECORDING))
    walk.the(StartRecording)
