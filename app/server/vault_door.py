"""The vault's side of the centre: sealed numbers go out to it, findings come back and become decisions.

    GET  /v1/vault/arrivals     cards that it has not looked at      POST /v1/vault/findings     what it found

A duplicate is not rejected here: it goes to review, with the card that had the number first. Which of the two is in the
right a person has to say.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy import Row, and_, exists, select
from starlette.concurrency import run_in_threadpool

from app.core.cards import CardState
from app.server.admit import Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.db import insert_missing
from app.server.decide import review
from app.server.log import Deciding, Log
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import card, finding, sealed
from app.store.db import transaction
from app.wire_vault import Arrival, Arrivals, Finding, Findings, FindingsKept

_AT_ONCE = 200


def add_vault_routes(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    centre = desk.centre

    @app.get("/v1/vault/arrivals")
    async def arrived(request: Request) -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(arrivals, centre, caller, desk.now_ms()))

    @app.post("/v1/vault/findings")
    async def found(request: Request) -> Response:
        caller, told = await desk.signed_body(request, Findings)
        return desk.reply(request, await run_in_threadpool(keep_findings, centre, told, caller, desk.now_ms()))


def arrivals(centre: OpenCentre, caller: Caller, now_ms: int) -> Arrivals:
    """Cards with a sealed number that the vault has not looked at, the earliest first. Raises Refusal as `admit`."""
    only_vault(centre, caller, now_ms)
    looked_at = exists().where(and_(finding.c.station == card.c.station, finding.c.card == card.c.id))
    claims = card.c.verdict.in_((CardState.KEPT.value, CardState.REVIEW.value))
    wanted = select(card.c.station, card.c.id, sealed.c.blob).join(sealed, sealed.c.ref == card.c.number_ref)
    ordered = wanted.where(and_(claims, ~looked_at)).order_by(sealed.c.received_ms, card.c.station, card.c.id)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        rows = connection.execute(ordered.limit(_AT_ONCE)).all()
    return Arrivals(
        cards=tuple(Arrival.model_construct(station=row.station, card=row.id, number=bytes(row.blob)) for row in rows)
    )


def keep_findings(centre: OpenCentre, told: Findings, caller: Caller, now_ms: int) -> FindingsKept:
    """Keep what the vault found; each finding once, a duplicate with its decision. Raises Refusal as `admit`."""
    only_vault(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        log = Log(connection, Deciding.of(centre, now_ms, caller.station))
        kept = sum(_keep(log, one) for one in told.findings)
        log.write()
    return FindingsKept(kept=kept)


def _keep(log: Log, one: Finding) -> int:
    of = f"{one.of_station}/{one.of_card}" if one.code == "duplicate" else ""
    row = {"station": one.station, "card": one.card, "code": one.code, "duplicate_of": of, "at_ms": log.deciding.now_ms}
    if insert_missing(log.connection, finding, [row]) == 0:
        return 0
    if one.code:
        review(log, one.station, one.card, of)
    return 1


def only_vault(centre: OpenCentre, caller: Caller, now_ms: int) -> Row[Any]:
    """The vault's row. Raises Refusal as `admit`, station.role, station.revoked."""
    known = identify(centre, caller, now_ms)
    if known.role != "vault":
        raise Refusal("station.role", 403)
    if known.state != "active":
        raise Refusal("station.revoked", 403)
    return known
