"""Keys: Ed25519 for signing (raw 32-byte seeds, RFC 8032), and what an enrolment code stands for."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from functools import lru_cache

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.core.errors import EvidenceTrouble

Verify = Callable[[bytes, bytes], bool]
"""`verify(sig, data)`: whether the key that it was made for signed `data`."""


class Signer:
    """A private key that signs. Never prints its seed."""

    def __init__(self, seed: bytes) -> None:
        """`seed`: 32 secret bytes. Raises ValueError for another length."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature of `data`."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"Signer({key_id(self.public_key)})"


class ShreddedKey(Signer):
    """What is left of a key whose private half was shredded: whose signatures those before are. It signs no more."""

    def __init__(self, public_key: bytes) -> None:
        """`public_key`: 32 bytes. Raises ValueError for what is none."""
        verifier(public_key)
        self.public_key = public_key

    def sign(self, data: bytes) -> bytes:
        """Raises EvidenceTrouble("sync.revoked"): there is nothing to sign with."""
        raise EvidenceTrouble("sync.revoked", f"{len(data)} bytes to sign")


def new_seed() -> bytes:
    """32 fresh secret bytes for a `Signer`."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


@lru_cache(maxsize=4096)
def verifier(public_key: bytes) -> Verify:
    """A check for signatures of `public_key` (32 bytes). Raises ValueError when it is no such key."""
    key = Ed25519PublicKey.from_public_bytes(public_key)

    def verify(sig: bytes, data: bytes) -> bool:
        try:
            key.verify(sig, data)
        except InvalidSignature:
            return False
        return True

    return verify


def read_public(text: str) -> bytes:
    """A public key (32 bytes) from its hex, as people hand it on. Raises ValueError when it is no such key."""
    raw = bytes.fromhex(text)
    verifier(raw)
    return raw


def by_any_key(public_keys: Iterable[bytes]) -> Verify:
    """A check for what one of these keys (32 bytes each) signed. Raises ValueError as `verifier`."""
    checks = [verifier(one) for one in public_keys]
    return lambda sig, data: any(check(sig, data) for check in checks)


def key_id(public_key: bytes) -> str:
    """The name of a public key of any kind: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


_CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""

_CODE_LENGTH = 10
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


def new_code() -> str:
    """A fresh enrolment code of 50 random bits, as it is read out: XXXXX-XXXXX."""
    code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(_CODE_LENGTH))
    return f"{code[:5]}-{code[5:]}"


def code_key(code: str) -> bytes:
    """The 32-byte key that an enrolment code stands for (Argon2id, 19 MiB, 2 passes); case and dashes do not matter."""
    plain = code.upper().translate(str.maketrans("OIL", "011", "- ")).encode()
    return hash_secret_raw(plain, b"cardintake enrolment", 2, 19456, parallelism=1, hash_len=32, type=Type.ID)


def six_words(data: bytes) -> str:
    """96 bits of a SHA-256 as six words that can be read out (proquints: consonants and vowels in turn)."""
    digest = hashlib.sha256(data).digest()
    return " ".join(_word(int.from_bytes(digest[i : i + 2])) for i in range(0, 12, 2))


def _word(bits: int) -> str:
    letters = ((_CONSONANTS, 12), (_VOWELS, 10), (_CONSONANTS, 6), (_VOWELS, 4), (_CONSONANTS, 0))
    return "".join(alphabet[bits >> shift & len(alphabet) - 1] for alphabet, shift in letters)
