"""What the product screen shows, as plain data: made by `ui.present_products`, drawn by its widgets. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.products import Box
from ui.review_views import ListView, SideView
from ui.views import Chip, FrameView, GoKey, KeyLabel


@dataclass(frozen=True, slots=True)
class FoundView:
    """One product that a search found: its name; face values, the name in the other language, initials; standing."""

    title: str
    sub: str
    category: str
    chip: Chip
    picked: bool = False


@dataclass(frozen=True, slots=True)
class FindView:
    """The search: its label, what it found, which line is chosen (-1 none), what is said when there is none."""

    label: str
    found: tuple[FoundView, ...]
    chosen: int
    empty: str
    caps: tuple[str, ...]
    foot: str


@dataclass(frozen=True, slots=True)
class RegionView:
    """A field's place on the card (mm). `covered`: what is there must not be seen; `picked`: the keys move it."""

    name: str
    label: str
    box: Box
    picked: bool
    drawn: bool
    covered: bool


@dataclass(frozen=True, slots=True)
class LegendView:
    """One of the fields that can be drawn: picked, there, or not found."""

    name: str
    label: str
    picked: bool
    there: bool


@dataclass(frozen=True, slots=True)
class LessonView:
    """The middle while a product is learned: labels of both name fields, the card, its regions, what the keys do.

    `message` stands in for a card.
    """

    name_labels: tuple[str, str]
    regions: tuple[RegionView, ...]
    legend: tuple[LegendView, ...]
    caps: tuple[str, ...]
    foot: str
    message: str


@dataclass(frozen=True, slots=True)
class ProductsView:
    """The whole screen; `lesson` stands in the middle instead of the search while a product is learned."""

    frame: FrameView
    list: ListView
    find: FindView
    lesson: LessonView | None
    side: SideView
    keys: tuple[KeyLabel, ...]
    go: GoKey
