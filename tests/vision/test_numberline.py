"""The number's line is found whole where its print stands in dots, and what may be a part of it is never the number."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import UNKNOWN_NUMBER, Catalogue
from app.eye.oneshot import conclude_picture, read_picture
from app.rehearsal.pictures import render_card_picture
from app.vision.fields.numberline import (
    goes_on,
    lacks_number,
    limits_of,
    number_below_bars,
    with_digits_behind,
    with_number,
    without_product_codes,
)
from app.vision.fields.sorting import sort_lines
from app.vision.fields.wording import Wording
from app.vision.look import Looker
from app.vision.panel.finder import Panel
from app.vision.picture.area import Area
from app.vision.picture.rectify import CARD_W
from app.vision.symbols.barcode import Hit
from app.vision.text.lines import Line
from app.vision.text.recognise import LineText, TextSign
from app.vision.text.textlines import LineBox

NUMBER = Area(240, 200, 780, 70)
PANEL = Panel(Area(220, 320, 600, 120), 0.95)


def said(text: str, area: Area) -> Line:
    signs = tuple(TextSign(c, i / len(text), (i + 1) / len(text), 0.99) for i, c in enumerate(text))
    return Line(LineBox(area.x, area.y, area.w, area.h, 0.0, 0.9), LineText(signs, np.zeros((1, 39), np.float32)))


@pytest.mark.parametrize("seed", [910046, 910118, 910341, 4100014, 4100460])
def test_a_number_in_dots_is_read_whole(looker: Looker, seed: int) -> None:
    """The line finder saw a group or two of them; of the third, read so, the last two digits were lost and no doubt
    was told. Relief lost a last digit so (4100014), and a line that is all the card shows was not seen at all.
    """
    picture, labels = render_card_picture(seed, "easy")
    answer = read_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert answer["number"] == labels["number"]


@pytest.mark.parametrize("seed", [910046, 910118, 910341, 4100014, 4100460])
def test_a_number_of_which_more_may_stand_behind_it_is_asked_about(
    looker: Looker, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Were it not for the second search, a part of it would be all that is seen: it is never stated."""
    monkeypatch.setattr(Wording, "find_again", lambda *_: [])
    picture, labels = render_card_picture(seed, "easy")
    found = conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert found.number.state is not FieldState.READ or found.number.secret().reveal() == labels["number"]


def test_a_card_whose_number_was_found_is_not_searched_again(looker: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Wording, "find_again")
    picture, labels = render_card_picture(910000, "easy")
    assert read_picture(np.ascontiguousarray(picture), looker, Catalogue())["number"] == labels["number"]


def test_a_second_search_gives_whole_numbers_only_and_takes_their_pieces_away() -> None:
    label, piece = said("NO.", Area(100, 205, 110, 60)), said("4716", Area(450, 203, 210, 66))
    pin = said("4689 8255 1111 2222", Area(260, 345, 500, 70))
    whole, again = said("NO.7875 4716 7777 5288 4", Area(95, 200, 925, 70)), said("9 4689 8255 1111 2222", pin.area)
    lines = [label, piece, pin]
    assert lacks_number(sort_lines(lines, ()), [PANEL], UNKNOWN_NUMBER, [])
    found = with_number(lines, [whole, again, said("EXP 2028", Area(900, 600, 300, 50))], [PANEL], UNKNOWN_NUMBER)
    assert found == [pin, whole], "what stands in the panel is left as it was"
    assert not lacks_number(sort_lines(found, ()), [PANEL], UNKNOWN_NUMBER, [])


def test_a_number_that_bars_hold_is_not_searched_for_unless_its_label_is_printed() -> None:
    hit = Hit("CODE128", "7875471677775288", "zxing card", np.zeros((4, 2), np.float32))
    label = said("NO.", Area(100, 205, 110, 60))
    assert not lacks_number(sort_lines([], ()), [], UNKNOWN_NUMBER, [hit])
    assert lacks_number(sort_lines([label], ()), [], UNKNOWN_NUMBER, [hit])


def test_two_slanting_lines_taken_for_one_do_not_end_a_number(looker: Looker) -> None:
    """9815 9300 0148 2349 was stated without its 96, which stood in the box of the date above (5000336h)."""
    date, muddled = said("EXP 2028-01-03", Area(1100, 205, 400, 60)), said("EXP 2028-01-03", Area(1100, 150, 400, 130))
    assert limits_of(NUMBER, CARD_W, (), [date])[1] < date.area.x
    assert limits_of(NUMBER, CARD_W, (), [muddled])[1] > muddled.area.right
    picture, labels = render_card_picture(5000336, "hard")
    assert read_picture(np.ascontiguousarray(picture), looker, Catalogue())["number"] in (None, labels["number"])


@pytest.mark.parametrize(
    ("text", "area", "more"),
    [
        ("1", Area(1200, 212, 45, 50), True),
        ("1", Area(1900, 212, 45, 50), False),  # too far
        ("1", Area(1200, 290, 45, 50), False),  # in another row
        ("￥100", Area(1200, 205, 200, 60), False),
        ("6924", Area(1200, 205, 200, 60), False),  # below bars
        ("3", Area(1005, 212, 75, 50), True),  # its box reaches into the number's: 17000170 hard lost it
        ("k6", Area(1030, 212, 110, 55), True),  # light makes letters of digits
        ("k6", Area(1200, 212, 110, 55), False),
        ("EXP", Area(1030, 212, 160, 55), False),
    ],
)
def test_digits_behind_a_number_in_its_row_may_be_more_of_it(text: str, area: Area, more: bool) -> None:
    bars = [Area(1150, 100, 300, 100)] if text == "6924" else []
    assert goes_on(NUMBER, [said("NO.", Area(100, 205, 110, 60)), said(text, area)], bars) is more


def test_low_digits_right_behind_a_tilted_number_are_read_with_it() -> None:
    """The box of a line that lies askew is higher than that of the one digit behind its last space."""
    end, far, low = Area(1035, 212, 45, 46), Area(1115, 212, 45, 46), Area(1035, 212, 30, 30)
    assert with_digits_behind(NUMBER, [said("4", end)], ()).right == 1080
    assert with_digits_behind(NUMBER, [said("4", far)], ()) == NUMBER
    assert with_digits_behind(NUMBER, [said("4", low)], ()) == NUMBER
    assert with_digits_behind(NUMBER, [said("元", end)], ()) == NUMBER
    assert with_digits_behind(NUMBER, [said("3", Area(1005, 212, 75, 50))], ()).right == 1080


def test_what_may_be_more_of_a_number_is_asked_about_with_it(looker: Looker) -> None:
    """62759232248504294 was offered without its last 4 only (5000058e)."""
    picture, labels = render_card_picture(5000058, "easy")
    found = conclude_picture(picture, looker, Catalogue())
    assert found is not None
    assert found.number.state is FieldState.DOUBTFUL, "whether it is, a person says"
    (whole,) = found.number.wholes
    assert "".join(char.best.glyph for char in whole.chars) == labels["number"]


@pytest.mark.parametrize(("seed", "offered"), [(17000170, True), (17000240, True), (17000406, False)])
def test_a_number_was_stated_without_its_last_digits(looker: Looker, seed: int, offered: bool) -> None:
    """The box of its last group reached into the number's, light had made 46 into k6, and left a trace of a 2."""
    picture, labels = render_card_picture(seed, "hard")
    found = conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert found.number.state is not FieldState.READ
    assert ("".join(char.best.glyph for char in found.number.chars) == labels["number"]) is offered


def test_a_number_printed_below_its_bars_only_is_read_though_the_bars_are_not(looker: Looker) -> None:
    """Its Code 128 lies under glare; the product's own symbol was seen in part."""
    picture, labels = render_card_picture(910202, "typical")
    answer = read_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert labels["number"] not in [code["text"] for code in answer["barcodes"]]
    assert answer["number"] == labels["number"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("6934863725881", False),  # a three and a zero misread
        ("6934063725881", False),
        ("NO. 6934063725881", True),
        ("6212863725911", True),
        ("69340637258812", True),
    ],
)
def test_the_digits_of_a_symbol_that_was_read_are_no_number(text: str, kept: bool) -> None:
    """Of its bars a strip was found only, so that they did not stand below it: a GTIN was stated as the number."""
    hit = Hit("EAN13", "6934063725881", "zxing card", np.zeros((4, 2), np.float32))
    found = sort_lines([said(text, Area(1140, 375, 320, 54))], [])
    assert len(found.values) == 1
    assert len(without_product_codes(found, [hit]).values) == kept


@pytest.mark.parametrize(
    ("below", "product", "read", "found"),
    [
        ("14830427976962594269", "6949936078766", [], True),
        ("14830427976962594269", "6949936078765", [], False),  # one of them is the product's, but which?
        ("14830427976962594269", "6949936078766", ["zxing"], False),  # so the bars gave it twice
        ("6949936078765", "0012000161155", [], True),
        ("694993607876", "0012000161155", [], False),  # shorter than a number
    ],
)
def test_digits_below_bars_are_the_number_where_the_others_are_the_product(
    below: str, product: str, read: list[str], found: bool
) -> None:
    bars = [Area(1100, 100, 400, 100), Area(1100, 400, 400, 100)]
    lines = [said(product, Area(1120, 205, 360, 45)), said(below, Area(1120, 505, 360, 45))]
    hits = [Hit("CODE128", below, source, np.zeros((4, 2), np.float32)) for source in read]
    value = number_below_bars(sort_lines(lines, bars), hits, UNKNOWN_NUMBER)
    assert (value is not None and value.glyphs == below) is found


def test_the_white_of_a_symbols_label_is_no_light_that_swallows_digits(looker: Looker) -> None:
    """A crisp number that ends right before the label of its card's EAN-13 was not stated, nor offered."""
    picture, labels = render_card_picture(4101034, "easy")
    assert read_picture(np.ascontiguousarray(picture), looker, Catalogue())["number"] == labels["number"]


def test_a_number_reaches_to_the_label_of_a_symbol_or_to_the_next_line() -> None:
    bars, line = Area(1100, 180, 400, 120), said("￥100", Area(1150, 205, 200, 60))
    assert limits_of(NUMBER, 1600, [bars], []) == (NUMBER.x, 1060)
    assert 1130 < limits_of(NUMBER, 1600, [], [line])[1] < 1150
    assert limits_of(NUMBER, 1600, [Area(1100, 500, 400, 120)], [])[1] > 1580, "in another row"
