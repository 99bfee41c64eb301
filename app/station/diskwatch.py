"""How much room is left on the disk, and how fast it goes, for the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.core.readiness import RecFacts, Surroundings
from app.platform import free_bytes
from app.station.rounds import Rounds
from app.station.station import Adjust, Change

_EVERY_S = 5.0
_PACE_AFTER_US = 20_000_000


class DiskWatch:
    """Keeps the free space of the disk that holds `root` in the surroundings; `on_bug` is told of bugs."""

    def __init__(
        self,
        root: Path,
        adjust: Adjust,
        on_bug: Callable[[Exception], None],
    ) -> None:
        self._root, self._adjust = root, adjust
        self.rounds = Rounds("disk-watch", self._go_round, _EVERY_S, on_bug, first_s=_EVERY_S)

    def _go_round(self) -> None:
        self._adjust(_with_free(free_bytes(self._root)))


def _with_free(free: int) -> Change:
    def change(around: Surroundings) -> Surroundings:
        pace = _pace(around.rec, around.label.rec, around.disk.bytes_per_minute)
        return replace(around, disk=replace(around.disk, free_bytes=free, bytes_per_minute=pace))

    return change


def _pace(rec: RecFacts, label: RecFacts, before: int) -> int:
    """Bytes a minute as the running recordings show it (sealed originals included); what was known before they do."""
    if rec.elapsed_us < _PACE_AFTER_US:
        return before
    told = [one for one in (rec, label) if one.elapsed_us >= _PACE_AFTER_US]
    return int(sum(one.bytes_on_disk * 60_000_000 / one.elapsed_us for one in told))
