"""Decisions that ran out before a station heard of them, or acted on them, are given again.

    POST /v1/decisions/again    {decisions: [as they were signed]} → how many come by the feed, with a new time to run

The outcome is the one that was signed before; only the latest word on a card as it stands now is given again.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from sqlalchemy import Connection, and_, select
from starlette.concurrency import run_in_threadpool

from app.centre_keys import by_any
from app.core.errors import EvidenceTrouble
from app.server.admit import Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.decide import EXPIRES_MS, give
from app.server.known import lock_stations
from app.server.log import Deciding, Log
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import card
from app.store.db import transaction
from app.wire import Decision, DecisionsExpired, DecisionsGiven, open_statement

_NEARLY_MS = 24 * 3600 * 1000
"""What runs out within so long may be asked for: a station's idea of the time is not ours."""


def add_again_routes(app: FastAPI, desk: Desk) -> None:
    """Add the route of the module's head."""
    centre = desk.centre

    @app.post("/v1/decisions/again")
    async def again(request: Request) -> Response:
        caller, wanted = await desk.signed_body(request, DecisionsExpired)
        return desk.reply(request, await run_in_threadpool(give_again, centre, wanted, caller, desk.now_ms()))


def give_again(centre: OpenCentre, wanted: DecisionsExpired, caller: Caller, now_ms: int) -> DecisionsGiven:
    """Give those of the decisions again that still are the last word. Raises Refusal as `admit`; format."""
    identify(centre, caller, now_ms)
    try:
        told = [open_statement(Decision, one, by_any(centre.centre)) for one in wanted.decisions]
    except EvidenceTrouble:
        raise Refusal("format") from None
    with transaction(centre.engine) as connection:
        row = lock_stations(connection, [caller.station])[caller.station]
        spend_nonce(connection, caller, now_ms)
        log = Log(connection, Deciding.of(centre, now_ms))
        # Of a station that two may be nothing is decided anew.
        due = _due(connection, log.deciding, caller.station, told) if row.state == "active" else []
        if due:
            give(log, caller.station, due)
        log.write()
    return DecisionsGiven(given=len(due))


def _due(connection: Connection, deciding: Deciding, station: str, told: Sequence[Decision]) -> list[Decision]:
    named = {one.card_id: one for one in told if (one.tenant, one.station) == (deciding.tenant, station)}
    wanted = and_(card.c.station == station, card.c.id.in_(named))
    due = []
    for row in connection.execute(select(card).where(wanted).order_by(card.c.id)):
        one = named[row.id]
        is_last = (one.revision, one.event_hash, row.decided_hash) == (row.revision, row.event_hash, row.event_hash)
        if is_last and one.expires_ms <= deciding.now_ms + _NEARLY_MS:
            runs = {"revision": deciding.next_after(row.revision), "expires_ms": deciding.now_ms + EXPIRES_MS}
            due.append(one.model_copy(update=runs))
    return due
