"""Another camera, or another size of its pictures, while a card lies there: places of before are elsewhere now."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from app.evidence.ring import Note, Picture, leftovers, read_segment
from app.evidence.verify import verify_recording
from app.recorder.ahead import Ring
from app.recorder.line import Line
from app.recorder.masking import VIEW, Words
from app.recorder.opening import open_take, recover_recording
from app.recorder.protocol import CameraState, RecordingClosed, Start, Zones
from app.recorder.squeeze import PLANES, Squeezer
from tests.recorder.conftest import now_us
from tests.recorder.test_ahead import KEYS, Told, planes, start_in, until
from tests.recorder.test_masked import CARD, PIN
from tests.recording import records

FIRST_US, SWAP_US = 1_000_000, 2_000_000
SEEN_US = SWAP_US + 1_000_000
ELSEWHERE = [10.0, 160.0, 130.0, 160.0, 130.0, 235.0, 10.0, 235.0]


def said(at_us: int) -> Zones:
    """What the eye says: of the spare camera's picture at first the place of before, not calm; later what is there."""
    if at_us < SWAP_US:
        return Zones(at_us, CARD, False, True, [PIN])
    if at_us < SEEN_US:
        return Zones(at_us, CARD, False, False)
    return Zones(at_us, ELSEWHERE, False, True, [])


def masked(folder: Path) -> Start:
    return replace(start_in(folder), masked=True)


def swap(line: Line, folder: Path, size: tuple[int, int]) -> None:
    """Four seconds at ten pictures a second; after one of them F4, or the camera gives another size."""
    cameras = ("file:x", "file:x") if size != (320, 240) else ("file:x", "file:spare")
    line.camera_changed(CameraState("live", "", cameras[0], 30.0, 320, 240))
    line.begin(masked(folder))
    for at_us in range(FIRST_US, 5_000_000, 100_000):
        wide, high = (320, 240) if at_us < SWAP_US else size
        if at_us == SWAP_US:
            line.camera_changed(CameraState("live", "", cameras[1], 30.0, wide, high))
        picture = np.random.default_rng(at_us).integers(20, 230, wide * high * 3 // 2, np.uint8)
        line.take_frame(picture, at_us, wide, high)
        line.zones(said(at_us))


def assert_covered_until_it_was_seen(folder: Path) -> None:
    spans = [(one["from_pts"] + FIRST_US, one["to_pts"] + FIRST_US, one["reason"]) for one in records(folder, "mask")]
    for at_us in range(SWAP_US, SEEN_US, 100_000):
        assert [why for begins, ends, why in spans if begins <= at_us <= ends] == ["unclear"], at_us
    assert (spans[0][2], spans[-1][2]) == ("fields", "card")


@pytest.mark.parametrize("size", [(320, 240), (640, 480)])
def test_after_a_swap_all_is_covered_until_the_eye_has_looked(tmp_path: Path, size: tuple[int, int]) -> None:
    """The spare camera's first pictures were covered where the card had lain in the other one's."""
    heard = Told()
    line = Line(heard.append, heard.append)
    swap(line, tmp_path, size)
    line.start()
    line.end("sealed")
    until(heard.closed)
    line.stop()
    assert_covered_until_it_was_seen(tmp_path / "r1")
    assert verify_recording(tmp_path / "r1").ok


def test_what_a_crash_leaves_of_a_swap_is_covered_so_too(tmp_path: Path) -> None:
    open_take(masked(tmp_path), lambda _message: None).give_up()
    ring, squeezer = Ring(tmp_path / "r1", KEYS.content), Squeezer()
    for at_us in range(FIRST_US, 5_000_000, 100_000):
        if at_us == SWAP_US:
            ring.append(Note(VIEW, {"from_us": SWAP_US}))
        ring.append(Picture(at_us, 320, 240, PLANES, squeezer.squeeze(planes(at_us), 320, 240)))
        ring.append(Note("zones", asdict(said(at_us))))
    ring.sync()
    ring.end(keep=True)
    assert recover_recording(tmp_path / "r1", KEYS)["frames"] == 40
    assert_covered_until_it_was_seen(tmp_path / "r1")


def test_a_view_is_settled_once_and_for_all() -> None:
    words = Words()
    words.keep_from(0)
    for at_us in range(0, 30_000_000, 100_000):
        words.add(Zones(at_us, [], True, True))
        if at_us == 2_000_000:
            words.another_view(2_050_000)
    assert words.cover(1_500_000, 320, 240).reason == ""
    assert words.cover(2_100_000, 320, 240).reason == "unclear"
    assert words.cover(2_500_000, 320, 240).reason == ""
    assert words.cover(29_000_000, 320, 240).reason == ""


def test_a_recording_that_begins_behind_a_swap_tells_its_ring_of_it(tmp_path: Path) -> None:
    """The pre-roll may hold the first pictures of the other camera."""
    heard = Told()
    line = Line(heard.append, heard.append)
    began_us = now_us()
    for n, camera in enumerate(("file:old", "file:x")):
        line.camera_changed(CameraState("live", "", camera, 30.0, 320, 240))
        line.take_frame(np.full(320 * 240 * 3 // 2, 90, np.uint8), began_us + n * 40_000, 320, 240)
    line.begin(start_in(tmp_path))
    line.start()
    until(lambda: line._ahead.synced_us > 0)
    (segment,) = leftovers(tmp_path / "r1")
    noted = [one for one in read_segment(segment, KEYS.content).entries() if isinstance(one, Note)]
    assert [one.body for one in noted if one.kind == VIEW] == [{"from_us": began_us + 40_000}]
    line.end("sealed")
    until(heard.closed)
    line.stop()
    assert [one.frames for one in heard if isinstance(one, RecordingClosed)] == [1]
