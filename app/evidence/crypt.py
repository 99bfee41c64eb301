"""Encryption of footage: AES-256-GCM, one key a part, one nonce a fragment, and no way to use a nonce twice.

key = HKDF-SHA256(recording key, salt = random part id), nonce = fragment index (96 bit, big-endian), associated data
= part id and index. A part is written once from front to back by one `PartCipher` and never reopened for writing:
after a crash a new part with a new id begins. (NIST SP 800-38D: a nonce used twice under one key is fatal.)
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import EvidenceTrouble

KEY_BYTES = 32
PART_ID_BYTES = 16
TAG_BYTES = 16
"""What encryption adds to a fragment's length."""

_PURPOSE = b"cardintake recording part v1"


def new_part_id() -> bytes:
    return secrets.token_bytes(PART_ID_BYTES)


class PartSealer:
    """Encrypts the fragments of one new part in their order; each index is used once, whatever becomes of the bytes."""

    def __init__(self, recording_key: bytes, part_id: bytes) -> None:
        self._cipher = _cipher(recording_key, part_id)
        self._part_id = part_id
        self._next = 0

    def seal(self, fragment: bytes) -> bytes:
        """The next fragment encrypted; `TAG_BYTES` longer."""
        index, self._next = self._next, self._next + 1
        return self._cipher.encrypt(_nonce(index), fragment, self._part_id + _nonce(index))


class PartOpener:
    """Decrypts the fragments of one part, in any order."""

    def __init__(self, recording_key: bytes, part_id: bytes) -> None:
        self._cipher = _cipher(recording_key, part_id)
        self._part_id = part_id

    def open(self, index: int, sealed: bytes) -> bytes:
        """Raises EvidenceTrouble("evidence.not_decryptable"): wrong key, other place, or changed bytes."""
        try:
            return self._cipher.decrypt(_nonce(index), sealed, self._part_id + _nonce(index))
        except InvalidTag:
            raise EvidenceTrouble("evidence.not_decryptable", f"fragment {index}") from None


def _cipher(recording_key: bytes, part_id: bytes) -> AESGCM:
    if len(recording_key) != KEY_BYTES or len(part_id) != PART_ID_BYTES:
        raise ValueError("recording key or part id of a wrong length")
    return AESGCM(HKDF(SHA256(), KEY_BYTES, part_id, _PURPOSE).derive(recording_key))


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")
