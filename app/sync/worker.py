"""The thread that keeps station and centre in step: sends when something waits, asks when nothing does.

Inside runs an event loop, so that stopping cuts a request short at once. When to try again lives in the database: a
station that crashes does not come back sooner.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import httpx

from app.catalog.shelf import Shelf
from app.core.audit import Stamp
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble, Trouble, Unavailable
from app.core.parcels import TrayCard
from app.core.policy import Policy
from app.core.readiness import REVOKED, SyncState
from app.store.following import centre_signed
from app.store.results import QueueFacts, RetryState
from app.store.revoked import is_ended, is_shredded
from app.store.store import Store
from app.store.writer import StoreWriter
from app.sync.client import CentreClient, CentreRefused, Speaker, require_loopback
from app.sync.exchange import LATER, Exchange, Waiting
from app.sync.offset import ClockOffset
from app.sync.pace import ANY_TIME, FootageTerms, after_failure
from app.sync.witness import ALARMS

T = TypeVar("T")

_FOR_A_PERSON = ("store.restored_behind", "sync.fork", "sync.event_refused", *ALARMS)
_LONGEST_WAIT_MS = 2 * 3_600_000
"""Twice what a centre can ask for."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How station and centre stand. `code` says why it is OFFLINE or STOPPED; `next_try_ms` wall clock, 0 for none.
    `untrusted`: because something that was shown does not verify. `misdirected`: so many items of the feed were for
    somebody else since the worker began.

    `clock_offset_ms`: how far the centre's clock is ahead, None before it answered. `stuck`: recordings that cannot
    be brought to the centre while others are, each with its trouble's code. `waits`: what is not done beside the events
    (footage, catalogue, witness), with the trouble it had. `silent`: stations of which nothing was shown for long.
    """

    state: SyncState
    queue: QueueFacts
    code: str = ""
    next_try_ms: int = 0
    clock_offset_ms: int | None = None
    stuck: tuple[tuple[str, str], ...] = ()
    waits: tuple[Waiting, ...] = ()
    silent: tuple[str, ...] = ()
    untrusted: bool = False
    misdirected: int = 0


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Where to and how often: `poll_s` between two looks at the feed while nothing waits.

    `recordings`: the folder whose closed recordings are brought to the centre; None: none are. `spare`: further
    addresses of the same centre. `catalogue`: the folder into which published catalogues are installed; None: none are.
    `terms`: when footage may go, and how fast. `backups`: where copies of the database lie, which go with the keys of
    a station that was revoked; None: there are none.
    """

    url: str
    poll_s: float = 2.0
    recordings: Path | None = None
    spare: tuple[str, ...] = ()
    catalogue: Path | None = None
    terms: FootageTerms = ANY_TIME
    backups: Path | None = None


@dataclass(frozen=True, slots=True)
class SyncListeners:
    """Told on the worker's thread: every change of the facts, cards whose state changed, a policy.

    `on_crash` is told of a bug, after which the worker has ended; `on_catalogue`, beside that thread, that the centre's
    newest catalogue has been installed.
    """

    on_change: Callable[[SyncReport], None]
    on_cards: Callable[[tuple[TrayCard, ...]], None]
    on_crash: Callable[[Exception], None]
    on_policy: Callable[[Policy], None] = lambda _policy: None
    on_catalogue: Callable[[], None] = lambda: None


class SyncWorker:
    """One thread named `sync`. `clock` stamps what is applied and gives the wall clock for the next try."""

    def __init__(
        self,
        plan: SyncPlan,
        writer: StoreWriter,
        clock: Callable[[], Stamp],
        listeners: SyncListeners,
        *,
        chance: Callable[[], float] = random.random,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._plan = plan
        self._writer = writer
        self._clock = clock
        self._listeners = listeners
        self._chance = chance
        self._transport = transport
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._told: SyncReport | None = None
        self._revoked = False
        self._queue = QueueFacts(0, 0, 0, None, {})
        self._offset = ClockOffset()
        self._stuck: Callable[[], tuple[tuple[str, str], ...]] = tuple
        self._waits: Callable[[], tuple[Waiting, ...]] = tuple
        self._silent: Callable[[], tuple[str, ...]] = tuple
        self._misdirected: Callable[[], int] = int

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self, timeout_s: float = 3.0) -> bool:
        """End, cutting short a request that is under way; True when the thread ended in time."""
        self._from_outside(self._cancel)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def nudge(self) -> None:
        """Something new waits: look at once, unless a failure asks for patience. From any thread."""
        self._from_outside(self._wake.set)

    def _from_outside(self, action: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(action)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()

    def _run(self) -> None:
        with closing(self._loop or asyncio.new_event_loop()) as loop:
            self._task = loop.create_task(self._live())
            try:
                loop.run_until_complete(self._task)
            except asyncio.CancelledError:
                pass
            except Exception as bug:  # noqa: BLE001  the top of this thread
                self._listeners.on_crash(bug)
            loop.run_until_complete(loop.shutdown_asyncgens())

    async def _live(self) -> None:
        try:
            if await self._ask(lambda store: store.rehearsal):
                for url in (self._plan.url, *self._plan.spare):
                    require_loopback(url)
        except BadInput as refused:
            await self._settle(SyncState.STOPPED, refused.code)
            return
        except Trouble as trouble:
            self._tell(SyncReport(SyncState.STOPPED, self._queue, trouble.code))
            return
        speaker = await self._ask(Speaker.of)
        async with CentreClient(self._plan.url, self._transport, speaker, self._now_ms, self._plan.spare) as client:
            self._offset = client.offset
            exchange = Exchange(client, self._writer, self._clock, self._listeners.on_cards, self._queue_changed)
            exchange.recordings, exchange.chance = self._plan.recordings, self._chance
            exchange.terms = self._plan.terms
            exchange.on_policy, exchange.on_catalogue = self._listeners.on_policy, self._listeners.on_catalogue
            if self._plan.catalogue is not None:
                server = await self._ask(lambda store: centre_signed(store.ledger))
                exchange.shelf = Shelf(self._plan.catalogue, speaker.centre.tenant, server)
            self._stuck, self._waits, self._silent = exchange.stuck, exchange.waits, exchange.silent
            self._misdirected = lambda: exchange.misdirected
            while await self._go_on(exchange):
                pass

    async def _go_on(self, exchange: Exchange) -> bool:
        """One turn; False when the store is closed or a person has to look."""
        try:
            return await self._turn(exchange)
        except StorageTrouble as trouble:
            if trouble.code == "store.stopped":
                return False
            self._tell(SyncReport(SyncState.OFFLINE, self._queue, trouble.code))
            await self._pause(self._plan.poll_s)
            return True

    async def _turn(self, exchange: Exchange) -> bool:
        """Wait until it is time, do one round, note how it went; False when a person has to look."""
        if await self._ask(lambda store: is_ended(store.ledger)):
            return await self._last_turn(exchange)
        await self._wait_for_retry(tell=True)
        self._wake.clear()
        try:
            more = await exchange.round()
        except (Unavailable, EvidenceTrouble) as trouble:
            if trouble.code == REVOKED:
                return True
            if trouble.code in _FOR_A_PERSON:
                await self._settle(SyncState.STOPPED, trouble.code, untrusted=_is_untrusted(trouble))
                return False
            await self._failed(trouble)
            return True
        await self._succeeded()
        if not more:
            await self._pause(self._plan.poll_s)
        return True

    async def _last_turn(self, exchange: Exchange) -> bool:
        """Of a station that was revoked: what happened goes to the centre, then what may be shredded is; False when
        that is done. How it goes is told after the first try.
        """
        await self._wait_for_retry()
        self._revoked, next_try_ms = True, 0
        done = await self._ask(lambda store: is_shredded(store.ledger))
        try:
            done = done or await exchange.last_round(self._plan.backups)
        except Unavailable as away:
            next_try_ms = await self._postponed(away)
        except EvidenceTrouble:
            done = True  # a fork, say: nothing more can be brought, and what was not acknowledged stays
        await self._settle(SyncState.STOPPED, REVOKED, next_try_ms)
        if not done:
            await self._pause(self._plan.poll_s)
        return not done

    async def _wait_for_retry(self, *, tell: bool = False) -> None:
        """Until next_try. A nudge does not shorten it: the centre needs the pause more than we need the answer.

        `tell`: say that it waits, where nothing was said yet since the start.
        """
        while True:
            state: RetryState = await self._ask(lambda store: store.retry_state())
            wait_ms = state.next_try_ms - self._now_ms()
            if wait_ms <= 0 or wait_ms > _LONGEST_WAIT_MS:  # or the wall clock was put back
                return
            if tell and self._told is None:
                await self._settle(SyncState.OFFLINE, LATER, state.next_try_ms)
            await asyncio.sleep(min(wait_ms / 1000, 1.0))

    async def _failed(self, trouble: Trouble) -> None:
        untrusted, next_try_ms = _is_untrusted(trouble), await self._postponed(trouble)
        await self._settle(SyncState.OFFLINE, trouble.code, next_try_ms, untrusted=untrusted)

    async def _postponed(self, trouble: Trouble) -> int:
        """Note that it failed; when it is tried again (ms)."""
        asked_ms = trouble.wait_ms if isinstance(trouble, CentreRefused) else 0
        before: RetryState = await self._ask(lambda store: store.retry_state())
        after = after_failure(before, self._now_ms(), self._chance, asked_ms)
        await self._ask(lambda store: store.save_retry(after))
        return after.next_try_ms

    async def _succeeded(self) -> None:
        if (await self._ask(lambda store: store.retry_state())).failures:
            await self._ask(lambda store: store.save_retry(RetryState()))
        await self._settle(SyncState.SYNCED, "")

    async def _settle(self, state: SyncState, code: str, next_try_ms: int = 0, *, untrusted: bool = False) -> None:
        facts = await self._ask(lambda store: store.queue())
        if state is SyncState.SYNCED and facts.unsent:
            state = SyncState.SENDING
        beside = (self._stuck(), self._waits(), self._silent(), untrusted, self._misdirected())
        self._tell(SyncReport(state, facts, code, next_try_ms, self._offset.known_ms(), *beside))

    def _queue_changed(self, facts: QueueFacts) -> None:
        """In the middle of a round: SYNCED is said at its end only."""
        if self._revoked:
            self._queue = facts
        elif facts.unsent or self._told is None:
            beside = (self._stuck(), self._waits(), self._silent(), False, self._misdirected())
            self._tell(SyncReport(SyncState.SENDING, facts, "", 0, None, *beside))
        else:
            self._tell(replace(self._told, queue=facts, waits=self._waits()))

    def _tell(self, facts: SyncReport) -> None:
        self._queue = facts.queue
        if facts != self._told:
            self._told = facts
            self._listeners.on_change(facts)

    async def _pause(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), wait_s)

    def _now_ms(self) -> int:
        return self._clock().wall_us // 1000

    async def _ask(self, work: Callable[[Store], T]) -> T:
        return await asyncio.wrap_future(self._writer.ask(work))


def _is_untrusted(trouble: Trouble) -> bool:
    return isinstance(trouble, EvidenceTrouble)
