"""A small film, a station folder and the recorder program as a real process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from app.paths import StationFolder
from app.programs import ProgramConnection, connect, start_program, stop_program
from app.recorder import protocol as told

KEY, SEED = bytes(range(32)), bytes(range(100, 132))
RUN = "import sys; from app.recorder.run import main; sys.exit(main(sys.argv[1:]))"


def now_us() -> int:
    return time.monotonic_ns() // 1000


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of moving noise at 320x240, 30 fps."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    rng = np.random.default_rng(7)
    noise = rng.integers(16, 235, (24, 640), np.uint8).repeat(10, axis=0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "15"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(360):
            luma = noise[:, n % 320 : n % 320 + 320]
            planes = np.concatenate((luma, np.full((120, 320), 128, np.uint8)))
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p")
            picture.pts, picture.time_base = n, Fraction(1, 30)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@dataclass
class Station:
    """The station's side of one recorder: starts it, talks, remembers what it heard."""

    folder: StationFolder
    orphan_s: float = 60.0
    heard: list[Any] = field(default_factory=list)
    line: ProgramConnection | None = None
    pid: int = 0
    label: bool = False

    @property
    def lock(self) -> Path:
        return self.folder.label_recorder_lock if self.label else self.folder.recorder_lock

    def up(self) -> Station:
        program = ["-m", "app", "label"] if self.label else ["-c", RUN]
        argv = [sys.executable, *program, "--folder", str(self.folder.root), "--orphan-s", str(self.orphan_s)]
        self.pid = start_program(argv, self.lock, 60, self.folder.logs / "recorder.log")
        self.line = connect(self.lock, 30)
        assert self.line is not None
        return self

    def send(self, message: told.ToRecorder) -> None:
        assert self.line is not None
        self.line.send(told.to_wire(message))

    def begin(self, camera: str, recording_id: str = "", **changes: Any) -> None:
        wanted: dict[str, Any] = {
            "recording_id": recording_id or self.recording.name,
            "folder": str(self.folder.recordings),
            "camera": camera,
            "recording_key": KEY.hex(),
            "signing_key": SEED.hex(),
            "previous_hash": "",
            "rehearsal": True,
        }
        self.send(told.Start(**(wanted | changes)))

    def until(self, true: Callable[[Any], bool], timeout_s: float = 60.0) -> Any:
        """The first message for which `true` holds; what came before it is remembered in `heard`."""
        assert self.line is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            wire = self.line.receive(0.5)
            if wire is not None:
                self.heard.append(told.from_wire(wire))
                if true(self.heard[-1]):
                    return self.heard[-1]
        raise AssertionError(f"waited in vain; last heard {self.heard[-4:]}")

    def until_kind(self, kind: type, timeout_s: float = 60.0) -> Any:
        return self.until(lambda message: isinstance(message, kind), timeout_s)

    def until_fragments(self, count: int) -> told.RecordingState:
        found: told.RecordingState = self.until(
            lambda message: isinstance(message, told.RecordingState) and message.fragments >= count
        )
        return found

    @property
    def recording(self) -> Path:
        return self.folder.recordings / ("r1-label" if self.label else "r1")


@pytest.fixture
def label(station: Station) -> Iterator[Station]:
    """The same station's side of its label camera's recorder."""
    one = Station(station.folder, label=True)
    yield one
    if one.line is not None:
        one.line.close()
    stop_program(one.lock)


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = StationFolder(tmp_path / "station")
    folder.root.mkdir()
    one = Station(folder)
    yield one
    if one.line is not None:
        one.line.close()
    stop_program(folder.recorder_lock)
