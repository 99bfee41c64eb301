"""One round with the centre: push what waits, keep the receipts, pull what was decided.

The store is reached through its writer only. What the centre did not acknowledge stays, whatever it answered.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from app.catalog.shelf import Shelf
from app.core.audit import EventKind, SignedEvent, Stamp
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble, Unavailable
from app.core.parcels import TrayCard
from app.core.policy import Policy
from app.evidence.witness import WITNESS_FILE
from app.platform import durable_write
from app.store.backup import settle
from app.store.following import follow_centre
from app.store.governing import policy_of, revocation_of
from app.store.results import QueueFacts, RetryState
from app.store.revoked import by_answer, by_feed, hear, shred
from app.store.store import Store
from app.store.witnessed import Unwitnessed, keep_word, unwitnessed
from app.store.writer import StoreWriter
from app.sync.bringing import Bringing
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.sync.halt import Halt
from app.sync.pace import ANY_TIME, LONGEST_WAIT_MS, BatchSize, FootageTerms, after_failure
from app.sync.witness import ALARMS, Witness
from app.wire import (
    MOST_BLOBS,
    MOST_BYTES,
    BatchAnswer,
    CatalogueOffer,
    Centre,
    EventBatch,
    Result,
    Signed,
)

T = TypeVar("T")

FOOTAGE, _CATALOGUE, _WITNESS, _EXPIRED = "footage", "catalogue", "witness", "decisions"
LATER = "sync.later"
"""What is known of a wait that was noted before this program started."""

_ASK_AGAIN_MS = 30_000
"""A closing that no checkpoint of the centre holds yet is asked for again after so long."""

_TOO_MUCH = (408, 413)
"""Too slow, or too large: the centre's word, or of a proxy before it whose limit is lower."""

_LOOK_EVERY_US = 2_000_000
"""Between chunks of footage; as often as when nothing is under way."""

_log = logging.getLogger(__name__)

_MOST_BATCHES = 1000
"""In one round; a queue longer than that goes on in the next."""


async def _nothing_between() -> None:
    """Of a chain that has ended nothing is sent beside the footage."""


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A lane whose work is not done: the code of what went wrong last ("": nothing since it last got on), when it is
    tried again (wall clock, 0: at once), and whether it waits because what was shown does not verify.
    """

    lane: str
    code: str = ""
    next_try_ms: int = 0
    untrusted: bool = False


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
    recordings: Path | None = None  # where footage lies; None: it is not sent
    shelf: Shelf | None = None  # where catalogues are installed; None: they are not
    chance: Callable[[], float] = random.random
    witness: Witness | None = None
    on_policy: Callable[[Policy], None] = lambda _policy: None
    on_catalogue: Callable[[], None] = lambda: None  # called beside the loop: it may read what was installed
    terms: FootageTerms = ANY_TIME
    footage: Bringing | None = None
    lanes: dict[str, Waiting] = field(default_factory=dict)  # those at work, or tried again later
    word_next_ms: int = 0  # when to ask for the centre's word on closed recordings again (wall clock)
    high: int | None = None  # what the centre said last that it has; may be less than an earlier receipt
    _pulled_us: int = 0  # monotonic: when the feed was asked last
    misdirected: int = 0  # items of the feed for somebody else, heard of since this was made
    _unread: EvidenceTrouble | None = None  # what the centre last showed of its log is none: told when all else is done

    async def round(self) -> bool:
        """Push until nothing waits, then pull until nothing is new; True when more has come to wait meanwhile.

        Raises Unavailable (come again), Halt, EvidenceTrouble("sync.untrusted_answer": answer not by the centre).
        """
        self.client.speak_as(await self._ask(Speaker.of))
        self.client.on_newer_key = self._follow_centre
        await self._settle()
        await self._push()
        await self._pull()
        await self._expired_lane()
        await self._watch_log()
        await self._catalogue_lane()
        await self._witness_lane()
        await self._footage_lane()
        more = (await self._tell_queue()).unsent > 0
        if (unread := self._unread) is not None:
            self._unread = None
            raise unread
        return more

    async def _follow_centre(self, told: Centre) -> None:
        await self._ask(lambda store: follow_centre(store.ledger, told, self.stamp()))

    def stuck(self) -> tuple[tuple[str, str], ...]:
        """Recordings that cannot be brought, each with its trouble's code."""
        found = self.footage.stuck if self.footage else {}
        return tuple((name, stuck.code) for name, stuck in sorted(found.items()))

    def waits(self) -> tuple[Waiting, ...]:
        """The lanes whose work is not done, each with its trouble."""
        return tuple(sorted(self.lanes.values()))

    def silent(self) -> tuple[str, ...]:
        """Stations of which the centre has shown nothing for long."""
        return self.witness.silent if self.witness else ()

    async def _settle(self) -> None:
        """A database that was put back from a backup: ask what the centre has before anything is added or sent."""
        if not await self._ask(lambda store: store.ledger.frozen):
            return
        nothing = EventBatch.of(await self._ask(lambda store: store.station), [])
        try:
            receipt = (await self.client.send(nothing)).receipt
            await self._ask(lambda store: settle(store.ledger, receipt, self.stamp()))
        except CentreRefused as refused:
            if refused.reason == "auth.signature":  # the key was changed after the backup: the chain went on
                raise Halt("store.restored_behind", refused.detail) from refused
            raise
        except EvidenceTrouble as trouble:
            if trouble.code == "store.restored_behind":
                await self._bring_what_is_filmed()
                raise Halt(trouble.code, trouble.detail) from trouble
            raise

    async def _bring_what_is_filmed(self) -> None:
        """A chain that has ended here for ever: footage that only this folder has still goes, at any hour.

        Not one event goes with it. Raises Unavailable: come again; what cannot be brought holds nothing up.
        """
        if self.recordings is None:
            return
        terms = replace(self.terms, from_hour=0, to_hour=0)
        last = Bringing(self.client, self.writer, self.stamp, self.recordings, terms, self.chance, _nothing_between)
        await last.bring_all()

    async def _watch_log(self) -> None:
        """See that the centre's log only grows, for all alike. That it does not stops everything, all else can wait.

        What is no checkpoint, or no other station's word on one, proves nothing and holds nothing up: `round` raises it
        at its end.
        """
        if self.witness is None:
            self.witness = Witness(self.client, self.writer, self.stamp)
        try:
            await self.witness.look()
        except EvidenceTrouble as trouble:
            if trouble.code in ALARMS:
                raise Halt(trouble.code, trouble.detail) from trouble
            self._unread = trouble

    async def _witness_lane(self) -> None:
        """Get the centre's word on recordings that it has closed, and lay it beside them."""
        now_ms = self.stamp().wall_us // 1000
        if self.recordings is None or now_ms < self.word_next_ms <= now_ms + _ASK_AGAIN_MS:
            return
        waiting = await self._ask(lambda store: unwitnessed(store.ledger))
        if waiting:
            self.word_next_ms = now_ms + _ASK_AGAIN_MS
            await self._in_lane(_WITNESS, self._take_words(waiting, self.recordings))
        else:
            self.lanes.pop(_WITNESS, None)

    async def _take_words(self, waiting: Sequence[Unwitnessed], recordings: Path) -> None:
        for one in waiting:
            folder = recordings / one.recording_id
            if not folder.is_dir():
                continue
            try:
                answer = await self.client.witness(one.wanted)
            except CentreRefused as refused:
                if refused.reason == "witness.later":
                    return  # those behind it are later still
                raise
            bundle = await self._ask(lambda store: keep_word(store.ledger, one.wanted, answer))  # noqa: B023  awaited
            await asyncio.to_thread(durable_write, folder / WITNESS_FILE, bundle.encode())

    async def _footage_lane(self) -> None:
        """Footage waits for events, never the other way round; its trouble is its own, with a retry of its own."""
        if self.recordings is None:
            return
        if self.footage is None:
            self.footage = Bringing(
                self.client, self.writer, self.stamp, self.recordings, self.terms, self.chance, self._look_between
            )
        if await self.footage.is_time():
            await self._in_lane(FOOTAGE, self.footage.bring_all())
        else:
            self.lanes.pop(FOOTAGE, None)  # nothing to bring, or not at this hour

    async def _catalogue_lane(self) -> None:
        """Install the catalogue that the centre named last. One that a supervisor went back from is not taken again."""
        offer = await self._ask(lambda store: store.catalogue_offer())
        if self.shelf is not None and offer is not None:
            await self._in_lane(_CATALOGUE, self._install(self.shelf, offer))

    async def _expired_lane(self) -> None:
        """Decisions that ran out on the way, or before somebody acted on them, are asked for again."""
        late = await self._ask(lambda store: store.expired_decisions(self.stamp()))
        self.lanes.pop(_EXPIRED, None)
        if late:
            await self._in_lane(_EXPIRED, self._ask_again(late))

    async def _ask_again(self, late: Sequence[Signed]) -> None:
        """Raises Unavailable when none came of it: the centre decided otherwise meanwhile, or its time is another."""
        if await self.client.decisions_again(late) == 0:
            raise Unavailable("sync.refused", "decisions")
        await self._pull()

    async def _install(self, shelf: Shelf, offer: CatalogueOffer) -> None:
        try:
            standing = shelf.standing
            if offer.serial <= standing.serial:
                return
            data = (await self.client.catalogue(offer.version)).bundle
            bundle = await asyncio.to_thread(shelf.install, data)
        except StorageTrouble as damaged:  # of the shelf, not of the store
            raise Unavailable(damaged.code, damaged.detail) from damaged
        before = standing.current
        body = {"version": bundle.version, "serial": bundle.stated.serial, "before": before}
        await self._ask(lambda store: store.record(EventKind.CATALOGUE_INSTALLED, body, self.stamp(), "centre"))
        await asyncio.to_thread(self.on_catalogue)

    async def _in_lane(self, lane: str, work: Coroutine[Any, Any, None]) -> None:
        """Work whose trouble is its own: it has a retry of its own, and holds nothing else up."""
        before = await self._ask(lambda store: store.retry_state(lane))
        now_ms = self.stamp().wall_us // 1000
        last = self.lanes.get(lane, Waiting(lane))
        if now_ms < before.next_try_ms <= now_ms + LONGEST_WAIT_MS:
            self.lanes[lane] = Waiting(lane, last.code or LATER, before.next_try_ms, last.untrusted)
            work.close()
            return
        self.lanes[lane] = replace(last, next_try_ms=0)
        try:
            await work
        except Halt:
            raise
        except (Unavailable, OSError, EvidenceTrouble, BadInput) as trouble:
            code = getattr(trouble, "code", "evidence.cannot_read")
            _log.warning("%s waits: %s", lane, code)
            asked_ms = trouble.wait_ms if isinstance(trouble, CentreRefused) else 0
            after = after_failure(before, now_ms, self.chance, asked_ms)
            await self._ask(lambda store: store.save_retry(after, lane))
            self.lanes[lane] = Waiting(lane, code, after.next_try_ms, isinstance(trouble, EvidenceTrouble))
            return
        del self.lanes[lane]
        if before.failures:
            await self._ask(lambda store: store.save_retry(RetryState(), lane))

    async def _look_between(self) -> None:
        """Footage takes long: between two chunks events go out, and every few seconds decisions come in."""
        if self.lanes.get(FOOTAGE, Waiting(FOOTAGE)).code:
            self.lanes[FOOTAGE] = Waiting(FOOTAGE)  # it gets on again
            await self._tell_queue()
        await self._push()
        if self.stamp().mono_us - self._pulled_us >= _LOOK_EVERY_US:
            await self._pull()
            await self._watch_log()

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
        left = MOST_BLOBS - sum(map(len, blobs))
        return events, blobs + (store.blobs_named(self.wanted, left) if self.wanted and left > 0 else [])

    async def _send(self, events: list[SignedEvent], blobs: list[bytes]) -> Result:
        batch = EventBatch.of(await self._ask(lambda store: store.station), events, blobs)
        try:
            answer = await self.client.send(batch)
        except Unavailable as trouble:
            if not isinstance(trouble, CentreRefused) or trouble.status >= 500 or trouble.status in _TOO_MUCH:
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
        self._pulled_us = self.stamp().mono_us
        for _ in range(_MOST_BATCHES):
            cursor = await self._ask(lambda store: store.feed_cursor())
            try:
                page = await self.client.feed(cursor)
            except CentreRefused as refused:
                if refused.reason == "station.revoked" and refused.answer is not None:
                    await self._revoked(by_answer(refused.answer))
                if refused.reason != "feed.cursor" or not cursor:
                    raise
                await self._ask(lambda store: store.forget_cursor())
                continue
            applied = await self._ask(lambda store: store.apply_page(page, self.stamp()))  # noqa: B023  awaited here
            if applied.changed:
                self.on_cards(applied.changed)
            self.misdirected += applied.misdirected
            if applied.governed:
                await self._look_at_rules()
            if applied.epoch not in ("", await self._ask(lambda store: store.epoch_known())):
                await self._send([], [])  # put back to an earlier state, or new to us: what does it have?
            if not applied.more:
                return

    async def _look_at_rules(self) -> None:
        """The centre governs anew: the policy holds from now on; a station that it revoked stops."""

        def told(store: Store) -> tuple[Policy, Signed | None]:
            with store.ledger.reading() as connection:
                return policy_of(connection), revocation_of(connection, "station", store.station)

        policy, revocation = await self._ask(told)
        self.on_policy(policy)
        if revocation is not None:
            await self._revoked(by_feed(revocation))

    async def _revoked(self, proof: str) -> NoReturn:
        """The centre's signed word that this station counts no more: kept, and held to from now on, for good."""
        await self._ask(lambda store: hear(store.ledger, proof, self.stamp()))
        raise Halt("sync.revoked")

    async def last_round(self, backups: Path | None) -> bool:
        """Of a station that was revoked: bring what happened to the centre, which keeps it aside; then shred.

        The centre is asked what it has now, not what it once said: it may have been put back since. True when nothing
        is left to do. Raises as `round`.
        """
        self.client.speak_as(await self._ask(Speaker.of))
        self.client.on_newer_key = self._follow_centre
        await self._settle()
        await self._send([], [])
        await self._push()
        return await self._ask(lambda store: shred(store.ledger, backups, self.wanted))

    async def _tell_queue(self) -> QueueFacts:
        facts = await self._ask(lambda store: store.queue())
        self.on_queue(facts)
        return facts

    async def _ask(self, work: Callable[[Store], T]) -> T:
        return await asyncio.wrap_future(self.writer.ask(work))
