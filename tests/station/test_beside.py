"""The label camera beside the overhead one, with both real programs: no parcel and no other film waits for it."""

from __future__ import annotations

import os
import signal

import pytest

from app.core.events import DeviceLost, Key, RecordingCut
from app.core.readiness import Level, RecMode, label_trouble, may_begin_parcel
from app.core.states import Counting, Idle, Opening, Paused, Waiting
from app.evidence.row import verify_row
from app.programs import find_program
from app.store.results import Recording
from tests import recording
from tests.station.conftest import Desk, Desks
from tests.station.test_filming import seal, to_the_count


@pytest.fixture
def desk(desks: Desks) -> Desk:
    return desks.sit_down(label=desks.camera)


def known(desk: Desk) -> list[Recording]:
    """Every recording, in the order in which they were begun."""
    started = [event["body"]["recording"] for event in desk.chain() if event["kind"] == "recording.started"]
    return [desk.writer.call(lambda store, one=one: store.find_recording(one)) for one in started]


def records(desk: Desk, recording_id: str) -> list[dict]:
    return recording.records(desk.folder.recordings / recording_id)


def gaps(desk: Desk, recording_id: str) -> list[str]:
    return [gap["reason"] for gap in recording.gaps_of(desk.folder.recordings / recording_id)]


def begun(desk: Desk) -> None:
    """A parcel is begun, and both films have something on the disk."""
    desk.sign_in()
    desk.begin_parcel()
    desk.until(lambda: desk.station.around.label.rec.mode is RecMode.ON)


def finish(desk: Desk) -> list[Recording]:
    to_the_count(desk)
    seal(desk)
    desk.until_in(Idle)
    desk.until(lambda: all(one.state == "recorded" for one in known(desk)))
    return known(desk)


def assert_all_hold(desk: Desk, recordings: list[Recording]) -> None:
    key = desk.writer.call(lambda store: store.public_key.hex())
    for link in verify_row([desk.folder.recordings / one.recording_id for one in recordings], key):
        assert link.verdict.ok, link
        assert link.verdict.closed


def test_both_cameras_are_filmed_and_each_has_its_chain(desk: Desk) -> None:
    begun(desk)
    around = desk.station.around
    assert (around.label.camera.name, around.label.camera.level) == ("label", Level.OK)
    assert (around.camera.name, around.rec.recording_id) != ("label", around.label.rec.recording_id)
    assert "label" in around.simulated_devices
    assert not label_trouble(around.label)
    overhead, label = finish(desk)
    assert (overhead.role, label.role) == ("overhead", "label")
    genesis = records(desk, label.recording_id)[0]
    assert genesis["meta"] | {"role": "label", "beside": overhead.recording_id} == genesis["meta"]
    assert "role" not in records(desk, overhead.recording_id)[0]["meta"]
    (beside,) = [one["body"] for one in records(desk, overhead.recording_id) if one.get("event") == "recording.beside"]
    assert beside["recording"] == label.recording_id
    assert_all_hold(desk, [overhead, label])
    assert not (desk.folder.recordings / label.recording_id / "reserve").exists()
    desk.until(lambda: desk.station.around.label.rec.mode is RecMode.OFF)
    desk.scan("SF0000000000001")
    desk.until(lambda: isinstance(desk.state, Idle) and desk.state.unannounced != "")
    desk.press(Key.SPACE)
    desk.until_filmed()
    desk.until(lambda: desk.station.around.label.rec.mode is RecMode.ON)
    third, fourth = known(desk)[2:]
    assert records(desk, third.recording_id)[0]["previous"] == overhead.final_hash
    assert records(desk, fourth.recording_id)[0]["previous"] == label.final_hash


@pytest.mark.warns
def test_a_killed_label_recorder_stops_no_hands_and_tells_its_gap(desk: Desk) -> None:
    begun(desk)
    note = find_program(desk.folder.label_recorder_lock)
    assert note is not None
    os.kill(note.pid, signal.SIGKILL)
    desk.until(lambda: desk.station.around.label.rec.mode is RecMode.CUT)
    assert label_trouble(desk.station.around.label)
    assert isinstance(desk.state, Opening)
    desk.keep("read-1")
    desk.until(lambda: desk.station.around.label.rec.mode is RecMode.ON)
    assert not label_trouble(desk.station.around.label)
    desk.keep("read-2")
    desk.press(Key.SPACE)
    desk.until_in(Counting)
    desk.press(Key.SPACE)
    desk.until_in(Idle)
    desk.until(lambda: all(one.state == "recorded" for one in known(desk)))
    overhead, label = known(desk)
    assert_all_hold(desk, [overhead, label])
    assert gaps(desk, label.recording_id) == ["recorder_restarted"]
    assert gaps(desk, overhead.recording_id) == []
    first, *told = [
        one for one in records(desk, overhead.recording_id) if one.get("event", "").startswith("recording.")
    ]
    assert first["event"] == "recording.beside"
    pairs = len(told) // 2  # a busy machine may look away from the label's film as well, and that is told too
    assert [one["event"] for one in told] == ["recording.beside-cut", "recording.beside-resumed"] * pairs
    assert [one["body"]["code"] for one in told[::2]].count("recorder.gone") == 1
    assert desk.heard(RecordingCut) == desk.heard(DeviceLost) == []
    assert not any(kind.startswith(("recording.cut", "recording.resumed")) for kind in desk.kinds())


@pytest.mark.warns
def test_without_its_picture_a_parcel_is_begun_and_sealed(desks: Desks) -> None:
    desk = desks.sit_down(label=f"file:{desks.folder.root / 'nothing.mp4'}")
    desk.until(lambda: desk.station.around.label.camera.level is Level.DOWN)
    assert label_trouble(desk.station.around.label)
    desk.sign_in()
    desk.until(lambda: desk.station.around.camera.level is Level.OK)
    assert may_begin_parcel(desk.station.around) == ()
    desk.begin_parcel()
    overhead, label = finish(desk)
    assert_all_hold(desk, [overhead])
    assert records(desk, label.recording_id)[-1]["kind"] == "close"


def test_a_new_window_takes_both_films_over(desks: Desks) -> None:
    first = desks.sit_down(label=desks.camera)
    begun(first)
    first.keep("read-1")
    desks.leave(first, end_programs=False)
    second = desks.sit_down(label=desks.camera)
    second.sign_in()
    second.until_filmed()
    second.until(lambda: second.station.around.label.rec.mode is RecMode.ON)
    overhead, label = known(second)
    second.until_in(Opening, Waiting)
    second.keep("read-2")
    second.press(Key.SPACE)
    second.until_in(Counting)
    second.press(Key.SPACE)
    second.until_in(Idle)
    second.until(lambda: all(one.state == "recorded" for one in known(second)))
    assert len(known(second)) == 2
    assert_all_hold(second, known(second))
    for one in (overhead, label):
        assert gaps(second, one.recording_id) == []


@pytest.mark.warns
def test_what_a_window_closed_goes_on_in_another_and_what_nobody_closed_is_finished(desks: Desks) -> None:
    first = desks.sit_down(label=desks.camera)
    begun(first)
    desks.leave(first)
    desk = desks.sit_down(label=desks.camera)
    desk.sign_in()
    desk.until_filmed()
    desk.until(lambda: desk.station.around.label.rec.mode is RecMode.ON)
    assert [one.role for one in known(desk)].count("label") == 2
    note = find_program(desk.folder.label_recorder_lock)
    assert note is not None
    to_the_count(desk)
    os.kill(note.pid, signal.SIGSTOP)  # it hears of no end, and dies without one
    seal(desk)
    desk.until_in(Idle)
    assert not isinstance(desk.state, Paused)
    os.kill(note.pid, signal.SIGKILL)
    desks.leave(desk)
    third = desks.sit_down(label=desks.camera)
    third.until(lambda: all(one.state == "recorded" for one in known(third)))
    assert_all_hold(third, known(third))
    assert _last_reason(third, known(third)) in ("recovered", "sealed")


def _last_reason(desk: Desk, recordings: list[Recording]) -> str:
    label = [one for one in recordings if one.role == "label"][-1]
    return str(records(desk, label.recording_id)[-1]["reason"])


def test_it_is_told_while_cards_are_taken_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile a label is covered like a card; the recorder is told again when it comes back."""
    said: list[bool] = []
    assert desk.beside is not None
    monkeypatch.setattr(desk.beside._filming, "tell", lambda message: said.append(message.out))
    begun(desk)
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    desk.press(Key.SPACE)
    desk.until_in(Counting)
    seal(desk)
    desk.until_in(Idle)
    assert said == [False, True, False] or said == [True, False]
    assert [message.out for message in desk.beside._said_first()] == [False]


@pytest.mark.warns
def test_what_was_left_behind_is_closed_though_the_store_refused_it_at_first(desks: Desks) -> None:
    """A store that was put back takes nothing before the centre has spoken; the label's film waits for that."""
    first = desks.sit_down(label=desks.camera)
    begun(first)
    note = find_program(desks.folder.label_recorder_lock)
    assert note is not None
    to_the_count(first)
    os.kill(note.pid, signal.SIGSTOP)
    seal(first)
    first.until_in(Idle)
    assert first.beside is not None
    first.beside.stop(end_program=False)  # so that it starts no other one, which would hear of the end
    os.kill(note.pid, signal.SIGKILL)
    desks.leave(first)
    desk = desks.sit_down(label=desks.camera)
    left = [one.recording_id for one in known(desk) if one.state == "recording"]
    assert len(left) == 1
    desk.writer.trouble = "store.restored"
    desk.until(lambda: records(desk, left[0])[-1]["kind"] == "close")
    desk.until(lambda: desk.station.around.label.code == "store.restored")
    desk.writer.trouble = ""
    desk.until(lambda: all(one.state == "recorded" for one in known(desk)))
    assert_all_hold(desk, known(desk))
