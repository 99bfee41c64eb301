"""Events that lie here and were not taken up: their station is told of each, in the receipt and by the feed.

The code with which an event came in stays beside it (`event.quarantine`); `held_event` says how it stands by now, for a
later release may take it up after all.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, exists, insert, or_, select

from app.core.audit import SignedEvent
from app.server.db import insert_or_update
from app.server.log import Log
from app.server.tables import event, feed, held_event
from app.wire import Held, HeldEvent, sign_statement

_OF_EVENT = and_(held_event.c.station == event.c.station, held_event.c.seq == event.c.seq)


def was_taken_up() -> ColumnElement[bool]:
    """Whether an event counts: when it came, or since."""
    return or_(event.c.quarantine == "", exists().where(and_(_OF_EVENT, held_event.c.code == "")))


def tell(log: Log, station: str, found: Sequence[tuple[SignedEvent, str]]) -> None:
    """Tell a station, whose row is locked, how events of the quarantine stand now: each with its code, "" for taken up.

    Whoever told it before has the lower revision.
    """
    if not found:
        return
    connection, deciding = log.connection, log.deciding
    seqs = [one.seq for one, _ in found]
    same = and_(held_event.c.station == station, held_event.c.seq.in_(seqs))
    before = {row.seq: row.revision for row in connection.execute(select(held_event).where(same))}
    stated = [
        Held(
            tenant=deciding.tenant,
            station=station,
            seq=one.seq,
            event_hash=one.hash,
            code=code,
            revision=deciding.next_after(before.get(one.seq, 0)),
        )
        for one, code in found
    ]
    rows = [
        {"station": station, "seq": told.seq, "hash": told.event_hash, "code": told.code, "revision": told.revision}
        for told in stated
    ]
    rows = [{**row, "at_ms": deciding.now_ms} for row in rows]
    insert_or_update(connection, held_event, rows, ("code", "revision", "at_ms"))
    signed = [sign_statement(told, deciding.signer.sign) for told in stated]
    items = [{"station": station, "kind": Held.TYPE, "text": one.text, "sig": one.sig} for one in signed]
    connection.execute(insert(feed), items)


def held_between(connection: Connection, station: str, first: int, last: int) -> tuple[HeldEvent, ...]:
    """Those of a station's events from `first` to `last` that are not taken up."""
    some = and_(held_event.c.station == station, held_event.c.seq.between(first, last), held_event.c.code != "")
    rows = connection.execute(select(held_event).where(some).order_by(held_event.c.seq))
    return tuple(HeldEvent(seq=row.seq, event_hash=row.hash, code=row.code, revision=row.revision) for row in rows)
