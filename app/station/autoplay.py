"""The rehearsal's autopilot: does what a clerk would do, with what the deck says is true. Any key takes over.

It works through the same events as a person, so it can do nothing that a person could not do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.core.cards import CardRead, FieldReading
from app.core.events import CodeScanned, Event, Key, KeyHeld, KeyPressed
from app.core.readiness import Level, Surroundings
from app.core.states import (
    SHOTS_NEEDED,
    Asking,
    ChipTray,
    Counting,
    Idle,
    Opening,
    Paused,
    Rejecting,
    SignedOut,
    State,
    Waiting,
)

PAUSE_US = 700_000
"""How long the autopilot leaves a screen before it acts: long enough to be seen."""

_MOST_DIGITS = 9

STUCK_US = 3_000_000
"""An act that changed nothing for so long is not tried again; a card that is stuck goes to review."""


TAP_US = 12_000_000
"""A card that was laid on the reader gets so long to be noticed and switched off."""

TAPS = 3
"""A chip that is still not off after so many taps is left in the tray."""


@dataclass(frozen=True, slots=True)
class TrueCard:
    """What the deck says stands on a card (rehearsal cards only: there is no secret in it)."""

    gtin: str
    number: str
    pin: str


@dataclass(frozen=True, slots=True)
class Script:
    """What the autopilot needs of a deck."""

    badge: str
    waybill: str
    cards: tuple[TrueCard, ...]


class Autoplay:
    """Watches the state and posts the next act once it stood for `PAUSE_US`. `over` once the parcel is sealed.

    `left_chips`: what is left in the chip tray stays there.
    """

    def __init__(self, script: Script, post: Callable[[Event], None], footage_over: Callable[[], bool]) -> None:
        self._script, self._post, self._footage_over = script, post, footage_over
        self._state: State | None = None
        self._since_us = 0
        self._acted = False
        self._taps: dict[str, int] = {}
        self.left_chips = False
        self.over = False
        self.taken_over = False

    def take_over(self) -> None:
        """A person touched a key: the autopilot lets go for good."""
        self.taken_over = True

    def show(self, state: State, around: Surroundings) -> None:
        """Look at the screen; act when it is time."""
        if _same(self._state, state):
            self._state = state
        else:
            self._state, self._since_us, self._acted = state, around.mono_us, False
        self.over = self.over or (isinstance(state, Idle) and state.last is not None)
        stood_us = around.mono_us - self._since_us
        patience_us = TAP_US if isinstance(state, ChipTray) and state.armed else STUCK_US
        if self.taken_over or stood_us < (patience_us if self._acted else PAUSE_US):
            return
        event = KeyPressed(Key.F7) if self._acted and isinstance(state, Asking) else self._next(state, around)
        if event is not None:
            self._acted, self._since_us = True, around.mono_us
            self._post(event)

    def _next(self, state: State, around: Surroundings) -> Event | None:
        if isinstance(state, ChipTray):
            return self._chips(state, around)
        if around.chips and not self.left_chips and self._may_turn_to_chips(state):
            return KeyPressed(Key.F4)
        match state:
            case SignedOut():
                return CodeScanned(self._script.badge)
            case Idle(last=None, finding=""):
                return CodeScanned(self._script.waybill)
            case Asking():
                return self._answer(state)
            case Waiting(visit) if visit.found >= len(self._script.cards) or self._footage_over():
                return KeyPressed(Key.SPACE)
            case Opening(began=True) if self._footage_over():
                return KeyPressed(Key.SPACE)
            case Counting():
                return _count(state)
            case Rejecting():
                return KeyPressed(Key.ESC)
            case Paused(ready=True, supervisor=False):
                return KeyPressed(Key.SPACE)
            case _:
                return None

    def _may_turn_to_chips(self, state: State) -> bool:
        """When all cards are there, while they are still filmed; for the centre's late answers after the parcel."""
        match state:
            case Waiting(visit):
                return visit.found >= len(self._script.cards) or self._footage_over()
            case Idle(last=last, finding=""):
                return last is not None
            case _:
                return False

    def _chips(self, state: ChipTray, around: Surroundings) -> Event | None:
        """Hold once, then lay one card after the other on the reader; what will not go off is left."""
        if state.running or not state.listed:
            return None
        waiting = [card for card in state.to_tap if self._taps.get(card.card_id, 0) < TAPS]
        insisted = state.named(state.insist)
        if insisted is not None and insisted not in waiting:
            return KeyPressed(Key.F2)
        if around.nfc.level is not Level.OK and around.mono_us - self._since_us < TAP_US:
            return None  # it may come back
        if not waiting or around.nfc.level is not Level.OK:
            self.left_chips = bool(state.left)
            return KeyPressed(Key.ESC)
        if not state.armed:
            return KeyHeld(Key.SPACE)
        card = insisted or waiting[0]
        number = state.cards.index(card) + 1
        if number > _MOST_DIGITS:
            self.left_chips = True
            return KeyPressed(Key.ESC)
        self._taps[card.card_id] = self._taps.get(card.card_id, 0) + 1
        return KeyPressed(Key.DIGIT, number)

    def _answer(self, asking: Asking) -> Event:
        """Choose what really stands on the card if it is offered; else hand the card to review."""
        truth = self._truth(asking.read)
        if not asking.question.holds or truth is None:
            return KeyPressed(Key.F7)
        index = asking.question.option_of(truth.number if asking.question.field == "number" else truth.pin)
        if index is None:
            return KeyPressed(Key.F7)
        return KeyPressed(Key.SPACE) if asking.choice == index else KeyPressed(Key.DIGIT, index + 1)

    def _truth(self, read: CardRead) -> TrueCard | None:
        fits = [card for card in self._script.cards if _fits(read.number, card.number)]
        return fits[0] if len(fits) == 1 else None


def _same(before: State | None, now: State) -> bool:
    """The same screen: moves of the card and of devices do not count."""
    if type(before) is not type(now):
        return False
    if isinstance(before, Asking) and isinstance(now, Asking):
        return before.question == now.question and before.choice == now.choice
    if isinstance(before, Counting) and isinstance(now, Counting):
        return before.visit.shots == now.visit.shots and before.choice == now.choice
    if isinstance(before, Idle) and isinstance(now, Idle):
        return before.finding == now.finding
    if isinstance(before, Waiting) and isinstance(now, Waiting):
        return before.visit.found == now.visit.found
    if isinstance(before, ChipTray) and isinstance(now, ChipTray):
        return _chips_stand(before) == _chips_stand(now)
    if isinstance(before, Paused) and isinstance(now, Paused):
        return before.ready == now.ready and before.supervisor == now.supervisor
    return True


def _chips_stand(tray: ChipTray) -> tuple[object, ...]:
    return tray.listed, tray.armed, tray.running, tray.insist, len(tray.to_tap)


def _fits(reading: FieldReading, text: str) -> bool:
    sure = [(i, c.best.glyph) for i, c in enumerate(reading.chars) if c.sure]
    return len(reading.chars) == len(text) and all(text[i] == glyph for i, glyph in sure)


def _count(state: Counting) -> Event:
    if not state.visit.difference or len(state.visit.shots) < SHOTS_NEEDED or state.choice is not None:
        return KeyPressed(Key.SPACE)
    return KeyPressed(Key.DIGIT, 1)
