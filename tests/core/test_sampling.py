"""The audit sample: more of what people typed, and nobody at the station knows which."""

from __future__ import annotations

import pytest

from app.core.parcels import Reason
from app.core.sampling import is_sampled, share_of

CARDS = [f"card-{n}" for n in range(4000)]


@pytest.mark.parametrize(
    ("reasons", "share"),
    [
        ((), 20),
        ((Reason.NUMBER_CONFIRMED,), 100),
        ((Reason.PIN_BY_HAND, Reason.NUMBER_CONFIRMED), 333),
        ((Reason.NUMBER_BY_HAND,), 333),
    ],
)
def test_as_many_as_was_decided(reasons: tuple[Reason, ...], share: int) -> None:
    assert share_of(reasons) == share
    drawn = sum(is_sampled(b"s" * 32, card, reasons) for card in CARDS)
    assert drawn == pytest.approx(len(CARDS) * share / 1000, rel=0.3)


def test_another_secret_draws_other_cards_and_the_same_the_same() -> None:
    typed = (Reason.PIN_BY_HAND,)
    first = {card for card in CARDS if is_sampled(b"a" * 32, card, typed)}
    assert first == {card for card in CARDS if is_sampled(b"a" * 32, card, typed)}
    assert first != {card for card in CARDS if is_sampled(b"b" * 32, card, typed)}


def test_a_card_that_is_drawn_as_plain_is_drawn_as_typed() -> None:
    assert all(is_sampled(b"s" * 32, c, (Reason.PIN_BY_HAND,)) for c in CARDS if is_sampled(b"s" * 32, c, ()))
