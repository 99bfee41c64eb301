"""`cardintake audit verify PATH`: checks an audit chain (station folder, export or centre folder); prints a report."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from app.core.errors import EvidenceTrouble
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.verify import verify_audit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("verify",))
    parser.add_argument("path", type=Path, metavar="PATH")


def run(args: argparse.Namespace) -> int:
    report = verify_audit(args.path, REHEARSAL_PASSPHRASE)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    if not report["ok"]:
        raise EvidenceTrouble("audit.broken", str(args.path))
    return 0
