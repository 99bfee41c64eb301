"""The tree hash of RFC 6962 (section 2.1) and its proofs: for the centre's log and for a recording's fragments.

leaf_hash, fragment_leaf       what is hashed into a leaf
CompactTree, merkle_root       the root, grown leaf by leaf from the peaks (one per set bit of the size)
range_proof, root_from_range   that a run of leaves lies in a tree (place_proof: a single one)
consistency_proof, is_prefix   that a tree begins with an earlier one
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

EMPTY_ROOT = hashlib.sha256(b"").digest()

RootOf = Callable[[int, int], bytes]
"""`root_of(low, high)`: the root over the leaves from `low` up to, not including, `high`."""

WholeOf = Callable[[int, int], bytes]
"""`whole_of(level, place)`: the root of the complete subtree of 2**level leaves from leaf place * 2**level on."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one log entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def fragment_leaf(index: int, fragment: bytes) -> bytes:
    """The leaf of a recording's fragment: its place (8 bytes, big-endian) and the SHA-256 of its plain bytes.

    `index` counts over all parts.
    """
    return leaf_hash(index.to_bytes(8, "big") + hashlib.sha256(fragment).digest())


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


_LEVELS = 8
_BLOCK = 1 << _LEVELS


def _levelled(block: list[bytes]) -> list[tuple[bytes, int]]:
    """A whole block as its root; of what is left over each leaf for itself."""
    if len(block) < _BLOCK:
        return [(leaf, 0) for leaf in block]
    sha256 = hashlib.sha256
    while len(block) > 1:
        block = [sha256(b"\1" + left + right).digest() for left, right in zip(block[::2], block[1::2], strict=True)]
    return [(block[0], _LEVELS)]


@dataclass(frozen=True, slots=True)
class CompactTree:
    """A tree of `size` leaves as the roots of its whole subtrees, the largest first (32 bytes each)."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def grown(self, leaves: Iterable[bytes]) -> CompactTree:
        """The tree with further leaf hashes: whole blocks at once, which is quicker than leaf by leaf."""
        rest = iter(leaves)
        tree = self._with((leaf, 0) for leaf in islice(rest, -self.size % _BLOCK))
        blocks = iter(lambda: list(islice(rest, _BLOCK)), [])
        return tree._with(chain.from_iterable(_levelled(block) for block in blocks))

    def _with(self, nodes: Iterable[tuple[bytes, int]]) -> CompactTree:
        """The tree with further whole subtrees (root, level), each of which begins where one of its size can."""
        size, peaks = self.size, list(self.peaks)
        for node, level in nodes:
            merged, bits = node, size >> level
            while bits & 1:
                merged, bits = node_hash(peaks.pop(), merged), bits >> 1
            peaks.append(merged)
            size += 1 << level
        return CompactTree(size, tuple(peaks))

    def root(self) -> bytes:
        """The tree hash, 32 bytes."""
        if not self.peaks:
            return EMPTY_ROOT
        result = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            result = node_hash(peak, result)
        return result

    def to_bytes(self) -> bytes:
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> CompactTree:
        """Raises ValueError when the peaks do not fit the size."""
        if len(data) != 32 * size.bit_count():
            raise ValueError("peaks do not fit the size")
        return cls(size, tuple(data[i : i + 32] for i in range(0, len(data), 32)))


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root over all of `leaves`."""
    return CompactTree().grown(leaves).root()


def range_proof(leaves: Sequence[bytes], start: int, stop: int) -> list[bytes]:
    """The hashes that, with the leaves of [start, stop), give the root over all: what a clip needs to prove itself.

    From left to right, at most two a level. Raises ValueError for a range that is empty or not inside.
    """
    if not 0 <= start < stop <= len(leaves):
        raise ValueError("no such range of leaves")
    proof: list[bytes] = []
    _collect(lambda low, high: merkle_root(leaves[low:high]), 0, len(leaves), start, stop, proof)
    return proof


def place_proof(n: int, size: int, root_of: RootOf) -> list[bytes]:
    """The hashes that, with leaf `n`, give the root over `size` leaves; in the order of `range_proof`.

    Raises ValueError for a leaf that is not inside.
    """
    if not 0 <= n < size:
        raise ValueError("no such leaf")
    proof: list[bytes] = []
    _collect(root_of, 0, size, n, n + 1, proof)
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


def _collect(root_of: RootOf, low: int, high: int, start: int, stop: int, proof: list[bytes]) -> None:
    if high <= start or low >= stop:
        proof.append(root_of(low, high))
    elif high - low > 1:
        middle = low + _left_size(high - low)
        _collect(root_of, low, middle, start, stop, proof)
        _collect(root_of, middle, high, start, stop, proof)


def _rebuild(low: int, high: int, start: int, stop: int, leaves: list[bytes], proof: list[bytes]) -> bytes:
    if high <= start or low >= stop:
        if not proof:
            raise ValueError("a proof too short")
        return proof.pop(0)
    if high - low == 1:
        return leaves.pop(0)
    middle = low + _left_size(high - low)
    left = _rebuild(low, middle, start, stop, leaves, proof)
    return node_hash(left, _rebuild(middle, high, start, stop, leaves, proof))


def _left_size(size: int) -> int:
    """The largest power of two below `size` (RFC 6962 section 2.1)."""
    return 1 << (size - 1).bit_length() - 1


def consistency_proof(old: int, new: int, root_of: RootOf) -> list[bytes]:
    """The hashes that show that a tree of `new` leaves begins with one of `old` (RFC 6962 section 2.1.2).

    Empty for `old` 0 or equal sizes: nothing has to be shown. Raises ValueError when `old` is larger.
    """
    if not 0 <= old <= new:
        raise ValueError("an earlier tree is not larger")
    return _subproof(old, 0, new, True, root_of) if 0 < old < new else []


def _subproof(old: int, low: int, high: int, whole: bool, root_of: RootOf) -> list[bytes]:
    """`old` leaves of [low, high) are in the earlier tree; `whole`: their root is known to who checks."""
    if old == high - low:
        return [] if whole else [root_of(low, high)]
    split = _left_size(high - low)
    if old <= split:
        return [*_subproof(old, low, low + split, whole, root_of), root_of(low + split, high)]
    return [*_subproof(old - split, low + split, high, False, root_of), root_of(low, low + split)]


def is_prefix(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree (`new`, `new_root`) begins with (`old`, `old_root`).

    The procedure of RFC 9162 section 2.1.4.2.
    """
    if old > new or (old in (0, new) and proof):
        return False
    if old == new:
        return old_root == new_root
    if old == 0:
        return old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    return _leads_to_both(old - 1, new - 1, path, old_root, new_root)


def _leads_to_both(old_node: int, new_node: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Follow the path from the last leaf of the earlier tree: it has to end in both roots."""
    if not path:
        return False
    while old_node & 1:
        old_node, new_node = old_node >> 1, new_node >> 1
    old_hash = new_hash = path[0]
    for sibling in path[1:]:
        if new_node == 0:
            return False
        if old_node & 1 or old_node == new_node:
            old_hash, new_hash = node_hash(sibling, old_hash), node_hash(sibling, new_hash)
            while old_node and not old_node & 1:
                old_node, new_node = old_node >> 1, new_node >> 1
        else:
            new_hash = node_hash(new_hash, sibling)
        old_node, new_node = old_node >> 1, new_node >> 1
    return new_node == 0 and (old_hash, new_hash) == (old_root, new_root)


def root_of_wholes(low: int, high: int, whole_of: WholeOf) -> bytes:
    """The root over [low, high) from complete subtrees; `low` is where a subtree of that size can begin."""
    if low == high:
        return EMPTY_ROOT
    peaks: list[bytes] = []
    while low < high:
        level = (high - low).bit_length() - 1
        peaks.append(whole_of(level, low >> level))
        low += 1 << level
    root = peaks.pop()
    while peaks:
        root = node_hash(peaks.pop(), root)
    return root
