"""What a scanned code is: product, waybill, badge, link, a code that ends; and the GTIN in all its spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from app.core.asking import shows_no_card
from app.core.cards import ABSENT, Barcode, CardRead, PanelState
from app.core.codes import (
    CARRIERS,
    GS,
    CodeKind,
    Symbology,
    carrier_of,
    expand_upce,
    gtin_in,
    kind_of,
    names_a_parcel,
    symbology_of,
)
from app.core.products import LATIN, Catalogue, CompositeCode, FieldPattern, Product

GTIN14 = "06901234567892"

digits = st.text("0123456789", min_size=7, max_size=13)
anything = st.text(max_size=60)


def with_check(body: str) -> str:
    return body + str(ean.calc_check_digit(body))


@given(st.sampled_from([7, 11, 12, 13]).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n)))
def test_every_spelling_of_a_gtin_is_fourteen_digits(body: str) -> None:
    text = with_check(body)
    assert gtin_in(text, Symbology.RETAIL) == text.zfill(14)


@given(digits)
def test_bare_digits_in_code_128_are_never_a_product(body: str) -> None:
    assert gtin_in(with_check(body), Symbology.CODE128) is None


@given(st.from_regex(r"\A[01][0-9]{6}\Z"))
def test_a_upce_stands_for_a_twelve_digit_gtin(body: str) -> None:
    long = expand_upce(body + "0")
    whole = with_check(long[:11])
    short = body + whole[-1]
    assert expand_upce(short) == whole
    assert len(whole) == 12


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("]C10106901234567892" + GS + "17270131", GTIN14),
        ("010690123456789217270131" + "10AB12" + GS + "21XYZ99", GTIN14),
        ("(01)06901234567892(10)AB(21)77", GTIN14),
        ("0106901234567892" + GS + "21A", GTIN14),
        ("https://id.gs1.org/01/06901234567892/10/ABC?17=270131", GTIN14),
        ("https://shop.example/p/01/6901234567892", GTIN14),
        ("https://shop.example/p/01/6901234567893", None),  # check digit
        ("https://shop.example/2024/01/99999999999", None),
        ("0106901234567892", None),
        ("0106901234567893" + GS + "21A", None),
        ("]E06901234567892", GTIN14),
        ("]C06901234567892", None),
        ("", None),
    ],
)
def test_gs1_data_names_its_product(text: str, gtin: str | None) -> None:
    assert gtin_in(text, Symbology.CODE128 if text[:1].isdigit() else Symbology.UNKNOWN) == gtin


@pytest.mark.parametrize(
    ("text", "carrier"),
    [
        ("SF1382290461175", "sf"),
        ("YT1234567890123", "yto"),
        ("73123456789012", "zto"),
        ("771234567890123", "sto"),
        ("312345678901234", "yunda"),
        ("JDVA12345678901", "jd"),
        ("JDVA12345678901-1-1-", "jd"),
        ("JT1234567890123", "jt"),
        ("DPK123456789012", "deppon"),
        ("PA12345678901", "ems"),
        ("431234567890123", None),  # both STO and Yunda print such numbers
    ],
)
def test_carriers_are_told_by_published_formats(text: str, carrier: str | None) -> None:
    found = carrier_of(text)
    assert (found.id if found else None) == carrier
    assert kind_of(text) is CodeKind.WAYBILL


def test_a_postal_item_has_a_check_digit() -> None:
    assert kind_of("RB473124829GB") is CodeKind.WAYBILL
    assert kind_of("RB473124828GB") is CodeKind.OTHER


@pytest.mark.parametrize("text", ["5123456789012", "9876543210128"])
def test_the_symbology_tells_a_waybill_from_a_product(text: str) -> None:
    assert kind_of(text, Symbology.CODE128) is CodeKind.WAYBILL
    assert kind_of(text, Symbology.RETAIL) is not CodeKind.WAYBILL
    assert kind_of("]E0" + with_check("690123456789")) is CodeKind.GTIN
    assert kind_of("]C0" + text) is CodeKind.WAYBILL


@pytest.mark.parametrize(
    ("text", "symbology", "kind"),
    [
        ("https://card.example/a?id=7GDD3YAWCZSI", Symbology.QR, CodeKind.LINK),
        ("https://card.example/a?id=7&expires=1790000000", Symbology.QR, CodeKind.TIMED),
        ("https://card.example/a?X-Amz-Expires=300", Symbology.UNKNOWN, CodeKind.TIMED),
        ("https://card.example/expires", Symbology.QR, CodeKind.LINK),
        ("134567890123456789", Symbology.QR, CodeKind.TIMED),
        ("134567890123456789", Symbology.CODE128, CodeKind.OTHER),
        ("281234567890123456", Symbology.QR, CodeKind.TIMED),
        ("HTTPS://ID.GS1.ORG/01/06901234567892", Symbology.QR, CodeKind.GTIN),
    ],
)
def test_a_code_that_ends_is_told_from_a_plain_link(text: str, symbology: Symbology, kind: CodeKind) -> None:
    assert kind_of(text, symbology) is kind


@given(anything, st.sampled_from(list(Symbology)))
def test_any_text_is_some_kind(text: str, symbology: Symbology) -> None:
    kind = kind_of(text, symbology)
    gtin = gtin_in(text, symbology)
    assert (kind is CodeKind.GTIN) == (gtin is not None and kind is not CodeKind.BADGE)
    assert gtin is None or (len(gtin) == 14 and ean.is_valid(gtin))


@given(st.sampled_from(CARRIERS).flatmap(lambda c: st.from_regex(c.form, fullmatch=True)))
def test_whatever_a_carrier_prints_is_a_waybill(text: str) -> None:
    assert kind_of(text, Symbology.CODE128) is CodeKind.WAYBILL


@given(st.text("0123456789", min_size=1, max_size=24))
def test_bare_digits_may_always_be_a_card_number(text: str) -> None:
    assert not names_a_parcel(text, Symbology.CODE128)


def read_of(*codes: Barcode) -> CardRead:
    return CardRead("r", 0, 0, None, None, codes, ABSENT, ABSENT, PanelState.NONE)


def test_a_waybill_under_the_camera_is_no_card() -> None:
    assert shows_no_card(read_of(Barcode("CODE128", "SF1382290461175")), "YT1")
    assert not shows_no_card(read_of(Barcode("CODE128", "7001234567890123")), "YT1")
    assert not shows_no_card(read_of(Barcode("CODE128", "SF1382290461175"), Barcode("EAN13", "6901234567892")), "")


def test_formats_have_a_family() -> None:
    assert symbology_of("UPCE") is Symbology.RETAIL
    assert symbology_of("PDF417") is Symbology.OTHER


# Composite codes of shops: product and card in one

SHOP = CompositeCode("99112", 30, 12, 28)
number = st.text("0123456789", min_size=16, max_size=16)


def product(id: str, *codes: CompositeCode, lengths: tuple[int, ...] = (16,)) -> Product:
    return Product(id, id, id, "", frozenset(), FieldPattern("0123456789", lengths), None, codes=codes)


@given(number, st.text("0123456789", min_size=9, max_size=9))
def test_a_composite_code_gives_product_and_number(card: str, rest: str) -> None:
    text = "99112" + rest[:7] + card + rest[7:]
    catalogue = Catalogue((product("a", SHOP), product("b", CompositeCode("8", 30, 5, 21)), product("c")))
    found = catalogue.by_code(text)
    assert found is not None
    assert (found.id, found.number_in(text)) == ("a", card)


@given(st.text("0123456789" + LATIN, max_size=40))
def test_other_codes_are_nobodys(text: str) -> None:
    catalogue = Catalogue((product("a", SHOP),))
    fits = len(text) == 30 and text.startswith("99112") and text[12:28].isdigit()
    assert (catalogue.by_code(text) is not None) == fits


def test_a_code_that_two_products_claim_is_nobodys() -> None:
    both = Catalogue((product("a", SHOP), product("b", SHOP)))
    assert both.by_code("99112" + "0" * 25) is None
    by_pattern = Catalogue((product("a", SHOP), product("b", SHOP, lengths=(12,))))
    assert by_pattern.by_code("99112" + "0" * 25) is not None
