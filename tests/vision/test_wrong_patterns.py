"""A template whose fields have another length than the card's: nothing of what is left under it may count as read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.cards import FieldState, PanelState
from app.core.products import DIGITS, LATIN, Catalogue, FieldPattern, Product
from app.vision.conclude import conclude
from app.vision.look import Look
from app.vision.symbols.barcode import Hit
from tests.vision.test_number_of_bars import CODE, CORNERS, look_at

GTIN = "6924985861422"
SYMBOL = tuple(Hit("EAN13", GTIN, f"zxing {view}", CORNERS[:, ::-1] / 8) for view in ("card", "raw"))


def product(number: FieldPattern, pin: FieldPattern) -> Catalogue:
    return Catalogue((Product("wrong", "", "", "", frozenset([GTIN.zfill(14)]), number, pin),))


def seen(number: str, pin: str) -> Look:
    below = look_at(pin).number
    return replace(look_at(number, *SYMBOL), pin=below, pin_proved=True, panel=PanelState.OPEN)


@pytest.mark.parametrize(("length", "alphabet"), [(8, DIGITS + LATIN), (7, DIGITS + LATIN), (4, DIGITS)])
def test_a_pin_longer_than_its_pattern_is_not_stated_in_part(length: int, alphabet: str) -> None:
    """6J2AUCBW was stated as 6248 where the product has four digits (19000738), 502509 as 50259 (19000741)."""
    known = product(FieldPattern(DIGITS, (17,)), FieldPattern(alphabet, (length,)))
    found = conclude([seen(CODE, "6J2AUCBW")], known)
    assert found.product is not None
    assert (found.pin.state is FieldState.READ) is (length == 8)


@pytest.mark.parametrize("length", [15, 16, 17])
def test_nor_is_a_number(length: int) -> None:
    found = conclude([seen(CODE, "6248")], product(FieldPattern(DIGITS, (length,)), FieldPattern(DIGITS, (4,))))
    assert (found.number.state is FieldState.READ) is (length == len(CODE))
    assert found.pin.state is FieldState.READ
