"""GS1 data fills fields where two readings agree; a code for a short time is told, and never a card's number."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from app.core.cards import FieldState, Printed
from app.core.products import DIGITS, Catalogue, CheckDigit, FieldPattern, Product
from app.vision.conclude import conclude
from app.vision.look import Look
from app.vision.symbols.barcode import Hit
from app.vision.symbols.elements import Stated, stated, timed_texts

GTIN = "06901234567892"
ELEMENTS = f"01{GTIN}17281231\x1d10A17-B\x1d217700000000000019"
WHOLE = "]C1"
CORNERS = np.float32([[0, 0], [1600, 0], [1600, 1009], [0, 1009]])
SERIAL = "7700000000000019"
PRODUCT = Product("p", "甲", "A", "", frozenset({GTIN}), FieldPattern(DIGITS, (16,), (), CheckDigit.NONE), None)


def hit(text: str, source: str = "zxing raw", format: str = "CODE128") -> Hit:
    return Hit(format, text, source, CORNERS, gs1=format != "QR" and text.startswith("01"))


def look(*hits: Hit) -> Look:
    return Look(CORNERS, 1.0, 0.0, tuple(hits))


def twice(text: str) -> tuple[Hit, Hit]:
    return hit(text), hit(text, "zbar card")


def test_two_readings_state_date_batch_and_serial() -> None:
    assert stated(twice(ELEMENTS), GTIN) == Stated(date(2028, 12, 31), "A17-B", SERIAL)
    assert stated((hit(ELEMENTS),), GTIN) == Stated(), "one reading of bars is none"
    assert stated((hit(ELEMENTS, format="QR"),), None).batch == "A17-B", "a QR code corrects itself"


def test_another_products_data_is_not_taken() -> None:
    assert stated(twice(ELEMENTS), "06901234077711") == Stated()
    other = ELEMENTS.replace(GTIN, "06901234077711")
    assert stated((*twice(ELEMENTS), *twice(other)), None) == Stated()


def test_symbols_that_differ_leave_a_field_open() -> None:
    other = ELEMENTS.replace("A17-B", "A18")
    assert stated((*twice(ELEMENTS), *twice(other)), GTIN) == Stated(date(2028, 12, 31), None, SERIAL)


def test_a_day_nought_is_the_months_last() -> None:
    assert stated(twice(f"01{GTIN}17280200"), GTIN).expiry == date(2028, 2, 29)


def test_the_conclusion_has_what_the_symbol_states() -> None:
    found = conclude([look(*twice(ELEMENTS))], Catalogue((PRODUCT,)))
    assert (found.gtin, found.expiry, found.expiry_printed) == (GTIN, date(2028, 12, 31), Printed.READ)
    assert found.batch == "A17-B"
    assert found.number.state is FieldState.READ
    assert "".join(c.best.glyph for c in found.number.chars) == SERIAL


def test_a_serial_number_is_no_card_number_of_an_unknown_product() -> None:
    assert conclude([look(*twice(ELEMENTS))], Catalogue()).number.state is FieldState.ABSENT


@pytest.mark.parametrize("printed", [date(2027, 12, 31), date(2028, 12, 31)])
def test_print_and_data_that_differ_are_left_open(printed: date) -> None:
    seen = replace(look(*twice(ELEMENTS)), expiry=printed, expiry_printed=Printed.READ, batch="A17-B")
    found = conclude([seen], Catalogue((PRODUCT,)))
    same = printed == date(2028, 12, 31)
    assert (found.expiry, found.expiry_printed) == ((printed, Printed.READ) if same else (None, Printed.UNREAD))
    assert found.batch == "A17-B"


PAYMENT = "134567890123456789"


def test_a_code_for_a_short_time_is_told() -> None:
    assert timed_texts((hit(PAYMENT, format="QR"),)) == {PAYMENT}
    assert timed_texts((hit("https://pay.example/x?expires=1763800000", format="QR"),))
    assert not timed_texts((hit("https://example.com/card", format="QR"), hit(PAYMENT)))
    assert conclude([look(hit(PAYMENT, format="QR"))], Catalogue()).timed
    assert not conclude([look(*twice(ELEMENTS))], Catalogue()).timed


def test_it_is_never_the_cards_number_even_if_bars_repeat_it() -> None:
    found = conclude([look(hit(PAYMENT, format="QR"), *twice(PAYMENT))], Catalogue())
    assert found.timed
    assert found.number.state is FieldState.UNREADABLE
    assert found.number.chars == ()
