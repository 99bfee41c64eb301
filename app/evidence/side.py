"""The side stream: pictures that nobody may review, as they came, under keys that only the vault can open.

A side part is written once from front to back. Its key is random, lives in the recorder's memory while the part is
written and stands in the file only sealed (HPKE, RFC 9180) to the vault key. So the machine that films cannot play it
back; two people can, through the vault.

    side-0001-1f2e3d4c.bin    one line of canonical JSON {v, recording, part, id, key_id, sealed}, then per picture
                              4 bytes length, AES-256-GCM (nonce = number) of the picture as in `app.evidence.ring`

What a camera sent is kept as it came, H.264 and H.265 too; each part begins with a picture that stands alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from app.core.audit import canonical
from app.core.errors import EvidenceTrouble
from app.evidence.journal import Write
from app.evidence.ring import Picture, pack, unpack
from app.platform import fdatasync, sync_folder, write_all

SIDE_GLOB = "side-*.bin"
_LONGEST_HEAD, _LONGEST_PICTURE = 4096, 64 << 20

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class VaultLock:
    """What side parts are sealed to: the vault key's name and its X25519 public half (32 bytes)."""

    key_id: str
    public_key: bytes


class SidePart:
    """One side part being written, by one thread. Raises OSError."""

    def __init__(self, folder: Path, recording: str, number: int, lock: VaultLock, write: Write = write_all) -> None:
        self._write = write
        part_id = secrets.token_bytes(16).hex()
        key = secrets.token_bytes(32)
        public = X25519PublicKey.from_public_bytes(lock.public_key)
        sealed = _SUITE.encrypt(key, public, info=_info(recording, number, part_id, lock.key_id)).hex()
        head = {"v": 1, "recording": recording, "part": number, "id": part_id, "key_id": lock.key_id, "sealed": sealed}
        self.number, self.name = number, f"side-{number:04d}-{part_id[:8]}.bin"
        self._aad, self._cipher = bytes.fromhex(part_id), AESGCM(key)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd = os.open(folder / self.name, flags, 0o600)
        self._hash = hashlib.sha256()
        self.size = self.pictures = 0
        try:
            self._put(canonical(head) + b"\n")
            sync_folder(folder)
        except OSError:  # nothing of it remains
            os.close(self._fd)
            (folder / self.name).unlink()
            raise

    def add(self, picture: Picture) -> None:
        """Keep one picture; `sync` makes it durable."""
        sealed = self._cipher.encrypt(self.pictures.to_bytes(12, "big"), pack(picture), self._aad)
        self._put(struct.pack(">I", len(sealed)) + sealed)
        self.pictures += 1

    def sync(self) -> None:
        fdatasync(self._fd)

    @property
    def sha256(self) -> str:
        """Hash of all that was written so far."""
        return self._hash.hexdigest()

    def close(self) -> None:
        os.close(self._fd)

    def _put(self, data: bytes) -> None:
        self._write(self._fd, data)
        self._hash.update(data)
        self.size += len(data)


def key_id_of(path: Path) -> str:
    """The name of the vault key that a side part is sealed to. Raises EvidenceTrouble("evidence.not_decryptable")."""
    return str(_head_of(path)["key_id"])


def recording_of(path: Path) -> str:
    """The recording that a side part says it belongs to; it opens as no other's. Raises as `key_id_of`."""
    return str(_head_of(path)["recording"])


def open_side(path: Path, private_key: X25519PrivateKey) -> Iterator[Picture]:
    """The pictures of a side part, one after the other, for whoever holds the vault's private key; a torn end is left
    out.

    Raises EvidenceTrouble("evidence.not_decryptable"): another key, or a file that is none of ours.
    """
    head = _head_of(path)
    try:
        info = _info(head["recording"], head["part"], head["id"], head["key_id"])
        cipher = AESGCM(_SUITE.decrypt(bytes.fromhex(head["sealed"]), private_key, info=info))
    except (ValueError, TypeError, InvalidTag) as wrong:
        raise EvidenceTrouble("evidence.not_decryptable", path.name) from wrong
    return _pictures(path, cipher, bytes.fromhex(head["id"]))


def _head_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        line = file.readline(_LONGEST_HEAD)
    try:
        head = json.loads(line)
        return {name: head[name] for name in ("recording", "part", "id", "key_id", "sealed")}
    except (ValueError, KeyError, TypeError) as wrong:
        raise EvidenceTrouble("evidence.not_decryptable", path.name) from wrong


def _pictures(path: Path, cipher: AESGCM, aad: bytes) -> Iterator[Picture]:
    with path.open("rb") as file:
        file.readline(_LONGEST_HEAD)
        for number in count():
            (size,) = struct.unpack(">I", file.read(4).rjust(4, b"\0"))
            sealed = file.read(min(size, _LONGEST_PICTURE))
            try:
                picture: Any = unpack(cipher.decrypt(number.to_bytes(12, "big"), sealed, aad))
            except InvalidTag:
                return  # the end, or a torn one
            yield picture


def _info(recording: str, part: int, part_id: str, key_id: str) -> bytes:
    return canonical(["cardintake side part v1", recording, part, part_id, key_id])
