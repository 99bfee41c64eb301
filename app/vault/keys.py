"""The vault's folder: one encrypted database, whose key a passphrase wraps; inside it the private keys.

`make_vault` takes the private keys over from where `serve --init` left them and removes them there: from then on only
this folder, with its passphrase, opens a secret.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Engine, insert, select

from app.core.cards import Secret
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.keys import Signer, key_id
from app.platform import private_folder, sync_folder
from app.store.db import checkpoint, open_database, reading, transaction
from app.store.founding import unfinished
from app.store.keyfile import key_path, make_key, read_key
from app.store.ledger import remove_parts
from app.store.migrate import upgrade
from app.store.seal import MAGIC, SUITE, Context, info_of
from app.vault.tables import meta, vault_key
from app.wire import Centre

MIGRATIONS = Path(__file__).parent / "migrations"
DATABASE = "vault.db"


@dataclass(frozen=True, slots=True, repr=False)
class Vault:
    """An open vault. Holds private keys, so it does not print."""

    engine: Engine
    name: str
    centre: Centre
    signer: Signer
    index_key: bytes
    private: dict[str, X25519PrivateKey]

    def open(self, blob: bytes, context: Context) -> Secret:
        """A sealed field. Raises EvidenceTrouble("vault.not_openable"): another key or place, or changed bytes."""
        name = _key_named(blob)
        key = self.key_called(name)
        if not blob.startswith(MAGIC) or key is None:
            raise EvidenceTrouble("vault.not_openable", name)
        try:
            padded = SUITE.decrypt(blob[len(MAGIC) + 8 :], key, info=info_of(context, name))
        except (InvalidTag, ValueError) as wrong:  # the latter of what is no ciphertext at all
            raise EvidenceTrouble("vault.not_openable", context.field) from wrong
        text, mark, _ = padded.rpartition(b"\x80")
        if not mark:
            raise EvidenceTrouble("vault.not_openable", "padding")
        try:
            return Secret(text.decode())
        except UnicodeDecodeError as wrong:
            raise EvidenceTrouble("vault.not_openable", "text") from wrong

    def holds_key_of(self, blob: bytes) -> bool:
        """Whether the key that a blob says it was sealed to is here; no blob of ours asks for none."""
        return not blob.startswith(MAGIC) or self.key_called(_key_named(blob)) is not None

    def key_called(self, name: str) -> X25519PrivateKey | None:
        """A private key by its id, also one that was made since this process opened the vault; None for no key here."""
        if name in self.private:
            return self.private[name]
        with reading(self.engine) as connection:
            raw = connection.execute(select(vault_key.c.private).where(vault_key.c.id == name)).scalar()
        if raw is None:
            return None
        return self.private.setdefault(name, X25519PrivateKey.from_private_bytes(raw))

    def new_key(self) -> bytes:
        """A further key to seal to; its public half. It counts once the tenant root has certified it.

        The older ones stay: what was sealed to them is opened by them.
        """
        fresh = X25519PrivateKey.generate()
        public = fresh.public_key().public_bytes_raw()
        with transaction(self.engine) as connection:
            connection.execute(insert(vault_key), {"id": key_id(public), "private": fresh.private_bytes_raw()})
        return public

    def close(self) -> None:
        self.engine.dispose()


def _key_named(blob: bytes) -> str:
    return blob[len(MAGIC) : len(MAGIC) + 8].hex()


def make_vault(folder: Path, passphrase: str, name: str, centre: Centre, seed: bytes, keys_from: Path) -> None:
    """Make the vault's folder and take the private keys over from `keys_from`.

    Raises BadInput: vault.exists, vault.no_keys (no private key of the centre's vault certificate lies there).
    """
    database = folder / DATABASE
    if database.exists():
        raise BadInput("vault.exists", folder.name)
    keys = _read_keys(keys_from)
    if centre.vault_certificate().key_id not in keys:
        raise BadInput("vault.no_keys", keys_from.name)
    private_folder(folder)
    making = unfinished(database)  # of one that was broken off nothing is kept, and its keys still lie where they lay
    remove_parts(making)
    engine = open_database(making, make_key(making, passphrase, published=passphrase == "rehearsal"))
    try:
        upgrade(engine, making, MIGRATIONS)
        with transaction(engine) as connection:
            row = {"id": 1, "name": name, "centre": centre.model_dump_json(), "signing_seed": seed}
            connection.execute(insert(meta), {**row, "index_key": os.urandom(32)})
            connection.execute(insert(vault_key), [{"id": kid, "private": key} for kid, key in keys.items()])
        checkpoint(engine)
    finally:
        engine.dispose()
    key_path(making).replace(key_path(database))
    making.replace(database)
    sync_folder(folder)
    for kid in keys:
        (keys_from / f"{kid}.key").unlink()
    sync_folder(keys_from)


def _read_keys(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted(folder.glob("*.key")):
        if path.stem == "root":
            continue
        raw = bytes.fromhex(path.read_text(encoding="ascii"))
        if key_id(X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()) == path.stem:
            found[path.stem] = raw
    return found


def open_vault(folder: Path, passphrase: str) -> Vault:
    """Open a vault. Raises StorageTrouble as `read_key` and `open_database`; BadInput("vault.missing")."""
    database = folder / DATABASE
    if not database.exists() or not key_path(database).exists():
        raise BadInput("vault.missing", folder.name)
    engine = open_database(database, read_key(database, passphrase), must_exist=True)
    upgrade(engine, database, MIGRATIONS)
    with reading(engine) as connection:
        row = connection.execute(select(meta)).first()
        keys = {
            key.id: X25519PrivateKey.from_private_bytes(key.private) for key in connection.execute(select(vault_key))
        }
    if row is None:
        raise StorageTrouble("store.damaged", "meta")
    centre = Centre.model_validate_json(row.centre)
    return Vault(engine, row.name, centre, Signer(row.signing_seed), row.index_key, keys)
