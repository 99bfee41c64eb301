"""Cards on a scanned sheet: where each of them lies. A scanner's scale is known, so a card is told by its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from app.vision.card.locate import Found, Located, refine
from app.vision.picture.pixels import CARD_H_MM, CARD_W_MM, Colour, Corners, Floats, Gray

_WORK_DPI = 75.0
_SIZE_PLAY = 0.07
_ALONE_PLAY = 0.04
"""How far a card's sides may be from ID-1; a picture of one card alone is less likely to be cut well."""

_STEP = 9.0
_LEAST_PART, _LEAST_SEEN = 0.55, 0.1
_MARGIN_MM = 3.0
_LEAST_MM2 = 300.0
MM_PER_INCH = 25.4


@dataclass(frozen=True, slots=True)
class SheetCards:
    """Cards found on a sheet, top to bottom, left to right; `unclear`: things of about a card's size that are none
    (cards that overlap or lie over the edge)."""

    cards: tuple[Located, ...]
    unclear: int


def cut_sheet(picture: Colour, dpi: float) -> SheetCards:
    """Where the cards lie on a scan of `dpi` dots per inch."""
    if _is_one_card(picture, dpi):
        return SheetCards((Located(Found.ONE, _upright(_frame(picture)), 1.0),), 0)
    scale = min(1.0, _WORK_DPI / dpi)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mm = dpi * scale / MM_PER_INCH
    found: list[Located] = []
    unclear = 0
    things = _things(np.asarray(small, np.uint8), mm)
    for contour in things.outlines:
        box = cv2.minAreaRect(contour)
        if box[1][0] * box[1][1] < _LEAST_MM2 * mm * mm:
            continue
        long, short = max(box[1]) / mm, min(box[1]) / mm
        corners = _upright(np.asarray(cv2.boxPoints(box), np.float32))
        if _near(long, CARD_W_MM) and _LEAST_PART * CARD_H_MM < short < (1 - _SIZE_PLAY) * CARD_H_MM:
            corners = _completed(corners, things.mask, mm)
        if _is_card(corners, mm):
            found.append(Located(Found.ONE, refine(picture, corners / np.float32(scale)), 1.0))
        elif long > 0.6 * CARD_W_MM and short > 0.6 * CARD_H_MM:
            unclear += 1
    row_mm = CARD_H_MM / 2 * dpi / MM_PER_INCH
    return SheetCards(tuple(sorted(found, key=lambda card: _reading_order(card, row_mm))), unclear)


def alone(picture: Colour, card: Located, dpi: float) -> tuple[Colour, Located, Floats]:
    """One card cut out of its sheet, where it lies there, and where the cut lies on the sheet.

    Nothing of its neighbours stays in the picture: a barcode beside it would give it another card's product.
    """
    assert card.corners is not None
    margin = round(_MARGIN_MM * dpi / MM_PER_INCH)
    height, width = picture.shape[:2]
    low = np.floor(card.corners.min(axis=0)).astype(int) - margin
    high = np.ceil(card.corners.max(axis=0)).astype(int) + margin
    x, y = (int(v) for v in np.maximum(low, 0))
    right, bottom = min(int(high[0]), width), min(int(high[1]), height)
    cut = picture[y:bottom, x:right].copy()
    offset = np.array([x, y], np.float32)
    corners = card.corners - offset
    middle = corners.mean(axis=0)
    long = float(np.linalg.norm(corners[1] - corners[0]))
    grown = middle + (corners - middle) * (1 + 2 * margin / 3 / long)
    inside = np.zeros(cut.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(grown).astype(np.int32), 255)
    cut[inside == 0] = np.median(picture[:margin].reshape(-1, 3), axis=0).astype(np.uint8)
    return cut, Located(card.found, np.ascontiguousarray(corners, np.float32), card.support), offset


def _is_card(corners: Corners, mm: float) -> bool:
    long, short = (float(np.linalg.norm(corners[i + 1] - corners[i])) / mm for i in (0, 1))
    return _near(long, CARD_W_MM) and _near(short, CARD_H_MM)


def _completed(corners: Corners, mask: Gray, mm: float) -> Corners:
    """A card of which a black stripe on a black lid left one part only: grown to its height on the side where more of
    it is seen; unchanged when nothing is."""
    down = corners[3] - corners[0]
    missing = CARD_H_MM * mm / float(np.linalg.norm(down)) - 1
    step = (down * missing).astype(np.float32)
    above = np.array([corners[0] - step, corners[1] - step, corners[1], corners[0]], np.float32)
    below = np.array([corners[3], corners[2], corners[2] + step, corners[3] + step], np.float32)
    seen = [_share(region, mask) for region in (above, below)]
    if max(seen) < _LEAST_SEEN:
        return corners
    if seen[0] > seen[1]:
        return np.array([above[0], above[1], corners[2], corners[3]], np.float32)
    return np.array([corners[0], corners[1], below[2], below[3]], np.float32)


def _share(region: Corners, mask: Gray) -> float:
    """The share of a region in which something lies."""
    inside = np.zeros_like(mask)
    cv2.fillConvexPoly(inside, np.round(region).astype(np.int32), 1)
    return float((inside & mask).sum()) / max(1.0, float(inside.sum()))


@dataclass(frozen=True, slots=True)
class _Things:
    """What lies on a sheet: outlines of what is solid, and every pixel that is not the lid (1, else 0)."""

    outlines: tuple[cv2.typing.MatLike, ...]
    mask: Gray


def _things(small: Colour, mm: float) -> _Things:
    """Outlines of what is not the scanner's lid: another colour than the border, or edges where colours are alike."""
    lab = cast(Gray, cv2.cvtColor(small, cv2.COLOR_BGR2LAB)).astype(np.float32)
    edge = max(2, round(1.5 * mm))
    border = np.concatenate([lab[:edge].reshape(-1, 3), lab[-edge:].reshape(-1, 3), lab[:, :edge].reshape(-1, 3)])
    away = np.linalg.norm(lab - np.median(border, axis=0), axis=2)
    lines = cv2.Canny(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), 12, 36)
    mask = ((away > _STEP) | (lines > 0)).astype(np.uint8)
    reach = max(3, round(2.0 * mm) | 1)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros_like(closed)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    # Hairs and dust join two cards by a thread: what is thinner than 3 mm is no part of a card.
    thread = max(3, round(3.0 * mm) | 1)
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, np.ones((thread, thread), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return _Things(tuple(outlines), cast(Gray, mask))


def _near(value_mm: float, wanted_mm: float) -> bool:
    return abs(value_mm - wanted_mm) < _SIZE_PLAY * wanted_mm


def _is_one_card(picture: Colour, dpi: float) -> bool:
    """Whether the scan is one card cut out by the scanner itself."""
    height, width = (side / dpi * MM_PER_INCH for side in picture.shape[:2])
    long, short = max(width, height), min(width, height)
    return bool(abs(long / CARD_W_MM - 1) < _ALONE_PLAY and abs(short / CARD_H_MM - 1) < _ALONE_PLAY)


def _frame(picture: Colour) -> Corners:
    height, width = picture.shape[:2]
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)


def _upright(corners: Corners) -> Corners:
    """Corners clockwise, the first side a long one, beginning nearest to the top left."""
    middle = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0])
    ring = corners[np.argsort(angles)]
    if np.linalg.norm(ring[1] - ring[0]) < np.linalg.norm(ring[2] - ring[1]):
        ring = np.roll(ring, -1, axis=0)
    return np.ascontiguousarray(ring, np.float32)


def _reading_order(card: Located, row: float) -> tuple[int, float]:
    assert card.corners is not None
    x, y = card.corners.mean(axis=0)
    return int(y / row / 2), float(x)
