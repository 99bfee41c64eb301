"""`cardintake demo`: one whole rehearsal, from the sealed parcel to the centre's decisions.

With a screen the window plays it and any key takes over; without one it runs headless, with progress on stderr,
pictures and `report.json` in the output folder. Killed in the middle and started again it goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from app.catalog.shelf import read_sources, shipped
from app.commands import rehearsal_folder as folders
from app.commands.assembly import Parts, StationPlan, joined_station
from app.commands.demo_report import Pictures, Progress, write_report
from app.commands.demo_vault import join_vault, let_ask, start_vault, stop_vault
from app.commands.demo_window import play_in_window
from app.commands.enrolling import applicant_of, join, look_at, make_store
from app.commands.interrupt import Interrupts, noted_interrupts
from app.commands.rehearsal_play import ROUNDS, Rehearsal, settled, start_autoplay, start_footage
from app.core.cards import Secret
from app.core.errors import Unavailable
from app.core.parcels import Role
from app.frames import FrameReader
from app.logs import log_into
from app.paths import RESOURCES, StationFolder
from app.platform import boot_id
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import make_code
from app.server.folder import CentreFolder
from app.server.report import report
from app.server.setup import init, open_centre
from app.settings import RecordingSettings, Settings, StationSettings, load_settings, save_settings
from app.station.shelving import station_sources
from app.store.store import REHEARSAL_PASSPHRASE, Store

_TEN_CARDS = RESOURCES / "decks" / "ten_cards.toml"
_REHEARSAL_SETTINGS = Settings(
    station=StationSettings(id="rehearsal-03", name="工位 03", centre="华东验卡中心"),
    recording=RecordingSettings(reserve_mb=4),
)
"""A rehearsal reserves little: its disk holds nothing that must not be lost."""

_SUPERVISOR = "S20018"

_EYE_READY_S = 60.0
_SETTLED_S = 60.0
_KEPT_REHEARSALS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="without a window, also where there is a screen")
    parser.add_argument("--deck", type=Path, default=_TEN_CARDS, help="what happens on the table (TOML)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="pictures, report and the rehearsal folder")
    parser.add_argument("--data", type=Path, help="the rehearsal's station folder (default: OUT/station)")
    parser.add_argument("--cache", type=Path, default=Path("out/cache"), help="rendered footage, kept for next time")
    parser.add_argument("--one-camera", action="store_true", help="without a label camera beside the overhead one")
    parser.add_argument("--size", choices=("360p", "720p", "1080p"), default="720p", help="of the footage")


def run(args: argparse.Namespace) -> int:
    headless = args.headless or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    args.out.mkdir(parents=True, exist_ok=True)
    rendered = folders.render_footage(args.deck, args.cache, args.size, label_camera=not args.one_camera)
    folder = StationFolder((args.data or _default_folder(args.out)).resolve())
    catalogue = shipped()
    truth = folders.read_labels(rendered.labels)
    rehearsal = Rehearsal(folder, rendered.footage, truth, catalogue, args.out, headless, rendered.label_film)
    with ExitStack() as stack:
        interrupts = stack.enter_context(noted_interrupts()) if headless else Interrupts()
        settings = _settings(folder)
        stack.callback(log_into(folder.logs, "station"))
        if not folder.database.exists() and not CentreFolder(_centre(folder)).centre.exists():
            init(_centre(folder))
        child, url = start_server_process(_centre(folder))
        stack.callback(stop_server_process, child)
        store = _opened_store(rehearsal, settings, url)
        vault = _vault(folder, url)
        let_ask(vault, folder.people, _SUPERVISOR)
        stack.callback(stop_vault, start_vault(vault, url))
        sources = station_sources(folder, store)
        plan = StationPlan(
            folder, settings, read_sources(sources), url, rehearsal=True, sources=sources,
            label_later=rehearsal.label_film is not None,
        )  # fmt: skip
        if headless:
            parts = stack.enter_context(joined_station(plan, store, lambda _sound: None))
            return _play_headless(rehearsal, parts, interrupts, stack)
        return play_in_window(rehearsal, plan, store, stack)


def _centre(folder: StationFolder) -> Path:
    return folder.root / "centre"


def _default_folder(out: Path) -> Path:
    """`OUT/station`; a finished rehearsal there makes room (the last few are kept beside it)."""
    path = out / "station"
    folder = StationFolder(path.resolve())
    if not folder.database.exists():
        return path
    store = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    unfinished = store.unfinished_parcel()
    store.close()
    if unfinished is None:
        folders.put_away(path, _KEPT_REHEARSALS)
    return path


def _settings(folder: StationFolder) -> Settings:
    """The rehearsal's settings: its own file, made with the rehearsal and read again after that. Raises BadInput."""
    if not folder.settings.exists():
        folder.root.mkdir(parents=True, exist_ok=True)
        save_settings(folder.settings, _REHEARSAL_SETTINGS)
    return load_settings(folder.settings)


def _opened_store(rehearsal: Rehearsal, settings: Settings, url: str) -> Store:
    """The rehearsal's store: opened if it is there, else enrolled, and given its operators and the deck's parcel."""
    folder = rehearsal.folder
    reserve_bytes = settings.recording.database_reserve_bytes
    if folder.database.exists():
        return Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=reserve_bytes)
    folders.write_mark(folder, folders.Mark(str(rehearsal.footage), boot_id()))
    store = _enrolled(folder, settings, url)
    store.add_operator("E10327", "陈敏", Role.CLERK, folders.DEMO_BADGE, Secret("246810"))
    store.add_operator(_SUPERVISOR, "周岚", Role.SUPERVISOR, folders.SUPERVISOR_BADGE, Secret("135790"))
    store.announce_parcels([folders.expected_of(rehearsal.labels, rehearsal.catalogue)])
    return store


def _vault(folder: StationFolder, url: str) -> Path:
    """The folder of the rehearsal's vault, joined when it is not there yet."""
    vault = folder.root / "vault"
    if not (vault / "vault.db").exists():
        centre = open_centre(_centre(folder), connections=2)
        name = f"vault-{len(report(centre.engine, 'stations'))}"
        code = make_code(centre, name, "vault", time.time_ns() // 1_000_000, confirm=False)
        centre.engine.dispose()
        join_vault(vault, _centre(folder), url, code)
        print(
            "本机保险库已启用，只有它能打开卡密 · a vault on this machine, the only one to open secrets",
            file=sys.stderr,
        )
    return vault


def _enrolled(folder: StationFolder, settings: Settings, url: str) -> Store:
    """Join the embedded centre as any station joins: by a one-time code. Both sides are this program, so nobody has to
    compare the words. Begun again after a crash, the station joins under a new name.
    """
    centre = open_centre(_centre(folder), connections=2)
    taken = len(report(centre.engine, "stations"))
    name = settings.station.id if not taken else f"{settings.station.id}-{taken}"
    code = make_code(centre, name, "rehearsal", time.time_ns() // 1_000_000, confirm=False)
    centre.engine.dispose()
    applicant = applicant_of(folder, REHEARSAL_PASSPHRASE, code, look_at(url))
    told = join(url, applicant)
    print(f"演练工位已在本机中心登记 · enrolled with the centre on this machine: {told.station}", file=sys.stderr)
    return make_store(folder, told, REHEARSAL_PASSPHRASE, settings.recording.database_reserve_bytes)


def _play_headless(rehearsal: Rehearsal, parts: Parts, interrupts: Interrupts, stack: ExitStack) -> int:
    station = parts.station
    progress = Progress(rehearsal.catalogue, sys.stderr)
    station.on_show(progress.show)
    frames = FrameReader(rehearsal.folder.frames)
    stack.callback(frames.close)
    station.on_show(Pictures(rehearsal.out, rehearsal.catalogue, frames).show)
    progress.say("演练：读卡程序热身 · rehearsal: warming up the reader")
    if not interrupts.run_until(station, lambda: parts.looking.ready, _EYE_READY_S):
        raise Unavailable("eye.not_ready")
    epoch_us = start_footage(rehearsal, parts, stack)
    autoplay = start_autoplay(rehearsal, parts, epoch_us)
    whole_s = ROUNDS * rehearsal.seconds + _SETTLED_S
    if not interrupts.run_until(station, lambda: autoplay.over, whole_s):
        raise Unavailable("demo.not_finished", type(station.state).__name__)
    interrupts.run_until(station, lambda: settled(parts, autoplay), _SETTLED_S)
    return write_report(rehearsal.folder, parts.store, rehearsal.out, progress)
