"""Keeping footage: makes room by the rules of retention, and sees whether the files are those the store knows.

A thread of its own looks now and then. Footage goes only when room is needed, when the centre holds it (a `durable`
receipt), when nobody holds it back and when it is older than the settings say; its event comes first and its journal
stays. What is missing, or lies there and is not known, is told. When much is missing that should be there, nothing is
removed: then the disk is the wrong one, or somebody is clearing up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import Trouble
from app.core.readiness import Surroundings
from app.evidence.storage import Footage, Reconciled, footage_in, reconcile, removable, remove_footage
from app.platform import free_bytes
from app.station.rounds import Ground, Rounds
from app.station.station import Change
from app.store.footage import KnownRecording

_log = logging.getLogger(__name__)

_EVERY_S = 600.0
_FIRST_AFTER_S = 20.0
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How long footage stays at least, and how much room there shall be. `free` measures it: bytes by folder."""

    keep_days: int
    keep_free_bytes: int
    free: Callable[[Path], int] = free_bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What one look came to: files against rows, the names of recordings whose pictures were removed, the bytes."""

    reconciled: Reconciled
    removed: tuple[str, ...] = ()
    freed: int = 0


class Keeping:
    """Looks now and then."""

    def __init__(self, ground: Ground, recordings: Path, rules: Rules) -> None:
        self._store, self._clock, self._adjust = ground.store, ground.clock, ground.adjust
        self._recordings, self._rules = recordings, rules
        self._told: Reconciled | None = None
        self.rounds = Rounds("footage-keeping", self._go_round, _EVERY_S, ground.on_bug, first_s=_FIRST_AFTER_S)

    def look(self) -> Kept:
        """Look once. Raises StorageTrouble; a file that cannot be removed now is tried again at the next look."""
        known = self._store.call(lambda store: store.known_recordings())
        closed = [one for one in known if one.state == "recorded"]
        removed = [one.recording_id for one in closed if one.removed]
        others = [one.recording_id for one in known if one.state != "recorded"]
        found = reconcile([one.recording_id for one in closed], self._recordings, removed, others)
        self._tell(found)
        if found.stop:
            return Kept(found)
        here = {one.recording_id: footage_in(self._recordings / one.recording_id) for one in closed}
        due = [one.recording_id for one in closed if one.removed and here[one.recording_id]]
        due += self._due(closed, here)
        freed = sum(self._remove(recording_id, here[recording_id]) for recording_id in due)
        return Kept(found, tuple(due), freed)

    def _tell(self, found: Reconciled) -> None:
        """What is not as the store knows it: on the screen each time, in the log when it changes."""
        self._adjust(_with_missing(found))
        if found != self._told:
            self._told = found
            for name in (*found.missing, *found.holed):
                _log.error("footage: files of a recording are missing", extra={"detail": name})
            for name in found.unknown:
                _log.warning("footage: a recording that the store does not know", extra={"detail": name})

    def _due(self, closed: list[KnownRecording], here: dict[str, int]) -> list[str]:
        if not self._recordings.is_dir():
            return []
        needed = self._rules.keep_free_bytes - self._rules.free(self._recordings)
        shown = [
            Footage(one.recording_id, one.closed_wall_us, here[one.recording_id])
            for one in closed
            if here[one.recording_id] and not one.removed
        ]
        durable = {one.recording_id for one in closed if one.durable}
        held = {one.recording_id for one in closed if one.held}
        return removable(shown, durable, held, needed, self._clock.wall_us() - self._rules.keep_days * _DAY_US)

    def _remove(self, recording_id: str, size: int) -> int:
        """The event, then the files. The store looks once more whether they may go."""
        stamp = self._clock.stamp()
        try:
            self._store.call(lambda store: store.note_removed(recording_id, size, stamp))
            return remove_footage(self._recordings / recording_id)
        except Trouble as trouble:
            _log.warning("footage: %s", trouble.code)
        except OSError:
            _log.warning("footage: not removed now")
        return 0

    def _go_round(self) -> None:
        try:
            self.look()
        except OSError as trouble:
            _log.error("footage: a journal cannot be read: %s", trouble.strerror)


def _with_missing(found: Reconciled) -> Change:
    missing = len(found.missing) + len(found.holed)

    def change(around: Surroundings) -> Surroundings:
        disk = replace(around.disk, missing_recordings=missing, unknown_recordings=len(found.unknown))
        return replace(around, disk=replace(disk, keeping_stopped=found.stop))

    return change
