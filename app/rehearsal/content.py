"""What is printed on one fictional card: numbers, PINs, GTINs and dates that obey their patterns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from stdnum import ean, luhn
from stdnum.iso7064 import mod_97_10

from app.core.products import CheckDigit, FieldPattern
from app.rehearsal.dice import pick

PIN_STATES = ("covered", "partial", "clean", "residue", "over")
OPEN_STATES = ("clean", "residue", "over", "cleared")

ALPHABETS = {
    "digits": "0123456789",
    "unambiguous": "23456789ABCDEFGHJKLMNPQRSTUVWXYZ",
    "full": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
}


@dataclass(frozen=True)
class Barcode:
    """One symbol: `format` is EAN13, UPCA, Code128 or QRCode, `text` exactly what a reader gives."""

    format: str
    text: str


@dataclass(frozen=True)
class CardContent:
    """The truth about one card. Number and PIN stay out of its repr."""

    number: str = field(repr=False)
    pin: str = field(repr=False)
    number_groups: tuple[int, ...]
    pin_groups: tuple[int, ...]
    barcodes: tuple[Barcode, ...] = field(repr=False)
    gtin: str | None
    face_value_yuan: int | None
    expiry: date | None
    pin_alphabet: str


def draw_value(rng: np.random.Generator, pattern: FieldPattern) -> str:
    """A random value that matches `pattern`, its check digit included (Luhn and GS1; others by trying)."""
    length = pick(rng, pattern.lengths)
    body = "".join(pick(rng, place) for place in (pattern.places or (pattern.alphabet,) * length))
    if pattern.check is CheckDigit.LUHN:
        return body[:-1] + str(luhn.calc_check_digit(body[:-1]))
    if pattern.check is CheckDigit.GS1:
        return body[:-1] + str(ean.calc_check_digit(body[:-1].zfill(13)))
    if pattern.check is CheckDigit.ISO7064_MOD97_10:
        return body[:-2] + str(mod_97_10.calc_check_digits(body[:-2]))
    if pattern.check is CheckDigit.NONE:
        return body
    return next((body[:-1] + glyph for glyph in pattern.alphabet if pattern.check_holds(body[:-1] + glyph)), body)


def grouped(value: str, groups: tuple[int, ...], separator: str = " ") -> str:
    """`value` cut into groups of the given sizes; unchanged when the sizes do not add up to its length."""
    if sum(groups) != len(value):
        return value
    ends = np.cumsum(groups).tolist()
    return separator.join(value[end - size : end] for size, end in zip(groups, ends, strict=True))


def random_gtin(rng: np.random.Generator, digits: int) -> str:
    """A GTIN of 12 (UPC-A) or 13 (EAN-13, prefix 69) digits with a valid check digit."""
    prefix = "69" if digits == 13 else "0"
    body = prefix + "".join(str(rng.integers(10)) for _ in range(digits - 1 - len(prefix)))
    return body + str(ean.calc_check_digit(body.zfill(12)))


def random_expiry(rng: np.random.Generator) -> date:
    """A day between 2027 and 2030."""
    return date(2027, 1, 1) + timedelta(days=int(rng.integers(4 * 365)))


def retail_barcode(gtin14: str) -> Barcode:
    """The symbol a shop prints for a GTIN-14: UPC-A when it begins with 00, else EAN-13."""
    return Barcode("UPCA", gtin14[2:]) if gtin14.startswith("00") else Barcode("EAN13", gtin14[1:])
