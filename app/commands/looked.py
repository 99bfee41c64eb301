"""Before pictures leave by the command line: what nobody has read for PINs yet is read now, with its progress told."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.core.errors import EvidenceTrouble
from app.evidence.ledger import load
from app.evidence.stretch import Stretch
from app.paths import StationFolder
from app.station.clock import system_clock
from app.station.dossiers import Ask, Looked, as_read_so_far
from app.station.leakreading import LeakReader, Look, leak_plan, leak_reading
from app.station.shelving import station_sources
from app.store.store import Store

_TOLD_EACH = 10  # per cent


def add_leak_check(parser: argparse.ArgumentParser) -> None:
    """Whether pictures are read for PINs before they leave."""
    parser.add_argument(
        "--leak-check", choices=["yes", "no"], default="",
        help="read for PINs first what nobody has read yet (else: yes of real footage, no of a rehearsal's)",
    )  # fmt: skip


def looking(station: StationFolder, store: Store, ask: Ask, wish: str) -> Looked:
    """What the leak check says of pictures that are about to leave. They are read first by `wish` ("yes", "no", "": of
    what is no rehearsal), each only once.
    """
    so_far = as_read_so_far(ask)
    known: dict[tuple[str, Stretch], str] = {}

    def looked(folder: Path, wanted: Stretch) -> str:
        if (folder.name, wanted) not in known:
            now = wish == "yes" or (not wish and not _is_rehearsal(folder))
            known[folder.name, wanted] = (_look(station, store, ask) if now else so_far)(folder, wanted)
        return known[folder.name, wanted]

    return looked


def _look(station: StationFolder, store: Store, ask: Ask) -> Look:
    reading = leak_reading(station_sources(station, store), store.rehearsal)
    return Look(ask, LeakReader(ask, system_clock(), leak_plan(station.recordings, reading)), _Progress())


def _is_rehearsal(folder: Path) -> bool:
    try:
        return bool(load(folder).genesis["rehearsal"])
    except EvidenceTrouble:
        return False  # what is wrong with it is told by whoever hands it out


class _Progress:
    """Says on standard error how far a recording was read, each tenth of it once."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def __call__(self, recording: str, done_us: int, of_us: int) -> None:
        share = min(100, 100 * done_us // of_us if of_us > 0 else 100)
        if share // _TOLD_EACH > self._told.get(recording, -1):
            self._told[recording] = share // _TOLD_EACH
            seconds = f"{done_us / 1e6:.1f} / {of_us / 1e6:.1f} s"
            print(f"漏密检查 · reading for PINs: {recording}  {seconds}", file=sys.stderr, flush=True)


def warn(recording: str) -> None:
    """Say of pictures that leave that nobody has looked at them."""
    print(f"没有检查过有没有露出卡密 · nobody has read this for PINs: {recording}", file=sys.stderr)
