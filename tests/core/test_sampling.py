"""The drawn sample: the share that was decided, more of what people typed, and only the key's holder knows which."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.parcels import Reason
from app.core.sampling import SamplePolicy, commitment, drawn, is_typed

KEYS = st.binary(min_size=32, max_size=32)
CARDS = st.uuids().map(str)
CROWD = [f"card-{n}" for n in range(4000)]


@st.composite
def policies(draw: st.DrawFn) -> SamplePolicy:
    typed = draw(st.integers(0, 1000))
    return SamplePolicy(draw(st.integers(0, typed)), typed)


@given(CARDS, policies(), KEYS)
def test_a_card_that_is_drawn_as_read_is_drawn_as_typed(card: str, policy: SamplePolicy, key: bytes) -> None:
    assert drawn(card, True, policy, key) or not drawn(card, False, policy, key)


@given(CARDS, st.booleans(), KEYS, st.integers(0, 1000), st.integers(0, 1000))
def test_a_larger_share_keeps_what_a_smaller_drew(card: str, typed: bool, key: bytes, a: int, b: int) -> None:
    small, large = (SamplePolicy(share, share) for share in sorted((a, b)))
    assert drawn(card, typed, large, key) or not drawn(card, typed, small, key)


@given(CARDS, st.booleans(), KEYS)
def test_none_and_all_are_exact(card: str, typed: bool, key: bytes) -> None:
    assert not drawn(card, typed, SamplePolicy(0, 0), key)
    assert drawn(card, typed, SamplePolicy(1000, 1000), key)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("typed", "share"), [(False, 0.020), (True, 0.200)])
def test_as_many_as_the_policy_says(seed: int, typed: bool, share: float) -> None:
    key = bytes([seed]) * 32
    count = sum(drawn(card, typed, SamplePolicy(), key) for card in CROWD)
    spread = math.sqrt(len(CROWD) * share * (1 - share))
    assert abs(count - len(CROWD) * share) < 4 * spread


def test_whoever_does_not_hold_the_key_cannot_tell() -> None:
    """Two keys agree about a card no more often than two dice would."""
    half = SamplePolicy(500, 500)
    one, other = ([drawn(card, True, half, key * 32) for card in CROWD] for key in (b"a", b"b"))
    same = sum(a == b for a, b in zip(one, other, strict=True))
    assert abs(same - len(CROWD) / 2) < 4 * math.sqrt(len(CROWD) / 4)
    assert one == [drawn(card, True, half, b"a" * 32) for card in CROWD]


@given(KEYS, KEYS)
def test_a_commitment_holds_one_key(a: bytes, b: bytes) -> None:
    assert (commitment(a) == commitment(b)) is (a == b)
    assert a.hex() not in commitment(a)


def test_shares_and_keys_that_cannot_be() -> None:
    for read, typed in ((-1, 5), (30, 20), (0, 1001)):
        with pytest.raises(ValueError, match="shares"):
            SamplePolicy(read, typed)
    with pytest.raises(ValueError, match="32 bytes"):
        drawn("card", True, SamplePolicy(), b"short")


def test_typed_is_what_a_hand_wrote() -> None:
    assert is_typed((Reason.PIN_BY_HAND,))
    assert is_typed((Reason.NUMBER_CONFIRMED, Reason.NUMBER_BY_HAND))
    assert not is_typed(())
    assert not is_typed((Reason.PIN_CONFIRMED,))
