"""Recordings: their keys, and for each camera the chain from each one's final hash to the next."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, true, update
from sqlalchemy.dialects.sqlite import insert

from app.centre_keys import by_any
from app.core.audit import EventKind, Stamp
from app.core.cards import Secret
from app.core.errors import EvidenceTrouble
from app.core.footage import OVERHEAD
from app.store.governing import sealing_key
from app.store.ledger import Ledger
from app.store.results import Recording
from app.store.seal import Context, seal
from app.store.tables import durable, receipt, recording, removed
from app.wire import Durable, Signed, open_statement


def begin(
    ledger: Ledger, recording_id: str, parcel_id: str, stamp: Stamp, actor: str, role: str = OVERHEAD
) -> Recording:
    """Make a recording with a fresh key and record its start; the same recording again gives what is there."""

    def work(connection: Connection) -> Recording:
        known = find(connection, recording_id)
        if known:
            return known
        body = {"recording": recording_id, "parcel": parcel_id, "previous": last_hash(connection, role)}
        body |= {"role": role} if role != OVERHEAD else {}
        ledger.append(connection, EventKind.RECORDING_STARTED, body, stamp, actor)
        made = Recording(recording_id, parcel_id, "recording", "", os.urandom(32), role)
        row = {"id": recording_id, "parcel_id": parcel_id, "key": made.key, "state": made.state, "final_hash": ""}
        row["role"] = role
        connection.execute(insert(recording), row)
        return made

    return ledger.write(work)


def find(connection: Connection, recording_id: str) -> Recording | None:
    row = connection.execute(select(recording).where(recording.c.id == recording_id)).first()
    return _as_recording(row) if row else None


def _as_recording(row: Row[Any]) -> Recording:
    return Recording(row.id, row.parcel_id, row.state, row.final_hash, row.key, row.role)


def unclosed(connection: Connection) -> tuple[Recording, ...]:
    """Recordings that were begun and not closed: to be recovered after a crash."""
    rows = connection.execute(select(recording).where(recording.c.state == "recording"))
    return tuple(_as_recording(row) for row in rows)


def last_hash(connection: Connection, role: str = OVERHEAD) -> str:
    """The final hash of the recording of this camera that was closed last; "" before any."""
    closed = select(recording.c.final_hash).where(recording.c.state == "recorded", recording.c.role == role)
    return connection.execute(closed.order_by(recording.c.closed_seq.desc()).limit(1)).scalar() or ""


def close(ledger: Ledger, recording_id: str, final_hash: str, root: str, frames: int, stamp: Stamp, actor: str) -> int:
    """Record that a recording is closed and hashed; the number of the event. A second close changes nothing."""

    def work(connection: Connection) -> int:
        row = connection.execute(select(recording).where(recording.c.id == recording_id)).one()
        if row.state == "recorded":
            return int(row.closed_seq)
        body = {"recording": recording_id, "final_hash": final_hash, "root": root, "frames": frames}
        event = ledger.append(connection, EventKind.RECORDING_CLOSED, body, stamp, actor)
        values = {"state": "recorded", "final_hash": final_hash, "closed_seq": event.seq}
        connection.execute(update(recording).where(recording.c.id == recording_id).values(**values))
        return event.seq

    return ledger.write(work)


def footage_waiting(connection: Connection) -> int:
    """How many recordings `waiting_footage` would give."""
    return int(connection.execute(select(func.count()).select_from(recording).where(_waits(connection))).scalar() or 0)


def _waits(connection: Connection) -> ColumnElement[bool]:
    here = select(durable.c.recording_id).where(of_now(connection))
    gone = select(removed.c.recording_id)  # its pictures can be sent no more
    return and_(recording.c.state == "recorded", recording.c.id.not_in(here), recording.c.id.not_in(gone))


def waiting_footage(connection: Connection) -> tuple[Recording, ...]:
    """Closed recordings of which the centre has not said that it holds them, the oldest first.

    What it said before it was put back to an earlier state does not count: it may have lost them.
    """
    rows = connection.execute(select(recording).where(_waits(connection)).order_by(recording.c.closed_seq))
    return tuple(_as_recording(row) for row in rows)


def brought(ledger: Ledger) -> tuple[tuple[Recording, int], ...]:
    """Recordings that the centre holds and whose pictures are here still, each with how many bytes it holds."""
    gone = select(removed.c.recording_id)
    wanted = select(recording, durable.c.text).join(durable, durable.c.recording_id == recording.c.id)
    with ledger.reading() as connection:
        rows = connection.execute(wanted.where(of_now(connection), recording.c.id.not_in(gone))).all()
    return tuple((_as_recording(row), Durable.model_validate_json(row.text).bytes) for row in rows)


def sealed_key(ledger: Ledger, found: Recording) -> bytes:
    """The recording's key, sealed to the vault."""
    identity = ledger.identity
    context = Context(identity.centre.tenant, identity.station, found.recording_id, "recording-key")
    with ledger.reading() as connection:
        key = sealing_key(connection, identity)
    return seal(Secret(found.key.hex()), key, context).blob


def save_durable(ledger: Ledger, signed: Signed, pieces_hash: str) -> None:
    """Keep the centre's word that it holds a recording. Raises EvidenceTrouble("sync.untrusted_answer")."""
    told = open_statement(Durable, signed, by_any(ledger.identity.centre))

    def work(connection: Connection) -> None:
        known = find(connection, told.recording)
        speaks = (told.station, told.pieces_hash) == (ledger.identity.station, pieces_hash)
        if known is None or not speaks or known.final_hash != told.final_hash:
            raise EvidenceTrouble("sync.untrusted_answer", "durable: of another recording")
        row = {"recording_id": told.recording, "epoch": told.epoch, "text": signed.text, "sig": signed.sig}
        mine = [durable.c.recording_id, durable.c.epoch]
        newer = {"text": signed.text, "sig": signed.sig}
        connection.execute(insert(durable).on_conflict_do_update(index_elements=mine, set_=newer), row)

    ledger.write(work)


def of_now(connection: Connection) -> ColumnElement[bool]:
    """Whether the centre of now said so: one that was put back to an earlier state may have lost what it held."""
    epoch = connection.execute(select(receipt.c.epoch).order_by(receipt.c.id.desc()).limit(1)).scalar()
    return true() if epoch is None else durable.c.epoch == epoch


def is_durable(connection: Connection, recording_id: str) -> bool:
    """Whether the centre said that it holds this recording, every chunk verified."""
    wanted = select(durable.c.recording_id).where(and_(durable.c.recording_id == recording_id, of_now(connection)))
    return connection.execute(wanted).first() is not None
