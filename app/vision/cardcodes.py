"""The symbols of a rectified card: who reads them in which order, and where linear ones stand."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from app.vision.barcode import Hit, blur_along, gtin, read_zbar, read_zxing
from app.vision.bars import read_bars
from app.vision.panel import Area
from app.vision.pixels import Corners, Gray
from app.vision.rectify import PX_PER_MM


def read_card_codes(raw: Gray, card: Gray, thorough: bool = True) -> tuple[Hit, ...]:
    """Symbols on the frame and on the rectified card; slower readers are asked when zxing's readings do not suffice.

    `thorough`: also read bars by their whole profile (a tenth to half a second) when there are any nobody could read.
    """
    hits = read_zxing(card, "card", upright=True) + read_zxing(raw, "raw")
    if gtin(hits) is None:
        hits += read_zxing(blur_along(card), "card-soft")
    if gtin(hits) is None:
        hits += read_zbar(card, "card")
    if thorough and (gtin(hits) is None or unread_regions(hits, card)):
        hits += read_bars(card, "card", hits if gtin(hits) is not None else [h for h in hits if h.format == "CODE128"])
    return tuple(hits)


def linear_areas(hits: Sequence[Hit], card: Gray) -> tuple[Area, ...]:
    """Where linear symbols stand on the card: as decoded, and as stripes that look like bars."""
    on_card = [h for h in hits if _is_on_card(h) and h.format != "QR"]
    return (*(_bounds(h.corners) for h in on_card), *unread_regions(hits, card))


def unread_regions(hits: Sequence[Hit], card: Gray) -> tuple[Area, ...]:
    """Stretches of upright bars on the card where no symbol was read."""
    known = [_bounds(h.corners) for h in hits if _is_on_card(h)]
    return tuple(r for r in bar_regions(card) if not any(r.share_of(a) > 0.4 for a in known))


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
