"""Copies the station's database now and then, while nobody works: the rolling backup.

A copy is made an hour after the last one, when there is anything new in the chain, and only at rest, since the store
does nothing else meanwhile. When a copy fails the older ones stay, and the screen says what is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from app.core.errors import Trouble
from app.paths import StationFolder
from app.settings import Settings
from app.station.rounds import Ground, Rounds
from app.store.backup import Copy, back_up

_log = logging.getLogger(__name__)

BACKUPS_KEPT = 8
_EVERY_US = 3_600_000_000
_LOOK_S = 20.0
_LONGEST_COPY_S = 600.0


def backups_of(folder: StationFolder, settings: Settings) -> Path:
    """Where a station's backups go. A relative path begins at the station's folder."""
    named = settings.recording.backup_folder
    return folder.root / named if named else folder.backups


@dataclass(frozen=True, slots=True)
class BackingPlan:
    """What is copied, where to, how many copies stay, and how long one is good for."""

    database: Path
    to: Path
    keep: int = BACKUPS_KEPT
    every_us: int = _EVERY_US


class Backing:
    """Looks now and then whether a copy is due. `resting`: nobody works."""

    def __init__(self, ground: Ground, plan: BackingPlan, resting: Callable[[], bool]) -> None:
        self._store, self._clock, self._adjust = ground.store, ground.clock, ground.adjust
        self._plan, self._resting = plan, resting
        self._copied_us: int | None = None  # monotonic; None: not since this start
        self._head = -1
        self.rounds = Rounds("backup", self._go_round, _LOOK_S, ground.on_bug, first_s=_LOOK_S)

    def look(self) -> Copy | None:
        """Make a copy if one is due and nobody works. Raises Trouble; the older copies stay then."""
        now_us = self._clock.mono_us()
        if self._copied_us is not None and now_us - self._copied_us < self._plan.every_us:
            return None
        if not self._resting() or self._store.call(lambda store: store.queue().head) == self._head:
            return None
        self._copied_us = now_us
        plan, now = self._plan, datetime.fromtimestamp(self._clock.wall_us() / 1e6, UTC)
        copy = self._store.call(lambda store: back_up(store, plan.database, plan.to, now, plan.keep), _LONGEST_COPY_S)
        self._head = copy.head
        return copy

    def _go_round(self) -> None:
        try:
            if self.look() is not None:
                self._tell("")
        except Trouble as trouble:
            if trouble.code != "store.stopped":
                _log.error("backup: %s", trouble.code)
                self._tell(trouble.code)

    def _tell(self, code: str) -> None:
        self._adjust(lambda around: replace(around, backup_code=code))
