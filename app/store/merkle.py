"""The tree hash of RFC 6962 (section 2.1), grown leaf by leaf from its peaks: one per set bit of the size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one log entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


@dataclass(frozen=True, slots=True)
class CompactTree:
    """A tree of `size` leaves as the roots of its whole subtrees, the largest first (32 bytes each)."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def grown(self, leaves: Iterable[bytes]) -> CompactTree:
        """The tree with further leaf hashes."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            merged, bits = leaf, size
            while bits & 1:
                merged, bits = _node(peaks.pop(), merged), bits >> 1
            peaks.append(merged)
            size += 1
        return CompactTree(size, tuple(peaks))

    def root(self) -> bytes:
        """The tree hash, 32 bytes."""
        if not self.peaks:
            return EMPTY_ROOT
        result = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            result = _node(peak, result)
        return result

    def to_bytes(self) -> bytes:
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> CompactTree:
        """Raises ValueError when the peaks do not fit the size."""
        if len(data) != 32 * size.bit_count():
            raise ValueError("peaks do not fit the size")
        return cls(size, tuple(data[i : i + 32] for i in range(0, len(data), 32)))
