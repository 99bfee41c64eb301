"""Parcels: announced, opened, counted, sealed or stopped; and what came of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState
from app.core.errors import BadInput
from app.core.parcels import DeclaredItem, EarlierParcel, ExpectedParcel, OpenParcel, Operator, Role, WayOut
from app.store import reference
from app.store.cards import tray_of
from app.store.ledger import Ledger
from app.store.results import Totals
from app.store.tables import card, expected_parcel, parcel


def announce(ledger: Ledger, parcels: Iterable[ExpectedParcel]) -> None:
    """Learn of parcels to come; a waybill told again replaces what was known."""

    def work(connection: Connection) -> None:
        for expected in parcels:
            reference.announce(connection, expected)

    ledger.write(work)


def find(connection: Connection, waybill: str) -> ExpectedParcel | EarlierParcel | None:
    """What is known of a waybill: done before, announced, or nothing."""
    done = and_(parcel.c.waybill == waybill, parcel.c.state == "sealed")
    row = connection.execute(select(parcel).where(done).order_by(parcel.c.closed_wall_us.desc())).first()
    if row:
        count = totals(connection, row.id)
        accepted, rejected = (count.by_state.get(s, 0) for s in (CardState.ACCEPTED, CardState.REJECTED))
        return EarlierParcel(waybill, row.closed_wall_us, accepted, rejected, count.total)
    announced = connection.execute(select(expected_parcel).where(expected_parcel.c.waybill == waybill)).first()
    if announced is None:
        return None
    return ExpectedParcel(waybill, announced.order_no, announced.declared, _items(json.loads(announced.items)))


def open_one(ledger: Ledger, opened: OpenParcel, stamp: Stamp) -> int:
    """Write a parcel down as in work; the number of its event. The same parcel again changes nothing."""

    def work(connection: Connection) -> int:
        ledger.must_count(connection)
        before = connection.execute(select(parcel.c.opened_seq).where(parcel.c.id == opened.parcel_id)).scalar()
        if before is not None:
            return int(before)
        body = {
            "parcel": opened.parcel_id,
            "waybill": opened.expected.waybill,
            "order_no": opened.expected.order_no,
            "declared": opened.expected.declared,
            "recording": opened.recording_id,
        }
        event = ledger.append(connection, EventKind.PARCEL_OPENED, body, stamp, opened.operator.id)
        connection.execute(insert(parcel), _row(opened, event.seq))
        return event.seq

    return ledger.write(work)


def unfinished(connection: Connection, rehearsal: bool) -> OpenParcel | None:
    """The parcel that was opened last and is not sealed, with its cards in order."""
    is_open = select(parcel).where(parcel.c.state == "open").order_by(parcel.c.opened_seq.desc())
    row = connection.execute(is_open).first()
    if row is None:
        return None
    return OpenParcel(
        parcel_id=row.id,
        expected=_expected(row),
        recording_id=row.recording_id,
        operator=Operator(row.operator_id, row.operator_name, Role(row.operator_role), rehearsal),
        cards=tray_of(connection, row.id),
        shots=tuple(json.loads(row.shots)),
    )


def mark_shot(ledger: Ledger, parcel_id: str, t_video_us: int) -> None:
    """Note an evidence shot of the count (µs in the recording), so that a resumed session knows it."""

    def work(connection: Connection) -> None:
        shots = [*json.loads(_open_row(connection, parcel_id).shots), t_video_us]
        connection.execute(update(parcel).where(parcel.c.id == parcel_id).values(shots=json.dumps(shots)))

    ledger.write(work)


def count(ledger: Ledger, parcel_id: str, found: int, stamp: Stamp, actor: str) -> int:
    """Record that the clerk counted `found` cards; the number of the event."""

    def work(connection: Connection) -> int:
        shots = json.loads(_open_row(connection, parcel_id).shots)
        body = {"parcel": parcel_id, "found": found, "shots_us": shots, **_told(totals(connection, parcel_id))}
        return ledger.append(connection, EventKind.PARCEL_COUNTED, body, stamp, actor).seq

    return ledger.write(work)


def close(ledger: Ledger, parcel_id: str, way_out: WayOut, stamp: Stamp, actor: str, approved_by: str) -> int:
    """Seal a parcel: declared, found and the store's own totals go into one event; its number."""

    def work(connection: Connection) -> int:
        row = _open_row(connection, parcel_id)
        body = {
            "parcel": parcel_id,
            "waybill": row.waybill,
            "declared": _expected(row).declared,
            "way_out": way_out.value,
            "approved_by": approved_by,
            "shots_us": json.loads(row.shots),
            **_told(totals(connection, parcel_id)),
        }
        event = ledger.append(connection, EventKind.PARCEL_SEALED, body, stamp, actor)
        values = {"state": "sealed", "way_out": way_out.value, "closed_wall_us": stamp.wall_us}
        connection.execute(update(parcel).where(parcel.c.id == parcel_id).values(**values))
        return event.seq

    return ledger.write(work)


def totals(connection: Connection, parcel_id: str) -> Totals:
    """The store's own count of a parcel, without withdrawn cards."""
    kept = and_(card.c.parcel_id == parcel_id, card.c.withdrawn.is_(False))
    counted = select(card.c.state, func.count(), func.coalesce(func.sum(card.c.face_value_fen), 0))
    rows = connection.execute(counted.where(kept).group_by(card.c.state)).all()
    by_state = {CardState(state): number for state, number, _ in rows}
    return Totals(sum(by_state.values()), by_state, sum(value for _, _, value in rows))


def _told(count: Totals) -> dict[str, Any]:
    states = {state.value: number for state, number in count.by_state.items()}
    return {"total": count.total, "states": states, "face_value_fen": count.face_value_fen}


def _open_row(connection: Connection, parcel_id: str) -> Row[Any]:
    wanted = and_(parcel.c.id == parcel_id, parcel.c.state == "open")
    row = connection.execute(select(parcel).where(wanted)).first()
    if row is None:
        raise BadInput("store.parcel_not_open", parcel_id)
    return row


def _row(opened: OpenParcel, seq: int) -> dict[str, Any]:
    return {
        "id": opened.parcel_id,
        "waybill": opened.expected.waybill,
        "expected": json.dumps(asdict(opened.expected)),
        "recording_id": opened.recording_id,
        "operator_id": opened.operator.id,
        "operator_name": opened.operator.name,
        "operator_role": opened.operator.role.value,
        "opened_seq": seq,
        "state": "open",
        "shots": json.dumps(opened.shots),
    }


def _expected(row: Row[Any]) -> ExpectedParcel:
    fields = json.loads(row.expected)
    return ExpectedParcel(fields["waybill"], fields["order_no"], fields["declared"], _items(fields["items"]))


def _items(fields: Iterable[dict[str, Any]]) -> tuple[DeclaredItem, ...]:
    return tuple(DeclaredItem(**item) for item in fields)
