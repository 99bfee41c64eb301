"""The stations' keys as they were seen last: who asks again and again is not looked up each time.

A hint and nothing more: signatures are checked against it before the transaction, and inside it the station's row,
locked, has to name the same key. So several processes need not tell each other what changed.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Select, bindparam, func, literal_column, select

from app.server.chips import has_open_facts
from app.server.db import locked, run
from app.server.rotations import StationKeys, rotations_of
from app.server.tables import station, station_rotation
from app.store.db import reading

_KEYS = select(station.c.id, station.c.public_key).where(station.c.id.in_(bindparam("names", expanding=True)))
_LAST_ROTATION = (
    select(func.max(station_rotation.c.seq)).where(station_rotation.c.station == station.c.id).scalar_subquery()
)


class Locked(NamedTuple):
    """A station's row that nobody else changes until the commit. `rotated`: number of the event that brought its key, 0
    for the first; `open_facts`: it has some that `chips.keep_facts` has to look at.
    """

    id: str
    public_key: bytes
    rehearsal: bool
    state: str
    high: int
    head_hash: str
    rotated: int
    open_facts: bool


class Known:
    """Keys of stations, by name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._keys: dict[str, StationKeys] = {}

    def keys(self, names: Collection[str]) -> dict[str, StationKeys]:
        """The keys of those of the stations that there are."""
        new = sorted(name for name in set(names) if name not in self._keys)
        if new:
            with reading(self._engine) as connection:
                now = {row.id: bytes(row.public_key) for row in connection.execute(_KEYS, {"names": new})}
                before = rotations_of(connection, now)
            self._keys |= {name: StationKeys(key, before.get(name, ())) for name, key in now.items()}
        return {name: self._keys[name] for name in names if name in self._keys}

    def forget(self, name: str) -> None:
        """What is known of a station does not fit: ask anew the next time."""
        self._keys.pop(name, None)


def lock_stations(connection: Connection, names: Collection[str]) -> dict[str, Locked]:
    """The stations' rows, locked in one order until the commit. `names`: one at least."""
    wanted = list(names)
    places = 1 << (len(wanted) - 1).bit_length()  # so that there are few statements: some are named more than once
    named = {f"name{n}": wanted[min(n, len(wanted) - 1)] for n in range(places)}
    rows = run(connection, locked(connection, _lock(places), of=station), named)
    return {row[0]: Locked(*row) for row in rows}


@cache
def _lock(places: int) -> Select[Any]:
    columns = [station.c[name] for name in Locked._fields[:6]]
    more = func.coalesce(_LAST_ROTATION, literal_column("0")), has_open_facts(station.c.id)
    named = station.c.id.in_([bindparam(f"name{n}") for n in range(places)])
    return select(*columns, *more).where(named).order_by(station.c.id)


def holds(row: Locked, keys: StationKeys) -> bool:
    """Whether a locked row names the keys that signatures were checked by."""
    return row.public_key == keys.now and row.rotated == keys.last
