"""Copies of the station's database while it is in use, and the way back from one.

A copy is a folder named by its time, with the database and its wrapped key; it opens with the station's passphrase. It
appears complete or not at all, is opened and held against the original before it counts, and only then an older one
goes. A database that was put back is frozen: not one event is added before the centre has said that its chain goes on
where the backup ends. Else a second history would begin under the same key, and both would be locked.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, update

from app.centre_keys import by_any
from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.paths import DATED, dated
from app.platform import disk_trouble, durable_write, free_bytes, private_folder, sync_folder
from app.store.db import checkpoint, open_database, transaction, translated
from app.store.keyfile import key_path, read_key
from app.store.ledger import Ledger, head_of
from app.store.migrate import upgrade
from app.store.store import Store
from app.store.tables import outbox, restored
from app.wire import Receipt, Signed, open_statement

_PART = ".part"


@dataclass(frozen=True, slots=True)
class Copy:
    """A backup: its folder and the number of the last event in it (0: not looked at)."""

    folder: Path
    head: int = 0


def copies(folder: Path) -> list[Path]:
    """The backups in a folder, the newest first."""
    found = [path for path in folder.glob("*Z") if path.is_dir() and _is_name(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: path.name, reverse=True)


def back_up(store: Store, database: Path, folder: Path, now: datetime, keep: int) -> Copy:
    """Copy the database of an open store into a new folder in `folder`; of the copies the newest `keep` stay.

    Call it where the store is used: nothing else is written meanwhile. Raises StorageTrouble: store.disk_full,
    store.damaged (the copy does not agree with the original: it is thrown away, the older ones stay), store.io.
    """
    copy = dated(folder, now)
    part = copy.with_name(copy.name + _PART)
    try:
        _clear_parts(folder)
        private_folder(folder)
        if free_bytes(folder) < 2 * database.stat().st_size:
            raise StorageTrouble("store.disk_full", "backup")
        private_folder(part)
        copy_in_use(store.ledger.engine, database, part)
        head = _compared(store, part / database.name)
        part.rename(copy)
        sync_folder(folder)
        for old in copies(folder)[keep:]:
            shutil.rmtree(old)
    except OSError as trouble:
        raise disk_trouble(trouble, "backup") from trouble
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Copy(copy, head)


def copy_in_use(engine: Engine, database: Path, part: Path) -> None:
    """A durable copy of an open database with its wrapped key, in the folder `part`. Raises StorageTrouble, OSError."""
    to = part / database.name
    with translated():
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("VACUUM INTO ?", (str(to),))  # under the same key
        finally:
            raw.close()
    to.chmod(0o600)
    with to.open("rb") as written:
        os.fsync(written.fileno())
    durable_write(key_path(to), key_path(database).read_bytes())


def _compared(store: Store, copy: Path) -> int:
    """Open the copy beside the original: whole, and with the same last event; its number."""
    with translated():
        raw = store.ledger.engine.raw_connection()
        cursor = raw.cursor()
        try:
            cursor.execute("ATTACH ? AS copied", (str(copy),))
            try:
                whole = cursor.execute("PRAGMA copied.integrity_check").fetchone()[0] == "ok"
                last = "SELECT seq, hash FROM {}.outbox ORDER BY seq DESC LIMIT 1"
                there, here = (cursor.execute(last.format(name)).fetchone() for name in ("copied", "main"))
            finally:
                cursor.execute("DETACH copied")
        finally:
            raw.close()
    if not whole or there != here:
        raise StorageTrouble("store.damaged", "backup")
    return int(here[0]) if here else 0


def put_back(backup: Path, database: Path, passphrase: str, at_wall_us: int) -> Copy:
    """Put the newest copy in `backup` (or `backup` itself) to the place of a database that is gone, frozen.

    Raises BadInput: store.exists (move what is there away first), store.no_backup. StorageTrouble as `Store.open`.
    """
    source = backup if (backup / database.name).is_file() else next(iter(copies(backup)), None)
    if source is None:
        raise BadInput("store.no_backup", backup.name)
    if database.exists():
        raise BadInput("store.exists", database.name)
    key = read_key(source / database.name, passphrase)
    part = database.with_name(database.name + _PART)
    try:
        shutil.copyfile(source / database.name, part)
        head = _frozen(part, key, at_wall_us)
        durable_write(key_path(database), key_path(source / database.name).read_bytes())
        for old in ("-wal", "-shm"):
            database.with_name(database.name + old).unlink(missing_ok=True)
        part.chmod(0o600)
        part.rename(database)
        sync_folder(database.parent)
    except OSError as trouble:
        raise disk_trouble(trouble, "restore") from trouble
    finally:
        part.unlink(missing_ok=True)
    return Copy(source, head)


def _frozen(part: Path, key: bytes, at_wall_us: int) -> int:
    """Check the copy, bring it up to this release, mark it; the number of its last event."""
    engine = open_database(part, key, must_exist=True)
    try:
        upgrade(engine, None)
        with transaction(engine) as connection:
            if connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() != "ok":
                raise StorageTrouble("store.damaged", "backup")
            head = head_of(connection)[0]
            connection.execute(insert(restored), {"at_wall_us": at_wall_us, "head": head, "settled": False})
        checkpoint(engine)
    finally:
        engine.dispose()
    with part.open("rb") as written:
        os.fsync(written.fileno())
    return head


def settle(ledger: Ledger, signed: Signed, stamp: Stamp) -> None:
    """Go on with a chain that was put back, when the centre has no later event of it.

    Raises EvidenceTrouble: sync.untrusted_answer; store.restored_behind: the centre has events that are not here. Then
    the chain stays frozen for ever: this folder is only looked at, the station joins anew under another name.
    """
    told = open_statement(Receipt, signed, by_any(ledger.identity.centre))
    if told.station != ledger.identity.station:
        raise EvidenceTrouble("sync.untrusted_answer", "receipt: of another station")

    def work(connection: Connection) -> None:
        head = head_of(connection)[0]
        ours = connection.execute(select(outbox.c.hash).where(outbox.c.seq == told.high)).scalar()
        if told.high and ours != told.head_hash:
            raise EvidenceTrouble("store.restored_behind", f"{told.high - head} events")
        connection.execute(update(restored).values(settled=True))
        ledger.append(connection, EventKind.RESTORED, {"head": head, "centre": told.high}, stamp, "")

    ledger.frozen = False
    try:
        ledger.write(work)
    except BaseException:
        ledger.frozen = True
        raise


def _clear_parts(folder: Path) -> None:
    """What an earlier run left half-way."""
    for part in folder.glob(f"*Z{_PART}"):
        shutil.rmtree(part, ignore_errors=True)


def _is_name(name: str) -> bool:
    try:
        datetime.strptime(name, DATED).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
