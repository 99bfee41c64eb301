"""`cardintake audit`: checks an audit chain, and the draws of a station's sample.

verify PATH…          an audit chain (station, centre or export); prints a report. Of several: each, and whether the
                      centre showed all of them one log (app.store.compare)
samples FOLDER        every draw of a station against the keys that were shown; exit status 1 when one was not the lot's
samples FOLDER --show-key   first puts the present key into the chain; what is drawn later is drawn by another
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from getpass import getuser
from pathlib import Path
from typing import Any

from app.centre_keys import by_any
from app.commands.opening import add_passphrase, open_station, open_to_look, passphrase_of
from app.core.errors import BadInput, EvidenceTrouble
from app.core.policy import Policy
from app.core.sampling import check_draws
from app.paths import StationFolder
from app.server.db import open_engine
from app.station.clock import system_clock
from app.store import samples
from app.store.compare import compare
from app.store.governing import policies_told
from app.store.store import Store
from app.store.verify import verify_audit, verify_centre

_URL = "postgresql:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("verify", "samples"))
    parser.add_argument("--quick", action="store_true", help="of signatures only those that vouch for all before them")
    parser.add_argument("--show-key", action="store_true", help="samples: show the present key, and draw by another")
    told = "a folder, an export, or the postgresql://… of a centre; several are held against each other"
    parser.add_argument("path", metavar="PATH|URL", nargs="+", help=told)
    add_passphrase(parser)


def run(args: argparse.Namespace) -> int:
    passphrases = {} if args.action == "samples" else _passphrases(args.path, args.passphrase_fd)
    if args.action == "samples" and len(args.path) > 1:
        raise BadInput("audit.not_found", args.path[1])
    if args.action == "samples":
        report = _samples(StationFolder(Path(args.path[0]).resolve()), args.show_key, args.passphrase_fd)
    elif len(args.path) == 1:
        report = _verified(args.path[0], passphrases, every=not args.quick)
    else:
        report = _compared(args.path, passphrases, every=not args.quick)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    if not report["ok"]:
        raise EvidenceTrouble("audit.apart" if report.get("apart") else "audit.broken", args.path[0].rpartition("/")[2])
    return 0


def _passphrases(paths: Sequence[str], fd: int | None) -> dict[str, str]:
    """What opens each station's folder; nothing else needs one. Two of real stations have to have the same."""
    found: dict[str, str] = {}
    own = ""
    for path in paths:
        folder = StationFolder(Path(path).resolve())
        if path.startswith(_URL) or not folder.database.exists():
            continue
        if folder.rehearsal_mark.exists() or not own:
            found[path] = passphrase_of(folder, fd)
            own = own if folder.rehearsal_mark.exists() else found[path]
        else:
            found[path] = own
    return found


def _verified(path: str, passphrases: Mapping[str, str], *, every: bool) -> dict[str, Any]:
    if path.startswith(_URL):
        return verify_centre(open_engine(path, 1), every=every)
    return verify_audit(Path(path), passphrases.get(path, ""), every=every)


def _compared(paths: Sequence[str], passphrases: Mapping[str, str], *, every: bool) -> dict[str, Any]:
    """Each for itself; and where each holds, all of them against each other."""
    reports = [{"path": path, **_verified(path, passphrases, every=every)} for path in paths]
    if not all(one["ok"] for one in reports):
        return {"ok": False, "what": "several", "files": reports}
    places = {path: open_engine(path, 1) if path.startswith(_URL) else Path(path) for path in paths}
    return {"what": "several", "files": reports, **compare(places, passphrases)}


def _samples(folder: StationFolder, show: bool, passphrase_fd: int | None) -> dict[str, Any]:
    """Raises BadInput: folder.not_a_station, sample.no_key; what `Store.open` raises."""
    store = (open_station if show else open_to_look)(folder, passphrase_fd)
    try:
        if show:
            samples.show_key(store.ledger, system_clock().stamp(), f"os:{getuser()}")
        return _checked(store)
    finally:
        store.close()


def _checked(store: Store) -> dict[str, Any]:
    events = ((event["kind"], event["body"]) for event in map(json.loads, (one.data for one in store.outbox_after(0))))
    with store.ledger.reading() as connection:
        policies = policies_told(connection, by_any(store.ledger.identity.centre))
    shares = {revision: policy.shares for revision, policy in policies.items()}
    keys = check_draws(events, shares, Policy().shares)
    told = [{**asdict(one), "key": None if one.key is None else one.key.hex()} for one in keys]
    good = (not one.own_shares and (one.key is None or (one.honest and not one.wrong)) for one in keys)
    return {"ok": all(good), "keys": told}
