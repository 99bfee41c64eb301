"""A GTIN needs two readings; one reader's word is not enough, and two that differ are none."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp

from app.core.codes import expand_upce
from app.vision.symbols.barcode import (
    Hit,
    agreed_texts,
    as_gtin,
    distinct,
    gtin,
    hit_of,
    read_zbar,
    read_zxing,
    settled,
)
from app.vision.symbols.stripes import find_strips

NOWHERE = np.zeros((4, 2), np.float32)


def hit(text: str, source: str, format: str = "EAN13") -> Hit:
    return Hit(format, text, source, NOWHERE)


def drawn(text: str, kind: zxingcpp.BarcodeFormat) -> np.ndarray:
    """A symbol of 3 pixels a module with its quiet zone."""
    image = np.array(zxingcpp.create_barcode(text, kind).to_image(scale=3))
    return np.pad(image if image.ndim == 2 else image[..., 0], 40, constant_values=255)


def test_a_thin_picture_keeps_a_row_when_it_is_made_smaller() -> None:
    """Made smaller it had none, and the reader ended."""
    for shape in ((3, 9000), (9000, 3)):
        thin = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
        assert read_zbar(thin, "raw") == []
        find_strips(thin)


def test_one_reading_is_not_enough() -> None:
    assert gtin([hit("6924985861422", "zxing raw")]) is None
    assert gtin([hit("6924985861422", "zxing raw"), hit("6924985861422", "zxing raw")]) is None


@pytest.mark.parametrize("second", ["zxing card", "zbar card", "zxing raw 1"])
def test_two_sources_make_a_gtin(second: str) -> None:
    assert gtin([hit("6924985861422", "zxing raw"), hit("6924985861422", second)]) == "06924985861422"


def test_printed_digits_confirm_one_reading() -> None:
    assert gtin([hit("6924985861422", "zxing raw")], frozenset({"06924985861422"})) == "06924985861422"


def test_one_reader_of_one_picture_does_not_outvote_the_printed_digits() -> None:
    """Bars misread on the card, and again on the card blurred, made a product of a card whose digits name another."""
    alike = [hit("6924985861422", source) for source in ("zxing card 0", "zxing card-soft 0")]
    another, same = frozenset({"06978751451089"}), frozenset({"06924985861422"})
    assert gtin(alike) == gtin(alike, same) == "06924985861422"
    assert gtin(alike, another) is None
    assert gtin([*alike, hit("6924985861422", "zxing raw 0")], another) == "06924985861422"


def test_the_profile_of_bars_alone_is_no_gtin_where_an_edge_reader_names_another() -> None:
    """6985785025292 was stated as 6985785687292, which both halves of the bars gave, and zbar did not (8000352h)."""
    profile = [hit("6985785687292", source) for source in ("bars card", "bars-again card")]
    assert gtin(profile) == gtin([*profile, hit("16900000", "zbar card", "CODE128")]) == "06985785687292"
    assert gtin([*profile, hit("6985785025292", "zbar card")]) is None
    assert gtin([*profile, hit("6985785025292", "zbar card")], frozenset({"06985785687292"})) == "06985785687292"


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


def test_one_reader_alone_makes_no_product_of_a_upce() -> None:
    """Of an EAN-13 half under a finger zxing-cpp read one in the card, in the card blurred, and in each frame anew."""
    found = [hit("01923250", f"zxing {view}", "UPCE") for view in ("card 0", "card-soft 0", "card 1")]
    assert gtin(found) is None
    assert gtin([*found, hit("01923250", "zbar card 0", "UPCE")]) == as_gtin(found[0])
    assert gtin(found, frozenset({str(as_gtin(found[0]))})) == as_gtin(found[0]), "its digits are printed below"


def test_upce_means_its_upca() -> None:
    assert expand_upce("04252614") == "042100005264"


def test_both_readers_read_a_drawn_symbol() -> None:
    picture = drawn("6924985861422", zxingcpp.BarcodeFormat.EAN13)
    hits = read_zxing(picture, "raw") + read_zbar(picture, "raw")
    assert {h.source for h in hits} == {"zxing raw", "zbar raw"}
    assert gtin(hits) == "06924985861422"


def test_the_quick_look_reads_bars_either_way_up_but_not_across() -> None:
    picture = drawn("6924985861422", zxingcpp.BarcodeFormat.EAN13)
    for quarters in range(4):
        turned = np.rot90(picture, quarters)
        assert gtin([*read_zxing(turned, "raw"), *read_zbar(turned, "raw")]) == "06924985861422"
        assert len(read_zxing(turned, "card", upright=True)) == (1 if quarters % 2 == 0 else 0)


def test_a_leading_zero_is_a_upca() -> None:
    picture = drawn("0029431286845", zxingcpp.BarcodeFormat.EAN13)
    found = distinct(read_zxing(picture, "raw") + read_zbar(picture, "raw"))
    assert [(b.format, b.text) for b in found] == [("UPCA", "029431286845")]


def test_no_symbol_in_noise() -> None:
    noise = np.random.default_rng(7).integers(0, 255, (400, 600), np.uint8)
    assert read_zxing(noise, "raw") + read_zbar(noise, "raw") == []


def test_the_whole_profile_settles_what_edges_misread() -> None:
    wrong, right = hit("7034759003930", "zxing raw"), hit("5030159003930", "zxing raw")
    bars = [hit("5030159003930", "bars raw"), hit("5030159003930", "bars-again raw")]
    assert gtin([wrong, right]) is None
    assert gtin([wrong, right, *bars]) == "05030159003930"
    assert [b.text for b in distinct([wrong, *bars])] == ["5030159003930"]


def test_a_reader_that_contradicts_itself_is_no_second_one() -> None:
    """6924978421077 was stated as 6924912487077: zbar read both, the bars' profile once the wrong one (11000129h)."""
    both = [hit("6924978421077", "zbar card"), hit("6924912487077", "zbar card")]
    assert gtin([*both, hit("6924912487077", "bars card")]) is None
    assert gtin([*both, hit("6924978421077", "zxing card"), hit("6924978421077", "zxing raw")]) == "06924978421077"
    proved = [both[0], hit("6924978421077", "zxing card")]
    assert gtin([*proved, hit("16900000", "zbar card", "CODE128")]) == "06924978421077", "that names no product"


def test_another_symbol_beside_it_is_left_alone() -> None:
    there = np.float32([[900, 0], [990, 0], [990, 40], [900, 40]])
    other = Hit("EAN13", "6978751451089", "zxing raw", there)
    bars = Hit("EAN13", "5030159003930", "bars raw", there - np.float32([800, 0]))
    elsewhere = Hit("EAN13", "6978751451089", "zxing card", bars.corners)  # places of two views cannot be compared
    assert settled([other, bars, elsewhere]) == [other, bars, elsewhere]


def test_what_the_whole_profile_settled_stays_settled_where_the_card_was_blurred() -> None:
    misread = [hit("6035954417318", f"zxing {view}") for view in ("card", "card-soft")]
    bars = [hit("6935954417328", "bars card"), hit("6935954417328", "bars-again card")]
    assert [b.text for b in distinct([*misread, *bars])] == ["6935954417328"]


def test_of_bars_read_in_two_ways_the_one_with_more_readings_is_told() -> None:
    right = [hit("2712034131106811", f"zxing {view}", "CODE128") for view in ("card", "raw")]
    misread = hit("2712034131616811", "zxing card", "CODE128")
    assert [b.text for b in distinct([misread, *right])] == ["2712034131106811"]
    as_often = hit("2712034131616811", "zxing card-soft", "CODE128")
    assert len(distinct([misread, as_often, *right])) == 2  # nobody knows which


def test_two_symbols_of_one_card_are_both_told_however_often_each_was_read() -> None:
    there = np.float32([[900, 0], [990, 0], [990, 40], [900, 40]])
    number = Hit("CODE128", "2712034131106811", "zxing card", there)
    product = [
        Hit("EAN13", "6924985861422", f"{reader} card", there - np.float32([800, 0])) for reader in ("zxing", "zbar")
    ]
    assert len(distinct([number, *product])) == 2


def test_a_upc_e_found_once_in_an_agreed_symbol_is_a_part_of_it() -> None:
    product = [hit("6998546882737", f"{reader} card") for reader in ("zxing", "zbar", "bars")]
    found = hit("01998541", "zxing raw", "UPCE")
    assert [b.text for b in distinct([found, *product])] == ["6998546882737"]
    assert len(distinct([found, hit("01998541", "zbar raw", "UPCE"), *product])) == 2
    assert [b.text for b in distinct([found])] == ["01998541"]  # a card that has no other


def test_zbar_does_not_add_its_guess_of_an_encoding() -> None:
    hits = [hit("*ダブルQR*", "zxing raw", "QR"), hit("*蹬靼翌QR*", "zbar raw", "QR")]
    assert [b.text for b in distinct(hits)] == ["*ダブルQR*"]


def test_a_card_number_counts_once_two_readings_agree() -> None:
    one = hit("7001234567890123", "zxing raw", "CODE128")
    assert agreed_texts([one]) == ()
    assert agreed_texts([one, hit("7001234567890123", "zbar raw", "CODE128")]) == ("7001234567890123",)
    assert agreed_texts([hit("https://a.example", "zxing raw", "QR")]) == ("https://a.example",)


def test_a_product_in_gs1_data_is_a_product_in_any_symbol() -> None:
    assert as_gtin(hit("010690123456789217270131", "zxing raw", "CODE128")) == "06901234567892"
    assert as_gtin(hit("https://id.gs1.org/01/06901234567892", "zxing raw", "QR")) == "06901234567892"
    assert as_gtin(hit("04252614", "zxing raw", "UPCE")) == "00042100005264"


def test_control_characters_come_as_they_are() -> None:
    code = zxingcpp.create_barcode("a\x01b", zxingcpp.BarcodeFormat.QRCode)
    image = np.array(code.to_image(scale=4))
    picture = np.pad(image if image.ndim == 2 else image[..., 0], 30, constant_values=255)
    assert [h.text for h in read_zxing(picture, "raw")] == ["a\x01b"]


def test_fnc1_in_front_is_a_mark_and_no_text() -> None:
    marked = hit_of("CODE128", "\x1d0106901234567892", "zxing raw", NOWHERE)
    assert (marked.text, as_gtin(marked)) == ("0106901234567892", "06901234567892")
    assert as_gtin(hit_of("CODE128", "0106901234567892", "zxing raw", NOWHERE)) is None
    assert hit_of("CODE128", "a\x1db", "zxing raw", NOWHERE).text == "a\x1db"
