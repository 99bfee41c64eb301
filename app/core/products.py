"""What a card product is: its GTINs, the patterns of its fields, where they stand on the card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from stdnum import damm, ean, luhn, verhoeff
from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_2, mod_11_10, mod_37_36, mod_97_10

DIGITS = "0123456789"
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class CheckDigit(StrEnum):
    """Which rule the last character of a field obeys."""

    NONE = ""
    LUHN = "luhn"
    GS1 = "gs1"
    ISO7064_MOD11_2 = "iso7064-mod11-2"
    ISO7064_MOD11_10 = "iso7064-mod11-10"
    ISO7064_MOD37_36 = "iso7064-mod37-36"
    ISO7064_MOD97_10 = "iso7064-mod97-10"  # the last two characters
    DAMM = "damm"
    VERHOEFF = "verhoeff"


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
    CheckDigit.ISO7064_MOD11_10: mod_11_10.is_valid,
    CheckDigit.ISO7064_MOD37_36: mod_37_36.is_valid,
    CheckDigit.ISO7064_MOD97_10: mod_97_10.is_valid,
    CheckDigit.DAMM: damm.is_valid,
    CheckDigit.VERHOEFF: verhoeff.is_valid,
}


@dataclass(frozen=True, slots=True)
class FieldPattern:
    """What the text of one field may be: allowed lengths, alphabet, printed grouping, check digit.

    `alphabet` holds every upper-case letter and digit the field may have; `places`, where the product knows more, the
    alphabet of each position (then `lengths` is their number alone). `grouping` is how the card prints it (4-4-4-4),
    empty when unknown.
    """

    alphabet: str
    lengths: tuple[int, ...]
    grouping: tuple[int, ...] = ()
    check: CheckDigit = CheckDigit.NONE
    places: tuple[str, ...] = ()

    def allows_glyph(self, glyph: str, position: int | None = None) -> bool:
        """Whether a glyph may stand in the field, or at one position (from 0) of it."""
        if position is not None and self.places:
            return position < len(self.places) and glyph in self.places[position]
        return glyph in self.alphabet

    def check_holds(self, text: str) -> bool:
        """True when the check digit is right, or the field has none."""
        return self.check is CheckDigit.NONE or bool(_VALID[self.check](text))

    def matches(self, text: str) -> bool:
        """True when length, every glyph and the check digit fit."""
        fits = len(text) in self.lengths and all(self.allows_glyph(c, i) for i, c in enumerate(text))
        return fits and self.check_holds(text)

    def groups(self, length: int) -> tuple[int, ...]:
        """Sizes of the printed groups for a text of `length` glyphs; fours when the product does not say."""
        if self.grouping and sum(self.grouping) == length:
            return self.grouping
        full, rest = divmod(length, 4)
        return (4,) * full + ((rest,) if rest else ())


def by_place(
    places: Iterable[str], grouping: tuple[int, ...] = (), check: CheckDigit = CheckDigit.NONE
) -> FieldPattern:
    """A pattern of fixed length from the alphabet of each position."""
    each = tuple(places)
    return FieldPattern("".join(sorted(set("".join(each)))), (len(each),), grouping, check, each)


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


LONG_MM, SHORT_MM = 86.0, 54.5
"""How far a place may reach along a card's sides: the card (85.60 x 53.98 mm) with a little play."""

LEAST_MM = 0.5
"""No print and no symbol is smaller than this."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields stand on the card's back; None where a product does not print the field."""

    number: Box | None = None
    panel: Box | None = None
    pin: Box | None = None
    expiry: Box | None = None
    face_value: Box | None = None
    barcode: Box | None = None

    @property
    def boxes(self) -> dict[str, Box]:
        """The places that are there, by their fields' names."""
        return {f.name: box for f in fields(self) if (box := getattr(self, f.name)) is not None}

    @property
    def upright(self) -> bool:
        """Whether a card is printed with its short side on top: a place reaches below what a lying card has."""
        return any(box.y + box.h > SHORT_MM for box in self.boxes.values())


class Gateway(StrEnum):
    """How the issuer of a product is asked; "" while nobody knows."""

    UNKNOWN = ""
    REST = "rest"
    BANK = "bank"
    BATCH = "batch"


class Purpose(StrEnum):
    """What a prepaid card is in law: spent at its issuer only, or with many merchants; "" while nobody knows."""

    UNKNOWN = ""
    SINGLE = "single-purpose"
    MULTI = "multi-purpose"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues a product. Names are empty where no source tells them."""

    name_zh: str = ""
    name_en: str = ""
    gateway: Gateway = Gateway.UNKNOWN
    purpose: Purpose = Purpose.UNKNOWN


class ExpiryRule(StrEnum):
    """When a card ends; "" while nobody knows. `NEVER`: the product has no end, so none is printed."""

    UNKNOWN = ""
    PRINTED = "printed"
    NEVER = "never"
    AFTER_ISSUE = "after-issue"
    AFTER_ACTIVATION = "after-activation"


@dataclass(frozen=True, slots=True)
class Validity:
    """How long a card is good. `months` goes with AFTER_ISSUE and AFTER_ACTIVATION, 0 where unknown."""

    rule: ExpiryRule = ExpiryRule.UNKNOWN
    months: int = 0


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where the clerk scratches: side "back", "front" or "none" ("" unknown), and words for the clerk."""

    side: str = ""
    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True)
class Handling:
    """What a product demands of whoever takes it in; None while nobody knows.

    `bound_account`: redeeming binds it to an account for good; `splits_balance`: it may be spent in parts;
    `batch_number`: the batch number must be recorded too.
    """

    bound_account: bool | None = None
    splits_balance: bool | None = None
    batch_number: bool | None = None


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
    """One card product of one issuer. `gtins` are 14 digits; `chip` is a chip family or "" for none.

    `initials` are the first letters of the Chinese name in pinyin, upper case; `regions` ISO 3166 codes; `source` an
    address that can be opened; `confirmed` once a person held real cards against this template.
    """

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
    initials: str = ""
    regions: tuple[str, ...] = ()
    issuer: Issuer = Issuer()
    validity: Validity = Validity()
    scratch: Scratch = Scratch()
    handling: Handling = Handling()
    source: str = ""
    confirmed: bool = False
    codes: tuple[CompositeCode, ...] = ()

    def number_in(self, text: str) -> str | None:
        """The card number that a composite code of this product holds, if it fits the product's pattern."""
        found = (code.number_in(text) for code in self.codes)
        return next((n for n in found if n is not None and self.number.matches(n)), None)

    def name(self, language: str) -> str:
        return self.name_zh if language.startswith("zh") else self.name_en


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The products a station knows, found by GTIN or id. `version` names their exact content, "" when made by hand."""

    products: tuple[Product, ...] = ()
    version: str = ""
    _ids: Mapping[str, Product] = field(init=False, repr=False, compare=False)
    _gtins: Mapping[str, Product] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The first product of an id or GTIN wins, so they are entered from the last to the first.
        object.__setattr__(self, "_ids", {p.id: p for p in reversed(self.products)})
        object.__setattr__(self, "_gtins", {g: p for p in reversed(self.products) for g in p.gtins})

    def by_gtin(self, gtin: str | None) -> Product | None:
        """The product of a GTIN (14 digits), None when unknown."""
        return None if gtin is None else self._gtins.get(gtin)

    def by_code(self, text: str) -> Product | None:
        """The one product whose composite code this is; None when it is none's or several's."""
        found = [p for p in self.products if p.number_in(text) is not None]
        return found[0] if len(found) == 1 else None

    def by_id(self, product_id: str | None) -> Product | None:
        return None if product_id is None else self._ids.get(product_id)


def normalise_gtin(digits: str) -> str | None:
    """GTIN-8/12/13/14 as 14 digits with leading zeros; None when length or GS1 check digit is wrong."""
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in (8, 12, 13, 14):
        return None
    try:
        ean.validate(digits)
    except ValidationError:
        return None
    return digits.zfill(14)
