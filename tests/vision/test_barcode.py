"""A GTIN needs two readings; one reader's word is not enough, and two that differ are none."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp

from app.vision.barcode import Hit, distinct, expand_upce, gtin, read_zbar, read_zxing

NOWHERE = np.zeros((4, 2), np.float32)


def hit(text: str, source: str, format: str = "EAN13") -> Hit:
    return Hit(format, text, source, NOWHERE)


def drawn(text: str, kind: zxingcpp.BarcodeFormat) -> np.ndarray:
    """A symbol of 3 pixels a module with its quiet zone."""
    image = np.array(zxingcpp.create_barcode(text, kind).to_image(scale=3))
    return np.pad(image if image.ndim == 2 else image[..., 0], 40, constant_values=255)


def test_one_reading_is_not_enough() -> None:
    assert gtin([hit("6924985861422", "zxing raw")]) is None
    assert gtin([hit("6924985861422", "zxing raw"), hit("6924985861422", "zxing raw")]) is None


@pytest.mark.parametrize("second", ["zxing card", "zbar card", "zxing raw 1"])
def test_two_sources_make_a_gtin(second: str) -> None:
    assert gtin([hit("6924985861422", "zxing raw"), hit("6924985861422", second)]) == "06924985861422"


def test_printed_digits_confirm_one_reading() -> None:
    assert gtin([hit("6924985861422", "zxing raw")], frozenset({"06924985861422"})) == "06924985861422"


def test_readings_that_differ_are_no_gtin() -> None:
    hits = [hit("6924985861422", s) for s in ("zxing raw", "zxing card")]
    assert gtin([*hits, hit("6978751451089", "zbar card")]) is None


def test_a_lone_misread_does_not_outvote_many() -> None:
    hits = [hit("6924985861422", f"zxing card {n}") for n in range(4)]
    assert gtin([*hits, hit("6978751451089", "zbar card 0")]) == "06924985861422"


def test_other_symbols_carry_no_gtin() -> None:
    hits = [hit("6924985861422", s, "CODE128") for s in ("zxing raw", "zxing card")]
    assert gtin(hits) is None


def test_a_wrong_check_digit_is_no_gtin() -> None:
    assert gtin([hit("6924985861423", s) for s in ("zxing raw", "zxing card")]) is None


def test_upce_means_its_upca() -> None:
    assert expand_upce("04252614") == "042100005264"


def test_both_readers_read_a_drawn_symbol() -> None:
    picture = drawn("6924985861422", zxingcpp.BarcodeFormat.EAN13)
    hits = read_zxing(picture, "raw") + read_zbar(picture, "raw")
    assert {h.source for h in hits} == {"zxing raw", "zbar raw"}
    assert gtin(hits) == "06924985861422"


def test_a_leading_zero_is_a_upca() -> None:
    picture = drawn("0029431286845", zxingcpp.BarcodeFormat.EAN13)
    found = distinct(read_zxing(picture, "raw") + read_zbar(picture, "raw"))
    assert [(b.format, b.text) for b in found] == [("UPCA", "029431286845")]


def test_no_symbol_in_noise() -> None:
    noise = np.random.default_rng(7).integers(0, 255, (400, 600), np.uint8)
    assert read_zxing(noise, "raw") + read_zbar(noise, "raw") == []
