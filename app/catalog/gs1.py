"""GS1 element strings and Digital Links in full: product, batch, dates, serial number and what else they carry.

`app.core.codes` finds the product in them; this reads the rest, by the tables of the package biip (GS1 General
Specifications; GS1 Digital Link URI syntax). Nothing is looked up anywhere: a link is read as text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from biip import ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message

from app.core.codes import GS

_MOST_CHARS = 512  # a QR code holds more, a product's identification never does


@dataclass(frozen=True, slots=True)
class Gs1:
    """What GS1 data says. `gtin` 14 digits (AI 01); `batch` AI 10; `expiry` AI 17; `serial` AI 21; `others` by AI.

    The serial number of a gift card may be its number: none of it is shown by `repr`.
    """

    gtin: str | None
    batch: str | None = field(default=None, repr=False)
    expiry: date | None = None
    serial: str | None = field(default=None, repr=False)
    others: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def read_gs1(text: str) -> Gs1 | None:
    """The content of an element string (with or without symbology identifier, FNC1 as GS, or brackets) or a Digital
    Link; None for what is neither.
    """
    content = _without_identifier(text.strip())
    if not 0 < len(content) <= _MOST_CHARS or not content.isascii():
        return None
    try:
        if content.lower().startswith(("http://", "https://")):
            return _gathered(GS1DigitalLinkURI.parse(content).element_strings)
        if content.startswith("("):
            return _gathered(GS1Message.parse_hri(content).element_strings)
        return _gathered(GS1Message.parse(content.lstrip(GS)).element_strings)
    except (ParseError, ValueError):
        return None


def _without_identifier(text: str) -> str:
    return text[3:] if text.startswith("]") else text


def _gathered(elements: Iterable[GS1ElementString]) -> Gs1 | None:
    found = {element.ai.ai: element for element in elements}
    if not found or ("01" in found and found["01"].gtin is None):
        return None  # a wrong check digit
    gtin, expiry = found.pop("01", None), found.pop("17", None)
    batch, serial = found.pop("10", None), found.pop("21", None)
    return Gs1(
        gtin=None if gtin is None or gtin.gtin is None else gtin.gtin.as_gtin_14(),
        batch=None if batch is None else batch.value,
        expiry=None if expiry is None else expiry.date,
        serial=None if serial is None else serial.value,
        others=tuple((ai, element.value) for ai, element in found.items()),
    )
