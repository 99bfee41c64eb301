"""What each station saw of the log, for the others: so that nobody can be shown a log of his own.

A station's countersigned checkpoint goes to the others with the proof that the log they are shown begins with it. Where
two were shown different logs there is no such proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, select

from app.server.log import OWN_ROLE
from app.server.tables import checkpoint, cosignature, event, station, station_rotation
from app.wire import WireEvent
from app.wire_witness import SeenElsewhere

MOST = 32
"""Stations in one answer; who asks goes on behind the last of them."""

_NO_STATIONS = ("vault", "acceptance")
_newer = cosignature.alias()
_WITHIN = and_(_newer.c.station == station.c.id, _newer.c.size <= bindparam("most"))
_LAST = select(func.max(_newer.c.size)).where(_WITHIN).scalar_subquery()
_WORDS = (
    select(station.c.id, station.c.public_key, cosignature.c.size, cosignature.c.line, checkpoint.c.note)
    .select_from(station)
    .join(cosignature, and_(cosignature.c.station == station.c.id, cosignature.c.size == _LAST))
    .join(checkpoint, checkpoint.c.size == cosignature.c.size)
    .where(station.c.role.not_in((OWN_ROLE, *_NO_STATIONS)))
    .order_by(station.c.id)
    .limit(MOST)
)


@dataclass(frozen=True, slots=True)
class Shown:
    """The log as it is told beside: its name, its number of entries; `prove(size)`: the hashes that show that it begins
    with so many.
    """

    origin: str
    size: int
    prove: Callable[[int], Sequence[bytes]]


def seen_elsewhere(
    connection: Connection, log: Shown, own: Row[Any], after: str
) -> tuple[tuple[SeenElsewhere, ...], str]:
    """What stations behind `after` (by name) but `own` countersigned last of the log; behind whom to go on.

    A checkpoint that is newer than the one that is shown, written meanwhile, is left for the next time.

    Those that take in real cards hear of each other, rehearsals, which come and go, of rehearsals.
    """
    alike = and_(station.c.id != own.id, station.c.rehearsal == own.rehearsal)
    rows = connection.execute(_WORDS.where(and_(station.c.id > after, alike)), {"most": log.size}).all()
    shown = [row for row in rows if row.note.startswith(log.origin + "\n")]  # not of a log from before a restore
    proofs = {size: tuple(one.hex() for one in log.prove(size)) for size in {row.size for row in shown}}
    told = tuple(_told(connection, row, proofs[row.size]) for row in shown)
    return told, rows[-1].id if len(rows) == MOST else ""


def _told(connection: Connection, row: Any, proof: tuple[str, ...]) -> SeenElsewhere:
    same = and_(event.c.station == station_rotation.c.station, event.c.seq == station_rotation.c.seq)
    columns = (station_rotation.c.old_key, event.c.seq, event.c.data, event.c.hash, event.c.sig)
    wanted = select(*columns).join(event, same).where(station_rotation.c.station == row.id)
    changes = connection.execute(wanted.order_by(station_rotation.c.seq)).all()
    return SeenElsewhere.model_construct(
        station=row.id,
        first_key=bytes(changes[0].old_key if changes else row.public_key).hex(),
        rotations=tuple(
            WireEvent(seq=one.seq, data=bytes(one.data), hash=one.hash, sig=bytes(one.sig)) for one in changes
        ),
        note=row.note,
        line=row.line,
        proof=proof,
    )
