"""The log's checkpoints: signed once a minute or every thousand entries, proved to stations, countersigned by them.

Hashes lie in tiles of 256, written when they are full, so that a proof reads a few rows however long the log is. What
no full tile holds yet is hashed from its events. What a checkpoint takes in was looked at before, each signature for
itself (`signatures`): mostly in the background; what a request waits for is little.

    GET  /v1/checkpoint?since=N&since=M     the latest note, and proofs that the log began with those sizes
                       &elsewhere=NAME      and with what other stations behind that name saw (app.server.elsewhere)
    POST /v1/checkpoint/cosign              a station's line under it
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from threading import Event
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from sqlalchemy import Connection, and_, func, select
from starlette.concurrency import run_in_threadpool

from app.centre_keys import server_keys
from app.core.errors import StorageTrouble
from app.core.merkle import consistency_proof, leaf_hash, merkle_root, root_of_wholes
from app.server.admit import KNOWN_STATION, Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.checking import Checker
from app.server.db import insert_missing, locked
from app.server.elsewhere import Shown, seen_elsewhere
from app.server.entering import read_tree
from app.server.folder import in_place, own_key
from app.server.log import Deciding, Log
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.signatures import Background, last_size, look, note
from app.server.tables import checkpoint, cosignature, event, log_leaf, log_tile, meta, restoration
from app.store.db import reading, transaction
from app.store.notes import Checkpoint, cosigned_at, is_signed_by, origin_of, read_checkpoint, sign_checkpoint
from app.wire import Signed
from app.wire_witness import CheckpointAnswer, Cosigned, Cosigning

EVERY_MS, EVERY_ENTRIES = 60_000, 1000
IN_PASSING = 2 * EVERY_ENTRIES
"""So many new entries a request looks at itself; more are left to the background."""

_LOOK_S = 5.0
_BITS, _WIDTH, _HASH = 8, 256, 32
_log = logging.getLogger(__name__)

Sizes = Annotated[list[int], Query(max_length=32)]
Behind = Annotated[str | None, Query(max_length=128)]


def add_checkpoint_routes(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    centre = desk.centre

    @app.get("/v1/checkpoint")
    async def latest(request: Request, since: Sizes, elsewhere: Behind = None) -> Response:
        caller = desk.signed(request, b"")
        answer = await run_in_threadpool(prove, centre, since, caller, desk.now_ms(), elsewhere)
        return desk.reply(request, answer)

    @app.post("/v1/checkpoint/cosign")
    async def countersign(request: Request) -> Response:
        caller, told = await desk.signed_body(request, Cosigning)
        return desk.reply(request, await run_in_threadpool(keep_cosignature, centre, told, caller, desk.now_ms()))


@asynccontextmanager
async def publishing(desk: Desk) -> AsyncIterator[None]:
    """Publish in the background while the server runs; several processes do it for each other."""
    beside = Background(Event(), Checker())

    async def live() -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await run_in_threadpool(_tend, desk.centre, desk.now_ms(), beside)
            except StorageTrouble as trouble:
                _log.warning("checkpoint waits: %s", trouble.code)

    task = asyncio.create_task(live())
    try:
        yield
    finally:
        beside.leave.set()
        beside.checker.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _tend(centre: OpenCentre, now_ms: int, beside: Background) -> None:
    if centre.folder.next_centre.exists():  # somebody who changed the key was cut off before its files were in place
        with reading(centre.engine) as connection:
            in_place(centre.folder, connection)
    publish(centre, now_ms, beside=beside)


def publish(centre: OpenCentre, now_ms: int, *, most: int | None = None, beside: Background | None = None) -> None:
    """Sign a checkpoint when one is due: a minute or a thousand entries after the last, or when the key changed.

    `most`: with more new entries than that nothing is done. `beside`: as `signatures.look`.
    """
    with reading(centre.engine) as connection:
        if not _due(connection, centre, now_ms):
            return
        first, tree = last_size(connection), read_tree(connection)
    if most is not None and tree.size - first > most:
        return
    damaged = look(centre.engine, first, tree.size, beside=beside)
    if damaged is None:  # another process was quicker, or this one ends
        return
    with transaction(centre.engine) as connection:
        read_tree(connection, to_write=True)
        if last_size(connection) != first or not _due(connection, centre, now_ms):
            return
        if own_key(connection) not in (None, centre.signer.public_key):
            return  # another key signs by now, and this process has not seen it yet
        _fill_tiles(connection, tree.size)
        made = Checkpoint(origin_of(centre.centre.tenant, centre.epoch), tree.size, tree.root())
        row = {"size": tree.size, "note": sign_checkpoint(made, centre.signer), "at_ms": now_ms}
        insert_missing(connection, checkpoint, [row])
        log = Log(connection, Deciding.of(centre, now_ms))
        note(log, damaged)
        log.write()


def _due(connection: Connection, centre: OpenCentre, now_ms: int) -> bool:
    size = connection.execute(select(meta.c.log_size)).scalar_one()
    last = connection.execute(_LATEST).first()
    if last is None:
        return bool(size)
    new = int(size - last.size)
    if not last.note.startswith(origin_of(centre.centre.tenant, centre.epoch) + "\n"):
        return True  # of a log that was put back
    # A clock that was put back shows less than the last one's time: days would go by without a checkpoint.
    long_ago = not 0 <= now_ms - last.at_ms < EVERY_MS or new >= EVERY_ENTRIES
    return new > 0 and (long_ago or not is_signed_by(last.note, centre.signer.public_key))


_LATEST = select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1)


def _fill_tiles(connection: Connection, size: int) -> None:
    level = 0
    while count := size >> _BITS * (level + 1):
        have = select(func.coalesce(func.max(log_tile.c.n) + 1, 0)).where(log_tile.c.level == level)
        for n in range(connection.execute(have).scalar_one(), count):
            hashes = b"".join(_hashes(connection, level, n * _WIDTH, (n + 1) * _WIDTH))
            insert_missing(connection, log_tile, [{"level": level, "n": n, "hashes": hashes}])
        level += 1


def _hashes(connection: Connection, level: int, first: int, last: int) -> list[bytes]:
    """The hashes of subtrees of 256**level leaves, places `first` to `last`, all of one tile."""
    tile = first // _WIDTH
    wanted = and_(log_tile.c.level == level, log_tile.c.n == tile)
    stored = connection.execute(select(log_tile.c.hashes).where(wanted)).scalar()
    if stored is not None:
        inside = range(first - tile * _WIDTH, last - tile * _WIDTH)
        return [bytes(stored[at * _HASH : (at + 1) * _HASH]) for at in inside]
    if level == 0:
        same = and_(event.c.station == log_leaf.c.station, event.c.seq == log_leaf.c.seq)
        rows = select(event.c.data).join(log_leaf, same).where(log_leaf.c.n >= first, log_leaf.c.n < last)
        return [leaf_hash(bytes(data)) for data in connection.execute(rows.order_by(log_leaf.c.n)).scalars()]
    return [merkle_root(_hashes(connection, level - 1, at * _WIDTH, (at + 1) * _WIDTH)) for at in range(first, last)]


def root_between(connection: Connection, low: int, high: int) -> bytes:
    """The root over the log's entries from `low` up to, not including, `high`: whole subtrees of a published size."""

    def whole(level: int, place: int) -> bytes:
        tiles, rest = divmod(level, _BITS)
        return merkle_root(_hashes(connection, tiles, place << rest, (place + 1) << rest))

    return root_of_wholes(low, high, whole)


def prove(
    centre: OpenCentre, since: Sequence[int], caller: Caller, now_ms: int, behind: str | None = None
) -> CheckpointAnswer:
    """The latest checkpoint, with a proof for each size asked; with what other stations `behind` that name saw, when a
    name is given. Raises Refusal as `admit`, log.size, log.empty.
    """
    known = identify(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
    publish(centre, now_ms, most=IN_PASSING)
    with reading(centre.engine) as connection:
        last = connection.execute(_LATEST).first()
        if last is None:
            raise Refusal("log.empty", 404)
        if any(not 0 <= size <= last.size for size in since):
            raise Refusal("log.size", 409, str(last.size))
        restored = connection.execute(select(restoration).order_by(restoration.c.at_ms)).all()

        def proof(size: int) -> list[bytes]:
            return consistency_proof(size, last.size, lambda a, b: root_between(connection, a, b))

        proofs = [proof(size) for size in since]
        origin = origin_of(centre.centre.tenant, centre.epoch)
        told_beside = Shown(origin, last.size, proof)
        others = ((), "") if behind is None else seen_elsewhere(connection, told_beside, known, behind)
    shown = tuple(tuple(one.hex() for one in path) for path in proofs)
    told = tuple(Signed.model_construct(text=row.text, sig=bytes(row.sig)) for row in restored)
    seen, further = others
    return CheckpointAnswer.model_construct(
        note=last.note, epoch=centre.epoch, proofs=shown, restored=told, elsewhere=seen, further=further
    )


def keep_cosignature(centre: OpenCentre, told: Cosigning, caller: Caller, now_ms: int) -> Cosigned:
    """Keep a station's line under a checkpoint. Raises Refusal as `admit`, log.cosignature."""
    known = identify(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        note = connection.execute(select(checkpoint.c.note).where(checkpoint.c.size == told.size)).scalar()
        if note is None:
            raise Refusal("log.cosignature", 409)
        origin = origin_of(centre.centre.tenant, centre.epoch)
        shown = read_checkpoint(note, origin, server_keys(centre.centre))
        # A key that another one follows by now countersigns nothing that came after it.
        now = connection.execute(locked(connection, KNOWN_STATION), {"name": caller.station}).one().public_key
        if now != known.public_key:
            raise Refusal("auth.signature", 401)
        if cosigned_at(told.line, shown, caller.station, bytes(known.public_key)) is None:
            raise Refusal("log.cosignature", 409)
        row = {"size": told.size, "station": caller.station, "line": told.line, "at_ms": now_ms}
        insert_missing(connection, cosignature, [row])
    return Cosigned(size=told.size)
