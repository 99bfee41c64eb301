"""What the desk does when recording fails: a full disk, a recording that is not signed, a camera that is pulled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.events import DeviceLost, Key, RecordingClosed, RecordingCut, SaveFailed
from app.core.readiness import RecMode
from app.core.states import Idle, Paused, Waiting
from app.evidence.verify import Verdict, verify_recording
from app.recorder import protocol as told
from app.station.perform import Perform
from tests import disks
from tests.station.conftest import Desk, Desks


def check(desk: Desk, recording_id: str) -> Verdict:
    key = desk.writer.call(lambda store: store.public_key.hex())
    return verify_recording(desk.folder.recordings / recording_id, key)


def waiting(desk: Desk) -> str:
    """A parcel with one card kept, the next one expected; the recording's name."""
    desk.sign_in()
    desk.begin_parcel()
    desk.keep("card-1")
    desk.until_in(Waiting)
    return str(desk.state.visit.recording_id)


@pytest.fixture
def small_disk(desks: Desks) -> Iterator[Path]:
    """The recordings on a real file system of 16 MB of their own."""
    with disks.small_disk(desks.folder.recordings, "16m") as disk:
        yield disk
        desks.leave_all()  # before what they write to goes


def fill(disk: Path) -> Path:
    """Take all that is free but some fragments."""
    return disks.fill(disk, 150_000)


@pytest.mark.warns
def test_full_disk_seals_what_there_is_and_stops_the_clerk_before_the_next_card(desks: Desks, small_disk: Path) -> None:
    desk = desks.sit_down(reserve_bytes=6_000_000)
    recording_id = waiting(desk)
    desk.until(lambda: desk.station.around.rec.frames > 30)
    filler = fill(small_disk)
    desk.until_in(Paused)
    desk.show_card("card-2")  # no card is taken without video
    desk.press(Key.SPACE)
    desk.until(lambda: "store.disk_full" in [lost.code for lost in desk.heard(DeviceLost)])
    assert isinstance(desk.state, Paused)
    assert len(desk.cards()) == 1
    desk.until(lambda: recording_id in [closed.recording_id for closed in desk.heard(RecordingClosed)])
    verdict = check(desk, recording_id)
    assert verdict.ok, verdict
    assert verdict.closed
    assert verdict.frames > 30
    filler.unlink()
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    desk.keep("card-2b")
    assert desk.kinds().count("card.kept") == 2
    assert check(desk, desk.state.visit.recording_id).ok


@pytest.mark.warns
def test_a_recording_that_is_not_signed_goes_on_and_the_strip_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to be told to nobody when it came before the first frame, and stopped the hands for ever afterwards."""
    made = Perform._start_message

    def without_key(*words: Any) -> told.Start:
        return replace(made(*words), signing_key="")

    monkeypatch.setattr(Perform, "_start_message", without_key)
    recording_id = waiting(desk)
    desk.until(lambda: desk.station.around.rec.code == "recorder.unsigned")
    assert desk.station.around.rec.mode is RecMode.ON
    desk.filming._hear(told.to_wire(told.Trouble("recorder.event_refused", "a number that is none")))
    desk.keep("card-2")
    assert desk.heard(DeviceLost) == desk.heard(RecordingCut) == []
    desk.press(Key.SPACE)
    desk.press(Key.SPACE)
    desk.until_in(Idle)
    desk.until(lambda: desk.station.around.rec.mode is RecMode.OFF)
    assert desk.station.around.rec.code == ""
    fault = check(desk, recording_id).fault
    assert fault is not None
    assert fault.code == "evidence.unsigned"


@pytest.mark.warns
def test_a_sealed_recording_that_the_store_refused_is_written_down_later_and_nothing_is_taken_meanwhile(
    desk: Desk,
) -> None:
    """The store says no to everything while the recording ends of itself. Space used to go on without any video."""
    first = waiting(desk)
    desk.writer.trouble = "store.restored"
    desk.filming._send(told.Stop("test"))  # the recorder closes it, and nobody at the desk asked for that
    desk.until(lambda: isinstance(desk.state, Paused) and not desk.state.ready)
    desk.press(Key.SPACE)
    desk.show_card("card-2")
    desk.until(lambda: [one.code for one in desk.heard(SaveFailed)] == ["store.restored"])
    assert isinstance(desk.state, Paused)
    desk.writer.trouble = ""
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    desk.keep("card-2b")
    assert desk.state.visit.recording_id != first
    assert desk.kinds().count("recording.closed") == 1
    assert check(desk, first).closed
