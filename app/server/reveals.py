"""Showing a secret to a person at a station: the centre carries request and answer, and can read neither.

    POST /v1/reveals              a station brings a person's signed request      GET  /v1/reveals/{id}    how it stands
    GET  /v1/reveals              what waits for a second person                  POST /v1/reveals/{id}/approve, /refuse
    GET  /v1/reveal-log?who=      who asked for what and why                      DELETE /v1/reveals/{id}  nobody waits
    GET  /v1/vault/reveals        for the vault: what to look at                  POST /v1/vault/reveals/{id}

The person signs with a key that the vault's administrator let in, not the centre's: nobody here can ask in another's
name. The vault says `granted` first, and only when that lies in the log it opens the secret and hands in the answer,
sealed to the one-time key that the request names (HPKE). The centre gives it once, to the station that asked, and
forgets it.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update
from starlette.concurrency import run_in_threadpool

from app.core.audit import CentreAct, digest
from app.server.admit import Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.db import locked
from app.server.log import Deciding, note_act
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import card, reveal, sealed
from app.server.vault_door import sealed_field
from app.store.db import transaction
from app.wire import Signed
from app.wire_vault import (
    QUOTA_A_DAY,
    RevealApproval,
    RevealAsked,
    RevealEntry,
    RevealLog,
    RevealRequest,
    RevealsOpen,
    RevealState,
    RevealTask,
    RevealTasks,
    RevealVerdict,
)

WAITING, NEEDS_SECOND, GRANTED, SHOWN, REFUSED, TAKEN = (
    "waiting",
    "needs-second",
    "granted",
    "shown",
    "refused",
    "taken",
)
FRESH_MS = 5 * 60 * 1000
"""A request that was not answered by then is over; the vault holds it no longer for fresh either."""

SECOND_REFUSED, WITHDRAWN = "reveal.second_refused", "reveal.withdrawn"
"""Why a request was refused that the vault never answered: the second person's word; who asked waits no more."""

_DAY_MS = 24 * 3600 * 1000
_SHORTEST_REASON = 4
_MOST = 50
_LOOKED_THROUGH = 500
RevealId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


def add_reveal_routes(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    _add_for_stations(app, desk)
    _add_for_vault(app, desk)


def _add_for_stations(app: FastAPI, desk: Desk) -> None:
    centre = desk.centre

    @app.post("/v1/reveals")
    async def ask(request: Request) -> Response:
        caller, asked = await desk.signed_body(request, RevealAsked)
        return desk.reply(request, await run_in_threadpool(ask_reveal, centre, asked, caller, desk.now_ms()))

    @app.get("/v1/reveals")
    async def waiting(request: Request) -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(waiting_for_second, centre, caller, desk.now_ms()))

    @app.get("/v1/reveals/{name}")
    async def stands(request: Request, name: RevealId) -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(take_reveal, centre, name, caller, desk.now_ms()))

    @app.post("/v1/reveals/{name}/approve")
    async def approve(request: Request, name: RevealId) -> Response:
        caller, told = await desk.signed_body(request, RevealApproval)
        return desk.reply(request, await run_in_threadpool(approve_reveal, centre, name, told, caller, desk.now_ms()))

    @app.post("/v1/reveals/{name}/refuse")
    async def refuse(request: Request, name: RevealId) -> Response:
        caller, told = await desk.signed_body(request, RevealApproval)
        return desk.reply(request, await run_in_threadpool(refuse_reveal, centre, name, told, caller, desk.now_ms()))

    @app.delete("/v1/reveals/{name}")
    async def withdraw(request: Request, name: RevealId) -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(withdraw_reveal, centre, name, caller, desk.now_ms()))

    @app.get("/v1/reveal-log")
    async def log(request: Request, who: Annotated[str, Query(max_length=200)] = "") -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(reveal_log, centre, who, caller, desk.now_ms()))


def _add_for_vault(app: FastAPI, desk: Desk) -> None:
    centre = desk.centre

    @app.get("/v1/vault/reveals")
    async def tasks(request: Request) -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(reveal_tasks, centre, caller, desk.now_ms()))

    @app.post("/v1/vault/reveals/{name}")
    async def verdict(request: Request, name: RevealId) -> Response:
        caller, told = await desk.signed_body(request, RevealVerdict)
        return desk.reply(request, await run_in_threadpool(keep_verdict, centre, name, told, caller, desk.now_ms()))


def ask_reveal(centre: OpenCentre, asked: RevealAsked, caller: Caller, now_ms: int) -> RevealState:
    """Take a request for the vault; the same again: how it stands. Raises Refusal as `admit`, reveal.request, .reason,
    .card (there is no such card, or nothing sealed of that field)."""
    _active(centre, caller, now_ms, vault=False)
    told = _request_in(asked.request)
    if told.tenant != centre.centre.tenant or len(told.reason.strip()) < _SHORTEST_REASON:
        raise Refusal("reveal.reason", 409)
    name = digest(asked.request.text.encode())
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        known = _known(connection, name)
        if known is not None:
            return _state(known)
        owner = and_(card.c.station == told.station, card.c.id == told.card)
        column = card.c.number_ref if told.field == "number" else card.c.pin_ref
        ref = connection.execute(select(column).where(owner)).scalar()
        if ref is None or connection.execute(select(sealed.c.ref).where(sealed.c.ref == ref)).first() is None:
            raise Refusal("reveal.card", 404)
        row: dict[str, Any] = {"id": name, "station": caller.station, "who": asked.who, "request": asked.request.text}
        row |= {"sig": asked.request.sig, "ref": ref, "approver": "", "approval": b"", "state": WAITING, "code": ""}
        connection.execute(insert(reveal), {**row, "answer": None, "asked_ms": now_ms, "at_ms": now_ms})
        deciding = Deciding.of(centre, now_ms, f"{caller.station}/{asked.who}")
        named = told.model_dump(include={"station", "card", "field", "reason"})
        named |= {"reveal": name, "who": asked.who, "at": caller.station}
        note_act(connection, deciding, CentreAct.REVEAL_ASKED, named)
    return RevealState(id=name, state="waiting")


def _request_in(signed: Signed) -> RevealRequest:
    """What the request says; whose it is the vault checks, which alone knows who may ask."""
    try:
        return RevealRequest.model_validate(json.loads(signed.text))
    except (ValueError, RecursionError) as wrong:  # ValidationError is a ValueError
        raise Refusal("reveal.request") from wrong


def waiting_for_second(centre: OpenCentre, caller: Caller, now_ms: int) -> RevealsOpen:
    """Requests beyond the quota: a second person has to sign them. Raises Refusal as `admit`."""
    _active(centre, caller, now_ms, vault=False)
    wanted = and_(reveal.c.state == NEEDS_SECOND, reveal.c.approver == "", reveal.c.asked_ms > now_ms - FRESH_MS)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        rows = connection.execute(select(reveal).where(wanted).order_by(reveal.c.asked_ms).limit(_MOST)).all()
    return RevealsOpen(requests=tuple(RevealAsked.model_construct(request=_signed(row), who=row.who) for row in rows))


def approve_reveal(centre: OpenCentre, name: str, told: RevealApproval, caller: Caller, now_ms: int) -> RevealState:
    """Take a second person's signature; the vault checks it. Raises Refusal as `admit`, reveal.state, reveal.same."""
    _active(centre, caller, now_ms, vault=False)
    with transaction(centre.engine) as connection:
        _for_second(connection, name, told, caller, now_ms)
        _change(connection, name, approver=told.who, approval=told.sig, at_ms=now_ms)
        deciding = Deciding.of(centre, now_ms, f"{caller.station}/{told.who}")
        body = {"reveal": name, "who": told.who, "at": caller.station}
        note_act(connection, deciding, CentreAct.REVEAL_APPROVED, body)
    return RevealState(id=name, state="needs-second")


def refuse_reveal(centre: OpenCentre, name: str, told: RevealApproval, caller: Caller, now_ms: int) -> RevealState:
    """Take a second person's refusal: the vault is not asked any more. Raises Refusal as `approve_reveal`.

    Its signature is kept and not checked, for the persons' keys are the vault's; what is refused stays closed.
    """
    _active(centre, caller, now_ms, vault=False)
    with transaction(centre.engine) as connection:
        row = _for_second(connection, name, told, caller, now_ms)
        change = {"state": REFUSED, "code": SECOND_REFUSED, "approver": told.who, "approval": told.sig}
        _change(connection, name, **change, at_ms=now_ms)
        deciding = Deciding.of(centre, now_ms, f"{caller.station}/{told.who}")
        body = {"reveal": name, "who": row.who, "approver": told.who, "code": SECOND_REFUSED}
        note_act(connection, deciding, CentreAct.REVEAL_REFUSED, body)
    return RevealState(id=name, state="refused", code=SECOND_REFUSED)


def _for_second(connection: Connection, name: str, told: RevealApproval, caller: Caller, now_ms: int) -> Row[Any]:
    """The request, when it waits for a second person and this is another one. Raises Refusal: reveal.state, .same."""
    spend_nonce(connection, caller, now_ms)
    row = _known(connection, name)
    if row is None or row.state != NEEDS_SECOND or row.approver:
        raise Refusal("reveal.state", 409)
    if row.who == told.who:
        raise Refusal("reveal.same", 409)
    return row


def withdraw_reveal(centre: OpenCentre, name: str, caller: Caller, now_ms: int) -> RevealState:
    """Nobody waits for the answer any more at the station that asked: the vault need not open anything.

    Raises Refusal as `admit`, reveal.unknown, reveal.state (the vault has granted or refused it by now).
    """
    _active(centre, caller, now_ms, vault=False)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        row = _known(connection, name)
        if row is None or row.station != caller.station:
            raise Refusal("reveal.unknown", 404)
        if row.state not in (WAITING, NEEDS_SECOND):
            raise Refusal("reveal.state", 409)
        _change(connection, name, state=REFUSED, code=WITHDRAWN, at_ms=now_ms)
        body = {"reveal": name, "who": row.who, "approver": row.approver, "code": WITHDRAWN}
        deciding = Deciding.of(centre, now_ms, f"{caller.station}/{row.who}")
        note_act(connection, deciding, CentreAct.REVEAL_REFUSED, body)
    return RevealState(id=name, state="refused", code=WITHDRAWN)


def reveal_log(centre: OpenCentre, who: str, caller: Caller, now_ms: int) -> RevealLog:
    """Requests that the calling station brought or whose card it took, the latest first; before them those that anybody
    may sign as a second person. And what `who` may see today without one. Raises Refusal as `admit`.
    """
    _active(centre, caller, now_ms, vault=False)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        latest = select(reveal).order_by(reveal.c.asked_ms.desc()).limit(_LOOKED_THROUGH)
        entries = [entry_of(row) for row in connection.execute(latest)]
        left = max(0, QUOTA_A_DAY - _seen_today(connection, who, now_ms))
    since_ms = now_ms - FRESH_MS
    signable = [one for one in entries if one.state == NEEDS_SECOND and not one.approver and one.asked_ms > since_ms]
    own = [one for one in entries if caller.station in (one.at, one.station) and one not in signable]
    return RevealLog(entries=tuple((signable + own)[:_MOST]), left=left)


def entry_of(row: Row[Any]) -> RevealEntry:
    """A row of the table as it is told."""
    told = _request_in(_signed(row))
    named = told.model_dump(include={"station", "card", "field", "reason"})
    stands = {"state": row.state, "code": row.code, "approver": row.approver}
    return RevealEntry(id=row.id, who=row.who, at=row.station, asked_ms=row.asked_ms, **named, **stands)


def _seen_today(connection: Connection, who: str, now_ms: int) -> int:
    """How many the vault granted to this person alone within 24 hours."""
    granted = or_(reveal.c.state.in_((GRANTED, SHOWN, TAKEN)), reveal.c.code == "vault.not_openable")
    alone = and_(reveal.c.who == who, reveal.c.approver == "", reveal.c.asked_ms > now_ms - _DAY_MS)
    return int(connection.execute(select(func.count()).select_from(reveal).where(granted, alone)).scalar_one())


def take_reveal(centre: OpenCentre, name: str, caller: Caller, now_ms: int) -> RevealState:
    """How a request stands, for the station that made it; the answer is handed out once and forgotten here.

    Raises Refusal as `admit`, reveal.unknown.
    """
    _active(centre, caller, now_ms, vault=False)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        mine = and_(reveal.c.id == name, reveal.c.station == caller.station)
        row = connection.execute(locked(connection, select(reveal).where(mine))).first()
        if row is None:
            raise Refusal("reveal.unknown", 404)
        if row.state == SHOWN:
            _change(connection, name, state=TAKEN, answer=None, at_ms=now_ms)
            deciding = Deciding.of(centre, now_ms, f"{caller.station}/{row.who}")
            note_act(connection, deciding, CentreAct.REVEAL_TAKEN, {"reveal": name, "at": caller.station})
    return _state(row)


def reveal_tasks(centre: OpenCentre, caller: Caller, now_ms: int) -> RevealTasks:
    """For the vault: fresh requests that it has not answered, with what is sealed. Raises Refusal as `admit`."""
    _active(centre, caller, now_ms, vault=True)
    open_ = (reveal.c.state == WAITING) | ((reveal.c.state == NEEDS_SECOND) & (reveal.c.approver != ""))
    fresh = and_(open_, reveal.c.asked_ms > now_ms - FRESH_MS)
    wanted = select(reveal, sealed_field).join(sealed, sealed.c.ref == reveal.c.ref).where(fresh)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        old = and_(reveal.c.state == SHOWN, reveal.c.at_ms < now_ms - FRESH_MS)  # nobody came for it
        connection.execute(update(reveal).where(old).values(state=TAKEN, answer=None))
        rows = connection.execute(wanted.order_by(reveal.c.asked_ms).limit(_MOST)).all()
    return RevealTasks(tasks=tuple(_task(row) for row in rows))


def _task(row: Row[Any]) -> RevealTask:
    approval = RevealApproval.model_construct(who=row.approver, sig=bytes(row.approval)) if row.approver else None
    return RevealTask.model_construct(
        id=row.id, request=_signed(row), who=row.who, approval=approval, blob=bytes(row.blob)
    )


_BEFORE = {
    GRANTED: (WAITING, NEEDS_SECOND),
    NEEDS_SECOND: (WAITING,),
    REFUSED: (WAITING, NEEDS_SECOND, GRANTED),
    SHOWN: (GRANTED,),
}
_SAID_BEFORE = {GRANTED: (GRANTED,), SHOWN: (SHOWN, TAKEN)}
_ACTS = {
    GRANTED: CentreAct.REVEAL_GRANTED,
    NEEDS_SECOND: CentreAct.REVEAL_NEEDS_SECOND,
    REFUSED: CentreAct.REVEAL_REFUSED,
    SHOWN: CentreAct.REVEAL_SHOWN,
}


def keep_verdict(centre: OpenCentre, name: str, told: RevealVerdict, caller: Caller, now_ms: int) -> RevealState:
    """Keep what the vault says: `granted` before it opens anything, then `shown` with the sealed answer.

    Raises Refusal as `admit`, reveal.state (not the next step), reveal.answer (an answer where none belongs).
    """
    _active(centre, caller, now_ms, vault=True)
    if (told.state == SHOWN) != bool(told.answer):
        raise Refusal("reveal.answer")
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        row = _known(connection, name)
        if row is not None and row.state in _SAID_BEFORE.get(told.state, ()):
            return RevealState(id=name, state=row.state)  # the answer to the same word was lost
        if row is None or row.state not in _BEFORE[told.state]:
            raise Refusal("reveal.state", 409)
        _change(connection, name, state=told.state, code=told.code, answer=told.answer or None, at_ms=now_ms)
        body = {"reveal": name, "who": row.who, "approver": row.approver, "code": told.code}
        note_act(connection, Deciding.of(centre, now_ms, caller.station), _ACTS[told.state], body)
    return RevealState(id=name, state=told.state)


def _known(connection: Connection, name: str) -> Row[Any] | None:
    """The request, held until the commit: what is decided by how it stands, no other one changes meanwhile."""
    return connection.execute(locked(connection, select(reveal).where(reveal.c.id == name))).first()


def _change(connection: Connection, name: str, **values: Any) -> None:
    connection.execute(update(reveal).where(reveal.c.id == name).values(**values))


def _state(row: Row[Any]) -> RevealState:
    answer = bytes(row.answer) if row.state == SHOWN and row.answer else b""
    return RevealState.model_construct(id=row.id, state=row.state, code=row.code, answer=answer)


def _signed(row: Row[Any]) -> Signed:
    return Signed.model_construct(text=row.request, sig=bytes(row.sig))


def _active(centre: OpenCentre, caller: Caller, now_ms: int, *, vault: bool) -> None:
    known = identify(centre, caller, now_ms)
    if known.state != "active":
        raise Refusal("station.revoked", 403)
    if (known.role == "vault") != vault:
        raise Refusal("station.role", 403)
