"""The station's side of the recorder, with the real program behind it."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.effects import StopRecording
from app.core.events import (
    DeviceLost,
    Key,
    RecordingBegan,
    RecordingClosed,
    RecordingCut,
    RecordingResumed,
    SaveFailed,
)
from app.core.readiness import Level, RecMode
from app.core.states import Counting, Idle, Opening, Paused, Sealing, Waiting
from app.evidence.dossier import card_stretch
from app.evidence.verify import Verdict, verify_recording
from app.platform import process_alive
from app.recorder import protocol as told
from app.station import filming
from tests.recording import gaps_of
from tests.station.conftest import Desk, Desks, recorder_plan

DEAD = (sys.executable, "-c", "raise SystemExit(7)")


def check(desk: Desk, recording_id: str) -> Verdict:
    key = desk.writer.call(lambda store: store.public_key.hex())
    return verify_recording(desk.folder.recordings / recording_id, key)


def to_the_count(desk: Desk) -> None:
    """Begin the parcel and go straight to the count: nothing was in it."""
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    desk.press(Key.SPACE)
    desk.until_in(Counting)


def seal(desk: Desk) -> None:
    """Both evidence shots, then: submit the difference."""
    for _ in range(2):
        before = len(desk.state.visit.shots)
        desk.press(Key.SPACE)
        desk.until(lambda before=before: len(desk.state.visit.shots) > before)
    desk.press(Key.DIGIT, 1)
    desk.press(Key.SPACE)


def begun(desk: Desk) -> str:
    desk.sign_in()
    desk.begin_parcel()
    return desk.state.visit.recording_id


def test_recording_is_followed_from_its_first_bytes_to_its_seal(desk: Desk) -> None:
    recording_id = begun(desk)
    [began] = desk.heard(RecordingBegan)
    assert began.recording_id == recording_id
    assert desk.clock.mono_us() - began.first_us < 20_000_000
    desk.until(lambda: desk.station.around.rec.elapsed_us > 1_000_000)
    around = desk.station.around
    assert (around.rec.mode, around.rec.recording_id, around.camera.level) == (RecMode.ON, recording_id, Level.OK)
    assert (around.camera.width, around.camera.height, around.camera.simulated) == (320, 240, True)
    assert around.rec.bytes_on_disk > 0
    to_the_count(desk)
    seal(desk)
    desk.until_in(Idle)
    desk.until(lambda: desk.station.around.rec.mode is RecMode.OFF)
    verdict = check(desk, recording_id)
    assert verdict.ok
    assert verdict.closed
    closed = next(event for event in desk.chain() if event["kind"] == "recording.closed")
    assert closed["body"]["final_hash"] == verdict.head
    assert closed["body"]["frames"] == verdict.frames
    assert desk.kinds().count("recording.cut") == 0


@pytest.mark.warns
def test_killed_recorder_stops_the_hands_comes_back_and_the_gap_is_in_the_journal(desk: Desk) -> None:
    recording_id = begun(desk)
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    pid = desk.recorder_pid()
    os.kill(pid, signal.SIGKILL)
    desk.until_in(Paused)
    assert desk.station.around.rec.mode is RecMode.CUT
    assert desk.station.around.camera.level is Level.DOWN
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    desk.until(lambda: desk.station.around.rec.mode is RecMode.ON)
    assert desk.recorder_pid() not in (0, pid)
    desk.until(lambda: not Path(f"/proc/{pid}").exists())
    [cut], [resumed] = desk.heard(RecordingCut), desk.heard(RecordingResumed)
    assert cut.code == "recorder.gone"
    assert 0 < resumed.gap_us < 60_000_000
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    desk.press(Key.SPACE)
    desk.until_in(Counting)
    seal(desk)
    desk.until_in(Idle)
    verdict = check(desk, recording_id)
    assert verdict.ok
    assert [gap["reason"] for gap in gaps_of(desk.folder.recordings / recording_id)] == ["recorder_restarted"]
    assert [kind for kind in desk.kinds() if kind.startswith("recording.")] == [
        "recording.started",
        "recording.cut",
        "recording.resumed",
        "recording.closed",
    ]


@pytest.mark.warns
def test_an_event_that_the_recorder_did_not_live_to_write_is_in_the_journal_once(desk: Desk) -> None:
    """A card kept while the recorder was dead was missing in the chain, and no dossier of it could be made."""
    recording_id = begun(desk)
    desk.filming.note("card.kept", {"card": "before", "t_video_us": 1})
    os.kill(desk.recorder_pid(), signal.SIGKILL)
    desk.until_in(Paused)
    noted_us = desk.clock.mono_us()
    desk.filming.note("card.kept", {"card": "away", "t_video_us": 2})
    desk.until(lambda: desk.station.around.rec.mode is RecMode.ON)
    desk.filming._say_all_again()  # and once more than need be
    desk.until(lambda: not desk.filming._notes)
    desk.press(Key.SPACE)
    desk.until_in(Opening)
    to_the_count(desk)
    seal(desk)
    desk.until_in(Idle)
    assert check(desk, recording_id).ok
    folder = desk.folder.recordings / recording_id
    events = [one for one in map(json.loads, (folder / "journal.jsonl").read_text().splitlines()) if "event" in one]
    kept = [one for one in events if one["event"] == "card.kept"]
    assert sorted(one["body"]["card"] for one in kept) == ["away", "before"]
    away = next(one for one in kept if one["body"]["card"] == "away")
    assert noted_us <= away["body"]["at_mono_us"] < away["mono_us"]
    assert card_stretch(folder, "away").to_pts > 2


@pytest.mark.warns
def test_a_recording_that_could_not_be_sealed_is_none_that_is_closed(desk: Desk) -> None:
    """The disk had no room for its end: it stays open in the store, and is gone on with when the disk takes it."""
    recording_id = begun(desk)
    desk.filming._hear(told.to_wire(told.RecordingClosed(recording_id, "", "00", 0, 0, 0, "disk_full")))
    desk.until_in(Paused)
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    assert [one.recording_id for one in desk.writer.call(lambda store: store.unclosed_recordings())] == [recording_id]
    desk.press(Key.SPACE)
    desk.until_in(Opening)
    to_the_count(desk)
    seal(desk)
    desk.until_in(Idle)
    assert check(desk, recording_id).closed


def stopped_at_the_seal(desk: Desk) -> int:
    """Seal while the recorder stands still, so that it never hears of it; its pid."""
    to_the_count(desk)
    pid = desk.recorder_pid()
    for no in (1, 2):
        desk.press(Key.SPACE)
        desk.until(lambda no=no: len(desk.state.visit.shots) == no)
    os.kill(pid, signal.SIGSTOP)
    desk.press(Key.DIGIT, 1)
    desk.press(Key.SPACE)
    desk.until_in(Sealing)
    return pid


@pytest.mark.warns
def test_recorder_killed_in_the_moment_of_the_seal_still_seals(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "_CLOSE_US", 60_000_000)  # however long a busy machine takes to start another one
    recording_id = begun(desk)
    os.kill(stopped_at_the_seal(desk), signal.SIGKILL)
    desk.until_in(Idle)
    assert desk.heard(SaveFailed) == []
    verdict = check(desk, recording_id)
    assert verdict.ok
    assert verdict.closed


@pytest.mark.warns
def test_recorder_that_does_not_come_back_at_the_seal_is_told_and_asked_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording_id = begun(desk)
    pid = stopped_at_the_seal(desk)
    plan = desk.filming._link._plan
    desk.filming._link._plan = replace(plan, argv=DEAD)
    monkeypatch.setattr(filming, "_CLOSE_US", 500_000)
    os.kill(pid, signal.SIGKILL)
    desk.until_in(Paused)
    assert (desk.state.code, desk.state.ready) == ("recorder.not_closed", True)
    desk.filming._link._plan = plan
    monkeypatch.setattr(filming, "_CLOSE_US", 60_000_000)
    desk.press(Key.SPACE)
    desk.until_in(Idle)
    assert check(desk, recording_id).closed
    assert desk.kinds()[-3:] == ["recording.closed", "parcel.counted", "parcel.sealed"]


def test_seal_asked_for_twice_is_answered_twice(desk: Desk) -> None:
    """The store could not write the end down the first time; the recorder has forgotten the recording by then."""
    recording_id = begun(desk)
    to_the_count(desk)
    desk.filming.end(recording_id, "sealed")
    desk.until(lambda: len(desk.heard(RecordingClosed)) == 1)
    desk.filming.end(recording_id, "sealed")
    desk.until(lambda: len(desk.heard(RecordingClosed)) == 2)
    assert desk.kinds().count("recording.closed") == 1


@pytest.mark.warns
def test_hung_recorder_is_a_cut_not_a_red_light(desks: Desks) -> None:
    desk = desks.sit_down(recorder=recorder_plan(desks.folder, quiet_s=4))
    begun(desk)
    pid = desk.recorder_pid()
    os.kill(pid, signal.SIGSTOP)
    desk.until_in(Paused)
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    desk.until(lambda: not process_alive(pid))


@pytest.mark.warns
def test_recording_that_cannot_begin_begins_when_it_can(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "_START_AGAIN_US", 300_000)
    desk.folder.recordings.rmdir()
    desk.folder.recordings.write_text("in the way")
    desk.sign_in()
    desk.until(lambda: desk.station.around.camera.level is Level.OK)
    desk.scan("SF1382290461175")
    desk.until(lambda: desk.heard(DeviceLost) != [])
    assert isinstance(desk.state, Opening)
    assert not desk.state.began
    assert desk.cards() == ()
    desk.folder.recordings.unlink()
    desk.folder.recordings.mkdir()
    desk.until_filmed()
    assert StopRecording(desk.state.visit.recording_id) not in desk.effects


def pull(desk: Desk, desks: Desks, away_s: float) -> None:
    """Pull the camera in half a second, for so long."""
    lose_at_s = (desk.clock.mono_us() - desks.epoch_us) / 1e6 + 0.5
    times = f"lose_at_s={lose_at_s:.2f}&back_at_s={lose_at_s + away_s:.2f}"
    desk.cameras.overhead = f"sim:{desks.film}?epoch_us={desks.epoch_us}&loop=1&{times}"
    desk.filming.change_camera(desk.cameras.overhead)


@pytest.mark.warns
def test_camera_that_is_pulled_stops_the_hands_and_space_goes_on(desks: Desks) -> None:
    desk = desks.sit_down()
    recording_id = begun(desk)
    desk.keep("card-1")
    pull(desk, desks, 4.0)
    desk.until_in(Paused)
    assert desk.state.code == "camera.lost"
    assert desk.station.around.camera.code in ("camera.lost", "camera.missing")  # it is looked for again at once
    desk.press(Key.SPACE)  # too early: nothing goes on without a picture
    desk.show_card("card-2")  # without video no card is taken
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    assert len(desk.cards()) == 1
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    desk.keep("card-2b")
    desk.press(Key.SPACE)
    desk.press(Key.SPACE)
    desk.until_in(Idle)
    verdict = check(desk, recording_id)
    assert verdict.ok
    assert verdict.gaps >= 1
    assert desk.kinds().count("card.kept") == 2


def test_camera_that_is_missing_begins_no_parcel_until_it_is_there(desks: Desks) -> None:
    later = desks.folder.root / "later.mp4"
    desk = desks.sit_down(camera=f"file:{later}?loop=1")
    desk.sign_in()
    desk.until(lambda: desk.station.around.camera.level is Level.DOWN)
    assert desk.station.around.camera.code == "camera.missing"
    desk.scan("SF1382290461175")
    desk.until(lambda: isinstance(desk.state, Idle) and desk.state.notice is not None)
    assert desk.state.notice.code == "camera.not_ready"
    assert desk.kinds() == ["operator.signed-in"]
    later.write_bytes(desks.film.read_bytes())
    desk.begin_parcel()


@pytest.mark.warns
def test_spare_camera_goes_on_in_the_same_recording(desks: Desks) -> None:
    desk = desks.sit_down(spare=desks.camera)
    recording_id = begun(desk)
    pull(desk, desks, 1000.0)
    desk.until_in(Paused)
    desk.press(Key.F4)
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    desk.press(Key.SPACE)
    desk.until_in(Opening, Waiting)
    assert desk.station.around.rec.recording_id == recording_id
    assert desk.station.around.camera.level is Level.OK


@pytest.mark.warns
def test_no_spare_camera_changes_nothing_but_sounds_wrong(desk: Desk) -> None:
    begun(desk)
    os.kill(desk.recorder_pid(), signal.SIGKILL)
    desk.until(lambda: isinstance(desk.state, Paused) and desk.state.ready)
    before = len(desk.sounds)
    desk.press(Key.F4)
    desk.until(lambda: len(desk.sounds) > before)
    assert isinstance(desk.state, Paused)
    assert desk.state.ready
