"""Which chunks of footage the centre has, and when a recording is whole.

A chunk counts when its row is there, and the row is written only after the bytes were hashed where they lie
(app.server.object_store). So a PUT twice is a PUT once, and a crash leaves nothing that is believed.
"""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatch
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, insert, select

from app.core.errors import EvidenceTrouble
from app.evidence.side import SIDE_GLOB
from app.keys import verifier
from app.server.admit import Caller, identify, spend_nonce
from app.server.db import insert_missing
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import chunk, video, video_originals
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

    One that adds parts of the side stream to what was there is kept beside it. Raises Refusal as `admit`;
    video.manifest (not by the caller, or of another recording), video.differs.
    """
    known = identify(centre, caller, now_ms)
    manifest = _manifest(signed, bytes(known.public_key), caller.station, name)
    with reading(centre.engine) as connection:
        missing = _missing(connection, centre, manifest.pieces)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        if missing:
            return VideoAnswer(missing=tuple(sorted(missing)))
        durable_ms = _keep(connection, manifest, signed, now_ms)
    return VideoAnswer(durable=sign_statement(_durable(manifest, durable_ms, centre.epoch), centre.signer.sign))


def holds_video(connection: Connection, station_id: str, name: str) -> bool:
    """Whether all of a recording lies here."""
    mine = and_(video.c.station == station_id, video.c.id == name)
    return connection.execute(select(video.c.id).where(mine)).first() is not None


def _manifest(signed: Signed, public_key: bytes, station: str, name: str) -> VideoManifest:
    try:
        manifest = open_statement(VideoManifest, signed, verifier(public_key))
    except EvidenceTrouble as wrong:
        raise Refusal("video.manifest") from wrong
    if (manifest.station, manifest.recording) != (station, name):
        raise Refusal("video.manifest")
    return manifest


def _keep(connection: Connection, manifest: VideoManifest, signed: Signed, now_ms: int) -> int:
    """Note a manifest whose chunks are all there; when that was done first (ms)."""
    known = connection.execute(_of(video, manifest)).first()
    values: dict[str, object] = {"station": manifest.station, "id": manifest.recording, "bytes": _size(manifest)}
    values |= {"manifest": signed.text, "sig": signed.sig}
    if known is None:
        connection.execute(insert(video), {**values, "durable_ms": now_ms})
        return now_ms
    before = VideoManifest.model_validate_json(known.manifest)
    if not _same(before, manifest):
        if not _adds_originals(before, manifest):
            raise Refusal("video.differs", 409)
        added = connection.execute(_of(video_originals, manifest)).first()
        if added is None:
            connection.execute(insert(video_originals), {**values, "added_ms": now_ms})
        elif not _same(VideoManifest.model_validate_json(added.manifest), manifest):
            raise Refusal("video.differs", 409)
    return int(known.durable_ms)


def _of(table: Table, manifest: VideoManifest) -> Select[Any]:
    return select(table).where(and_(table.c.station == manifest.station, table.c.id == manifest.recording))


def _same(one: VideoManifest, other: VideoManifest) -> bool:
    return (one.pieces, one.final_hash) == (other.pieces, other.final_hash)


def _size(manifest: VideoManifest) -> int:
    return sum(piece.size for piece in manifest.pieces)


def _adds_originals(before: VideoManifest, now: VideoManifest) -> bool:
    """Whether this is the same recording, all that was there in its place, with parts of the side stream beside it:
    earlier releases left them out.
    """
    more = set(now.pieces) - set(before.pieces)
    kept = [piece for piece in now.pieces if piece not in more]
    sides = all(fnmatch(piece.file, SIDE_GLOB) for piece in more)
    return before.final_hash == now.final_hash and tuple(kept) == before.pieces and sides


def _durable(manifest: VideoManifest, durable_ms: int, epoch: str) -> Durable:
    return Durable(
        station=manifest.station,
        recording=manifest.recording,
        final_hash=manifest.final_hash,
        pieces_hash=hash_of_pieces(manifest.pieces),
        bytes=_size(manifest),
        server_time_ms=durable_ms,
        epoch=epoch,
    )
