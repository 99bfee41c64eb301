"""Reads a picture of a recording as a thief would: is there anything like a PIN in it, by whichever engine?

Two engines that err apart look at each picture: the house's (which knows cards) and Tesseract (which knows nothing).
What they find is told without the characters, so that a finding can be kept and shown.

A mask that comes or goes covers half a card for a moment, and half a card number is made as many a PIN is. Which number
it is half of is read before or after: `Thief.explains` holds a sight against the numbers that were read for sure.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from app.core.cards import FieldState
from app.core.products import UNKNOWN_NUMBER, UNKNOWN_PIN, Catalogue, FieldPattern, Product
from app.eye.oneshot import conclude_picture
from app.vision.conclude import Conclusion
from app.vision.fields.printed import is_public
from app.vision.fields.sorting import is_retail_code, row_label, sort_lines, split
from app.vision.look import Looker
from app.vision.picture.pixels import Colour
from app.vision.picture.rectify import rectify
from app.vision.text import third_opinion
from app.vision.text.lines import Line

HOUSE, TESSERACT = "ppocr", "tesseract"

_LEAST = 4  # characters of a PIN that are worth something
_LEAST_PLAIN = 6  # without a label: shorter runs stand all over a table
_ENOUGH_DIGITS = 3
_SURE = 0.5
_LATELY = 3  # numbers that were read last
_TEXTS = 1_000  # of sights
_OF_A_NUMBER = 6  # digits in a row that nobody prints twice on a card by chance
_HALF_A_DATE = re.compile(r"20[1-5]\d ?[-–.] ?(?:0[1-9]|1[0-2])(?: ?[-–.] ?\d?)?")
_HOTLINE = re.compile(
    r"(?<!\d)(?:(?:400|800)[ -]?|9[56]\d{3}[ -])\d{3}[ -]?\d{4}(?!\d)|(?<![\d-])0\d{2,3}-\d{3,4}-\d{4}(?!\d)"
)
_PIN_WORD = re.compile(r"\b(?:pin|code|password|passcode)\b\W*(?P<rest>.*)$", re.IGNORECASE)
_RUN = re.compile(r"[0-9A-Z]+(?:[ \-–.·]{1,2}[0-9A-Z]+)*")


@dataclass(frozen=True, slots=True)
class Sight:
    """Something like a PIN in a picture. `how`: "field" (read as the card's PIN), "label" (behind the word for it),
    "pattern" (as a product's PIN is made). `mark` tells whether two sights show the same characters, and nothing more.
    """

    engine: str
    how: str
    length: int
    digits: int
    mark: str = field(repr=False)


class Thief:
    """Holds what it knows and the models; one a process."""

    def __init__(self, looker: Looker, catalogue: Catalogue) -> None:
        self._looker, self._catalogue = looker, catalogue
        self._pins = tuple({p.pin: None for p in catalogue.products if p.pin not in (None, UNKNOWN_PIN)})
        self._numbers = tuple({p.number: None for p in catalogue.products if p.number != UNKNOWN_NUMBER})
        self._salt = os.urandom(16)
        self._lately: deque[str] = deque(maxlen=_LATELY)
        self._texts: OrderedDict[str, str] = OrderedDict()

    @property
    def engines(self) -> tuple[str, ...]:
        """Which engines can look here."""
        return (HOUSE, TESSERACT) if third_opinion.installed() else (HOUSE,)

    def read(self, picture: Colour, harmless: Iterable[str]) -> list[Sight]:
        """What is like a PIN in a frame. `harmless`: texts that may be seen, such as the waybill."""
        found = conclude_picture(picture, self._looker, self._catalogue)
        self._remember(found)
        known = {_glyphs(text) for text in harmless} | _known(found)
        sights = [*self._field(found), *self._house(self._looker.read_frame(picture), known)]
        page = picture
        if found is not None:
            page = rectify(picture, found.corners)  # upright, so that labels stand in their row
            sights += self._house(self._looker.read_lines(page), known)
        for text in third_opinion.all_lines(page) or ():
            sights += self._plain(TESSERACT, text, known)
        product = None if found is None else found.product
        return [replace(sight, how="field") if self._made_for(product, sight) else sight for sight in sights]

    def explains(self, sight: Sight) -> bool:
        """Whether a sight is a part of a card number that was read for sure in this picture or one of those around it.
        A character at the mask's edge may be half one: of seven and more, all but one in a row are enough.
        """
        text = self._texts.get(sight.mark, "")
        needed = max(_OF_A_NUMBER, len(text) - 1)
        parts = {text[start : start + needed] for start in range(len(text) - needed + 1)}
        return sight.how != "label" and any(part in number for number in self._lately for part in parts)

    def _remember(self, found: Conclusion | None) -> None:
        """The number of a card whose product is known: what is taken for one on others may be a PIN."""
        if found is None or found.product is None or found.number.state is not FieldState.READ:
            return
        number = "".join(char.best.glyph for char in found.number.chars)
        if found.product.number.matches(number) and number not in self._lately:
            self._lately.append(number)

    def _made_for(self, product: Product | None, sight: Sight) -> bool:
        """Whether the house read, on a card whose product it knows, what is made as that product's PIN."""
        pin = None if product is None else product.pin
        return pin is not None and pin != UNKNOWN_PIN and sight.engine == HOUSE and sight.length in pin.lengths

    def _field(self, found: Conclusion | None) -> list[Sight]:
        """The PIN as the clerk's own reader would have it."""
        if found is None or len(found.pin.chars) < _LEAST:
            return []
        sure = found.pin.state is FieldState.READ or sum(c.best.p > _SURE for c in found.pin.chars) >= _LEAST
        text = "".join(char.best.glyph for char in found.pin.chars)
        return [self._sight(HOUSE, "field", text)] if sure else []

    def _house(self, lines: Sequence[Line], known: set[str]) -> list[Sight]:
        sorted_lines = sort_lines(lines, ())
        labelled = [
            self._sight(HOUSE, "label", value.glyphs)
            for value in sorted_lines.values
            if (value.label or row_label(value, sorted_lines.labels)) == "pin" and not _is_known(value.glyphs, known)
        ]
        plain = [
            sight for line in lines if split(line)[1] != "number" for sight in self._plain(HOUSE, line.read.text, known)
        ]
        return labelled + plain

    def _plain(self, engine: str, text: str, known: set[str]) -> list[Sight]:
        """Runs of characters in a line of text that are made as a PIN is."""
        labelled = _PIN_WORD.search(text)
        rest, how = (labelled["rest"], "label") if labelled else (text, "pattern")
        if is_public(text) or _HOTLINE.search(text):
            return []
        runs = (_glyphs(run) for run in _RUN.findall(rest) if labelled or not _HALF_A_DATE.fullmatch(run))
        return [self._sight(engine, how, run) for run in runs if self._like_pin(run, known, how)]

    def _like_pin(self, run: str, known: set[str], how: str) -> bool:
        if not any(c.isdigit() for c in run) or _is_known(run, known):
            return False
        if how == "label":
            return len(run) >= _LEAST
        public = is_retail_code(run) or _fits(run, self._numbers)
        return len(run) >= _LEAST_PLAIN and not public and _fits(run, self._pins)

    def _sight(self, engine: str, how: str, text: str) -> Sight:
        mark = hashlib.blake2b(text.encode(), key=self._salt, digest_size=8).hexdigest()
        self._texts[mark] = text
        self._texts.move_to_end(mark)
        if len(self._texts) > _TEXTS:
            self._texts.popitem(last=False)
        return Sight(engine, how, len(text), sum(c.isdigit() for c in text), mark)


def believable(sights: Sequence[Sight], before: Sequence[Sight]) -> list[Sight]:
    """Those of a picture that are no slip of one engine: read as the card's PIN or behind its label; or the same
    characters by both engines, or once more in one of the pictures before. Tesseract takes Chinese for Latin capitals,
    the same ones each time in a picture that stands still; hardly ever for digits.
    """
    return [
        sight
        for sight in sights
        if sight.how != "pattern"
        or any(other.mark == sight.mark and other.engine != sight.engine for other in sights)
        or (
            any(other.mark == sight.mark for other in before)
            and (sight.engine == HOUSE or sight.digits >= _ENOUGH_DIGITS)
        )
    ]


class Held:
    """Findings that wait for so many pictures, in the order of the pictures: a number that is read by then may explain
    them. What waits for nothing is given back at once.
    """

    def __init__(self, thief: Thief, pictures: int) -> None:
        self._thief, self._pictures = thief, pictures
        self._waiting: deque[tuple[int, list[Sight]]] = deque()

    def put(self, at: int, found: list[Sight]) -> list[tuple[int, list[Sight]]]:
        """One more picture and what was found in it; those that wait no longer, with what is left of it."""
        self._waiting.append((at, found))
        ready = []
        while self._waiting and (len(self._waiting) > self._pictures or not self._left(self._waiting[0][1])):
            ready.append(self._next())
        return ready

    def rest(self) -> list[tuple[int, list[Sight]]]:
        """All that wait still: no picture comes any more."""
        return [self._next() for _ in range(len(self._waiting))]

    def _next(self) -> tuple[int, list[Sight]]:
        at, found = self._waiting.popleft()
        return at, self._left(found)

    def _left(self, found: list[Sight]) -> list[Sight]:
        return [sight for sight in found if not self._thief.explains(sight)]


def _known(found: Conclusion | None) -> set[str]:
    """What the card may show: its number, its barcodes, its batch."""
    if found is None:
        return set()
    number = "".join(char.best.glyph for char in found.number.chars)
    texts = [number, found.batch or "", *(code.text for code in found.barcodes)]
    return {_glyphs(text) for text in texts if text}


def _is_known(run: str, known: set[str]) -> bool:
    """Whether a run is one of these, or a part of one: a line may be cut off."""
    return any(run == one or (len(run) >= _LEAST and run in one) or (len(one) > 8 and one in run) for one in known)


def _fits(run: str, patterns: Sequence[FieldPattern]) -> bool:
    return any(pattern.matches(run) for pattern in patterns)


def _glyphs(text: str) -> str:
    return "".join(c for c in text.upper() if c.isascii() and c.isalnum())
