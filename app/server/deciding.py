"""Decisions on real cards by who may make them: a person at the centre, or a system that knows prices.

    GET  /v1/acceptance/cards        real cards that wait, behind ?after=CURSOR      (role `acceptance`)
    POST /v1/acceptance/decisions    what they are to become, each with its reason

Accepting is what opens the way to acts that nobody can take back, so it is done for a card exactly as it was listed,
whole here, looked at by the vault, and of a number that is accepted nowhere else. A system accepts only what its
station kept and nobody else decided on; everything further a person does, of great value with a second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from sqlalchemy import Row, and_
from starlette.concurrency import run_in_threadpool

from app.core.cards import CardState
from app.core.rulings import Ruling
from app.server.acceptance import (
    ANY,
    WITH_FINDING,
    Key,
    chip_is_gone,
    set_rule,
    twice,
    twins,
    undecided,
)
from app.server.admit import Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.decide import decide, give, missing_blobs, stated
from app.server.known import Locked, lock_stations
from app.server.log import Deciding, Log
from app.server.refusal import Refusal
from app.server.reviewed import Reviewers
from app.server.setup import OpenCentre
from app.server.tables import card
from app.store.db import reading, transaction
from app.wire_accept import MOST_WISHES, CardOutcome, CardOutcomes, CardsToDecide, CardWishes

ROLE = "acceptance"

After = Annotated[str, Query(max_length=300)]

_ACCEPTED, _OPEN = CardState.ACCEPTED.value, (CardState.KEPT.value, CardState.REVIEW.value)
_RULING = {_ACCEPTED: Ruling.ACCEPT, CardState.REVIEW.value: Ruling.HOLD, CardState.REJECTED.value: Ruling.REJECT}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a card is to become. `event_hash`: as it was looked at, "" as it is now; `second`: another person's name."""

    station: str
    card: str
    verdict: str
    reason: str
    event_hash: str = ""
    second: str = ""

    @property
    def key(self) -> Key:
        return self.station, self.card


def add_acceptance_routes(app: FastAPI, desk: Desk) -> None:
    """Add the routes of the module's head."""
    centre = desk.centre

    @app.get("/v1/acceptance/cards")
    async def cards(request: Request, after: After = "") -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(waiting, centre, caller, desk.now_ms(), after))

    @app.post("/v1/acceptance/decisions")
    async def decisions(request: Request) -> Response:
        caller, asked = await desk.signed_body(request, CardWishes)
        wishes = [Wish(**one.model_dump()) for one in asked.decisions]
        return desk.reply(request, await run_in_threadpool(decide_as_system, centre, wishes, caller, desk.now_ms()))


def waiting(centre: OpenCentre, caller: Caller, now_ms: int, after: str) -> CardsToDecide:
    """The next cards that wait. Raises Refusal as `admit`, station.role, station.revoked."""
    _only_acceptance(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        told = undecided(connection, after, MOST_WISHES)
    more = len(told) == MOST_WISHES
    return CardsToDecide(cards=tuple(told), cursor=f"{told[-1].station}/{told[-1].card}" if more else "")


def decide_as_system(centre: OpenCentre, wishes: Sequence[Wish], caller: Caller, now_ms: int) -> CardOutcomes:
    """What the system of role `acceptance` decides. Raises Refusal as `waiting`."""
    _only_acceptance(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        rows = _lock_all(connection, wishes)
        spend_nonce(connection, caller, now_ms)
        log = Log(connection, Deciding.of(centre, now_ms, caller.station))
        told = [_done(log, rows, one, person=False) for one in wishes]
        log.write()
    return CardOutcomes(results=tuple(told))


def decide_as_person(centre: OpenCentre, wishes: Sequence[Wish], now_ms: int, by: str) -> list[CardOutcome]:
    """What somebody at the centre decides, in that name, each in its turn."""
    with transaction(centre.engine) as connection:
        rows = _lock_all(connection, wishes)
        log = Log(connection, Deciding.of(centre, now_ms, by))
        told = [_done(log, rows, one, person=True) for one in wishes]
        log.write()
    return told


def change_rule(centre: OpenCentre, product: str, up_to_fen: int | None, now_ms: int, by: str) -> int:
    """Set a rule (None: take it back), and accept what waits and falls under it; how many cards those are."""
    with transaction(centre.engine) as connection:
        log = Log(connection, Deciding.of(centre, now_ms, by))
        set_rule(log, product, up_to_fen)
        log.write()
    with reading(centre.engine) as connection:
        waits = [one for one in undecided(connection) if product in (ANY, one.product)] if up_to_fen else []
    given = 0
    for name in sorted({one.station for one in waits}):
        ids = [one.card for one in waits if one.station == name and one.finding == "first"]
        for at in range(0, len(ids), MOST_WISHES):
            given += _by_rule(centre, name, ids[at : at + MOST_WISHES], now_ms, by)
    return given


def _by_rule(centre: OpenCentre, station: str, ids: Sequence[str], now_ms: int, by: str) -> int:
    now_accepted = and_(card.c.station == station, card.c.id.in_(ids), card.c.decided == _ACCEPTED)
    with transaction(centre.engine) as connection:
        lock_stations(connection, [station])
        log = Log(connection, Deciding.of(centre, now_ms, by))
        before = len(connection.execute(card.select().where(now_accepted)).all())
        decide(log, station, ids, rehearsal=False)
        log.write()
        return len(connection.execute(card.select().where(now_accepted)).all()) - before


def _only_acceptance(centre: OpenCentre, caller: Caller, now_ms: int) -> None:
    known = identify(centre, caller, now_ms)
    if known.role != ROLE:
        raise Refusal("station.role", 403)
    if known.state != "active":
        raise Refusal("station.revoked", 403)


def _lock_all(connection: Any, wishes: Sequence[Wish]) -> dict[str, Locked]:
    """The stations of the cards and of those with the same numbers: two of these are never accepted at once."""
    keys = [one.key for one in wishes]
    others = set().union(*twins(connection, keys).values())
    return lock_stations(connection, {name for name, _ in [*keys, *others]})


def _done(log: Log, rows: dict[str, Locked], wish: Wish, *, person: bool) -> CardOutcome:
    """Do it, as far as nothing stands against it."""
    mine = and_(card.c.station == wish.station, card.c.id == wish.card)
    row = log.connection.execute(WITH_FINDING.where(mine)).first()
    told = CardOutcome(station=wish.station, card=wish.card, result="refused", revision=row.revision if row else 0)
    if row is None or wish.station not in rows:
        return told.model_copy(update={"code": "unknown"})
    if wish.event_hash not in ("", row.event_hash):
        return told.model_copy(update={"code": "changed"})
    if row.decided_hash == row.event_hash and row.decided == wish.verdict:
        return told.model_copy(update={"result": "unchanged"})
    code = _fault(log, rows[wish.station], row, wish, person=person)
    if code:
        return told.model_copy(update={"code": code})
    named = row.duplicate_of if wish.verdict == CardState.REVIEW.value and row.duplicate_of else ""
    decision = stated(log.deciding, row, CardState(wish.verdict), named)
    why = [wish.card, wish.reason, wish.second]
    give(log, wish.station, [decision], {"why": [why]})
    return told.model_copy(update={"result": "given", "revision": decision.revision})


def _fault(log: Log, station: Locked, row: Row[Any], wish: Wish, *, person: bool) -> str:
    """What stands against a decision, "" for nothing."""
    if station.state != "active":
        return "station-not-active"
    if row.verdict not in _OPEN:
        return "closed"  # the station rejected it, or took it back out
    if wish.verdict != _ACCEPTED and chip_is_gone(log.connection, wish.key):
        return "chip-gone"
    if wish.verdict == _ACCEPTED and (code := _not_acceptable(log, row, wish, person=person)):
        return code
    if not person:
        return ""
    reviewers = Reviewers(log.connection, wish.station, station.rehearsal)
    needs = reviewers.needs_second(_RULING[wish.verdict], row.face_value_fen)
    return "second-missing" if needs and wish.second in ("", log.deciding.by) else ""


def _not_acceptable(log: Log, row: Row[Any], wish: Wish, *, person: bool) -> str:
    if missing_blobs(log.connection, {ref for ref in (row.number_ref, row.pin_ref) if ref}):
        return "incomplete"
    if row.number_ref is not None and row.found is None:
        return "not-looked-at"
    if twice(log.connection, [wish.key]):
        return "number-accepted"
    clean = row.verdict == CardState.KEPT.value and row.found == "" and row.decided_hash != row.event_hash
    return "" if person or clean else "needs-person"
