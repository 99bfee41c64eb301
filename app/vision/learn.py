"""A new product from three photographs of different cards: where its fields stand and what they are made of.

The cards are read as unknown ones first; once their barcode and places are known, read again by those places. What
comes out is unconfirmed, and says of each conclusion how likely it is an accident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from app.catalog.infer import Inferred, Printed, infer
from app.catalog.layoutcheck import wrong_with
from app.core.cards import FieldReading, FieldState, PanelState
from app.core.errors import BadInput
from app.core.products import (
    LEAST_MM,
    UNKNOWN_NUMBER,
    UNKNOWN_PIN,
    Box,
    Catalogue,
    ExpiryRule,
    FieldPattern,
    Layout,
    Product,
    Scratch,
    Validity,
)
from app.vision.card.locate import Located, locate
from app.vision.conclude import Conclusion, conclude
from app.vision.decoding.decode import decode_views
from app.vision.fields.printed import find_expiry, find_face_value
from app.vision.fields.spots import Spot
from app.vision.look import Look, Looker
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.picture.rectify import PX_PER_MM, rectify, size_of

Regions = Mapping[str, Box]

_CLEAN = 0.9
_APART_MM = 4.0
"""Boxes of the same field on different cards lie no further apart than this."""


@dataclass(frozen=True, slots=True, repr=False)
class Study:
    """What one photograph shows. `boxes` in millimetres on the straightened card, as it is printed."""

    look: Look
    found: Conclusion
    boxes: Mapping[str, Box]
    number: Printed
    pin: Printed


@dataclass(frozen=True, slots=True, repr=False)
class Lesson:
    """A product as it was learned, and what each field's pattern rests on (None: it could not be read)."""

    product: Product
    number: Inferred | None
    pin: Inferred | None
    gtins: tuple[str, ...]
    studies: tuple[Study, ...]


def learn(pictures: Sequence[Colour], looker: Looker, known: Product, drawn: Regions) -> Lesson:
    """The product of these pictures. `known`: its id and names; `drawn`: regions that a person drew.

    Raises BadInput("learn.no_card" | "learn.bad_regions" | "learn.different_products" | "learn.same_card" |
    "learn.nothing_read").
    """
    if why := wrong_with(Layout(**drawn)):
        raise BadInput("learn.bad_regions", why)
    corners = [_found(picture, at) for at, picture in enumerate(pictures)]
    looker.learn(Catalogue())
    studies = [_study(picture, at, looker, Catalogue()) for picture, at in zip(pictures, corners, strict=True)]
    _refuse_same_card(studies)
    gtins = {s.found.gtin for s in studies if s.found.gtin is not None}
    if len(gtins) > 1:
        raise BadInput("learn.different_products", ", ".join(sorted(gtins)))
    layout = layout_of(studies, drawn)
    if gtins:
        draft = replace(known, gtins=frozenset(gtins), number=UNKNOWN_NUMBER, pin=UNKNOWN_PIN, layout=layout)
        guided = Catalogue((draft,))
        looker.learn(guided)
        guided_studies = [_study(picture, at, looker, guided) for picture, at in zip(pictures, corners, strict=True)]
        studies = [_better(first, second) for first, second in zip(studies, guided_studies, strict=True)]
        layout = layout_of(studies, drawn)
        _refuse_same_card(studies)
    number, pin = infer([s.number for s in studies]), infer([s.pin for s in studies])
    if pin is not None and len(pin.pattern.lengths) > 1 and any(not s.found.pin.chars for s in studies):
        pin = None
    if number is None and pin is None:
        raise BadInput("learn.nothing_read")
    has_pin = pin is not None or layout.panel is not None
    product = replace(
        known,
        gtins=frozenset(gtins),
        number=number.pattern if number else UNKNOWN_NUMBER,
        pin=(pin.pattern if pin else UNKNOWN_PIN) if has_pin else None,
        layout=layout,
        face_values_fen=_face_values(studies),
        validity=Validity(ExpiryRule.PRINTED) if layout.expiry or _on_most(studies, "expiry") else Validity(),
        scratch=Scratch("back") if layout.panel is not None else Scratch(),
    )
    return Lesson(product, number, pin, tuple(sorted(gtins)), tuple(studies))


@dataclass(frozen=True, slots=True)
class Trial:
    """One field of the fourth photograph, read as an unknown card and by the new template."""

    field: str
    before: FieldState
    after: FieldState
    doubts_before: int
    doubts_after: int
    fits: bool  # what was read as unknown obeys the new pattern


def try_on(picture: Colour, looker: Looker, product: Product) -> tuple[Trial, ...]:
    """Hold a template against a card that it was not learned from. Raises BadInput("learn.no_card")."""
    located = _found(picture, 3)
    looker.learn(Catalogue())
    before = _study(picture, located, looker, Catalogue()).found
    catalogue = Catalogue((product,))
    looker.learn(catalogue)
    after = _study(picture, located, looker, catalogue).found
    pairs = (("number", before.number, after.number, product.number), ("pin", before.pin, after.pin, product.pin))
    return tuple(
        Trial(name, old.state, new.state, len(old.doubts), len(new.doubts), pattern is not None and old.fits(pattern))
        for name, old, new, pattern in pairs
    )


def _found(picture: Colour, at: int) -> Located:
    located = locate(picture)
    if located.corners is None:
        raise BadInput("learn.no_card", f"photograph {at + 1}")
    return located


def _study(picture: Colour, located: Located, looker: Looker, catalogue: Catalogue) -> Study:
    look = looker.look(picture, located)
    found = conclude([look], catalogue)
    # What stands in a panel is looked at although some of it may be covered: whether it is whole is told by whether
    # all cards have the same length.
    open_pin = found.pin if found.pin.chars else conclude([replace(look, panel=PanelState.OPEN)], catalogue).pin
    return Study(
        look,
        found,
        _boxes(picture, look, looker),
        _printed(look.number, found.number, UNKNOWN_NUMBER),
        _printed(look.pin, open_pin, UNKNOWN_PIN),
    )


def _printed(spot: Spot | None, reading: FieldReading, pattern: FieldPattern) -> Printed:
    """A value as it stands there; one whose weakest character is in doubt teaches nothing about check digits."""
    text = "".join(c.best.glyph for c in reading.chars)
    clean = bool(text) and min(c.best.p for c in reading.chars) >= _CLEAN
    return Printed(text, clean, _gaps(spot, len(text), pattern) if spot is not None and text else ())


def _gaps(spot: Spot, length: int, pattern: FieldPattern) -> tuple[float, ...]:
    """The gaps between the characters on average over all views of the field, in the usual gap."""
    read = [d for d in decode_views(spot.views, pattern) if len(d.text) == length]
    rows = [[(c + d - a - b) / 2 for (a, b), (c, d) in pairwise(one.spans)] for one in read]
    if not rows or length < 2:
        return ()
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    usual = max(1e-6, median(mean))
    return tuple(gap / usual for gap in mean)


def _boxes(picture: Colour, look: Look, looker: Looker) -> dict[str, Box]:
    size = size_of(look.corners)
    areas: dict[str, Area | None] = {
        "number": look.number.area if look.number else None,
        "panel": look.panel_area,
        "pin": look.pin.area if look.pin else None,
        "barcode": look.bars[0] if look.bars else None,
    }
    for line in looker.read_lines(rectify(picture, look.corners)):
        if find_expiry([line])[1] is not None:
            areas.setdefault("expiry", line.area)
        elif find_face_value([line], size[0]) is not None:
            areas.setdefault("face_value", line.area)
    return {name: _box(area, size) for name, area in areas.items() if area is not None}


def _box(area: Area, size: tuple[int, int]) -> Box:
    """Pixels of a rectified card of this size as millimetres, kept on the card and as large as a template's boxes."""
    width, height = size[0] / PX_PER_MM, size[1] / PX_PER_MM
    x = min(max(0.0, area.x / PX_PER_MM), width - LEAST_MM)
    y = min(max(0.0, area.y / PX_PER_MM), height - LEAST_MM)
    right, bottom = min(width, area.right / PX_PER_MM), min(height, area.bottom / PX_PER_MM)
    return Box(round(x, 1), round(y, 1), round(max(LEAST_MM, right - x), 1), round(max(LEAST_MM, bottom - y), 1))


def layout_of(studies: Sequence[Study], drawn: Regions) -> Layout:
    """Where the fields stand on most of the cards; what was drawn goes before what was detected.

    A place that was detected and cannot be one beside the others is left out (a line that holds the number and the
    expiry both is the place of neither alone): the field is searched then, and the template is one that can be read.
    """
    layout = Layout(**drawn)
    for name in ("barcode", "panel", "number", "pin", "face_value", "expiry"):  # what is told most surely comes first
        middle = _middle([s.boxes[name] for s in studies if name in s.boxes])
        if name not in drawn and middle is not None and _on_most(studies, name):
            more = replace(layout, **{name: middle})
            layout = layout if wrong_with(more) else more
    return layout


def _on_most(studies: Sequence[Study], name: str) -> bool:
    return sum(name in s.boxes for s in studies) * 2 > len(studies)


def _middle(boxes: Sequence[Box]) -> Box | None:
    """The box in the middle of those that lie at the same place; None when they do not."""
    if not boxes:
        return None
    x, y = median(b.x for b in boxes), median(b.y for b in boxes)
    near = [b for b in boxes if abs(b.x - x) < _APART_MM and abs(b.y - y) < _APART_MM]
    if len(near) * 2 <= len(boxes):
        return None
    # The widest of them: a value of the next card may be set a little wider.
    left, top = min(b.x for b in near), min(b.y for b in near)
    right, bottom = max(b.x + b.w for b in near), max(b.y + b.h for b in near)
    return Box(round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1))


def _better(first: Study, guided: Study) -> Study:
    """The second look by the places, unless it lost what the first had read: all of a value, or some of a number, of
    which a drawn place may hold a part.
    """
    lost = (first.number.clean and not guided.number.clean) or (first.pin.clean and not guided.pin.clean)
    whole, part = first.number.text, guided.number.text
    shortened = bool(part) and part in whole and part != whole
    return first if lost or shortened else guided


def _refuse_same_card(studies: Sequence[Study]) -> None:
    for values in ([s.number for s in studies], [s.pin for s in studies]):
        texts = [v.text for v in values if v.clean]
        if len(texts) > len(set(texts)):
            raise BadInput("learn.same_card")


def _face_values(studies: Sequence[Study]) -> tuple[int, ...]:
    amounts = [s.found.face_value for s in studies]
    return tuple(sorted({a.units * 100 for a in amounts if a is not None and a.currency == "CNY"}))
