"""What stations report of chips: each fact names the record of its run by SHA-256, and the record itself comes with it.

A record is held against the fact that names it once it is here. One that tells another story is kept and marked: it is
the station's own word under the station's own signature, and so it is evidence, too. So is a fact of the wrong kind of
reader: what a simulated one says of a real card proves nothing, and a rehearsal speaks to no real one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, literal_column, or_, select, update

from app.core.audit import EventKind
from app.server.db import insert_missing
from app.server.tables import chip_fact, sealed

FACTS = {
    EventKind.CHIP_DEACTIVATED: "chip.deactivation",
    EventKind.CHIP_NOT_DEACTIVATED: "chip.deactivation",
    EventKind.CHIP_DESTROYED: "chip.destruction",
}
"""The events that name a record, and the kind of record that each of them names."""

MISSING, HELD, CONTRADICTS = "missing", "held", "contradicts"
_MOST_MISSING = 200
_SHA256 = 64


# Made once: each batch asks, and building a statement costs more than running it.
_OPEN = (
    select(chip_fact, sealed.c.blob)
    .outerjoin(sealed, sealed.c.ref == chip_fact.c.ref)
    .where(and_(chip_fact.c.station == bindparam("name"), chip_fact.c.record.in_((MISSING, CONTRADICTS))))
    .where(or_(chip_fact.c.record == MISSING, sealed.c.ref.is_(None)))
    .order_by(chip_fact.c.seq)
    .limit(_MOST_MISSING)
)


def has_open_facts(station: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether there are facts of a station that `keep_facts` has to look at, even when it brings no new ones."""
    open_ones = chip_fact.c.record.in_([literal_column(f"'{name}'") for name in (MISSING, CONTRADICTS)])
    return select(chip_fact.c.seq).where(and_(chip_fact.c.station == station, open_ones)).exists()


def fact_of(station: str, seq: int, kind: EventKind, body: Mapping[str, Any], rehearsal: bool) -> dict[str, Any]:
    """The row of a fact. `rehearsal`: the station is one.

    Raises KeyError, TypeError or ValueError for a body that is none.
    """
    told = {name: body[name] for name in ("card", "uid", "verdict", "evidence")}
    if not all(isinstance(value, str) for value in told.values()):
        raise TypeError("a chip's fact is told in texts")
    if len(told["evidence"]) != _SHA256 or not set(told["evidence"]) <= set("0123456789abcdef"):
        raise ValueError("no SHA-256")
    simulated = body.get("simulated", False)
    if not isinstance(simulated, bool):
        raise TypeError("a reader is simulated or not")
    row: dict[str, Any] = {"station": station, "seq": seq, "kind": kind.value, "card": told["card"], "uid": told["uid"]}
    row |= {"verdict": told["verdict"], "decision": str(body.get("decision", ""))}
    stands = MISSING if simulated == rehearsal else CONTRADICTS
    return row | {"ref": told["evidence"], "record": stands, "simulated": simulated}


def keep_facts(connection: Connection, station: str, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Keep new facts and look at the records that are here by now; the SHA-256 of those that are still missing."""
    insert_missing(connection, chip_fact, rows)
    found = connection.execute(_OPEN, {"name": station}).all()
    here = [row for row in found if row.blob and row.record == MISSING]
    judged = [{"which": row.seq, "as": judge_record(dict(row._mapping), bytes(row.blob))} for row in here]
    if judged:
        which = and_(chip_fact.c.station == station, chip_fact.c.seq == bindparam("which"))
        connection.execute(update(chip_fact).where(which).values(record=bindparam("as")), judged)
    return {row.ref for row in found if not row.blob}


def judge_record(fact: Mapping[str, Any], record: bytes) -> str:
    """HELD when a record, whose SHA-256 is the one that the fact names, tells what the fact tells; else CONTRADICTS."""
    try:
        told = json.loads(record)
        intake = told["about"]["intake"]
        says = (told["kind"], intake["card"], intake["decision"], told["chip"]["uid"], told["verdict"])
        simulated = told["reader"]["simulated"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return CONTRADICTS
    kind = FACTS[EventKind(fact["kind"])]
    ours = (kind, fact["card"], fact["decision"], fact["uid"], fact["verdict"])
    return HELD if says == ours and simulated is fact["simulated"] else CONTRADICTS
