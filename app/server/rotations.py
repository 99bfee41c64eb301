"""Which key of a station signed what: each event by the key of its place, requests by the newest alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.core.audit import CentreAct, SignedEvent
from app.rotation import by_key, key_after
from app.server.log import Log
from app.server.tables import station, station_rotation


@dataclass(frozen=True, slots=True)
class StationKeys:
    """`now` signs requests and what comes next; `before`: (number of its last event, key), the oldest first."""

    now: bytes
    before: tuple[tuple[int, bytes], ...] = ()

    def at(self, seq: int) -> bytes:
        """The key that an event has to be signed by, as far as is known here."""
        return next((key for last, key in self.before if seq <= last), self.now)

    @property
    def first(self) -> bytes:
        return self.before[0][1] if self.before else self.now

    def split(self, events: Sequence[SignedEvent]) -> list[tuple[bytes, Sequence[SignedEvent]]]:
        """A batch in runs, each with its key. Beyond what is known here, the batch's own events say who follows."""
        runs: list[tuple[bytes, Sequence[SignedEvent]]] = []
        known = list(takewhile(lambda event: event.seq <= self.last, events))
        for event in known:
            key = self.at(event.seq)
            if runs and runs[-1][0] == key:
                runs[-1] = (key, [*runs[-1][1], event])
            else:
                runs.append((key, [event]))
        return [*runs, *((part.key, part.events) for part in by_key(events[len(known) :], self.now) if part.events)]

    @property
    def last(self) -> int:
        """The number of the event that brought the key of now, 0 for the first key."""
        return self.before[-1][0] if self.before else 0


def keys_of(connection: Connection, name: str, now: bytes) -> StationKeys:
    """The keys of the station whose row says `now`."""
    return StationKeys(bytes(now), rotations_of(connection, [name]).get(name, ()))


def rotations_of(connection: Connection, names: Iterable[str]) -> dict[str, tuple[tuple[int, bytes], ...]]:
    """The keys that stations had before: (number of its last event, key), the oldest first."""
    columns = (station_rotation.c.station, station_rotation.c.seq, station_rotation.c.old_key)
    wanted = select(*columns).where(station_rotation.c.station.in_(list(names))).order_by(station_rotation.c.seq)
    found: dict[str, tuple[tuple[int, bytes], ...]] = {}
    for row in connection.execute(wanted):
        found[row.station] = (*found.get(row.station, ()), (row.seq, bytes(row.old_key)))
    return found


def follow(log: Log, name: str, event: SignedEvent, key: bytes) -> bytes:
    """What an event that comes into the chain makes of the station's key; a change is noted, and told in the log."""
    after = key_after(event, key)
    if after != key:
        row: dict[str, Any] = {"station": name, "seq": event.seq, "old_key": key, "new_key": after}
        log.connection.execute(insert(station_rotation), {**row, "at_ms": log.deciding.now_ms})
        log.connection.execute(update(station).where(station.c.id == name).values(public_key=after))
        told = {"station": name, "seq": event.seq, "old_key": key.hex(), "new_key": after.hex()}
        log.act(CentreAct.STATION_KEY_ROTATED, told)
    return after
