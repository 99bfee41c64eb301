"""Print of numbers and PINs: masks of ink with one box per character, and the ways ink or relief gets onto a card.

Styles: mono, sans, light, ocr, emboss, dot, thermal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from app.rehearsal.fonts import font
from app.rehearsal.glyphs import dot_rows, stroke_lines

Pixels = npt.NDArray[Any]

STYLES = ("mono", "sans", "light", "ocr", "emboss", "dot", "thermal")

FACE_OF_STYLE = {"mono": "mono-bold", "sans": "sans", "light": "mono-regular", "thermal": "mono"}
"""The face (see `fonts.FACES`) that each typeset style is printed in."""

_ADVANCE = {"ocr": 0.84, "emboss": 0.92, "dot": 0.86}
"""Advance per glyph in cap heights for the shapes we draw ourselves."""


@dataclass(frozen=True)
class Line:
    """One line of print. `mask` is float32 HxW, 0 = bare, 1 = full ink; `boxes` are (x0, x1) pixels per character."""

    mask: Pixels
    boxes: tuple[tuple[int, int], ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.mask.shape[1]), int(self.mask.shape[0])


def set_line(text: str, style: str, cap_px: float, max_px: float) -> Line:
    """Sets `text` with capitals `cap_px` high, narrower when it would be wider than `max_px`. Spaces have no box."""
    make = _drawn if style in _ADVANCE else _typeset
    line = make(text, style, cap_px)
    if line.size[0] > max_px:
        line = make(text, style, cap_px * max_px / line.size[0])
    return _thermal(line, cap_px) if style == "thermal" else line


def _typeset(text: str, style: str, cap_px: float) -> Line:
    face = font(FACE_OF_STYLE[style], round(cap_px / 0.73))
    widths = [face.getlength(text[:i]) for i in range(len(text) + 1)]
    left, top, right, bottom = face.getbbox(text)
    width, height = int(max(right, widths[-1]) - left) + 1, int(bottom - top) + 1
    canvas = Image.new("L", (width, height), 0)
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=face)
    spans = [(max(int(widths[i] - left), 0), min(int(widths[i + 1] - left) + 1, width)) for i in range(len(text))]
    return Line(np.asarray(canvas, np.float32) / 255, _printed(text, spans))


def _printed(text: str, spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(span for glyph, span in zip(text, spans, strict=True) if glyph.isalnum())


def _drawn(text: str, style: str, cap_px: float) -> Line:
    """Glyphs of our own tables, drawn four times too large and shrunk."""
    zoom, advance = 4, cap_px * _ADVANCE[style]
    width, height = max(int(advance * len(text)), 1), int(cap_px * 1.14) + 1
    canvas = np.zeros((height * zoom, width * zoom), np.uint8)
    for index, glyph in enumerate(text):
        if glyph != " ":
            _draw_glyph(canvas, glyph, style, (index * advance * zoom, cap_px * zoom))
    mask = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    spans = [(int(i * advance), min(int((i + 1) * advance), width)) for i in range(len(text))]
    return Line(mask, _printed(text, spans))


def _draw_glyph(canvas: Pixels, glyph: str, style: str, place: tuple[float, float]) -> None:
    """`place` is the left edge and the cap height, both in canvas pixels."""
    left, cap = place
    if style == "dot":
        step = cap / 6.6
        for y, row in enumerate(dot_rows(glyph)):
            for x, inked in enumerate(row):
                centre = (round(left + step * (x + 0.7)), round(step * (y + 0.55)))
                if inked:
                    cv2.circle(canvas, centre, max(round(step * 0.44), 1), 255, -1, cv2.LINE_AA)
        return
    pen = cap * (0.115 if style == "ocr" else 0.13)
    step_x, step_y = (cap * 0.58 - pen) / 4 + cap * 0.01, (cap - pen) / 6
    for line in stroke_lines(glyph):
        points = [(left + pen * 0.8 + x * step_x, pen * 0.6 + y * step_y) for x, y in line]
        cv2.polylines(canvas, [np.round(points).astype(np.int32)], False, 255, max(round(pen), 1), cv2.LINE_AA)


def _thermal(line: Line, cap_px: float) -> Line:
    """A thermal head's dots (8 per mm, a capital is 20 or so high) and its uneven heat."""
    width, height = line.size
    dots = (max(round(width * 22 / cap_px), 1), max(round(height * 22 / cap_px), 1))
    coarse = cv2.resize(line.mask, dots, interpolation=cv2.INTER_AREA)
    coarse = np.where(coarse > 0.45, 1.0, 0.0).astype(np.float32)
    heat = 0.86 + 0.12 * np.sin(np.arange(dots[1])[:, None] * 1.7 + np.arange(dots[0])[None, :] * 0.05)
    mask = cv2.resize(coarse * heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return Line(mask, line.boxes)


def lay_ink(card: Pixels, line: Line, at: tuple[int, int], ink: tuple[int, int, int], strength: float = 0.94) -> None:
    """Prints the line's mask in BGR colour `ink` with its top-left at pixel `at` (cut off at the card's edge)."""
    view, mask = _window(card, line.mask, at)
    view[...] = view + (np.array(ink, np.float32) - view) * (mask * strength)[..., None]


def lay_relief(card: Pixels, line: Line, at: tuple[int, int], light: tuple[float, float], foil: float) -> None:
    """Embosses the line: a height map lit from `light` (unit vector x, y), with `foil` (0..1) of silver on the tops."""
    margin = 8
    height = cv2.copyMakeBorder(line.mask, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    height = cv2.GaussianBlur(height, (0, 0), max(line.size[1] * 0.026, 0.8))
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0) * light[0] + cv2.Sobel(height, cv2.CV_32F, 0, 1) * light[1]
    view, shade = _window(card, slope, (at[0] - margin, at[1] - margin))
    _, top = _window(card, np.clip(height * 1.5 - 0.45, 0, 1), (at[0] - margin, at[1] - margin))
    view[...] = view + (np.array((205, 205, 208), np.float32) - view) * (top * foil)[..., None]
    view[...] = np.clip(view - shade[..., None] * 62, 0, 255)


def _window(card: Pixels, patch: Pixels, at: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """The part of the card under `patch` placed at `at`, and the part of the patch that lies on the card."""
    x, y = at
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + patch.shape[1], card.shape[1]), min(y + patch.shape[0], card.shape[0])
    x1, y1 = max(x1, x0), max(y1, y0)
    return card[y0:y1, x0:x1], patch[y0 - y : y1 - y, x0 - x : x1 - x]


def plain_text(text: str, face: str, em_px: float) -> Line:
    """A line of ordinary text (titles, labels, terms) as a mask; boxes are left empty."""
    kind = font(face, round(em_px))
    left, top, right, bottom = kind.getbbox(text)
    canvas = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2), 0)
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), text, fill=255, font=kind)
    return Line(np.asarray(canvas, np.float32) / 255, ())
