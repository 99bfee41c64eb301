"""The tree hash of RFC 6962: roots by its definition, runs and prefixes that prove themselves and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.merkle import (
    CompactTree,
    consistency_proof,
    fragment_leaf,
    is_prefix,
    leaf_hash,
    merkle_root,
    range_proof,
    root_from_range,
    root_of_wholes,
)


def rfc6962(leaves: list[bytes]) -> bytes:
    """The definition, word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + rfc6962(leaves[:k]) + rfc6962(leaves[k:])).digest()


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(count)]


@given(count=st.integers(0, 70))
def test_the_root_is_that_of_the_definition(count: int) -> None:
    leaves, tree = leaves_of(count), CompactTree()
    for leaf in leaves:
        tree = CompactTree.from_bytes(tree.size, tree.to_bytes()).grown([leaf])
    assert tree.root() == merkle_root(leaves) == rfc6962(leaves)


def test_leaves_are_what_they_always_were() -> None:
    """Recordings and logs on disk hold these."""
    inner = hashlib.sha256(b"fragment").digest()
    assert fragment_leaf(7, b"fragment") == hashlib.sha256(b"\x00" + (7).to_bytes(8, "big") + inner).digest()
    assert leaf_hash(b"entry") == hashlib.sha256(b"\x00entry").digest()


def test_peaks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError):
        CompactTree.from_bytes(3, bytes(32))


@given(st.integers(1, 60), st.data())
def test_range_proofs(size: int, data: st.DataObject) -> None:
    leaves = [bytes([n]) * 32 for n in range(size)]
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    proof = range_proof(leaves, start, stop)
    assert len(proof) <= 2 * size.bit_length()
    assert root_from_range(size, start, leaves[start:stop], proof) == merkle_root(leaves)
    wrong = [*leaves[start:stop]]
    wrong[0] = b"\xff" * 32
    assert root_from_range(size, start, wrong, proof) != merkle_root(leaves)
    with pytest.raises(ValueError):
        root_from_range(size, start, leaves[start:stop], [*proof, bytes(32)])
    with pytest.raises(ValueError):
        range_proof(leaves, stop, stop)


@given(st.integers(0, 80), st.data())
def test_a_tree_proves_that_it_begins_with_an_earlier_one(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    leaves = leaves_of(new)

    def whole(level: int, place: int) -> bytes:
        return rfc6962(leaves[place << level : (place + 1) << level])

    proof = consistency_proof(old, new, lambda low, high: root_of_wholes(low, high, whole))
    old_root, new_root = merkle_root(leaves[:old]), merkle_root(leaves)
    assert is_prefix(old, old_root, new, new_root, proof)
    if old:
        assert not is_prefix(old, bytes(32), new, new_root, proof)
        assert not is_prefix(old, old_root, new, bytes(32), proof)
    assert not is_prefix(old, old_root, new, new_root, [*proof, bytes(32)])
    for at in range(len(proof)):
        bent = [*proof[:at], bytes(32), *proof[at + 1 :]]
        assert not is_prefix(old, old_root, new, new_root, bent)


def test_a_smaller_tree_does_not_begin_with_a_larger_one() -> None:
    with pytest.raises(ValueError):
        consistency_proof(3, 2, lambda _low, _high: b"")
    assert not is_prefix(3, bytes(32), 2, bytes(32), [])
