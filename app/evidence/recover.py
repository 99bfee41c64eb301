"""After a crash: finds the longest run of records that is whole, and sets what follows it aside, deleting nothing.

A recording that was cut by a power failure or a kill ends in at most one torn journal line and one fragment that no
record names. Both go to `*.torn` files; the recording goes on after them with a signed `recovered` record.
"""

from __future__ import annotations

import hashlib
import json
import os
from itertools import count
from pathlib import Path
from typing import Any

from app.core.errors import EvidenceTrouble
from app.evidence import journal
from app.evidence.ledger import Ledger, Piece, load, longest_run
from app.evidence.storage import pictures_in
from app.platform import durable_write, sync_folder

_HASHED_RECORDS = 16  # older bytes were synced long before the crash; `verify` reads them all, a restart must be quick


def recover(folder: Path, public_key: str) -> tuple[Ledger, list[dict[str, Any]]]:
    """Make the recording end where it is whole; gives its state and what was set aside ({name, bytes, sha256}).

    Raises EvidenceTrouble: evidence.no_recording, evidence.closed, evidence.other_key; OSError.
    """
    ledger = _longest_whole(folder)
    if ledger.close is not None:
        raise EvidenceTrouble("evidence.closed", folder.name)
    if ledger.genesis["station_key"] != public_key:
        raise EvidenceTrouble("evidence.other_key", folder.name)
    known = {part.file for part in ledger.parts} | ledger.sides.keys()
    torn = [_cut(folder / part.file, part.size) for part in ledger.parts]
    torn += [_put_aside(path) for path in sorted(pictures_in(folder)) if path.name not in known]
    torn.append(_cut(folder / journal.NAME, ledger.size))  # last: until then another crash finds it all again
    return ledger, [one for one in torn if one is not None]


def is_sealed_but_damaged(folder: Path) -> bool:
    """Whether a journal ends with its closing record, whole and signed, and yet cannot be read up to it. That is damage
    (a crash tears the end off), and who cut it there would put nearly all of a good recording aside.
    """
    try:
        ledger = load(folder)
        last = (folder / journal.NAME).read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[2]
        told = json.loads(last)
        record = journal.parse_record(last, told["n"], told["prev"])
    except (EvidenceTrouble, OSError, ValueError, TypeError, KeyError):
        return False
    key = str(ledger.genesis["station_key"])
    return ledger.close is None and record.kind == "close" and (not key or record.signed_by(key))


def _longest_whole(folder: Path) -> Ledger:
    """The longest run of records whose bytes are all there."""
    ledger = load(folder)
    newest = ledger.records - _HASHED_RECORDS
    for part in ledger.parts:
        for piece in part.pieces:
            if not _is_there(folder / part.file, piece, check_bytes=piece.record >= newest):
                lines = (folder / journal.NAME).read_bytes().split(b"\n")[: piece.record]
                return longest_run(b"\n".join([*lines, b""]))
    return ledger


def _is_there(path: Path, piece: Piece, check_bytes: bool) -> bool:
    if not path.exists() or path.stat().st_size < piece.offset + piece.size:
        return False
    if not check_bytes:
        return True
    with path.open("rb") as file:
        file.seek(piece.offset)
        return hashlib.sha256(file.read(piece.size)).hexdigest() == piece.c


def _cut(path: Path, size: int) -> dict[str, Any] | None:
    """Move what lies behind `size` into a file of its own; the tail is safe there before it is cut off here."""
    if not path.exists() or path.stat().st_size <= size:
        return None
    with path.open("rb") as file:
        file.seek(size)
        tail = file.read()
    aside = _free_name(path)
    durable_write(aside, tail)
    os.truncate(path, size)
    return {"name": aside.name, "bytes": len(tail), "sha256": hashlib.sha256(tail).hexdigest()}


def _put_aside(path: Path) -> dict[str, Any] | None:
    """A whole file that no record names: it was begun in the moment of the crash. An empty one is nothing."""
    size = path.stat().st_size
    if not size:
        path.unlink()
        return None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    aside = path.rename(_free_name(path))
    sync_folder(path.parent)
    return {"name": aside.name, "bytes": size, "sha256": sha256}


def _free_name(path: Path) -> Path:
    tries = (path.with_name(f"{path.name}{'' if n == 1 else f'.{n}'}.torn") for n in count(1))
    return next(name for name in tries if not name.exists())
