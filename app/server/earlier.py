"""Who still speaks under a key that another one followed: the station itself, late, or a copy with its own history.

Such a request is refused either way. But whoever copies a disk may be the first to change the key, and then it is the
rightful station that stands there with the old one: its events, other than those that lie here, are an alarm, and the
first of them after a change of key locks the station, as every fork does. Once a person has released it, a copy under
that old key is still written down, but holds nothing up any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import and_, func, insert, select, update

from app.core.audit import CentreAct, SignedEvent, digest
from app.keys import verifier
from app.server.admit import KNOWN_STATION, Caller
from app.server.db import locked
from app.server.log import Deciding, Log
from app.server.rotations import keys_of
from app.server.setup import OpenCentre
from app.server.tables import alarm, event, station, station_rotation
from app.signing import in_time
from app.store.db import reading, transaction

CODE = "fork.earlier-key"


def look(centre: OpenCentre, caller: Caller, events: Iterable[SignedEvent], now_ms: int) -> None:
    """Note another history that a refused request brings under an earlier key of the station; nothing else changes."""
    with reading(centre.engine) as connection:
        row = connection.execute(KNOWN_STATION, {"name": caller.station}).first()
        if row is None or row.state not in ("active", "locked") or not in_time(caller.signature.marks, now_ms // 1000):
            return
        before = keys_of(connection, caller.station, row.public_key).before
        checks = [check for _, key in before if caller.signature.holds(check := verifier(key))]
        if not checks:
            return
        signed = [one for one in events if digest(one.data) == one.hash and checks[0](one.sig, one.data)]
        seqs = [one.seq for one in signed]
        stored = select(event.c.seq, event.c.hash).where(event.c.station == caller.station, event.c.seq.in_(seqs))
        here = {found.seq: found.hash for found in connection.execute(stored)}
        other = next((one for one in signed if here.get(one.seq) != one.hash), None)
    if other is not None:
        _note(centre, caller.station, other, now_ms)


def _note(centre: OpenCentre, name: str, other: SignedEvent, now_ms: int) -> None:
    with transaction(centre.engine) as connection:
        connection.execute(locked(connection, KNOWN_STATION), {"name": name})
        ours = and_(alarm.c.station == name, alarm.c.code == CODE)
        if connection.execute(select(alarm.c.id).where(ours, alarm.c.hash == other.hash)).first() is not None:
            return
        last = select(func.max(station_rotation.c.at_ms)).where(station_rotation.c.station == name).scalar_subquery()
        first = connection.execute(select(alarm.c.id).where(ours, alarm.c.at_ms >= last)).first() is None
        row = {"station": name, "code": CODE, "seq": other.seq, "data": other.data, "hash": other.hash}
        connection.execute(insert(alarm), {**row, "sig": other.sig, "at_ms": now_ms})
        log = Log(connection, Deciding.of(centre, now_ms))
        told = {"station": name, "seq": other.seq, "other": other.hash}
        log.act(CentreAct.ALARM, {**told, "code": CODE})
        active = and_(station.c.id == name, station.c.state == "active")
        if first and connection.execute(update(station).where(active).values(state="locked")).rowcount:
            log.act(CentreAct.STATION_LOCKED, told)
        log.write()
