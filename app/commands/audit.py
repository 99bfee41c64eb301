"""`cardintake audit`: checks an audit chain, and the draws of a station's sample.

verify PATH           an audit chain (station, centre or export); prints a report
samples FOLDER        every draw of a station against the keys that were shown; exit status 1 when one was not the lot's
samples FOLDER --show-key   first puts the present key into the chain; what is drawn later is drawn by another
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.commands.opening import add_passphrase, open_station, open_to_look
from app.core.errors import EvidenceTrouble
from app.core.sampling import check_draws
from app.paths import StationFolder
from app.server.db import open_engine
from app.station.clock import system_clock
from app.store import samples
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit, verify_centre


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("verify", "samples"))
    parser.add_argument("--quick", action="store_true", help="of signatures only those that vouch for all before them")
    parser.add_argument("--show-key", action="store_true", help="samples: show the present key, and draw by another")
    parser.add_argument("path", metavar="PATH|URL", help="a folder, an export, or the postgresql://… of a centre")
    add_passphrase(parser)


def run(args: argparse.Namespace) -> int:
    if args.action == "samples":
        report = _samples(StationFolder(Path(args.path).resolve()), args.show_key, args.passphrase_fd)
    elif args.path.startswith("postgresql:"):
        report = verify_centre(open_engine(args.path, 1), every=not args.quick)
    else:
        report = verify_audit(Path(args.path), REHEARSAL_PASSPHRASE, every=not args.quick)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    if not report["ok"]:
        raise EvidenceTrouble("audit.broken", args.path.rpartition("/")[2])
    return 0


def _samples(folder: StationFolder, show: bool, passphrase_fd: int | None) -> dict[str, Any]:
    """Raises BadInput: folder.not_a_station, sample.no_key; what `Store.open` raises."""
    store = (open_station if show else open_to_look)(folder, passphrase_fd)
    try:
        if show:
            samples.show_key(store.ledger, system_clock().stamp(), "")
        return _checked(store)
    finally:
        store.close()


def _checked(store: Store) -> dict[str, Any]:
    events = ((event["kind"], event["body"]) for event in map(json.loads, (one.data for one in store.outbox_after(0))))
    keys = check_draws(events)
    told = [{**asdict(one), "key": None if one.key is None else one.key.hex()} for one in keys]
    return {"ok": all(one.key is None or (one.honest and not one.wrong) for one in keys), "keys": told}
