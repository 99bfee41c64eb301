"""The centre's database: a SQLite file on one machine, PostgreSQL for more; the same statements on both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Executable,
    LargeBinary,
    Select,
    Table,
    Text,
    create_engine,
    event,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.sql.elements import ColumnElement
from sqlcipher3 import dbapi2

from app.core.errors import BadInput, StorageTrouble
from app.server.tables import feed
from app.store.db import open_database, reading

Database = Engine
"""An open database, for those who only hand it on."""

_PREFIX = "postgresql://"


def open_engine(where: Path | str, connections: int = 8) -> Engine:
    """An engine over a SQLite file (a path, which must exist) or a PostgreSQL database ("postgresql://…").

    Raises StorageTrouble when it cannot be reached, BadInput("serve.database") for another kind of address.
    """
    if isinstance(where, Path):
        return open_database(where, connections=connections, must_exist=True)
    if not where.startswith(_PREFIX):
        raise BadInput("serve.database", where.partition(":")[0])
    # READ COMMITTED: who waited for a locked row sees what the one before it wrote. The server keeps commits durable
    # (synchronous_commit is on by default); a connection that died is noticed before it is used.
    engine = create_engine(
        "postgresql+psycopg://" + where.removeprefix(_PREFIX),
        pool_size=connections,
        max_overflow=40,
        hide_parameters=True,
    )
    event.listen(engine, "checkout", _still_there)
    with reading(engine) as connection:
        connection.exec_driver_sql("SELECT 1")
    return engine


def hold_to(engine: Engine, epoch: str) -> None:
    """From now on only connections to the database with this epoch count. Where it was put back to an earlier state
    under a server that runs, that one would go on with what it knows: it has to be started anew (serve.other_epoch).
    """

    def look(connection: Any, _record: Any) -> None:
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT epoch FROM meta")
            found = cursor.fetchone()
            connection.rollback()
        except (psycopg.Error, dbapi2.Error) as gone:
            raise StorageTrouble("serve.other_epoch", type(gone).__name__) from gone
        if found is None or found[0] != epoch:
            raise StorageTrouble("serve.other_epoch")

    event.listen(engine, "connect", look)


def require_own_numbers(connection: Connection) -> None:
    """Refuse rows of the feed that were written under transactions which this PostgreSQL has not begun yet: it was
    filled from another one's dump, and counts from the start. Nobody would be shown those rows, and what is written now
    would come before places that stations have read beyond. Raises StorageTrouble("serve.other_cluster").
    """
    if not is_postgres(connection):
        return
    next_one: ColumnElement[int] = literal_column("pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    if connection.execute(select(feed.c.id).where(feed.c.xid >= next_one).limit(1)).first() is not None:
        raise StorageTrouble("serve.other_cluster")


def _still_there(connection: Any, _record: Any, _fairy: Any) -> None:
    """Before an idle connection is used: whether the server ended it, by what has come in meanwhile. To ask the server
    would take as long as a statement. Raises DisconnectionError: the pool makes another one.
    """
    try:
        connection.pgconn.consume_input()  # why it ended, if the server still said so
        connection.pgconn.consume_input()  # and then the end itself
    except psycopg.OperationalError as ended:
        raise DisconnectionError from ended


def is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert rows whose key is not there yet; the number of rows that were new."""
    if not rows:
        return 0
    done = connection.execute(_insert_missing(table, is_postgres(connection)), list(rows))
    return int(done.rowcount)


@cache
def _insert_missing(table: Table, postgres: bool) -> Any:
    """Made once a table: building a statement costs more than running it."""
    missing = (postgresql.insert if postgres else sqlite.insert)(table).on_conflict_do_nothing()
    return missing.execution_options(preserve_rowcount=True)  # else PostgreSQL's count is lost, and says -1


def run(connection: Connection, statement: Executable, values: Mapping[str, Any]) -> Any:
    """Have the driver itself run a statement that was made once, each value in it by name; its cursor. SQLAlchemy takes
    longer to hand one over than most of those take that every batch needs.
    """
    words, names = _worded(statement, is_postgres(connection))
    return drive(connection, words, [values[name] for name in names])


def drive(connection: Connection, words: str, values: Sequence[Any]) -> Any:
    """Likewise in the driver's own words."""
    with _called_by_name(words):
        cursor: Any = connection.connection.cursor()
        cursor.execute(words, values)
    return cursor


@lru_cache(maxsize=128)
def _worded(statement: Executable, postgres: bool) -> tuple[str, list[str]]:
    """A statement as text with places, and what goes into them in turn."""
    made: Any = PGDialect_psycopg if postgres else sqlite.dialect
    compiled: Any = statement.compile(dialect=made(paramstyle="format" if postgres else "qmark"))  # type: ignore[attr-defined]
    return str(compiled), list(compiled.positiontup or ())


@contextmanager
def _called_by_name(words: str) -> Iterator[None]:
    """What PostgreSQL's driver raises, as SQLAlchemy would have raised it."""
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(words, None, error, psycopg.Error, hide_parameters=True) from error


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that are all new, each with every column. They go to the driver as they are: PostgreSQL takes them
    as one stream, and between SQLAlchemy and SQLite each value would be looked at again.
    """
    if not is_postgres(connection):
        names, statement = _insert(table)
        connection.exec_driver_sql(statement, [tuple([row[name] for name in names]) for row in rows])
        return
    names, types, statement = _copy(table)
    with _called_by_name(statement):
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(statement) as stream:
            stream.set_types(types)
            for row in rows:
                stream.write_row([row[name] for name in names])


@cache
def _insert(table: Table) -> tuple[list[str], str]:
    """Names of the columns, and SQLite's statement that takes them."""
    names = [column.name for column in table.columns]
    return names, f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


@cache
def _copy(table: Table) -> tuple[list[str], list[str], str]:
    """Names and types of the columns, and the statement that takes them."""
    types = [_COPIED[type(column.type)] for column in table.columns]
    names = [column.name for column in table.columns]
    return names, types, f"COPY {table.name} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"


_COPIED: dict[type, str] = {Text: "text", BigInteger: "int8", LargeBinary: "bytea"}


def insert_or_update(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], changes: Sequence[str]
) -> None:
    """Insert rows; where the key is there already, take over the columns `changes`."""
    statement = (postgresql.insert if is_postgres(connection) else sqlite.insert)(table)
    values = {name: statement.excluded[name] for name in changes}
    keys = [column.name for column in table.primary_key]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values), list(rows))


def locked(connection: Connection, statement: Select[Any], of: Table | None = None) -> Select[Any]:
    """The statement so that its rows (`of` that table) wait for other writers. SQLite has one writer anyway."""
    return _locking(statement, of) if is_postgres(connection) else statement


@lru_cache(maxsize=64)
def _locking(statement: Select[Any], of: Table | None) -> Select[Any]:
    return statement.with_for_update(of=of)


def settled(connection: Connection) -> ColumnElement[bool]:
    """Whether a row of the feed can no longer be overtaken by one that is still being written.

    PostgreSQL: only rows of transactions before the oldest one that is still open. Else a reader at row 2 would never
    see row 1, which committed later. SQLite writes one transaction after the other.
    """
    if not is_postgres(connection):
        return literal_column("1") == 1
    oldest: ColumnElement[int] = literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return feed.c.xid < oldest
