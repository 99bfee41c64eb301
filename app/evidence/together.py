"""Which recordings of the parcel's other camera lie beside one: its chain names them, or theirs names it."""

from __future__ import annotations

import json
from pathlib import Path

from app.evidence import journal
from app.evidence.ledger import Ledger, load

BESIDE = "recording.beside"
"""The event in the overhead recording's chain that names the label camera's; its genesis names the overhead one."""


def lying_beside(folder: Path) -> list[Path]:
    """The folders of the other camera's recordings, in order of their names; those only that are there.

    Raises EvidenceTrouble("evidence.no_recording").
    """
    named = {name for _, name in named_beside(folder, load(folder))}
    siblings = (path for path in sorted(folder.parent.iterdir()) if path != folder and path.is_dir())
    return [path for path in siblings if path.name in named or _begun_beside(path) == folder.name]


def named_beside(folder: Path, ledger: Ledger) -> list[tuple[int, str]]:
    """The recordings of the other camera that a chain names, each with the number of the record that does."""
    lines = (folder / journal.NAME).read_bytes().split(b"\n")[: ledger.records]
    events = (json.loads(line) for line in lines if BESIDE.encode() in line)
    told = [(int(one["n"]), str(one["body"]["recording"])) for one in events if one.get("event") == BESIDE]
    return [(n, name) for n, name in [(0, str(ledger.genesis["meta"].get("beside", ""))), *told] if name]


def _begun_beside(folder: Path) -> str:
    """By its first line alone: whatever is found is verified afterwards, and a folder may hold months of recordings."""
    try:
        with (folder / journal.NAME).open("rb") as lines:
            return str(json.loads(lines.readline())["meta"].get("beside", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
