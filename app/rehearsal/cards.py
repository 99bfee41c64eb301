"""One card, flat and evenly lit: back and front of an ID-1 card (ISO/IEC 7810: 85.60 x 53.98 mm) drawn from a plan.

Places are millimetres from the printed top-left corner; pixels come in only through `ppm`, pixels per millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.core.products import Box, Layout
from app.rehearsal.barcodes import lay_barcode
from app.rehearsal.content import CardContent, grouped
from app.rehearsal.dice import between, pick, stream
from app.rehearsal.lettering import Line, lay_ink, lay_relief, plain_text, set_line
from app.rehearsal.panel import CLOSED_STATES, Scratch, cloud, coating, lay_debris, print_under, scratch

Pixels = npt.NDArray[Any]
Colour = tuple[int, int, int]

CARD_W_MM = 85.60
CARD_H_MM = 53.98
CORNER_MM = 3.18


@dataclass(frozen=True)
class CardStyle:
    """How a product looks. Colours are BGR; `light` is the direction the relief is lit from (x, y).

    `coat` colours the scratch layer (None: some metallic grey), `under_mark` is printed on the paper below it.
    """

    ground: Colour
    ground_far: Colour
    ink: Colour
    title_ink: Colour
    title_face: str = "sans-bold"
    stripe: bool = False
    number_style: str = "mono"
    pin_style: str = "mono"
    mark: str = "SCRATCH"
    under: Colour = (232, 232, 234)
    plate: Colour = (248, 248, 248)
    coat: Colour | None = None
    under_mark: str = ""
    foil: float = 0.0
    light: tuple[float, float] = (-0.7, -0.7)
    group_mark: str = " "

    def with_print(self, number_style: str, pin_style: str) -> CardStyle:
        """The same look with other print; an empty style keeps what it has."""
        number, pin = number_style or self.number_style, pin_style or self.pin_style
        return replace(self, number_style=number, pin_style=pin)


@dataclass(frozen=True)
class CardWords:
    """The ordinary text on a card."""

    title: str
    subtitle: str
    number_label: str
    pin_label: str
    value: str
    expiry: str
    terms: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Batch number, region and the like, line by line."""


@dataclass(frozen=True)
class CardPlan:
    """Everything that decides the pixels of one card."""

    seed: int
    content: CardContent = field(repr=False)
    style: CardStyle
    words: CardWords = field(repr=False)
    layout: Layout
    code_boxes: tuple[Box, ...]
    terms_at: tuple[float, float]
    pin_state: str
    open_share: float | None = None  # of the PIN's width, for a panel in the middle of being scratched
    upright: bool = False  # printed with the short side on top; places from that side's left corner
    notes_at: tuple[float, float] = (4.2, 40.0)
    beyond_mm: tuple[float, float] | None = None  # how far the rubbing goes on beyond the PIN's ends


@dataclass(frozen=True)
class PrintedCard:
    """A drawn side: `image` uint8 HxWx3 BGR; places of what was printed in mm; least visible share of a PIN glyph.

    `coat` is what is left of the scratch layer, float32 HxW over the panel; `pin_ink` the share seen of each PIN glyph.
    """

    image: Pixels
    ppm: float
    number: Box | None
    panel: Box | None
    pin: Box | None
    pin_min_ink: float
    coat: Pixels | None = None
    pin_ink: tuple[float, ...] = ()

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height as printed."""
        upright = self.image.shape[0] > self.image.shape[1]
        return (CARD_H_MM, CARD_W_MM) if upright else (CARD_W_MM, CARD_H_MM)


def card_size(ppm: float, upright: bool = False) -> tuple[int, int]:
    """Width and height of a card in pixels; of an `upright` one the short side is the width."""
    size = round(CARD_W_MM * ppm), round(CARD_H_MM * ppm)
    return (size[1], size[0]) if upright else size


def corner_mask(ppm: float) -> Pixels:
    """float32 HxW, 1 on the card, 0 outside its rounded corners."""
    zoom = 2
    width, height = card_size(ppm)
    canvas = np.zeros((height * zoom, width * zoom), np.uint8)
    r, right, bottom = round(CORNER_MM * ppm * zoom), width * zoom - 1, height * zoom - 1
    cv2.rectangle(canvas, (r, 0), (right - r, bottom), 255, -1)
    cv2.rectangle(canvas, (0, r), (right, bottom - r), 255, -1)
    for x in (r, right - r):
        for y in (r, bottom - r):
            cv2.circle(canvas, (x, y), r, 255, -1)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _ground(plan: CardPlan, ppm: float) -> Pixels:
    """The coloured ground: a slanting gradient with a few large flat shapes, as gift cards have."""
    width, height = card_size(ppm, plan.upright)
    rng = stream(plan.seed, "ground")
    ramp = np.linspace(0, 1, width)[None, :] * 0.6 + np.linspace(0, 1, height)[:, None] * 0.4
    near, far = np.array(plan.style.ground, np.float32), np.array(plan.style.ground_far, np.float32)
    base = (near + (far - near) * ramp.astype(np.float32)[..., None]).astype(np.float32)
    for index in range(int(rng.integers(2, 5))):
        tint = np.array(pick(rng, (plan.style.title_ink, plan.style.ground_far, plan.style.ink)), np.float32)
        shape = _motif(stream(plan.seed, "motif", index), (height, width), ppm)
        base += (tint - base) * (shape * between(rng, 0.06, 0.2))[..., None]
    return base


def _motif(rng: np.random.Generator, shape: tuple[int, int], ppm: float) -> Pixels:
    canvas = np.zeros(shape, np.uint8)
    centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
    radius = round(ppm * between(rng, 5, 16))
    kind = int(rng.integers(4))
    if kind == 0:
        cv2.circle(canvas, centre, radius, 255, -1, cv2.LINE_AA)
    elif kind == 1:
        cv2.circle(canvas, centre, radius, 255, round(ppm * 1.4), cv2.LINE_AA)
    elif kind == 2:
        axes = (radius, round(radius * between(rng, 0.25, 0.6)))
        cv2.ellipse(canvas, centre, axes, between(rng, 0, 180), 0, 360, 255, -1, cv2.LINE_AA)
    else:
        angle = between(rng, 0, np.pi)
        end = (round(centre[0] + np.cos(angle) * radius * 2.4), round(centre[1] + np.sin(angle) * radius * 2.4))
        cv2.line(canvas, centre, end, 255, round(ppm * 2.2), cv2.LINE_AA)
    return canvas.astype(np.float32) / 255


def _px(box: Box, ppm: float) -> tuple[int, int, int, int]:
    return round(box.x * ppm), round(box.y * ppm), round(box.w * ppm), round(box.h * ppm)


def _mm(x: float, y: float, w: float, h: float, ppm: float) -> Box:
    return Box(x / ppm, y / ppm, w / ppm, h / ppm)


class _Press:
    """Prints one back, field after field, onto one canvas."""

    def __init__(self, plan: CardPlan, ppm: float) -> None:
        self.plan, self.ppm = plan, ppm
        self.canvas = _ground(plan, ppm)
        self.coat: Pixels | None = None
        self.pin_ink: tuple[float, ...] = ()

    def words(
        self, text: str, face: str, em_mm: float, at_mm: tuple[float, float], ink: Colour, width_mm: float = 80.0
    ) -> None:
        """A line of text with its top-left at `at_mm`, set smaller when it would be wider than `width_mm`."""
        if text:
            line = plain_text(text, face, em_mm * self.ppm)
            if line.size[0] > width_mm * self.ppm:
                line = plain_text(text, face, em_mm * self.ppm * width_mm * self.ppm / line.size[0])
            lay_ink(self.canvas, line, (round(at_mm[0] * self.ppm), round(at_mm[1] * self.ppm)), ink)

    def label(self, text: str, box: Box) -> None:
        """A caption left of `box`, right-aligned to it, level with its middle; left out where there is no room.

        Upright cards have no room to the left: there it stands above.
        """
        if not text:
            return
        line = plain_text(text, "sans", 2.6 * self.ppm)
        x = (box.x - 0.9) * self.ppm - line.size[0]
        if self.plan.upright:
            at = (round(box.x * self.ppm), round((box.y - 3.4) * self.ppm))
            lay_ink(self.canvas, line, at, self.plan.style.ink)
        elif x > 1.2 * self.ppm:
            y = (box.y + box.h / 2) * self.ppm - line.size[1] / 2
            lay_ink(self.canvas, line, (round(x), round(y)), self.plan.style.ink)

    def stripe(self) -> None:
        if self.plan.style.stripe:
            self.canvas[round(2.6 * self.ppm) : round(10.6 * self.ppm)] = (24, 23, 23)

    def title(self) -> None:
        style, top = self.plan.style, 12.0 if self.plan.style.stripe else 3.4
        self.words(self.plan.words.title, style.title_face, 4.4, (4.2, top), style.title_ink)
        self.words(self.plan.words.subtitle, "sans", 1.7, (4.3, top + 5.0), style.title_ink)

    def value_and_expiry(self) -> None:
        layout, words, ink = self.plan.layout, self.plan.words, self.plan.style.ink
        if layout.face_value is not None:
            box = layout.face_value
            self.words(words.value, "sans-bold", box.h / 0.86, (box.x, box.y), ink, box.w)
        if layout.expiry is not None:
            box = layout.expiry
            self.words(words.expiry, "sans", box.h / 0.9, (box.x, box.y), ink, box.w)

    def terms(self) -> None:
        x, y = self.plan.terms_at
        for index, line in enumerate(self.plan.words.terms):
            self.words(line, "sans", 1.55, (x, y + index * 2.15), self.plan.style.ink)
        for index, line in enumerate(self.plan.words.notes):
            self.words(
                line, "sans", 2.0, (self.plan.notes_at[0], self.plan.notes_at[1] + index * 2.9), self.plan.style.ink
            )

    def codes(self) -> None:
        for code, box in zip(self.plan.content.barcodes, self.plan.code_boxes, strict=False):
            lay_barcode(self.canvas, code, _px(box, self.ppm), self.plan.style.plate)

    def number(self) -> Box | None:
        box, style, content = self.plan.layout.number, self.plan.style, self.plan.content
        if box is None:
            return None
        self.label(self.plan.words.number_label, box)
        text = grouped(content.number, content.number_groups)
        x, y, w, h = _px(box, self.ppm)
        line = set_line(text, style.number_style, h * 0.88, w)
        at = (x, y + (h - line.size[1]) // 2)
        if style.number_style == "emboss":
            lay_relief(self.canvas, line, at, style.light, style.foil)
        else:
            lay_ink(self.canvas, line, at, style.ink)
        return _mm(at[0], at[1], line.size[0], line.size[1], self.ppm)

    def panel(self) -> tuple[Box | None, Box | None]:
        """Substrate, PIN, coating and crumbs; gives the places of panel and PIN."""
        box, place = self.plan.layout.panel, self.plan.layout.pin
        if box is None or place is None:
            return None, None
        self.label(self.plan.words.pin_label, box)
        x, y, w, h = _px(box, self.ppm)
        pin_px = _px(place, self.ppm)
        content = self.plan.content
        text = grouped(content.pin, content.pin_groups, self.plan.style.group_mark)
        line = set_line(text, self.plan.style.pin_style, pin_px[3] * 0.88, pin_px[2])
        at = (pin_px[0] - x, pin_px[1] - y + (pin_px[3] - line.size[1]) // 2)
        if self.plan.pin_state not in CLOSED_STATES:
            lay_debris(stream(self.plan.seed, "debris"), self.canvas, (x, y, x + w, y + h), self.ppm)
        self.canvas[y : y + h, x : x + w] = self._panel_pixels((h, w), line, at)
        return _mm(x, y, w, h, self.ppm), _mm(x + at[0], y + at[1], line.size[0], line.size[1], self.ppm)

    def _panel_pixels(self, shape: tuple[int, int], line: Line, at: tuple[int, int]) -> Pixels:
        rng, style = stream(self.plan.seed, "panel"), self.plan.style
        below = np.empty((*shape, 3), np.float32)
        below[...] = style.under
        below += cloud(rng, shape, self.ppm * 0.2)[..., None] * 2
        print_under(below, style.under_mark, self.ppm)
        lay_ink(below, line, at, (44, 40, 42), 0.72 if style.pin_style == "light" else 0.92)
        rect = (at[0], at[1], at[0] + line.size[0], at[1] + line.size[1])
        left = scratch(rng, self.plan.pin_state, shape, rect, self.ppm, self.plan.open_share, self.plan.beyond_mm)
        self.coat, self.pin_ink = left.coat, visible_ink(left, line, at)
        below += (np.array((246, 246, 247), np.float32) - below) * left.torn[..., None]
        layer = coating(rng, shape, style.mark, self.ppm, style.coat)
        return below + (layer - below) * left.coat[..., None]


def visible_ink(left: Scratch, line: Line, at: tuple[int, int]) -> tuple[float, ...]:
    """The share of ink that can be seen of each character, 0..1."""
    x, y = at
    width, height = line.size
    seen = ((1 - left.coat) * (1 - left.torn))[y : y + height, x : x + width]
    mask = line.mask[: seen.shape[0], : seen.shape[1]]
    return tuple(float((seen * mask)[:, a:b].sum() / max(float(mask[:, a:b].sum()), 1e-6)) for a, b in line.boxes)


def print_back(plan: CardPlan, ppm: float = 20.0) -> PrintedCard:
    """Draws the back of a card, the side with number, PIN and barcode. Raises FontMissing."""
    press = _Press(plan, ppm)
    press.stripe()
    press.title()
    press.value_and_expiry()
    press.terms()
    press.codes()
    number = press.number()
    panel, pin = press.panel()
    _wear(stream(plan.seed, "wear"), press.canvas, ppm)
    image = np.clip(press.canvas, 0, 255).astype(np.uint8)
    least = round(min(press.pin_ink, default=0.0), 3)
    return PrintedCard(image, ppm, number, panel, pin, least, press.coat, press.pin_ink)


def _wear(rng: np.random.Generator, canvas: Pixels, ppm: float) -> None:
    """Hairline scratches and the slightly uneven gloss of a used card."""
    lines = np.zeros(canvas.shape[:2], np.uint8)
    for _ in range(int(rng.integers(2, 7))):
        start = np.array([rng.integers(canvas.shape[1]), rng.integers(canvas.shape[0])])
        path = start + np.cumsum(rng.normal(0, ppm * 2.2, (6, 2)) * (1.0, 0.35), axis=0)
        cv2.polylines(lines, [np.round(path).astype(np.int32)], False, int(rng.integers(20, 60)), 1, cv2.LINE_AA)
    canvas += (255 - canvas) * (lines.astype(np.float32) / 255)[..., None] * 0.5
    canvas += cloud(rng, (canvas.shape[0], canvas.shape[1]), ppm * 14)[..., None] * 0.9


def print_front(plan: CardPlan, ppm: float = 20.0) -> PrintedCard:
    """Draws the front: brand in large letters, its value, no secret and no barcode. Raises FontMissing."""
    press = _Press(plan, ppm)
    style, words = plan.style, plan.words
    press.words(words.title, style.title_face, 9.0, (6.0, 8.0), style.title_ink)
    press.words(words.subtitle, "sans", 3.2, (6.3, 19.5), style.title_ink)
    press.words(words.value, "sans-bold", 6.5, (6.0, 40.0), style.ink)
    _wear(stream(plan.seed, "wear-front"), press.canvas, ppm)
    return PrintedCard(np.clip(press.canvas, 0, 255).astype(np.uint8), ppm, None, None, None, 0.0)
