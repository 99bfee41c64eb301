"""Ctrl-C and SIGTERM, taken between two steps: raised in the middle of Qt's own code they would end in a crash."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.station.station import Station


class Interrupts:
    """What the operator (or the system) said meanwhile."""

    def __init__(self) -> None:
        self._said: list[int] = []

    def note(self, number: int, _frame: object) -> None:
        self._said.append(number)

    def run_until(self, station: Station, done: Callable[[], bool], timeout_s: float) -> bool:
        """As `Station.run_until`; raises KeyboardInterrupt as soon as an end was asked for."""
        finished = station.run_until(lambda: bool(self._said) or done(), timeout_s)
        if self._said:
            raise KeyboardInterrupt
        return finished


@contextmanager
def noted_interrupts() -> Iterator[Interrupts]:
    """Until it is left, SIGINT and SIGTERM are noted only, so that starting and stopping are never cut in the middle.

    Main thread only.
    """
    interrupts = Interrupts()
    before = {number: signal.signal(number, interrupts.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
