"""Other stations of the centre, as far as their word on its log was shown to this one.

Whose key was seen once is held to it: the centre, which says who they are, cannot put another one in its place later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from app.store.governing import is_revoked
from app.store.ledger import Ledger
from app.store.tables import other_station

SILENT_S = 7 * 24 * 3600
"""Who was heard of before, and not for so long, counts as silent: perhaps closed, perhaps kept from us."""


@dataclass(frozen=True, slots=True)
class Other:
    """A station, the key that spoke for it (32 bytes), the log's size it countersigned last, when (s, its clock)."""

    station: str
    key: bytes
    size: int
    at_s: int


def known(connection: Connection) -> dict[str, Other]:
    """Every station that was heard of, by name."""
    rows = connection.execute(select(other_station).order_by(other_station.c.station))
    return {row.station: Other(row.station, bytes(row.public_key), row.size, row.at_s) for row in rows}


def heard(ledger: Ledger, told: Iterable[Other]) -> None:
    """Keep what was heard of stations; an earlier word never takes the place of a later one."""
    rows = [{"station": one.station, "public_key": one.key, "size": one.size, "at_s": one.at_s} for one in told]
    if not rows:
        return
    new = insert(other_station)
    newer = new.on_conflict_do_update(
        index_elements=["station"],
        set_={name: new.excluded[name] for name in ("public_key", "size", "at_s")},
        where=new.excluded.at_s >= other_station.c.at_s,
    )
    ledger.write(lambda connection: connection.execute(newer, rows))


def silent(connection: Connection, now_s: int) -> tuple[Other, ...]:
    """Those that were not heard of for long, but for those that were revoked."""
    late = (one for one in known(connection).values() if now_s - one.at_s > SILENT_S)
    return tuple(one for one in late if not is_revoked(connection, "station", one.station))
