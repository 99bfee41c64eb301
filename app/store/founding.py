"""Making a station's database: under another name first, so that it appears complete or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from app.platform import sync_folder
from app.store.db import checkpoint, open_database, transaction
from app.store.keyfile import key_path, make_key
from app.store.ledger import remove_parts
from app.store.migrate import upgrade
from app.store.tables import meta


def make_database(path: Path, passphrase: str, row: Mapping[str, Any], *, published: bool) -> None:
    """Build the database with its first row and let it appear after its key. `published`: the passphrase is known to
    everybody (a rehearsal's).
    """
    partial = unfinished(path)
    remove_parts(partial)
    key = make_key(partial, passphrase, published=published)
    engine = open_database(partial, key)
    try:
        upgrade(engine, partial)
        with transaction(engine) as connection:
            connection.execute(insert(meta), dict(row))
        checkpoint(engine)
    finally:
        engine.dispose()
    key_path(partial).replace(key_path(path))
    partial.replace(path)
    sync_folder(path.parent)


def is_gone(path: Path) -> bool:
    """Whether an enrolled folder has lost its database: its key is there, it is not, and none is being made."""
    return not path.exists() and key_path(path).exists() and not unfinished(path).exists()


def unfinished(path: Path) -> Path:
    """The name of a database that is being made; while it is there, nothing was enrolled yet."""
    return path.with_name(f"new-{path.name}")
