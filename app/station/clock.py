"""The station's clocks, handed in so that tests and rehearsals can bring their own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.audit import Stamp
from app.platform import boot_id


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall clock for people, monotonic clock for durations, both in µs."""

    boot: str

    def mono_us(self) -> int:
        return time.monotonic_ns() // 1000

    def wall_us(self) -> int:
        return time.time_ns() // 1000

    def day(self) -> str:
        """Today in UTC, such as "2026-11-21"."""
        return datetime.fromtimestamp(self.wall_us() / 1e6, UTC).strftime("%Y-%m-%d")

    def stamp(self, clock_offset_ms: int = 0) -> Stamp:
        return Stamp(self.wall_us(), self.mono_us(), self.boot, clock_offset_ms)


def system_clock() -> Clock:
    return Clock(boot_id())
