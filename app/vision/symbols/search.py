"""Symbols in a picture without a card: quick readers first, slower ones only while nothing certain was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import cv2
import numpy as np

from app.vision.picture.pixels import Gray
from app.vision.symbols.barcode import Hit, gtin, read_zbar, read_zxing
from app.vision.symbols.bars import read_bars

_SMALL, _LARGE = 700, 320  # longer sides below which a picture is also read enlarged, above which also made smaller


def search_codes(picture: Gray) -> list[Hit]:
    """Every symbol in a grey picture. A lone photograph of a symbol takes 10 to 80 ms, an unreadable one a second."""
    hits = read_zxing(picture, "raw") + read_zbar(picture, "raw")
    if gtin(hits) is None and not any(h.format == "QR" for h in hits):
        hits += read_bars(picture, "raw")
    if hits:
        return hits
    return next((found for name, other in _changed(picture) if (found := read_zxing(other, name))), [])


def _changed(picture: Gray) -> Iterator[tuple[str, Gray]]:
    """The picture changed in the ways that make faint, small or half-toned symbols readable."""
    if max(picture.shape) < _SMALL:
        yield "doubled", cast(Gray, cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    soft = cv2.GaussianBlur(picture, (0, 0), 2.5)
    yield "sharpened", cast(Gray, cv2.addWeighted(picture, 2.4, soft, -1.4, 0))
    yield "evened", cast(Gray, cv2.createCLAHE(4.0, (6, 6)).apply(picture))
    if max(picture.shape) > _LARGE:
        yield "halved", cast(Gray, cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    yield "softened", cast(Gray, cv2.GaussianBlur(picture, (0, 0), 1.2))
    local = cv2.adaptiveThreshold(picture, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 41, 4)
    yield "binary", cast(Gray, np.asarray(local, np.uint8))
