"""What a sync costs the station that does it: memory, the screen's patience; and how often a kept card is made durable.

    CI_SYNCING_PARTS=durable,memory,screen CI_SYNCING_CARDS=20 CI_SYNCING_EVENTS=10000 CI_SYNCING_MB=5120
    python -m tests.bench syncing

`durable`  the real program under strace: fsync of the database's log between one "saved" and the next (least: 1)
`memory`   the real program that syncs such a queue: private memory at its highest, beside what it had when its first
           batch was through, and beside its highest until the second chunk of footage was at the centre (goal 1.2)
`screen`   the window and a station that syncs in one process: how late a beat of 10 ms comes in the window's thread
           (goal 50 ms), without and with the sync, and in a bare process beside it that does nothing else
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.commands.bulk import stamp
from app.core.audit import EventKind
from app.core.readiness import RecMode, SyncFacts
from app.paths import RESOURCES, StationFolder
from app.settings import Settings, save_settings
from app.store.store import Store
from app.sync.worker import SyncReport
from tests.bench.bench_line import Site, Working, filmed
from ui import samples
from ui.bridge import Bridge
from ui.run import application
from ui.window import Window, WindowSettings

CARDS = int(os.environ.get("CI_SYNCING_CARDS", "20"))
EVENTS = int(os.environ.get("CI_SYNCING_EVENTS", "10000"))
FOOTAGE_MB = int(os.environ.get("CI_SYNCING_MB", "5120"))
BEAT_S = 0.010
ALONE_S = 5.0
_PROGRAM = (sys.executable, "-m", "app", "station")
_SYNCED = re.compile(r"\bf(?:data)?sync\(\d+<.*station\.db-wal>")
_SAVED = re.compile(r'write\(1<.*>, "saved ')
_BARE = """import select, sys, time
worst, at = 0.0, time.monotonic()
while not select.select([sys.stdin], [], [], 0.010)[0]:
    at, before = time.monotonic(), at
    worst = max(worst, at - before - 0.010)
print(worst)"""


def queued(site: Site, name: str, events: int, mb: int) -> Store:
    """A rehearsal station with so much that the centre does not have yet."""
    store = site.station(name)
    folder = StationFolder(site.folder / name)
    (folder.root / "REHEARSAL").write_text('{"footage": "", "boot": ""}')
    save_settings(folder.settings, Settings())
    if mb:
        filmed(store, folder.recordings, mb)
    for n in range(events):
        store.record(EventKind.UNEXPECTED, {"n": n, "text": "x" * 600}, stamp(), "bench")
    return store


def bench_durable(site: Site) -> dict[str, float]:
    """Each card's commit, counted from outside."""
    queued(site, "durable", 0, 0).close()
    trace = site.folder / "trace"
    watched = ("strace", "-f", "-y", "-e", "trace=fdatasync,fsync,write", "-e", "signal=none", "-o", str(trace))
    take = (*_PROGRAM, "capture", "--data", str(site.folder / "durable"), "--cards", str(CARDS))
    subprocess.run([*watched, *take], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    counts = [0]
    for line in trace.read_text(errors="replace").splitlines():
        counts[-1] += bool(_SYNCED.search(line))
        if _SAVED.search(line):
            counts.append(0)
    of_cards = counts[:-1]
    assert len(of_cards) == CARDS, "each card was told"
    return {
        "cards": CARDS,
        "syncs a card": sum(of_cards[1:]) / max(1, CARDS - 1),  # the first one has the opening's too
        "cards without one": sum(count == 0 for count in of_cards),
    }


def bench_memory(site: Site) -> dict[str, float]:
    """Private memory of a sync of many events and much footage."""
    queued(site, "memory", EVENTS, FOOTAGE_MB).close()
    argv = (*_PROGRAM, "sync", "--data", str(site.folder / "memory"), "--server", site.url, "--until-idle")
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    through = threading.Event()
    threading.Thread(target=_heed, args=(child, through), daemon=True).start()
    process, begin_s = psutil.Process(child.pid), time.monotonic()
    first = warm = highest = 0.0
    objects = site.folder / "centre" / "objects"
    warmed = False
    while child.poll() is None:
        try:
            now_mb = process.memory_full_info().uss / 1e6
        except psutil.Error:
            break
        if through.is_set() and not first:
            first = now_mb
        highest = max(highest, now_mb)
        warmed = warmed or sum(1 for path in objects.rglob("*") if path.is_file()) >= 2
        if not warmed:
            warm = highest
        time.sleep(0.2)
    assert child.wait() == 0, "it ended with all at the centre"
    return {
        "events": EVENTS,
        "footage MB": FOOTAGE_MB,
        "took s": time.monotonic() - begin_s,
        "MB after the first batch": first,
        "MB at the highest": highest,
        "highest / after the first batch": highest / first,
        "highest / until the second chunk": highest / warm,
    }


def _heed(child: subprocess.Popen[str], through: threading.Event) -> None:
    """Hear the program out; `through` when the first batch is at the centre."""
    assert child.stderr is not None
    for line in child.stderr:
        words = line.split()
        if len(words) >= 2 and words[1].isdigit() and int(words[1]) < EVENTS:
            through.set()


@dataclass
class Beat:
    """How late the window's thread came to its beats (s)."""

    late: list[float] = field(default_factory=list)
    last: float = 0.0
    count: int = 0

    def __call__(self) -> None:
        now, self.count = time.monotonic(), self.count + 1
        if self.last:
            self.late.append(max(0.0, now - self.last - BEAT_S))
        self.last = now

    def every(self, beats: int) -> bool:
        """Whether it is time for what is done now and then only."""
        return self.count % beats == 0

    def taken(self) -> dict[str, float]:
        """The worst and the hundredth of what came since the last time (ms)."""
        late, self.late, self.last = sorted(self.late), [], 0.0
        return {"worst ms": late[-1] * 1000, "p99 ms": late[int(len(late) * 0.99)] * 1000}


def bench_screen(site: Site) -> dict[str, float]:
    """The window's thread beside the sync's."""
    store = queued(site, "screen", min(EVENTS, 3000), min(FOOTAGE_MB, 256))
    made, bridge = application(headless=True), Bridge(lambda _event: None)
    window = Window(bridge, samples.catalogue(), RESOURCES, WindowSettings(volume=0.0))
    window.resize(1440, 900)
    window.show()
    bridge.show(samples.counting(), samples.around(RecMode.ON))
    beat = Beat()
    timer = QTimer(window, timerType=Qt.TimerType.PreciseTimer, interval=int(BEAT_S * 1000))
    timer.timeout.connect(beat)
    timer.start()
    began_s = time.monotonic()
    lived(made, lambda: time.monotonic() > began_s + 1)  # the first paint is not the sync's
    beat.taken()
    began_s = time.monotonic()
    bare_ms = [lived(made, lambda: time.monotonic() > began_s + ALONE_S)]
    figures = {f"alone: {label}": value for label, value in beat.taken().items()}
    working = Working(store, site.url, StationFolder(site.folder / "screen").recordings, shown=shown_by(bridge))
    bare_ms.append(lived(made, lambda: beat.every(50) and working.ask(_left) == 0))
    figures |= {f"syncing: {label}": value for label, value in beat.taken().items()}
    working.stop()
    window.close()
    figures |= {"bare process, alone: worst ms": bare_ms[0], "bare process, syncing: worst ms": bare_ms[1]}
    return {**figures, "syncing / bare process, worst": figures["syncing: worst ms"] / bare_ms[1]}


def shown_by(bridge: Bridge) -> Callable[[SyncReport], None]:
    """What the sync tells, on the screen."""
    state, around = samples.counting(), samples.around(RecMode.ON)

    def show(report: SyncReport) -> None:
        facts = SyncFacts(report.state, report.queue.unsent, footage_waiting=report.queue.footage)
        bridge.show(state, replace(around, sync=facts))

    return show


def _left(store: Store) -> int:
    return store.queue().unsent + len(store.waiting_footage())


def lived(made: QApplication, done: Callable[[], bool]) -> float:
    """Run the window's loop until it is so; how late a process beside it came to a beat that does nothing else (ms)."""
    bare = subprocess.Popen((sys.executable, "-c", _BARE), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    look = QTimer(interval=int(BEAT_S * 1000))
    look.timeout.connect(lambda: made.quit() if done() else None)
    look.start()
    made.exec()
    look.stop()
    told, _ = bare.communicate()
    return float(told) * 1000


PARTS = {"durable": bench_durable, "memory": bench_memory, "screen": bench_screen}


def main() -> dict[str, float]:
    """Run all, or those that CI_SYNCING_PARTS names; figures as JSON on stdout."""
    figures: dict[str, float] = {}
    for name in os.environ.get("CI_SYNCING_PARTS", ",".join(PARTS)).split(","):
        with tempfile.TemporaryDirectory() as folder:
            site = Site(Path(folder))
            try:
                part = PARTS[name](site)
            finally:
                site.close()
        figures |= part
        print(name, part, file=sys.stderr, flush=True)
    print(json.dumps({label: round(value, 4) for label, value in figures.items()}))
    return figures


if __name__ == "__main__":
    main()
