"""The station's side of the eye: what it is told, told again, and what its words mean to a session."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from app.core.cards import Guidance, Sighting
from app.core.events import CardLeftTooEarly, CardSighted, CardWasRead, Device, DeviceBack, DeviceLost, Key, SaveFailed
from app.core.states import Waiting
from app.eye.codec import EyeTrouble, LeftTooEarly
from app.programs import find_program
from tests.core.making import QUAD, card_read
from tests.station.conftest import Desk, Desks


def eye_pid(desk: Desk) -> int:
    note = find_program(desk.folder.eye_lock)
    return note.pid if note else 0


def ready(desk: Desk) -> None:
    desk.until(lambda: desk.looking.ready)


def test_eye_is_configured_and_told_where_the_frames_are(desk: Desk) -> None:
    ready(desk)
    desk.until(lambda: desk.eye_heard("Watch") != [])
    assert desk.eye_heard("Configure")[0]["body"]["templates"] == ["templates"]
    assert desk.eye_heard("Watch")[0]["body"]["frames_path"] == str(desk.folder.frames)
    assert DeviceBack(Device.EYE) in desk.events


@pytest.mark.warns
def test_killed_eye_is_replaced_and_told_everything_again_also_what_it_missed(desk: Desk) -> None:
    ready(desk)
    pid = eye_pid(desk)
    os.kill(pid, signal.SIGSTOP)  # it does not hear what comes now
    os.kill(pid, signal.SIGKILL)
    desk.until(lambda: not desk.looking.ready)
    desk.looking.read_again()
    ready(desk)
    assert eye_pid(desk) not in (0, pid)
    desk.until(lambda: not Path(f"/proc/{pid}").exists())
    desk.until(lambda: desk.eye_heard("ReadAgain") != [])
    assert [heard["pid"] for heard in desk.eye_heard("Configure")] == [pid, eye_pid(desk)]
    assert [heard["pid"] for heard in desk.eye_heard("ReadAgain")] == [eye_pid(desk)]
    assert DeviceLost(Device.EYE, "eye.gone") in desk.events
    assert desk.events.count(DeviceBack(Device.EYE)) == 2


@pytest.mark.warns
def test_eye_that_talks_nonsense_is_replaced(desk: Desk) -> None:
    ready(desk)
    pid = eye_pid(desk)
    say = desk.folder.runtime / "eye.say"
    say.with_name("partial").write_text('{"kind": "Poem", "body": {}}\n')
    say.with_name("partial").rename(say)
    desk.until(lambda: DeviceLost(Device.EYE, "eye.garbled") in desk.events)
    ready(desk)
    assert eye_pid(desk) != pid


def test_reading_again_before_anything_was_read_is_harmless(desk: Desk) -> None:
    ready(desk)
    desk.looking.read_again()
    desk.until(lambda: desk.eye_heard("ReadAgain") != [])
    assert desk.eye_heard("ReadAgain")[0]["body"] == {"read_id": ""}
    desk.eye_says(card_read("read-7"))
    desk.until(lambda: desk.heard(CardWasRead) != [])
    desk.looking.read_again()
    desk.until(lambda: len(desk.eye_heard("ReadAgain")) == 2)
    assert desk.eye_heard("ReadAgain")[1]["body"] == {"read_id": "read-7"}


def test_sightings_guide_and_show_sharpness_an_empty_mat_has_none(desk: Desk) -> None:
    ready(desk)
    desk.eye_says(Sighting(1, Guidance.NONE, QUAD, sharpness=0.8, glare=0.1))
    desk.until(lambda: desk.station.around.camera.sharpness == 0.8)
    assert desk.station.around.camera.glare == 0.1
    desk.eye_says(Sighting(2, Guidance.EMPTY))
    desk.until(lambda: desk.station.around.camera.sharpness is None)
    desk.until(lambda: len(desk.heard(CardSighted)) == 2)


def test_card_that_left_too_early_matters_only_while_cards_are_taken(desk: Desk) -> None:
    ready(desk)
    desk.eye_says(LeftTooEarly(1, 2), card_read("after"))
    desk.until(lambda: desk.heard(CardWasRead) != [])
    assert desk.heard(CardLeftTooEarly) == []
    desk.looking.watch(True)
    desk.eye_says(LeftTooEarly(1, 2))
    desk.until(lambda: desk.heard(CardLeftTooEarly) != [])


def test_trouble_of_the_eye_is_told(desk: Desk) -> None:
    ready(desk)
    desk.eye_says(EyeTrouble("reading.model_missing", "x"))
    desk.until(lambda: DeviceLost(Device.EYE, "reading.model_missing") in desk.events)


@pytest.mark.warns
def test_every_read_is_acknowledged_once_it_is_kept_and_only_then(desk: Desk) -> None:
    desk.sign_in()
    desk.begin_parcel()
    desk.until(lambda: desk.eye_heard("Forget") != [])  # what lay there before the recording began counts as new
    desk.writer.trouble = "store.io"
    read = card_read("read-1", best_us=desk.clock.mono_us())
    desk.eye_says(read)
    desk.until(lambda: desk.heard(SaveFailed) != [])
    assert desk.eye_heard("Ack") == []
    desk.writer.trouble = ""
    desk.press(Key.SPACE)
    desk.until_in(Waiting)
    desk.until(lambda: [ack["body"]["read_id"] for ack in desk.eye_heard("Ack")] == ["read-1"])
    assert len(desk.cards()) == 1


def test_next_station_finds_the_living_eye_and_configures_it_anew(desks: Desks) -> None:
    first = desks.sit_down()
    ready(first)
    pid = eye_pid(first)
    desks.leave(first, end_programs=False)
    second = desks.sit_down()
    ready(second)
    assert eye_pid(second) == pid
    assert len(second.eye_heard("Configure")) == 2
