"""Encrypted chunks of footage, each named by the SHA-256 of its bytes: written once, hashed, then believed.

A chunk counts when its row is there, and the row is written only after the bytes lie durably under their name. So a
PUT twice is a PUT once, a crash leaves at most a file in `tmp`, and nothing that was stored is ever overwritten.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select
from starlette.concurrency import run_in_threadpool

from app.core.errors import EvidenceTrouble, StorageTrouble
from app.keys import verifier
from app.platform import sync_folder, write_all
from app.server.admit import Caller, identify, spend_nonce
from app.server.db import insert_missing
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import chunk, video
from app.store.db import transaction
from app.wire import (
    MOST_CHUNK,
    Durable,
    ObjectPlace,
    ObjectsAnswer,
    ObjectSize,
    ObjectsWanted,
    Signed,
    StoredObject,
    Transfer,
    VideoAnswer,
    VideoManifest,
    hash_of_pieces,
    open_statement,
    sign_statement,
)


class LocalObjects:
    """Chunks as files: `objects/ab/abcd…`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, oid: str) -> Path:
        return self._folder / oid[:2] / oid

    async def take(self, oid: str, body: AsyncIterator[bytes]) -> int:
        """Write the bytes beside their place, hash, sync, move; the size.

        Raises Refusal: digest (the bytes are others), too_large; StorageTrouble("store.disk_full", "store.io").
        """
        partial = self._folder / "tmp" / uuid.uuid4().hex
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            size = await _write(partial, oid, body)
            await run_in_threadpool(self._settle, partial, oid)
        except OSError as full:
            raise StorageTrouble("store.disk_full", "objects") from full
        finally:
            partial.unlink(missing_ok=True)
        return size

    def _settle(self, partial: Path, oid: str) -> None:
        place = self.path(oid)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(place)
        sync_folder(place.parent)
        sync_folder(self._folder)

    def holds(self, oid: str, size: int) -> bool:
        """Whether the file is there, with its size."""
        place = self.path(oid)
        return place.is_file() and place.stat().st_size == size


async def _write(partial: Path, oid: str, body: AsyncIterator[bytes]) -> int:
    hashed, size = hashlib.sha256(), 0
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        async for part in body:
            size += len(part)
            if size > MOST_CHUNK:
                raise Refusal("too_large", 413)
            hashed.update(part)
            await run_in_threadpool(write_all, fd, part)
        if hashed.hexdigest() != oid:
            raise Refusal("digest")
        await run_in_threadpool(os.fsync, fd)
    finally:
        os.close(fd)
    return size


def places(centre: OpenCentre, asked: ObjectsWanted, caller: Caller, now_ms: int) -> ObjectsAnswer:
    """Where to put what is missing. Raises Refusal as `admit`."""
    identify(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        missing = _missing(connection, centre, asked.objects)
    return ObjectsAnswer(objects=tuple(_place(one, one.oid in missing) for one in asked.objects))


def _place(one: ObjectSize, is_missing: bool) -> ObjectPlace:
    actions = {"upload": Transfer(href=f"/v1/objects/{one.oid}")} if is_missing else {}
    return ObjectPlace.model_validate({"oid": one.oid, "size": one.size, "actions": actions})


def _missing(connection: Connection, centre: OpenCentre, asked: Collection[ObjectSize]) -> set[str]:
    """Chunks without a row, or whose file is gone or cut (a disk that was put back to an earlier state)."""
    objects = LocalObjects(centre.folder.objects)
    rows = connection.execute(select(chunk.c.oid).where(chunk.c.oid.in_({one.oid for one in asked})))
    have = set(rows.scalars())
    return {one.oid for one in asked if one.oid not in have or not objects.holds(one.oid, one.size)}


def stored(centre: OpenCentre, oid: str, size: int, caller: Caller, now_ms: int) -> StoredObject:
    """Note that a chunk lies durably in its place."""
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        insert_missing(connection, chunk, [{"oid": oid, "size": size, "verified_ms": now_ms}])
    return StoredObject(oid=oid)


def take_manifest(centre: OpenCentre, name: str, signed: Signed, caller: Caller, now_ms: int) -> VideoAnswer:
    """Take a recording's manifest: what is missing still, or `durable`. Again with the same chunks: the same answer.

    Raises Refusal as `admit`; video.manifest (not by the caller, or of another recording), video.differs.
    """
    known = identify(centre, caller, now_ms)
    manifest = _manifest(signed, bytes(known.public_key), caller.station, name)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        missing = _missing(connection, centre, manifest.pieces)
        if missing:
            return VideoAnswer(missing=tuple(sorted(missing)))
        row = _keep(connection, manifest, signed, now_ms)
    return VideoAnswer(durable=sign_statement(_durable(manifest, row, centre.epoch), centre.signer.sign))


def _manifest(signed: Signed, public_key: bytes, station: str, name: str) -> VideoManifest:
    try:
        manifest = open_statement(VideoManifest, signed, verifier(public_key))
    except EvidenceTrouble as wrong:
        raise Refusal("video.manifest") from wrong
    if (manifest.station, manifest.recording) != (station, name):
        raise Refusal("video.manifest")
    return manifest


def _keep(connection: Connection, manifest: VideoManifest, signed: Signed, now_ms: int) -> Row[Any]:
    wanted = select(video).where(and_(video.c.station == manifest.station, video.c.id == manifest.recording))
    row = connection.execute(wanted).first()
    if row is None:
        size = sum(piece.size for piece in manifest.pieces)
        values = {"station": manifest.station, "id": manifest.recording, "manifest": signed.text, "sig": signed.sig}
        connection.execute(insert(video), {**values, "bytes": size, "durable_ms": now_ms})
        return connection.execute(wanted).one()
    before = VideoManifest.model_validate_json(row.manifest)
    if (before.pieces, before.final_hash) != (manifest.pieces, manifest.final_hash):
        raise Refusal("video.differs", 409)
    return row


def _durable(manifest: VideoManifest, row: Row[Any], epoch: str) -> Durable:
    return Durable(
        station=manifest.station,
        recording=manifest.recording,
        final_hash=manifest.final_hash,
        pieces_hash=hash_of_pieces(manifest.pieces),
        bytes=row.bytes,
        server_time_ms=row.durable_ms,
        epoch=epoch,
    )
