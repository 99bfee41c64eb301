"""The session machine: `step(state, event, rules)` gives the next state and what to do. Pure; time comes by `Tick`.

    SignedOut → Idle → Opening → Waiting ⇄ Reading ⇄ Asking → Saving → Waiting … → Counting → Sealing → Idle
    any state at work ⇄ Paused(device, back_to); Asking, Counting ⇄ Rejecting; any → Faulted
    Idle, Waiting, Counting ⇄ ChipTray(back_to); a desk that was left ⇄ Locked(back_to)
    any but Faulted → SignedOut(revoked), where it stays

A pair that no rule covers leaves the state as it is and is written to the audit log; tests raise on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.core import session_cards as cards
from app.core import session_chips as chips
from app.core import session_count as count
from app.core import session_desk as desk
from app.core import session_lock as cover
from app.core import session_pause as pause
from app.core import session_revoked as revoked
from app.core.audit import EventKind
from app.core.effects import Effect, ListChips, RecordFact, WatchForCards
from app.core.events import CardChanged, DeskLeft, Event, Key, KeyPressed, StationRevoked
from app.core.rules import Rules, Step
from app.core.states import (
    Asking,
    ChipTray,
    Counting,
    Faulted,
    Idle,
    Locked,
    Opening,
    Paused,
    Reading,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    State,
    Waiting,
)

_RULES_OF: dict[type[State], Callable[..., Step | None]] = {
    SignedOut: desk.when_signed_out,
    Idle: desk.when_idle,
    Opening: cards.when_opening,
    Waiting: cards.when_waiting,
    Reading: cards.when_reading,
    Asking: cards.when_asking,
    Saving: cards.when_saving,
    Rejecting: count.when_rejecting,
    Counting: count.when_counting,
    Sealing: count.when_sealing,
    Paused: pause.when_paused,
}


_CHIPS = KeyPressed(Key.F4)
"""The device at hand: the reader."""

_LEAVE = KeyPressed(Key.F12)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to. `expected` is False when no rule covers the pair."""

    state: State
    effects: tuple[Effect, ...] = ()
    expected: bool = True


def step(state: State, event: Event, rules: Rules) -> Outcome:
    """The next state and the effects to carry out, in order."""
    if isinstance(state, Faulted):
        return Outcome(state)
    if isinstance(event, StationRevoked) or (isinstance(state, SignedOut) and state.revoked):
        return Outcome(*revoked.when_revoked(state, event))
    if isinstance(state, Locked):
        return _under_cover(state, event, rules)
    if isinstance(event, DeskLeft) or (event == _LEAVE and not isinstance(state, SignedOut | Idle)):
        return Outcome(*(cover.lock(state) or (state, ())))
    if isinstance(state, ChipTray):
        return _with_chips(state, event, rules)
    if isinstance(state, Idle | Waiting | Counting) and event == _CHIPS:
        return Outcome(*chips.open_tray(state))
    found = _RULES_OF[type(state)](state, event, rules)
    if found is None:
        found = pause.interrupt(state, event) or pause.bystander(state, event)
    if found is not None:
        return Outcome(*found)
    names = (("state", type(state).__name__), ("event", type(event).__name__))
    return Outcome(state, (RecordFact(EventKind.UNEXPECTED, names),), expected=False)


def _under_cover(state: Locked, event: Event, rules: Rules) -> Outcome:
    """What is not for the cover happens to what lies under it, and stays covered."""
    found = cover.when_locked(state, event, rules)
    if found is not None:
        return Outcome(*found)
    under = step(state.back_to, event, rules)
    if isinstance(under.state, SignedOut | ChipTray | Locked | Faulted):
        return under
    return replace(under, state=replace(state, back_to=under.state))


def _with_chips(state: ChipTray, event: Event, rules: Rules) -> Outcome:
    """What is none of the tray's business happens to what lies under it; where that moves on, the tray closes."""
    found = chips.when_chips(state, event, rules)
    if found is not None:
        return Outcome(*found)
    under = step(state.back_to, event, rules)
    if isinstance(under.state, Idle | Waiting | Counting) and type(under.state) is type(state.back_to):
        anew = (ListChips(),) if isinstance(event, CardChanged) else ()
        return Outcome(replace(state, back_to=under.state), (*under.effects, *anew), under.expected)
    watch = () if isinstance(state.back_to, Idle) else (WatchForCards(True),)
    return replace(under, effects=(*under.effects, *watch))
