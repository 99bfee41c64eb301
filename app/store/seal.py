"""Closes secrets: HPKE to the vault key, keyed slow hashes of card numbers, passcodes.

One of the two places that may open a `Secret`. What leaves here can be read by the vault only, or not at all.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from app.core.audit import canonical
from app.core.cards import Secret
from app.core.errors import EvidenceTrouble
from app.keys import Signer
from app.store.keyfile import read_key

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
"""RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305."""

MAGIC = b"CIS1"
_PAD_TO = 128  # bytes; without it the blob would tell the length of a PIN


@dataclass(frozen=True, slots=True)
class IndexCost:
    """What one try at a number costs: Argon2id memory (KiB) and passes. Fixed for a station's life."""

    memory_kib: int = 19456
    passes: int = 2


@dataclass(frozen=True, slots=True)
class VaultKey:
    """The key that secrets are sealed to: its name and its X25519 public half (32 bytes)."""

    key_id: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SealedField:
    """A sealed secret. `ref` is the SHA-256 (hex) of `blob`."""

    field: str
    key_id: str
    ref: str
    blob: bytes


@dataclass(frozen=True, slots=True)
class Context:
    """What a sealed secret is bound to; it opens under no other."""

    tenant: str
    station: str
    card_id: str
    field: str


def info_of(context: Context, key_id: str) -> bytes:
    """The HPKE `info`: canonical JSON of [v, tenant, station, card, field, key id]."""
    return canonical([1, context.tenant, context.station, context.card_id, context.field, key_id])


def seal(secret: Secret, key: VaultKey, context: Context) -> SealedField:
    """Seal a secret. Blob: "CIS1", key id (8 bytes), HPKE ciphertext of the text padded as in ISO/IEC 7816-4."""
    public = X25519PublicKey.from_public_bytes(key.public_key)
    closed = SUITE.encrypt(_padded(secret), public, info=info_of(context, key.key_id))
    blob = MAGIC + bytes.fromhex(key.key_id) + closed
    return SealedField(context.field, key.key_id, hashlib.sha256(blob).hexdigest(), blob)


def seal_answer(secret: Secret, to_key: bytes, request: str) -> bytes:
    """A secret for the one-time key (X25519, 32 bytes) of a request, padded; it opens for that request's text only."""
    public = X25519PublicKey.from_public_bytes(to_key)
    return SUITE.encrypt(_padded(secret), public, info=_answer_info(request))


def open_answer(sealed: bytes, private: X25519PrivateKey, request: str) -> Secret:
    """What `seal_answer` made, by who asked. Raises EvidenceTrouble("vault.not_openable")."""
    try:
        text, mark, _ = SUITE.decrypt(sealed, private, info=_answer_info(request)).rpartition(b"\x80")
    except InvalidTag as wrong:
        raise EvidenceTrouble("vault.not_openable", "answer") from wrong
    if not mark:
        raise EvidenceTrouble("vault.not_openable", "padding")
    return Secret(text.decode())


def _answer_info(request: str) -> bytes:
    return canonical([1, "reveal", hashlib.sha256(request.encode()).hexdigest()])


def _padded(secret: Secret) -> bytes:
    text = secret.reveal().encode()
    return text + b"\x80" + bytes(-(len(text) + 1) % _PAD_TO)


def slow_hash(number: Secret, tenant_salt: bytes, cost: IndexCost) -> bytes:
    """Argon2id(number, tenant salt), 32 bytes: what every index of card numbers is made from, never kept itself."""
    return hash_secret_raw(
        number.reveal().encode(), tenant_salt, cost.passes, cost.memory_kib, parallelism=1, hash_len=32, type=Type.ID
    )


def keyed(slow: bytes, key: bytes) -> bytes:
    """An index of a card number: HMAC-SHA-256 of its slow hash, 32 bytes."""
    return hmac.digest(key, slow, "sha256")


def personal_signer(place: Path, passphrase: Secret) -> Signer:
    """A person's own key, opened by the passphrase that only that person knows. Raises as `read_key`."""
    return Signer(read_key(place, passphrase.reveal()))


def passcode_verifier(passcode: Secret) -> str:
    """What is stored of a passcode (argon2id, encoded)."""
    return PasswordHasher().hash(passcode.reveal())


def passcode_fits(verifier: str, passcode: Secret) -> bool:
    """Whether the passcode is the one behind the verifier; takes as long when it is not."""
    try:
        return PasswordHasher().verify(verifier, passcode.reveal())
    except (VerificationError, InvalidHashError):
        return False
