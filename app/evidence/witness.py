"""A recording's witness: the centre's word on its chain, beside the journal (`witness.json`), and the one before it.

How the word is checked is written once, in the verifier that travels with dossiers; we run the same lines.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.core.errors import EvidenceTrouble
from app.evidence import journal

VERIFIER = Path(__file__).resolve().parent.parent.parent / "resources" / "dossier" / "verify.py"

WITNESS_FILE = "witness.json"
PREVIOUS_FILE = "previous.jsonl"
_TAIL_BYTES = 1 << 16


def check_word(
    bundle: bytes, chains: Mapping[int, str], closing: tuple[int, str], recording: str, root_key: str = ""
) -> dict[str, Any]:
    """What the centre's word on a recording tells. `chains`: the hash of each record at hand, by its number;
    `closing`: number and hash of the last one; `root_key`: the tenant root one trusts (hex), "" takes the word's own.

    Raises EvidenceTrouble("evidence.witness_wrong").
    """
    script = _script()
    try:
        told: dict[str, Any] = script["check_witness"](json.loads(bundle), chains, closing, recording, root_key)
    except script["Wrong"] as wrong:
        raise EvidenceTrouble("evidence.witness_wrong", str(wrong)) from wrong
    except ValueError as wrong:
        raise EvidenceTrouble("evidence.witness_wrong", "no JSON") from wrong
    return told


@cache
def _script() -> dict[str, Any]:
    return runpy.run_path(str(VERIFIER))


def last_record(folder: Path) -> tuple[bytes, dict[str, Any]] | None:
    """The last whole line of a journal that may be growing, and its fields; None when there is none to be read."""
    try:
        with (folder / journal.NAME).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return None
    whole = lines[:-1] if size <= _TAIL_BYTES else lines[1:-1]
    try:
        return (whole[-1], dict(json.loads(whole[-1]))) if whole else None
    except ValueError:
        return None


def witness_files(folder: Path, previous: str, station_key: str) -> dict[str, bytes]:
    """What a dossier carries of it, by name: the centre's word, and the record that closed the recording before
    (whose hash is `previous`), where they are to be found beside this recording. One that another key than
    `station_key` (hex) signed, before the station changed its key, is left out: a dossier is checked by one key.
    """
    found = {}
    path = folder / WITNESS_FILE
    if path.exists():
        found[WITNESS_FILE] = path.read_bytes()
    if previous != journal.NO_HASH and (line := _closing_line(folder, previous, station_key)):
        found[PREVIOUS_FILE] = line + b"\n"
    return found


def _closing_line(folder: Path, chain: str, station_key: str) -> bytes | None:
    """The last record of that recording of the station's whose chain ends so; the latest are looked at first."""
    others = [path for path in folder.parent.iterdir() if path != folder and (path / journal.NAME).is_file()]
    for path in sorted(others, key=lambda one: (one / journal.NAME).stat().st_mtime, reverse=True):
        last = last_record(path)
        if last is not None and last[1].get("chain") == chain:
            return last[0] if _key_of(path) == station_key else None
    return None


def _key_of(folder: Path) -> str:
    """The station key (hex) that a journal's first record names, "" where it cannot be read."""
    try:
        with (folder / journal.NAME).open("rb") as lines:
            return str(json.loads(lines.readline())["station_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
