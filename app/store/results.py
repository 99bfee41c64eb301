"""What the store answers: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.cards import CardState
from app.core.footage import OVERHEAD
from app.core.parcels import TrayCard


@dataclass(frozen=True, slots=True)
class Kept:
    """The card, its sealed secrets and its event are on disk."""

    card: TrayCard
    seq: int


@dataclass(frozen=True, slots=True)
class AlreadyKept:
    """The same read had been kept before; nothing was written."""

    card: TrayCard
    seq: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The number was taken at this station before; nothing was written. `card_id` is the earlier card."""

    card_id: str
    no: int
    parcel_id: str
    waybill: str
    last4: str
    wall_us: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What a parcel holds by the store's own count: cards by state; `total` without withdrawn ones."""

    total: int
    by_state: Mapping[CardState, int]
    face_value_fen: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as the station knows it. `state`: "recording" or "recorded"; `final_hash` "" until closed; `role`: of
    which camera.
    """

    recording_id: str
    parcel_id: str
    state: str
    final_hash: str
    key: bytes = field(repr=False)
    role: str = OVERHEAD


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """How far the outbox is: events not yet at the centre, the wall time (µs) of the oldest, cards by state.

    `oldest`: when the oldest card of each state was kept (µs); `footage`: recordings that the centre does not hold;
    `held`: events that lie there without having been taken up, by its reason, the most frequent first.
    """

    head: int
    received: int
    unsent: int
    oldest_wall_us: int | None
    cards: Mapping[CardState, int]
    oldest: Mapping[CardState, int] = field(default_factory=dict)
    footage: int = 0
    held: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryState:
    """When to try the centre again (ms since 1970, 0: now) after how many failures in a row."""

    next_try_ms: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """Space for the database: free bytes of the disk, and whether the reserve is still there."""

    free_bytes: int
    reserve_intact: bool
