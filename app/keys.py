"""Ed25519 signing keys as raw 32-byte seeds and public keys (RFC 8032), for station, server and tenant root."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

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


def new_seed() -> bytes:
    """32 fresh secret bytes for a `Signer`."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


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


def key_id(public_key: bytes) -> str:
    """The name of a public key of any kind: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]
