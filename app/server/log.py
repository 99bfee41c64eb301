"""The centre's log, and what the centre itself did as entries of it.

The centre keeps a chain of its own beside the stations' (`CENTRE`, signed by the server key, same form), and each of
its acts is an event there, written by the transaction that changes what it tells of: who expected, blocked, let in,
revoked, decided. So an auditor sees from the log alone who did what, and nothing changes outside of it.

Rows are locked in one order: a station's, then what the work needs, the log's last (`Log.write`), held for the length
of the commit only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select

from app.core.audit import CENTRE, GENESIS, CentreAct, Stamp, link
from app.core.errors import StorageTrouble
from app.core.merkle import CompactTree, leaf_hash
from app.keys import Signer
from app.server.db import insert_all, insert_missing
from app.server.entering import Run, enter, settle
from app.server.setup import OpenCentre
from app.server.tables import event, station
from app.store.ledger import uuid7

OWN_ROLE = "centre"
_REVISIONS = 1_000_000
"""No card is decided on so often between two restores."""

_HEAD = select(station.c.high, station.c.head_hash, station.c.public_key).where(station.c.id == CENTRE)


@dataclass(frozen=True, slots=True)
class Deciding:
    """Who decides: tenant, signing key, the time (ms since 1970); how often the centre was put back; in whose name."""

    tenant: str
    signer: Signer
    now_ms: int
    restored: int
    by: str = "centre"

    @classmethod
    def of(cls, centre: OpenCentre, now_ms: int, by: str = "centre") -> Deciding:
        return cls(centre.centre.tenant, centre.signer, now_ms, centre.restored, by)

    def next_after(self, revision: int) -> int:
        """The number of a card's next decision: above all that this centre ever gave, also before it was put back."""
        return max(revision, self.restored * _REVISIONS) + 1


class Replayed(Exception):
    """A request of this transaction was done before: nothing of the transaction may stay."""


class Log:
    """What one transaction adds to the log: gathered, then written at its end."""

    def __init__(self, connection: Connection, deciding: Deciding) -> None:
        self.connection = connection
        self.deciding = deciding
        self._rows: list[Mapping[str, Any]] = []
        self._acts: list[tuple[CentreAct, Mapping[str, Any]]] = []
        self._nonces: list[Mapping[str, Any]] = []

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """The next events of a station, all that there are of it, as rows of `event`; its row is locked."""
        self._rows += rows

    def spend(self, nonces: Sequence[Mapping[str, Any]]) -> None:
        """Take the nonces of the requests that are done here, rows of `nonce`, together with what they bring."""
        self._nonces += nonces

    def act(self, act: CentreAct, body: Mapping[str, Any]) -> None:
        """Something that the centre did, in the name of who decides."""
        self._acts.append((act, body))

    def write(self) -> CompactTree | None:
        """Write all of it and grow the tree, the log locked until the commit; the tree as it is then, None when there
        was nothing. Raises Replayed.
        """
        grows = bool(self._rows or self._acts)
        if not grows and not self._nonces:
            return None
        fresh, tree = enter(self.connection, self._nonces, self._rows, to_write=grows)
        if fresh < len(self._nonces):
            raise Replayed
        if grows:
            acts = self._linked() if self._acts else []
            if acts:
                insert_all(self.connection, event, acts)
            rows, size = [*self._rows, *acts], tree.size
            tree = tree.grown(leaf_hash(row["data"]) for row in rows)
            settle(self.connection, _runs(rows, size), tree, self.deciding.now_ms)
        self._rows, self._acts, self._nonces = [], [], []
        return tree

    def _linked(self) -> list[dict[str, Any]]:
        """The acts as the next events of the centre's chain. The lock on the log's row guards its head too."""
        now_ms = self.deciding.now_ms
        head = self.connection.execute(_HEAD).first()
        if head is None:
            insert_missing(self.connection, station, [_own_row(self.deciding)])
        elif bytes(head.public_key) != self.deciding.signer.public_key:
            raise StorageTrouble("serve.key_behind")  # another key follows by now; this process has not seen it yet
        seq, prev = (head.high, head.head_hash) if head else (0, GENESIS)
        rows = []
        for act, body in self._acts:
            made = link(
                event_id=uuid7(now_ms * 1000),
                station=CENTRE,
                seq=seq + 1,
                prev=prev,
                kind=act,
                stamp=Stamp(now_ms * 1000, 0, ""),
                actor=self.deciding.by,
                body=body,
                sign=self.deciding.signer.sign,
            )
            seq, prev = made.seq, made.hash
            row = {"station": CENTRE, "kind": act.value, "received_ms": now_ms, "quarantine": ""}
            rows.append({**row, "seq": seq, "data": made.data, "hash": prev, "sig": made.sig})
        return rows


def _runs(rows: Sequence[Mapping[str, Any]], size: int) -> list[Run]:
    """Rows as runs: a station's come one after the other, into a log of so many entries."""
    runs = []
    for name, some in groupby(rows, key=itemgetter("station")):
        one = list(some)
        runs.append(Run(name, one[-1]["hash"], one[0]["seq"], one[-1]["seq"], size - one[0]["seq"]))
        size += len(one)
    return runs


def note_act(connection: Connection, deciding: Deciding, act: CentreAct, body: Mapping[str, Any]) -> None:
    """Write one act of the centre alone."""
    log = Log(connection, deciding)
    log.act(act, body)
    log.write()


def _own_row(deciding: Deciding) -> dict[str, Any]:
    row = {"id": CENTRE, "public_key": deciding.signer.public_key, "rehearsal": False, "state": "active"}
    row |= {"registered_ms": deciding.now_ms, "role": OWN_ROLE, "revoked_ms": None}
    return {**row, "high": 0, "head_hash": GENESIS}


def acts(connection: Connection) -> list[dict[str, Any]]:
    """What the centre did, in order: when, in whose name, what."""
    rows = connection.execute(select(event.c.seq, event.c.data).where(event.c.station == CENTRE).order_by(event.c.seq))
    listed = []
    for row in rows:
        told = json.loads(bytes(row.data))
        at_ms = told["at_wall"] // 1000
        listed.append({"seq": row.seq, "at_ms": at_ms, "by": told["actor"], "act": told["kind"], **told["body"]})
    return listed
