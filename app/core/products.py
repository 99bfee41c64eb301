"""What a card product is: its GTINs, the patterns of its fields, where they stand on the card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from stdnum import ean, luhn
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_2, mod_37_36

DIGITS = "0123456789"
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class CheckDigit(StrEnum):
    """Which rule the last character of a field obeys."""

    NONE = ""
    LUHN = "luhn"
    GS1 = "gs1"
    ISO7064_MOD11_2 = "iso7064-mod11-2"
    ISO7064_MOD37_36 = "iso7064-mod37-36"


def _gs1_valid(text: str) -> bool:
    return (
        text.isascii()
        and text.isdigit()
        and len(text) > 1
        and str(ean.calc_check_digit(text[:-1].zfill(13))) == text[-1]
    )


_VALID: Mapping[CheckDigit, Callable[[str], bool]] = {
    CheckDigit.LUHN: luhn.is_valid,
    CheckDigit.GS1: _gs1_valid,
    CheckDigit.ISO7064_MOD11_2: mod_11_2.is_valid,
    CheckDigit.ISO7064_MOD37_36: mod_37_36.is_valid,
}


@dataclass(frozen=True, slots=True)
class FieldPattern:
    """What the text of one field may be: allowed lengths, alphabet (same at each position), printed grouping.

    `alphabet` holds upper-case letters and digits; `grouping` is how the card prints it (4-4-4-4), empty when unknown.
    """

    alphabet: str
    lengths: tuple[int, ...]
    grouping: tuple[int, ...] = ()
    check: CheckDigit = CheckDigit.NONE

    def allows_glyph(self, glyph: str) -> bool:
        return glyph in self.alphabet

    def check_holds(self, text: str) -> bool:
        """True when the check digit is right, or the field has none."""
        return self.check is CheckDigit.NONE or bool(_VALID[self.check](text))

    def matches(self, text: str) -> bool:
        """True when length, every glyph and the check digit fit."""
        return len(text) in self.lengths and all(c in self.alphabet for c in text) and self.check_holds(text)

    def groups(self, length: int) -> tuple[int, ...]:
        """Sizes of the printed groups for a text of `length` glyphs; fours when the product does not say."""
        if self.grouping and sum(self.grouping) == length:
            return self.grouping
        full, rest = divmod(length, 4)
        return (4,) * full + ((rest,) if rest else ())


UNKNOWN_NUMBER = FieldPattern(DIGITS, tuple(range(13, 21)))
"""Card number of an unknown product: 13 to 20 digits, no check digit known."""

UNKNOWN_PIN = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))
"""PIN of an unknown product: 4 to 20 letters and digits."""


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the back of the card: left, top, width, height in millimetres from the printed top-left corner."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields stand on the card's back; None where a product does not print the field."""

    number: Box | None = None
    panel: Box | None = None
    pin: Box | None = None
    expiry: Box | None = None
    face_value: Box | None = None
    barcode: Box | None = None


@dataclass(frozen=True, slots=True)
class CompositeCode:
    """A shop's barcode that holds product and card: `prefix` in front names the product, of `length` characters in all
    those from `start` to before `end` (from 0) are the card number.
    """

    prefix: str
    length: int
    start: int
    end: int

    def number_in(self, text: str) -> str | None:
        """The card number in a code of this make; None in any other."""
        if len(text) != self.length or not text.startswith(self.prefix):
            return None
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Product:
    """One card product of one issuer. `gtins` are 14 digits; `chip` is a chip family or "" for none."""

    id: str
    name_zh: str
    name_en: str
    category: str
    gtins: frozenset[str]
    number: FieldPattern
    pin: FieldPattern | None
    face_values_fen: tuple[int, ...] = ()
    chip: str = ""
    layout: Layout | None = None
    rehearsal: bool = False
    codes: tuple[CompositeCode, ...] = ()

    def number_in(self, text: str) -> str | None:
        """The card number that a composite code of this product holds, if it fits the product's pattern."""
        found = (code.number_in(text) for code in self.codes)
        return next((n for n in found if n is not None and self.number.matches(n)), None)

    def name(self, language: str) -> str:
        return self.name_zh if language.startswith("zh") else self.name_en


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The products a station knows, found by GTIN or id."""

    products: tuple[Product, ...] = ()

    def by_gtin(self, gtin: str | None) -> Product | None:
        """The product of a GTIN (14 digits), None when unknown."""
        return next((p for p in self.products if gtin is not None and gtin in p.gtins), None)

    def by_code(self, text: str) -> Product | None:
        """The one product whose composite code this is; None when it is none's or several's."""
        found = [p for p in self.products if p.number_in(text) is not None]
        return found[0] if len(found) == 1 else None

    def by_id(self, product_id: str | None) -> Product | None:
        return next((p for p in self.products if p.id == product_id), None)


def normalise_gtin(digits: str) -> str | None:
    """GTIN-8/12/13/14 as 14 digits with leading zeros; None when length or GS1 check digit is wrong."""
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in (8, 12, 13, 14):
        return None
    try:
        ean.validate(digits)
    except ValidationError:
        return None
    return digits.zfill(14)
