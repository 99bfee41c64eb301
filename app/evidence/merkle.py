"""The Merkle tree over a recording's fragments, as in RFC 6962 section 2.1: leaves 0x00, inner nodes 0x01."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(index: int, fragment: bytes) -> bytes:
    """SHA-256(0x00 | index, 8 bytes big-endian | SHA-256(plaintext fragment)); `index` counts over all parts."""
    inner = hashlib.sha256(fragment).digest()
    return hashlib.sha256(b"\x00" + index.to_bytes(8, "big") + inner).digest()


class MerkleTree:
    """Grows leaf by leaf and keeps only the roots of its full subtrees (log2 n hashes)."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # of falling size, as the ones in `size` written in binary

    def add(self, leaf: bytes) -> None:
        size, node = self.size, leaf
        while size & 1:
            node = _inner(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far; SHA-256 of nothing when there is none."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = _inner(peak, node)
        return node


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over all of `leaves`."""
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
