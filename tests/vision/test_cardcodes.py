"""The symbols of a card: read again where they stand in the frame, put together from halves, confirmed by print."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp

from app.rehearsal.pictures import render_card_picture
from app.vision.card.locate import locate
from app.vision.picture.pixels import Gray, grey
from app.vision.picture.rectify import rectify, to_frame
from app.vision.symbols import bars, cardcodes
from app.vision.symbols.barcode import Hit, gtin, read_zbar, read_zxing
from app.vision.symbols.cardcodes import CardCodes, read_card_codes
from app.vision.symbols.stripes import Strip, joined

BOX = np.array([[0, 0], [300, 0], [300, 90], [0, 90]], np.float32)
CODE = "6924985861422"


def test_a_symbol_of_the_card_is_read_again_where_it_stands_in_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, labels = render_card_picture(4, "easy")
    frame = np.ascontiguousarray(picture)
    corners = locate(frame).corners
    assert corners is not None
    seen: list[tuple[int, ...]] = []

    def counting(shade: Gray, view: str, upright: bool = False) -> list[Hit]:
        seen.append(shade.shape)
        return read_zxing(shade, view, upright)

    monkeypatch.setattr(cardcodes, "read_zxing", counting)
    found = read_card_codes(grey(frame), grey(rectify(frame, corners)), corners)
    assert gtin(found.hits) == labels["gtin"].zfill(14)
    assert frame.shape[:2] not in seen, "the whole frame is searched only for what the card does not show"
    raw, card = (next(h for h in found.hits if h.source == f"zxing {view}") for view in ("raw", "card"))
    assert raw.text == card.text
    apart = np.linalg.norm(to_frame(corners, card.corners).mean(axis=0) - raw.corners.mean(axis=0))
    assert apart < 0.2 * np.ptp(raw.corners[:, 0])


def test_a_symbol_beside_the_card_is_not_the_cards() -> None:
    """A waybill's Code 128 was stated as the number of a card without one, an EAN on the table as its product: two
    frames show either twice.
    """
    frame = np.full((1009 + 400, 1600), 200, np.uint8)
    frame[:1009] = two_symbols()
    below = np.array([[0, 1009], [1600, 1009], [1600, 1409], [0, 1409]], np.float32)
    on_card = np.array([[0, 0], [1600, 0], [1600, 1009], [0, 1009]], np.float32)
    blank = np.full((1009, 1600), 200, np.uint8)
    assert {hit.text for hit in read_card_codes(frame, blank, on_card).hits} == {CODE, "8442774356197193"}
    assert read_card_codes(frame, blank, below).hits == ()


@pytest.mark.parametrize("seed", [10000074, 10000318])
def test_a_second_symbol_in_narrow_bars_is_read_sharpened(seed: int) -> None:
    """A Code 128 of 20 digits beside a small EAN-13: no reader saw it on the card, in the frame or blurred."""
    picture, labels = render_card_picture(seed, "easy")
    frame = np.ascontiguousarray(picture)
    corners = locate(frame).corners
    assert corners is not None
    found = read_card_codes(grey(frame), grey(rectify(frame, corners)), corners)
    assert {hit.text for hit in found.hits} == {code["text"] for code in labels["barcodes"]}
    sharpened = next(hit for hit in found.hits if hit.format == "CODE128")
    assert sharpened.source == "zxing card-soft", "one more reading of the card, not of another picture"
    x, y = sharpened.corners.mean(axis=0)
    assert any(bar.x < x < bar.right and bar.y < y < bar.bottom for bar in found.bars), "its place is the card's"


def strip(left: float, right: float, top: float = 0.0, bottom: float = 90.0, turn: float = 0.0) -> Strip:
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    c, s = np.cos(turn), np.sin(turn)
    return Strip(corners @ np.array([[c, s], [-s, c]], np.float32), right - left)


@pytest.mark.parametrize("turn", [0.0, 0.7, np.pi])
@pytest.mark.parametrize("halves", [((0, 220), (236, 460)), ((236, 460), (0, 220)), ((0, 160), (290, 430))])
def test_two_halves_of_a_symbol_make_a_whole(halves: tuple[tuple[float, float], ...], turn: float) -> None:
    one, other = (strip(*half, turn=turn) for half in halves)
    (whole,) = joined([one, other])
    ends = sorted(v for half in halves for v in half)
    assert whole.across == pytest.approx(ends[-1] - ends[0], abs=1)
    assert whole.along == pytest.approx(90, abs=1)
    wanted = strip(ends[0], ends[-1], turn=turn).corners.mean(axis=0)
    assert np.allclose(whole.corners.mean(axis=0), wanted, atol=1)


def test_a_half_from_the_other_end_is_joined_alike() -> None:
    one, other = strip(0, 220), strip(236, 460)
    turned = Strip(np.roll(other.corners, 2, axis=0), other.weight)
    assert joined([one, turned])[0].across == pytest.approx(460, abs=1)


@pytest.mark.parametrize(
    "other",
    [
        strip(600, 820),  # too far away
        strip(236, 460, 120, 210),  # below
        strip(236, 460, 40, 90),  # half as high
        strip(236, 460, turn=0.2),  # leaning
        strip(100, 320),  # over each other
    ],
)
def test_what_is_no_second_half_is_left_alone(other: Strip) -> None:
    assert joined([strip(0, 220), other]) == ()


def test_a_whole_that_was_found_is_not_made_again() -> None:
    assert joined([strip(0, 220), strip(236, 460), strip(2, 458)]) == ()


def test_print_confirms_what_bars_only_seem_to_say() -> None:
    faint = tuple(Hit("EAN13", text, "bars card", BOX) for text in (CODE, "6924985861439"))
    codes = CardCodes((), (), faint)
    printed = frozenset({CODE.zfill(14)})
    assert gtin(codes.with_print(frozenset())) is None
    assert codes.with_print(frozenset({"06924985861415"})) == (), (
        "digits that are not what the bars say confirm nothing"
    )
    hits = codes.with_print(printed)
    assert [h.text for h in hits] == [CODE]
    assert gtin(hits, printed) == CODE.zfill(14)


def test_bars_without_a_lead_are_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A symbol blurred until its text can only be guessed stays out of the card's symbols."""
    picture, labels = render_card_picture(4, "easy")
    frame = cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), 5.0)
    corners = locate(np.ascontiguousarray(picture)).corners
    assert corners is not None
    found = read_card_codes(grey(frame), grey(rectify(frame, corners)), corners)
    assert gtin(found.hits) is None
    assert all(h.text == labels["gtin"] for h in found.hits)


def two_symbols() -> Gray:
    """A product's symbol and a card number's beside it, in one row of a card otherwise empty."""
    card = np.full((1009, 1600), 230, np.uint8)
    for text, kind, left in ((CODE, "EAN13", 900), ("8442774356197193", "Code128", 100)):
        code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
        drawn = np.array(zxingcpp.write_barcode_to_image(code, scale=1))
        row = drawn[len(drawn) // 2]
        symbol = cv2.resize(row[None], (4 * len(row), 90), interpolation=cv2.INTER_NEAREST)
        card[700:790, left : left + symbol.shape[1]] = symbol
    return np.asarray(cv2.GaussianBlur(card, (0, 0), 2.0), np.uint8)


def test_two_symbols_beside_each_other_are_not_read_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """That cost a quarter of a second on each card with a product's symbol and a number's."""
    tried: list[float] = []

    def noting(picture: Gray, strip: Strip, view: str) -> tuple[list[Hit], list[Hit]]:
        tried.append(strip.across)
        return read_strip(picture, strip, view)

    read_strip = bars._read_strip
    monkeypatch.setattr(bars, "_read_strip", noting)
    found, _ = bars.look_for_bars(two_symbols(), "card", longest=840.0)
    assert {h.text for h in found} == {CODE, "8442774356197193"}
    assert max(tried) < 840


def test_zbar_is_asked_about_the_rows_with_bars_and_tells_places_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    card, rows = two_symbols(), list[int]()

    def noting(picture: Gray, view: str) -> list[Hit]:
        rows.append(len(picture))
        return read_zbar(picture, view)

    monkeypatch.setattr(cardcodes, "read_zbar", noting)
    found = {h.text: h.corners for h in cardcodes._read_bands(card, cardcodes.bar_regions(card))}
    assert rows
    assert sum(rows) < len(card) / 2
    whole = {h.text: h.corners for h in read_zbar(card, "card")}
    assert found.keys() == whole.keys() == {CODE, "8442774356197193"}
    for text, corners in whole.items():
        assert np.abs(found[text] - corners).max() < 30
    assert cardcodes._read_bands(card, ()) == []
