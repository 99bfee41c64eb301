"""The database key, wrapped by a passphrase, in a small file beside the database.

A random key opens the database at once, the passphrase can be changed without rewriting it, and a wrong passphrase is
told from a damaged file. Argon2id as RFC 9106 recommends for little memory (64 MiB, 3 passes); what it cost is written
beside the salt. A published passphrase costs next to nothing: there is nothing to guess.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from app.core.errors import StorageTrouble
from app.platform import durable_write

_COST = {"memory_kib": 65536, "passes": 3}
_COST_PUBLISHED = {"memory_kib": 64, "passes": 1}
_PURPOSE = b"cardintake database key 1"


def key_path(database: Path) -> Path:
    """Where the wrapped key of a database lies."""
    return database.with_suffix(".key")


def make_key(database: Path, passphrase: str, published: bool = False) -> bytes:
    """Make a key (32 bytes), wrap it by the passphrase and write it durably. Raises OSError."""
    key, salt, nonce = os.urandom(32), os.urandom(16), os.urandom(12)
    cost = _COST_PUBLISHED if published else _COST
    wrapped = ChaCha20Poly1305(_stretch(passphrase, salt, **cost)).encrypt(nonce, key, _PURPOSE)
    fields = {"v": 1, "kdf": "argon2id", **cost, "salt": salt.hex(), "nonce": nonce.hex(), "wrapped": wrapped.hex()}
    durable_write(key_path(database), json.dumps(fields).encode())
    return key


def read_key(database: Path, passphrase: str) -> bytes:
    """The database key. Raises StorageTrouble: store.key_missing, store.wrong_key, store.damaged (the key file)."""
    try:
        fields = json.loads(key_path(database).read_bytes())
        salt, nonce, wrapped = (bytes.fromhex(fields[name]) for name in ("salt", "nonce", "wrapped"))
        memory_kib, passes = int(fields["memory_kib"]), int(fields["passes"])
    except FileNotFoundError as missing:
        raise StorageTrouble("store.key_missing", key_path(database).name) from missing
    except (ValueError, KeyError, TypeError) as broken:
        raise StorageTrouble("store.damaged", key_path(database).name) from broken
    try:
        return ChaCha20Poly1305(_stretch(passphrase, salt, memory_kib, passes)).decrypt(nonce, wrapped, _PURPOSE)
    except HashingError as broken:  # a cost no one wrote
        raise StorageTrouble("store.damaged", key_path(database).name) from broken
    except InvalidTag as refused:
        raise StorageTrouble("store.wrong_key", "passphrase") from refused


def _stretch(passphrase: str, salt: bytes, memory_kib: int, passes: int) -> bytes:
    return hash_secret_raw(passphrase.encode(), salt, passes, memory_kib, parallelism=1, hash_len=32, type=Type.ID)
