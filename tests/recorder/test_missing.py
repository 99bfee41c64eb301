"""Never a silent drop: each frame that a camera had and a recording has not is told in its chain, where it is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evidence import writer as evidence_writer
from app.evidence.dossier import make_dossier
from app.evidence.timeline import read_timeline
from app.evidence.verify import verify_recording
from app.recorder.line import Line
from app.recorder.missing import Missing
from app.recorder.opening import recover_recording
from app.recorder.protocol import CameraState
from tests.recorder.test_ahead import KEYS, Told, planes, start_in, until
from tests.recorder.test_refused import failing, verified
from tests.recording import ROOT, ok
from tests.station.filmed import number_in, numbered_film

FRAME_US = 33_333
HOLES = {7: 2, 8: 1, 20: 5, 41: 1, 59: 3}
"""Before which frame how many were missing."""


def told_in(folder: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == "missed"]


def film(line: Line, count: int = 60) -> dict[int, int]:
    """Frames with holes between them; gives where (times since the first one) and how large these are."""
    holes, at = {}, 0
    for n in range(count):
        at += 1
        if missing := HOLES.get(n, 0):
            line.missed_frames(missing)
            at += missing
            holes[(at - 1) * FRAME_US] = missing
        line.take_frame(planes(n), 1_000_000 + at * FRAME_US, 320, 240)
    return holes


def begun(folder: Path) -> tuple[Line, Told]:
    heard = Told()
    line = Line(heard.append, heard.append)
    line.missed_frames(9)  # before the recording: no frame of it
    line.begin(start_in(folder))
    line.camera_changed(CameraState("live", "", "file:x", 30.0, 320, 240))
    return line, heard


def assert_each_is_told(folder: Path, holes: dict[int, int]) -> None:
    told = told_in(folder)
    for at, missing in holes.items():
        inside = [one for one in told if one["from_pts"] <= at - FRAME_US * (missing + 1) and at <= one["to_pts"]]
        assert len(inside) == 1, (at, told)
    spans = [(gap.from_us, gap.to_us) for gap in read_timeline(folder).gaps]
    assert {(one["from_pts"], one["to_pts"]) for one in told} <= set(spans)


@pytest.mark.warns
@pytest.mark.parametrize("refused_at", [0, 1, 2, 3, 4])
def test_what_is_missing_is_told_once_where_it_is_missing(tmp_path: Path, monkeypatch: Any, refused_at: int) -> None:
    """Also when the disk refuses a fragment, and what was in it is given again in another part."""
    part = evidence_writer._PartFile
    monkeypatch.setattr(part, "append", failing(part.append, lambda n: n == refused_at))
    line, heard = begun(tmp_path)
    holes = film(line)
    line.missed_frames(4)  # and nothing comes behind them
    line.start()
    line.end("sealed")
    until(heard.closed)
    line.stop()
    (closed,) = heard.closed()
    assert (closed.frames, closed.dropped) == (60, sum(holes.values()) + 4)
    assert verified(tmp_path).dropped == closed.dropped
    last = told_in(tmp_path / "r1")[-1]
    assert (last["frames"], last["from_pts"], last["reason"]) == (4, last["to_pts"], "camera")
    assert sum(one["frames"] for one in told_in(tmp_path / "r1")) == closed.dropped
    assert_each_is_told(tmp_path / "r1", holes)
    make_dossier(tmp_path / "r1", KEYS, tmp_path / "d.zip")
    with zipfile.ZipFile(tmp_path / "d.zip") as made:
        lines = made.read("summary.en.txt").decode().splitlines()
    assert len([line for line in lines if line.endswith(" (camera)")]) == len(told_in(tmp_path / "r1"))


@pytest.mark.warns
def test_what_no_part_told_is_told_by_who_recovers_it(tmp_path: Path, monkeypatch: Any) -> None:
    part = evidence_writer._PartFile
    monkeypatch.setattr(part, "append", failing(part.append, lambda n: n >= 3))
    line, heard = begun(tmp_path)
    holes = film(line)
    line.start()
    until(heard.closed)
    line.stop()
    monkeypatch.undo()
    report = recover_recording(tmp_path / "r1", KEYS)
    assert report["frames"] == 60
    assert sum(one["frames"] for one in told_in(tmp_path / "r1")) == sum(holes.values())
    assert_each_is_told(tmp_path / "r1", holes)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["again", "good"]), st.booleans()), max_size=40))
def test_the_count_is_right_however_often_it_breaks_off(story: list[tuple[int, str, bool]]) -> None:
    """Frames come, some missing before them; a fragment is kept every fourth frame; where a story says so it breaks off
    instead, and all that is not kept is given again.
    """
    count, told, given = Missing(0, -1), 0, list(enumerate(story, 1))
    broken, at, last, kept = set(), 0, -1, 0
    while at < len(given):
        pts, (lost, kind, breaks) = given[at]
        first_time = pts not in broken
        if kind == "again" or first_time:
            count.lost(lost, "camera", for_good=kind == "good")
        broken.add(pts)
        count.taken(last, pts)
        last, at = pts, at + 1
        if pts % 4 == 0:
            told += (count.told() or {"frames": 0})["frames"]
            if breaks and first_time:
                count.broke_off()
                at, last = kept, kept or -1
            else:
                count.kept(pts)
                kept = at
    told += (count.told() or {"frames": 0})["frames"]
    assert told == count.total == sum(lost for lost, _, _ in story)


@contextmanager
def hogs(each: int) -> Iterator[None]:
    """So many busy loops for each core, at the recorder's own priority."""
    argv = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(argv) for _ in range(each * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def numbers_in(exported: Path) -> list[tuple[float, int]]:
    """Time and number of each picture."""
    with av.open(str(exported)) as shown:
        return [(float(f.time or 0), number_in(f.to_ndarray(format="gray"))) for f in shown.decode(video=0)]


@pytest.mark.skipif(sys.platform != "linux", reason="a process is held by SIGSTOP")
@pytest.mark.parametrize("killed", [False, True])
def test_with_every_core_busy_no_frame_is_lost_in_silence(tmp_path: Path, killed: bool) -> None:
    """The recorder competes with busy loops and twice gets no processor at all for a while. Pictures carry their
    number: each that the export has not is told, so many, between the two that it lies between.
    """
    camera = f"file:{numbered_film(tmp_path / 'film.mp4')}?epoch_us={time.monotonic_ns() // 1000 + 3_000_000}"
    folder = tmp_path / "r1"
    argv = [sys.executable, "-m", "app", "record", "--camera", camera, "--out", str(folder), "--print-frames"]
    with hogs(1), subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        captured = 0
        for word in child.stdout:
            captured += word[0].isdigit()
            if captured in (40, 90):
                os.kill(child.pid, signal.SIGSTOP)
                time.sleep(0.8)
                os.kill(child.pid, signal.SIGCONT)
            if captured == 140:
                os.kill(child.pid, signal.SIGKILL if killed else signal.SIGTERM)
                break
        captured += sum(word[0].isdigit() for word in child.stdout)
    assert ok("recover", str(folder))["frames"] > 0
    ok("export", str(folder), str(tmp_path / "out.mp4"))
    shown, told = numbers_in(tmp_path / "out.mp4"), told_in(folder)
    assert sum(one["frames"] for one in told) == sum(b - a - 1 for (_, a), (_, b) in pairwise(shown)) > 20
    for (from_s, a), (to_s, b) in pairwise(shown):
        inside = [one for one in told if one["from_pts"] <= from_s * 1e6 + 1 and to_s * 1e6 - 1 <= one["to_pts"]]
        assert b - a == 1 or (inside and inside[0]["frames"] >= b - a - 1)
    assert verify_recording(folder).dropped == sum(one["frames"] for one in told)
    if not killed:
        assert len(shown) == captured  # all that arrived is there
