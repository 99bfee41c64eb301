"""The stations' keys as they were seen last: who asks again and again is not looked up each time.

A hint and nothing more: signatures are checked against it before the transaction, and inside it the station's row,
locked, has to name the same key. So several processes need not tell each other what changed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, func, select

from app.server.chips import has_open_facts
from app.server.db import locked
from app.server.rotations import StationKeys, rotations_of
from app.server.tables import station, station_rotation
from app.store.db import reading

_LAST_ROTATION = (
    select(func.max(station_rotation.c.seq)).where(station_rotation.c.station == station.c.id).scalar_subquery()
)
_ROWS = select(station, _LAST_ROTATION.label("rotated"), has_open_facts(station.c.id).label("open_facts"))
_NAMED = _ROWS.where(station.c.id.in_(bindparam("names", expanding=True))).order_by(station.c.id)


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
                now = {row.id: bytes(row.public_key) for row in connection.execute(_NAMED, {"names": new})}
                before = rotations_of(connection, now)
            self._keys |= {name: StationKeys(key, before.get(name, ())) for name, key in now.items()}
        return {name: self._keys[name] for name in names if name in self._keys}

    def forget(self, name: str) -> None:
        """What is known of a station does not fit: ask anew the next time."""
        self._keys.pop(name, None)


def lock_stations(connection: Connection, names: Collection[str]) -> dict[str, Row[Any]]:
    """The stations' rows, locked in one order until the commit; with `rotated` and `open_facts`."""
    rows = connection.execute(locked(connection, _NAMED, of=station), {"names": sorted(names)})
    return {row.id: row for row in rows}


def holds(row: Row[Any], keys: StationKeys) -> bool:
    """Whether a locked row names the keys that signatures were checked by."""
    return bytes(row.public_key) == keys.now and (row.rotated or 0) == keys.last
