"""How far the centre's clock is ahead of ours, learnt from its signed answers."""

from __future__ import annotations

from collections import deque
from statistics import median

_CLOCK_JUMP_MS = 5000
_LONG_WAY_MS = 4000


class ClockOffset:
    """How far the centre's clock is ahead of ours (ms): the median of the last five signed answers."""

    def __init__(self) -> None:
        self._seen: deque[int] = deque(maxlen=5)
        self.ms = 0

    def known_ms(self) -> int | None:
        """In steps of a second; None before anything was learnt."""
        return round(self.ms / 1000) * 1000 if self._seen else None

    def learn(self, server_ms: int, asked_ms: int, heard_ms: int) -> None:
        """An answer made at `server_ms` (full seconds) came back; half of the way is taken for the way here.

        Of a request that was long under way (a chunk of footage on a slow line) nobody knows which half was long.
        """
        if self._seen and heard_ms - asked_ms > _LONG_WAY_MS:
            return
        offset_ms = server_ms + 500 - (asked_ms + heard_ms) // 2
        if self._seen and abs(offset_ms - self.ms) > _CLOCK_JUMP_MS:
            self._seen.clear()  # one of the clocks was put right: what was learnt before is worth nothing
        self._seen.append(offset_ms)
        self.ms = int(median(self._seen))
