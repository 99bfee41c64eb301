"""Joining a centre with a fresh folder: the key is kept before the first request, the store appears at the end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.commands import rehearsal_folder as folders
from app.core.errors import BadInput, Unavailable
from app.keys import Signer
from app.paths import StationFolder
from app.platform import boot_id, disk_trouble
from app.reserve import RESERVE_BYTES
from app.store.keyfile import key_path, make_key, read_key
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.sync.client import CentreClient, Speaker, require_loopback
from app.sync.enrol import Applicant, ask_to_join, require_active
from app.wire import Centre
from app.wire_enrol import Enrolled

_ENROLLING = "enrolling.db"


def require_address(url: str) -> None:
    """Raises BadInput("enrol.address"): it does not name a host by http or https."""
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    if not named:
        raise BadInput("enrol.address", url.partition(":")[0][:20])


def look_at(url: str) -> Centre:
    """What a centre says of itself; believed only after the words were compared and the code proved it.

    Raises BadInput("enrol.address"), Unavailable("enrol.no_centre"): there is none, whatever else there is.
    """
    require_address(url)

    async def ask() -> Centre:
        async with CentreClient(url) as client:
            return await client.centre()

    try:
        return asyncio.run(ask())
    except Unavailable as away:
        raise Unavailable("enrol.no_centre", away.detail) from away


def applicant_of(folder: StationFolder, passphrase: str, code: str, centre: Centre) -> Applicant:
    """The key that this folder joins with: made once, wrapped by the passphrase, the same at every attempt."""
    rehearsal = passphrase == REHEARSAL_PASSPHRASE
    return Applicant(Signer(enrolling_seed(folder.root, passphrase)), code, rehearsal, centre)


def enrolling_seed(folder: Path, passphrase: str) -> bytes:
    """Of the key that this folder joins with; kept here before the first request.

    Raises StorageTrouble: folder.not_writable, store.disk_full; as `read_key`.
    """
    place = folder / _ENROLLING
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if key_path(place).exists():
            root = read_key(place, passphrase)
        else:
            root = make_key(place, passphrase, published=passphrase == REHEARSAL_PASSPHRASE)
    except OSError as trouble:
        raise disk_trouble(trouble, f"{folder.name} {type(trouble).__name__}", "folder.not_writable") from trouble
    return HKDF(SHA256(), 32, None, b"cardintake station signing key").derive(root)


def forget_enrolling(folder: Path) -> None:
    """What it joined with lies in the database by now."""
    key_path(folder / _ENROLLING).unlink(missing_ok=True)


def join(url: str, applicant: Applicant) -> Enrolled:
    """Ask the centre once. Raises as `ask_to_join`; Unavailable("station.pending")."""
    if applicant.rehearsal:
        require_loopback(url)

    async def ask() -> Enrolled:
        async with CentreClient(url) as client:
            told = require_active(await ask_to_join(client, applicant))
        async with CentreClient(url, None, Speaker(told.station, applicant.signer, told.centre)) as pinned:
            await pinned.feed("")  # from here on only what the pinned authority vouches for
        return told

    return asyncio.run(ask())


def make_store(folder: StationFolder, told: Enrolled, passphrase: str, reserve_bytes: int = RESERVE_BYTES) -> Store:
    """The station's store with the key that was enrolled; the mark of a rehearsal first."""
    rehearsal = passphrase == REHEARSAL_PASSPHRASE
    if rehearsal and not folder.rehearsal_mark.exists():
        folders.write_mark(folder, folders.Mark("", boot_id()))
    seed = enrolling_seed(folder.root, passphrase)
    store = Store.create(
        folder.database, passphrase, station_id=told.station, centre=told.centre, rehearsal=rehearsal,
        signing_seed=seed, reserve_bytes=reserve_bytes,
    )  # fmt: skip
    forget_enrolling(folder.root)
    return store
