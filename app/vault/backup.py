"""A copy of the vault's database while it runs, and how what came after it is looked at again when it was put back.

A copy is a folder named by its time, with the encrypted database and its wrapped key: what `vault run` opens, as it is.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from app.core.errors import StorageTrouble
from app.paths import dated
from app.platform import disk_trouble, free_bytes, private_folder, sync_folder
from app.store.backup import copy_in_use
from app.store.db import open_database, reading
from app.store.keyfile import read_key
from app.sync.client import CentreClient
from app.vault.index import look_up
from app.vault.keys import DATABASE, Vault
from app.vault.tables import claim, vault_key


def back_up(vault: Vault, folder: Path, passphrase: str, to: Path, now: datetime) -> Path:
    """Copy the vault in `folder` into a new folder in `to`; it appears complete, and opened once, or not at all.

    Raises StorageTrouble: store.disk_full, store.damaged (the copy does not hold what the vault holds), store.io.
    """
    copy = dated(to, now)
    part = copy.with_name(f"{copy.name}.part")
    try:
        private_folder(to)
        shutil.rmtree(part, ignore_errors=True)
        if free_bytes(to) < 2 * (folder / DATABASE).stat().st_size:
            raise StorageTrouble("store.disk_full", "backup")
        private_folder(part)
        copy_in_use(vault.engine, folder / DATABASE, part)
        _compare(vault, part / DATABASE, passphrase)
        part.rename(copy)
        sync_folder(to)
    except OSError as trouble:
        raise disk_trouble(trouble, "backup") from trouble
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return copy


def _compare(vault: Vault, copy: Path, passphrase: str) -> None:
    """Every key is in the copy, and as many numbers as there were, at least."""
    engine = open_database(copy, read_key(copy, passphrase), must_exist=True)
    try:
        with reading(engine) as there, reading(vault.engine) as here:
            whole = there.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            keys = [set(one.execute(select(vault_key.c.id)).scalars()) for one in (there, here)]
            claims = [one.execute(select(func.count()).select_from(claim)).scalar_one() for one in (there, here)]
    finally:
        engine.dispose()
    if not whole or keys[0] != keys[1] or claims[0] > claims[1]:
        raise StorageTrouble("store.damaged", "backup")


async def look_again(vault: Vault, client: CentreClient) -> int:
    """Look at every card once more, in the order in which they came, whatever was found of it; how many they were.

    What the index holds already stays. Numbers that came after a backup are in it then; without them their twins would
    be taken for first ones. Raises Unavailable, EvidenceTrouble as `CentreClient`.
    """
    done, cursor = 0, ""
    while True:
        told = await client.arrivals(after=cursor)
        for arrived in told.cards:
            await asyncio.to_thread(look_up, vault, arrived)
        done += len(told.cards)
        if not told.cursor:
            return done
        cursor = told.cursor
