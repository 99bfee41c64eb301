"""Batches that come in while others are being written wait for each other and go into the next transaction together.

A commit costs the same for one batch as for twenty, and so do most statements. Nobody waits for company: what is there
when the last transaction is done goes into the next, alone if need be. It happens in one thread at a time, so that
requests do not take the processor from each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from app.core.errors import StorageTrouble
from app.server.admit import Caller
from app.server.intake import Asked, take_together
from app.server.known import Known
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.wire import BatchAnswer, EventBatch

_MOST_EVENTS = 1000
"""Of one transaction, unless a single batch has more."""

_Waiting = tuple[Asked, "asyncio.Future[BatchAnswer]"]


class Gathering:
    """Takes batches for one centre, in one event loop. `now_ms`: the wall clock."""

    def __init__(self, centre: OpenCentre, now_ms: Callable[[], int]) -> None:
        self._centre, self._now_ms = centre, now_ms
        self._known = Known(centre.engine)
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, "intake")

    async def take(self, batch: EventBatch, caller: Caller) -> BatchAnswer:
        """Take a batch. Raises what `intake.take_together` gives, StorageTrouble."""
        told: asyncio.Future[BatchAnswer] = asyncio.get_running_loop().create_future()
        self._waiting.append((Asked(batch, caller), told))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await told

    async def _write_all(self) -> None:
        try:
            while group := self._next():
                if not await self._written(group):
                    for one in group:
                        await self._written([one])
        finally:
            self._writing = None

    def _next(self) -> list[_Waiting]:
        """As many as may go together, the longest waiting first: one of a station, since the second needs the first."""
        group: list[_Waiting] = []
        left: deque[_Waiting] = deque()
        names: set[str] = set()
        events = 0
        for waiting in self._waiting:
            batch = waiting[0].batch
            events += len(batch.events)
            if batch.station in names or (group and events > _MOST_EVENTS):
                left.append(waiting)
            else:
                group.append(waiting)
            names.add(batch.station)
        self._waiting = left
        return group

    async def _written(self, group: Sequence[_Waiting]) -> bool:
        """Answer all of them; False when they have to be taken one by one."""
        asked = [one for one, _ in group]
        loop, now_ms = asyncio.get_running_loop(), self._now_ms()
        work = loop.run_in_executor(self._writer, take_together, self._centre, self._known, asked, now_ms)
        await asyncio.wait([work])
        error = work.exception()
        if error is not None and len(group) > 1 and not isinstance(error, StorageTrouble):
            return False  # whose fault it was shows when each is taken for itself
        answers = [error] * len(group) if error is not None else work.result()
        for (_, told), answer in zip(group, answers, strict=True):
            if told.done():  # who asked is gone
                continue
            if isinstance(answer, (Refusal, BaseException)):
                told.set_exception(answer)
            else:
                told.set_result(answer)
        return True
