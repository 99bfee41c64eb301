"""Rounds: something is looked at now and then, in a thread of its own, and nothing waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from app.core.errors import Trouble
from app.station.clock import Clock
from app.station.station import Adjust
from app.store.writer import StoreWriter

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ground:
    """What whoever makes rounds stands on: store, clock, the surroundings it tells, who hears of its bugs."""

    store: StoreWriter
    clock: Clock
    adjust: Adjust
    on_bug: Callable[[Exception], None]


class Rounds:
    """Calls `look` after `first_s`, and again after the pause (s) it gave; where it gave None, after `every_s`.

    Trouble is logged by its code, and looked at again after `every_s`. A bug ends the rounds; `on_bug` is told.
    `cut_short` ends what a look may be waiting for when they stop.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], float | None],
        every_s: float,
        on_bug: Callable[[Exception], None],
        first_s: float = 0.0,
        cut_short: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._look, self._on_bug, self._cut_short = name, look, on_bug, cut_short
        self._every_s, self._first_s = every_s, first_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def ending(self) -> bool:
        """Whether `stop` was called: a long look ends early then."""
        return self._stopping.is_set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End them, within 3 s."""
        self._stopping.set()
        self._cut_short()
        self._thread.join(timeout=3.0)

    def rest(self, seconds: float) -> bool:
        """A pause within a look; True at once when the rounds end."""
        return self._stopping.wait(seconds)

    def _run(self) -> None:
        wait_s = self._first_s
        while not self.rest(wait_s):
            try:
                pause_s = self._look()
            except Trouble as trouble:
                _log.error("%s: %s", self._name, trouble.code)
                pause_s = None
            except Exception as bug:  # noqa: BLE001  the top of this thread
                self._on_bug(bug)
                return
            wait_s = self._every_s if pause_s is None else pause_s
