"""Watches the wall clock: a step of it becomes a signed event of the station, also one while nobody looked.

The monotonic clock cannot be set, so the distance between the two changes only when somebody, or NTP, sets the wall
clock, or while the machine sleeps. At start the newest event in the chain tells what the distance was; after another
boot only a wall clock that went back can be seen. Every recording has the same in its own chain.
"""

from __future__ import annotations

import json
import logging

from app.core.audit import EventKind
from app.station.rounds import Ground, Rounds
from app.store.store import Store

_log = logging.getLogger(__name__)

EVERY_S = 1.0
STEP_US = 500_000
"""What NTP slews between two looks is half a millisecond; a busy machine may take some time between two clocks."""


class ClockWatch:
    """Looks every second."""

    def __init__(self, ground: Ground) -> None:
        self._store, self._clock = ground.store, ground.clock
        self._offset_us: int | None = None
        self.rounds = Rounds("clock-watch", self._go_round, EVERY_S, ground.on_bug)

    def look(self) -> bool:
        """Look once; True when a step was found, which is in the chain then. Raises StorageTrouble."""
        mono_us, wall_us = self._clock.mono_us(), self._clock.wall_us()
        expected_us, since = self._expected(mono_us, wall_us)
        stepped = abs(wall_us - expected_us) > STEP_US
        if stepped:
            body = {"expected_wall_us": expected_us, "wall_us": wall_us, "since": since}
            stamp = self._clock.stamp()
            self._store.call(lambda store: store.record(EventKind.CLOCK_STEPPED, body, stamp, ""))
            _log.warning("the wall clock was set", extra={"detail": f"{(wall_us - expected_us) // 1000} ms"})
        self._offset_us = wall_us - mono_us
        return stepped

    def _expected(self, mono_us: int, wall_us: int) -> tuple[int, str]:
        """What the wall clock should show now, by what was seen last, and when that was."""
        if self._offset_us is not None:
            return mono_us + self._offset_us, "running"
        last = self._store.call(_newest)
        if last is None:
            return wall_us, "running"
        if last["boot_id"] == self._clock.boot:
            return mono_us + int(last["at_wall"]) - int(last["at_mono"]), "away"
        return max(wall_us, int(last["at_wall"])), "other-boot"

    def _go_round(self) -> None:
        self.look()


def _newest(store: Store) -> dict[str, str | int] | None:
    """The newest event's times, None in an empty chain."""
    head = store.queue().head
    events = store.outbox_after(head - 1, 1) if head else []
    if not events:
        return None
    told = json.loads(events[0].data)
    return {name: told[name] for name in ("at_wall", "at_mono", "boot_id")}
