"""Dates, amounts, batch numbers and regions are read as printed, and nothing is guessed."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.cards import Printed
from app.vision.fields.printed import (
    Amount,
    as_date,
    find_batch,
    find_expiry,
    find_face_value,
    find_region,
    says_nothing,
)
from app.vision.fields.sorting import begins_short, lacks_beginning, row_label, sort_lines, split
from app.vision.picture.area import Area
from app.vision.text.lines import Line
from app.vision.text.recognise import BLANK, LineText, TextSign
from app.vision.text.textlines import LineBox

CARD_W = 1600


def line(text: str, p: float = 0.99, x: float = 100.0, y: float = 100.0) -> Line:
    """A line of text whose signs are all as sure."""
    step = 1 / max(1, len(text))
    signs = tuple(TextSign(sign, i * step, (i + 1) * step, p) for i, sign in enumerate(text))
    return Line(LineBox(x, y, 30.0 * len(text), 60.0, 0.0, 1.0), LineText(signs, np.zeros((1, BLANK + 1), np.float32)))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("有效期至 2029-09-12", date(2029, 9, 12)),
        ("EXP 2028/08/03", date(2028, 8, 3)),
        ("有效期:2030年1月5日", date(2030, 1, 5)),
        ("VALID THRU 02/28", date(2028, 2, 29)),
        ("Expires 07 MAR 2029", date(2029, 3, 7)),
        ("使用期限 2025-01-01至2028-12-31", date(2028, 12, 31)),
        ("有效期至 2028 05-07", date(2028, 5, 7)),  # a faint hyphen was lost
        ("有效期至 2028-12", date(2028, 12, 31)),
    ],
)
def test_dates_are_read_in_every_usual_form(text: str, day: date) -> None:
    state, seen = find_expiry([line("云栖便利"), line(text)])
    assert state is Printed.READ
    assert seen is not None
    assert seen.day == day


@pytest.mark.parametrize("text", ["长期有效", "No expiry date", "本卡永久有效"])
def test_never_is_a_value_of_its_own(text: str) -> None:
    assert find_expiry([line(text)]) == (Printed.NONE, None)


@pytest.mark.parametrize("text", ["使用期限 2024-01-01至", "VALID 2024/01/01 to", "使用期限 2024-01-01至20"])
def test_the_day_that_begins_a_span_ends_nothing(text: str) -> None:
    """The day that ends it lay under a finger, and the card seemed to have expired three years before."""
    assert find_expiry([line(text)]) == (Printed.UNREAD, None)


@pytest.mark.parametrize(
    "texts",
    [
        ["2029 0228 1111 2222"],  # a card number that begins like a year
        ["生产日期 2025-01-02"],
        ["批次号 20210923"],
        ["20210923"],
        ["比次弓20210923"],  # nobody knows whose day that is
        ["EXP 2028-13-40"],
        ["有效期至 2028-01-02", "截止 2029-01-02"],  # nobody can tell which
    ],
)
def test_no_day_is_stated_without_ground(texts: list[str]) -> None:
    state, seen = find_expiry([line(text) for text in texts])
    assert state is Printed.UNREAD
    assert seen is None


def test_a_faint_date_is_seen_but_not_stated() -> None:
    state, seen = find_expiry([line("EXP 2028-08-03", p=0.6)])
    assert state is Printed.UNREAD
    assert seen is not None
    assert seen.text == "2028-08-03"


def test_a_date_of_which_a_digit_may_be_half_covered_is_read_again() -> None:
    """A 9 behind whose right half a thumb lay was taken for a 5 at 0.94."""
    clear = line("有效期至2028-09-15")
    *others, last = clear.read.signs
    signs = (*others, TextSign(last.text, last.start, last.end, 0.94))
    state, seen = find_expiry([Line(clear.box, LineText(signs, clear.read.lattice))])
    assert seen is not None
    assert (state, seen.sure) == (Printed.UNREAD, False)
    assert find_expiry([clear])[0] is Printed.READ


def test_a_month_without_a_day_is_told_apart() -> None:
    """Pale light took the day from 2028-02-26 once, and 29 February was stated."""
    (_, month), (_, day) = (find_expiry([line(f"有效期至2028-02{rest}")]) for rest in ("", "-26"))
    assert month is not None
    assert day is not None
    assert (month.may_go_on, day.may_go_on) == (True, False)


@pytest.mark.parametrize(
    ("text", "sure"), [("有效期至2028-02-2", False), ("EXP 2028-2-2", True), ("EXP 2028-11-2", True)]
)
def test_a_day_of_one_digit_may_go_on_and_has_lost_one_where_months_have_two(text: str, sure: bool) -> None:
    """Glare took the last digit of 2028-02-26, and 2 February was stated."""
    _, seen = find_expiry([line(text)])
    assert seen is not None
    assert (seen.may_go_on, seen.sure) == (True, sure)


@pytest.mark.parametrize("text", ["输EY2029 11 10", "有放期里 2029 11 10", "LXP 2029 11 10", "有放20291110"])
def test_a_date_without_hyphens_or_a_legible_caption_is_read_again(text: str) -> None:
    state, seen = find_expiry([line(text)])
    assert state is Printed.UNREAD
    assert seen is not None
    assert seen.day == date(2029, 11, 10)
    assert not seen.sure


@given(st.dates(date(2015, 1, 1), date(2060, 12, 31)))
def test_eight_digits_are_a_day(day: date) -> None:
    assert as_date(day.strftime("%Y%m%d")) == day


@given(st.text("0123456789", min_size=8, max_size=8))
def test_eight_digits_never_fail(digits: str) -> None:
    day = as_date(digits)
    assert day is None or day.strftime("%Y%m%d") == digits


def test_nothing_printed_needs_lines_that_can_all_be_read() -> None:
    lines = [line(text) for text in ("云栖便利", "卡号 6222 0000 1111 2222", "1. 本卡不记名", "客服 400-000-1234")]
    assert says_nothing(lines)
    assert not says_nothing([*lines, line("Terms", p=0.5)])
    assert not says_nothing([*lines, line("有效期见官网")])


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("100元", Amount(100, "CNY")),
        ("¥1000", Amount(1000, "CNY")),
        ("面值￥50", Amount(50, "CNY")),
        ("Value RMB 300", Amount(300, "CNY")),
        ("¥1,000.00", Amount(1000, "CNY")),
        ("$25", Amount(25, "USD")),
        ("HK$200", Amount(200, "HKD")),
        ("V500", Amount(500, "CNY")),  # a yen sign read as a letter
        ("面值 100", Amount(100, "CNY")),
        ("面值 V300", Amount(300, "CNY")),
        ("面V300", Amount(300, "CNY")),  # half of the word lies under glare
    ],
)
def test_amounts_are_read_with_their_currency(text: str, amount: Amount) -> None:
    assert find_face_value([line("云栖便利"), line(text)], CARD_W) == amount


def test_an_amount_that_may_go_on_is_no_value() -> None:
    assert find_face_value([line("Value RMB 100C")], CARD_W) is None  # half of a further zero
    assert find_face_value([line("Value RMB 100", x=1215.0)], CARD_W) is None  # runs into the card's edge
    assert find_face_value([line("V437")], CARD_W) is None
    assert find_face_value([line("面额V000元")], CARD_W) is None  # its first digit is gone
    assert find_face_value([line("面包 300")], CARD_W) is None
    assert find_face_value([line("流量 500 MB 30")], CARD_W) is None
    assert find_face_value([line("¥100"), line("¥200")], CARD_W) is None


@pytest.mark.parametrize(
    ("text", "whole"), [("¥30", False), ("Value RMB 30", False), ("30元", True), ("RMB 30.00", True)]
)
def test_an_amount_under_which_the_card_is_covered_is_no_value_unless_its_end_is_read(text: str, whole: bool) -> None:
    value = Amount(30, "CNY")
    assert find_face_value([line(text)], CARD_W, lambda *_: False) == value
    assert find_face_value([line(text)], CARD_W, lambda *_: True) == (value if whole else None)


def test_where_an_amount_ends_is_asked_of_its_own_characters() -> None:
    asked: list[tuple[int, Area]] = []
    find_face_value([line("面值 100")], CARD_W, lambda _, end, area: bool(asked.append((end, area))))
    assert [(end, area.x, area.right) for end, area in asked] == [(6, pytest.approx(190.0), pytest.approx(280.0))]


def test_a_single_digit_is_no_value_but_what_is_left_of_one() -> None:
    """Of ¥200 in a reflection a clear ¥2 was stated (5000347h)."""
    assert find_face_value([line("¥2")], CARD_W) is None
    assert find_face_value([line("¥5")], CARD_W) == Amount(5, "CNY")


@pytest.mark.parametrize(
    "text", ["EXP 2030-05 1", "EXP 2030-03-)", "EXP 2030-03-", "有效期至2030-10-0", "EXP 00 MAR 2029"]
)
def test_a_month_behind_which_something_is_left_of_a_day_is_no_date(text: str) -> None:
    """Read so in a reflection, of 2030-05-11, 2030-03-09 and 2030-10-08; the month's last day was stated."""
    assert find_expiry([line(text)]) == (Printed.UNREAD, None)


def test_an_amount_of_which_a_digit_is_hardly_legible_is_no_value() -> None:
    """面额:200元 under glare was stated as 20, its digits at 0.85 and 0.94 (3000442h)."""
    assert find_face_value([line("面额:20元", p=0.94)], CARD_W) is None
    assert find_face_value([line("面额:20元", p=0.96)], CARD_W) == Amount(20, "CNY")


def test_a_batch_number_stands_behind_its_word() -> None:
    found = find_batch([line("云栖便利"), line("批次号20220640")])
    assert found is not None
    assert found[2] == "20220640"
    assert find_batch([line("20220640")]) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("仅限广东省内使用", "CN-GD"),
        ("全国门店通用", "CN"),
        ("Valid in USA only", "US"),
        ("上海大剧院", None),
        ("仅限北京、上海使用", None),
    ],
)
def test_regions_are_codes(text: str, code: str | None) -> None:
    assert find_region([line(text)]) == code


@pytest.mark.parametrize(
    ("text", "kind", "glyphs"),
    [
        ("*号:9475 0570 3524 1970", "number", "9475057035241970"),
        ("Cardo.7933 7381 3019", "number", "793373813019"),
        ("兑换：0533 0094 3970", "pin", "053300943970"),
        ("卡3913 7095 9842", "", "391370959842"),
    ],
)
def test_half_a_label_still_tells_what_follows(text: str, kind: str, glyphs: str) -> None:
    value, told = split(line(text))
    assert told == kind
    assert value.glyphs == glyphs


@pytest.mark.parametrize(("middles", "value"), [((0.37, 0.71, 0.9), None), ((0.34, 0.62, 0.9), Amount(500, "CNY"))])
def test_an_amount_with_room_for_a_digit_between_two_is_no_value(
    middles: tuple[float, ...], value: Amount | None
) -> None:
    """Of ¥5000 the recogniser made out ¥500, each sign beyond doubt."""
    places = zip("¥500", (0.22, *middles), strict=True)
    signs = tuple(TextSign(sign, at - 0.03, at + 0.03, 0.99) for sign, at in places)
    read = Line(LineBox(100, 50, 245, 94, 0.0, 1.0), LineText(signs, np.zeros((1, BLANK + 1), np.float32)))
    assert find_face_value([read], CARD_W) == value


def test_a_label_may_stand_above_its_value() -> None:
    number = line("6222 0000 1111 2222", y=200.0)
    found = sort_lines([line("卡号", y=130.0), number], [])
    assert [row_label(value, found.labels) for value in found.values] == ["number"]
    assert row_label(found.values[0], [("pin", Area(100.0, 20.0, 60.0, 40.0))]) == ""


def test_a_number_in_fours_that_begins_short_may_lack_its_beginning() -> None:
    assert begins_short("58 6241 1453 7722")
    assert not begins_short("9058 6241 1453 7722")
    assert not begins_short("6222 0000 1111 2")
    assert not begins_short("58624114537722")


@pytest.mark.parametrize(
    ("label", "x", "y", "lacks"),
    [
        ("卡号：90", 100.0, 100.0, True),
        ("卡号：", 100.0, 100.0, False),
        ("卡号：90", 100.0, 190.0, False),  # in another row
        ("卡号：90", 1300.0, 100.0, False),  # behind the number
    ],
)
def test_a_number_whose_first_digits_stand_in_the_line_of_its_label_lacks_them(
    label: str, x: float, y: float, lacks: bool
) -> None:
    """Glare lay over the third and fourth digit of 9095 2364 2687 7840 4, and 2364 2687 7840 4 was stated."""
    found = sort_lines([line(label, x=x, y=y), line("2364 2687 7840 4", x=400.0)], [])
    [number] = found.values
    assert lacks_beginning(number, found) is lacks


@pytest.mark.parametrize(("text", "lacks"), [("NO.     4104 4875 9908 2", True), ("NO.  4104 4875 9908 2", False)])
def test_a_number_that_stands_far_from_its_label_lacks_its_beginning(text: str, lacks: bool) -> None:
    """Glare lay over the first group of 2834 4104 4875 9908 2, and the rest was stated (13400830h)."""
    found = sort_lines([line(text)], [])
    [number] = found.values
    assert lacks_beginning(number, found) is lacks


@pytest.mark.parametrize(
    ("text", "lacks"), [("有效期至2028-02", True), ("VALID THRU 02/28", False), ("有效期至2028-12-5", False)]
)
def test_behind_a_year_and_a_month_a_day_may_stand(text: str, lacks: bool) -> None:
    """Of 19 cards with 05/29 six were asked about where paper behind it was lighter or darker."""
    _, seen = find_expiry([line(text)])
    assert seen is not None
    assert seen.may_go_on
    assert seen.lacks_day is lacks
