"""The ground of every database of the product: SQLite from `sqlcipher3`, keyed at the station, plain at the centre.

WAL with synchronous=FULL: NORMAL loses acknowledged rows in a power cut. Transactions begin IMMEDIATE, so that a
writer waits at the door instead of failing in the middle. Errors carry no parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool, StaticPool
from sqlcipher3 import dbapi2

from app.core.errors import StorageTrouble

OLDEST_SQLITE = (3, 51, 3)
"""Below it a write-ahead log that is reset while another connection reads may corrupt the file."""

_PRAGMAS = (
    "cipher_log_level = NONE",  # else the library writes to stderr when a key is wrong
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    "temp_store = MEMORY",
    "foreign_keys = ON",
    "busy_timeout = 5000",
)


MOVED = "this centre was moved to another database"
"""What a centre's file says to who would still write into it."""


def open_database(path: Path, key: bytes | None = None, connections: int = 1, must_exist: bool = False) -> Engine:
    """An engine over the file `path`, made if it is missing and `must_exist` is not set.

    `key`: 32 bytes for an encrypted file. With one connection (the station) the engine keeps exactly that one; the
    centre takes several. Raises StorageTrouble: store.damaged (also for a wrong key), store.disk_full, store.io.
    """
    if dbapi2.sqlite_version_info < OLDEST_SQLITE:
        raise StorageTrouble("store.sqlite_too_old", dbapi2.sqlite_version)
    single = connections == 1
    several: dict[str, Any] = {"poolclass": QueuePool, "pool_size": connections, "max_overflow": 40}
    pool: dict[str, Any] = {"poolclass": StaticPool} if single else several
    engine = create_engine(
        "sqlite://", creator=_creator(path, key, must_exist), module=dbapi2, hide_parameters=True, **pool
    )
    event.listen(engine, "begin", _begin)
    try:
        with reading(engine) as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except StorageTrouble:
        engine.dispose()
        raise
    return engine


def _creator(path: Path, key: bytes | None, must_exist: bool) -> Callable[[], Any]:
    mode = "rw" if must_exist else "rwc"
    uri = f"{path.resolve().as_uri()}?mode={mode}"

    def connect() -> Any:
        connection = dbapi2.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            if key is not None:
                connection.execute("PRAGMA cipher_log_level = NONE")
                connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except dbapi2.Error:
            connection.close()
            raise
        return connection

    return connect


def _begin(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("only_reads", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Everything inside happens, or nothing. Raises StorageTrouble for trouble with disk or file."""
    with translated(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent picture for reading; waits for no writer. Raises StorageTrouble as `transaction`."""
    with translated(), engine.connect().execution_options(only_reads=True) as connection, connection.begin():
        yield connection


def checkpoint(engine: Engine) -> None:
    """Bring the write-ahead log into the file, as before it is closed or copied. Raises StorageTrouble."""
    with translated():
        raw = engine.raw_connection()
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors about disk and file into StorageTrouble; broken constraints stay bugs."""
    try:
        yield
    except NoConnection as waited:
        raise StorageTrouble("store.locked", "pool") from waited
    except (DBAPIError, dbapi2.Error) as error:
        code = _code(error)
        if code is None:
            raise
        raise StorageTrouble(code, type(error).__name__) from error


def _code(error: DBAPIError | dbapi2.Error) -> str | None:
    original = error.orig if isinstance(error, DBAPIError) else error
    if original is not None and hasattr(original, "sqlstate"):
        return _postgres_code(original.sqlstate)
    said = str(original).lower()
    if isinstance(original, dbapi2.IntegrityError):
        return "serve.moved" if MOVED in said else None
    for words, code in _SAID.items():
        if words in said:
            return code
    return None


def _postgres_code(sqlstate: str | None) -> str | None:
    """PostgreSQL's error classes (its manual, appendix A); no state at all: the connection broke."""
    if sqlstate is None:
        return "store.database_away"
    return _STATES.get(sqlstate) or _CLASSES.get(sqlstate[:2])


_STATES = {
    "53100": "store.disk_full",
    "40001": "store.locked",
    "40P01": "store.locked",
    "25006": "store.io",  # a server that only reads: it follows another one
}
_CLASSES = {
    "08": "store.database_away",
    "53": "store.database_away",
    "57": "store.database_away",
    "58": "store.io",
}
"""Of the connection, of too many at once, of an operator, of its disk."""

_SAID = {
    "full": "store.disk_full",
    "locked": "store.locked",
    "not a database": "store.damaged",
    "malformed": "store.damaged",
    "unable to open": "store.io",
    "disk i/o error": "store.io",
    "readonly": "store.io",
}
"""SQLite's own sentences (sqlite3_errstr); the driver gives no code for all of them."""
