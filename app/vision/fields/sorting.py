"""Which line of text is which field: labels first, then shape, then place. Knows Chinese and English cards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from app.core.products import Box, normalise_gtin
from app.vision.fields.printed import is_public
from app.vision.picture.area import Area
from app.vision.picture.rectify import PX_PER_MM
from app.vision.text.lines import Line
from app.vision.text.recognise import GLYPHS, TextSign

_NUMBER_LABEL = re.compile(
    r"^\W*(?:(?:礼品|购物|充值|预付|会员)?卡\s*号|[账帐]\s*号|序\s*列\s*号|编\s*号"
    r"|(?:gift\s*)?card\s*(?:no|num(?:ber)?|#)\b|(?:serial\s*)?(?:no|number)\b|s/n\b)\W*",
    re.IGNORECASE,
)
_PIN_LABEL = re.compile(
    r"^\W*(?:(?:充值|卡片?|兑换|激活|消费|礼品卡?|刮刮|支付|初始)?\s*(?:密\s*码|卡\s*密|兑\s*换\s*码|充\s*值\s*[码卡号]|激\s*活\s*码|刮\s*刮\s*码|密)"
    r"|pin(?:\s*(?:code|no))?\b|pass\s*(?:word|code)\b|(?:redeem|redemption|claim|access|security|gift|voucher)\s*code\b|code\b)\W*",
    re.IGNORECASE,
)
_SPACED = 1.45  # pitches from one character to the next with a space between them
_CUT, _CLEAR = 0.12, 0.25  # heights before the place where a sign was read: within its ink, and in front of it
_BEFORE_INK = 0.4  # heights; where a sign was read is known to half a character
_GARBLED = (
    ("number", re.compile(r"号|^\W*c?ar?d|^\W*n[o0][.:：]", re.IGNORECASE)),
    ("pin", re.compile(r"[密码兑换]|^\W*p[il1]n", re.IGNORECASE)),
)
"""What is left of a label that was not read well, in the few signs before a value."""
_VALUE_BEGINS = re.compile(r"[0-9A-Z]{4}|[0-9]{3}")
_MOST_OF_A_LABEL = 9
_BESIDE = 3 * PX_PER_MM  # between a label and the edge of its panel
_COVER = re.compile(r"s[co]?r?atch|刮开|涂层|刮涂", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """The part of a line that may be a field's value: shares 0..1 of its width, its signs without label."""

    line: Line
    start: float
    end: float
    glyphs: str
    foreign: int  # signs in it that no field has
    label: str  # "number", "pin" or ""

    @property
    def area(self) -> Area:
        whole = self.line.area
        return Area(whole.x + self.start * whole.w, whole.y, (self.end - self.start) * whole.w, whole.h)

    @property
    def signs(self) -> tuple[TextSign, ...]:
        """What was read in it, spaces included."""
        return tuple(s for s in self.line.read.signs if s.start >= self.start - 1e-6 and s.end <= self.end + 1e-6)

    @property
    def text(self) -> str:
        """What stands there, as printed in groups."""
        return "".join(s.text for s in self.signs)

    @property
    def groups(self) -> tuple[int, ...]:
        """How many characters stand between its spaces: what was read as one, and gaps as wide."""
        signs = self.signs
        at = [(s.start + s.end) / 2 for s in signs if s.text.upper() in GLYPHS]
        gaps = [b - a for a, b in pairwise(at)]
        pitch = sorted(gaps)[len(gaps) // 3] if gaps else 1.0
        spaces = [(s.start + s.end) / 2 for s in signs if s.text.upper() not in GLYPHS]
        wide = [
            gap > _SPACED * pitch or any(a < s < b for s in spaces)
            for gap, (a, b) in zip(gaps, pairwise(at), strict=True)
        ]
        starts = [0, *(i + 1 for i, parted in enumerate(wide) if parted), len(at)]
        return tuple(b - a for a, b in pairwise(starts)) if at else ()

    @property
    def ink(self) -> Area:
        """The area of the characters themselves: boxes of the finder are larger than the ink by half a character."""
        signs = [s for s in self.signs if s.text.strip()]
        if not signs:
            return self.area
        whole = self.line.area
        left, right = signs[0].start * whole.w, signs[-1].end * whole.w
        return Area(whole.x + left, whole.y + 0.2 * whole.h, right - left, 0.6 * whole.h)

    @property
    def digits(self) -> float:
        """Share of digits, 0..1."""
        return sum(g.isdigit() for g in self.glyphs) / max(1, len(self.glyphs))

    @property
    def pitch(self) -> float:
        """Pixels a printed character takes."""
        return self.area.w / max(1, len(self.signs))


@dataclass(frozen=True, slots=True, repr=False)
class Sorted:
    """The lines of a card sorted by what they can be."""

    values: tuple[Value, ...]
    labels: tuple[tuple[str, Area], ...]  # lines that are a label only: "number" or "pin", and where
    printed: frozenset[str]  # digits printed below bars
    covers: tuple[Area, ...]  # words of an untouched scratch layer
    begun: tuple[Area, ...] = ()  # labels behind which one to three characters of a value stand
    below: tuple[Value, ...] = ()  # lines of digits printed below bars


def sort_lines(lines: Sequence[Line], bars: Sequence[Area]) -> Sorted:
    """Sort lines. `bars`: where symbols of bars stand on the card."""
    values: list[Value] = []
    labels: list[tuple[str, Area]] = []
    printed: set[str] = set()
    covers: list[Area] = []
    begun: list[Area] = []
    below: list[Value] = []
    for line in lines:
        value, kind = split(line)
        if _COVER.search(line.read.text) and not _is_sentence(line.read.text):
            covers.append(line.area)
        elif below_bars(line.area, bars):
            printed.add(value.glyphs)
            below.append(value)
        elif kind and len(value.glyphs) < 4:
            labels.append((kind, replace(line.area, w=(value.start if value.glyphs else 1.0) * line.area.w)))
            begun += [line.area] if value.glyphs else []
        elif _may_be_value(line, value):
            values.append(value)
    return Sorted(tuple(values), tuple(labels), frozenset(printed), tuple(covers), tuple(begun), tuple(below))


def split(line: Line) -> tuple[Value, str]:
    """A line as label and value."""
    text, signs = line.read.text, line.read.signs
    kind, cut_at = "", 0
    for name, pattern in (("number", _NUMBER_LABEL), ("pin", _PIN_LABEL)):
        found = pattern.match(text)
        if found is not None and found.end() > cut_at:
            kind, cut_at = name, found.end()
    if not cut_at:
        kind, cut_at = _garbled_label(text)
    if cut_at and cut_at == len(text):
        return Value(line, 1.0, 1.0, "", 0, kind), kind
    rest = signs[cut_at:]
    start = _begin(signs[:cut_at], rest[0], line.area) if cut_at else 0.0
    glyphs = "".join(s.text.upper() for s in rest if s.text.upper() in GLYPHS)
    foreign = sum(1 for s in rest if s.text.upper() not in GLYPHS and not re.match(r"[\s\-–—.·:：_,']", s.text))
    return Value(line, start, 1.0, glyphs, foreign, kind), kind


def _begin(label: Sequence[TextSign], first: TextSign, whole: Area) -> float:
    """Where a value begins: midway between its first sign and the last of its label, but not so close that the sign is
    cut: a space may have been read right before it.
    """
    height = whole.h / whole.w
    midway = (label[-1].end + first.start) / 2
    if first.start - midway >= _CUT * height:
        return midway
    ink = [sign.end for sign in label if sign.text.strip()]
    return max(first.start - _CLEAR * height, *ink[-1:], 0.0)


def inside(value: Value, panel: Area) -> Value:
    """A value without what its line shows before its panel, if that is a label: nothing, or no sign that a field has,
    was read there, or the label's very words. Other signs may be the PIN's own: of a panel only a part may be seen.
    """
    whole = value.line.area
    edge = (panel.x - whole.x) / whole.w
    signs = [s for s in value.signs if s.text.strip()]
    before = [s for s in signs if (s.start + s.end) / 2 < edge]
    rest = signs[len(before) :]
    said = "".join(s.text for s in before)
    named = _PIN_LABEL.fullmatch(said) is not None
    if edge <= value.start or not rest or not (named or all(s.text.upper() not in GLYPHS for s in before)):
        return value
    start = min(edge, rest[0].start - _BEFORE_INK * whole.h / whole.w)
    start = max(value.start, start, *(s.end for s in before[-1:]))
    glyphs = "".join(s.text.upper() for s in rest if s.text.upper() in GLYPHS)
    foreign = max(0, value.foreign - sum(not s.text.isascii() for s in before))
    return replace(value, start=start, glyphs=glyphs, foreign=foreign, label="pin" if named else value.label)


def without_print_on_layer(value: Value, bare: tuple[float, float]) -> Value:
    """A value without signs at its ends that stand on the layer, which begins before and behind `bare` (pixels of the
    card): nothing of a PIN is seen there, so they are words printed on the layer.
    """
    whole = value.line.area
    low, high = ((edge - whole.x) / whole.w for edge in bare)
    signs = [s for s in value.signs if s.text.strip()]
    kept = [s for s in signs if low < (s.start + s.end) / 2 < high]
    if not kept or len(kept) == len(signs):
        return value
    start = value.start if kept[0] is signs[0] else max(value.start, min(low, kept[0].start))
    end = value.end if kept[-1] is signs[-1] else min(value.end, max(high, kept[-1].end))
    return replace(
        value, start=start, end=end, glyphs="".join(s.text.upper() for s in kept if s.text.upper() in GLYPHS)
    )


def _garbled_label(text: str) -> tuple[str, int]:
    """The kind of what seems to be left of a label before a value, and its length; "" and 0 when nothing is. What ends
    with a colon is a label whose kind nobody knows.
    """
    begins = _VALUE_BEGINS.search(text)
    if begins is None or not 0 < begins.start() <= _MOST_OF_A_LABEL:
        return "", 0
    before = text[: begins.start()]
    kinds = [kind for kind, pattern in _GARBLED if pattern.search(before)]
    if len(kinds) == 1:
        return kinds[0], len(before)
    return "", len(before) if before.rstrip().endswith((":", "：")) else 0


_LABEL_APART = 1.4
"""Heights between a label and its number from where its first characters are gone. Of 530 numbers 528 stand less than
0.85 behind their label; one that had lost its first group stands 3.1 behind it, one that had lost two digits 2.0."""

_SAME = 1e-6  # of a line's width
_BROKEN_OFF = 8.0  # heights between a label's line and the number whose first characters stand in it


def below_bars(area: Area, bars: Sequence[Area]) -> bool:
    """Whether a line stands in or right below a symbol of bars: its printed digits."""
    for bar in bars:
        sideways = min(area.right, bar.right) - max(area.x, bar.x)
        gap = area.y - bar.bottom
        if sideways > 0.6 * area.w and -0.4 * bar.h < gap < 0.6 * area.h + 0.5 * PX_PER_MM:
            return True
    return False


def is_retail_code(glyphs: str) -> bool:
    """Twelve or thirteen digits with the check digit of a GTIN are what stands below a retail symbol."""
    return len(glyphs) in (12, 13) and normalise_gtin(glyphs) is not None


def lacks_beginning(number: Value, found: Sorted) -> bool:
    """Whether the first characters of a number are missing: its first group is short, or stands far behind the label,
    or behind one in a line of its own, and between them is what glare has left of the rest.
    """
    area = number.area
    broken = (a for a in found.begun if abs(a.mid_y - area.mid_y) < 0.5 * area.h and a.right < area.x + area.h)
    broken_off = any(area.x - a.right < _BROKEN_OFF * area.h for a in broken)
    return broken_off or begins_short(number.text) or _stands_far_from_label(number)


def _stands_far_from_label(number: Value) -> bool:
    """Whether between a number and its label in the same line is room for what glare has wiped out."""
    signs = number.signs
    before = [s for s in number.line.read.signs if signs and s.end <= signs[0].start + _SAME and s.text.strip()]
    value = [s for s in signs if s.text.strip()]
    if not number.label or not before or not value:
        return False
    return (value[0].start - before[-1].end) * number.line.area.w > _LABEL_APART * number.line.area.h


def begins_short(text: str) -> bool:
    """Whether the first group of a number in fours lacks digits: glare may have wiped them out without a trace."""
    groups = [len(group) for group in re.findall(r"[0-9A-Za-z]+", text)]
    return len(groups) >= 3 and groups[0] < 4 and all(size == 4 for size in groups[1:-1])


def _is_sentence(text: str) -> bool:
    """Terms of use speak of the layer too; the words on the layer itself are repeated and nothing else."""
    return bool(re.match(r"\W*\d\W", text)) or bool(re.search(r"[获取登录官网使用请]", text))


def _may_be_value(line: Line, value: Value) -> bool:
    text = line.read.text
    if len(value.glyphs) < 4 or len(value.glyphs) > 30 or line.read.score < 0.35:
        return False
    if is_public(text):
        return False
    if re.search(r"\d{3,4}-\d{3,4}-\d{4}$", text) and len(value.glyphs) in (10, 11):
        return False  # a hotline
    # English sentences have small letters; fields are printed in capitals and digits.
    small = sum(c.islower() for c in text[-len(value.glyphs) :])
    words = len(re.findall(r"[A-Z]?[a-z]{3,}", text))
    return value.foreign <= 0.25 * len(value.glyphs) and small <= 0.3 * len(value.glyphs) and words < 4


def row_label(value: Value, labels: Sequence[tuple[str, Area]], panels: Sequence[Area] = ()) -> str:
    """The kind of label that stands left of a value in its row, or else right above it; "" for none.

    `panels`: clear ones; a label that stands left of one is that panel's, not that of what stands below.
    """
    best, best_gap = "", 14 * PX_PER_MM
    area = value.area
    for kind, label in labels:
        gap = area.x - label.right
        level = abs(label.mid_y - area.mid_y) < 0.6 * max(area.h, label.h)
        if level and -0.5 * area.h < gap < best_gap:
            best, best_gap = kind, gap
    return best or _label_above(area, [named for named in labels if not _is_of_a_panel(*named, area, panels)])


def _is_of_a_panel(kind: str, label: Area, area: Area, panels: Sequence[Area]) -> bool:
    """Whether a PIN's label stands left of a panel below which an area lies."""
    beside = (p for p in panels if p.y < label.mid_y < p.bottom and abs(p.x - label.right) < _BESIDE)
    return kind == "pin" and any(area.mid_y > panel.bottom for panel in beside)


def _label_above(area: Area, labels: Sequence[tuple[str, Area]]) -> str:
    """The kind of the nearest label above that begins where the value, or the panel around it, begins."""
    best, best_gap = "", 1.5 * area.h
    for kind, label in labels:
        gap = area.y - label.bottom
        if -0.4 * label.h < gap < best_gap and -1.5 * area.h < area.x - label.x < 3.0 * area.h:
            best, best_gap = kind, gap
    return best


def to_area(box: Box) -> Area:
    """A layout's box in millimetres as pixels of the rectified card."""
    return Area(box.x * PX_PER_MM, box.y * PX_PER_MM, box.w * PX_PER_MM, box.h * PX_PER_MM)


_PIECE_APART = 3.0  # heights; groups of wide print stand two apart


def with_pieces(area: Area, lines: Sequence[Line]) -> Area:
    """A number with the groups behind it that the finder took for lines of their own."""
    for line in sorted(lines, key=lambda line: line.area.x):
        piece, text = line.area, line.read.text
        level = abs(piece.mid_y - area.mid_y) < 0.3 * area.h and 0.7 < piece.h / area.h < 1.4
        behind = piece.right > area.right and -0.5 * area.h < piece.x - area.right < _PIECE_APART * area.h
        if level and behind and re.fullmatch(r"[0-9 \-–.]+", text):
            top, bottom = min(area.y, piece.y), max(area.bottom, piece.bottom)
            area = Area(area.x, top, piece.right - area.x, bottom - top)
    return area
