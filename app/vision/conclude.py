"""All looks at one card in, what was read of it out: product, fields, panel. Abstains rather than guesses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import cv2
import numpy as np

from app.core.cards import (
    ABSENT,
    UNREADABLE,
    Barcode,
    Crop,
    FieldReading,
    FieldState,
    PanelState,
    Zone,
)
from app.core.products import DIGITS, LATIN, UNKNOWN_NUMBER, UNKNOWN_PIN, Catalogue, FieldPattern, Product
from app.vision.barcode import Hit, distinct, gtin
from app.vision.decode import Decoded, decode
from app.vision.fuse import Fused, confirm, doubt_all, fuse
from app.vision.look import Look, Spot
from app.vision.panel import Area
from app.vision.pixels import Colour, Corners, Gray, as_quad, grey, png
from app.vision.rectify import to_frame

_PLAIN_LETTERS = set(LATIN) - set("OQDILSBZGUVT")
"""Letters that no digit looks like: one of them proves that a field holds letters."""


@dataclass(frozen=True, slots=True, repr=False)
class Conclusion:
    """What the looks at one card add up to. `corners` and `zones` of the best look, in frame pixels."""

    product: Product | None
    gtin: str | None
    barcodes: tuple[Barcode, ...]
    number: FieldReading
    pin: FieldReading
    panel: PanelState
    expiry: date | None
    face_value_yuan: int | None
    corners: Corners
    zones: tuple[Zone, ...]
    crops: tuple[Crop, ...]
    best: int  # which look was the sharpest

    @property
    def blank(self) -> bool:
        """Whether nothing of a card's back was seen: no symbol, no number, no PIN, no panel."""
        fields = self.number.chars or self.pin.chars or self.barcodes
        return not fields and self.panel is PanelState.NONE

    @property
    def sure(self) -> bool:
        """Whether another frame could add nothing: every field there is is read."""
        done = (FieldState.READ, FieldState.ABSENT, FieldState.COVERED)
        return self.number.state in done and self.pin.state in done and (self.gtin is not None or not self.barcodes)


def conclude(looks: Sequence[Look], catalogue: Catalogue) -> Conclusion:
    """The answer over all looks (at least one) at one card."""
    hits = [hit for at, look in enumerate(looks) for hit in _of_frame(look.hits, at)]
    printed = frozenset(g for look in looks for g in look.printed)
    code = gtin(hits, printed)
    product = catalogue.by_gtin(code)
    panel = _panel(looks)
    if panel is PanelState.PARTIAL and _is_complete(looks, product):
        panel = PanelState.OPEN
    number = _number(looks, product, hits)
    pin = _pin(looks, product, panel)
    best = int(np.argmax([look.sharpness - look.glare for look in looks]))
    fields = (("number", number, [look.number for look in looks]), ("pin", pin, [look.pin for look in looks]))
    return Conclusion(
        product=product,
        gtin=code,
        barcodes=distinct(hits),
        number=number.reading,
        pin=pin.reading,
        panel=panel,
        expiry=_agreed(look.expiry for look in looks),
        face_value_yuan=_face_value(looks, product),
        corners=looks[best].corners,
        zones=zones(looks[best], number.reading, pin.reading),
        crops=tuple(crop for name, fused, spots in fields for crop in _crops(name, fused, spots, best)),
        best=best,
    )


def _of_frame(hits: Iterable[Hit], at: int) -> Iterable[Hit]:
    """Hits marked by their frame, so that the same reader in another frame counts as another reading."""
    return (Hit(h.format, h.text, f"{h.source} {at}", h.corners) for h in hits)


def _panel(looks: Sequence[Look]) -> PanelState:
    """The most careful of what the looks say: one partly covered look outweighs open ones."""
    states = [look.panel for look in looks]
    for state in (PanelState.PARTIAL, PanelState.COVERED, PanelState.OPEN):
        if states.count(state) * 2 >= len(states) or (state is PanelState.PARTIAL and state in states):
            return state
    return max(set(states), key=states.count)


def _is_complete(looks: Sequence[Look], product: Product | None) -> bool:
    """Whether a seemingly partly covered PIN is all there: it has the product's one length, freely read too."""
    if product is None or product.pin is None or len(product.pin.lengths) != 1:
        return False
    free = FieldPattern(product.pin.alphabet, UNKNOWN_PIN.lengths)
    found = _decoded([look.pin for look in looks if look.pin is not None], free)
    whole = [d for d in found if len(d.text) == product.pin.lengths[0] and d.p > 0.9]
    return bool(found) and len(whole) >= 0.75 * len(found)


def _number(looks: Sequence[Look], product: Product | None, hits: Sequence[Hit]) -> Fused:
    spots = [look.number for look in looks if look.number is not None]
    if not spots:
        return Fused(ABSENT if product is None else UNREADABLE, None)
    pattern = product.number if product is not None else UNKNOWN_NUMBER
    fused = fuse(_decoded(spots, pattern), pattern)
    if not any(look.number_proved for look in looks):
        fused = doubt_all(fused)
    for text in {h.text for h in hits if h.format == "CODE128" and pattern.matches(h.text)}:
        confirmed = confirm(fused.reading, text)
        if confirmed is not None:
            return Fused(confirmed, fused.lead)
    return fused


def _pin(looks: Sequence[Look], product: Product | None, panel: PanelState) -> Fused:
    if product is not None and product.pin is None:
        return Fused(ABSENT, None)
    if panel in (PanelState.COVERED, PanelState.PARTIAL):
        return Fused(FieldReading(FieldState.COVERED), None)
    spots = [look.pin for look in looks if look.pin is not None]
    if not spots:
        return Fused(ABSENT if panel is PanelState.NONE else UNREADABLE, None)
    if product is not None and product.pin is not None:
        return fuse(_decoded(spots, product.pin), product.pin)
    pattern = _guess_pattern(spots)
    fused = fuse(_decoded(spots, pattern), pattern)
    # Of an unknown product nobody knows how long the PIN is: without the panel's edges some of it may be covered.
    proved = all(look.panel_area is not None and look.pin_proved for look in looks)
    return fused if proved else doubt_all(fused)


def _decoded(spots: Sequence[Spot], pattern: FieldPattern) -> list[Decoded]:
    found = (decode(lattice, pattern) for spot in spots for lattice in spot.lattices)
    return [d for d in found if d is not None]


def _guess_pattern(spots: Sequence[Spot]) -> FieldPattern:
    """Digits only, unless a letter stands there that no digit looks like."""
    for reading in _decoded(spots, UNKNOWN_PIN):
        for chances in reading.chars:
            if any(p > 0.6 and glyph in _PLAIN_LETTERS for glyph, p in chances.items()):
                return UNKNOWN_PIN
    return FieldPattern(DIGITS, UNKNOWN_PIN.lengths)


def _agreed(values: Iterable[date | None]) -> date | None:
    found = {v for v in values if v is not None}
    return found.pop() if len(found) == 1 else None


def _face_value(looks: Sequence[Look], product: Product | None) -> int | None:
    found = {look.face_value_yuan for look in looks if look.face_value_yuan is not None}
    value = found.pop() if len(found) == 1 else None
    if product is None or not product.face_values_fen:
        return value
    known = {fen // 100 for fen in product.face_values_fen}
    if value is None:
        return known.pop() if len(known) == 1 else None
    return value if value in known else None


def zones(look: Look, number: FieldReading, pin: FieldReading) -> tuple[Zone, ...]:
    """Where the fields stand in the frame, for boxes on the preview and masks on the footage."""
    areas: list[tuple[str, Area | None, bool]] = [
        ("number", look.number.area if look.number else None, number.state is FieldState.READ),
        ("pin", look.pin.area if look.pin else None, pin.state is FieldState.READ),
        ("panel", look.panel_area, True),
        *(("barcode", area, True) for area in look.bars[:2]),
    ]
    return tuple(Zone(kind, as_quad(_outline(look.corners, a)), done) for kind, a, done in areas if a is not None)


def _outline(corners: Corners, area: Area) -> Corners:
    points = [[area.x, area.y], [area.right, area.y], [area.right, area.bottom], [area.x, area.bottom]]
    return to_frame(corners, np.array(points, np.float32))


_FRAME = (87, 203, 255)
"""Amber (BGR), as the screen marks a doubtful character."""

_CROP_H = 168


def _crops(name: str, fused: Fused, spots: Sequence[Spot | None], best: int) -> Iterable[Crop]:
    """The picture of each doubtful character with its neighbours, from the best look that shows the field."""
    spot = spots[best] or next((s for s in spots if s is not None), None)
    if spot is None or fused.lead is None or len(fused.lead.spans) != len(fused.reading.chars):
        return
    for position in fused.reading.doubts:
        yield Crop(name, position, png(_around(spot.picture, fused.lead.spans, position, fused.lead.steps)))


def _between_gaps(shade: Gray, middle: float, pitch: float) -> int:
    """The middle of a character in pixels: moved by less than half a pitch to where paper, not ink, stands on both
    sides of it. Steps of a lattice say only roughly where a character is."""
    ink = np.abs(shade.astype(np.float32) - np.median(shade)).mean(axis=0)
    smooth = cv2.blur(ink[None, :], (max(1, round(0.16 * pitch)) | 1, 1))[0]
    reach = int(0.45 * pitch)
    places = np.arange(round(middle) - reach, round(middle) + reach + 1)
    left, right = places - 0.5 * pitch, places + 0.5 * pitch
    edges = [smooth[np.clip(np.round(side), 0, len(smooth) - 1).astype(int)] for side in (left, right)]
    away = np.abs(places - middle) / max(1.0, pitch) * float(smooth.max()) * 0.2
    return int(np.clip(places[int(np.argmin(edges[0] + edges[1] + away))], 0, shade.shape[1]))


def _around(picture: Colour, spans: Sequence[tuple[int, int]], position: int, steps: int) -> Colour:
    """The character in the middle, marked, half a neighbour on either side, enlarged."""
    height, width = picture.shape[:2]
    to_px = width / max(1, steps)
    middles = [(first + last) / 2 * to_px for first, last in spans]
    gaps = sorted(b - a for a, b in pairwise(middles))
    pitch = gaps[len(gaps) // 2] if gaps else 0.7 * height
    half = round(max(12.0, 0.67 * height))
    margin = cv2.copyMakeBorder(picture, 0, 0, half, half, cv2.BORDER_REPLICATE)
    middle = half + _between_gaps(grey(picture), min(max(0.0, middles[position]), width), pitch)
    scale = _CROP_H / height
    cut = margin[:, middle - half : middle + half]
    shown = cv2.resize(cut, (round(2 * half * scale), _CROP_H), interpolation=cv2.INTER_CUBIC)
    reach = round(min(0.62 * pitch, 0.9 * half) * scale)
    centre = shown.shape[1] // 2
    cv2.rectangle(shown, (centre - reach, 6), (centre + reach, _CROP_H - 7), _FRAME, 3, cv2.LINE_AA)
    return np.ascontiguousarray(shown, np.uint8)
