"""A centre's database and footage, copied whole: for a backup, its way back, and the move to PostgreSQL and S3.

A backup is a folder: `objects/` with all chunks ever copied into it, and one folder a time with `centre.db`,
`centre.json`, `server.key`, `lists.key` and `tls/`. It is as secret as the centre itself; no card number or PIN can be
opened with it, because the vault's keys are not in it.
"""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from app.core.audit import CentreAct
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.keys import Signer
from app.platform import durable_write, private_folder, sync_folder
from app.server.db import is_postgres, open_engine
from app.server.folder import CentreFolder, own_key, read_centre, read_seed
from app.server.log import Deciding, note_act
from app.server.object_store import LocalObjects, Objects
from app.server.setup import MIGRATIONS, open_objects
from app.server.tables import chunk, meta, metadata, nonce, restoration, sealed
from app.store.db import open_database, reading, transaction
from app.store.migrate import upgrade
from app.store.verify import log_fault
from app.wire import sign_statement
from app.wire_witness import Restored

_ROWS = 500
_OBJECTS = "objects"
_PUBLIC = 0o644


@dataclass(frozen=True, slots=True)
class Places:
    """Where a centre's parts lie: its folder, "postgresql://…" or "" for a file there, "s3://…" or "" for files."""

    folder: CentreFolder
    database: str = ""
    objects: str = ""

    def engine(self) -> Engine:
        return open_engine(self.database or self.folder.database, 2)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy came to: size and root (hex) of the log, and how many chunks of footage."""

    log_size: int
    root: str
    chunks: int


def back_up(places: Places, to: Path, now: datetime) -> tuple[Path, Copied]:
    """Copy a centre, which may be serving, into the backup folder `to`; the new folder in it.

    It appears complete or not at all. Raises StorageTrouble, EvidenceTrouble("audit.broken"), as `copy_database`.
    """
    state = to / now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    partial = CentreFolder(state.with_name(f"{state.name}.part"))
    try:
        shutil.rmtree(partial.root, ignore_errors=True)
        private_folder(partial.root)
        source = places.engine()
        target, objects = open_database(partial.database), LocalObjects(to / _OBJECTS)
        copied = _copied(source, places, target, objects, None, serving=True)
        _copy_keys(places.folder, partial)
        _require_fit(partial)
        partial.root.rename(state)
        sync_folder(to)
    except OSError as full:
        raise StorageTrouble("store.disk_full", "backup") from full
    finally:
        shutil.rmtree(partial.root, ignore_errors=True)  # of one that did not come to its end: it holds keys, and room
    return state, copied


def _require_fit(copy: CentreFolder) -> None:
    """The key that was copied is the one that the copied log ends with: it may have changed in between."""
    engine = open_database(copy.database, connections=1, must_exist=True)
    try:
        with reading(engine) as connection:
            if own_key(connection) not in (None, bytes.fromhex(read_centre(copy.root).server_key)):
                raise StorageTrouble("serve.key_behind", "backup")
    finally:
        engine.dispose()


def restore(backup: Path, places: Places) -> Copied:
    """Put a centre back from a backup folder (or the newest in it) into an empty place.

    The epoch changes: stations see it in the next answer and send again what this centre no longer has.
    Raises BadInput: serve.already_initialised, serve.no_backup. StorageTrouble, EvidenceTrouble as `back_up`.
    """
    state = CentreFolder(_newest(backup))
    if places.folder.centre.exists():
        raise BadInput("serve.already_initialised", places.folder.root.name)
    source = open_database(state.database, connections=2, must_exist=True)
    upgrade(source, None, MIGRATIONS)
    try:
        places.folder.root.mkdir(parents=True, exist_ok=True)
        places.folder.database.unlink(missing_ok=True)  # of a restore that was cut off: centre.json comes last
        target = open_engine(places.database, 2) if places.database else open_database(places.folder.database)
        from_files = Places(CentreFolder(state.root.parent))
        with reading(source) as connection:
            before = connection.execute(select(meta.c.epoch)).scalar_one()
        copied = _copied(source, from_files, target, open_objects(places.folder, places.objects), uuid.uuid4().hex)
        _say_restored(state, places.engine(), before, copied)
        _copy_keys(state, places.folder)
    except OSError as full:
        raise StorageTrouble("store.disk_full", "restore") from full
    return copied


def _say_restored(state: CentreFolder, engine: Engine, before: str, copied: Copied) -> None:
    """The centre's signed word on how much of the log before is still there; the first entry of the new epoch."""
    signer, centre = Signer(read_seed(state.server_key)), read_centre(state.root)
    now_ms = time.time_ns() // 1_000_000
    try:
        with transaction(engine) as connection:
            now = connection.execute(select(meta.c.epoch, meta.c.restored)).one()
            stated = Restored(
                tenant=centre.tenant,
                before=before,
                epoch=now.epoch,
                size=copied.log_size,
                root=copied.root,
                at_ms=now_ms,
            )
            signed = sign_statement(stated, signer.sign)
            row = {"epoch": now.epoch, "text": signed.text, "sig": signed.sig, "at_ms": now_ms}
            connection.execute(insert(restoration), row)
            deciding = Deciding(centre.tenant, signer, now_ms, now.restored)
            note_act(connection, deciding, CentreAct.RESTORED, stated.model_dump(exclude={"tenant", "at_ms"}))
    finally:
        engine.dispose()


def move(places: Places) -> Copied:
    """From the file and the files in the folder to `places.database` and `places.objects`; the root stays the same.

    No server may run meanwhile. The file is renamed, so that nobody serves the old one by mistake.
    """
    source_path = places.folder.database
    if not source_path.exists():
        raise BadInput("serve.not_initialised", source_path.name)
    source = open_engine(source_path, 2)
    upgrade(source, source_path, MIGRATIONS)
    from_files = Places(places.folder)
    copied = _copied(source, from_files, places.engine(), open_objects(places.folder, places.objects), None)
    for suffix in ("-wal", "-shm", ""):  # SQLite removes the first two when it closes in order
        old = source_path.with_name(source_path.name + suffix)
        if old.exists():
            old.rename(source_path.with_name(f"{source_path.stem}.moved{suffix}"))
    sync_folder(places.folder.root)
    return copied


def _copied(
    source: Engine, from_: Places, target: Engine, objects: Objects, epoch: str | None, serving: bool = False
) -> Copied:
    """Footage first: rows that tell of chunks come when the chunks lie there, and a copy cut off can be made again.

    Of a centre that goes on `serving` the rows come first: chunks that are brought meanwhile are in no row of theirs,
    and those that are in one lie there for good.
    """
    here = open_objects(from_.folder, from_.objects)
    try:
        upgrade(target, None, MIGRATIONS)
        if serving:
            size, root = copy_database(source, target, epoch)
            return Copied(size, root, copy_objects(target, here, objects))
        chunks = copy_objects(source, here, objects)
        size, root = copy_database(source, target, epoch)
        return Copied(size, root, chunks)
    finally:
        source.dispose()
        target.dispose()


def copy_objects(source: Engine, here: Objects, there: Objects) -> int:
    """Every chunk that the database speaks of, hashed on the way; their number."""
    with reading(source) as connection:
        names = connection.execute(select(chunk.c.oid).order_by(chunk.c.oid)).scalars().all()
    for oid in names:
        there.put(oid, here.read(oid))
    return len(names)


def copy_database(source: Engine, target: Engine, epoch: str | None = None) -> tuple[int, str]:
    """All tables, from one picture into one transaction; size and root (hex) of the log. `epoch`: the new one, if any.

    Raises BadInput("serve.already_initialised") when there is a centre already; EvidenceTrouble("audit.broken") when
    the log does not hold its events after the copy: then nothing was written.
    """
    steady = source
    if source.dialect.name == "postgresql":  # SQLite gives one picture to a transaction anyway
        steady = source.execution_options(isolation_level="REPEATABLE READ")
    with reading(steady) as old, transaction(target) as new:
        if new.execute(select(meta.c.id)).first() is not None:
            raise BadInput("serve.already_initialised", "database")
        for table in metadata.sorted_tables:
            if table is not nonce:  # they hold for minutes
                _copy_rows(old, new, table)
        if is_postgres(new):
            _count_on(new)
        if epoch is not None:
            new.execute(update(meta).values(epoch=epoch, restored=meta.c.restored + 1))
        fault, tree = log_fault(new)
        lost = new.execute(select(func.count()).select_from(sealed)).scalar_one()
        if fault is not None or lost != old.execute(select(func.count()).select_from(sealed)).scalar_one():
            raise EvidenceTrouble("audit.broken", "copy")
    return tree.size, tree.root().hex()


def _copy_rows(old: Connection, new: Connection, table: Any) -> None:
    rows = old.execution_options(stream_results=True).execute(select(table))
    for some in rows.mappings().partitions(_ROWS):
        # Which transaction wrote a row means nothing in another database; 0 is before all of its own.
        fixed = [{**row, "xid": 0} if "xid" in row else dict(row) for row in some]
        new.execute(insert(table), fixed)


def _count_on(connection: Connection) -> None:
    for name in ("alarm", "feed"):
        counted = f"pg_get_serial_sequence('{name}', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL"
        connection.exec_driver_sql(f"SELECT setval({counted}) FROM {name}")


def _copy_keys(old: CentreFolder, new: CentreFolder) -> None:
    """`centre.json` last: its presence says that everything else is there."""
    durable_write(new.server_key, old.server_key.read_bytes())
    durable_write(new.lists_key, old.lists_seed().hex().encode())
    if old.tls.is_dir():
        private_folder(new.tls)
        for path in sorted(old.tls.iterdir()):
            durable_write(new.tls / path.name, path.read_bytes(), _PUBLIC if path.suffix == ".pem" else 0o600)
    durable_write(new.centre, old.centre.read_bytes(), _PUBLIC)


def _newest(backup: Path) -> Path:
    if (backup / "centre.db").exists():
        return backup
    states = sorted(path.parent for path in backup.glob("*Z/centre.db"))
    if not states:
        raise BadInput("serve.no_backup", backup.name)
    return states[-1]
