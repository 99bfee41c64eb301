"""`cardintake demo`: one whole rehearsal, from the sealed parcel to the centre's decisions.

With a screen the window plays it and any key takes over; without one it runs headless, with progress on stderr,
pictures and `report.json` in the output folder. Killed in the middle and started again it goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.catalog.templates import load_products
from app.commands import rehearsal_folder as folders
from app.commands.assembly import Parts, StationPlan, joined_station, start_tapping
from app.commands.demo_report import Progress, write_report
from app.core.cards import CardState, Secret
from app.core.errors import Unavailable
from app.core.parcels import Role
from app.core.products import Catalogue
from app.core.readiness import SyncState
from app.core.states import Idle
from app.paths import RESOURCES, TEMPLATES, StationFolder
from app.platform import boot_id
from app.server.embedded import start_server_process, stop_server_process
from app.server.setup import init, read_centre
from app.station.autoplay import Autoplay
from app.store.store import REHEARSAL_PASSPHRASE, Store

_TEN_CARDS = RESOURCES / "decks" / "ten_cards.toml"
_EYE_READY_S = 60.0
_SETTLED_S = 60.0
_ROUNDS = 2
"""The footage begins again at its end; a card missed in the first round is met in the second, then it is counted."""

_KEPT_REHEARSALS = 3
_DECIDED = (CardState.ACCEPTED, CardState.REVIEW, CardState.REJECTED, CardState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One rehearsal: its folder, its footage with labels, the products it is played with."""

    folder: StationFolder
    footage: Path
    labels: dict[str, Any]
    catalogue: Catalogue
    out: Path
    headless: bool

    @property
    def seconds(self) -> float:
        return float(self.labels["seconds"])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="without a window, also where there is a screen")
    parser.add_argument("--deck", type=Path, default=_TEN_CARDS, help="what happens on the table (TOML)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="pictures, report and the rehearsal folder")
    parser.add_argument("--data", type=Path, help="the rehearsal's station folder (default: OUT/station)")
    parser.add_argument("--cache", type=Path, default=Path("out/cache"), help="rendered footage, kept for next time")
    parser.add_argument("--size", choices=("720p", "1080p"), default="1080p", help="of the footage")


def run(args: argparse.Namespace) -> int:
    headless = args.headless or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    args.out.mkdir(parents=True, exist_ok=True)
    footage, labels = folders.render_footage(args.deck, args.cache, args.size)
    folder = StationFolder((args.data or _default_folder(args.out)).resolve())
    catalogue = Catalogue(load_products(TEMPLATES))
    rehearsal = Rehearsal(folder, footage, folders.read_labels(labels), catalogue, args.out, headless)
    with ExitStack() as stack:
        store = _opened_store(rehearsal)
        child, url = start_server_process(_centre(folder))
        stack.callback(stop_server_process, child)
        plan = StationPlan(
            folder, "工位 03", "华东验卡中心", camera="", spare="none:", nfc="none:", url=url,
            catalogue=catalogue, rehearsal=True,
        )  # fmt: skip
        parts = stack.enter_context(joined_station(plan, store, lambda _sound: None))
        return _play_headless(rehearsal, parts, stack)


def _centre(folder: StationFolder) -> Path:
    return folder.root / "centre"


def _default_folder(out: Path) -> Path:
    """`OUT/station`; a finished rehearsal there makes room (the last few are kept beside it)."""
    path = out / "station"
    folder = StationFolder(path.resolve())
    if not folder.database.exists():
        return path
    store = Store.open(folder.database, REHEARSAL_PASSPHRASE)
    unfinished = store.unfinished_parcel()
    store.close()
    if unfinished is None:
        folders.put_away(path, _KEPT_REHEARSALS)
    return path


def _opened_store(rehearsal: Rehearsal) -> Store:
    """The rehearsal's store: opened if it is there, else made with its operators and the deck's parcel."""
    folder = rehearsal.folder
    if folder.database.exists():
        return Store.open(folder.database, REHEARSAL_PASSPHRASE)
    folders.write_mark(folder, folders.Mark(str(rehearsal.footage), boot_id()))
    init(_centre(folder))
    store = Store.create(
        folder.database, REHEARSAL_PASSPHRASE, station_id="rehearsal-03", centre=read_centre(_centre(folder)),
        rehearsal=True, reserve_bytes=folders.RESERVE_BYTES,
    )  # fmt: skip
    store.add_operator("E10327", "陈敏", Role.CLERK, folders.DEMO_BADGE, Secret("246810"))
    store.add_operator("S20018", "周岚", Role.SUPERVISOR, folders.SUPERVISOR_BADGE, Secret("135790"))
    store.announce_parcels([folders.expected_of(rehearsal.labels, rehearsal.catalogue)])
    return store


def start_footage(rehearsal: Rehearsal, parts: Parts, stack: ExitStack) -> int:
    """Let the footage begin (or join it where it now is, after a crash); gives its epoch, monotonic µs."""
    folder = rehearsal.folder
    mark = folders.read_mark(folder)
    epoch_us = mark.epoch_us if mark and mark.boot == boot_id() else 0
    if not epoch_us:
        epoch_us = parts.clock.mono_us() + 500_000
        folders.write_mark(folder, folders.Mark(str(rehearsal.footage), boot_id(), epoch_us))
    parts.cameras.overhead = f"file:{rehearsal.footage}?epoch_us={epoch_us}&loop=1"
    parts.filming.open_camera(parts.cameras.overhead)
    chips = folder.root / "chips.toml"
    folders.write_chips(rehearsal.labels, chips)
    stack.callback(start_tapping(parts, f"sim:{chips}?epoch_us={epoch_us}").stop)
    return epoch_us


def start_autoplay(rehearsal: Rehearsal, parts: Parts, epoch_us: int) -> Autoplay:
    """The autopilot, watching the screen from now on."""
    end_us = epoch_us + round(_ROUNDS * rehearsal.seconds * 1e6)
    script = folders.script_of(rehearsal.labels)
    autoplay = Autoplay(script, parts.station.post, lambda: parts.clock.mono_us() > end_us)
    parts.station.on_show(autoplay.show)
    parts.station.adjust(lambda around: replace(around, autoplay=not autoplay.taken_over))
    return autoplay


def _play_headless(rehearsal: Rehearsal, parts: Parts, stack: ExitStack) -> int:
    station = parts.station
    progress = Progress(rehearsal.catalogue, sys.stderr)
    station.on_show(progress.show)
    progress.say("演练：读卡程序热身 · rehearsal: warming up the reader")
    if not station.run_until(lambda: parts.looking.ready, _EYE_READY_S):
        raise Unavailable("eye.not_ready")
    epoch_us = start_footage(rehearsal, parts, stack)
    autoplay = start_autoplay(rehearsal, parts, epoch_us)
    whole_s = _ROUNDS * rehearsal.seconds + _SETTLED_S
    if not station.run_until(lambda: autoplay.over, whole_s):
        raise Unavailable("demo.not_finished", type(station.state).__name__)
    station.run_until(lambda: _settled(parts), _SETTLED_S)
    return write_report(rehearsal.folder, parts.store, rehearsal.out, progress)


def _settled(parts: Parts) -> bool:
    """Every event has its receipt and every card its decision."""
    state, around = parts.station.state, parts.station.around
    decided = isinstance(state, Idle) and state.last and all(card.state in _DECIDED for card in state.last.cards)
    return bool(decided) and around.sync.state is SyncState.SYNCED and around.sync.unsent == 0
