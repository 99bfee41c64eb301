"""Brings closed recordings to the centre, each for itself: what is wrong with one holds up no other.

How fast and at what hours is the station's own setting: the line of a shop carries its till and its telephone, too.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from app.core.audit import Stamp
from app.core.errors import BadInput, EvidenceTrouble, Unavailable
from app.store.recordings import brought
from app.store.results import Recording, RetryState
from app.store.store import Store
from app.store.writer import StoreWriter
from app.sync.client import CentreClient, CentreRefused, require_loopback
from app.sync.footage import Chunk, chunks_of, lacks_originals
from app.sync.halt import Halt
from app.sync.pace import LONGEST_WAIT_MS, FootageTerms, after_failure
from app.wire import ObjectSize, ObjectsWanted, VideoManifest, hash_of_pieces, sign_statement

T = TypeVar("T")

_ASKED_AT_ONCE = 32
"""Chunks; their addresses in a bucket hold for a quarter of an hour."""

_DAMAGED_MS = 900_000
"""Between two looks at a recording that is damaged here: each reads all of it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A recording that cannot be brought: its trouble's code, and when it is tried again."""

    code: str
    retry: RetryState


class _HoursOver(Exception):
    """In the middle of a recording it got too late to go on."""


@dataclass(slots=True)
class Bringing:
    """The footage lane. `look_between` is called after each chunk; `stuck`: what cannot be brought, by recording."""

    client: CentreClient
    writer: StoreWriter
    stamp: Callable[[], Stamp]
    recordings: Path
    terms: FootageTerms
    chance: Callable[[], float]
    look_between: Callable[[], Awaitable[None]]
    stuck: dict[str, Stuck] = field(default_factory=dict)
    looked_back: bool = False  # whether what is at the centre was held against what lies here, once since the start

    async def is_time(self) -> bool:
        """Whether anything waits, and may go now."""
        if not self._is_open():
            return False
        return not self.looked_back or bool(await self._ask(lambda store: store.waiting_footage()))

    def _is_open(self) -> bool:
        return self.terms.open_at(datetime.fromtimestamp(self.stamp().wall_us / 1e6).hour)  # the shop's own hours

    async def bring_all(self) -> None:
        """Each for itself: what is wrong with one recording holds up no other."""
        waiting: tuple[Recording, ...] = await self._ask(lambda store: store.waiting_footage())
        names = {found.recording_id for found in waiting}
        self.stuck = {name: stuck for name, stuck in self.stuck.items() if name in names}
        for found in waiting:
            folder = self.recordings / found.recording_id
            if folder.is_dir() and self._is_due(found.recording_id):  # deleted when an earlier centre held it
                try:
                    await self._bring_one(found, folder)
                except _HoursOver:
                    return
        if not self.looked_back:
            self.looked_back = await self._bring_originals()

    async def _bring_originals(self) -> bool:
        """The sealed originals that an earlier release left here; False when it got too late for all of them."""
        for found, held_bytes in await self._ask(lambda store: brought(store.ledger)):
            folder = self.recordings / found.recording_id
            try:
                if folder.is_dir() and await asyncio.to_thread(lacks_originals, folder, held_bytes):
                    _log.info("sealed originals are brought after the rest", extra={"detail": found.recording_id})
                    await self._bring_one(found, folder)
            except _HoursOver:
                return False
        return True

    def _is_due(self, name: str) -> bool:
        stuck, now_ms = self.stuck.get(name), self.stamp().wall_us // 1000
        return stuck is None or not now_ms < stuck.retry.next_try_ms <= now_ms + LONGEST_WAIT_MS

    async def _bring_one(self, found: Recording, folder: Path) -> None:
        try:
            await self._bring(found, folder)
        except (Unavailable, OSError, EvidenceTrouble, BadInput) as trouble:
            if not _is_its_own(trouble):
                raise
            name, code = found.recording_id, getattr(trouble, "code", "evidence.cannot_read")
            _log.error("footage of a recording waits: %s", code, extra={"detail": name})
            before = self.stuck[name].retry if name in self.stuck else RetryState()
            least_ms = 0 if isinstance(trouble, Unavailable) else _DAMAGED_MS
            self.stuck[name] = Stuck(code, after_failure(before, self.stamp().wall_us // 1000, self.chance, least_ms))
        else:
            self.stuck.pop(found.recording_id, None)

    async def _bring(self, found: Recording, folder: Path) -> None:
        """One recording: what the centre lacks of it, then its manifest."""
        chunks = await asyncio.to_thread(chunks_of, folder, found.key, found.final_hash)
        for at in range(0, len(chunks), _ASKED_AT_ONCE):
            await self._bring_chunks(chunks[at : at + _ASKED_AT_ONCE])
        pieces = tuple(chunk.piece for chunk in chunks)
        station, signer, _ = await self._ask(lambda store: store.speaker())
        key = base64.b64encode(await self._ask(lambda store: store.sealed_key(found)))
        manifest = VideoManifest(
            station=station, recording=found.recording_id, final_hash=found.final_hash, pieces=pieces, key=key
        )
        answer = await self.client.put_manifest(found.recording_id, sign_statement(manifest, signer.sign))
        durable = answer.durable
        if durable is None:  # a chunk was lost there: the next round asks again which
            raise Unavailable("sync.footage_missing", f"{len(answer.missing)} chunks")
        await self._ask(lambda store: store.save_durable(durable, hash_of_pieces(pieces)))

    async def _bring_chunks(self, chunks: Sequence[Chunk]) -> None:
        by_oid = {chunk.piece.oid: chunk for chunk in chunks}
        sizes = tuple(ObjectSize(oid=oid, size=chunk.piece.size) for oid, chunk in by_oid.items())
        for place in (await self.client.objects(ObjectsWanted(objects=sizes))).objects:
            if "upload" not in place.actions or place.oid not in by_oid:
                continue
            if "://" in place.actions["upload"].href and await self._ask(lambda store: store.rehearsal):
                require_loopback(place.actions["upload"].href)
            if not self._is_open():
                raise _HoursOver  # the rest goes when the line is free again
            read = by_oid[place.oid].read  # no name for the bytes: they are gone before the next ones come
            await self.client.put_object(place, await asyncio.to_thread(read), self.terms.bytes_s)
            await self.look_between()

    async def _ask(self, work: Callable[[Store], T]) -> T:
        return await asyncio.wrap_future(self.writer.ask(work))


def _is_its_own(trouble: Exception) -> bool:
    """Whether what went wrong lies with one recording: damage here, or that the centre will not have it so."""
    if isinstance(trouble, Halt | BadInput):
        return False
    if isinstance(trouble, CentreRefused):
        # A bucket that knows no such place, or nobody of ours, says so of every chunk alike.
        return trouble.status in ((400, 413) if trouble.reason == "bucket" else (400, 404, 409, 413, 422))
    return not isinstance(trouble, Unavailable) or trouble.code == "sync.footage_missing"
