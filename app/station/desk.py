"""The supervisors' desk: does what supervisors ask, in order, in a thread of its own, and gives them the answers.

What may be asked at one (footage, the catalogue) is the trade of whoever sits at it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app.core.errors import Trouble
from app.core.events import Event
from app.core.parcels import Operator
from app.platform import disk_trouble
from app.station.clock import Clock
from app.station.rights import as_of_now, must_be_supervisor
from app.store.writer import StoreWriter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusals:
    """The codes a desk answers with: to who is no supervisor, and where a file is damaged or away."""

    not_allowed: str
    unreadable: str


class SupervisorsDesk:
    """Rights are looked up anew at each act: `post` hears it when a supervisor signed in is none any more.

    `on_bug` is told of bugs in the thread; it goes on with what is asked next.
    """

    def __init__(
        self,
        name: str,
        refusals: Refusals,
        store: StoreWriter,
        clock: Clock,
        on_bug: Callable[[Exception], None],
        post: Callable[[Event], None],
    ) -> None:
        self._refusals, self._store, self._clock = refusals, store, clock
        self._on_bug, self._post = on_bug, post
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after what was asked for before."""
        self._jobs.put(None)
        self._thread.join(timeout=3.0)

    def do(self, job: Callable[[], None]) -> None:
        """Have this done in the thread, whoever asks."""
        self._jobs.put(job)

    def answer(self, who: Operator, work: Callable[[], T], tell: Callable[[T | Trouble], None]) -> None:
        """Have `tell` hear (in the thread) what `work` gives or which trouble stood in its way."""

        def job() -> None:
            try:
                self.must_be_supervisor(who)
                answer: T | Trouble = work()
            except Trouble as trouble:
                answer = trouble
            except OSError as trouble:
                answer = disk_trouble(trouble, type(trouble).__name__, self._refusals.unreadable)
            tell(answer)

        self.do(job)

    def must_be_supervisor(self, who: Operator) -> None:
        """Raises BadInput of who is none (any more), StorageTrouble. For jobs."""
        now = as_of_now(self._store, who, self._clock.wall_us(), self._post)
        must_be_supervisor(now, self._refusals.not_allowed)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as bug:  # noqa: BLE001  the top of this thread
                self._on_bug(bug)
