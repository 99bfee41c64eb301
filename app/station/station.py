"""The station: one inbox, one thread that drains it, THE state. Everything else posts."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import replace

from app.core.effects import Effect, StopRecording
from app.core.events import Event, StationRevoked, Tick
from app.core.policy import Policy
from app.core.products import Catalogue
from app.core.readiness import Surroundings
from app.core.rules import Rules
from app.core.session import step
from app.core.states import Faulted, Idle, Paused, SignedOut, State

Change = Callable[[Surroundings], Surroundings]
Adjust = Callable[[Change], None]
"""Has the surroundings changed, in the station's thread."""
Post = Callable[[Event], None]
"""Hands an event to the session."""
Show = Callable[[State, Surroundings], None]

TICK_S = 0.25
_log = logging.getLogger(__name__)


class Station:
    """Draws events from the inbox, steps the session, carries out effects, shows the result.

    `post` and `adjust` may be called from any thread; `drain`, `tick` and `run_until` from the owning thread only.
    `wake` is called (in the poster's thread) when something was put into the inbox, so that a window can drain it.
    """

    def __init__(self, rules: Rules, mono_us: Callable[[], int], wall_us: Callable[[], int]) -> None:
        self._rules = rules
        self._mono_us, self._wall_us = mono_us, wall_us
        self._inbox: queue.SimpleQueue[Event | Change | Catalogue | Faulted] = queue.SimpleQueue()
        self._perform: Callable[[Effect], None] = lambda _effect: None
        self._shows: list[Show] = []
        self.state: State = SignedOut()
        self.around = Surroundings()

    def join(self, perform: Callable[[Effect], None]) -> None:
        """Give the station its hands."""
        self._perform = perform

    def on_show(self, show: Show) -> None:
        """Call `show(state, surroundings)` in the station's thread after each change."""
        self._shows.append(show)

    def post(self, event: Event) -> None:
        self._inbox.put(event)

    def adjust(self, change: Change) -> None:
        """Change the surroundings in the station's thread."""
        self._inbox.put(change)

    def judge_by(self, catalogue: Catalogue) -> None:
        """Judge cards by this catalogue from the next event on."""
        self._inbox.put(catalogue)

    def tick(self) -> None:
        """Let time pass; call it every `TICK_S`."""
        self.post(Tick(self._mono_us()))
        if self.around.sync.revoked:
            self.post(StationRevoked())

    def drain(self) -> bool:
        """Work through what is in the inbox; True when there was anything."""
        worked = False
        while True:
            try:
                item = self._inbox.get_nowait()
            except queue.Empty:
                break
            self._take(item)
            worked = True
        if worked:
            self._show()
        return worked

    def run_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Without a window: drain and tick until `done()`; False when `timeout_s` passed first, or a bug was met."""
        deadline = time.monotonic() + timeout_s
        next_tick = time.monotonic()
        while not done():
            now = time.monotonic()
            if now >= deadline or isinstance(self.state, Faulted):
                return False
            if now >= next_tick:
                self.tick()
                next_tick = now + TICK_S
            if not self.drain():
                time.sleep(0.01)
        return True

    @property
    def rules(self) -> Rules:
        """Products and limits as they are now."""
        return self._rules

    def govern(self, policy: Policy) -> None:
        """The centre's policy is another one (any thread may say so): it holds from the next step on."""
        self._rules = self._rules.governed(policy)

    def fail(self, code: str, detail: str) -> None:
        """A bug was met (any thread may say so): nothing is taken in any more; what is kept stays kept."""
        self._inbox.put(Faulted(code, detail))

    def _take(self, item: Event | Change | Catalogue | Faulted) -> None:
        if isinstance(item, Faulted):
            self._fall(item)
            return
        if isinstance(item, Catalogue):
            self._rules = replace(self._rules, catalogue=item)
            return
        if callable(item):
            self.around = item(self.around)
            return
        outcome = step(self.state, item, self._rules)
        if not outcome.expected:
            _log.info("unexpected %s in %s", type(item).__name__, type(self.state).__name__)
        self.state = outcome.state
        for effect in outcome.effects:
            self._perform(effect)

    def _fall(self, faulted: Faulted) -> None:
        """Nothing is taken in any more; the recording is closed, so that what was filmed is sealed."""
        state, self.state = self.state, faulted
        if isinstance(state, (SignedOut, Idle, Faulted)):
            return
        visit = state.back_to.visit if isinstance(state, Paused) else state.visit
        if visit is not None:
            self._perform(StopRecording(visit.recording_id))

    def _show(self) -> None:
        self.around = replace(self.around, wall_us=self._wall_us(), mono_us=self._mono_us())
        for show in self._shows:
            show(self.state, self.around)
