"""How soon the hands are stopped when recording fails, and how soon it is back: the station's side, the real program.

    python -m tests.bench stops          some six minutes for all of it (CARDINTAKE_BENCH_PART=1)

Under the load of `bench_video` a loopback camera at 1080p30 stalls, drops its line, shows the same picture for ever,
or goes black; and the recorder is killed with -9. `cut_s`: from the last picture that was one (or the kill) to the word
that stops the hands (goal 0.7 s); `back_s`: from the camera's first new picture (or the kill) to the word that pictures
reach the disk again (goal for a killed recorder 2.0 s).
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from app.commands.assembly import program_plan
from app.core.events import Event, RecordingBegan, RecordingCut, RecordingResumed
from app.paths import StationFolder
from app.programs import find_program
from app.recorder import protocol as told
from app.station.clock import system_clock
from app.station.filming import Filming
from tests.bench.bench_video import load, pictures
from tests.bench.sizes import share

WAYS = ("stall", "drop", "freeze", "black")
_PATIENCE_S = 60.0


class WaywardCamera:
    """An MJPEG camera that does as it is told: "live", or one of WAYS."""

    def __init__(self) -> None:
        self._jpegs, self._black = pictures(), pictures(4, black=True)
        self.way = "live"
        self.last_s = 0.0  # when the newest picture that shows something went out
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/video"
        threading.Thread(target=self._accept, name="camera-door", daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=[line], daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            line.recv(4096)
            if self.way == "drop":
                return
            line.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n")
            began_s, n, frozen = time.monotonic(), 0, self._jpegs[0]
            while self.way != "drop":
                n += 1
                if self.way == "live":
                    frozen = self._jpegs[n % len(self._jpegs)]
                data = self._black[n % len(self._black)] if self.way == "black" else frozen
                if self.way != "stall":
                    line.sendall(b"--f\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n")
                if self.way == "live":
                    self.last_s = time.monotonic()
                time.sleep(max(0.0, began_s + n / 30 - time.monotonic()))


class Watch:
    """What the station is told, and when."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._heard: list[tuple[float, Event]] = []  # of the recording, no others

    def __call__(self, event: Event) -> None:
        if not isinstance(event, (RecordingBegan, RecordingCut, RecordingResumed)):
            return
        with self._news:
            self._heard.append((time.monotonic(), event))
            self._news.notify()

    def first(self, kind: type[Event], after_s: float) -> float:
        """When the first such event after this came. Raises RuntimeError when it does not."""
        with self._news:
            if not self._news.wait_for(lambda: self._when(kind, after_s) is not None, _PATIENCE_S):
                raise RuntimeError(f"no {kind.__name__}")
            found = self._when(kind, after_s)
        assert found is not None
        return found

    def steady(self) -> None:
        """Wait until it has been recording for two seconds without a cut. Raises RuntimeError when it never does."""
        end_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end_s:
            with self._news:
                at, newest = self._heard[-1]
                if not isinstance(newest, RecordingCut) and time.monotonic() - at > 2.0:
                    return
                self._news.wait(0.2)
        raise RuntimeError("it does not record steadily here: the machine is too busy")

    def _when(self, kind: type[Event], after_s: float) -> float | None:
        return next((at for at, event in self._heard if at >= after_s and isinstance(event, kind)), None)


@contextmanager
def filming(folder: StationFolder, address: str, heard: Watch) -> Iterator[Filming]:
    """The station's side of a recorder that records this camera."""
    side = Filming(program_plan("recorder", folder), heard, lambda _change: None, system_clock())
    side.start()
    key, seed = secrets.token_bytes(32).hex(), secrets.token_bytes(32).hex()
    try:
        side.begin(told.Start("stops", str(folder.recordings), address, key, seed, "", True, masked=True))
        heard.first(RecordingBegan, 0.0)
        yield side
    finally:
        side.stop(end_program=True)


def camera_fails(camera: WaywardCamera, heard: Watch, way: str) -> tuple[float, float]:
    """Seconds to the cut, and from the first new picture to the word that it is recorded again."""
    heard.steady()
    camera.way = way
    time.sleep(0.05)
    left_s = camera.last_s
    cut_s = heard.first(RecordingCut, left_s)
    time.sleep(1.0)
    camera.way = "live"
    while camera.last_s == left_s:
        time.sleep(0.005)
    again_s = camera.last_s
    return cut_s - left_s, heard.first(RecordingResumed, cut_s) - again_s


def recorder_dies(folder: StationFolder, heard: Watch) -> tuple[float, float]:
    """Seconds to the cut and to the word that it is recorded again, both from the kill."""
    heard.steady()
    note = find_program(folder.recorder_lock)
    assert note is not None
    killed_s = time.monotonic()
    os.kill(note.pid, signal.SIGKILL)
    cut_s = heard.first(RecordingCut, killed_s)
    return cut_s - killed_s, heard.first(RecordingResumed, cut_s) - killed_s


def told_of(count: int, once: Callable[[], tuple[float, float]]) -> dict[str, Any]:
    cuts, backs = zip(*(once() for _ in range(count)), strict=True)
    return {
        "times": count,
        "cut_s": {"median": round(float(np.median(cuts)), 2), "max": round(max(cuts), 2)},
        "back_s": {"median": round(float(np.median(backs)), 2), "max": round(max(backs), 2)},
    }


def main() -> dict[str, Any]:
    """Measure, print, give the figures."""
    figures: dict[str, Any] = {}
    heard, camera = Watch(), WaywardCamera()
    with tempfile.TemporaryDirectory() as at:
        folder = StationFolder(Path(at) / "station")
        folder.root.mkdir()
        with filming(folder, camera.address, heard), load(folder.frames):
            for way in WAYS:
                figures[way] = told_of(share(10, 2), lambda way=way: camera_fails(camera, heard, way))  # type: ignore[misc]
            figures["killed"] = told_of(share(10, 2), lambda: recorder_dies(folder, heard))
    camera.close()
    print(json.dumps(figures, indent=1))
    return {"stops": figures}


if __name__ == "__main__":
    main()
