"""`cardintake verify PATH`: checks a recording's folder or a dossier; prints a report. Exit 0: holds, 5: does not.

Of a recording also those that the parcel's other camera made ("beside"), each by its own chain; the exit status is for
all of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate, load_pem_x509_certificates

from app.commands.loose import loose_keys
from app.core.errors import BadInput, EvidenceTrouble, Trouble
from app.evidence.journal import NAME
from app.evidence.together import camera_of, lying_beside
from app.evidence.verify import Trust, verify_recording
from app.evidence.witness import VERIFIER


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="a recording's folder, or a dossier")
    parser.add_argument("--station-key", default=None, metavar="HEX", help="the key that must have signed it")
    parser.add_argument("--root-key", default="", metavar="HEX", help="the company's root key: its centre must be ours")
    parser.add_argument("--tsa-ca", type=Path, metavar="FILE.pem", help="whose time-stamps count")


def run(args: argparse.Namespace) -> int:
    if not args.path.exists():
        raise BadInput("recording.missing", args.path.name)
    args.path = args.path.resolve()
    report = _recording(args) if (args.path / NAME).is_file() else _dossier(args)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    if not report["ok"]:
        raise EvidenceTrouble("evidence.does_not_verify", args.path.name)
    return 0


def _recording(args: argparse.Namespace) -> dict[str, Any]:
    trust = Trust(args.root_key.lower(), tuple(_authorities(args.tsa_ca)))
    found = [_verdict(path, args.station_key, trust) for path in (args.path, *_beside(args.path))]
    return {**found[0], "ok": all(one["ok"] for one in found), "holds": found[0]["ok"], "beside": found[1:]}


def _beside(path: Path) -> list[Path]:
    try:
        return lying_beside(path)
    except EvidenceTrouble:
        return []  # what is wrong with the recording itself is told by its own verdict


def _verdict(path: Path, station_key: str | None, trust: Trust) -> dict[str, Any]:
    try:
        keys = loose_keys(path)
    except Trouble:
        keys = None
    verdict = verify_recording(path, station_key, None if keys is None else keys.content, trust=trust)
    try:
        camera = camera_of(path)
    except EvidenceTrouble:
        camera = ""
    return {"ok": verdict.ok, "recording": path.name, "camera": camera, **asdict(verdict)}


def _authorities(path: Path | None) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(path.read_bytes()) if path else []
    except (OSError, ValueError) as wrong:
        raise BadInput("tsa.no_roots", path.name if path else "") from wrong


def _dossier(args: argparse.Namespace) -> dict[str, Any]:
    """By the verifier that travels with dossiers, as a stranger would run it."""
    asked = [sys.executable, str(VERIFIER), str(args.path)]
    asked += ["--root-key", args.root_key] if args.root_key else []
    asked += ["--station-key", args.station_key] if args.station_key else []
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    return report
