"""What travels between the centre and who decides on real cards (role `acceptance`); in the manner of `app.wire`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.wire import Hex64, Name, WireModel

MOST_WISHES = 200
"""Cards that are decided on in one request, and that are listed in one answer."""

Outcome = Literal["accepted", "review", "rejected"]


class CardToDecide(WireModel):
    """A card that waits for a decision. `verdict`: the station's own, kept or review; `finding`: of the vault: waiting,
    first (of its number), duplicate (of the card named, "STATION/CARD"), not-openable, no-number.
    """

    station: Name
    card: Name
    event_hash: Hex64
    verdict: str
    product: str
    face_value_fen: int | None
    finding: str
    duplicate_of: str = ""


class CardsToDecide(WireModel):
    """Cards that wait, by station and card. `cursor`: where to go on; "" at the end."""

    cards: tuple[CardToDecide, ...]
    cursor: str = ""


class CardWish(WireModel):
    """What a card is to become, and why. `event_hash`: as listed; of a card that changed since nothing is decided."""

    station: Name
    card: Name
    event_hash: Hex64
    verdict: Outcome
    reason: Annotated[str, StringConstraints(min_length=1, max_length=400)]


class CardWishes(WireModel):
    """Of several cards."""

    decisions: Annotated[tuple[CardWish, ...], Field(min_length=1, max_length=MOST_WISHES)]


class CardOutcome(WireModel):
    """What came of it: given, unchanged (it stood so already), refused for the reason in `code`."""

    station: Name
    card: Name
    result: Literal["given", "unchanged", "refused"]
    code: str = ""
    revision: int = 0


class CardOutcomes(WireModel):
    """One for each wish, in their order."""

    results: tuple[CardOutcome, ...]
