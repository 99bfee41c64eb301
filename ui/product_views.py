"""What the product screen shows, as plain data: made by `ui.present_products`, drawn by its widgets. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass

from ui.review_views import ListView, SideView
from ui.views import Banner, Chip, GoKey, KeyLabel, NavItem, TopBar


@dataclass(frozen=True, slots=True)
class FoundView:
    """One product that a search found: its name, its name in the other language with initials, category, standing."""

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
class ProductsView:
    """The whole screen. `middle`: "find" or "note"; `note` stands in the middle where nothing is searched."""

    nav: tuple[NavItem, ...]
    train: NavItem
    top: TopBar
    banner: Banner | None
    list: ListView
    find: FindView
    side: SideView
    keys: tuple[KeyLabel, ...]
    go: GoKey
