"""The ring and the encoder under trouble: a disk that hangs, an encoder too slow, a clock that jumps."""

from __future__ import annotations

import errno
import gc
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.evidence import writer as evidence_writer
from app.evidence.journal import Signer
from app.evidence.mask import Word
from app.evidence.ring import Picture
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.recorder import ahead as ahead_module
from app.recorder.ahead import Ahead, Begin, End, Failed, Item, Shot
from app.recorder.line import Line
from app.recorder.protocol import CameraState, FromRecorder, RecordingClosed, Start, Zones
from app.reserve import FOOTAGE_RESERVE
from tests.recording import records

KEYS = RecordingKeys(bytes(range(32)), bytes(range(100, 132)))


def start_in(folder: Path) -> Start:
    assert KEYS.signing is not None
    return Start("r1", str(folder), "file:x", KEYS.content.hex(), KEYS.signing.hex(), "", True)


def planes(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(20, 230, 320 * 240 * 3 // 2, np.uint8)


def until(true, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Told(list[FromRecorder]):
    def closed(self) -> list[RecordingClosed]:
        return [message for message in self if isinstance(message, RecordingClosed)]


def record(line: Line, count: int, from_us: int = 1_000_000) -> None:
    for n in range(count):
        line.take_frame(planes(n), from_us + n * 33_333, 320, 240)


def words_in_memory() -> int:
    gc.collect()
    return sum(isinstance(one, Word) for one in gc.get_objects())


@pytest.mark.parametrize("masked", [False, True])
def test_what_the_eye_said_is_forgotten_when_no_frame_asks_for_it_any_more(tmp_path: Path, masked: bool) -> None:
    """Five minutes of it; of a film that is not masked no frame ever asks."""
    before = words_in_memory()
    line = Line(lambda _message: None, lambda _state: None)
    line.start()
    line.camera_changed(CameraState("live", "", "file:x", 30.0, 320, 240))
    line.begin(replace(start_in(tmp_path), masked=masked))
    for n in range(4_500):
        line.zones(Zones(1_000_000 + n * 66_000, [], True, True))
        if n % 300 == 299:
            line.take_frame(planes(n), 1_000_000 + n * 66_000, 320, 240)
            until(lambda taken=n // 300 + 1: line.state().frames >= taken - 2)  # type: ignore[misc]
    assert words_in_memory() - before < 1_200
    line.stop()


def test_a_disk_that_hangs_costs_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released, hung = threading.Event(), threading.Event()
    real = ahead_module.RingSegment.sync

    def slow(segment: ahead_module.RingSegment) -> None:
        if not released.is_set():
            hung.set()
            assert released.wait(60)
        real(segment)

    monkeypatch.setattr(ahead_module.RingSegment, "sync", slow)
    heard = Told()
    line = Line(heard.append, heard.append)
    line.start()
    line.camera_changed(CameraState("live", "", "file:x", 30.0, 320, 240))
    line.begin(start_in(tmp_path))
    record(line, 90)
    assert hung.wait(60)
    monkeypatch.setattr("app.recorder.line._GRACE_US", 0)
    assert line.state().state == "cut"  # nothing is durable: REC says so
    released.set()
    line.end("sealed")
    until(heard.closed)
    line.stop()
    (closed,) = heard.closed()
    assert (closed.frames, closed.dropped) == (90, 0)
    assert verify_recording(tmp_path / "r1", Signer(KEYS.signing).public_key, KEYS.content).ok


@pytest.mark.warns
@pytest.mark.parametrize("reserve_bytes", [0, 100_000])
def test_on_a_full_disk_there_is_room_before_anybody_hears_of_it(tmp_path: Path, monkeypatch, reserve_bytes) -> None:
    """The fragments that are still to come need it at once: told first, they met a disk as full as before."""
    folder, found = tmp_path / "footage", []
    reserve = folder / FOOTAGE_RESERVE

    def forward(item: Item) -> None:
        if isinstance(item, Failed):
            found.append((reserve.exists(), len(list(folder.glob("r1/ring-*")))))

    def refuse(_segment: object, _entry: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    ahead = Ahead(forward)
    ahead.put(replace(start_in(folder), reserve=str(reserve), reserve_bytes=reserve_bytes))
    ahead.start()
    until(lambda: list(folder.glob("r1/ring-*")))
    assert not reserve_bytes or reserve.stat().st_blocks * 512 >= reserve_bytes
    monkeypatch.setattr(ahead_module.RingSegment, "append", refuse)
    ahead.offer(Shot(1, Picture(1, 320, 240, "mjpeg", b"x")))
    until(lambda: found)
    ahead.stop()
    assert found == [(False, 1)]  # what waits in the ring is not lost


def test_a_ring_that_was_given_up_takes_no_more_and_touches_no_other_file(tmp_path: Path) -> None:
    """A part that meets the full disk first ends the recording while frames still come; their file number is free."""
    ring = ahead_module.Ring(tmp_path / "r1", KEYS.content)
    assert ring.append(Picture(1, 320, 240, "mjpeg", b"x")) is not None
    ring.end(keep=False)
    with (tmp_path / "other").open("wb") as other:
        assert ring.append(Picture(2, 320, 240, "mjpeg", b"x" * 100)) is None
        ring.sync()
        assert os.fstat(other.fileno()).st_size == 0


def test_without_memory_for_it_a_frame_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead_module, "_QUEUE_BYTES", 100)
    heard = Told()
    line = Line(heard.append, heard.append)
    line.begin(start_in(tmp_path))
    record(line, 5)  # the ring thread has not begun: nothing fits the queue
    line.start()
    line.end("sealed")
    until(heard.closed)
    line.stop()
    (closed,) = heard.closed()
    assert (closed.frames, closed.dropped) == (0, 5)


def test_what_the_encoder_is_too_slow_for_is_read_back_from_the_disk(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ahead_module, "_HELD_BYTES", 0)
    forwarded: list = []
    ahead = Ahead(forwarded.append)
    ahead.start()
    ahead.put(start_in(tmp_path))
    sent = [Picture(n + 1, 320, 240, "mjpeg", bytes([n]) * 1000) for n in range(20)]
    for picture in sent:
        assert ahead.offer(Shot(picture.mono_us, picture, planes(0)))
    ahead.put(End("sealed"))
    until(lambda: forwarded and isinstance(forwarded[-1], End))
    begin, *shots, _ = forwarded
    assert isinstance(begin, Begin)
    assert begin.ring is not None
    assert ahead.spilled == 20
    assert all(shot.picture is None for shot in shots)
    assert [shot.stored.read() for shot in shots] == sent
    assert ahead.synced_us > 0
    begin.ring.end(keep=False)
    assert list((tmp_path / "r1").glob("ring-*")) == []
    ahead.stop()


def test_a_clock_step_is_a_record_and_moves_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = create_recording(tmp_path / "r1", KEYS, Origin("r1", "file:x", True, True, "0.1.0"))
    writer.begin_part(64, 48, writer.pts(5_000_000))
    writer.add_init(b"header")
    real = time.time_ns
    for n in range(3):
        if n == 2:
            monkeypatch.setattr(evidence_writer.time, "time_ns", lambda: real() - 3_600_000_000_000)
        writer.add_fragment(b"x" * 50, n * 500_000, n * 500_000 + 400_000, 15, 0)
    writer.close("sealed")
    monkeypatch.undo()
    (step,) = records(tmp_path / "r1", "clock")
    assert step["old_offset_us"] - step["new_offset_us"] == pytest.approx(3_600_000_000, abs=5_000_000)
    assert [record["first_pts"] for record in records(tmp_path / "r1", "fragment")] == [0, 500_000, 1_000_000]
    assert verify_recording(tmp_path / "r1", Signer(KEYS.signing).public_key, KEYS.content).ok
