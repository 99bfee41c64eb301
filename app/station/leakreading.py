"""Recordings are read for PINs by a program of its own; what it says of a picture is in the store before the next one.

Two have that done: the station while it rests (`app.station.leakwatch`), and whoever is about to hand out pictures that
nobody has looked through (`Look`).
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from app.catalog.shelf import Sources
from app.evidence.stretch import Stretch
from app.station.child import Child
from app.station.clock import Clock
from app.station.dossiers import Ask, left_to_read
from app.store import leaks
from app.store.leaks import LeakJob, LeakSight

_log = logging.getLogger(__name__)

_LOOK_S = 0.1


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


def leak_reading(sources: Sources, rehearsal: bool) -> dict[str, Any]:
    """By which catalogue recordings are read for PINs that were left in them: the one that the eye reads by."""
    read = {"templates": sources.paths, "bound": sources.bound, "catalogue": sources.version, "own": sources.own}
    return {**read, "compiled": sources.compiled, "rehearsal": rehearsal}


def leak_plan(recordings: Path, reading: dict[str, Any]) -> LeakPlan:
    """How recordings are read for PINs that were left in them."""
    return LeakPlan((sys.executable, "-m", "app", "leaks"), recordings, reading)


class Dropped(Exception):
    """Nobody wants it read any more."""


def _always() -> bool:
    return True


class LeakReader:
    """Gives the program one job at a time."""

    def __init__(self, ask: Ask, clock: Clock, plan: LeakPlan) -> None:
        self._ask, self._clock, self._plan = ask, clock, plan

    def read(
        self, job: LeakJob, wanted: Callable[[], bool] = _always, heard: Callable[[int, bool], None] = lambda *_: None
    ) -> bool:
        """Whether the program came to the end of the job. `wanted` is asked all the time; `heard` is told of each
        picture that was read: its time (µs), and whether a PIN may be in it. Raises Dropped, StorageTrouble.
        """
        try:
            child = Child(self._plan.argv)
        except OSError:
            return False
        lines: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=_listen, args=[child, lines], name="leak-reader", daemon=True).start()
        try:
            child.give(self._asked(job))
            while (line := self._next(lines, wanted)) is not None:
                if self._kept(job, line, heard):
                    return True
            return False
        except (BrokenPipeError, ValueError, KeyError, TypeError):
            return False  # it died, or talks nonsense
        finally:
            child.close()

    def _asked(self, job: LeakJob) -> dict[str, Any]:
        folder = str(self._plan.recordings / job.recording.recording_id)
        told = {"folder": folder, "key": job.recording.key.hex(), "from_us": job.from_us, "harmless": job.harmless}
        return {**self._plan.reading, **told, **({} if job.to_us is None else {"to_us": job.to_us})}

    def _next(self, lines: SimpleQueue[str | None], wanted: Callable[[], bool]) -> str | None:
        """The program's next line; None when it ended or takes too long."""
        until_s = time.monotonic() + self._plan.patience_s
        while time.monotonic() < until_s:
            if not wanted():
                raise Dropped
            try:
                return lines.get(timeout=_LOOK_S)
            except Empty:
                continue
        return None

    def _kept(self, job: LeakJob, line: str, heard: Callable[[int, bool], None]) -> bool:
        """Keep what the program said; True when that was its last word."""
        told: dict[str, Any] = json.loads(line)
        if told.get("done"):
            self._end(job, [str(one) for one in told["engines"]])
            return True
        at_us = int(told["at_us"])
        sights = [LeakSight(at_us, str(s["engine"]), str(s["how"]), int(s["length"])) for s in told["sights"]]
        self._note(job, at_us, 1, sights)
        heard(at_us, bool(sights))
        return False

    def _end(self, job: LeakJob, engines: list[str]) -> None:
        recording_id, stamp = job.recording.recording_id, self._clock.stamp()
        if job.to_us is not None:
            self._note(job, job.to_us, 0, [])
            return
        result = self._ask(lambda store: leaks.note_end(store.ledger, recording_id, engines, stamp))
        _log.info("leak check of a recording: %s", result)

    def _note(self, job: LeakJob, at_us: int, pictures: int, sights: list[LeakSight]) -> None:
        """How far the check got, unless the job lies apart; what was seen always."""
        recording_id, stamp = job.recording.recording_id, self._clock.stamp()
        to_us, count = (0, 0) if job.apart else (at_us + 1, pictures)
        self._ask(lambda store: leaks.note_progress(store.ledger, recording_id, to_us, count, sights, stamp))


@dataclass(frozen=True, slots=True)
class Look:
    """Has a recording read, as far as it is about to be handed out and was not read yet. `progress` is told how far
    that is: the recording, done, of how much (µs).
    """

    ask: Ask
    reader: LeakReader
    progress: Callable[[str, int, int], None]

    def __call__(self, folder: Path, wanted: Stretch) -> str:
        """A word of `leaks.looked_word`. Where something was seen, the store bars the recording after it. A reader that
        fails leaves it unchecked. Raises BadInput("recording.unknown"), StorageTrouble.
        """
        job, end_us = left_to_read(self.ask, folder, wanted)
        read = end_us >= 0 if job is None else self._read(job, end_us)
        return self.ask(lambda store: leaks.looked_word(store.ledger, folder.name, read))

    def _read(self, job: LeakJob, end_us: int) -> bool:
        name, begun_us = job.recording.recording_id, job.from_us

        def heard(at_us: int, _seen: bool) -> None:
            self.progress(name, at_us - begun_us, end_us - begun_us)

        self.progress(name, 0, end_us - begun_us)
        return self.reader.read(job, heard=heard)


def _listen(child: Child, lines: SimpleQueue[str | None]) -> None:
    for line in child.lines():
        lines.put(line)
    lines.put(None)
