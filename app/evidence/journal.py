"""The journal: one chain of signed records over everything that happened in a recording.

A record is one line of canonical JSON (app.core.audit.canonical: sorted keys, no spaces, no floats). All have

    n, kind, prev, mono_us, wall_us      its number, its kind, `chain` of the record before, two clocks
    chain                                SHA-256 (hex) of the canonical record without `chain` and `sig`
    sig                                  Ed25519 (hex) over PURPOSE and the 32 bytes of `chain`; "" when unsigned

and by kind (FIELDS): genesis · camera (opened, stalled, lost) · part (a new part begins) · init, fragment (encrypted
bytes are on the disk) · gap (the pictures break off) · missed (so many frames came between two that are here) · event
(a card, a pause) · mask (what was painted over) · clock (the wall clock jumped) · side, side_kept, side_end (a part of
sealed originals begins, is durable so far, ends) · witness (somebody else confirmed the chain's head) · recovered (what
a crash left) · close (Merkle root; nothing may follow).

In `init` and `fragment`: `h` = Merkle leaf of the plaintext (app.core.merkle), `c` = SHA-256 of the ciphertext,
`leaf` counts over the recording, `index` within the part. Times `*_pts` are microseconds since the first frame.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.core.audit import canonical
from app.core.errors import EvidenceTrouble
from app.platform import fdatasync, sync_folder, write_all

VERSION = 1
NAME = "journal.jsonl"
NO_HASH = "0" * 64
PURPOSE = b"cardintake recording record v1\n"

_COMMON: Mapping[str, type] = {"n": int, "kind": str, "prev": str, "mono_us": int, "wall_us": int}
_PIECE: Mapping[str, type] = {"part": int, "index": int, "leaf": int, "off": int, "len": int, "h": str, "c": str}
_SIDE_BYTES: Mapping[str, type] = {
    **{"part": int, "file": str, "bytes": int, "sha256": str, "pictures": int, "to_pts": int},
}
FIELDS: Mapping[str, Mapping[str, type]] = {
    "genesis": {
        **{"v": int, "recording": str, "station_key": str, "camera": str, "simulated": bool, "rehearsal": bool},
        **{"boot_id": str, "app_version": str, "previous": str, "meta": dict},
    },
    "camera": {"state": str, "reason": str, "address": str, "width": int, "height": int},
    "part": {
        **{"part": int, "id": str, "file": str, "codec": str, "width": int, "height": int},
        **{"first_pts": int, "base_mono_us": int, "boot_id": str},
    },
    "init": _PIECE,
    "fragment": {**_PIECE, "first_pts": int, "last_pts": int, "frames": int, "dropped": int},
    "gap": {"reason": str, "from_pts": int, "to_pts": int},
    "missed": {"reason": str, "from_pts": int, "to_pts": int, "frames": int},
    "event": {"event": str, "body": dict},
    "mask": {"reason": str, "from_pts": int, "to_pts": int, "zones": list},
    "side": {"part": int, "file": str, "key_id": str, "from_pts": int},
    "side_kept": _SIDE_BYTES,
    "side_end": _SIDE_BYTES,
    "witness": {"head": str, "source": str, "token": str},
    "clock": {"old_offset_us": int, "new_offset_us": int},
    "recovered": {"torn": list, "boot_id": str},
    "close": {"reason": str, "root": str, "leaves": int, "frames": int, "dropped": int, "duration_us": int},
}
"""A mask's zones are objects {"kind": what is covered, "quad": eight integers, x and y from the top left clockwise}."""

LATER_FIELDS: Mapping[str, Mapping[str, type]] = {"side": {"base_mono_us": int, "boot_id": str}}
"""What earlier releases did not write: a record has all of these or none of them."""

_SIGNATURE = re.compile(r"([0-9a-f]{128})?")  # hex has two spellings; one of them is none of ours

Write = Callable[[int, bytes], None]


class Signer:
    """Signs records with the station's Ed25519 key; without a seed everything is marked unsigned."""

    def __init__(self, seed: bytes | None) -> None:
        self._key = None if seed is None else Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> str:
        """32 bytes in hex, "" when unsigned."""
        return "" if self._key is None else self._key.public_key().public_bytes_raw().hex()

    def sign(self, chain: str) -> str:
        return "" if self._key is None else self._key.sign(PURPOSE + bytes.fromhex(chain)).hex()


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `fields` holds everything but `chain` and `sig`; `size` is its line's length in bytes."""

    n: int
    kind: str
    chain: str
    sig: str = field(repr=False)
    fields: Mapping[str, Any]
    size: int

    def signed_by(self, public_key: str) -> bool:
        """Whether the holder of this key (hex) signed it."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
            key.verify(bytes.fromhex(self.sig), PURPOSE + bytes.fromhex(self.chain))
        except (InvalidSignature, ValueError):
            return False
        return True


def seal_record(fields: Mapping[str, Any], signer: Signer) -> bytes:
    """The record's line with its closing newline."""
    chain = hashlib.sha256(canonical(fields)).hexdigest()
    return canonical({**fields, "chain": chain, "sig": signer.sign(chain)}) + b"\n"


def parse_record(line: bytes, n: int, prev: str) -> Record:
    """Read the line (without its newline) that should be record `n` after hash `prev`.

    Raises EvidenceTrouble: evidence.record_malformed, evidence.record_changed (its hash), evidence.chain_broken (a
    record is missing, added or out of place). The signature is for `Record.signed_by`.
    """
    fields = _fields(line)
    chain, sig = fields.pop("chain"), fields.pop("sig")
    if hashlib.sha256(canonical(fields)).hexdigest() != chain:
        raise EvidenceTrouble("evidence.record_changed", f"record {n}")
    if fields["n"] != n or fields["prev"] != prev:
        raise EvidenceTrouble("evidence.chain_broken", f"record {n}")
    return Record(n, fields["kind"], chain, sig, fields, len(line) + 1)


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
        kind = fields["kind"]
        later = LATER_FIELDS.get(kind, {})
        wanted = {**_COMMON, **FIELDS[kind], "chain": str, "sig": str}
        wanted |= later if later.keys() & fields.keys() else {}
        whole = fields.keys() == wanted.keys() and canonical(fields) == line  # one spelling only: nothing can hide
        typed = all(type(fields[name]) is wanted[name] for name in wanted)
        if whole and typed and _SIGNATURE.fullmatch(fields["sig"]):
            return dict(fields)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass  # said below
    raise EvidenceTrouble("evidence.record_malformed", "a record is not what a record should be")


class Journal:
    """Appends records; each is on the disk when `append` returns. One thread."""

    def __init__(self, folder: Path, signer: Signer, n: int, head: str, write: Write = write_all) -> None:
        """Go on after record `n` - 1 whose hash is `head`; (0, NO_HASH) begins one. The file must end there."""
        self._signer = signer
        self._write = write
        self.n, self.head = n, head
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        flags |= os.O_CREAT | os.O_EXCL if n == 0 else 0
        self._fd = os.open(folder / NAME, flags, 0o600)
        self._size = os.fstat(self._fd).st_size
        sync_folder(folder)

    def append(self, kind: str, **body: Any) -> str:
        """Write one record durably; gives its hash. Raises OSError: then nothing of it remains in the file."""
        times = {"mono_us": time.monotonic_ns() // 1000, "wall_us": time.time_ns() // 1000}
        line = seal_record({"n": self.n, "kind": kind, "prev": self.head, **times, **body}, self._signer)
        chain = parse_record(line[:-1], self.n, self.head).chain  # a bug must not get into the chain either
        try:
            self._write(self._fd, line)
            fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self.n, self.head, self._size = self.n + 1, chain, self._size + len(line)
        return chain

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._size

    def close(self) -> None:
        os.close(self._fd)
