"""The lines of a card as text, each read no dearer than it deserves, and which way up the card lies.

Most lines are none of the fields: small print is read as far as its first words, digits below bars by our recogniser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from app.vision.fields.numberline import is_piece
from app.vision.fields.sorting import below_bars
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.picture.rectify import turn
from app.vision.text.codes import CodeReader
from app.vision.text.lines import Line
from app.vision.text.recognise import NO_STEPS, LineText, Recogniser, TextSign
from app.vision.text.textlines import WORK_H, WORK_W, LineBox, LineFinder, cut

_UPRIGHT = 0.97
"""Mean score above which a line is upright beyond doubt: of 120 lines that stood on their heads the best had 0.89."""

_COUNTED = 4  # signs of a line that count: more of them tell no more
_CLEARLY = 0.9  # legible signs more than the other way up that settle it

_ASKED = 3  # lines asked which way up they are, one after the other while that is open
_TALL = 6.0  # heights of a line's width that count for that: tall lines tell best, small print costs most

_WORDS = 4.0  # heights that the first words of small print take
_LONG = 8.0  # heights of width from which a line may be small print
_BLUR = 3.0  # pixels; the dots of needle print are 8 apart
_MORE, _THIRTEEN = 0.6, 6.5  # heights of a digit not found before, and of the shortest number
_DENSE = 0.55  # glyphs to a height of width that a line of print with a value in it has at least
_FEW = 6  # digits; from as many on a line may hold a date or a number
_SURE = 0.6
_SHORTEST = 6  # glyphs: no PIN has fewer
_HOTLINE = re.compile(r"[48]00\d{7}$")
_WORDS_BEFORE = 6.0  # heights of words before a hotline, from which on letters are no sign of a code
_BEFORE, _MARGIN = 8.0, 0.19  # heights of a line's box before it, and of its own rim
_BESIDE, _GROUPS_APART = 0.5, 2.5  # heights between print and the glyph before it, and the group
_BEYOND_DOUBT = 0.9  # of one glyph: of a rim or a label it now and then makes one of 0.63 to 0.78
_ON_END = 3  # runs of text on end that make a card look as if it lay across


@dataclass(frozen=True, slots=True, repr=False)
class Standing:
    """How a card must be turned (quarters clockwise), its lines then, and what was read of them meanwhile."""

    quarters: int
    boxes: tuple[LineBox, ...]
    known: dict[LineBox, LineText]


class Wording:
    """Finds and reads the lines of a rectified card. One instance a process, one thread at a time."""

    def __init__(self, finder: LineFinder, recogniser: Recogniser, codes: CodeReader) -> None:
        self._finder = finder
        self._recogniser = recogniser
        self._codes = codes

    def find(self, card: Colour, size: tuple[int, int] = (WORK_W, WORK_H)) -> Standing:
        """Which way up the card is, and where its lines stand then. `size`: pixels at which it is searched."""
        boxes, on_end = self._finder.search(card, size)
        level = self._either_way(card, boxes, 0)
        if on_end < _ON_END or on_end < len(boxes):
            return level
        across = turn(card, 1)
        other = self._either_way(across, self._finder.search(across, size)[0], 1)
        return other if _mean(other) > _mean(level) else level

    def _either_way(self, card: Colour, boxes: tuple[LineBox, ...], quarters: int) -> Standing:
        """The card as it lies or the other way up, whichever reads better."""
        asked = sorted(boxes, key=lambda b: -min(b.w, _TALL * b.h) * b.score)[:_ASKED]
        over, height, width = turn(card, 2), *card.shape[:2]
        upright: dict[LineBox, LineText] = {}
        turned: dict[LineBox, LineText] = {}
        for box in asked:
            upright[box] = self._recogniser.read([cut(card, box)])[0]
            if not turned and _legible(upright.values()) > _UPRIGHT * _COUNTED:
                break
            other = _turned(box, width, height)
            turned[other] = self._recogniser.read([cut(over, other)])[0]
            if abs(_legible(upright.values()) - _legible(turned.values())) > _CLEARLY:
                break
        if _legible(turned.values()) > _legible(upright.values()):
            return Standing(quarters + 2, tuple(_turned(box, width, height) for box in boxes), turned)
        return Standing(quarters, boxes, upright)

    def read(
        self, card: Colour, boxes: Sequence[LineBox], known: dict[LineBox, LineText], bars: Sequence[Area]
    ) -> list[Line]:
        """Every line of the upright card with its text. `bars`: where symbols stand on it."""
        return [Line(box, known.get(box) or self._text(card, box, bars)) for box in boxes]

    def read_whole(self, card: Colour, boxes: Sequence[LineBox]) -> list[Line]:
        """Lines of which each is known to hold a field."""
        return [Line(box, self._recogniser.read([cut(card, box)])[0]) for box in boxes]

    def begins_before(self, card: Colour, box: LineBox) -> bool:
        """Whether more of a code seems to stand before a line: a glyph beside its beginning, or several a group's gap
        before it. Of labels our recogniser makes out none.
        """
        left, margin = max(0.0, box.x - _BEFORE * box.h), _MARGIN * box.h
        width = box.x + margin - left
        if width < box.h:
            return False
        picture = cut(card, LineBox(left, box.y, width, box.h, 0.0, 1.0))
        sure = [sign for sign in self._codes.signs(picture) if sign.p > _SURE]
        if not sure:
            return False
        gap = (1.0 - sure[-1].end) * width / box.h
        return gap < _GROUPS_APART if len(sure) > 1 else gap < _BESIDE and sure[0].p > _BEYOND_DOUBT

    def read_codes(self, card: Colour, areas: Sequence[Area]) -> list[Line]:
        """Places that can hold nothing but a code, by our recogniser; none in which it makes out no code."""
        boxes = [LineBox(area.x, area.y, area.w, area.h, 0.0, 1.0) for area in areas]
        lines = [Line(box, self._codes.text(cut(card, box))) for box in boxes]
        return [line for line in lines if sum(s.p > _SURE for s in line.read.signs) >= _SHORTEST]

    def find_again(self, card: Colour, lines: Sequence[Line]) -> list[Line]:
        """Long lines that stand out on a blurred card, though `lines` has none or pieces of them: print in dots."""
        boxes = self._finder.find(cast(Colour, cv2.GaussianBlur(card, (0, 0), _BLUR)))
        return self.read(card, [box for box in boxes if _says_more(box, lines)], {}, ())

    def _text(self, card: Colour, box: LineBox, bars: Sequence[Area]) -> LineText:
        picture = cut(card, box)
        if below_bars(Area(box.x, box.y, box.w, box.h), bars):
            return self._codes.text(picture)
        if box.w > _LONG * box.h and not _holds_value(self._codes.signs(picture), box.w / box.h):
            return self._first_words(picture)
        return self._recogniser.read([picture])[0]

    def _first_words(self, picture: Colour) -> LineText:
        """As much of a line of small print as tells what it is about."""
        share = min(1.0, _WORDS * picture.shape[0] / picture.shape[1])
        read = self._recogniser.read([np.ascontiguousarray(picture[:, : round(share * picture.shape[1])])])[0]
        signs = tuple(TextSign(s.text, s.start * share, s.end * share, s.p) for s in read.signs)
        return LineText(signs, NO_STEPS)


def _says_more(box: LineBox, lines: Sequence[Line]) -> bool:
    """Whether a box has room for a number, of which at least a digit was not found before."""
    area = Area(box.x, box.y, box.w, box.h)
    return (
        box.w - sum(line.area.w for line in lines if is_piece(line.area, area)) > _MORE * box.h
        and box.w > _THIRTEEN * box.h
    )


def _legible(read: Iterable[LineText]) -> float:
    return sum(text.score * min(_COUNTED, len(text.signs)) for text in read)


def _mean(standing: Standing) -> float:
    """How legible a line of it is on average; more lines are asked the less they tell."""
    return _legible(standing.known.values()) / max(1, len(standing.known))


def _holds_value(signs: Sequence[TextSign], heights: float) -> bool:
    """Whether a long line is dense with glyphs as numbers and codes are; sentences give our recogniser hardly any.

    English ones give it some, but these end with a hotline.
    """
    sure = [s for s in signs if s.p > _SURE]
    digits = "".join(s.text for s in sure if s.text.isdigit())
    if len(_HOTLINE.sub("", digits)) >= _FEW:
        return True
    hotline = _HOTLINE.search("".join(s.text for s in sure))
    if hotline is not None and sure[hotline.start()].start * heights >= _WORDS_BEFORE:
        return False
    return len(sure) >= _DENSE * heights


def _turned(box: LineBox, width: int, height: int) -> LineBox:
    return LineBox(width - box.right, height - box.y - box.h, box.w, box.h, box.tilt, box.score)
