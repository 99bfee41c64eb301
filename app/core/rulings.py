"""What supervisors decide under Review: of doubtful cards, drawn samples and disputes; and when a second one signs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from app.core.cards import Secret
from app.core.parcels import Reason

UNDO_US = 120_000_000
"""So long a ruling can be taken back by who made it."""

HOLD_US = 72 * 3600 * 1_000_000
"""So long a card waits for the sender's answer at most; then the list says that it is overdue."""


class Ruling(StrEnum):
    """Of a doubtful card."""

    ACCEPT = "accept"
    REJECT = "reject"
    HOLD = "hold"  # the sender is asked


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """From more than how much on (fen) a second supervisor signs; a card without a known value counts as more."""

    second_above_fen: int = 50_000


USUAL = ReviewPolicy()


@dataclass(frozen=True, slots=True)
class Second:
    """The second person, by a badge or by number and passcode."""

    badge: str = ""
    operator_id: str = ""
    passcode: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ruled:
    """What was written: the event's number; `undo_until_us`: wall clock, 0 where it cannot be taken back."""

    seq: int
    undo_until_us: int = 0


_SUSPECT = frozenset(
    {
        Reason.OPERATOR_REVIEW,
        Reason.DUPLICATE,
        Reason.BLOCKED,
        Reason.CHIP_UID_TWICE,
        Reason.CENTRE_REVIEW,
        Reason.NUMBER_AS_PRINTED,
        Reason.PIN_AS_PRINTED,
    }
)


def needs_second(ruling: Ruling, face_value_fen: int | None, policy: ReviewPolicy) -> bool:
    """Whether another supervisor has to sign: for what is final, above the set value."""
    final = ruling in (Ruling.ACCEPT, Ruling.REJECT)
    return final and (face_value_fen is None or face_value_fen > policy.second_above_fen)


def needs_reason(ruling: Ruling, reasons: Collection[Reason]) -> bool:
    """Whether it has to be said why: always, but for accepting a card that was only hard to read."""
    return ruling is not Ruling.ACCEPT or not _SUSPECT.isdisjoint(reasons)
