"""One round with the centre: push what waits, keep the receipts, pull what was decided.

The store is reached through its writer only. What the centre did not acknowledge stays, whatever it answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from app.core.audit import SignedEvent, Stamp
from app.core.errors import EvidenceTrouble, Unavailable
from app.core.parcels import TrayCard
from app.store.results import QueueFacts
from app.store.store import Store
from app.store.writer import StoreWriter
from app.sync.client import CentreClient, CentreRefused
from app.sync.pace import BatchSize
from app.wire import MOST_BYTES, BatchAnswer, EventBatch, Result

T = TypeVar("T")

_MOST_BATCHES = 1000
"""In one round; a queue longer than that goes on in the next."""


class Halt(EvidenceTrouble):
    """Sending must stop until a person has looked: sync.fork (two histories under one key), sync.event_refused."""


@dataclass(slots=True)
class Exchange:
    """Talks one station's store through to the centre. Keeps only what may be forgotten: batch size, wanted blobs."""

    client: CentreClient
    writer: StoreWriter
    stamp: Callable[[], Stamp]
    on_cards: Callable[[tuple[TrayCard, ...]], None]
    on_queue: Callable[[QueueFacts], None]
    size: BatchSize = field(default_factory=BatchSize)
    wanted: frozenset[str] = frozenset()
    high: int | None = None  # what the centre said last that it has; may be less than an earlier receipt

    async def round(self) -> bool:
        """Push until nothing waits, then pull until nothing is new; True when more has come to wait meanwhile.

        Raises Unavailable (come again), Halt, EvidenceTrouble("sync.untrusted_answer": answer not by the centre).
        """
        await self._push()
        await self._pull()
        return (await self._tell_queue()).unsent > 0

    async def _push(self) -> None:
        gaps = 0
        for _ in range(_MOST_BATCHES):
            events, blobs = await self._ask(self._next_batch)
            if not events and not blobs:
                return
            gaps = gaps + 1 if await self._send(events, blobs) == "gap" else 0
            if gaps > 1:
                raise Unavailable("sync.refused", "gap after gap")

    def _next_batch(self, store: Store) -> tuple[list[SignedEvent], list[bytes]]:
        after = store.high_received() if self.high is None else self.high
        events = store.outbox_after(after, self.size.events, MOST_BYTES)
        blobs = store.blobs_between(events[0].seq, events[-1].seq) if events else []
        return events, blobs + (store.blobs_named(self.wanted) if self.wanted else [])

    async def _send(self, events: list[SignedEvent], blobs: list[bytes]) -> Result:
        batch = EventBatch.of(await self._ask(lambda store: store.station), events, blobs)
        try:
            answer = await self.client.send(batch)
        except Unavailable as trouble:
            if not isinstance(trouble, CentreRefused) or trouble.status >= 500 or trouble.reason == "too_large":
                self.size = self.size.halved()
            raise
        return await self._take(answer)

    async def _take(self, answer: BatchAnswer) -> Result:
        """Keep the receipt first: it is what counts. Gives back what became of the last event looked at."""
        told, changed = await self._ask(lambda store: store.save_receipt(answer.receipt))
        self.high, self.wanted = told.high, frozenset(answer.missing_blobs)
        if changed:
            self.on_cards(changed)
        await self._tell_queue()
        last = answer.results[-1] if answer.results else None
        if last and last.result in ("fork", "refused"):
            raise Halt("sync.fork" if last.result == "fork" else "sync.event_refused", f"event {last.seq} {last.code}")
        if last and last.result == "gap":
            return "gap"
        self.size = self.size.grown()
        return "applied"

    async def _pull(self) -> None:
        for _ in range(_MOST_BATCHES):
            cursor = await self._ask(lambda store: store.feed_cursor())
            try:
                page = await self.client.feed(cursor)
            except CentreRefused as refused:
                if refused.reason == "station.revoked":
                    raise Halt("sync.revoked") from refused
                if refused.reason != "feed.cursor" or not cursor:
                    raise
                await self._ask(lambda store: store.forget_cursor())
                continue
            applied = await self._ask(lambda store: store.apply_page(page, self.stamp()))  # noqa: B023  awaited here
            if applied.changed:
                self.on_cards(applied.changed)
            if not applied.more:
                return

    async def _tell_queue(self) -> QueueFacts:
        facts = await self._ask(lambda store: store.queue())
        self.on_queue(facts)
        return facts

    async def _ask(self, work: Callable[[Store], T]) -> T:
        return await asyncio.wrap_future(self.writer.ask(work))
