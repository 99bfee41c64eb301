"""The leak check while nothing else is to do: recordings go to the reading program one by one, its word into the store.

The program (`app.eye.leaks`) is a child that is killed at once, with its own children, when work begins; it goes on
later where it was. What it found is in the store before the next picture is read.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from app.station.child import Child
from app.station.rounds import Ground, Rounds
from app.store import leaks
from app.store.leaks import LeakJob, LeakSight

_log = logging.getLogger(__name__)

_LOOK_S = 0.1
_NOTHING_S = 30.0
_AFTER_FAILURE_S = 60.0


@dataclass(frozen=True, slots=True)
class LeakPlan:
    """How the program is started, where recordings lie, which catalogue it reads by (the fields of its job); how long
    the station must have rested before, and how long one picture may take.
    """

    argv: tuple[str, ...]
    recordings: Path
    reading: dict[str, Any]
    rest_s: float = 30.0
    patience_s: float = 120.0


class _Dropped(Exception):
    """The station has something better to do."""


class LeakWatch:
    """Looks now and then. `resting` tells at any time whether the station has nothing to do."""

    def __init__(self, ground: Ground, plan: LeakPlan, resting: Callable[[], bool]) -> None:
        self._store, self._clock, self._adjust = ground.store, ground.clock, ground.adjust
        self._plan, self._resting = plan, resting
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
            ended = self._read(job)
        except _Dropped:
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

    def _read(self, job: LeakJob) -> bool:
        """Whether the program came to the recording's end. Raises _Dropped, StorageTrouble."""
        try:
            child = Child(self._plan.argv)
        except OSError:
            return False
        heard: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=_listen, args=[child, heard], name="leak-reader", daemon=True).start()
        try:
            child.give(self._asked(job))
            while (line := self._next(heard)) is not None:
                if self._kept(job, line):
                    return True
            return False
        except (BrokenPipeError, ValueError, KeyError, TypeError):
            return False  # it died, or talks nonsense
        finally:
            child.close()

    def _asked(self, job: LeakJob) -> dict[str, Any]:
        folder = str(self._plan.recordings / job.recording.recording_id)
        told = {"folder": folder, "key": job.recording.key.hex(), "from_us": job.from_us, "harmless": job.harmless}
        return {**self._plan.reading, **told}

    def _next(self, heard: SimpleQueue[str | None]) -> str | None:
        """The program's next line; None when it ended or takes too long."""
        until_s = time.monotonic() + self._plan.patience_s
        while time.monotonic() < until_s:
            if self.rounds.ending or not self._resting():
                raise _Dropped
            try:
                return heard.get(timeout=_LOOK_S)
            except Empty:
                continue
        return None

    def _kept(self, job: LeakJob, line: str) -> bool:
        """Keep what the program said; True when that was its last word."""
        told: dict[str, Any] = json.loads(line)
        recording_id, stamp = job.recording.recording_id, self._clock.stamp()
        if told.get("done"):
            engines = [str(one) for one in told["engines"]]
            result = self._store.call(lambda store: leaks.note_end(store.ledger, recording_id, engines, stamp))
            _log.info("leak check of a recording: %s", result)
            return True
        at_us = int(told["at_us"])
        sights = [LeakSight(at_us, str(s["engine"]), str(s["how"]), int(s["length"])) for s in told["sights"]]
        self._store.call(lambda store: leaks.note_progress(store.ledger, recording_id, at_us + 1, 1, sights, stamp))
        if sights:
            self.tell()
        return False


def _listen(child: Child, heard: SimpleQueue[str | None]) -> None:
    for line in child.lines():
        heard.put(line)
    heard.put(None)
