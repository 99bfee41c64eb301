"""A station that records for hours: does its memory grow, is a frame dropped, does the recording verify at the end?

    python -m tests.bench soak          only when it is named; CARDINTAKE_SOAK_MINUTES says how long (120)

The recorder and the eye are the real programs, joined by the station's own parts (`Filming`, `Looking`, `Shield`); the
camera is the demo's footage at 720p, over and over. Private memory (`RssAnon` of proc(5), without the shared frames) of
both programs and of this process, which stands for the station, is noted every five seconds. Growth is the median of
the last quarter against the median of the first quarter after the warm-up (a tenth of the time, at least 30 s).
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from app.catalog.shelf import SHIPPED, shipped
from app.commands.assembly import program_plan
from app.commands.rehearsal_folder import render_footage
from app.core.events import CardWasRead, DeviceLost, Event
from app.core.readiness import Surroundings
from app.evidence.journal import Signer
from app.evidence.verify import verify_recording
from app.eye import codec
from app.paths import RESOURCES, StationFolder
from app.programs import find_program
from app.recorder import protocol as told
from app.station.clock import system_clock
from app.station.filming import Filming
from app.station.looking import Looking
from app.station.shielding import Shield
from tests.bench.bench_recorder import sealed_to_somebody
from tests.bench.bench_video import missed

MINUTES = float(os.environ.get("CARDINTAKE_SOAK_MINUTES", "120"))
GOAL_PERCENT = 5.0
_EVERY_S = 5.0
_WARM_UP_S = 30.0
_READY_S = 120.0


@dataclass
class Soaked:
    """The joined station, and what it was told meanwhile."""

    folder: StationFolder
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    seed: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    around: Surroundings = field(default_factory=Surroundings)
    closed: queue.SimpleQueue[told.RecordingClosed] = field(default_factory=queue.SimpleQueue)
    reads: int = 0
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        catalogue = shipped()
        self.filming = Filming(program_plan("recorder", self.folder), self._hear, self._adjust, system_clock())
        self.filming.on_closed(self.closed.put)
        configure = codec.Configure(SHIPPED.paths, 1, True, SHIPPED.bound, SHIPPED.version, SHIPPED.own)
        shield = Shield(catalogue, self.filming.tell)
        plan = program_plan("eye", self.folder)
        self.looking = Looking(plan, configure, self.folder.frames, self._hear, self._adjust, shield)

    def _adjust(self, change: Callable[[Surroundings], Surroundings]) -> None:
        self.around = change(self.around)

    def _hear(self, event: Event) -> None:
        if isinstance(event, CardWasRead):
            self.reads += 1
            self.looking.acknowledge(event.read.read_id)
        elif isinstance(event, DeviceLost):
            self.lost.append(event.code)

    def record(self, camera: str) -> None:
        keys = {"recording_key": self.key.hex(), "signing_key": self.seed.hex(), "previous_hash": ""}
        keys |= sealed_to_somebody()
        self.filming.begin(told.Start("soak", str(self.folder.recordings), camera, **keys, rehearsal=True, masked=True))

    def pids(self) -> dict[str, int]:
        """The processes whose memory is watched."""
        notes = {"recorder": find_program(self.folder.recorder_lock), "eye": find_program(self.folder.eye_lock)}
        return {"station": os.getpid(), **{name: note.pid for name, note in notes.items() if note is not None}}


@contextmanager
def soaked(root: Path) -> Iterator[Soaked]:
    """A station with both programs up and the eye's models warm."""
    folder = StationFolder(root)
    root.mkdir()
    with ExitStack() as stack:
        one = Soaked(folder)
        for part in (one.filming, one.looking):
            stack.callback(part.stop, end_program=True)
            part.start()
        until_s = time.monotonic() + _READY_S
        while not one.looking.ready:
            if time.monotonic() > until_s:
                raise RuntimeError("the eye did not become ready")
            time.sleep(0.2)
        yield one


def private_kb(pid: int) -> int:
    """Private memory of a process in kB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def watch(one: Soaked, seconds: float) -> dict[str, list[int]]:
    """For so long, the memory of each process in kB; a replaced program shows by its process id."""
    pids = one.pids()
    samples: dict[str, list[int]] = {name: [] for name in pids}
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        for name, pid in pids.items():
            samples[name].append(private_kb(pid))
        if len(samples["station"]) % 60 == 0:
            print(f"{passed / 60:6.1f} min", {name: kb[-1] // 1024 for name, kb in samples.items()}, "MB", flush=True)
        time.sleep(_EVERY_S)
    if one.pids() != pids:
        one.lost.append("program.replaced")
    return samples


def growth(samples: list[int], seconds: float) -> dict[str, float]:
    """What the memory was after the warm-up and at the end (MB), and by how many percent it grew."""
    warm = samples[int(len(samples) * max(_WARM_UP_S / seconds, 0.1)) :]
    quarter = max(1, len(warm) // 4)
    first, last = median(warm[:quarter]), median(warm[-quarter:])
    return {
        "warm_mb": round(first / 1024, 1),
        "end_mb": round(last / 1024, 1),
        "peak_mb": round(max(samples) / 1024, 1),
        "growth_percent": round(100 * (last - first) / max(1.0, first), 1),
    }


def soak(minutes: float, root: Path, film: Path) -> dict[str, Any]:
    """Record for so long and judge it."""
    seconds = minutes * 60
    with soaked(root) as one:
        one.record(f"file:{film}?loop=1&epoch_us={system_clock().mono_us()}")
        samples = watch(one, seconds)
        one.filming.end("soak", "done")
        closed = one.closed.get(timeout=60)
    verdict = verify_recording(one.folder.recordings / "soak", Signer(one.seed).public_key, one.key)
    memory = {name: growth(found, seconds) for name, found in samples.items()}
    return {
        "minutes": round(closed.duration_us / 60e6, 1),
        "memory": memory,
        "frames": closed.frames,
        "dropped": closed.dropped,
        "missed": missed(one.folder.recordings / "soak"),
        "gaps": verdict.gaps,
        "cards_read": one.reads,
        "lost": one.lost,
        "verified": verdict.ok and verdict.closed,
        "within_goal": {
            "memory": all(found["growth_percent"] <= GOAL_PERCENT for found in memory.values()),
            "frames": closed.dropped == 0,
            "programs": not one.lost,
        },
    }


def main() -> dict[str, Any]:
    """Soak, print, give the figures."""
    if sys.platform != "linux":
        return {"left_out": "memory is read from /proc"}
    cache = Path("out/cache")
    film = render_footage(RESOURCES / "decks" / "ten_cards.toml", cache, "720p").footage
    at = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        figures = soak(MINUTES, at / "station", film.resolve())
    finally:
        shutil.rmtree(at, ignore_errors=True)
    print(json.dumps(figures, indent=1))
    return {"soak": figures}


if __name__ == "__main__":
    main()
