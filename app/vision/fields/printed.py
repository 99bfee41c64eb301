"""What is printed for everybody to see: expiry, face value, batch number, region. No secrets, but no guesses either."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from app.core.cards import Printed
from app.vision.picture.area import Area
from app.vision.picture.rectify import PX_PER_MM
from app.vision.text.lines import Line

_SURE_SIGN = 0.8
_SURE_DATE = 0.97
"""Of each digit of a date that is not read again: a 9 behind whose right half a thumb lay was a 5 of 0.94."""
_NEVER = 2.0
_SURE_AMOUNT = 0.95
"""What each digit of an amount needs. Of 140 amounts read rightly none has less than 0.97; two that lacked one had 0.85
and 0.93."""
_DIGIT_APART = 0.8
"""Heights of a line between the middles of an amount's digits, from which one between them was not read. Of 144 amounts
read rightly none has more than 0.67; one that lacked a zero has 0.96."""
_LEAST_AMOUNT = 5
"""No card is worth less: of ¥200 in a reflection a clear ¥2 was left."""

_YMD = re.compile(r"(?<!\d)(20\d\d)\s?([-–—./年\s]?)\s?(\d{1,2})\s?([-–—./月\s]?)\s?(\d{1,2})(?!\d)")
_YMD_PLAIN = re.compile(r"20\d\d\s?[-–—./年]\s?\d{1,2}\s?[-–—./月]\s?\d{1,2}(?!\d)")
_DAY_MONTH = re.compile(r"(?<!\d)(\d{1,2})[\s-]?([A-Z]{3})[A-Z]{0,6}[\s-]?(20\d\d)(?!\d)", re.IGNORECASE)
_YEAR_MONTH = re.compile(r"(?<!\d)(20\d\d)\s?[-–./年]\s?(\d{1,2})(?!\d|\s?[-–./月]\s?\d|\s?[-–—.:,'|/)(\]]|\s+\d)")
_MONTH_YEAR = re.compile(r"(?<![\d/])(\d{2})\s?/\s?(20\d\d|\d\d)(?![\d/])")
_EXPIRES = re.compile(r"有效|期至|到期|截止|使用期|过期|\bexp|valid|thru|until|use\s*by", re.IGNORECASE)
_OTHER_DAY = re.compile(r"发[卡行]|制卡|生产|印制|发售|issued?|mfg|manufactur|print", re.IGNORECASE)
_NO_EXPIRY = re.compile(
    r"长期有效|永久有效|永不过期|终身有效|[无不]设?有效期|没有有效期|no\s*expir|never\s*expire|not\s*expire",
    re.IGNORECASE,
)
_HALF_A_CAPTION = re.compile(r"有[效放]|效期|期至|\bE[XY]P?|XP\b|EXP", re.IGNORECASE)
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_UNTIL = re.compile(r"\s?(?:[至到~～]|to\b)", re.IGNORECASE)
"""What follows the first day of a span."""

_DIGITS_OF_A_DATE = 10  # a line with more of them is no date with a caption

_CURRENCIES = (
    (r"[¥￥]|rmb|^mb|cny|人民币", "CNY"),
    (r"hk\s?\$|hkd|港[币元]", "HKD"),
    (r"us\s?\$|usd|美[元金]", "USD"),
    (r"€|eur", "EUR"),
    (r"£|gbp", "GBP"),
    (r"\$", "USD"),
)
_VALUE_WORDS = r"(?:面\s*[值额]|金\s*额|储值|value|amount|worth)"
_AMOUNT = r"(\d{1,3}(?:,\d{3})+|\d{1,5})(?:\.00)?(?![\d-])"
_MARKED = tuple(
    (re.compile(rf"(?:{mark})\W{{0,2}}{_AMOUNT}", re.IGNORECASE), currency) for mark, currency in _CURRENCIES
)
_BEHIND = (
    (re.compile(rf"(?<![\d-]){_AMOUNT}\s*元"), "CNY"),
    (re.compile(rf"(?<![\d-]){_AMOUNT}\s*(?:rmb|cny)\b", re.IGNORECASE), "CNY"),
    (re.compile(rf"(?<![\d-]){_AMOUNT}\s*usd\b", re.IGNORECASE), "USD"),
)
_WORDED = re.compile(rf"{_VALUE_WORDS}\W*{_AMOUNT}", re.IGNORECASE)
_WORDED_LIKE_YEN = re.compile(rf"(?:{_VALUE_WORDS}|面)\W*[VYvy]\s?{_AMOUNT}")
_LIKE_YEN = re.compile(r"^[VYvy]\s?(\d{2,4})$")
"""A yen sign is often read as one of these letters."""
_COMMON_VALUES = frozenset((10, 20, 30, 50, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000, 5000))
_MOST_SIGNS = 20
_GOES_ON = re.compile(r"(?!\s*(?:rmb|cny|usd))\s?[A-Z0-9(]", re.IGNORECASE)
"""What follows an amount whose last digit is half hidden."""

_BATCH = re.compile(
    r"(?:批\s*次\s*号?|批\s*号|batch(?:\s*(?:no|number))?|lot(?:\s*no)?)[\s.:：#]*([A-Z0-9][A-Z0-9-]{2,19})$",
    re.IGNORECASE,
)
_REGION_WORDS = re.compile(r"限|适用|通用|地区|区域|有效|only|valid|use|region", re.IGNORECASE)
_REGIONS = (
    (r"香港|hong\s*kong", "HK"),
    (r"澳门|maca[uo]", "MO"),
    (r"台湾|taiwan", "TW"),
    (r"美国|\busa?\b|united\s*states", "US"),
    (r"日本|japan", "JP"),
    (r"英国|\buk\b|united\s*kingdom", "GB"),
    (r"欧[洲盟]|\beu\b|europe", "EU"),
)
_PROVINCES = (
    *("北京 BJ", "天津 TJ", "河北 HE", "山西 SX", "内蒙古 NM", "辽宁 LN", "吉林 JL", "黑龙江 HL", "上海 SH"),
    *("江苏 JS", "浙江 ZJ", "安徽 AH", "福建 FJ", "江西 JX", "山东 SD", "河南 HA", "湖北 HB", "湖南 HN", "广东 GD"),
    *("广西 GX", "海南 HI", "重庆 CQ", "四川 SC", "贵州 GZ", "云南 YN", "西藏 XZ", "陕西 SN", "甘肃 GS", "青海 QH"),
    *("宁夏 NX", "新疆 XJ"),
)
"""Names with their codes of ISO 3166-2:CN."""
_WHOLE_CHINA = re.compile(r"全国|中国大陆|中国境内|mainland\s*china|china\s*only|in\s*china", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dated:
    """A day in a line. `at` its characters in the line's text; `sure` when each of them is beyond doubt."""

    day: date
    line: Line
    at: tuple[int, int]
    expires: bool
    sure: bool
    may_go_on: bool = False  # a month, or one digit of a day: what stands behind it may have been too pale to be found

    @property
    def text(self) -> str:
        """The date as read."""
        return self.line.read.text[self.at[0] : self.at[1]]

    @property
    def lacks_day(self) -> bool:
        """Whether it is a year and a month, in an order in which a day would come next: not so behind 05/29."""
        return _YEAR_MONTH.fullmatch(self.text) is not None

    @property
    def area(self) -> Area:
        """Where its characters stand on the card, with a little to both sides."""
        whole = self.line.area
        left, right = span(self.line, *self.at)
        edge = 0.2 * whole.h / max(1.0, whole.w)
        left, right = max(0.0, left - edge), min(1.0, right + edge)
        return Area(whole.x + left * whole.w, whole.y, (right - left) * whole.w, whole.h)


@dataclass(frozen=True, slots=True)
class Amount:
    """A face value in whole units of its currency (ISO 4217)."""

    units: int
    currency: str


def find_expiry(lines: Sequence[Line]) -> tuple[Printed, Dated | None]:
    """What the card says about its expiry: READ or UNREAD with the day it seems to be, NONE where it says "never".

    UNREAD without a day when no line says anything: whether nothing is printed is for `says_nothing` to tell.
    """
    if any(_NO_EXPIRY.search(line.read.text) for line in lines):
        return Printed.NONE, None
    days = [d for line in lines for d in _days(line)]
    days = [d for d in days if d.expires] or [d for d in days if not _OTHER_DAY.search(d.line.read.text)]
    if not days:
        return Printed.UNREAD, None
    last = max(days, key=lambda d: d.day)
    if _UNTIL.match(last.line.read.text[last.at[1] :]):
        return Printed.UNREAD, None  # the day that ends it was not read
    one_line = all(d.line is last.line for d in days)
    if not one_line and len({d.day for d in days}) > 1:
        return Printed.UNREAD, None  # two days, and nothing tells which one ends it
    return (Printed.READ if last.sure else Printed.UNREAD), last


def _days(line: Line) -> Iterable[Dated]:
    text = line.read.text
    if _BATCH.search(text.strip()) is not None:
        return
    expires = _EXPIRES.search(text) is not None and _OTHER_DAY.search(text) is None
    short = sum(c.isdigit() for c in text) <= _DIGITS_OF_A_DATE
    for found in _YMD.finditer(text):
        marked = bool(found[2].strip()) and bool(found[4].strip())
        parted = expires or _looks_parted(text, found)
        if marked or (short and parted and len(found[3]) == len(found[5]) == 2):
            numbers = (int(found[1]), int(found[3]), int(found[5]))
            for dated in _dated(line, found, numbers, expires, marked):
                yield _with_one_digit(dated, found[3]) if len(found[5]) == 1 else dated
    for found in _DAY_MONTH.finditer(text):
        if found[2].upper() in _MONTHS:
            yield from _dated(line, found, (int(found[3]), _MONTHS[found[2].upper()], int(found[1])), expires)
    if not expires:
        return
    for found in _YEAR_MONTH.finditer(text):
        yield from _dated(line, found, (int(found[1]), int(found[2]), None), expires)
    for found in _MONTH_YEAR.finditer(text):
        yield from _dated(line, found, (int(found[2]) % 100 + 2000, int(found[1]), None), expires)


def _with_one_digit(dated: Dated, month: str) -> Dated:
    """A date whose day has one digit. Beside a month with a zero before it, another digit was swallowed."""
    return replace(dated, may_go_on=True, sure=dated.sure and not month.startswith("0"))


def _looks_parted(text: str, found: re.Match[str]) -> bool:
    """Whether gaps, or half a caption, make eight digits a date whose faint hyphens were lost.

    Such a date is never sure by this: it is read again, digit by digit.
    """
    gaps = text[found.end(1) : found.start(3)] + text[found.end(3) : found.start(5)]
    return bool(gaps) or _HALF_A_CAPTION.search(text[: found.start()]) is not None


def _dated(
    line: Line, found: re.Match[str], numbers: tuple[int, int, int | None], expires: bool, marked: bool = True
) -> Iterable[Dated]:
    """The day of a match, if there is such a day; the last of its month where none is printed (None)."""
    year, month, day = numbers
    if not (2015 <= year <= 2060 and 1 <= month <= 12):
        return
    last = calendar.monthrange(year, month)[1]
    if day is None or 1 <= day <= last:  # half of a 08 is no day
        # Faint hyphens are often lost: with a caption, sure digits make up for them.
        needed = _SURE_DATE if marked or expires else _NEVER
        sure = _least_digit(line, *found.span()) >= needed
        yield Dated(date(year, month, day or last), line, found.span(), expires, sure, not day)


def as_date(digits: str) -> date | None:
    """Eight digits as year, month, day; None when there is no such day a card could expire on."""
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return day if 2015 <= day.year <= 2060 else None


def says_nothing(lines: Sequence[Line]) -> bool:
    """Whether every line is read so well that an expiry would have been seen, and none of them has to do with one."""
    legible = [line for line in lines if line.read.score >= _SURE_SIGN]
    hints = (_EXPIRES, re.compile(r"20[2-5]\d\D|期|日期|date", re.IGNORECASE))
    return (
        len(lines) >= 4
        and len(legible) == len(lines)
        and not any(hint.search(line.read.text) for line in lines for hint in hints if not _is_number(line))
    )


def _is_number(line: Line) -> bool:
    return sum(c.isdigit() for c in line.read.text) > _DIGITS_OF_A_DATE


def find_face_value(
    lines: Sequence[Line], card_w: int, cut_short: Callable[[Line, int, Area], bool] | None = None
) -> Amount | None:
    """The face value; None when none is sure. Ink that runs to the card's edge may be cut off, and so may an amount of
    which `cut_short` says so, given its line, where it ends in its text and its area: not sure.
    """
    found: set[Amount] = set()
    for line in lines:
        text = line.read.text
        match = None if len(text) > _MOST_SIGNS or _YMD.search(text) else _amount(text)
        if match is None:
            continue
        (start, end), amount = match
        cut_off = line.box.right > card_w - 0.6 * PX_PER_MM or _GOES_ON.match(text[end:]) is not None
        cut_off |= cut_short is not None and not text[end:].strip() and cut_short(line, end, _part(line, start))
        cut_off |= _lacks_digit(line, start, end)
        if cut_off or amount.units < _LEAST_AMOUNT or text[start] == "0" or least_p(line, start, end) < _SURE_AMOUNT:
            return None
        found.add(amount)
    return found.pop() if len(found) == 1 else None


def _lacks_digit(line: Line, start: int, end: int) -> bool:
    """Whether two digits that are read one behind the other leave room for one more: of ¥5000 only ¥500 was read."""
    at, before = 0, 0.0
    for sign in line.read.signs:
        if start <= at < end:
            middle = (sign.start + sign.end) / 2 * line.box.w if sign.text.isdigit() else 0.0
            if before and middle and middle - before > _DIGIT_APART * line.box.h:
                return True
            before = middle
        at += len(sign.text)
    return False


def _part(line: Line, start: int) -> Area:
    """Where the characters from `start` to the line's end stand on the card."""
    whole = line.area
    left = span(line, start, len(line.read.text))[0] * whole.w
    return Area(whole.x + left, whole.y, whole.w - left, whole.h)


def _amount(text: str) -> tuple[tuple[int, int], Amount] | None:
    """Where in a text an amount stands, and the amount."""
    for pattern, currency in (*_MARKED, *_BEHIND, (_WORDED, "CNY"), (_WORDED_LIKE_YEN, "CNY")):
        found = pattern.search(text)
        if found is not None:
            return found.span(1), Amount(int(found[1].replace(",", "")), currency)
    alone = _LIKE_YEN.match(text.strip())
    if alone is not None and int(alone[1]) in _COMMON_VALUES:
        shift = len(text) - len(text.lstrip())
        return (alone.start(1) + shift, alone.end(1) + shift), Amount(int(alone[1]), "CNY")
    return None


def is_public(text: str) -> bool:
    """Whether a line is a date, an amount or a batch number, and so no card number or PIN."""
    return _YMD_PLAIN.search(text) is not None or _amount(text) is not None or _BATCH.search(text.strip()) is not None


def find_batch(lines: Sequence[Line]) -> tuple[Line, tuple[int, int], str] | None:
    """The line with a batch number, where in it, and what it seems to be; None when there is none or more than one."""
    found = [
        (line, match.span(1), match[1].upper().replace("-", ""))
        for line in lines
        if (match := _BATCH.search(line.read.text.strip())) is not None and any(c.isdigit() for c in match[1])
    ]
    return found[0] if len(found) == 1 else None


def find_region(lines: Sequence[Line]) -> str | None:
    """Where the card is good, as ISO 3166 code ("CN", "CN-GD", "US", also "EU"); None when it is not clear."""
    regions = {code for line in lines if line.read.score >= _SURE_SIGN for code in _regions(line.read.text)}
    return regions.pop() if len(regions) == 1 else None


def _regions(text: str) -> Iterable[str]:
    if not _REGION_WORDS.search(text):
        return
    for province in _PROVINCES:
        name, code = province.split()
        if name in text:
            yield f"CN-{code}"
    for pattern, code in _REGIONS:
        if re.search(pattern, text, re.IGNORECASE):
            yield code
    if _WHOLE_CHINA.search(text):
        yield "CN"


def span(line: Line, start: int, end: int) -> tuple[float, float]:
    """Where characters `start` to `end` of the text stand, as shares 0..1 of the line's width."""
    at, left, right = 0, 1.0, 0.0
    for sign in line.read.signs:
        if at < end and at + len(sign.text) > start:
            left, right = min(left, sign.start), max(right, sign.end)
        at += len(sign.text)
    return (left, right) if left < right else (0.0, 1.0)


def _least_digit(line: Line, start: int, end: int) -> float:
    """As `least_p`, of the digits alone: a hyphen that looks like a dot changes no date."""
    text = line.read.text
    return min((least_p(line, at, at + 1) for at in range(start, end) if text[at].isdigit()), default=0.0)


def least_p(line: Line, start: int, end: int) -> float:
    """The least probability of the signs of a stretch of the text; signs of more than one letter count by length."""
    at, least = 0, 1.0
    for sign in line.read.signs:
        if at < end and at + len(sign.text) > start and sign.text.strip():
            least = min(least, sign.p)
        at += len(sign.text)
    return least
