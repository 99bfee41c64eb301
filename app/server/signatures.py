"""Each event's own signature, looked at after intake and before a checkpoint holds the event.

Intake checks the last signature of an unbroken run, which vouches for all before it: the events' bytes are the
station's, whatever lies beside one of them. A signature that does not hold for itself is noted here as an act of the
centre, with its SHA-256. So who checks the log entry by entry can tell one that came so from one that was changed
afterwards; and an operator sees it among the alarms, because no honest station sends one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from threading import Event

from sqlalchemy import BigInteger, Connection, Engine, and_, bindparam, func, insert, literal, select

from app.core.audit import CENTRE, CentreAct, SignedEvent, digest
from app.keys import Verify, verifier
from app.server.log import Log
from app.server.rotations import StationKeys, rotations_of
from app.server.tables import alarm, checkpoint, event, log_leaf, station
from app.store.db import reading

CODE = "signature.damaged"
_PIECE, _IN_ACT = 64, 500
_REST_S, _BREATH_S, _AT_EASE_S = 0.0002, 0.00001, 20.0

_LAST = select(func.coalesce(func.max(checkpoint.c.size), 0))
_SAME = and_(event.c.station == log_leaf.c.station, event.c.seq == log_leaf.c.seq)
_ENTRIES = select(event.c.station, event.c.seq, event.c.data, event.c.hash, event.c.sig).join(log_leaf, _SAME)


_ALARM = insert(alarm).from_select(
    ["station", "code", "seq", "data", "hash", "sig", "at_ms"],
    select(
        event.c.station,
        literal(CODE),
        event.c.seq,
        event.c.data,
        event.c.hash,
        event.c.sig,
        bindparam("now_ms", type_=BigInteger),
    ).where(event.c.station == bindparam("name"), event.c.seq == bindparam("number")),
)


@dataclass(frozen=True, slots=True, order=True)
class Damaged:
    """An event whose own signature does not hold; `signature`: SHA-256 (hex) of it. Events may be large, and many."""

    station: str
    seq: int
    signature: str


def last_size(connection: Connection) -> int:
    """How many entries the newest checkpoint holds, all of which were looked at; 0 before the first."""
    return int(connection.execute(_LAST).scalar_one())


def look(engine: Engine, first: int, end: int, *, leave: Event | None = None) -> list[Damaged] | None:
    """The damaged ones among the log's entries from `first` up to, not including, `end`; None when somebody else was
    done with them meanwhile. In the background `leave` ends it (None again): there it rests after each signature, so
    that requests come first, and after 20 s hurries, so that no load keeps checkpoints off for long.
    """
    found: list[Damaged] = []
    hurry_s = time.monotonic() + _AT_EASE_S
    for begin in range(first, end, _PIECE):
        with reading(engine) as connection:
            if last_size(connection) != first:
                return None
            piece = _piece(connection, begin, min(begin + _PIECE, end))
        for name, one, verify in piece:
            # The bytes themselves are another matter: who changed them is found by every audit.
            if not verify(one.sig, one.data) and digest(one.data) == one.hash:
                found.append(Damaged(name, one.seq, digest(one.sig)))
            if leave is not None and leave.wait(_REST_S if time.monotonic() < hurry_s else _BREATH_S):
                return None
    return found


def _piece(connection: Connection, begin: int, end: int) -> list[tuple[str, SignedEvent, Verify]]:
    """The stations' entries (not the centre's own), each with the check by the key that held at its place."""
    wanted = _ENTRIES.where(log_leaf.c.n >= begin, log_leaf.c.n < end, event.c.station != CENTRE)
    rows = connection.execute(wanted.order_by(log_leaf.c.n)).all()
    names = {row.station for row in rows}
    now = connection.execute(select(station.c.id, station.c.public_key).where(station.c.id.in_(names))).all()
    before = rotations_of(connection, names)
    keys = {name: StationKeys(bytes(key), before.get(name, ())) for name, key in now}
    checks: dict[bytes, Verify] = {}
    piece = []
    for name, seq, data, told, sig in rows:
        key = keys[name].at(seq)
        verify = checks.get(key) or checks.setdefault(key, verifier(key))
        piece.append((name, SignedEvent(seq, bytes(data), told, bytes(sig)), verify))
    return piece


def note(log: Log, found: Sequence[Damaged]) -> None:
    """Add acts for each station, and an alarm with the first of its events. The caller writes the log, in the same
    transaction in which a checkpoint takes these entries in: so it is noted once, whoever looked.
    """
    for name, run in groupby(sorted(found), key=attrgetter("station")):
        some = list(run)
        told = {"name": name, "number": some[0].seq, "now_ms": log.deciding.now_ms}
        log.connection.execute(_ALARM, told)
        for at in range(0, len(some), _IN_ACT):
            signatures = {str(one.seq): one.signature for one in some[at : at + _IN_ACT]}
            log.act(CentreAct.SIGNATURE_DAMAGED, {"station": name, "signatures": signatures})
