"""How much to send at once and how long to wait after a failure. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.settings import ServerSettings
from app.store.results import RetryState
from app.wire import MOST_EVENTS

_FIRST_BATCH, _LEAST_BATCH, _STEP = 50, 1, 50
LONGEST_WAIT_MS = 2 * 3_600_000
"""Nobody asks for more; a next try that is later was noted by a clock that has been put right since."""

_MOST_WAIT_MS, _UNIT_MS, _SPREAD_MS = 300_000, 1000, 16_000


@dataclass(frozen=True, slots=True)
class BatchSize:
    """Additive increase, multiplicative decrease, between 1 and the centre's limit."""

    events: int = _FIRST_BATCH

    def grown(self) -> BatchSize:
        return BatchSize(min(MOST_EVENTS, self.events + _STEP))

    def halved(self) -> BatchSize:
        return BatchSize(max(_LEAST_BATCH, self.events // 2))


LEAST_BYTES_S = 2000
"""Slower than 16 kbit/s footage is not brought, whatever is set: the centre ends a request that comes at half of it."""


@dataclass(frozen=True, slots=True)
class FootageTerms:
    """How fast footage goes up, 0: as fast as the line carries it; and between which hours, twice the same: always."""

    bytes_s: int = 0
    from_hour: int = 0
    to_hour: int = 0

    @classmethod
    def of(cls, server: ServerSettings) -> FootageTerms:
        """As they are set at this station."""
        limit = server.footage_kbit_s
        bytes_s = max(limit * 125, LEAST_BYTES_S) if limit else 0
        return cls(bytes_s, server.footage_from_hour, server.footage_to_hour)

    def open_at(self, hour: int) -> bool:
        """Whether footage may go in this hour (0 to 23). A window may go over midnight."""
        if self.from_hour <= self.to_hour:
            return self.from_hour == self.to_hour or self.from_hour <= hour < self.to_hour
        return hour >= self.from_hour or hour < self.to_hour


ANY_TIME = FootageTerms()


def after_failure(state: RetryState, now_ms: int, chance: Callable[[], float], floor_ms: int = 0) -> RetryState:
    """When to try again. Full jitter: uniform between 0 and min(300 s, 1 s x 2^failures).

    `floor_ms` is what the centre asked for (Retry-After): never earlier, and up to a quarter or 16 s later, so that
    those who were sent away together do not come back together. `chance` gives 0..1.
    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    if floor_ms:
        wait_ms = floor_ms + int(chance() * max(floor_ms // 4, _SPREAD_MS))
    else:
        wait_ms = int(chance() * min(_MOST_WAIT_MS, _UNIT_MS * 2 ** min(state.failures, 20)))
    return RetryState(now_ms + wait_ms, state.failures + 1)
