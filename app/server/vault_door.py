"""The vault's side of the centre: sealed numbers go out to it, findings come back and become decisions.

    GET  /v1/vault/arrivals     cards that it has not looked at      POST /v1/vault/findings     what it found
    GET  /v1/vault/arrivals?all=CURSOR     every card, for a vault that was put back from a copy
    POST /v1/vault/people       whom it lets ask to see secrets, and whose key it took back: for the log

A duplicate is not rejected here: it goes to review, with the card that had the number first. Which of the two is in the
right a person has to say.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from sqlalchemy import ColumnElement, LargeBinary, Row, and_, exists, func, literal, select, true, tuple_
from starlette.concurrency import run_in_threadpool

from app.core.audit import CentreAct
from app.core.cards import CardState
from app.server.admit import Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.db import insert_missing
from app.server.decide import decide, review
from app.server.known import Locked, lock_stations
from app.server.log import Deciding, Log
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import card, finding, sealed, vault_person
from app.store.db import transaction
from app.wire_vault import (
    Arrival,
    Arrivals,
    Finding,
    Findings,
    FindingsKept,
    PeopleKept,
    VaultPeople,
    VaultPerson,
)

Cursor = Annotated[str | None, Query(alias="all", max_length=2400)]
"""Names in it may be long, and some letters are spelled by six."""

_AT_ONCE, _LATEST_MS = 200, 10**15
_MOST_SEALED = 4096
"""Bytes of a sealed number or PIN, with much to spare. What is longer is cut, and so nothing that opens: no station
can fill the vault's answers with a few cards.
"""

sealed_field = func.substr(sealed.c.blob, 1, _MOST_SEALED, type_=LargeBinary).label("blob")
"""What the vault gets of a blob."""


def add_vault_routes(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    centre = desk.centre

    @app.get("/v1/vault/arrivals")
    async def arrived(request: Request, after: Cursor = None) -> Response:
        caller = desk.signed(request, b"")
        told = await run_in_threadpool(arrivals, centre, caller, desk.now_ms(), after)
        return desk.reply(request, told)

    @app.post("/v1/vault/findings")
    async def found(request: Request) -> Response:
        caller, told = await desk.signed_body(request, Findings)
        return desk.reply(request, await run_in_threadpool(keep_findings, centre, told, caller, desk.now_ms()))

    @app.post("/v1/vault/people")
    async def people(request: Request) -> Response:
        caller, told = await desk.signed_body(request, VaultPeople)
        return desk.reply(request, await run_in_threadpool(keep_people, centre, told, caller, desk.now_ms()))


def arrivals(centre: OpenCentre, caller: Caller, now_ms: int, after: str | None = None) -> Arrivals:
    """Cards with a sealed number that the vault has not looked at, the earliest first. `after`: all of them, after that
    cursor ("-" from the first). Raises Refusal as `admit`, feed.cursor.
    """
    only_vault(centre, caller, now_ms)
    looked_at = exists().where(and_(finding.c.station == card.c.station, finding.c.card == card.c.id))
    claims = card.c.verdict.in_((CardState.KEPT.value, CardState.REVIEW.value))
    which = ~looked_at if after is None else _later(after)
    wanted = select(*_PLACE, sealed_field).join(sealed, sealed.c.ref == card.c.number_ref)
    ordered = wanted.where(and_(claims, which)).order_by(*_PLACE)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        rows = connection.execute(ordered.limit(_AT_ONCE)).all()
    told = [Arrival.model_construct(station=row.station, card=row.id, number=bytes(row.blob)) for row in rows]
    last = rows[-1] if after is not None and len(rows) == _AT_ONCE else None
    return Arrivals(cards=tuple(told), cursor=_behind(last) if last else "")


_PLACE = (sealed.c.received_ms, card.c.station, card.c.id)


def _behind(row: Row[Any]) -> str:
    return json.dumps([row.received_ms, row.station, row.id], separators=(",", ":"))


def _later(cursor: str) -> ColumnElement[bool]:
    if cursor == "-":
        return true()
    try:
        told = json.loads(cursor)
    except (ValueError, RecursionError):
        raise Refusal("feed.cursor", 410) from None
    match told:
        case [int(at_ms), str(name), str(card_id)] if not isinstance(at_ms, bool) and 0 <= at_ms < _LATEST_MS:
            if _can_be_stored(name + card_id):
                return tuple_(*_PLACE) > tuple_(literal(at_ms), literal(name), literal(card_id))
    raise Refusal("feed.cursor", 410)


def _can_be_stored(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def keep_findings(centre: OpenCentre, told: Findings, caller: Caller, now_ms: int) -> FindingsKept:
    """Keep what the vault found; each finding once, a duplicate with its decision. Raises Refusal as `admit`."""
    only_vault(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        rows: dict[str, Locked] = {}
        if told.findings:  # whose cards nobody decides on meanwhile; locked first, as where events are taken in
            rows = lock_stations(connection, {one.station for one in told.findings})
        spend_nonce(connection, caller, now_ms)
        log = Log(connection, Deciding.of(centre, now_ms, caller.station))
        kept = sum(_keep(log, one) for one in told.findings)
        for row in [row for row in rows.values() if not row.rehearsal]:  # what a rule waited for
            decide(log, row.id, {one.card for one in told.findings if one.station == row.id}, rehearsal=False)
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


def keep_people(centre: OpenCentre, told: VaultPeople, caller: Caller, now_ms: int) -> PeopleKept:
    """Write into the log whom the vault let in and took back, each once. Raises Refusal as `only_vault`."""
    only_vault(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        log = Log(connection, Deciding.of(centre, now_ms, caller.station))
        new = [one for one in told.people if _is_new(log, one)]
        for one in new:
            act = CentreAct.PERSON_TAKEN_BACK if one.taken_back else CentreAct.PERSON_LET_IN
            log.act(act, {"vault": caller.station, "person": one.name, "key": one.public_key})
        log.write()
    return PeopleKept(kept=len(new))


def _is_new(log: Log, one: VaultPerson) -> bool:
    row = {**one.model_dump(), "vault": log.deciding.by, "at_ms": log.deciding.now_ms}
    return insert_missing(log.connection, vault_person, [row]) > 0


def only_vault(centre: OpenCentre, caller: Caller, now_ms: int) -> Row[Any]:
    """The vault's row. Raises Refusal as `admit`, station.role, station.revoked."""
    known = identify(centre, caller, now_ms)
    if known.role != "vault":
        raise Refusal("station.role", 403)
    if known.state != "active":
        raise Refusal("station.revoked", 403)
    return known
