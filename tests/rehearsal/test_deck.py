"""Decks load into plain data, and every mistake in one is named."""

from __future__ import annotations

from typing import Any

import pytest

from app.rehearsal.content import OPEN_STATES
from app.rehearsal.deck import DECKS, load_deck, parse_deck
from app.rehearsal.errors import DeckError
from app.rehearsal.products import load_studio_products
from app.rehearsal.timeline import FPS, eased, make_timeline

PRODUCTS = load_studio_products()


def good() -> dict[str, Any]:
    return {
        "seed": 7,
        "waybill": "SF1420773100918",
        "order_number": "DD-1234",
        "declared_count": 1,
        "card": [{"product": "yunshan-market-500"}],
    }


def test_the_ten_card_deck_is_a_minute_of_readable_cards() -> None:
    deck = load_deck(DECKS / "ten_cards.toml", PRODUCTS)
    assert deck.declared_count == len(deck.cards) == 10
    assert all(card.pin_state in OPEN_STATES for card in deck.cards)
    assert deck.timing.still_s >= 3.2
    assert make_timeline(deck).seconds == pytest.approx(60, abs=1.5)
    assert len({card.chip_uid for card in deck.cards if card.chip_uid}) >= 3


def test_the_short_parcel_lacks_one_card() -> None:
    deck = load_deck(DECKS / "short_parcel.toml", PRODUCTS)
    assert (deck.declared_count, len(deck.cards)) == (4, 3)
    assert [card.doubtful_digit for card in deck.cards].count(True) == 1
    assert [card.pin_state for card in deck.cards].count("covered") == 1


def test_moments_follow_one_another_on_whole_frames() -> None:
    deck = load_deck(DECKS / "short_parcel.toml", PRODUCTS)
    timeline = make_timeline(deck)
    moments = [timeline.parcel.in_s, timeline.parcel.gone_s]
    for times in timeline.cards:
        moments += [times.move_in_s, times.still_start_s, times.still_end_s, times.out_end_s]
        assert times.still_end_s - times.still_start_s == pytest.approx(deck.timing.still_s, abs=1 / FPS)
    moments += [timeline.parcel.back_s, timeline.seconds]
    assert moments == sorted(moments)
    assert all(abs(moment * FPS - round(moment * FPS)) < 0.01 for moment in moments)


def test_movement_starts_and_ends_at_rest() -> None:
    assert eased(0.0, 1.0, 2.0) == 0
    assert eased(3.0, 1.0, 2.0) == 1
    assert eased(1.5, 1.0, 2.0) == pytest.approx(0.5)
    assert eased(1.02, 1.0, 2.0) < 0.001


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"seed": -1}, "deck.value", "seed"),
        ({"seed": "seven"}, "deck.value", "seed"),
        ({"seed": True}, "deck.value", "seed"),
        ({"waybill": "12"}, "deck.value", "waybill"),
        ({"order_number": ""}, "deck.value", "order_number"),
        ({"declared_count": None}, "deck.value", "declared_count"),
        ({"decalred_count": 3}, "deck.key", "decalred_count"),
        ({"card": []}, "deck.value", "card"),
        ({"card": [{"product": "no-such-card"}]}, "deck.product", "no-such-card"),
        ({"card": [{"product": "yunshan-market-500", "pinstate": "clean"}]}, "deck.key", "pinstate"),
        ({"card": [{"product": "yunshan-market-500", "pin_state": "open"}]}, "deck.value", "pin_state"),
        ({"card": [{"product": "yunshan-market-500", "difficulty": 3}]}, "deck.value", "difficulty"),
        ({"card": [{"product": "yunshan-market-500", "number_style": "gothic"}]}, "deck.value", "number_style"),
        ({"card": [{"product": "yunshan-market-500", "chip_uid": "04A1"}]}, "deck.value", "chip_uid"),
        ({"card": ["yunshan-market-500"]}, "deck.value", "card 1"),
        ({"timing": {"still": 3.0}}, "deck.key", "still"),
        ({"timing": {"still_s": 0.2}}, "deck.value", "still_s"),
        ({"timing": 3}, "deck.value", "timing"),
    ],
)
def test_a_mistake_is_named_with_its_place(change: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(DeckError) as trouble:
        parse_deck({**good(), **change}, "mine", PRODUCTS)
    assert trouble.value.code == code
    assert "mine" in trouble.value.detail
    assert said in trouble.value.detail


def test_a_good_deck_loads_with_the_usual_timing() -> None:
    deck = parse_deck(good(), "mine", PRODUCTS)
    assert deck.cards[0].pin_state == "clean"
    assert deck.as_data() == parse_deck(good(), "mine", PRODUCTS).as_data()


def test_an_unreadable_deck_is_named(tmp_path) -> None:
    with pytest.raises(DeckError) as trouble:
        load_deck(tmp_path / "away.toml", PRODUCTS)
    assert trouble.value.code == "deck.missing"
    for odd in (b"seed = \xff", b"seed = " + b"9" * 5000, b"seed = " + b"[" * 5000):
        (tmp_path / "odd.toml").write_bytes(odd)
        with pytest.raises(DeckError) as trouble:
            load_deck(tmp_path / "odd.toml", PRODUCTS)
        assert trouble.value.code == "deck.syntax"
