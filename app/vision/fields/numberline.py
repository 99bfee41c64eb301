"""The line of the card number: how far it may reach, and where it stands if the line finder saw none of it or pieces.

The finder takes needle print, whose dots stand apart, for texture; on a blurred card it takes the dots for strokes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from app.core.products import FieldPattern
from app.vision.fields.sorting import Sorted, Value, below_bars, is_retail_code, split
from app.vision.panel.finder import Panel, panel_of
from app.vision.picture.area import Area
from app.vision.picture.rectify import PX_PER_MM
from app.vision.symbols.barcode import Hit, as_gtin
from app.vision.text.lines import Line

DOTS_APART = 0.55
"""Sharpness from which the dots of needle print stay apart: that of what the finder missed was 0.65 and more."""

_QUIET = 0.1
"""Of a symbol's width what is kept blank beside it: eleven modules of an EAN-13, ten of a Code 128."""

_TALL = 1.5
"""Heights of a number from which what the finder took for one line is two, and may hold the number's last group: beside
a slanting date … 2349 96 was cut off before it."""

_SAME_ROW = 0.5
"""Of the lower one of two lines what they share of its height if they stand in one row: a date that touched the box of
9708 8439 0080 1705 337 from above by a quarter ended it before its last group (19000689)."""

_FAR = 6.0  # heights
_RIGHT_BEHIND, _LOW = 1.0, 0.5  # heights: how near and how high digits are that a tilted number goes on with
_INTO = 0.5  # heights by which the boxes of a number and of its last group may reach into each other
_DIGITS = re.compile(r"[0-9 .–-]+")
_LAST_GROUP = re.compile(r"(?=.*[0-9])[0-9A-Za-z]{1,4}")
"""The same right behind a number, where light or blur makes a letter of a digit: its 46 was read as k6 (17000240)."""

_MISREAD = 2  # digits of a product's code
_MOSTLY = 0.7
"""Share of a number's signs that its alphabet has: others are misread."""


def without_product_codes(found: Sorted, hits: Sequence[Hit]) -> Sorted:
    """The values without what is the digits of a product's symbol, misread or not, whose bars were found in part."""
    codes = {code for hit in hits if (code := as_gtin(hit)) is not None}
    kept = [value for value in found.values if value.label or not any(_resembles(value.glyphs, code) for code in codes)]
    return replace(found, values=tuple(kept))


def _resembles(glyphs: str, gtin: str) -> bool:
    misread = sum(a != b for a, b in zip(glyphs.zfill(len(gtin)), gtin, strict=False))
    return len(glyphs) in (12, 13) and misread <= _MISREAD


def lacks_number(found: Sorted, panels: Sequence[Panel], pattern: FieldPattern, hits: Sequence[Hit]) -> bool:
    """Whether no line of a card has as many signs as a number, nor a symbol alone seems to hold it."""
    coded = any(hit.format == "CODE128" and pattern.matches(hit.text) for hit in hits)
    if coded and not names_a_number(found):
        return False
    return not any(_may_be_number(value, panels, pattern) for value in found.values)


def names_a_number(found: Sorted) -> bool:
    """Whether a number's label stands anywhere."""
    return "number" in (*(kind for kind, _ in found.labels), *(value.label for value in found.values))


def with_number(
    lines: Sequence[Line], again: Sequence[Line], panels: Sequence[Panel], pattern: FieldPattern
) -> list[Line]:
    """The lines with those of a second search that have as many signs as a number, instead of their pieces."""
    whole = [line for line in again if _may_be_number(split(line)[0], panels, pattern)]
    return [line for line in lines if not any(is_piece(line.area, one.area) for one in whole)] + whole


def _may_be_number(value: Value, panels: Sequence[Panel], pattern: FieldPattern) -> bool:
    is_number = value.label == "number" or not (value.label or is_retail_code(value.glyphs))
    return _is_as_long(value, pattern) and is_number and panel_of(value.area, panels) is None


def _is_as_long(value: Value, pattern: FieldPattern) -> bool:
    """Whether a value has as many signs as a number, most of which a number may have."""
    known = sum(glyph in pattern.alphabet for glyph in value.glyphs)
    return len(value.glyphs) in pattern.lengths and known >= _MOSTLY * len(value.glyphs)


def number_below_bars(found: Sorted, hits: Sequence[Hit], pattern: FieldPattern) -> Value | None:
    """The digits below a symbol that was not read for sure, if they are as many as a number has and the product's code
    stands elsewhere: it is not that symbol's.
    """
    coded = [hit.text for hit in hits if hit.format == "CODE128" and pattern.matches(hit.text)]
    if len(coded) > 1 or not found.printed.isdisjoint(coded):
        return None
    codes = {code for hit in hits if (code := as_gtin(hit)) is not None}
    seen = bool(codes) or any(is_retail_code(value.glyphs) for value in (*found.below, *found.values))
    long = [v for v in found.below if _is_as_long(v, pattern) and not is_retail_code(v.glyphs)]
    others = [v for v in long if not any(_resembles(v.glyphs, code) for code in codes)]
    return others[0] if seen and len(others) == 1 else None


def is_piece(piece: Area, whole: Area) -> bool:
    """Whether a line is a piece of another one."""
    inside = min(piece.right, whole.right) - max(piece.x, whole.x) > 0.5 * piece.w
    return inside and whole.y < piece.mid_y < whole.bottom


def goes_on(area: Area, lines: Sequence[Line], bars: Sequence[Area]) -> bool:
    """Whether digits that nobody joined to a number stand behind it in its row: it may be longer than what was read."""
    return bool(_digits_behind(area, lines, bars))


def with_digits_behind(area: Area, lines: Sequence[Line], bars: Sequence[Area]) -> Area:
    """A number with the digits right behind it that are too low for a piece of it: the box of a long line that lies
    askew is higher than that of the one digit behind its last space. Who is asked about it, is so about all of it.
    """
    for line in sorted(_digits_behind(area, lines, bars), key=lambda line: line.area.x):
        piece = line.area
        if piece.x - area.right < _RIGHT_BEHIND * area.h and piece.h > _LOW * area.h:
            top, bottom = min(area.y, piece.y), max(area.bottom, piece.bottom)
            area = Area(area.x, top, piece.right - area.x, bottom - top)
    return area


def _digits_behind(area: Area, lines: Sequence[Line], bars: Sequence[Area]) -> list[Line]:
    behind = (
        line
        for line in lines
        if -_INTO * area.h < line.area.x - area.right < _FAR * area.h and not below_bars(line.area, bars)
    )
    level = (line for line in behind if abs(line.area.mid_y - area.mid_y) < 0.3 * area.h)
    return [line for line in level if _is_more(line, area)]


def _is_more(line: Line, number: Area) -> bool:
    """Whether a line behind a number in its row reads like a group of it."""
    near = line.area.x - number.right < _RIGHT_BEHIND * number.h
    return bool(_DIGITS.fullmatch(line.read.text) or (near and _LAST_GROUP.fullmatch(line.read.text)))


def limits_of(area: Area, card_w: int, bars: Sequence[Area], lines: Sequence[Line]) -> tuple[float, float]:
    """How far to the left and right a number may reach beyond the box the finder gave: to what stands next, of a symbol
    to its label, whose white is no light on the card.
    """
    left, right = area.x, card_w - 0.5 * PX_PER_MM
    rows = (line.area for line in lines if line.area.h < _TALL * area.h)
    behind = [(row, 0.0, _SAME_ROW) for row in rows if row.x > area.right - 0.5 * area.h]
    for other, quiet, least in [*((bar, _QUIET * bar.w, 0.0) for bar in bars), *behind]:
        shared = min(other.bottom, area.bottom) - max(other.y, area.y)
        if shared > least * min(other.h, area.h) and other.right > area.right:
            right = min(right, other.x - max(0.4 * PX_PER_MM, quiet))
    return left, right
