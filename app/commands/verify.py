"""`cardintake verify PATH`: checks a recording's folder or a dossier; prints a report. Exit 0: holds, 5: does not."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.commands.loose import loose_keys
from app.core.errors import BadInput, EvidenceTrouble, Trouble
from app.evidence.dossier import VERIFIER
from app.evidence.journal import NAME
from app.evidence.verify import verify_recording


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="a recording's folder, or a dossier")
    parser.add_argument("--station-key", default=None, metavar="HEX", help="the key that must have signed it")


def run(args: argparse.Namespace) -> int:
    if not args.path.exists():
        raise BadInput("recording.missing", args.path.name)
    report = _recording(args) if (args.path / NAME).is_file() else _dossier(args.path)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    if not report["ok"]:
        raise EvidenceTrouble("evidence.does_not_verify", args.path.name)
    return 0


def _recording(args: argparse.Namespace) -> dict[str, Any]:
    try:
        keys = loose_keys(args.path)
    except Trouble:
        keys = None
    verdict = verify_recording(args.path, args.station_key, None if keys is None else keys.content)
    return {"ok": verdict.ok, **asdict(verdict)}


def _dossier(path: Path) -> dict[str, Any]:
    """By the verifier that travels with dossiers, as a stranger would run it."""
    done = subprocess.run([sys.executable, str(VERIFIER), str(path)], capture_output=True, text=True, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    return report
