"""A centre's folder: made once by `init`, opened by every server process.

    centre.json   what stations pin: tenant, salt, public keys, vault certificate (all public)
    centre.db     events, receipts' ground, decisions, feed
    objects/      footage in encrypted chunks
    server.key    signs receipts, feed and decisions (0600); gives way to another (app.server.rotate)
    lists.key     what the lists' hashes are keyed from (0600); stays
    tls/          the centre's own authority and certificate (app.server.tls)
    vault/        private halves of the vault key and the tenant root (0600)

In a rehearsal `vault/` lies beside the rest. For real cards it belongs on another machine: who holds it opens every
number and PIN, and the server never needs it.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Engine, insert, select

from app.core.errors import BadInput, StorageTrouble, Trouble
from app.keys import Signer, key_id, new_seed
from app.platform import disk_trouble, durable_write, private_folder
from app.server.db import hold_to, open_engine, require_own_numbers
from app.server.folder import CentreFolder, FolderKeys, in_place, read_centre, write_centre
from app.server.object_store import LocalObjects, Objects
from app.server.tables import meta
from app.server.tls import make_authority, make_certificate
from app.store.db import open_database, reading, transaction
from app.store.migrate import upgrade
from app.wire import Centre, ServerCertificate, VaultCertificate, sign_statement

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class OpenCentre:
    """What a server process works with. It holds no state of its own beyond this."""

    engine: Engine
    keys: FolderKeys
    epoch: str
    folder: CentreFolder
    objects: Objects
    restored: int
    """How often the database was put back to an earlier state."""

    @property
    def signer(self) -> Signer:
        """The centre's own key of now."""
        return self.keys.now()[0]

    @property
    def centre(self) -> Centre:
        """What stations pin."""
        return self.keys.now()[1]

    def derived(self, purpose: str) -> bytes:
        """A secret of the centre for one purpose, 32 bytes: the same in every process over the folder, for ever."""
        return HKDF(SHA256(), 32, None, f"cardintake {purpose}".encode()).derive(self.folder.lists_seed())


def init(data_dir: Path, database: str = "", names: Sequence[str] = ()) -> CentreFolder:
    """Make a centre: keys, certificates, database (`database`: "postgresql://…", "" for a file in the folder).

    `names`: hosts or addresses by which stations reach it.
    Raises BadInput("serve.already_initialised"), StorageTrouble.
    """
    folder = CentreFolder(data_dir)
    if folder.centre.exists():
        raise BadInput("serve.already_initialised", data_dir.name)
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_folder(folder.vault)
        centre = _make_keys(folder)
        make_certificate(folder.tls, names)
        folder.database.unlink(missing_ok=True)  # of an `init` that was cut off; nothing can have joined it
        _make_database(open_engine(database) if database else open_database(folder.database), folder, database)
        # Last: its presence says that everything else is there.
        write_centre(folder.centre, centre)
    except OSError as trouble:
        raise disk_trouble(trouble, f"{data_dir.name} {type(trouble).__name__}", "folder.not_writable") from trouble
    return folder


def open_centre(data_dir: Path, database: str = "", objects: str = "", connections: int = 8) -> OpenCentre:
    """Open a centre for serving; an older database is upgraded (a file is copied before).

    `database`: postgresql://…, `objects`: s3://…; "" for files in the folder. Raises BadInput: serve.not_initialised,
    serve.damaged (a key is missing or broken), serve.database, serve.objects. StorageTrouble.
    """
    folder = CentreFolder(data_dir)
    read_centre(data_dir)
    if not database and not folder.database.exists():
        raise StorageTrouble("store.missing_over_enrolled_folder", folder.database.name)
    place = open_objects(folder, objects)
    engine = open_engine(database or folder.database, connections)
    upgrade(engine, None if database else folder.database, MIGRATIONS)
    try:
        with reading(engine) as connection:
            row = connection.execute(select(meta.c.epoch, meta.c.restored)).first()
            in_place(folder, connection)
            require_own_numbers(connection)
        if row is None:
            raise StorageTrouble("store.damaged", "meta")
    except Trouble:
        engine.dispose()
        raise
    hold_to(engine, row.epoch)
    return OpenCentre(engine, FolderKeys(folder), row.epoch, folder, place, row.restored)


def open_objects(folder: CentreFolder, url: str) -> Objects:
    """Where chunks lie: `url` s3://…, "" for files in the folder. Raises BadInput("serve.objects"), StorageTrouble."""
    if not url:
        return LocalObjects(folder.objects)
    from app.server.s3 import S3Objects  # noqa: PLC0415  heavy, and only with a bucket

    return S3Objects(url)


def _make_keys(folder: CentreFolder) -> Centre:
    root_seed, server_seed, vault = new_seed(), new_seed(), X25519PrivateKey.generate()
    root, public = Signer(root_seed), vault.public_key().public_bytes_raw()
    durable_write(folder.server_key, server_seed.hex().encode())
    durable_write(folder.lists_key, new_seed().hex().encode())
    durable_write(folder.vault / "root.key", root_seed.hex().encode())
    durable_write(folder.vault / f"{key_id(public)}.key", vault.private_bytes_raw().hex().encode())
    tenant = f"tenant-{uuid.uuid4().hex[:12]}"
    certificate = VaultCertificate(tenant=tenant, key_id=key_id(public), public_key=public.hex())
    server_key = Signer(server_seed).public_key.hex()
    return Centre(
        tenant=tenant,
        salt=os.urandom(32).hex(),
        root_key=root.public_key.hex(),
        server_key=server_key,
        vault=sign_statement(certificate, root.sign),
        server=sign_statement(ServerCertificate(tenant=tenant, public_key=server_key), root.sign),
        base_url=f"https://{tenant}.centre.invalid",
        ca=make_authority(folder.tls, tenant),
    )


def _make_database(engine: Engine, folder: CentreFolder, database: str) -> None:
    """Tables and the first row; a database that another centre uses already is refused."""
    try:
        upgrade(engine, None if database else folder.database, MIGRATIONS)
        with transaction(engine) as connection:
            if connection.execute(select(meta.c.id)).first() is not None:
                raise BadInput("serve.already_initialised", "database")
            row = {"id": 1, "epoch": uuid.uuid4().hex, "log_size": 0, "log_peaks": b"", "restored": 0}
            connection.execute(insert(meta), row)
    finally:
        engine.dispose()


def ready_line(url: str) -> str:
    """What a server process says on stdout when it can be reached: {"url", "pid"}."""
    return json.dumps({"url": url, "pid": os.getpid()})
