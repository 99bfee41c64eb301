"""Joining the centre anew where a station's chain has ended, and what the old folder still holds is put aside whole.

A station whose database was put back to before what the centre has cannot go on: a second history under its key would
lock both. It joins under another name, in the same place. What was there moves into `before/NAME-TIME`, a station's
folder like any other: `station sync` brings what footage is left there, `audit verify` holds its chain, `footage` shows
it. Each step may be broken off: the same call again goes on where it ended.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.commands.bulk import stamp
from app.core.audit import EventKind
from app.core.errors import BadInput, EvidenceTrouble
from app.paths import DATED, StationFolder
from app.platform import disk_trouble, durable_write, private_folder, sync_folder
from app.store.backup import settle
from app.store.keyfile import key_path
from app.store.store import Store
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.wire import EventBatch

_PLACE, _PART = "before", ".part"
_UNSENT = "unsent-cards.json"


def unsent_cards(store: Store) -> list[dict[str, Any]]:
    """The cards that the centre never acknowledged, as whoever takes them in again has to look for them."""
    found, at = [], store.high_received()
    while events := store.outbox_after(at):
        at = events[-1].seq
        told = (json.loads(one.data) for one in events)
        bodies = (one["body"] for one in told if one["kind"] == EventKind.CARD_KEPT)
        found += [{name: body.get(name) for name in ("card", "parcel", "last4")} for body in bodies]
    return found


def look_at_old(folder: StationFolder, passphrase: str, url: str, *, leave_unsent: bool) -> list[dict[str, Any]]:
    """Whether the station here may be put aside; the cards of which no receipt lies here, or lay when it was begun.

    A database that was put back and cannot go on may (the centre at `url` says so); another one only when all of it is
    at the centre, or with `leave_unsent`. What was begun to be put aside, and its list is written, is not asked
    again. Raises BadInput("enrol.unsent"), Unavailable, and what `Store.open` raises.
    """
    begun, gone = _begun(folder), not folder.database.exists()
    if (begun and (gone or (begun / _UNSENT).exists())) or (gone and not key_path(folder.database).exists()):
        return _unsent_before(folder)
    if gone:
        if leave_unsent:
            return []  # nobody can tell any more
        raise BadInput("enrol.unsent", folder.database.name)
    store = Store.open(folder.database, passphrase, reserve_bytes=0)
    try:
        cards = unsent_cards(store)
        unsent = store.queue().unsent
        ended = leave_unsent or (store.ledger.frozen and asyncio.run(_has_ended(store, url)))
        if unsent and not ended:
            raise BadInput("enrol.unsent", f"{unsent} events, {len(cards)} cards")
    finally:
        store.close()
    return cards


async def _has_ended(store: Store, url: str) -> bool:
    """Whether the centre holds later events than a database that was put back; if not, its chain goes on from now."""
    async with CentreClient(url, None, Speaker.of(store)) as client:
        try:
            receipt = (await client.send(EventBatch.of(store.station, []))).receipt
            settle(store.ledger, receipt, stamp())
        except CentreRefused as refused:
            if refused.reason == "auth.signature":  # its key was changed after the backup
                return True
            raise
        except EvidenceTrouble as trouble:
            if trouble.code == "store.restored_behind":
                return True
            raise
    return False


def _begun(folder: StationFolder) -> Path | None:
    """What an earlier call left half-way."""
    return next(iter(sorted((folder.root / _PLACE).glob(f"*{_PART}"))), None)


def _last_aside(folder: StationFolder) -> Path | None:
    """Where the station that was here last lies by now, or part of it."""
    return _begun(folder) or max((folder.root / _PLACE).glob("*"), key=lambda one: one.stat().st_mtime_ns, default=None)


def _unsent_before(folder: StationFolder) -> list[dict[str, Any]]:
    """What an earlier call, which was broken off, found unsent: nobody can ask that database any more."""
    aside = _last_aside(folder)
    if aside is None or not (aside / _UNSENT).exists():
        return []
    found: list[dict[str, Any]] = json.loads((aside / _UNSENT).read_bytes())
    return found


def put_aside(folder: StationFolder, name: str, cards: Sequence[Mapping[str, Any]], now: datetime) -> Path | None:
    """Move database, key, backups, recordings, chips and exports of the station `name` away; where to. `cards` that
    the centre never acknowledged are listed there.

    Where nothing is left to move, because a call before came so far: where that one moved it, None if there was none.

    The database's key goes last: as long as it lies there, nobody begins a fresh database beside what was not moved
    yet. Raises StorageTrouble: store.disk_full, store.io.
    """
    place = folder.root / _PLACE
    begun = _begun(folder)
    if begun is None and not any(one.exists() for one in (key_path(folder.database), *_belongings(folder))):
        return _last_aside(folder)
    part = begun or place / f"{name}-{now.astimezone(UTC).strftime(DATED)}{_PART}"
    aside = StationFolder(part)
    try:
        private_folder(place)
        private_folder(part)
        durable_write(part / _UNSENT, json.dumps(list(cards)).encode())
        for copied in (folder.settings, folder.rehearsal_mark):
            if copied.exists():
                durable_write(part / copied.name, copied.read_bytes())
        for moved in _belongings(folder):
            if moved.exists():
                moved.rename(part / moved.name)
        sync_folder(part)
        sync_folder(folder.root)
        if key_path(folder.database).exists():
            key_path(folder.database).rename(key_path(aside.database))
        whole = part.with_name(part.name.removesuffix(_PART))
        part.rename(whole)
        sync_folder(place)
    except OSError as trouble:
        raise disk_trouble(trouble, _PLACE) from trouble
    return whole


def _belongings(folder: StationFolder) -> list[Path]:
    """What belongs to one station's identity, in the order in which it goes; the catalogue and the logs stay."""
    database = folder.database
    beside = [database.with_name(database.name + end) for end in ("-wal", "-shm")]
    return [folder.recordings, folder.chips, folder.exports, folder.backups, *beside, database]
