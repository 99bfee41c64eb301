"""Watches the centre's log: each new checkpoint must begin with everything that was seen before, else an alarm.

What was seen: the last checkpoint that was verified and the tree heads in receipts since; and now and then what other
stations countersigned. A centre that rewrites its past, or shows different stations different logs, cannot prove that;
the proof of its guilt (two statements that it signed) is kept in the station's chain. A good checkpoint is
countersigned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from app.centre_keys import server_keys
from app.core.audit import EventKind, Stamp
from app.core.errors import EvidenceTrouble
from app.core.merkle import is_prefix
from app.store import heads, others
from app.store.heads import TreeHead
from app.store.notes import Checkpoint, cosign, origin_of, read_checkpoint
from app.store.store import Store
from app.store.writer import StoreWriter
from app.sync.client import CentreClient, CentreRefused
from app.sync.elsewhere import compare
from app.sync.put_back import PutBack, put_back, require_proofs
from app.wire_witness import CheckpointAnswer, Cosigning

T = TypeVar("T")

EVERY_MS = 60_000
OTHERS_EVERY_MS = 600_000
ALARMS = ("sync.log_fork", "sync.split_view", "sync.station_replaced")
"""What a person has to look at: two logs by one centre, or a station's name under another key."""


_OURSELVES: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Witness:
    """One station's eye on its centre's log. `next_ms`: when to look again (wall clock), `others_next_ms`: also at what
    other stations saw, those `behind` that name. `silent`: stations of which nothing was shown for long.
    """

    client: CentreClient
    writer: StoreWriter
    stamp: Callable[[], Stamp]
    next_ms: int = 0
    others_next_ms: int = 0
    behind: str = ""
    silent: tuple[str, ...] = ()

    async def look(self) -> None:
        """Fetch, check, keep and countersign the latest checkpoint, once a minute.

        Raises EvidenceTrouble: sync.log_fork (the log was rewritten; it is in the chain then), sync.split_view (another
        station was shown another log; likewise), sync.station_replaced, audit.checkpoint; Unavailable.
        """
        now_ms = self.stamp().wall_us // 1000
        if now_ms < self.next_ms <= now_ms + EVERY_MS:
            return
        self.next_ms = now_ms + EVERY_MS
        known = await self._ask(seen)
        try:
            newest = await self.client.checkpoint([])
        except CentreRefused as refused:
            if refused.reason == "log.empty" and not known:
                return
            raise
        size = (await self._read(newest)).size
        covered = [head for head in known if head.size <= size or head.note]  # receipts run ahead by up to a minute
        for head in covered:
            if head.size > size and head.epoch == newest.epoch:
                await self._alarm(head, newest.note)
        later = now_ms < self.others_next_ms <= now_ms + OTHERS_EVERY_MS
        answer = await self.client.checkpoint([head.size for head in covered], None if later else self.behind)
        await self._judge(answer, covered, now_ms)
        if not later:
            self.others_next_ms, self.behind = now_ms + OTHERS_EVERY_MS, answer.further
            silent = await self._ask(_reader(lambda connection: others.silent(connection, now_ms // 1000)))
            self.silent = tuple(one.station for one in silent)

    async def _read(self, answer: CheckpointAnswer) -> Checkpoint:
        _, _, centre = await self._ask(lambda store: store.speaker())
        origin = origin_of(centre.tenant, answer.epoch)
        return read_checkpoint(answer.note, origin, server_keys(centre))

    async def _judge(self, answer: CheckpointAnswer, seen: Sequence[TreeHead], now_ms: int) -> None:
        shown = await self._read(answer)
        if len(answer.proofs) != len(seen):
            raise EvidenceTrouble("audit.checkpoint", "proofs")
        for head, proof in zip(seen, answer.proofs, strict=True):
            path = [bytes.fromhex(one) for one in proof]
            if head.epoch == answer.epoch and not is_prefix(head.size, head.root, shown.size, shown.root, path):
                await self._alarm(head, answer.note)
        await self._hold_against_others(answer, shown)
        await self._account(answer)
        await self._countersign(shown, answer, now_ms)

    async def _hold_against_others(self, answer: CheckpointAnswer, shown: Checkpoint) -> None:
        """What other stations countersigned is in the log that we are shown, or there are two."""
        if not answer.elsewhere:
            return
        own, _, centre = await self._ask(lambda store: store.speaker())
        found = compare(own, answer, shown, await self._ask(_reader(others.known)), centre)
        await self._ask(lambda store: others.heard(store.ledger, found.fits))
        if found.apart is not None:
            told, seen = found.apart
            by = {"station": told.station, "line": told.line}
            await self._alarm(TreeHead(seen.size, answer.epoch, seen.root, told.note), answer.note, by)

    async def _account(self, newest: CheckpointAnswer) -> None:
        """The centre was put back: what we saw before is still there, or it is written down what was lost."""
        for epoch in await self._ask(_reader(lambda connection: heads.epochs_over(connection, newest.epoch))):
            held = await self._ask(_reader(lambda connection: heads.of_epoch(connection, epoch)))  # noqa: B023  awaited
            _, _, centre = await self._ask(lambda store: store.speaker())
            found = put_back(epoch, newest.epoch, held, newest.restored, centre)
            wanted = [size for size, _ in found.to_prove()]
            answer = await self.client.checkpoint(wanted)
            shown = await self._read(answer)
            if wrong := require_proofs(found, shown, answer.proofs):
                await self._alarm(TreeHead(wrong[0], epoch, wrong[1], found.word), answer.note)
            await self._note_loss(found, newest.epoch)

    async def _note_loss(self, found: PutBack, now: str) -> None:
        lost = found.lost
        seen = max(found.kept if found.proved else 0, lost.size if lost else 0)
        high = await self._ask(_reader(lambda connection: heads.high_in(connection, found.epoch)))
        have = await self._ask(_reader(lambda connection: heads.high_in(connection, now)))
        body = {
            "epoch": found.epoch,
            "now": now,
            "word": found.word,
            "kept": found.kept,
            "lost": [found.kept, lost.size] if lost else [],
            "seen": {"size": lost.size, "root": lost.root.hex(), "note": lost.note} if lost else {},
            "own": [have + 1, high] if high > have else [],
        }
        args = (found.epoch, found.kept, seen, body)
        await self._ask(lambda store: heads.account(store.ledger, *args, self.stamp()))

    async def _countersign(self, shown: Checkpoint, answer: CheckpointAnswer, now_ms: int) -> None:
        station, signer, _ = await self._ask(lambda store: store.speaker())
        head = TreeHead(shown.size, answer.epoch, shown.root, answer.note)
        if await self._ask(lambda store: heads.keep(store.ledger, head)):
            line = cosign(shown, station, signer, (now_ms + self.client.offset.ms) // 1000)
            await self.client.cosign(Cosigning(size=shown.size, line=line))

    async def _alarm(self, head: TreeHead, note: str, by: Mapping[str, str] = _OURSELVES) -> None:
        """Both statements of the centre go into the chain; then a person has to look. `by`: who saw the other one."""
        body = {"seen": {"size": head.size, "root": head.root.hex(), "note": head.note, **by}, "shown": note}
        await self._ask(lambda store: store.record(EventKind.LOG_FORKED, body, self.stamp(), "sync"))
        if by:
            raise EvidenceTrouble("sync.split_view", by["station"])
        raise EvidenceTrouble("sync.log_fork", f"{head.size} entries")

    async def _ask(self, work: Callable[[Store], T]) -> T:
        return await asyncio.wrap_future(self.writer.ask(work))


def _reader(work: Callable[[Any], T]) -> Callable[[Store], T]:
    """Work on one consistent picture of the store's database."""

    def read(store: Store) -> T:
        with store.ledger.reading() as connection:
            return work(connection)

    return read


seen = _reader(heads.seen)
"""What the centre said of its log: the last checkpoint that was verified, and receipts since."""
