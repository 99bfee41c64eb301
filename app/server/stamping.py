"""Time-stamp tokens (RFC 3161) for checkpoints: an authority's word that the log was so long, and so, before a time.

Once an hour for the newest checkpoint, where an authority was named. A token speaks of the note's exact bytes, so
`openssl ts -verify -data NOTE -in TOKEN -CAfile ROOT` checks it without us; `centre export` writes both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from cryptography.x509 import Certificate
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from app.core.errors import EvidenceTrouble, StorageTrouble, Unavailable
from app.evidence.timestamp import Post, ask_token
from app.server.answers import Desk
from app.server.db import insert_missing
from app.server.setup import OpenCentre
from app.server.tables import checkpoint, checkpoint_token
from app.store.db import reading, transaction

EVERY_MS = 3_600_000
_LOOK_S, _AGAIN_S = 30.0, 300.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stamper:
    """Who asks which authority: the line to it, and whose certificates its word is checked by."""

    post: Post
    roots: Sequence[Certificate]


def stamp_newest(centre: OpenCentre, stamper: Stamper, now_ms: int) -> int:
    """Get a token for the newest checkpoint when the last is an hour old; its size, 0 when none was due.

    Raises EvidenceTrouble("evidence.time_token_wrong"), Unavailable as the line does, StorageTrouble.
    """
    with reading(centre.engine) as connection:
        newest = connection.execute(select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1)).first()
        last = connection.execute(select(checkpoint_token).order_by(checkpoint_token.c.size.desc()).limit(1)).first()
    if newest is None or (last is not None and (last.size >= newest.size or 0 <= now_ms - last.at_ms < EVERY_MS)):
        return 0
    token, _ = ask_token(newest.note.encode(), stamper.post, stamper.roots)
    with transaction(centre.engine) as connection:
        insert_missing(connection, checkpoint_token, [{"size": newest.size, "token": token, "at_ms": now_ms}])
    return int(newest.size)


@asynccontextmanager
async def stamping(desk: Desk, stamper: Stamper | None) -> AsyncIterator[None]:
    """Stamp in the background while the server runs; an authority that is away holds nothing up."""

    async def live(stamper: Stamper) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await run_in_threadpool(stamp_newest, desk.centre, stamper, desk.now_ms())
            except (Unavailable, EvidenceTrouble, StorageTrouble, OSError) as trouble:
                _log.warning("time stamp waits: %s", getattr(trouble, "code", type(trouble).__name__))
                await asyncio.sleep(_AGAIN_S)

    task = asyncio.create_task(live(stamper)) if stamper else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
