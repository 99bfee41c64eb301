"""How much to send at once and how long to wait after a failure. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.store.results import RetryState
from app.wire import MOST_EVENTS

_FIRST_BATCH, _LEAST_BATCH, _STEP = 50, 1, 50
_MOST_WAIT_MS, _UNIT_MS, _SPREAD_MS = 300_000, 1000, 16_000


@dataclass(frozen=True, slots=True)
class BatchSize:
    """Additive increase, multiplicative decrease, between 1 and the centre's limit."""

    events: int = _FIRST_BATCH

    def grown(self) -> BatchSize:
        return BatchSize(min(MOST_EVENTS, self.events + _STEP))

    def halved(self) -> BatchSize:
        return BatchSize(max(_LEAST_BATCH, self.events // 2))


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
