"""Checkpoints of the centre's log as signed notes, and the lines by which stations countersign them.

Formats: C2SP signed-note, tlog-checkpoint and tlog-cosignature (https://c2sp.org), Ed25519 only. A log's name holds the
centre's epoch: a database that was put back to an earlier state is another log from there on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from app.core.errors import EvidenceTrouble
from app.keys import Signer, verifier

_LOG_KEY, _WITNESS_KEY = b"\x01", b"\x04"
_BEYOND = 1 << 53
"""No time and no size that anybody means is so large, and no database takes much more."""

_DASH = "\u2014 "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's name, its number of entries and its tree hash (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(tenant: str, epoch: str) -> str:
    """The name of a centre's log."""
    return f"cardintake/{quote(tenant, safe='')}/{quote(epoch, safe='')}"


def witness_name(station: str) -> str:
    """The name under which a station countersigns."""
    return f"station/{quote(station, safe='')}"


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The note: the checkpoint, an empty line, the log's signature."""
    sig = _key_id(checkpoint.origin, _LOG_KEY, signer.public_key) + signer.sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n{_DASH}{checkpoint.origin} {base64.b64encode(sig).decode()}\n"


def read_checkpoint(note: str, origin: str, keys: Sequence[bytes]) -> Checkpoint:
    """A note's checkpoint, when one of these keys (32 bytes each) signed it under this name.

    Raises EvidenceTrouble("audit.checkpoint").
    """
    text = note.partition("\n\n")[0] + "\n"
    parts = text.split("\n")
    try:
        found = Checkpoint(parts[0], int(parts[1]), base64.b64decode(parts[2], validate=True))
    except (IndexError, ValueError) as wrong:
        raise EvidenceTrouble("audit.checkpoint", "format") from wrong
    if found.origin != origin or found.text != text or len(found.root) != 32 or not 0 <= found.size < _BEYOND:
        raise EvidenceTrouble("audit.checkpoint", "format")
    if not any(is_signed_by(note, key) for key in keys):
        raise EvidenceTrouble("audit.checkpoint", "signature")
    return found


def is_signed_by(note: str, public_key: bytes) -> bool:
    """Whether this key (32 bytes) signed a note, under the name that stands in it."""
    text, _, lines = note.partition("\n\n")
    origin = text.partition("\n")[0]
    sig = _signature(lines, origin, _key_id(origin, _LOG_KEY, public_key))
    return len(sig) == 64 and verifier(public_key)(sig, f"{text}\n".encode())


def cosign(checkpoint: Checkpoint, station: str, signer: Signer, now_s: int) -> str:
    """The line by which a station says that it saw this checkpoint, consistent with all it saw before."""
    name, stamp = witness_name(station), now_s.to_bytes(8, "big")
    sig = signer.sign(_cosigned(checkpoint, now_s))
    payload = _key_id(name, _WITNESS_KEY, signer.public_key) + stamp + sig
    return f"{_DASH}{name} {base64.b64encode(payload).decode()}\n"


def cosigned_at(line: str, checkpoint: Checkpoint, station: str, public_key: bytes) -> int | None:
    """When (s since 1970) the station countersigned; None when this line is not its word on this checkpoint, or names a
    time that is none.
    """
    name = witness_name(station)
    payload = _signature(line, name, _key_id(name, _WITNESS_KEY, public_key))
    if len(payload) != 72:
        return None
    at_s = int.from_bytes(payload[:8], "big")
    if at_s >= _BEYOND:
        return None
    return at_s if verifier(public_key)(payload[8:], _cosigned(checkpoint, at_s)) else None


def _cosigned(checkpoint: Checkpoint, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{checkpoint.text}".encode()


def _key_id(name: str, kind: bytes, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + kind + public_key).digest()[:4]


def _signature(lines: str, name: str, key_id: bytes) -> bytes:
    """What stands behind the key's name and id in one of the lines; b"" when there is none."""
    for line in lines.split("\n"):
        who, _, payload = line.removeprefix(_DASH).partition(" ")
        if line.startswith(_DASH) and who == name:
            try:
                raw = base64.b64decode(payload, validate=True)
            except binascii.Error:
                continue
            if raw[:4] == key_id:
                return raw[4:]
    return b""
