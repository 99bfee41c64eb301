"""The symbols of a rectified card: who reads them in which order, and where linear ones stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from app.vision.picture.area import Area
from app.vision.picture.pixels import Corners, Gray
from app.vision.picture.rectify import PX_PER_MM, to_card, to_frame
from app.vision.symbols.barcode import Hit, as_gtin, blur_along, gtin, read_zbar, read_zxing
from app.vision.symbols.bars import look_for_bars
from app.vision.symbols.stripes import Strip


@dataclass(frozen=True, slots=True, repr=False)
class CardCodes:
    """The symbols of a card; `bars`: where linear ones stand on it, as decoded, and stripes that look like bars."""

    hits: tuple[Hit, ...]
    bars: tuple[Area, ...]
    faint: tuple[Hit, ...]  # product codes that bars fit best: no readings, but print may confirm one

    def with_print(self, printed: frozenset[str]) -> tuple[Hit, ...]:
        """The symbols, with those that only print makes sure. `printed`: GTINs as the digits below bars give them."""
        return (*self.hits, *(h for h in self.faint if as_gtin(h) in printed))


def symbol_places(codes: CardCodes, corners: Corners) -> tuple[Area, ...]:
    """Where linear symbols stand on the rectified card, those too that only the frame shows: bars that lie on it are
    not looked for there.
    """
    raw = (hit for hit in codes.hits if not _is_on_card(hit) and hit.format != "QR")
    return (*codes.bars, *(_bounds(to_card(corners, hit.corners)) for hit in raw))


def upside_down(codes: CardCodes, card: tuple[int, int]) -> CardCodes:
    """The same symbols on a rectified card of this width and height that is turned by half."""
    far = np.array(card, np.float32)
    hits = (replace(hit, corners=far - hit.corners) if _is_on_card(hit) else hit for hit in codes.hits)
    return CardCodes(tuple(hits), tuple(bar.turned(2, card) for bar in codes.bars), codes.faint)


def read_card_codes(raw: Gray, card: Gray, corners: Corners, thorough: bool = True) -> CardCodes:
    """Symbols on the frame and on the rectified card; slower readers are asked when zxing's readings do not suffice.

    `corners`: the card's in the frame. `thorough`: also read bars by their whole profile (a tenth to half a second)
    when there are any nobody could read.
    """
    regions, faint = bar_regions(card), list[Hit]()
    hits = read_zxing(card, "card", upright=True)
    hits += _read_frame(raw, corners, hits, bool(_unread(hits, regions)))
    if gtin(hits) is None:
        hits += read_zxing(blur_along(card), "card-soft")
    if gtin(hits) is None:
        hits += _read_bands(card, regions)
    else:
        hits += [hit for region in _unread(hits, regions) for hit in _read_sharpened(card, region)]
    if thorough and (gtin(hits) is None or _unread(hits, regions)):
        known = hits if gtin(hits) is not None else [h for h in hits if h.format == "CODE128"]
        found, faint = look_for_bars(card, "card", known, _may_be_symbol, _LONGEST_MM * PX_PER_MM)
        hits += found
    on_card = [_bounds(h.corners) for h in hits if _is_on_card(h) and h.format != "QR"]
    return CardCodes(tuple(hits), (*on_card, *_unread(hits, regions)), tuple(faint))


_LEAST_ACROSS_MM, _MOST_ALONG = 16.0, 0.9
_LONGEST_MM = 45.0  # an EAN-13 at six fifths of its size: what is longer is two symbols beside each other


def _may_be_symbol(strip: Strip) -> bool:
    """Whether bars are as wide as the smallest symbols (an EAN-8 at four fifths of its size), and wider than long."""
    return strip.across >= _LEAST_ACROSS_MM * PX_PER_MM and strip.along <= _MOST_ALONG * strip.across


_AROUND = 0.25  # of a symbol's size, that is looked at around it
_BESIDE = 0.08  # of the width of a stretch of bars, beside it: its blank rim
_SHARPER = 3.0  # pixels: a narrow bar of a symbol that fills a third of the card is two to four wide
_ABOVE = 0.1  # of the size of a stretch of bars, that is looked at above and below it


def _read_frame(raw: Gray, corners: Corners, hits: Sequence[Hit], more: bool) -> list[Hit]:
    """The symbols as the frame shows them: around each that was read on the card, or all over where `more` are to be
    found or one is not there. A small piece is read in a seventh of the time, and better: some symbols are lost in the
    whole frame.
    """
    found = [again for hit in hits for again in _read_again(raw, to_frame(corners, hit.corners), hit)]
    if more or not hits or len({h.text for h in found}) < len({h.text for h in hits}):
        found += read_zxing(raw, "raw")
    return [hit for hit in found if _lies_on(hit, corners)]


def _lies_on(hit: Hit, corners: Corners) -> bool:
    """Whether a symbol of the frame is the card's: a waybill or another card beside it would give it a product or a
    number that it has not.
    """
    x, y = hit.corners.mean(axis=0)
    return cv2.pointPolygonTest(corners.astype(np.float32), (float(x), float(y)), False) >= 0


def _read_again(raw: Gray, place: Corners, hit: Hit) -> list[Hit]:
    """What was read on the card as the frame shows it at a place; nothing else, since a neighbour may be cut off."""
    low, high = place.min(axis=0), place.max(axis=0)
    margin = _AROUND * float((high - low).max())
    x, y = (max(0, int(v)) for v in low - margin)
    right, bottom = (max(0, int(v)) for v in high + margin)
    if x >= min(right, raw.shape[1]) or y >= min(bottom, raw.shape[0]):
        return []
    piece = [h for h in read_zxing(raw[y:bottom, x:right], "raw") if (h.format, h.text) == (hit.format, hit.text)]
    return [replace(h, corners=h.corners + np.array([x, y], np.float32)) for h in piece]


def _read_sharpened(card: Gray, region: Area) -> list[Hit]:
    """What zxing reads in a stretch of bars, its noise averaged along them and its steps across them sharpened: narrow
    bars of a small picture. It is the card read blurred, once more.
    """
    left, top = (max(0, int(v)) for v in (region.x - _BESIDE * region.w, region.y - _AROUND * region.h))
    right, bottom = int(region.right + _BESIDE * region.w), int(region.bottom + _AROUND * region.h)
    soft = blur_along(card[top:bottom, left:right])
    sharp = cv2.addWeighted(soft, 2.0, cv2.GaussianBlur(soft, (0, 0), _SHARPER), -1.0, 0)
    at = np.array([left, top], np.float32)
    return [replace(hit, corners=hit.corners + at) for hit in read_zxing(np.asarray(sharp, np.uint8), "card-soft")]


def _read_bands(card: Gray, regions: Sequence[Area]) -> list[Hit]:
    """What zbar reads in the rows of the card in which bars stand: a third of the time of the whole card. Not in less
    of them: of a neighbour that is cut it reads something else.
    """
    rows = np.zeros(len(card), np.uint8)
    for region in regions:
        margin = _ABOVE * max(region.w, region.h)
        rows[max(0, int(region.y - margin)) : max(0, int(region.bottom + margin))] = 1
    ends = np.flatnonzero(np.diff(rows, prepend=0, append=0))
    found = []
    for top, bottom in zip(ends[::2], ends[1::2], strict=True):
        down = np.array([0, top], np.float32)
        found += [replace(h, corners=h.corners + down) for h in read_zbar(card[top:bottom], "card")]
    return found


def _unread(hits: Sequence[Hit], regions: Sequence[Area]) -> list[Area]:
    """Stretches of upright bars on the card where no symbol was read."""
    known = [_bounds(h.corners) for h in hits if _is_on_card(h)]
    return [r for r in regions if not any(r.share_of(a) > 0.4 for a in known)]


def _is_on_card(hit: Hit) -> bool:
    return hit.source.split()[1].startswith("card")


def _bounds(corners: Corners) -> Area:
    x, y = corners.min(axis=0)
    right, bottom = corners.max(axis=0)
    return Area(float(x), float(y), float(right - x), float(bottom - y))


def bar_regions(card: Gray) -> tuple[Area, ...]:
    """Stretches of upright bars: strong steps sideways, hardly any up or down, at least 12 mm wide and 4 mm high."""
    small = cv2.resize(card, (card.shape[1] // 4, card.shape[0] // 4), interpolation=cv2.INTER_AREA)
    smooth = cv2.blur(small, (1, 7))
    dx = cv2.convertScaleAbs(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3))
    dy = cv2.convertScaleAbs(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3))
    busy = cv2.blur(cv2.subtract(dx, cv2.convertScaleAbs(dy, alpha=1.5)), (9, 5))
    mask = cv2.morphologyEx((busy > 45).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 11), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((9, 21), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [Area(*(4.0 * v for v in cv2.boundingRect(c))) for c in contours]
    return tuple(b for b in boxes if b.w > 12 * PX_PER_MM and b.h > 4 * PX_PER_MM)
