"""A new product from photographs: what the learner is asked, what it found, what a person drew. Plain data.

Nothing of this is written anywhere; the pictures show numbers and PINs, so nothing here prints them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.core.cards import FieldState
from app.core.products import Box

REGIONS = ("number", "panel", "pin", "barcode", "expiry", "face_value")
SECRET_REGIONS = frozenset({"panel", "pin"})
PHOTOGRAPHS = 3
CARD_MM = (85.6, 54.0)
LEAST_MM = 1.0
_FRESH_MM = (28.0, 7.0)

Region = tuple[str, Box]
Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LessonJob:
    """Photographs of three different cards, perhaps one of a fourth to try it on, and the regions that were drawn."""

    photographs: tuple[str, ...]
    trial: str = ""
    drawn: tuple[Region, ...] = ()
    rehearsal: bool = False
    threads: int = 1


@dataclass(frozen=True, slots=True, repr=False)
class StudiedCard:
    """One photograph: the card upright and straight (JPEG), its corners in the photograph from 0 to 1, where the fields
    stand on it, and its width and height: one printed upright is higher than wide.
    """

    upright: bytes
    photograph: bytes
    quad: tuple[tuple[float, float], ...]
    regions: tuple[Region, ...] = ()
    size_mm: Size = CARD_MM


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """The cards were found; nothing is read yet."""

    cards: tuple[StudiedCard, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a field is made of, as it was inferred from `samples` clean values, and the conclusions with their chance of
    being an accident in parts of a million.
    """

    lengths: tuple[int, ...]
    alphabet: str
    grouping: tuple[int, ...]
    check: str
    samples: int
    findings: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Taught:
    """A template (TOML with one product, under a name that is no name yet) and what it rests on."""

    cards: tuple[StudiedCard, ...]
    layout: tuple[Region, ...]
    number: Pattern | None
    pin: Pattern | None
    gtins: tuple[str, ...]
    face_values_fen: tuple[int, ...]
    template: str


@dataclass(frozen=True, slots=True)
class TriedField:
    """One field of the fourth card, read as unknown and by the template. `fits`: the first obeys the new pattern."""

    field: str
    before: FieldState
    after: FieldState
    doubts_before: int
    doubts_after: int
    fits: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """How the fourth card was read."""

    fields: tuple[TriedField, ...]


@dataclass(frozen=True, slots=True)
class LessonFailed:
    """Why nothing was learned: a code of `ui.texts`."""

    code: str
    detail: str = ""


LessonNews = Seen | Taught | Tried | LessonFailed


def moved(box: Box, right_mm: float, down_mm: float, size_mm: Size = CARD_MM) -> Box:
    """The box moved, kept on the card."""
    x = max(0.0, min(box.x + right_mm, size_mm[0] - box.w))
    y = max(0.0, min(box.y + down_mm, size_mm[1] - box.h))
    return replace(box, x=_tenth(x), y=_tenth(y))


def stretched(box: Box, wider_mm: float, higher_mm: float, size_mm: Size = CARD_MM) -> Box:
    """The box with its right and lower edge moved, at least a millimetre large and kept on the card."""
    w = min(max(LEAST_MM, box.w + wider_mm), size_mm[0] - box.x)
    h = min(max(LEAST_MM, box.h + higher_mm), size_mm[1] - box.y)
    return replace(box, w=_tenth(w), h=_tenth(h))


def drawn_between(x1: float, y1: float, x2: float, y2: float, size_mm: Size = CARD_MM) -> Box:
    """The box between two points of the card (mm), whichever comes first."""
    left, right = (min(max(0.0, v), size_mm[0]) for v in sorted((x1, x2)))
    top, bottom = (min(max(0.0, v), size_mm[1]) for v in sorted((y1, y2)))
    left, top = min(left, size_mm[0] - LEAST_MM), min(top, size_mm[1] - LEAST_MM)
    return Box(_tenth(left), _tenth(top), _tenth(max(LEAST_MM, right - left)), _tenth(max(LEAST_MM, bottom - top)))


def fresh_box(size_mm: Size = CARD_MM) -> Box:
    """Where a region is put that nobody saw: the middle of the card."""
    w, h = _FRESH_MM
    return Box(_tenth((size_mm[0] - w) / 2), _tenth((size_mm[1] - h) / 2), w, h)


def _tenth(value: float) -> float:
    """A tenth of a millimetre, rounded down so that a box that ends at the edge stays on the card."""
    return int(value * 10 + 1e-6) / 10
