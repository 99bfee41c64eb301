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
from app.keys import verifier
from app.server.checking import Checker
from app.server.log import Log
from app.server.rotations import StationKeys, rotations_of
from app.server.tables import alarm, checkpoint, event, log_leaf, station
from app.store.db import reading

CODE = "signature.damaged"
_PIECE, _PIECE_BESIDE, _IN_ACT = 64, 128, 500
_REST_S, _BREATH_S, _AT_EASE_S = 0.0002, 0.00001, 20.0
_WORTH = 256
"""So many are left to another process."""

_IN_A_ROW = 4
"""Signatures between two rests: to fall asleep and wake takes time too."""

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


@dataclass(frozen=True, slots=True)
class Background:
    """Who looks beside requests: `leave` ends it, `checker` is the process that checks where there is much to do."""

    leave: Event
    checker: Checker


def look(engine: Engine, first: int, end: int, *, beside: Background | None = None) -> list[Damaged] | None:
    """The damaged ones among the log's entries from `first` up to, not including, `end`; None when somebody else was
    done with them meanwhile. `beside` requests another process checks. Where that does not answer, or it is not worth
    the while, this one rests every few signatures, so that requests come first, and after 20 s hurries, so that no load
    keeps checkpoints off for long.
    """
    found: list[Damaged] = []
    hurry_s = time.monotonic() + _AT_EASE_S
    checker = beside.checker if beside is not None and end - first >= _WORTH else None
    size = _PIECE_BESIDE if checker else _PIECE
    for begin in range(first, end, size):
        with reading(engine) as connection:
            if last_size(connection) != first:
                return None
            piece = _piece(connection, begin, min(begin + size, end))
        good = checker.holds([(key, one.sig, one.data) for _, one, key in piece]) if checker and piece else None
        if good is None:
            good = _checked_here(piece, beside.leave if beside else None, hurry_s)
        if good is None or (beside is not None and beside.leave.is_set()):
            return None
        # The bytes themselves are another matter: who changed them is found by every audit.
        bad = (one for one, holds in zip(piece, good, strict=True) if not holds)
        found += [Damaged(name, one.seq, digest(one.sig)) for name, one, _ in bad if digest(one.data) == one.hash]
    return found


def _checked_here(piece: Sequence[Entry], leave: Event | None, hurry_s: float) -> list[bool] | None:
    """Of each entry whether its signature holds; None when `leave` was set meanwhile."""
    good = []
    for count, (_, one, key) in enumerate(piece, 1):
        good.append(verifier(key)(one.sig, one.data))
        if leave is not None and (count % _IN_A_ROW == 0 or count == len(piece)):
            rest_s = _REST_S if time.monotonic() < hurry_s else _BREATH_S
            if leave.wait(rest_s * _IN_A_ROW):
                return None
    return good


Entry = tuple[str, SignedEvent, bytes]
"""A station's name, its event, and the key that held at its place."""


def _piece(connection: Connection, begin: int, end: int) -> list[Entry]:
    """The stations' entries (not the centre's own)."""
    wanted = _ENTRIES.where(log_leaf.c.n >= begin, log_leaf.c.n < end, event.c.station != CENTRE)
    rows = connection.execute(wanted.order_by(log_leaf.c.n)).all()
    names = {row.station for row in rows}
    now = connection.execute(select(station.c.id, station.c.public_key).where(station.c.id.in_(names))).all()
    before = rotations_of(connection, names)
    keys = {name: StationKeys(bytes(key), before.get(name, ())) for name, key in now}
    return [
        (name, SignedEvent(seq, bytes(data), told, bytes(sig)), keys[name].at(seq))
        for name, seq, data, told, sig in rows
    ]


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
