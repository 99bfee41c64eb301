"""`cardintake audit verify PATH`: checks an audit chain (station, centre or export); prints a report."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.core.errors import EvidenceTrouble
from app.server.db import open_engine
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.verify import verify_audit, verify_centre


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("verify",))
    parser.add_argument("--quick", action="store_true", help="of signatures only those that vouch for all before them")
    parser.add_argument("path", metavar="PATH|URL", help="a folder, an export, or the postgresql://… of a centre")


def run(args: argparse.Namespace) -> int:
    if args.path.startswith("postgresql:"):
        report = verify_centre(open_engine(args.path, 1), every=not args.quick)
    else:
        report = verify_audit(Path(args.path), REHEARSAL_PASSPHRASE, every=not args.quick)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    if not report["ok"]:
        raise EvidenceTrouble("audit.broken", args.path.rpartition("/")[2])
    return 0
