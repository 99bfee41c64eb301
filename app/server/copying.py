"""A centre's database and footage, copied whole: for a backup, its way back, and the move to PostgreSQL and S3.

A backup is a folder: `objects/` with all chunks ever copied into it, and one folder a time with `centre.db`,
`centre.json`, `server.key`, `lists.key` and `tls/`. It is as secret as the centre itself; no card number or PIN can be
opened with it, because the vault's keys are not in it.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from app.core.audit import CentreAct
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.core.merkle import CompactTree
from app.keys import Signer
from app.paths import dated
from app.platform import disk_trouble, durable_write, private_folder, sync_folder
from app.server.db import is_postgres, open_engine
from app.server.folder import CentreFolder, own_key, read_centre, read_seed
from app.server.log import Deciding, note_act
from app.server.object_store import LocalObjects, Objects
from app.server.setup import MIGRATIONS, open_objects
from app.server.tables import chunk, meta, metadata, nonce, restoration, sealed
from app.store.db import MOVED, checkpoint, open_database, reading, transaction
from app.store.migrate import upgrade
from app.store.verify import log_fault
from app.wire import sign_statement
from app.wire_witness import Restored

_LOG = select(meta.c.epoch, meta.c.log_size, meta.c.log_peaks)
_CHUNKS = select(chunk.c.oid).order_by(chunk.c.oid)
_MARKS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {table}_moved BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{MOVED}'); END"
    for table, verb in (("nonce", "INSERT"), ("meta", "UPDATE"))
)
"""No request is done without a nonce, and nothing comes into the log without a new size."""

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
    state = dated(to, now)
    partial = CentreFolder(state.with_name(f"{state.name}.part"))
    try:
        shutil.rmtree(partial.root, ignore_errors=True)
        private_folder(partial.root)
        copied = _taken_away(places, partial, LocalObjects(to / _OBJECTS))
        _copy_keys(places.folder, partial)
        _require_fit(partial)
        partial.root.rename(state)
        sync_folder(to)
    except OSError as trouble:
        raise disk_trouble(trouble, "backup") from trouble
    finally:
        shutil.rmtree(partial.root, ignore_errors=True)  # of one that did not come to its end: it holds keys, and room
    return state, copied


def _taken_away(places: Places, partial: CentreFolder, objects: Objects) -> Copied:
    """The rows first: chunks that are brought meanwhile are in no row of theirs, and those that are in one lie there
    for good.
    """
    source, target = places.engine(), open_database(partial.database)
    try:
        upgrade(target, None, MIGRATIONS)
        tree = copy_database(source, target)
        chunks = copy_objects(target, open_objects(places.folder, places.objects), objects)
    finally:
        source.dispose()
        target.dispose()
    return Copied(tree.size, tree.root().hex(), chunks)


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
        if not places.database:  # of a restore that was cut off: centre.json comes last
            places.folder.database.unlink(missing_ok=True)
        target = open_engine(places.database, 2) if places.database else open_database(places.folder.database)
        here = open_objects(CentreFolder(state.root.parent), "")
        try:
            upgrade(target, None, MIGRATIONS)
            chunks = copy_objects(source, here, open_objects(places.folder, places.objects))
            with reading(source) as old, transaction(target) as new:
                tree = _restored_before(old, new) or _restored_now(old, new, state)
        finally:
            source.dispose()
            target.dispose()
        _copy_keys(state, places.folder)
    except OSError as trouble:
        raise disk_trouble(trouble, "restore") from trouble
    return Copied(tree.size, tree.root().hex(), chunks)


def _restored_before(old: Connection, new: Connection) -> CompactTree | None:
    """The log, when a restore of this very backup was cut off before the keys: nothing came after it."""
    now = new.execute(_LOG).first()
    word = now and new.execute(select(restoration.c.text).where(restoration.c.epoch == now.epoch)).scalar()
    if not now or not word:
        return None
    told, before = Restored.model_validate_json(word), old.execute(_LOG).one()
    tree = CompactTree.from_bytes(before.log_size, bytes(before.log_peaks))
    same = (told.before, told.size, told.root) == (before.epoch, before.log_size, tree.root().hex())
    return tree if same and now.log_size == before.log_size + 1 else None


def _restored_now(old: Connection, new: Connection, state: CentreFolder) -> CompactTree:
    tree = copy_tables(old, new)
    new.execute(update(meta).values(epoch=uuid.uuid4().hex, restored=meta.c.restored + 1))
    _say_restored(new, state, old.execute(select(meta.c.epoch)).scalar_one(), tree)
    return tree


def _say_restored(connection: Connection, state: CentreFolder, before: str, tree: CompactTree) -> None:
    """The centre's signed word on how much of the log before is still there; the first entry of the new epoch."""
    signer, centre = Signer(read_seed(state.server_key)), read_centre(state.root)
    now_ms = time.time_ns() // 1_000_000
    now = connection.execute(select(meta.c.epoch, meta.c.restored)).one()
    stated = Restored(
        tenant=centre.tenant,
        before=before,
        epoch=now.epoch,
        size=tree.size,
        root=tree.root().hex(),
        at_ms=now_ms,
    )
    signed = sign_statement(stated, signer.sign)
    row = {"epoch": now.epoch, "text": signed.text, "sig": signed.sig, "at_ms": now_ms}
    connection.execute(insert(restoration), row)
    deciding = Deciding(centre.tenant, signer, now_ms, now.restored)
    note_act(connection, deciding, CentreAct.RESTORED, stated.model_dump(exclude={"tenant", "at_ms"}))


def move(places: Places) -> Copied:
    """From the file and the files in the folder to `places.database` and `places.objects`; the root stays the same.

    Before its rows are read a mark in the file refuses whoever still serves it (`serve.moved`), for good unless the
    copy fails. Then it is renamed. Cut off anywhere, the same call goes on; until it did, nobody serves the file.
    Raises BadInput: serve.not_initialised, serve.already_initialised (another centre's database). StorageTrouble.
    """
    path = places.folder.database
    moved = path.with_name(f"{path.stem}.moved")
    if not path.exists() and not moved.exists():
        raise BadInput("serve.not_initialised", path.name)
    file = path if path.exists() else moved
    source, target = open_engine(file, 2), places.engine()
    try:
        upgrade(source, file, MIGRATIONS)
        upgrade(target, None, MIGRATIONS)
        there = open_objects(places.folder, places.objects)
        tree, chunks = _moved(source, target, LocalObjects(places.folder.objects), there)
        checkpoint(source)
    finally:
        source.dispose()
        target.dispose()
    for suffix in ("", "-wal", "-shm"):  # SQLite removes the latter two when the last one closes in order
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(moved.with_name(moved.name + suffix))
    sync_folder(places.folder.root)
    return Copied(tree.size, tree.root().hex(), chunks)


def abandon(places: Places) -> CompactTree:
    """Give up a move that was begun: the file is served again, with the log that is given back.

    Chunks of footage that lie at the other place already stay there.

    Only where no centre's rows lie at `places.database`, for they may be served already; then `move` goes on. Raises
    BadInput: serve.not_moving (no move was begun), serve.moved_whole. StorageTrouble.
    """
    path = places.folder.database
    if not path.exists():
        whole = path.with_name(f"{path.stem}.moved").exists()
        raise BadInput("serve.moved_whole" if whole else "serve.not_initialised", path.name)
    source, target = open_engine(path, 2), places.engine()
    try:
        upgrade(target, None, MIGRATIONS)
        with transaction(source) as old, transaction(target) as new:
            if not _is_marked(old):
                raise BadInput("serve.not_moving", path.name)
            if new.execute(_LOG).first() is not None:
                raise BadInput("serve.moved_whole", "database")
            _drop_marks(old)
            now = old.execute(_LOG).one()
            return CompactTree.from_bytes(now.log_size, bytes(now.log_peaks))
    finally:
        source.dispose()
        target.dispose()


def _moved(source: Engine, target: Engine, here: Objects, there: Objects) -> tuple[CompactTree, int]:
    """Footage while it is served still; then the mark, and while nobody writes, what came meanwhile and the rows."""
    before = _chunks(source)
    _copy_chunks(before, here, there)
    fresh, copied = _marked(source), False
    try:
        with transaction(source) as old, transaction(target) as new:
            names = old.execute(_CHUNKS).scalars().all()
            _copy_chunks(sorted(set(names) - set(before)), here, there)
            theirs = new.execute(_LOG).first()
            if theirs is None:
                tree = copy_tables(old, new)
            elif not fresh and tuple(theirs) == tuple(old.execute(_LOG).one()):  # of a call that was cut off
                tree = CompactTree.from_bytes(theirs.log_size, bytes(theirs.log_peaks))
            else:
                raise BadInput("serve.already_initialised", "database")
            copied = True  # from here on the target may have it, whatever is heard of that
    finally:
        if fresh and not copied:
            _unmark(source)
    return tree, len(names)


def _marked(source: Engine) -> bool:
    """Mark the file, durably; False where a call before did, which may have copied what is in it."""
    with transaction(source) as connection:
        there = _is_marked(connection)
        for statement in _MARKS:
            connection.exec_driver_sql(statement)
    return not there


def _is_marked(connection: Connection) -> bool:
    found = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'meta_moved'").scalar_one()
    return bool(found)


def _unmark(source: Engine) -> None:
    with transaction(source) as connection:
        _drop_marks(connection)


def _drop_marks(connection: Connection) -> None:
    for table in ("nonce", "meta"):
        connection.exec_driver_sql(f"DROP TRIGGER {table}_moved")


def copy_objects(source: Engine, here: Objects, there: Objects) -> int:
    """Every chunk that the database speaks of, hashed on the way; their number."""
    names = _chunks(source)
    _copy_chunks(names, here, there)
    return len(names)


def _chunks(source: Engine) -> Sequence[str]:
    with reading(source) as connection:
        return connection.execute(_CHUNKS).scalars().all()


def _copy_chunks(names: Iterable[str], here: Objects, there: Objects) -> None:
    for oid in names:
        there.put(oid, here.read(oid))


def copy_database(source: Engine, target: Engine) -> CompactTree:
    """All tables, from one picture into one transaction; the log's tree. Raises as `copy_tables`."""
    steady = source
    if source.dialect.name == "postgresql":  # SQLite gives one picture to a transaction anyway
        steady = source.execution_options(isolation_level="REPEATABLE READ")
    with reading(steady) as old, transaction(target) as new:
        return copy_tables(old, new)


def copy_tables(old: Connection, new: Connection) -> CompactTree:
    """All rows but the nonces, which hold for minutes; the log's tree.

    Raises BadInput("serve.already_initialised") when there is a centre already; EvidenceTrouble("audit.broken") when
    the log does not hold its events after the copy: then nothing was written.
    """
    if new.execute(select(meta.c.id)).first() is not None:
        raise BadInput("serve.already_initialised", "database")
    for table in metadata.sorted_tables:
        if table is not nonce:
            _copy_rows(old, new, table)
    if is_postgres(new):
        _count_on(new)
    fault, tree = log_fault(new)
    lost = new.execute(select(func.count()).select_from(sealed)).scalar_one()
    if fault is not None or lost != old.execute(select(func.count()).select_from(sealed)).scalar_one():
        raise EvidenceTrouble("audit.broken", "copy")
    return tree


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
