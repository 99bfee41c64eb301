"""The leak check while nothing else is to do: recordings go to the reading program one by one, its word into the store.

The program (`app.eye.leaks`) is a child that is killed at once, with its own children, when work begins; it goes on
later where it was. What it says of a picture is in the store before it says the next.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from app.station.leakreading import Dropped, LeakPlan, LeakReader
from app.station.rounds import Ground, Rounds
from app.store import leaks

_log = logging.getLogger(__name__)

_LOOK_S = 0.1
_NOTHING_S = 30.0
_AFTER_FAILURE_S = 60.0


class LeakWatch:
    """Looks now and then. `resting` tells at any time whether the station has nothing to do."""

    def __init__(self, ground: Ground, plan: LeakPlan, resting: Callable[[], bool]) -> None:
        self._store, self._clock, self._adjust = ground.store, ground.clock, ground.adjust
        self._plan, self._resting = plan, resting
        self._reader = LeakReader(ground.store.call, ground.clock, plan)
        self.rounds = Rounds("leak-watch", self._go_round, _AFTER_FAILURE_S, ground.on_bug)

    def tell(self) -> None:
        """Show how many recordings wait for a judgement. Raises StorageTrouble."""
        count = self._store.call(lambda store: leaks.unjudged(store.ledger))
        self._adjust(lambda around: replace(around, disk=replace(around.disk, leaks=count)))

    def _go_round(self) -> float:
        """Read one recording if there is rest; how long to wait then (s)."""
        self.tell()
        if not self._rested():
            return _LOOK_S
        job = self._store.call(lambda store: leaks.next_job(store.ledger))
        if job is None:
            return _NOTHING_S
        try:
            ended = self._reader.read(job, self._wanted, self._heard)
        except Dropped:
            return _LOOK_S
        if ended:
            return 0.0
        recording_id, stamp = job.recording.recording_id, self._clock.stamp()
        given_up = self._store.call(lambda store: leaks.note_failure(store.ledger, recording_id, stamp))
        _log.warning("leak check: the reader failed%s", ", given up" if given_up else "")
        return 0.0 if given_up else min(_AFTER_FAILURE_S, self._plan.rest_s * 2)

    def _rested(self) -> bool:
        """Whether the station rests, and goes on resting for the wanted time."""
        until_s = time.monotonic() + self._plan.rest_s
        while self._resting():
            if time.monotonic() >= until_s:
                return True
            if self.rounds.rest(_LOOK_S):
                return False
        return False

    def _wanted(self) -> bool:
        return not self.rounds.ending and self._resting()

    def _heard(self, _at_us: int, seen: bool) -> None:
        if seen:
            self.tell()
