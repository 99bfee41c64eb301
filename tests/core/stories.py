"""Short words for the stories of a parcel."""

from __future__ import annotations

from app.core.cards import FieldReading, FieldState
from app.core.events import (
    CardWasRead,
    RecordingCut,
)
from app.core.states import (
    Ask,
    Asking,
    Idle,
    Paused,
    SignedOut,
)
from tests.core.making import (
    Walk,
    card_read,
)

COVERED = FieldReading(FieldState.COVERED)
CUT = RecordingCut("camera.lost", 77)


def with_cards(walk: Walk, count: int) -> Walk:
    for i in range(count):
        walk.on(CardWasRead(card_read(f"earlier-{i}")))
        walk.saved()
    return walk


def asked(walk: Walk, ask: Ask) -> Asking:
    assert isinstance(walk.state, Asking)
    assert walk.state.question.ask is ask
    return walk.state


def paused(walk: Walk) -> Paused:
    assert isinstance(walk.state, Paused)
    return walk.state


def tray(walk: Walk) -> tuple[str, ...]:
    """Last four of the counted cards."""
    state = walk.state.back_to if isinstance(walk.state, Paused) else walk.state
    assert not isinstance(state, (SignedOut, Idle)) and hasattr(state, "visit")  # noqa: PT018  one thought
    return tuple(card.last4 for card in state.visit.counted)
