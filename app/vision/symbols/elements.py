"""What symbols say beside the product: date, batch and serial number of GS1 data; codes that hold for a short time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from app.catalog.gs1 import Gs1, read_gs1
from app.core.codes import CodeKind, kind_of, symbology_of, tidy
from app.vision.symbols.barcode import Hit, agreed_texts, as_gtin, settled

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stated:
    """GS1 data about a card, as far as all symbols that two readings agree on say the same (a QR code needs one)."""

    expiry: date | None = None
    batch: str | None = None
    serial: str | None = field(default=None, repr=False)


def stated(hits: Sequence[Hit], code: str | None) -> Stated:
    """What GS1 symbols say of the product `code` (14 digits); of any one product where None is known."""
    agreed = set(agreed_texts(hits))
    about = {hit.text: _about(hit, code) for hit in settled(hits) if hit.text in agreed}
    found = [one for one in about.values() if one is not None]
    if len({one.gtin for one in found}) > 1:
        return Stated()
    return Stated(_one(d.expiry for d in found), _one(d.batch for d in found), _one(d.serial for d in found))


def _about(hit: Hit, code: str | None) -> Gs1 | None:
    named = as_gtin(hit)
    if named is None or (code is not None and named != code):
        return None
    data = read_gs1(hit.text)
    return data if data is not None and data.gtin == named else None


def _one(values: Iterable[T | None]) -> T | None:
    found = {value for value in values if value is not None}
    return found.pop() if len(found) == 1 else None


def timed_texts(hits: Iterable[Hit]) -> frozenset[str]:
    """The codes, tidied, that end within minutes or days: payment codes of a phone, links with an end."""
    return frozenset(
        tidy(hit.text) for hit in settled(hits) if kind_of(hit.text, symbology_of(hit.format)) is CodeKind.TIMED
    )
