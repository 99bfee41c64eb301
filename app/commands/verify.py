"""`cardintake verify PATH`: checks a recording's folder or a dossier; prints a report. Exit 0: holds, 5: does not.

Of a recording also those that the parcel's other camera made ("beside"), each by its own chain; the exit status is for
all of them. PATH may be a station's folder, or the one with its recordings: then all of them, and that none was taken
out of their row. One without any pictures is in order where the station's own chain, which the store's passphrase
opens, says that its rules removed them; or with `--pictures-may-be-gone`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.commands.loose import loose_keys
from app.commands.opening import add_passphrase
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble, Trouble
from app.evidence.journal import NAME
from app.evidence.row import recordings_in, verify_row
from app.evidence.timestamp import read_roots
from app.evidence.together import lying_beside
from app.evidence.verify import Trust, Verdict, verify_recording
from app.evidence.witness import VERIFIER
from app.paths import StationFolder
from app.store.removals import removed_by_rules
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.unlock import find_passphrase
from app.store.verify import station_events


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="a recording's folder, a station's, or a dossier")
    parser.add_argument("--station-key", default=None, metavar="HEX", help="the key that must have signed it")
    parser.add_argument("--root-key", default="", metavar="HEX", help="the company's root key: its centre must be ours")
    parser.add_argument(
        "--pictures-may-be-gone", action="store_true", help="of a station: recordings without any pictures are in order"
    )
    add_passphrase(parser)
    parser.add_argument("--tsa-ca", type=Path, metavar="FILE.pem", help="whose time-stamps count")


def run(args: argparse.Namespace) -> int:
    if not args.path.exists():
        raise BadInput("recording.missing", args.path.name)
    args.path = args.path.resolve()
    args.station_key = args.station_key and args.station_key.lower()
    report = _report(args)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    if not report["ok"]:
        raise EvidenceTrouble("evidence.does_not_verify", args.path.name)
    return 0


def _report(args: argparse.Namespace) -> dict[str, Any]:
    if (args.path / NAME).is_file():
        return _recording(args)
    row = next((found for place in _rows(args.path) if (found := recordings_in(place))), None)
    return _dossier(args) if row is None else _row(args, row)


def _rows(path: Path) -> tuple[Path, ...]:
    """Where recordings may lie in a row."""
    return StationFolder(path).recordings, path


def _row(args: argparse.Namespace, folders: list[Path]) -> dict[str, Any]:
    """All recordings of a station. `not_followed`: nothing here shows that no other came behind these.
    `without_pictures`: of these `removed_by_rules` are those of which the station's chain says so, of this very
    journal; the others are in order only where somebody says so (`--pictures-may-be-gone`).
    """
    links = verify_row(folders, args.station_key, _key_of, _trust(args))
    told = [_told(link.folder, link.verdict) for link in links]
    wrong = [one["recording"] for one in told if not one["ok"]]
    bare = [one for one in told if "pictures_gone" in one["notes"]]
    removed, unread = _removed(args, folders[0].parent.parent) if bare else ({}, "")
    excused = [one["recording"] for one in bare if one["ok"] and removed.get(one["recording"]) == one["head"]]
    open_ = [one["recording"] for one in bare if one["recording"] not in excused]
    unproven = [f"that the rules removed the pictures of {name} / {name} 的画面是按规定删除的" for name in open_]
    facts = {
        "station_keys": sorted({link.station_key for link in links if link.station_key}),
        "not_followed": [link.folder.name for link in links if not link.followed],
        "without_pictures": [one["recording"] for one in bare],
        "removed_by_rules": excused,
        "chain_unread": unread,
        "not_proven": unproven,
    }
    return {
        "ok": not wrong and (args.pictures_may_be_gone or not open_),
        "recordings": len(told),
        "wrong": wrong,
        **facts,
        "row": told,
    }


def _removed(args: argparse.Namespace, root: Path) -> tuple[Mapping[str, str], str]:
    """What the chain of the station in `root` says of removed pictures; or why it could not be asked."""
    station = StationFolder(root)
    if not station.database.exists():
        return {}, "folder.not_a_station"
    rehearsal = station.rehearsal_mark.exists()
    passphrase = REHEARSAL_PASSPHRASE if rehearsal else find_passphrase(root, args.passphrase_fd)
    if not passphrase:
        return {}, "store.no_passphrase"
    try:
        return removed_by_rules(station_events(root, passphrase)), ""
    except (StorageTrouble, EvidenceTrouble) as trouble:
        return {}, trouble.code


def _recording(args: argparse.Namespace) -> dict[str, Any]:
    trust = _trust(args)
    found = [_verdict(path, args.station_key, trust) for path in (args.path, *_beside(args.path))]
    return {**found[0], "ok": all(one["ok"] for one in found), "holds": found[0]["ok"], "beside": found[1:]}


def _trust(args: argparse.Namespace) -> Trust:
    return Trust(args.root_key.lower(), read_roots(args.tsa_ca) if args.tsa_ca else ())


def _beside(path: Path) -> list[Path]:
    try:
        return lying_beside(path)
    except EvidenceTrouble:
        return []  # what is wrong with the recording itself is told by its own verdict


def _verdict(path: Path, station_key: str | None, trust: Trust) -> dict[str, Any]:
    return _told(path, verify_recording(path, station_key, _key_of(path), trust=trust))


def _told(path: Path, verdict: Verdict) -> dict[str, Any]:
    told = asdict(verdict)
    name = {"recording": told.pop("recording") or path.name, "camera": told.pop("role")}
    return {"ok": verdict.ok, **name, **told}


def _key_of(path: Path) -> bytes | None:
    try:
        keys = loose_keys(path)
    except Trouble:
        keys = None
    return None if keys is None else keys.content


def _dossier(args: argparse.Namespace) -> dict[str, Any]:
    """By the verifier that travels with dossiers, as a stranger would run it."""
    asked = [sys.executable, str(VERIFIER), str(args.path)]
    asked += ["--root-key", args.root_key] if args.root_key else []
    asked += ["--station-key", args.station_key] if args.station_key else []
    done = subprocess.run(asked, capture_output=True, text=True, encoding="utf-8", check=False)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"ok": False, "wrong": f"the verifier ended with {done.returncode}"}
    return report
