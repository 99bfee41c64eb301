"""What an administrator may ask of a centre's database: cards, chips, stations, footage, quarantine, who saw secrets.

Nothing is changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, and_, exists, func, select, text

from app.keys import key_id
from app.server.acceptance import how_many_wait, undecided
from app.server.log import OWN_ROLE, acts
from app.server.reveals import entry_of
from app.server.tables import (
    alarm,
    card,
    chip_fact,
    chunk,
    event,
    held_event,
    meta,
    reveal,
    sealed,
    station,
    video,
    video_originals,
)
from app.store.db import reading

Row = dict[str, Any]

_NOW = and_(held_event.c.station == event.c.station, held_event.c.seq == event.c.seq)
_up = held_event.alias()
_TAKEN_UP = exists().where(and_(_up.c.station == event.c.station, _up.c.seq == event.c.seq, _up.c.code == text("''")))
_HELD = and_(text("event.quarantine <> ''"), ~_TAKEN_UP)
"""In the words of the index (migration 0017): with a parameter it would not be used."""


def cards(connection: Connection) -> Iterator[Row]:
    """Every card: who took it, what the station said, how often it was decided on."""
    for row in connection.execute(select(card).order_by(card.c.station, card.c.id)):
        decided = row.decided_hash == row.event_hash
        told = {"card": row.id, "station": row.station, "verdict": row.verdict, "event": row.event_hash}
        yield {**told, "revision": row.revision, "decided": decided, "decision": row.decided if decided else ""}


def waiting(connection: Connection) -> Iterator[Row]:
    """Real cards that wait for a decision."""
    return (one.model_dump() for one in undecided(connection))


def chips(connection: Connection) -> Iterator[Row]:
    """What came of each chip, in the order it was told, and whether the record of the run is here and agrees."""
    for row in connection.execute(select(chip_fact).order_by(chip_fact.c.station, chip_fact.c.seq)):
        told = {"card": row.card, "station": row.station, "seq": row.seq, "kind": row.kind, "uid": row.uid}
        yield {**told, "verdict": row.verdict, "simulated": row.simulated, "evidence": row.ref, "record": row.record}


def stations(connection: Connection) -> Iterator[Row]:
    """Every station: how far its chain is here, and what does not fit."""
    quarantined = _counts(connection, select(event.c.station, func.count()).where(_HELD), event.c.station)
    alarms = _counts(connection, select(alarm.c.station, func.count()), alarm.c.station)
    waits = how_many_wait(connection)
    last = and_(event.c.station == station.c.id, event.c.seq == station.c.high)
    wanted = select(station, event.c.data, event.c.received_ms).outerjoin(event, last)
    for row in connection.execute(wanted.where(station.c.role != OWN_ROLE).order_by(station.c.id)):
        told = {"station": row.id, "state": row.state, "role": row.role, "rehearsal": row.rehearsal}
        chain = {"key": key_id(bytes(row.public_key)), "high": row.high, "head": row.head_hash, "seen_ms": row.seen_ms}
        chain["queue_age_ms"] = _age_ms(row)
        chain["undecided"] = waits.get(row.id, 0)
        yield {**told, **chain, "quarantined": quarantined.get(row.id, 0), "alarms": alarms.get(row.id, 0)}


def _age_ms(row: Any) -> int | None:
    """How old the last event was when it came, by the station's clock put right: so far its queue is behind. None
    before any event, or of one that does not say when it happened.
    """
    try:
        told = json.loads(bytes(row.data))
        age_ms = int(row.received_ms - told["at_wall"] // 1000 - told["clock_offset"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return max(0, age_ms) if age_ms < _NO_AGE_MS else None


_NO_AGE_MS = 1 << 53  # longer than anybody waits: what said so did not say when it happened


def _counts(connection: Connection, wanted: Any, by: Any) -> dict[str, int]:
    return {name: int(number) for name, number in connection.execute(wanted.group_by(by))}


def objects(connection: Connection) -> Iterator[Row]:
    """Footage that is whole and verified, originals that were added to it, and its chunks."""
    for row in connection.execute(select(video).order_by(video.c.station, video.c.id)):
        yield {"video": row.id, "station": row.station, "bytes": row.bytes, "durable_ms": row.durable_ms}
    for row in connection.execute(select(video_originals).order_by(video_originals.c.station, video_originals.c.id)):
        yield {"video_originals": row.id, "station": row.station, "bytes": row.bytes, "added_ms": row.added_ms}
    for row in connection.execute(select(chunk).order_by(chunk.c.oid)):
        yield {"object": row.oid, "bytes": row.size, "verified_ms": row.verified_ms}


def quarantine(connection: Connection, most: int | None = None) -> Iterator[Row]:
    """Events that are kept and not acted on, and alarms; of each the `most` newest."""
    code = func.coalesce(held_event.c.code, event.c.quarantine).label("quarantine")
    wanted = select(event.c.station, event.c.seq, event.c.kind, code, event.c.received_ms)
    held = wanted.outerjoin(held_event, _NOW).where(_HELD)
    order = (event.c.station, event.c.seq) if most is None else (event.c.received_ms.desc(), event.c.seq.desc())
    for row in connection.execute(held.order_by(*order).limit(most)):
        told = {"station": row.station, "seq": row.seq, "kind": row.kind, "code": row.quarantine}
        yield {**told, "at_ms": row.received_ms}
    number = alarm.c.id if most is None else alarm.c.id.desc()
    for row in connection.execute(select(alarm).order_by(number).limit(most)):
        yield {"alarm": row.code, "station": row.station, "seq": row.seq, "hash": row.hash, "at_ms": row.at_ms}


def held_newest(engine: Engine, most: int) -> list[Row]:
    """The newest of what `quarantine` lists. Raises StorageTrouble."""
    with reading(engine) as connection:
        return list(quarantine(connection, most))


def reveals(connection: Connection, most: int | None = None) -> Iterator[Row]:
    """Who asked to see which secret, why and when, and what came of it; the latest last. Only the `most` latest."""
    rows = connection.execute(select(reveal).order_by(reveal.c.asked_ms.desc()).limit(most)).all()
    for row in reversed(rows):
        yield entry_of(row).model_dump()


def reveals_latest(engine: Engine, most: int) -> list[Row]:
    """The latest of what `reveals` lists. Raises StorageTrouble."""
    with reading(engine) as connection:
        return list(reveals(connection, most))


REPORTS: Mapping[str, Callable[[Connection], Iterable[Row]]] = {
    "cards": cards,
    "undecided": waiting,
    "chips": chips,
    "stations": stations,
    "objects": objects,
    "quarantine": quarantine,
    "acts": acts,
    "reveals": reveals,
}


def report(engine: Engine, name: str) -> list[Row]:
    """One of `REPORTS` as a list. Raises StorageTrouble."""
    with reading(engine) as connection:
        return list(REPORTS[name](connection))


def chip_record(engine: Engine, sha256: str) -> Row | None:
    """The record of a run on a chip, whole, as the station's file has it; None where it is not here."""
    with reading(engine) as connection:
        named = select(chip_fact.c.ref).where(chip_fact.c.ref == sha256)
        blob = connection.execute(select(sealed.c.blob).where(sealed.c.ref.in_(named))).scalar()
    return None if blob is None else {**json.loads(bytes(blob)), "sha256": sha256}


def log_state(engine: Engine) -> Row:
    """Size and epoch of the log."""
    with reading(engine) as connection:
        row = connection.execute(select(meta.c.epoch, meta.c.log_size)).one()
    return {"epoch": row.epoch, "log_size": row.log_size}
