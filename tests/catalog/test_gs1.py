"""GS1 element strings with and without FNC1, in brackets, and Digital Links; whatever else is scanned is none."""

from __future__ import annotations

import socket
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from app.catalog.gs1 import Gs1, read_gs1
from app.core.codes import GS, Symbology, gtin_in

GTIN = "06901234567892"

batch = st.text("ABCDEFGHJK0123456789-", min_size=1, max_size=20)
gtins = st.text("0123456789", min_size=13, max_size=13).map(lambda b: b + str(ean.calc_check_digit(b)))


@given(gtins, batch, batch)
def test_elements_parted_by_fnc1(gtin: str, lot: str, serial: str) -> None:
    text = f"]C101{gtin}17270131" + f"10{lot}{GS}21{serial}"
    assert read_gs1(text) == Gs1(gtin, lot, date(2027, 1, 31), serial)
    assert gtin_in(text) == gtin


@given(gtins, batch)
def test_a_digital_link_says_the_same(gtin: str, lot: str) -> None:
    text = f"https://id.example.com/01/{gtin}/10/{lot}?17=270131"
    assert read_gs1(text) == Gs1(gtin, lot, date(2027, 1, 31))
    assert gtin_in(text) == gtin


def test_without_fnc1_the_last_field_may_be_of_any_length() -> None:
    assert read_gs1(f"01{GTIN}1727013110AB12") == Gs1(GTIN, "AB12", date(2027, 1, 31))


def test_brackets_as_printed() -> None:
    assert read_gs1(f"(01){GTIN}(10)AB(21)77") == Gs1(GTIN, "AB", None, "77")


def test_company_elements_are_kept_by_number() -> None:
    assert read_gs1(f"01{GTIN}8005000123") == Gs1(GTIN, others=(("8005", "000123"),))


def test_a_serial_number_is_not_shown() -> None:
    assert "77" not in repr(read_gs1(f"(01){GTIN}(21)77"))


@pytest.mark.parametrize(
    "text", ["", "01", "0106901234567893", "https://example.com/x", "(01", "]C1", "SF1382290461175", "0" * 600]
)
def test_what_is_no_gs1_data(text: str) -> None:
    assert read_gs1(text) is None


@given(st.text(max_size=80))
def test_no_text_breaks_it_and_nothing_is_looked_up(text: str) -> None:
    found = read_gs1(text)
    assert found is None or found.gtin is None or ean.is_valid(found.gtin)


def test_the_core_and_the_tables_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network look-up")

    monkeypatch.setattr(socket, "socket", refuse)
    for text in (f"]C101{GTIN}{GS}21A", f"01{GTIN}17270131", f"https://id.gs1.org/01/{GTIN}"):
        whole = read_gs1(text)
        assert whole is not None
        assert whole.gtin == gtin_in(text, Symbology.UNKNOWN) == GTIN
