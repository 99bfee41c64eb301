"""Which chunks of footage the centre has, and when a recording is whole.

A chunk counts when its row is there, and the row is written only after the bytes were hashed where they lie
(app.server.object_store). So a PUT twice is a PUT once, and a crash leaves nothing that is believed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select

from app.core.errors import EvidenceTrouble
from app.keys import verifier
from app.server.admit import Caller, identify, spend_nonce
from app.server.db import insert_missing
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import chunk, video
from app.store.db import reading, transaction
from app.wire import (
    Durable,
    ObjectPlace,
    ObjectsAnswer,
    ObjectSize,
    ObjectsWanted,
    Signed,
    StoredObject,
    VideoAnswer,
    VideoManifest,
    hash_of_pieces,
    open_statement,
    sign_statement,
)


def places(centre: OpenCentre, asked: ObjectsWanted, caller: Caller, now_ms: int) -> ObjectsAnswer:
    """Where to put what is missing. Raises Refusal as `admit`."""
    identify(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
    with reading(centre.engine) as connection:  # no writer waits while a bucket is asked
        missing = _missing(connection, centre, asked.objects)
    return ObjectsAnswer(objects=tuple(_place(centre, one, one.oid in missing) for one in asked.objects))


def _place(centre: OpenCentre, one: ObjectSize, is_missing: bool) -> ObjectPlace:
    actions = centre.objects.actions(one) if is_missing else {}
    return ObjectPlace.model_validate({"oid": one.oid, "size": one.size, "actions": actions})


def _missing(connection: Connection, centre: OpenCentre, asked: Collection[ObjectSize]) -> set[str]:
    """Chunks without a row, or whose bytes are gone or cut (a disk that was put back to an earlier state)."""
    by_oid = {one.oid: one for one in asked}
    known = connection.execute(select(chunk.c.oid).where(chunk.c.oid.in_(by_oid))).scalars()
    return set(by_oid) - centre.objects.held([by_oid[oid] for oid in known])


def verify(centre: OpenCentre, one: ObjectSize, caller: Caller, now_ms: int) -> StoredObject:
    """Read back what a station put into the bucket, then note it. Raises Refusal as `admit`, object.differs."""
    identify(centre, caller, now_ms)
    if not centre.objects.verified(one):
        raise Refusal("object.differs", 409)
    return stored(centre, one.oid, one.size, caller, now_ms)


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
    with reading(centre.engine) as connection:
        missing = _missing(connection, centre, manifest.pieces)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
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
