"""Barcodes: zxing-cpp reads, zbar reads a second time; a GTIN counts only when two readings agree.

Four kinds of symbol are switched on (EAN/UPC, Code 128, QR): all kinds together are five times slower and invent codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp
from pyzbar import pyzbar

from app.core.cards import Barcode
from app.core.codes import GS, expand_upce, gtin_in, symbology_of
from app.vision.picture.pixels import Corners, Gray, smaller

_FORMATS = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.EAN13,
        zxingcpp.BarcodeFormat.EAN8,
        zxingcpp.BarcodeFormat.UPCA,
        zxingcpp.BarcodeFormat.UPCE,
        zxingcpp.BarcodeFormat.Code128,
        zxingcpp.BarcodeFormat.QRCode,
    ]
)
_ZXING_NAMES = {"EAN13": "EAN13", "EAN8": "EAN8", "UPCA": "UPCA", "UPCE": "UPCE", "Code128": "CODE128", "QRCode": "QR"}
_ZBAR_NAMES = {"EAN13": "EAN13", "EAN8": "EAN8", "UPCA": "UPCA", "UPCE": "UPCE", "CODE128": "CODE128", "QRCODE": "QR"}
_ZBAR_KINDS = [pyzbar.ZBarSymbol[name] for name in ("EAN13", "EAN8", "UPCA", "UPCE", "CODE128", "QRCODE")]
ZBAR_MAX_W = 1280
_LEAD = 3  # times as many readings as any other GTIN on the card (a misread repeats over frames)


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """One decoded symbol: `source` names the reader and the picture it read, `corners` (4, 2) its place in it.

    `gs1`: FNC1 stands in front, which is no part of the text.
    """

    format: str
    text: str
    source: str
    corners: Corners
    gs1: bool = False


def read_zxing(picture: Gray, view: str, upright: bool = False) -> list[Hit]:
    """Symbols zxing-cpp finds in a grey picture. `upright`: only dark bars that stand upright, for two thirds of it."""
    found = zxingcpp.read_barcodes(
        np.ascontiguousarray(picture),
        formats=_FORMATS,
        text_mode=zxingcpp.TextMode.Plain,
        try_rotate=not upright,
        try_invert=not upright,
    )
    return [_zxing_hit(code, view) for code in found if code.valid and code.text]


def read_zbar(picture: Gray, view: str) -> list[Hit]:
    """Symbols zbar finds in a grey picture. It is slow on large ones: they are made smaller."""
    scale = min(1.0, ZBAR_MAX_W / picture.shape[1])
    small = smaller(picture, scale)
    hits = []
    for code in pyzbar.decode(small, symbols=_ZBAR_KINDS):
        x, y, w, h = (v / scale for v in code.rect)
        corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)
        hits.append(hit_of(_ZBAR_NAMES[code.type], code.data.decode("utf-8", "replace"), f"zbar {view}", corners))
    return hits


def blur_along(picture: Gray, rows: int = 9) -> Gray:
    """The picture averaged along upright bars, which takes the noise and leaves the bars."""
    return np.asarray(cv2.blur(picture, (1, rows)), np.uint8)


def gtin(hits: Iterable[Hit], confirmed: frozenset[str] = frozenset()) -> str | None:
    """The GTIN as 14 digits, when two readings of different sources agree on it; None when none or several do.

    `confirmed` are GTINs that another kind of reading (the printed digits) gave. Where they name others, one reader of
    one picture is no proof, though it read that picture blurred as well; nor are both halves of the bars by their whole
    profile where an edge reader names another. What a reader reads in two ways at one place, it has not read. A
    reader of a UPC-E counts once, however often it reads it: it finds one in the same part of an EAN-13 each time.
    """
    every, sources = list(hits), dict[str, set[str]]()
    read = [hit for hit in every if not any(_contradicts(hit, other) for other in every)]
    for hit in settled(read):
        digits = as_gtin(hit)
        if digits is not None:
            sources.setdefault(digits, set()).add(hit.source.split()[0] if hit.format == "UPCE" else hit.source)
    counts = {g: len(seen) + 2 * (g in confirmed) for g, seen in sources.items()}
    agreed = sorted((n for n in counts.values()), reverse=True)
    if not agreed or agreed[0] < 2 or (len(agreed) > 1 and agreed[0] < _LEAD * agreed[1]):
        return None
    best = max(counts, key=lambda g: counts[g])
    if best in confirmed:
        return best
    alone = len({source.replace("-soft", "") for source in sources[best]}) < 2
    by_profile = all(source.startswith("bars") for source in sources[best])
    contested = by_profile and any(as_gtin(hit) not in (None, best) for hit in read)
    return None if contested or (alone and confirmed) else best


def as_gtin(hit: Hit) -> str | None:
    """The GTIN that a symbol names: retail digits, or GS1 data in Code 128 and QR; None for a card's number."""
    text = expand_upce(hit.text) if hit.format == "UPCE" else hit.text
    return gtin_in(f"]C1{text}" if hit.gs1 else text, symbology_of(hit.format))


def agreed_texts(hits: Iterable[Hit]) -> tuple[str, ...]:
    """The texts of Code 128 and QR codes that two readings agree on; a QR code corrects itself, once is enough."""
    sources: dict[str, set[str]] = {}
    for hit in settled(hits):
        if hit.format in ("CODE128", "QR"):
            sources.setdefault(hit.text, set()).update({hit.source, *(("self",) if hit.format == "QR" else ())})
    return tuple(text for text, seen in sources.items() if len(seen) > 1)


def settled(hits: Iterable[Hit]) -> list[Hit]:
    """The hits without those that read another text at a place where a better reader was: whole-profile reading over
    edges for linear symbols, zxing-cpp over zbar for Code 128 and QR (zbar guesses the encoding of their text).
    """
    kept = list(hits)
    winners = [h for h in kept if h.source.startswith("bars")]
    rivals = [h for h in kept if h.source.startswith("zxing") and h.format in ("CODE128", "QR")]
    return [
        h
        for h in kept
        if not any(_is_rival(h, w) for w in winners)
        and not (h.source.startswith("zbar") and any(_is_rival(h, r) for r in rivals))
    ]


def _is_rival(hit: Hit, winner: Hit) -> bool:
    """Whether two hits read one symbol of one picture differently."""
    if hit.text == winner.text or hit.source.startswith("bars") or _picture_of(hit) != _picture_of(winner):
        return False
    return same_place(hit.corners, winner.corners)


def _contradicts(hit: Hit, other: Hit) -> bool:
    """Whether one reader read one symbol of one picture as two products."""
    products = as_gtin(hit), as_gtin(other)
    differ = None not in products and products[0] != products[1]
    return differ and hit.source == other.source and same_place(hit.corners, other.corners)


def _picture_of(hit: Hit) -> str:
    """In which picture its corners are; the card blurred along the bars is the card, pixel by pixel."""
    return hit.source.split()[1].removesuffix("-soft")


def same_place(one: Corners, other: Corners) -> bool:
    """Whether two outlines lie on one symbol: their middles are close, measured by the larger one."""
    size = max(float(np.ptp(c, axis=0).max()) for c in (one, other))
    return float(np.linalg.norm(one.mean(axis=0) - other.mean(axis=0))) <= 0.3 * size


def distinct(hits: Iterable[Hit]) -> tuple[Barcode, ...]:
    """Every symbol once, in the order first seen, without what a reader has made of a part of another symbol: of linear
    bars that were read in two ways only the text that more readings have counts, and of a UPC-E beside an agreed GTIN
    one reading is none (six digits with a check digit are found in many an EAN-13).
    """
    kept, sources = settled(hits), dict[str, set[str]]()
    for hit in kept:
        sources.setdefault(hit.text, set()).add(hit.source)
    product = gtin(kept)

    def is_part(hit: Hit) -> bool:
        if hit.format == "UPCE" and len(sources[hit.text]) == 1 and product not in (None, as_gtin(hit)):
            return True
        more = (h for h in kept if len(sources[h.text]) > len(sources[hit.text]))
        return hit.format != "QR" and any(_is_rival(hit, h) for h in more)

    told = dict.fromkeys((h.format, h.text) for h in kept if not is_part(h))
    return tuple(Barcode(format, text) for format, text in told)


def _zxing_hit(code: zxingcpp.Barcode, view: str) -> Hit:
    p = code.position
    corners = np.array([[c.x, c.y] for c in (p.top_left, p.top_right, p.bottom_right, p.bottom_left)], np.float32)
    name = _ZXING_NAMES.get(code.format.name, code.format.name.upper())
    return hit_of(name, code.text, f"zxing {view}", corners)


def hit_of(name: str, text: str, source: str, corners: Corners) -> Hit:
    """A symbol as every reader reports it: an EAN-13 that begins with a zero is the same symbol as a UPC-A and is given
    the shorter name; FNC1 in front becomes a mark.
    """
    if name == "EAN13" and len(text) == 13 and text[0] == "0":
        return Hit("UPCA", text[1:], source, corners)
    if name == "UPCA" and len(text) == 13:
        return Hit("UPCA", text[1:], source, corners)
    content = text.lstrip(GS)
    return Hit(name, content, source, corners, gs1=name == "CODE128" and content != text)
