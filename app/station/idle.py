"""Sees that nobody is at the desk: no key, no click, no code, and nothing goes on with the cards.

The screen is covered then (`DeskLeft`). What the centre or a camera does of itself is no sign of a person.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.events import DeskLeft, Event
from app.core.readiness import Surroundings
from app.core.states import ChipTray, Faulted, Idle, Locked, Paused, SignedOut, State

_AGAIN_US = 2_000_000
"""A desk that could not be covered (an answer was under way) is tried again after so long."""


class IdleWatch:
    """`touch` for any sign of a person (any thread), `show` after each change of the station (its thread).

    `after_us` tells how long the desk may be left alone, by the centre's policy as it is now; 0: for ever.
    """

    def __init__(self, after_us: Callable[[], int], mono_us: Callable[[], int], post: Callable[[Event], None]) -> None:
        self._after_us, self._mono_us, self._post = after_us, mono_us, post
        self._touched_us = mono_us()
        self._stood: tuple[object, ...] = ()

    def touch(self) -> None:
        """Somebody is there."""
        self._touched_us = self._mono_us()

    def show(self, state: State, around: Surroundings) -> None:
        """Look at the station as it is now."""
        stands = _stands(state)
        if stands != self._stood or around.autoplay or isinstance(state, SignedOut | Locked | Faulted):
            self._stood = stands
            self.touch()
            return
        now_us, after_us = self._mono_us(), self._after_us()
        if after_us and now_us - self._touched_us >= after_us:
            self._touched_us = now_us - after_us + _AGAIN_US
            self._post(DeskLeft())


def _stands(state: State) -> tuple[object, ...]:
    """What changes only when hands are at work: a card that lies there and is looked at changes nothing here."""
    kind = type(state).__name__
    if isinstance(state, SignedOut | Idle | Faulted | Locked):
        return (kind,)
    visit = state.back_to.visit if isinstance(state, Paused) else state.visit
    work = (len(visit.cards), len(visit.shots), len(visit.stays), len(visit.pending)) if visit else ()
    tray = (state.at, state.running, state.stage, state.armed) if isinstance(state, ChipTray) else ()
    return (kind, *work, *tray)
