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


def range_proof(leaves: Sequence[bytes], start: int, stop: int) -> list[bytes]:
    """The hashes that, with the leaves of [start, stop), give the root over all: what a clip needs to prove itself.

    From left to right, at most two a level. Raises ValueError for a range that is empty or not inside.
    """
    if not 0 <= start < stop <= len(leaves):
        raise ValueError("no such range of leaves")
    proof: list[bytes] = []
    _collect(leaves, 0, len(leaves), start, stop, proof)
    return proof


def root_from_range(size: int, start: int, leaves: Sequence[bytes], proof: Sequence[bytes]) -> bytes:
    """The root that leaves `start`… of `size` in all and their proof lead to. Raises ValueError for a wrong proof."""
    if not leaves or start < 0 or start + len(leaves) > size:
        raise ValueError("no such range of leaves")
    given, rest = list(leaves), list(proof)
    root = _rebuild(0, size, start, start + len(leaves), given, rest)
    if given or rest:
        raise ValueError("a proof too long")
    return root


def _collect(leaves: Sequence[bytes], low: int, high: int, start: int, stop: int, proof: list[bytes]) -> None:
    if high <= start or low >= stop:
        proof.append(merkle_root(leaves[low:high]))
    elif high - low > 1:
        middle = low + _left_size(high - low)
        _collect(leaves, low, middle, start, stop, proof)
        _collect(leaves, middle, high, start, stop, proof)


def _rebuild(low: int, high: int, start: int, stop: int, leaves: list[bytes], proof: list[bytes]) -> bytes:
    if high <= start or low >= stop:
        if not proof:
            raise ValueError("a proof too short")
        return proof.pop(0)
    if high - low == 1:
        return leaves.pop(0)
    middle = low + _left_size(high - low)
    left = _rebuild(low, middle, start, stop, leaves, proof)
    return _inner(left, _rebuild(middle, high, start, stop, leaves, proof))


def _left_size(size: int) -> int:
    """The largest power of two below `size` (RFC 6962 section 2.1)."""
    return 1 << (size - 1).bit_length() - 1
