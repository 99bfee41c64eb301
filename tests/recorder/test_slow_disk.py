"""A disk that does nothing for three seconds, under the real recorder program: no frame lost, and it is told."""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.evidence.journal import Signer
from app.evidence.verify import verify_recording
from app.programs import connect, start_program
from app.recorder import protocol as told
from tests.recorder.conftest import KEY, SEED, Station, now_us
from tests.recording import gaps_of, lost_beside_the_camera

HUNG_S = 3.0
MOST_KB = 64 << 10

SLOW = """
import sys, time
from pathlib import Path
import app.platform as platform
gate = Path(sys.argv.pop(1))
def slow(real):
    def waits(*words):
        while gate.exists():
            time.sleep(0.01)
        return real(*words)
    return waits
platform.write_all, platform.fdatasync = slow(platform.write_all), slow(platform.fdatasync)
from app.recorder.run import main
sys.exit(main(sys.argv[1:]))
"""
"""The recorder, whose writes and syncs return only when the gate has gone."""


@pytest.fixture
def large_film(tmp_path: Path) -> Path:
    """Two seconds at 1920x1080, twelve pictures a second (3.1 MB of planes each), as noise that squeezes badly."""
    path = tmp_path / "large.mp4"
    noise = np.random.default_rng(3).integers(16, 235, (135, 480), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    chroma = np.full((540, 1920), 128, np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=12, options={"preset": "ultrafast", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for n in range(24):
            planes = np.concatenate((noise[:, 8 * n : 8 * n + 1920], chroma))
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p")
            picture.pts, picture.time_base = n, Fraction(1, 12)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def private_kb(pid: int) -> int:
    """Private memory of a process, without the shared frames (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_three_seconds_without_a_disk_cost_no_frame_and_little_memory(
    station: Station, large_film: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    argv = [sys.executable, "-c", SLOW, str(gate), "--folder", str(station.folder.root)]
    station.pid = start_program(argv, station.folder.recorder_lock, 60, station.folder.logs / "recorder.log")
    station.line = connect(station.folder.recorder_lock, 30)
    station.begin(f"file:{large_film}?loop=1&epoch_us={now_us()}")
    before_kb = 0
    for count in range(4, 13):  # what it takes with a disk, however far its encoder is behind on a busy machine
        durable = station.until_fragments(count)
        before_kb = max(before_kb, private_kb(station.pid))
    peak_kb = before_kb
    gate.touch()
    until_s, told_us = time.monotonic() + HUNG_S, 0
    while time.monotonic() < until_s:
        wire = station.line.receive(0.05)
        message = None if wire is None else told.from_wire(wire)
        if isinstance(message, told.RecordingState) and (message.state, message.cause) == ("cut", "disk.slow"):
            told_us = told_us or message.last_sync_mono_us
        peak_kb = max(peak_kb, private_kb(station.pid))
    gate.unlink()
    assert told_us  # the warning, and since when
    on = station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "on")
    assert on.cause == ""
    station.until_fragments(durable.fragments + 8)
    peak_kb = max(peak_kb, private_kb(station.pid))
    station.send(told.Stop("sealed"))
    closed = station.until_kind(told.RecordingClosed)
    assert lost_beside_the_camera(station.recording, closed) == 0
    verdict = verify_recording(station.recording, Signer(SEED).public_key, KEY)
    assert (verdict.ok, gaps_of(station.recording), verdict.frames) == (True, [], closed.frames)
    assert closed.frames + closed.dropped == pytest.approx(closed.duration_us * 12 / 1e6, abs=2)
    assert peak_kb - before_kb <= MOST_KB
