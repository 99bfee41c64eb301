"""`cardintake station ACTION --data DIR`: a station without a window. JSON on stdout, all else on stderr.

enrol     join a centre by a one-time code           {"enrolled", "words", …}
          --anew: where the chain has ended; the old folder goes aside whole      {…, "aside", "cards"}
name      what the station is called there, for `centre admit`                 {"station", "key", …}
capture   take rehearsal cards without a camera      `saved CARD-ID` after each commit
sync      push and pull                              {"state", "unsent", "cards", …} (`syncing`)
backup    copy the database, also while it is used   {"backup", "head"}
restore   put a copy back where the database is gone {"restored", "head"}; then `sync`: the centre has to confirm
rotate    another signing key from now on            {"rotated", "key", "before", "seq"}; `sync` brings it to the centre
person reveal approve     one secret through the vault        (`station_reveal`)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from queue import SimpleQueue

from app.commands import anew, station_reveal
from app.commands.bulk import captured, stamp
from app.commands.complaint import complain
from app.commands.enrolling import applicant_of, join, look_at, make_store, require_address
from app.commands.opening import add_passphrase, open_station, passphrase_of, require_station, whole
from app.commands.own_station import remember_station
from app.commands.syncing import follow
from app.core.errors import BadInput, StorageTrouble, Trouble, Unavailable
from app.keys import key_id
from app.paths import StationFolder
from app.settings import Settings, load_settings, save_settings
from app.station.backing import BACKUPS_KEPT, backups_of
from app.store.backup import back_up, put_back
from app.store.founding import is_gone
from app.store.rotating import rotate
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.unlock import find_passphrase
from app.store.writer import StoreWriter
from app.sync.client import require_loopback
from app.sync.enrol import Applicant
from app.sync.pace import FootageTerms
from app.sync.worker import SyncListeners, SyncPlan, SyncReport, SyncWorker
from app.wire_enrol import Enrolled

_CONFIRM_S = 600.0
_LOOK_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    enrol = actions.add_parser("enrol", help="join a centre")
    enrol.add_argument("--server", required=True, metavar="URL")
    enrol.add_argument("--code", required=True, help="as the centre's administrator reads it out")
    enrol.add_argument("--rehearsal", action="store_true", help="for ever a rehearsal station (this machine only)")
    enrol.add_argument("--anew", action="store_true", help="put the station here aside and join under another name")
    enrol.add_argument("--leave-unsent", action="store_true", help="with --anew: also what the centre never took")
    name = actions.add_parser("name", help="name and key, for the centre's administrator")
    capture = actions.add_parser("capture", help="take rehearsal cards without a camera")
    capture.add_argument("--cards", type=whole(1), required=True, metavar="N")
    capture.add_argument("--video-mb", type=whole(0), default=0, metavar="M", help="with footage of M megabytes")
    sync = actions.add_parser("sync", help="bring what waits to the centre")
    sync.add_argument("--until-idle", action="store_true", help="end when nothing waits any more")
    sync.add_argument(
        "--give-up-s", type=whole(0), default=0, metavar="N", help="end when nothing got on for so long; 0: never"
    )
    sync.add_argument(
        "--server", action="append", default=[], metavar="URL", help="other addresses of the same centre, in turn"
    )
    station_reveal.add_actions(actions)
    backup = actions.add_parser("backup", help="copy the database")
    backup.add_argument("--to", type=Path, default=None, metavar="DIR", help="else as the settings say")
    restore = actions.add_parser("restore", help="put the database back from a backup")
    restore.add_argument("--from", type=Path, default=None, metavar="DIR", dest="backup", help="else the newest here")
    rotate = actions.add_parser("rotate", help="another signing key from now on")
    for action in (enrol, name, capture, sync, backup, restore, rotate):
        action.add_argument("--data", type=Path, required=True, metavar="DIR", help="the station's folder")
        add_passphrase(action)


def run(args: argparse.Namespace) -> int:
    if args.action in station_reveal.ACTIONS:
        return station_reveal.run(args)
    folder = StationFolder(args.data.resolve())
    done = {"enrol": _enrol, "capture": _capture, "sync": _sync, "backup": _backup, "restore": _restore}
    done |= {"rotate": _rotate, "name": _name}
    return done[args.action](args, folder)


def _enrol(args: argparse.Namespace, folder: StationFolder) -> int:
    require_address(args.server)
    if args.anew:
        return _enrol_anew(args, folder)
    if folder.database.exists():
        raise BadInput("store.exists", folder.database.name)
    if is_gone(folder.database):  # before the centre hears of it: the code would be spent, and the name taken
        raise StorageTrouble("store.missing_over_enrolled_folder", folder.database.name)
    passphrase = _new_passphrase(args, folder)
    applicant, told = _join(args, folder, passphrase)
    settings = Settings.model_validate({"recording": {"reserve_mb": 4 if applicant.rehearsal else 256}})
    _begin(folder, told, _of_station(settings, told, args.server), passphrase)
    _tell(_joined(told, applicant))
    return 0


def _enrol_anew(args: argparse.Namespace, folder: StationFolder) -> int:
    """Raises BadInput("enrol.unsent") and what `put_aside` raises; after any of them the same call goes on."""
    passphrase = passphrase_of(folder, args.passphrase_fd)
    cards = anew.look_at_old(folder, passphrase, args.server, leave_unsent=args.leave_unsent)
    before = load_settings(folder.settings) if folder.settings.exists() else Settings()
    applicant, told = _join(args, folder, passphrase)
    aside = anew.put_aside(folder, before.station.id, cards, datetime.now(UTC))
    _begin(folder, told, _of_station(before, told, args.server), passphrase)
    _tell({**_joined(told, applicant), "aside": str(aside or ""), "cards": cards})
    return 0


def _join(args: argparse.Namespace, folder: StationFolder, passphrase: str) -> tuple[Applicant, Enrolled]:
    """Ask until the centre has confirmed the six words."""
    if passphrase == REHEARSAL_PASSPHRASE:
        require_loopback(args.server)
    applicant = applicant_of(folder, passphrase, args.code, look_at(args.server))
    print(f"六个词请和中心核对 · compare these six words with the centre:\n  {applicant.words}", file=sys.stderr)
    give_up_s = time.monotonic() + _CONFIRM_S
    while True:
        try:
            return applicant, join(args.server, applicant)
        except Unavailable as waiting:
            if waiting.code != "station.pending" or time.monotonic() > give_up_s:
                raise
            time.sleep(_LOOK_S)


def _of_station(settings: Settings, told: Enrolled, url: str) -> Settings:
    """The same settings under the name that the centre gave."""
    station = settings.station.model_copy(update={"id": _id_of(told.station)})
    server = settings.server.model_copy(update={"url": url})
    return Settings.model_validate({**dict(settings), "station": station, "server": server})


def _begin(folder: StationFolder, told: Enrolled, settings: Settings, passphrase: str) -> None:
    make_store(folder, told, passphrase, settings.recording.database_reserve_bytes).close()
    save_settings(folder.settings, settings)
    remember_station(folder)


def _joined(told: Enrolled, applicant: Applicant) -> dict[str, object]:
    return {"enrolled": told.station, "role": told.role, "tenant": told.centre.tenant, "words": applicant.words}


def _id_of(station: str) -> str:
    return station.lower().replace("_", "-")[:40]


def _new_passphrase(args: argparse.Namespace, folder: StationFolder) -> str:
    """A rehearsal's is published. Without any source a folder for a centre on this machine becomes a rehearsal."""
    if args.rehearsal:
        return REHEARSAL_PASSPHRASE
    if args.passphrase_fd is None and find_passphrase(folder.root) is None and not sys.stdin.isatty():
        require_loopback(args.server)
        print("没有口令来源：演练工位 · no passphrase given: a rehearsal station", file=sys.stderr)
        return REHEARSAL_PASSPHRASE
    return passphrase_of(folder, args.passphrase_fd, new=True)


def _capture(args: argparse.Namespace, folder: StationFolder) -> int:
    store = open_station(folder, args.passphrase_fd)
    try:
        if not store.rehearsal:
            raise BadInput("folder.not_a_rehearsal", folder.root.name)
        for card_id in captured(store, args.cards, folder.recordings, args.video_mb):
            print(f"saved {card_id}", flush=True)
    finally:
        store.close()
    return 0


def _sync(args: argparse.Namespace, folder: StationFolder) -> int:
    require_station(folder)
    known = (load_settings(folder.settings) if folder.settings.exists() else Settings()).server
    urls = args.server or [url for url in (known.url, known.spare_url) if url]
    if not urls:
        raise BadInput("sync.no_address", folder.root.name)
    store = open_station(folder, args.passphrase_fd)
    heard: SimpleQueue[SyncReport | Exception] = SimpleQueue()
    writer = StoreWriter(store, heard.put)
    writer.start()
    listeners = SyncListeners(heard.put, lambda _cards: None, heard.put)
    worker = SyncWorker(
        SyncPlan(
            urls[0],
            recordings=folder.recordings,
            spare=tuple(urls[1:]),
            catalogue=folder.catalogue,
            terms=FootageTerms.of(known),
            backups=_backups(folder),
        ),
        writer,
        stamp,
        listeners,
    )
    worker.start()
    try:
        return follow(heard, writer, until_idle=args.until_idle, give_up_s=args.give_up_s)
    finally:
        worker.stop()
        writer.stop()


def _name(args: argparse.Namespace, folder: StationFolder) -> int:
    store = open_station(folder, args.passphrase_fd)
    try:
        identity, unsent = store.ledger.identity_now(), store.queue().unsent
        first = identity.signers[-1]
        told = {"station": identity.station, "key": first.public_key.hex(), "signs": key_id(identity.signer.public_key)}
    finally:
        store.close()
    _tell({**told, "unsent": unsent})
    return 0


def _backup(args: argparse.Namespace, folder: StationFolder) -> int:
    store = open_station(folder, args.passphrase_fd)
    try:
        copy = back_up(store, folder.database, args.to or _backups(folder), datetime.now(UTC), BACKUPS_KEPT)
    finally:
        store.close()
    _tell({"backup": str(copy.folder), "head": copy.head})
    return 0


def _restore(args: argparse.Namespace, folder: StationFolder) -> int:
    """Raises BadInput: store.exists, store.no_backup; what `put_back` raises."""
    passphrase = passphrase_of(folder, args.passphrase_fd)
    copy = put_back(args.backup or _backups(folder), folder.database, passphrase, time.time_ns() // 1000)
    complain(Trouble("store.restored"))
    _tell({"restored": str(copy.folder), "head": copy.head})
    return 0


def _rotate(args: argparse.Namespace, folder: StationFolder) -> int:
    """Raises BadInput("station.recording_open"), StorageTrouble("store.restored")."""
    store = open_station(folder, args.passphrase_fd)
    try:
        done = rotate(store.ledger, stamp(), f"os:{getuser()}")
        name = store.station
    finally:
        store.close()
    _tell({"rotated": name, "key": key_id(done.new_key), "before": key_id(done.old_key), "seq": done.seq})
    return 0


def _backups(folder: StationFolder) -> Path:
    settings = load_settings(folder.settings) if folder.settings.exists() else Settings()
    return backups_of(folder, settings)


def _tell(result: dict[str, object]) -> None:
    print(json.dumps(result, ensure_ascii=False), flush=True)
