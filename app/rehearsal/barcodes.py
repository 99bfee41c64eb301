"""Barcodes on a card: the symbol's modules from zxing-cpp's writer, drawn as a printed plate with a quiet zone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import zxingcpp

from app.rehearsal.content import Barcode
from app.rehearsal.lettering import lay_ink, plain_text

Pixels = npt.NDArray[Any]

_FORMATS = {
    "EAN13": zxingcpp.BarcodeFormat.EAN13,
    "UPCA": zxingcpp.BarcodeFormat.UPCA,
    "Code128": zxingcpp.BarcodeFormat.Code128,
    "QRCode": zxingcpp.BarcodeFormat.QRCode,
}
_QUIET = {"EAN13": 10, "UPCA": 10, "Code128": 11, "QRCode": 3}
"""Quiet zone on each side in modules (GS1 General Specifications 5.2 and 5.4; QR cards often print fewer than four)."""


@lru_cache(maxsize=256)
def modules(format_name: str, text: str) -> Pixels:
    """The symbol as uint8, 0 = bar, 255 = space, quiet zone included: 1xN for linear codes, NxN for QR."""
    code = zxingcpp.create_barcode(text, _FORMATS[format_name])
    image = np.array(zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False))
    quiet = _QUIET[format_name]
    if format_name == "QRCode":
        return np.pad(image, quiet, constant_values=255)
    return np.pad(image[image.shape[0] // 2 : image.shape[0] // 2 + 1], ((0, 0), (quiet, quiet)), constant_values=255)


def lay_barcode(card: Pixels, code: Barcode, box: tuple[int, int, int, int], plate: tuple[int, int, int]) -> None:
    """Prints `code` into (x, y, w, h) pixels of the card on a plate of BGR colour `plate`, with its digits below."""
    x, y, width, height = box
    card[y : y + height, x : x + width] = plate
    if code.format == "QRCode":
        side = min(width, height)
        _blend(card, modules(code.format, code.text), (x, y, side, side))
        return
    _blend(card, modules(code.format, code.text), (x, y + round(height * 0.07), width, round(height * 0.66)))
    _lay_digits(card, code.text, (x, y + round(height * 0.79), width, round(height * 0.2)))


def _blend(card: Pixels, symbol: Pixels, box: tuple[int, int, int, int]) -> None:
    """Darkens the plate where bars are; area sampling keeps bar edges true to a fraction of a pixel."""
    x, y, width, height = box
    zoom = 8
    fine = np.repeat(symbol, zoom, axis=1)
    fine = np.repeat(fine, zoom, axis=0) if symbol.shape[0] > 1 else fine
    rows = height if symbol.shape[0] > 1 else 1
    light = cv2.resize(fine, (width, rows), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    view = card[y : y + height, x : x + width]
    view[...] = 16 + (view - 16) * light


def _lay_digits(card: Pixels, text: str, box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    line = plain_text(text, "mono-regular", height)
    if line.size[0] > width:
        line = plain_text(text, "mono-regular", height * width / line.size[0])
    lay_ink(card, line, (x + (width - line.size[0]) // 2, y), (20, 20, 20))
