"""A deck: the TOML script of what happens on the table during one unboxing.

Which parcel arrives, how many cards its sender declared, and which cards lie in it, each with the state of its scratch
panel and how hard it is to see. A mistake in a deck is named with file, key and value, never guessed around.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from app.rehearsal.content import PIN_STATES
from app.rehearsal.errors import DeckError
from app.rehearsal.fonts import RESOURCES
from app.rehearsal.lettering import STYLES

DECKS = RESOURCES / "decks"
DIFFICULTIES = ("easy", "typical", "hard")


@dataclass(frozen=True)
class DeckCard:
    """One card of a parcel. Empty strings mean: as the product has it."""

    product: str
    pin_state: str = "clean"
    difficulty: str = "easy"
    number_style: str = ""
    pin_style: str = ""
    chip_family: str = ""
    chip_uid: str = ""
    doubtful_digit: bool = False
    """A smudge lies over one digit of the number, so that an honest reader must ask."""


@dataclass(frozen=True)
class Timing:
    """How long each act takes, in seconds. The card lies still for `still_s`, at least 1 s."""

    parcel_in_s: float = 0.8
    label_s: float = 2.4
    cut_s: float = 2.0
    open_s: float = 1.8
    parcel_out_s: float = 1.0
    card_in_s: float = 0.65
    still_s: float = 3.45
    card_out_s: float = 0.55
    gap_s: float = 0.35
    end_s: float = 2.0


@dataclass(frozen=True)
class Deck:
    """A whole unboxing. `waybill` is printed on the parcel as Code 128."""

    name: str
    seed: int
    waybill: str
    order_number: str
    declared_count: int
    cards: tuple[DeckCard, ...]
    timing: Timing = Timing()

    def as_data(self) -> dict[str, Any]:
        """Plain data, the same for equal decks, for hashing and for the label file."""
        return asdict(self)


def load_deck(path: Path, products: Iterable[str]) -> Deck:
    """Reads a deck; `products` are the ids that may be on the table. Raises DeckError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeckError("deck.missing", f"{path.name}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DeckError("deck.syntax", f"{path.name}: {error}") from error
    return parse_deck(document, path.stem, products)


def parse_deck(document: Mapping[str, Any], name: str, products: Iterable[str]) -> Deck:
    """A deck from parsed TOML; `name` is used in messages and labels. Raises DeckError."""
    _only(document, {"seed", "waybill", "order_number", "declared_count", "timing", "card"}, name)
    tables = document.get("card", [])
    if not isinstance(tables, list) or not tables:
        raise DeckError("deck.value", f"{name}: card (at least one is needed)")
    ids = frozenset(products)
    return Deck(
        name=name,
        seed=_whole(document, "seed", name, 0, 2**53),
        waybill=_matching(document, "waybill", name, r"[A-Z]{2}[0-9]{13}"),
        order_number=_matching(document, "order_number", name, r"[A-Z0-9-]{4,32}"),
        declared_count=_whole(document, "declared_count", name, 0, 10_000),
        cards=tuple(_card(table, f"{name}: card {index + 1}", ids) for index, table in enumerate(tables)),
        timing=_timing(document.get("timing", {}), f"{name}: timing"),
    )


def _only(table: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    unknown = sorted(set(table) - set(allowed))
    if unknown:
        raise DeckError("deck.key", f"{where}: {', '.join(unknown)}")


def _whole(table: Mapping[str, Any], key: str, where: str, low: int, high: int) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise DeckError("deck.value", f"{where}: {key} = {value!r} (a whole number from {low} to {high})")
    return value


def _matching(table: Mapping[str, Any], key: str, where: str, pattern: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise DeckError("deck.value", f"{where}: {key} = {value!r} (pattern {pattern})")
    return value


def _one_of(card: DeckCard, key: str, allowed: Iterable[str], where: str) -> None:
    if getattr(card, key) not in allowed:
        raise DeckError("deck.value", f"{where}: {key} = {getattr(card, key)!r} ({' | '.join(allowed)})")


def _card(table: object, where: str, products: frozenset[str]) -> DeckCard:
    if not isinstance(table, dict):
        raise DeckError("deck.value", where)
    _only(table, [f.name for f in fields(DeckCard)], where)
    for key, value in table.items():
        if not isinstance(value, bool if key == "doubtful_digit" else str):
            raise DeckError("deck.value", f"{where}: {key} = {value!r}")
    if table.get("product") not in products:
        raise DeckError("deck.product", f"{where}: {table.get('product')!r}")
    card = DeckCard(**table)
    _one_of(card, "pin_state", PIN_STATES, where)
    _one_of(card, "difficulty", DIFFICULTIES, where)
    _one_of(card, "number_style", ("", *STYLES), where)
    _one_of(card, "pin_style", ("", *STYLES), where)
    if card.chip_uid and not re.fullmatch(r"([0-9A-F]{2}){4}|([0-9A-F]{2}){7}|([0-9A-F]{2}){10}", card.chip_uid):
        raise DeckError("deck.value", f"{where}: chip_uid = {card.chip_uid!r} (4, 7 or 10 bytes in hex)")
    return card


def _timing(table: object, where: str) -> Timing:
    if not isinstance(table, dict):
        raise DeckError("deck.value", where)
    _only(table, [f.name for f in fields(Timing)], where)
    for key, value in table.items():
        low = 1.0 if key == "still_s" else 0.1
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= 60:
            raise DeckError("deck.value", f"{where}: {key} = {value!r} (seconds, {low} to 60)")
    return Timing(**{key: float(value) for key, value in table.items()})
