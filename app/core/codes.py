"""What a scanned code is, told by its symbology (where known) and its content: the step then decides whether it fits.

Formats of waybill numbers are those that a public source states; `docs/reading-barcodes.md` names the sources. A number
that fits nobody's published format is not guessed to be one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from app.core.products import normalise_gtin


class CodeKind(StrEnum):
    """The kinds of code that a scanner meets here."""

    WAYBILL = "waybill"
    BADGE = "badge"
    GTIN = "gtin"
    LINK = "link"
    TIMED = "timed"  # a code that ends within minutes or days: it must not be kept
    OTHER = "other"


class Symbology(StrEnum):
    """The family a symbol belongs to; "" where the scanner does not say."""

    UNKNOWN = ""
    RETAIL = "retail"  # EAN and UPC
    CODE128 = "code128"
    QR = "qr"
    OTHER = "other"


GS = "\x1d"
"""What FNC1 inside a symbol is transmitted as: the separator of GS1 element strings."""

_FORMATS = {
    **dict.fromkeys(("EAN13", "EAN8", "UPCA", "UPCE"), Symbology.RETAIL),
    "CODE128": Symbology.CODE128,
    "QR": Symbology.QR,
}
_AIM = re.compile(r"\]([A-Za-z])([0-9A-Za-z])")
"""Symbology identifier that a scanner may put in front of the data (ISO/IEC 15424)."""
_AIM_FAMILIES = {"E": Symbology.RETAIL, "C": Symbology.CODE128, "Q": Symbology.QR}

_BADGE = re.compile(r"CIB-[0-9A-Z]{4,20}")


@dataclass(frozen=True, slots=True)
class Carrier:
    """Who carries parcels under numbers of this form."""

    id: str
    name_zh: str
    name_en: str
    form: re.Pattern[str]


CARRIERS = (
    Carrier("sf", "顺丰", "SF Express", re.compile(r"SF[0-9A-Z][0-9]{12}")),
    Carrier("yto", "圆通", "YTO", re.compile(r"YT[0-9]{13}")),
    Carrier("zto", "中通", "ZTO", re.compile(r"7[34568][0-9]{12}")),
    Carrier("sto", "申通", "STO", re.compile(r"(?:77|43)[0-9]{12,13}")),
    Carrier("yunda", "韵达", "Yunda", re.compile(r"[34][0-9]{14}|5[0-9]{12}")),
    Carrier("jd", "京东", "JD", re.compile(r"JD[0-9A-Z]{2}[0-9]{11}(?:-[0-9]{1,3}-[0-9]{1,3}-?)?")),
    Carrier("ems", "中国邮政", "China Post", re.compile(r"[189][0-9]{12}|P[A-Z][0-9]{11}")),
    Carrier("jt", "极兔", "J&T", re.compile(r"JT[0-9]{13}")),
    Carrier("deppon", "德邦", "Deppon", re.compile(r"DPK[0-9]{12}")),
)
_S10 = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_ANY_WAYBILL = re.compile(r"[A-Z]{2,4}[0-9]{9,15}|[0-9]{15}")
"""A carrier nobody here knows: letters and 9-15 digits, or 15 bare digits, which is longer than any GTIN."""

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_TIMED_KEY = re.compile(
    r"[?&#](?:expires?|expiry|exp|expire_?(?:time|at|in)|expires_(?:at|in)|valid_?(?:until|to)|x-amz-expires|ttl"
    r"|otp|totp)=",
    re.IGNORECASE,
)
_PAYMENT = re.compile(r"1[0-5][0-9]{16}|(?:2[5-9]|30)[0-9]{14,22}")
"""Payment codes that a phone shows for a minute: WeChat Pay 18 digits (10-15 in front), Alipay 16-24 (25-30)."""
_NEXT_ELEMENT = re.compile(r"(?:1[01357]|21|22|24[0-3]|3[07]|39[0-4][0-9]|4[0-3][0-9]|8[0-2][0-9]{2}|9[0-9])[!-z]+")
"""What stands behind a product in an element string: another application identifier and its data."""
_DIGITAL_LINK_GTIN = re.compile(r"/01/([0-9]{8}|[0-9]{12,14})(?=[/?#]|$)")


def kind_of(text: str, symbology: Symbology = Symbology.UNKNOWN) -> CodeKind:
    """Tell a scanned text's kind; spaces, case and a symbology identifier in front are of no account.

    Bare digits with a GTIN's check digit are a GTIN in a retail symbol or one that nobody named, never in a Code 128
    or QR code. Digits of a phone's payment code are such only in a QR code: cards print numbers as long.
    """
    symbology, content = _unwrapped(text, symbology)
    code = tidy(content)
    if _BADGE.fullmatch(code):
        return CodeKind.BADGE
    if gtin_in(text, symbology) is not None:
        return CodeKind.GTIN
    if symbology is not Symbology.RETAIL and (carrier_of(code) or _is_s10(code) or _ANY_WAYBILL.fullmatch(code)):
        return CodeKind.WAYBILL
    if _LINK.match(content.strip()):
        return CodeKind.TIMED if _TIMED_KEY.search(content) else CodeKind.LINK
    if symbology is Symbology.QR and _PAYMENT.fullmatch(code):
        return CodeKind.TIMED
    return CodeKind.OTHER


def names_a_parcel(text: str, symbology: Symbology) -> bool:
    """Whether a code can only be a parcel's: a waybill with letters. Bare digits may as well be a card's number."""
    return kind_of(text, symbology) is CodeKind.WAYBILL and not tidy(text).isdigit()


def symbology_of(format: str) -> Symbology:
    """The family of a barcode format named EAN13 UPCA CODE128 QR …"""
    return _FORMATS.get(format, Symbology.OTHER)


def gtin_in(text: str, symbology: Symbology = Symbology.UNKNOWN) -> str | None:
    """The GTIN (14 digits) that a code names: bare retail digits, a GS1 element string or a GS1 Digital Link."""
    symbology, content = _unwrapped(text, symbology)
    link = _DIGITAL_LINK_GTIN.search(content) if _LINK.match(content.strip()) else None
    if link is not None:
        return normalise_gtin(link[1])
    code = tidy(content)
    is_retail = symbology is Symbology.RETAIL
    # Fourteen digits that a carrier prints too are no product's as long as nobody says which symbol they came from.
    if is_retail or (symbology is Symbology.UNKNOWN and not (len(code) == 14 and carrier_of(code))):
        bare = normalise_gtin(_expanded(code) if is_retail else code)
        if bare is not None:
            return bare
    return _element_gtin(text, content)


def _element_gtin(text: str, content: str) -> str | None:
    """The GTIN of application identifier 01 in front of an element string that shows itself to be one."""
    marked = _is_marked_gs1(text) or GS in content
    bare = content.strip().lstrip(GS)
    found = re.match(r"\(01\)([0-9]{14})|01([0-9]{14})", bare)
    if found is None or (found[1] is None and not marked and not _NEXT_ELEMENT.match(bare, 16)):
        return None  # 16 bare digits from 01 may as well be a card number
    return normalise_gtin(found[1] or found[2])


def _is_marked_gs1(text: str) -> bool:
    """Whether the scanner said that FNC1 stands in front: the mark of GS1 data."""
    return text.startswith(("]C1", "]Q3", "]d2", "]e0"))


def _unwrapped(text: str, symbology: Symbology) -> tuple[Symbology, str]:
    found = _AIM.match(text)
    if found is None:
        return symbology, text
    return _AIM_FAMILIES.get(found[1], Symbology.OTHER), text[3:]


def _expanded(code: str) -> str:
    """Eight digits of a retail symbol that are no GTIN-8: the twelve digits of a UPC-E."""
    return expand_upce(code) if len(code) == 8 and normalise_gtin(code) is None else code


def expand_upce(text: str) -> str:
    """The UPC-A digits of an eight-digit UPC-E (GS1 General Specifications 5.2.2.4.2); other texts unchanged."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()) or text[0] not in "01":
        return text
    system, d, check = text[0], text[1:7], text[7]
    last = d[5]
    if last in "012":
        body = d[:2] + last + "0000" + d[2:5]
    elif last == "3":
        body = d[:3] + "00000" + d[3:5]
    elif last == "4":
        body = d[:4] + "00000" + d[4]
    else:
        body = d[:5] + "0000" + last
    return system + body + check


def carrier_of(code: str) -> Carrier | None:
    """The one carrier whose published format a tidy code has; None when none or several have it."""
    found = [carrier for carrier in CARRIERS if carrier.form.fullmatch(code)]
    return found[0] if len(found) == 1 else None


def _is_s10(code: str) -> bool:
    """Whether a code is a postal item's identifier with its check digit (UPU S10)."""
    if not _S10.fullmatch(code):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_S10_WEIGHTS, code[2:10], strict=True))
    return {10: 0, 11: 5}.get(11 - total % 11, 11 - total % 11) == int(code[10])


def tidy(text: str) -> str:
    """A code as it is stored: upper case, no spaces."""
    return "".join(text.split()).upper()
