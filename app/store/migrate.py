"""Brings a database to this release's revision, by one line of Alembic revisions.

Newer than us: refused. Older: the file is copied first, then upgraded, then checked. Ours: checked, because a page
that went bad is better met at the start than in the middle of a parcel.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from app.core.errors import StorageTrouble
from app.platform import disk_trouble, sync_folder
from app.store.db import reading, transaction

STATION_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, database: Path | None, migrations: Path = STATION_MIGRATIONS) -> None:
    """Upgrade in place, in one transaction; only a check when the revision is ours. `database`: its file, if any.

    Raises StorageTrouble: store.newer_database (its revision is unknown here), store.damaged (the check).
    """
    line = ScriptDirectory(str(migrations))
    ours = line.get_current_head()
    with transaction(engine) as connection:
        found = _revision(connection)
    if found == ours:
        if database is not None:
            _check(engine, "quick_check")
        return
    known = {script.revision for script in line.walk_revisions()}
    if found is not None and found not in known:
        raise StorageTrouble("store.newer_database", f"revision {found}, here {ours}")
    if found is not None and database is not None:
        _copy_aside(engine, database, found)
    with transaction(engine) as connection:
        _run(connection, migrations)
    if database is not None:
        _check(engine, "integrity_check")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def _copy_aside(engine: Engine, database: Path, revision: str) -> None:
    """A copy that opens with the same key; the write-ahead log is brought into the file before."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        raw.close()
    copy = database.with_name(f"{database.name}.before-{revision}")
    try:
        shutil.copyfile(database, copy)
        with copy.open("rb") as written:
            os.fsync(written.fileno())
        sync_folder(copy.parent)
    except OSError as trouble:
        copy.unlink(missing_ok=True)
        raise disk_trouble(trouble, "copy before upgrade") from trouble


def _run(connection: Connection, migrations: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":  # several server processes may start at once
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(73410)")
    command.upgrade(config, "head")


def _check(engine: Engine, how: str) -> None:
    """`how`: quick_check reads every page, integrity_check holds the indexes against their tables, too."""
    with reading(engine) as connection:
        said = connection.exec_driver_sql(f"PRAGMA {how}").scalars().first()
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if said != "ok" or broken is not None:
        raise StorageTrouble("store.damaged", how)
