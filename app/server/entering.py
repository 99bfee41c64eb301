"""How entries come into the log's tables, in as few trips to the database as can be.

At small batches the trips are what a request waits for. To PostgreSQL what belongs together goes as one statement:

enter    nonces and events that are new, then the log's row, locked    (the tables' own rules say what may come in)
settle   the stations' heads, the entries' places, the tree's peaks

SQLite is asked within the process and gets one statement after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Table, bindparam, insert, select, update

from app.core.merkle import CompactTree
from app.server.db import drive, insert_all, insert_missing, is_postgres, locked, run
from app.server.tables import event, log_leaf, meta, nonce, station

Rows = Sequence[Mapping[str, Any]]

_FEW = 8
"""Up to so many events go as values of a statement; more as a stream, which has to be begun and ended."""

_MOST_RUNS = 16

# Made once: building a statement costs more than running it.
_PLACES = insert(log_leaf).from_select(
    ["n", "station", "seq"],
    select(event.c.seq + bindparam("shift", type_=BigInteger), event.c.station, event.c.seq)
    .where(event.c.station == bindparam("name"), event.c.seq.between(bindparam("first"), bindparam("last")))
    .order_by(event.c.seq),
)
_TREE = select(meta.c.log_size, meta.c.log_peaks)
_GROWN = update(meta).values(log_size=bindparam("size"), log_peaks=bindparam("peaks"))
_MOVED = (
    update(station)
    .where(station.c.id == bindparam("name"))
    .values(high=bindparam("last"), head_hash=bindparam("head"), seen_ms=bindparam("now_ms"))
)


class Run(NamedTuple):
    """A station's new events, numbers `first` to `last` with hash `head`; number + `shift` is the place in the log."""

    name: str
    head: str
    first: int
    last: int
    shift: int


def read_tree(connection: Connection, *, to_write: bool = False) -> CompactTree:
    """The log's tree. To write: it is locked until the commit, so that entries get their places one after the other."""
    size, peaks = run(connection, locked(connection, _TREE) if to_write else _TREE, {}).fetchone()
    return CompactTree.from_bytes(size, bytes(peaks))


def enter(connection: Connection, nonces: Rows, events: Rows, *, to_write: bool) -> tuple[int, CompactTree]:
    """Add events, and nonces as far as they are not there yet; how many of those were not, and the log's tree.

    `to_write`: it is locked until the commit, after the events are in.
    """
    if not is_postgres(connection):
        if events:
            insert_all(connection, event, events)
        return insert_missing(connection, nonce, nonces), read_tree(connection)
    few = events if len(events) <= _FEW else ()
    if events and not few:
        insert_all(connection, event, events)
    values = [*_values(nonce, nonces), *_values(event, few)]
    size, peaks, fresh = drive(connection, _entering(len(nonces), len(few), to_write), values).fetchone()
    return fresh, CompactTree.from_bytes(size, peaks)


def _values(table: Table, rows: Rows) -> list[Any]:
    return [row[column.name] for row in rows for column in table.columns]


@lru_cache(maxsize=64)
def _entering(nonces: int, events: int, to_write: bool) -> str:
    """That the rows are counted makes sure that they are in before the log is locked."""
    spent = f"{_insert(nonce, nonces)} ON CONFLICT DO NOTHING RETURNING 1" if nonces else "SELECT 1 WHERE false"
    added = f"{_insert(event, events)} RETURNING 1" if events else "SELECT 1 WHERE false"
    return (
        f"WITH spent AS ({spent}), added AS ({added}) SELECT log_size, log_peaks, fresh FROM meta, "
        "(SELECT count(*) AS fresh FROM spent) AS counted, (SELECT count(*) FROM added) AS also"
        + (" FOR UPDATE OF meta" if to_write else "")
    )


def _insert(table: Table, rows: int) -> str:
    names = [column.name for column in table.columns]
    places = f"({', '.join(['%s'] * len(names))})"
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([places] * rows)}"


def settle(connection: Connection, runs: Sequence[Run], tree: CompactTree, now_ms: int) -> None:
    """Say how far the stations are and where their new events stand in the log, whose tree this is now."""
    if not is_postgres(connection):
        told = [one._asdict() for one in runs]
        connection.execute(_MOVED, [{**one, "now_ms": now_ms} for one in told])
        connection.execute(_PLACES, told)
        run(connection, _GROWN, {"size": tree.size, "peaks": tree.to_bytes()})
        return
    for at in range(0, len(runs), _MOST_RUNS):
        part = runs[at : at + _MOST_RUNS]
        drive(connection, _settling(len(part)), [*chain(*part), now_ms, tree.size, tree.to_bytes()])


@lru_cache(maxsize=_MOST_RUNS)
def _settling(runs: int) -> str:
    told = ", ".join(["(%s, %s, %s::bigint, %s::bigint, %s::bigint)"] * runs)
    return (
        f"WITH told (name, head, first, last, shift) AS (VALUES {told}), "
        "moved AS (UPDATE station SET high = last, head_hash = head, seen_ms = %s FROM told WHERE id = name), "
        "grown AS (UPDATE meta SET log_size = %s, log_peaks = %s) "
        "INSERT INTO log_leaf (n, station, seq) "
        "SELECT seq + shift, name, seq FROM told, generate_series(first, last) AS seq"
    )
