"""One transaction, one signed event: the ground on which cards, parcels and recordings write.

Whoever changes something appends the fact in the same transaction, so there is no change without its event.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, func, insert, select

from app.core.audit import GENESIS, EventKind, SignedEvent, Stamp, link
from app.core.errors import StorageTrouble
from app.keys import ShreddedKey, Signer
from app.reserve import Reserve
from app.store.db import reading, transaction
from app.store.seal import IndexCost
from app.store.tables import followed_centre, meta, outbox, restored, revoked, rotated_key
from app.wire import Centre

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Who this station is, read once from the database. Holds keys, so it does not print."""

    station: str
    rehearsal: bool
    centre: Centre
    signer: Signer
    signing_seed: bytes
    seeds: tuple[bytes, ...]  # all of them, the newest first
    earlier: tuple[Signer, ...]  # keys before the one of now, the newest first
    key_seqs: tuple[int, ...]  # of the events that named a key, the newest first
    centre_no: int  # how often the centre's key changed since it was pinned, as far as was heard
    index_key: bytes
    index_cost: IndexCost

    @property
    def first_seed(self) -> bytes:
        """What was derived from it stays, whatever key signs now."""
        return self.seeds[-1]

    @property
    def signers(self) -> tuple[Signer, ...]:
        """All of the station's keys, the newest first."""
        return (self.signer, *self.earlier)

    @property
    def tenant_salt(self) -> bytes:
        return bytes.fromhex(self.centre.salt)


class Ledger:
    """The database with the station's identity. Every write goes through `write`."""

    def __init__(self, engine: Engine, identity: Identity, reserve: Reserve, frozen: bool = False) -> None:
        self.engine = engine
        self.identity = identity
        self.reserve = reserve
        self.frozen = frozen
        """Put back from a backup, and the centre has not said yet that the chain goes on here: nothing is added."""

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction. On a full disk the reserve is given back and the work done once more.

        Raises StorageTrouble("store.disk_full") when that does not help; then nothing of it was written.
        """
        try:
            with transaction(self.engine) as connection:
                return work(connection)
        except StorageTrouble as trouble:
            if trouble.code != "store.disk_full" or not self.reserve.spend():
                raise
        with transaction(self.engine) as connection:
            return work(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for reading: one consistent picture."""
        with reading(self.engine) as connection:
            yield connection

    @staticmethod
    def revoked(connection: Connection) -> Row[Any] | None:
        """The row that says that the centre revoked this station; None when it did not."""
        return connection.execute(_REVOKED).first()

    def must_count(self, connection: Connection) -> None:
        """Before anything new is taken in. Raises StorageTrouble("sync.revoked")."""
        if self.revoked(connection) is not None:
            raise StorageTrouble("sync.revoked")

    def look_at_keys(self, connection: Connection) -> None:
        """The signing key, or the centre's, may be another one since the identity was read."""
        newest = connection.execute(_NEWEST_KEYS).one()
        own_is_new = newest.own is not None and newest.own not in self.identity.key_seqs
        shredded = bool(newest.public_keys) and bool(self.identity.signing_seed)
        if own_is_new or shredded or (newest.centres or 0) != self.identity.centre_no:
            self.identity = read_identity(connection)

    def identity_now(self) -> Identity:
        """The identity with the signing key of now."""
        with self.reading() as connection:
            self.look_at_keys(connection)
        return self.identity

    def append(
        self, connection: Connection, kind: EventKind, body: Mapping[str, Any], stamp: Stamp, actor: str
    ) -> SignedEvent:
        """Add the next event of the chain, inside the caller's transaction. Rehearsal events say so.

        Raises StorageTrouble("store.restored") while the chain is frozen, StorageTrouble("sync.revoked") when the
        station's keys were shredded.
        """
        if self.frozen:
            raise StorageTrouble("store.restored")
        self.look_at_keys(connection)
        if not self.identity.signing_seed:
            raise StorageTrouble("sync.revoked")
        seq, prev = head_of(connection)
        event_id = uuid7(stamp.wall_us)
        if self.identity.rehearsal:
            body = {**body, "rehearsal": True}
        event = link(
            event_id=event_id,
            station=self.identity.station,
            seq=seq + 1,
            prev=prev,
            kind=kind,
            stamp=stamp,
            actor=actor,
            body=body,
            sign=self.identity.signer.sign,
        )
        fields = {"seq": event.seq, "data": event.data, "hash": event.hash, "sig": event.sig, "prev": prev}
        row = {**fields, "id": event_id, "kind": kind.value, "at_wall_us": stamp.wall_us}
        connection.execute(_NEW_EVENT, row)
        return event


def is_frozen(connection: Connection) -> bool:
    """Whether the database was put back from a backup and the centre has not confirmed it yet."""
    return connection.execute(select(restored.c.id).where(restored.c.settled.is_(False))).first() is not None


_NEWEST_KEYS = select(
    select(func.max(rotated_key.c.seq)).scalar_subquery().label("own"),
    select(func.max(followed_centre.c.id)).scalar_subquery().label("centres"),
    select(func.max(revoked.c.public_keys)).scalar_subquery().label("public_keys"),
)
_REVOKED = select(revoked)
_NEW_EVENT = insert(outbox)
_NEWEST_CENTRE = select(followed_centre.c.id, followed_centre.c.centre).order_by(followed_centre.c.id.desc()).limit(1)
_HEAD = select(outbox.c.seq, outbox.c.hash).order_by(outbox.c.seq.desc()).limit(1)


def head_of(connection: Connection) -> tuple[int, str]:
    """Number and hash of the chain's last event; (0, GENESIS) before the first."""
    row = connection.execute(_HEAD).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def read_identity(connection: Connection) -> Identity:
    """The station's identity. Raises StorageTrouble("store.damaged") when its row is not there."""
    row = connection.execute(select(meta)).first()
    if row is None:
        raise StorageTrouble("store.damaged", "meta")
    newer = connection.execute(_NEWEST_CENTRE).first()
    centre = Centre.model_validate_json(newer.centre if newer else row.centre)
    centre.vault_certificate()  # whose it is was checked when it was pinned; a damaged one is not gone on with
    later = connection.execute(select(rotated_key).order_by(rotated_key.c.seq)).all()
    seeds = [bytes(row.signing_seed), *(bytes(one.seed) for one in later)]
    ended = Ledger.revoked(connection)
    kept = json.loads(ended.public_keys) if ended and ended.public_keys else []
    signers: list[Signer] = [ShreddedKey(bytes.fromhex(key)) for key in kept] or [Signer(seed) for seed in seeds]
    return Identity(
        station=row.station,
        rehearsal=row.rehearsal,
        centre=centre,
        signer=signers[-1],
        signing_seed=seeds[-1],
        seeds=tuple(reversed(seeds)),
        earlier=tuple(reversed(signers[:-1])),
        key_seqs=tuple(one.seq for one in reversed(later)),
        centre_no=newer.id if newer else 0,
        index_key=row.index_key,
        index_cost=IndexCost(row.index_memory_kib, row.index_passes),
    )


def uuid7(wall_us: int) -> str:
    """A UUID of version 7 (RFC 9562): milliseconds of the wall clock, then random bits."""
    random = int.from_bytes(os.urandom(10))
    value = ((wall_us // 1000) & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def remove_parts(database: Path) -> None:
    """Take away a database that was never finished, with its log files."""
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
