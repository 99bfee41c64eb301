"""Review of half an hour at 1080p, by the screen's own reel on encrypted footage, in QMediaPlayer offscreen.

`open_s`     from nothing to the first picture (goal 0.5 s)
`seeks`      seeks and single steps that showed exactly the frame they were meant to (goal 200 of 200), and how fast
`fast`       what 8× holds (goal 7.5)
`verify_s`   checking every hash, signature and byte offline (goal 5 s)

Frames carry their number in squares, which are read off what the player shows. Length and counts:
CARDINTAKE_BENCH_PART (1 = 30 minutes; at least half a minute). The film is kept in out/cache for another run.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QGuiApplication, QImage

from app.core.errors import EvidenceTrouble
from app.core.footage import Footage, ReviewDesk
from app.evidence.journal import Signer
from app.evidence.ledger import load
from app.evidence.reader import DecryptedRecording
from app.evidence.timeline import FrameTimes, Timeline, read_timeline
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.recorder.sink import Take
from tests.bench.sizes import share
from ui.reel import Reel

KEYS = RecordingKeys(bytes(range(32)), bytes(range(50, 82)))
W, H, SQUARE, BITS = 1920, 1080, 40, 16
_WAIT_S = 20.0


def film(folder: Path, seconds: int) -> Path:
    """A masked desk that hardly moves, each frame with its number; in parts, with a gap in the middle."""
    take = Take("r", create_recording(folder, KEYS, Origin("r", "file:bench", True, True, "bench")), lambda _m: None)
    rng = np.random.default_rng(3)
    desk = rng.integers(40, 200, (H // 12 + 1, W // 12), np.uint8).repeat(12, 0).repeat(12, 1)[:H]
    planes = np.concatenate((desk.reshape(-1), np.full(W * H // 2, 128, np.uint8)))
    luma = planes[: W * H].reshape(H, W)
    for n in range(seconds * 30):
        if n == seconds * 15:
            take.interrupted("camera_lost")
        for bit in range(BITS):
            luma[:SQUARE, bit * SQUARE : (bit + 1) * SQUARE] = 235 if n >> bit & 1 else 16
        take.frame(planes.copy(), 1_000_000 + n * 33_333, W, H)
    take.close("done")
    return folder


def kept(folder: Path, seconds: int) -> Path:
    """The film of an earlier run, if it was finished; else it is made anew."""
    try:
        if load(folder).close is not None:
            return folder
    except EvidenceTrouble:
        pass  # there is none
    shutil.rmtree(folder, ignore_errors=True)
    return film(folder, seconds)


def number_in(image: QImage) -> int:
    """The number of the frame that a picture shows."""
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    half = SQUARE // 2
    return sum(1 << bit for bit in range(BITS) if grey.pixelColor(bit * SQUARE + half, half).lightness() > 125)


class Desk:
    """What the review desk gives the reel, without a store and its roles."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.timeline: Timeline = read_timeline(folder)
        self._frames = FrameTimes(folder, KEYS.content, self.timeline.ledger)

    def film(self, _recording_id: str, part: int) -> BinaryIO | None:
        found = next(one for one in self.timeline.ledger.parts if one.number == part)
        return cast(BinaryIO, DecryptedRecording(self._folder, KEYS.content, found))

    def frame_times(self, _recording_id: str, at_us: int) -> tuple[int, ...]:
        return self._frames.around(at_us)

    def footage(self) -> Footage:
        """The recording as the screen knows it."""
        told = self.timeline
        return Footage(
            "r", "p", "W", "", "", told.wall_us, told.duration_us, True, True, True, told.ledger.fragments,
            told.parts, told.gaps,
        )  # fmt: skip


class Seat:
    """A reel and what it shows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.shown: list[QImage] = []  # the newest only: at 8x a picture of 8 MB comes 240 times a second
        began_s = time.perf_counter()
        self.desk = Desk(folder)
        self.reel = Reel(cast(ReviewDesk, self.desk))
        self.reel.framed.connect(self._show)
        self.reel.load(self.desk.footage(), 0)
        self.until(lambda: bool(self.shown))
        self.open_s = time.perf_counter() - began_s

    def _show(self, image: QImage) -> None:
        self.shown[:] = [image]

    def until(self, good: Callable[[], bool]) -> bool:
        """Serve Qt until it is so; False when it took too long."""
        end_s, loop = time.monotonic() + _WAIT_S, QEventLoop()
        while not good() and time.monotonic() < end_s:
            QTimer.singleShot(2, loop.quit)
            loop.exec()
        return good()

    def settled(self, meant: int) -> bool:
        """Whether the picture that was meant comes to stand."""
        return self.until(lambda: bool(self.shown) and number_in(self.shown[-1]) == meant)

    def go(self, act: Callable[[], None], meant: int) -> float | None:
        """Milliseconds until the frame that was meant shows; None when another one stayed."""
        self.shown.clear()
        began_s = time.perf_counter()
        act()
        return (time.perf_counter() - began_s) * 1000 if self.settled(meant) else None


def measure(folder: Path, count: int) -> dict[str, Any]:
    dice, seat = random.Random(5), Seat(folder)
    frames = seat.desk.timeline.ledger.frames
    times: list[float | None] = []
    for n in range(count):
        if n % 10 < 6:
            at = dice.randrange(frames)
            times.append(seat.go(lambda at=at: seat.reel.seek(at * 33_333 + 5), at))  # type: ignore[misc]
        else:
            forward = n % 2 == 0
            at = min(frames - 1, max(0, at + (1 if forward else -1)))
            times.append(seat.go(lambda forward=forward: seat.reel.step(forward), at))  # type: ignore[misc]
    good = [took for took in times if took is not None]
    figures = {
        "open_s": round(seat.open_s, 3),
        "seeks": {
            "meant": count,
            "exact": len(good),
            "ms_median": round(float(np.median(good)), 1) if good else None,
            "ms_p95": round(float(np.percentile(good, 95)), 1) if good else None,
        },
        "fast": fast(seat),
    }
    seat.reel.finish()
    return figures


def fast(seat: Seat) -> dict[str, float]:
    """Eight times as fast for at most ten seconds of the clock, inside the first part."""
    reel, end_us = seat.reel, seat.desk.timeline.parts[0].to_us
    reel.seek(0)
    seat.until(lambda: reel.at_us == 0)
    reel.play_pause()
    while reel.rate < 8:
        reel.shift(up=True)
    seat.until(lambda: reel.at_us > 1_000_000)
    from_us, began_s = reel.at_us, time.monotonic()
    last_us = min(end_us - 1_500_000, from_us + 80_000_000)
    seat.until(lambda: reel.at_us >= last_us)
    held = (reel.at_us - from_us) / 1e6 / (time.monotonic() - began_s)
    reel.stop()
    return {"asked": 8.0, "held": round(held, 2)}


def main() -> dict[str, Any]:
    """Measure, print, give the figures."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QGuiApplication.instance() or QGuiApplication([])
    seconds = share(1800, 30)
    folder = kept(Path("out/cache") / f"playback-{seconds}", seconds)
    figures: dict[str, Any] = {"film_s": seconds, **measure(folder, share(200, 40))}
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    verdict = verify_recording(folder, Signer(KEYS.signing).public_key, KEYS.content)
    figures["verify_s"], figures["ok"] = round(time.perf_counter() - began_s, 2), verdict.ok
    figures["verify_cpu_s"] = round(time.process_time() - began_cpu_s, 2)
    print(json.dumps(figures, indent=1))
    del app
    return {"playback": figures}


if __name__ == "__main__":
    main()
