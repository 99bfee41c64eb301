"""What an administrator may ask of a centre's database: cards, chips, stations, footage, quarantine.

Nothing is changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from app.keys import key_id
from app.server.log import OWN_ROLE, acts
from app.server.tables import alarm, card, chip_fact, chunk, event, meta, sealed, station, video, video_originals
from app.store.db import reading

Row = dict[str, Any]


def cards(connection: Connection) -> Iterator[Row]:
    """Every card: who took it, what the station said, how often it was decided on."""
    for row in connection.execute(select(card).order_by(card.c.station, card.c.id)):
        decided = row.decided_hash == row.event_hash
        told = {"card": row.id, "station": row.station, "verdict": row.verdict, "event": row.event_hash}
        yield {**told, "revision": row.revision, "decided": decided}


def chips(connection: Connection) -> Iterator[Row]:
    """What came of each chip, in the order it was told, and whether the record of the run is here and agrees."""
    for row in connection.execute(select(chip_fact).order_by(chip_fact.c.station, chip_fact.c.seq)):
        told = {"card": row.card, "station": row.station, "seq": row.seq, "kind": row.kind, "uid": row.uid}
        yield {**told, "verdict": row.verdict, "simulated": row.simulated, "evidence": row.ref, "record": row.record}


def stations(connection: Connection) -> Iterator[Row]:
    """Every station: how far its chain is here, and what does not fit."""
    quarantined = _counts(
        connection, select(event.c.station, func.count()).where(event.c.quarantine != ""), event.c.station
    )
    alarms = _counts(connection, select(alarm.c.station, func.count()), alarm.c.station)
    for row in connection.execute(select(station).where(station.c.role != OWN_ROLE).order_by(station.c.id)):
        told = {"station": row.id, "state": row.state, "role": row.role, "rehearsal": row.rehearsal}
        chain = {"key": key_id(bytes(row.public_key)), "high": row.high, "head": row.head_hash, "seen_ms": row.seen_ms}
        yield {**told, **chain, "quarantined": quarantined.get(row.id, 0), "alarms": alarms.get(row.id, 0)}


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


def quarantine(connection: Connection) -> Iterator[Row]:
    """Events that are kept and not acted on, and alarms."""
    held = select(event.c.station, event.c.seq, event.c.kind, event.c.quarantine, event.c.received_ms)
    for row in connection.execute(held.where(event.c.quarantine != "").order_by(event.c.station, event.c.seq)):
        told = {"station": row.station, "seq": row.seq, "kind": row.kind, "code": row.quarantine}
        yield {**told, "at_ms": row.received_ms}
    for row in connection.execute(select(alarm).order_by(alarm.c.id)):
        yield {"alarm": row.code, "station": row.station, "seq": row.seq, "hash": row.hash, "at_ms": row.at_ms}


REPORTS: Mapping[str, Callable[[Connection], Iterable[Row]]] = {
    "cards": cards,
    "chips": chips,
    "stations": stations,
    "objects": objects,
    "quarantine": quarantine,
    "acts": acts,
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
