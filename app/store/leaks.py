"""The leak check as the store knows it: how far each recording was read, what was found, whether somebody judged it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput
from app.core.footage import CHECKED, JUDGED, UNCHECKED
from app.store.footage import UNJUDGED, keep_in, may_show_pin
from app.store.ledger import Ledger
from app.store.results import Recording
from app.store.tables import leak_check, parcel, recording, removed

MOST_FAILURES = 3
HELD_FOR = "leak.found"
"""The reason of a hold that the check placed; screens have words for it."""

_JOBS = (
    select(recording, parcel.c.waybill, parcel.c.expected, leak_check.c.to_us, leak_check.c.result)
    .outerjoin(parcel, parcel.c.id == recording.c.parcel_id)
    .outerjoin(leak_check, leak_check.c.recording_id == recording.c.id)
)


@dataclass(frozen=True, slots=True)
class LeakSight:
    """Something like a PIN, without its characters: when (µs), by which engine, how it was told, how long."""

    at_us: int
    engine: str
    how: str
    length: int


@dataclass(frozen=True, slots=True)
class LeakJob:
    """A recording to read, from where on; `harmless`: waybill and order number, which may be seen in it. `to_us`: up to
    where, None for its end. `apart`: it begins behind what was not read yet, so the check does not get further by it.
    """

    recording: Recording
    from_us: int
    harmless: tuple[str, ...]
    to_us: int | None = None
    apart: bool = False


def next_job(ledger: Ledger) -> LeakJob | None:
    """The oldest closed recording that was not read to its end; None when there is nothing to do."""
    done = select(leak_check.c.recording_id).where(leak_check.c.result != "")
    gone = select(removed.c.recording_id)
    waits = _JOBS.where(recording.c.state == "recorded", recording.c.id.not_in(done), recording.c.id.not_in(gone))
    with ledger.reading() as connection:
        row = connection.execute(waits.order_by(recording.c.closed_seq).limit(1)).first()
    return None if row is None else _job(row)


def job_for(ledger: Ledger, recording_id: str, from_us: int, to_us: int, end_us: int) -> LeakJob | None:
    """What is left to read before the pictures from `from_us` to `to_us` may leave; None when it was read. `end_us`:
    the time of the recording's last picture. Raises BadInput("recording.unknown").
    """
    with ledger.reading() as connection:
        row = connection.execute(_JOBS.where(recording.c.id == recording_id)).first()
    if row is None:
        raise BadInput("recording.unknown", recording_id)
    job = _job(row)
    if row.result in ("clear", "found") or to_us < job.from_us:
        return None
    whole = to_us >= end_us and row.state == "recorded" and not row.result and from_us <= job.from_us
    return replace(job, from_us=max(from_us, job.from_us), to_us=None if whole else to_us, apart=from_us > job.from_us)


def looked_word(ledger: Ledger, recording_id: str, read: bool) -> str:
    """What an export says of the leak check: "unchecked" unless its pictures were `read`; then "judged" where a person
    said of what was seen in the recording that it is no PIN, else "checked".
    """
    if not read:
        return UNCHECKED
    return JUDGED if sight_times(ledger, recording_id) else CHECKED


def _job(row: Any) -> LeakJob:
    order = str(json.loads(row.expected).get("order_no", "")) if row.expected else ""
    found = Recording(row.id, row.parcel_id, row.state, row.final_hash, row.key, row.role)
    return LeakJob(found, row.to_us or 0, tuple(text for text in (row.waybill or "", order) if text))


def note_progress(
    ledger: Ledger, recording_id: str, to_us: int, frames: int, sights: Sequence[LeakSight], stamp: Stamp
) -> None:
    """Remember how far a recording was read, `frames` pictures more, and what was found in them; that holds it."""

    def work(connection: Connection) -> None:
        _add(connection, recording_id, to_us, frames, 0, sights)
        if sights and may_show_pin(connection, recording_id):
            keep_in(ledger, connection, recording_id, HELD_FOR, stamp, "")

    ledger.write(work)


def note_failure(ledger: Ledger, recording_id: str, stamp: Stamp) -> bool:
    """The reader died or the film cannot be decoded. After some times it is written down as unreadable: True."""

    def work(connection: Connection) -> bool:
        _add(connection, recording_id, 0, 0, 1, ())
        if _row(connection, recording_id).failures < MOST_FAILURES:
            return False
        _conclude(ledger, connection, recording_id, "unreadable", (), stamp)
        return True

    return ledger.write(work)


def note_end(ledger: Ledger, recording_id: str, engines: Sequence[str], stamp: Stamp) -> str:
    """A recording was read to its end: the event. Gives "clear" or "found"."""

    def work(connection: Connection) -> str:
        _add(connection, recording_id, 0, 0, 0, ())
        row = _row(connection, recording_id)
        if row.result:
            return str(row.result)
        result = "found" if json.loads(row.sights) else "clear"
        _conclude(ledger, connection, recording_id, result, engines, stamp)
        return result

    return ledger.write(work)


def sight_times(ledger: Ledger, recording_id: str) -> tuple[int, ...]:
    """When something like a PIN was seen in a recording (µs)."""
    wanted = select(leak_check.c.sights).where(leak_check.c.recording_id == recording_id)
    with ledger.reading() as connection:
        told = connection.execute(wanted).scalar()
    return tuple(sorted({int(sight["at_us"]) for sight in json.loads(told or "[]")}))


def unjudged(ledger: Ledger) -> int:
    """How many recordings may show a PIN and were judged by nobody yet."""
    with ledger.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(UNJUDGED.subquery())).scalar_one())


def must_be_exportable(ledger: Ledger, recording_id: str) -> None:
    """Raises BadInput("footage.may_show_pin") where a PIN may be seen and nobody has judged that."""
    with ledger.reading() as connection:
        if may_show_pin(connection, recording_id):
            raise BadInput("footage.may_show_pin", recording_id)


def _conclude(
    ledger: Ledger, connection: Connection, recording_id: str, result: str, engines: Sequence[str], stamp: Stamp
) -> None:
    row = _row(connection, recording_id)
    sights = json.loads(row.sights)
    body = {"recording": recording_id, "result": result, "frames": row.frames, "engines": list(engines)}
    event = ledger.append(connection, EventKind.FOOTAGE_CHECKED, {**body, "sights": sights}, stamp, "")
    mine = leak_check.c.recording_id == recording_id
    connection.execute(leak_check.update().where(mine).values(result=result, seq=event.seq))


def _add(
    connection: Connection, recording_id: str, to_us: int, frames: int, failures: int, sights: Sequence[LeakSight]
) -> None:
    """Add to a recording's row, making it where there is none."""
    begun: dict[str, Any] = {"recording_id": recording_id, "to_us": 0, "frames": 0, "failures": 0}
    connection.execute(insert(leak_check).on_conflict_do_nothing(), {**begun, "sights": "[]", "result": ""})
    row = _row(connection, recording_id)
    more = [{"at_us": s.at_us, "engine": s.engine, "how": s.how, "length": s.length} for s in sights]
    values = {
        "to_us": max(row.to_us, to_us), "frames": row.frames + frames, "failures": row.failures + failures,
        "sights": json.dumps([*json.loads(row.sights), *more]),
    }  # fmt: skip
    connection.execute(leak_check.update().where(leak_check.c.recording_id == recording_id).values(**values))


def _row(connection: Connection, recording_id: str) -> Any:
    return connection.execute(select(leak_check).where(leak_check.c.recording_id == recording_id)).one()
