"""Products, check digits, GTINs, scanned codes, money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import damm, luhn, verhoeff
from stdnum.iso7064 import mod_11_2, mod_11_10, mod_37_36, mod_97_10

from app.core.codes import CodeKind, kind_of, tidy
from app.core.money import yuan_text
from app.core.products import DIGITS, LATIN, Catalogue, CheckDigit, FieldPattern, by_place, normalise_gtin
from app.core.readiness import LOW_DISK_BYTES, CameraFacts, DiskFacts, Level, Surroundings, may_begin_parcel
from tests.core.making import GTIN, PLAIN, PRODUCT

digits = st.text(DIGITS, min_size=4, max_size=18)


def _gs1(body: str) -> str:
    return str(-sum(int(c) * (3 if i % 2 == 0 else 1) for i, c in enumerate(reversed(body))) % 10)


def _with_check(rule: CheckDigit, body: str) -> str:
    computed = {
        CheckDigit.LUHN: luhn.calc_check_digit,
        CheckDigit.GS1: _gs1,
        CheckDigit.ISO7064_MOD11_2: mod_11_2.calc_check_digit,
        CheckDigit.ISO7064_MOD11_10: mod_11_10.calc_check_digit,
        CheckDigit.ISO7064_MOD37_36: mod_37_36.calc_check_digit,
        CheckDigit.ISO7064_MOD97_10: mod_97_10.calc_check_digits,
        CheckDigit.DAMM: damm.calc_check_digit,
        CheckDigit.VERHOEFF: verhoeff.calc_check_digit,
    }[rule]
    return body + str(computed(body))


@pytest.mark.parametrize("rule", [rule for rule in CheckDigit if rule])
@given(body=digits, at=st.integers(0), change=st.integers(1, 9))
def test_a_check_digit_holds_and_finds_any_single_wrong_digit(
    rule: CheckDigit, body: str, at: int, change: int
) -> None:
    text = _with_check(rule, body)
    pattern = FieldPattern(DIGITS + LATIN, (len(text),), check=rule)
    assert pattern.matches(text)
    position = at % len(body)
    wrong = str((int(text[position]) + change) % 10)
    assert not pattern.matches(text[:position] + wrong + text[position + 1 :])


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (CheckDigit.LUHN, "79927398713"),
        (CheckDigit.GS1, "4006381333931"),
        (CheckDigit.GS1, "00123456000000001"[-17:] + _gs1("00123456000000001")),
        (CheckDigit.ISO7064_MOD11_2, "000000012146438X"),
        (CheckDigit.ISO7064_MOD37_36, "A12425GABC1234002M"),
    ],
)
def test_published_examples_hold(rule: CheckDigit, text: str) -> None:
    assert FieldPattern(DIGITS + LATIN, (len(text),), check=rule).matches(text)


@given(st.text(max_size=24), st.sampled_from(list(CheckDigit)))
def test_no_text_upsets_a_pattern(text: str, rule: CheckDigit) -> None:
    pattern = FieldPattern(DIGITS, (8, 16), check=rule)
    assert pattern.check_holds(text) in (True, False)
    if pattern.matches(text):
        assert text.isascii()
        assert text.isdigit()


def test_a_field_needs_its_length_and_its_alphabet() -> None:
    pattern = FieldPattern("23456789", (4, 6))
    assert [pattern.matches(t) for t in ("2345", "234567", "23456", "2340", "", "２３４５")] == [True, True] + [
        False
    ] * 4


def test_each_place_may_have_its_own_alphabet() -> None:
    pattern = by_place(["6", "0", LATIN, DIGITS, DIGITS])
    assert pattern.lengths == (5,)
    assert [pattern.matches(t) for t in ("60A12", "61A12", "60112", "60A1B", "60A1", "60A123")] == [True] + [False] * 5
    assert [pattern.allows_glyph("A", at) for at in (1, 2, 9)] == [False, True, False]
    assert pattern.allows_glyph("A")


def test_printed_groups() -> None:
    assert PRODUCT.number.groups(16) == (4, 4, 4, 4)
    assert FieldPattern(DIGITS, (19,)).groups(19) == (4, 4, 4, 4, 3)
    assert FieldPattern(DIGITS, (8, 10), (5, 5)).groups(8) == (4, 4)


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("6901234050103", "06901234050103"),
        ("036000291452", "00036000291452"),
        ("96385074", "00000096385074"),
        ("10012345678902", "10012345678902"),
        ("6901234050104", None),
        ("690123405010", None),
        ("", None),
        ("6901234O50103", None),
        ("６９０１２３４０５０１０３", None),
        ("²²²²²²²²", None),
        (" 6901234050103", None),
    ],
)
def test_a_gtin_has_fourteen_digits_or_is_none(text: str, gtin: str | None) -> None:
    assert normalise_gtin(text) == gtin


@given(st.text(max_size=20))
def test_no_text_upsets_a_gtin(text: str) -> None:
    gtin = normalise_gtin(text)
    assert gtin is None or normalise_gtin(gtin) == gtin


def test_products_are_found_by_gtin_and_id() -> None:
    catalogue = Catalogue((PRODUCT, PLAIN))
    assert catalogue.by_gtin(GTIN) is PRODUCT
    assert catalogue.by_gtin(None) is catalogue.by_gtin("00000096385074") is None
    assert catalogue.by_id(PLAIN.id) is PLAIN
    assert catalogue.by_id(None) is None
    assert (PRODUCT.name("zh_CN"), PRODUCT.name("en")) == (PRODUCT.name_zh, PRODUCT.name_en)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SF1382290461175", CodeKind.WAYBILL),
        (" sf 1382 2904 61175 ", CodeKind.WAYBILL),
        ("ZTO123456789", CodeKind.WAYBILL),
        ("123456789012345", CodeKind.WAYBILL),
        ("CIB-DEMO7001", CodeKind.BADGE),
        ("cib-demo7001", CodeKind.BADGE),
        ("6901234050103", CodeKind.GTIN),
        ("7777000000000000", CodeKind.OTHER),
        ("SF１２３４５６７８９０", CodeKind.OTHER),
        ("", CodeKind.OTHER),
    ],
)
def test_a_code_is_told_by_its_content(text: str, kind: CodeKind) -> None:
    assert kind_of(text) is kind


def test_codes_are_stored_without_spaces_in_upper_case() -> None:
    assert tidy(" sf 12\t34\n") == "SF1234"


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "¥0"), (100_000, "¥1,000"), (950, "¥9.50"), (-5, "-¥0.05"), (123_456_789, "¥1,234,567.89")]
)
def test_money_is_whole_fen(fen: int, text: str) -> None:
    assert yuan_text(fen) == text


def test_a_parcel_needs_a_camera_and_room() -> None:
    ready = Surroundings(camera=CameraFacts(Level.OK), disk=DiskFacts(LOW_DISK_BYTES))
    assert may_begin_parcel(ready) == ()
    assert may_begin_parcel(Surroundings()) == ("camera.not_ready", "disk.low")
    assert DiskFacts(66_000_000, 33_000_000).minutes_left == 2
