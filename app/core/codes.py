"""What a scanned code is, told by its content: the step then decides whether it fits."""

from __future__ import annotations

import re
from enum import StrEnum

from app.core.products import normalise_gtin


class CodeKind(StrEnum):
    """The kinds of code that a scanner meets here."""

    WAYBILL = "waybill"
    BADGE = "badge"
    GTIN = "gtin"
    OTHER = "other"


_BADGE = re.compile(r"CIB-[0-9A-Z]{4,20}")
_WAYBILL = re.compile(r"[A-Z]{2,4}[0-9]{9,15}|[0-9]{15}")
"""Carriers' letters (SF, JD, YT, ZTO …) and 9-15 digits, or 15 bare digits: longer than any GTIN."""


def kind_of(text: str) -> CodeKind:
    """Tell a scanned text's kind; spaces and case are of no account."""
    code = tidy(text)
    if _BADGE.fullmatch(code):
        return CodeKind.BADGE
    if normalise_gtin(code):
        return CodeKind.GTIN
    if _WAYBILL.fullmatch(code):
        return CodeKind.WAYBILL
    return CodeKind.OTHER


def tidy(text: str) -> str:
    """A code as it is stored: upper case, no spaces."""
    return "".join(text.split()).upper()
