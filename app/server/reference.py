"""What the centre hands out for stations to work by, as signed items of the feed.

An item goes to one station, or (`station` "") to all that take in real cards: what a rehearsal gets is named for it,
because its folder opens with a published passphrase. The same item again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy import and_, func, insert, select
from starlette.concurrency import run_in_threadpool

from app.catalog.bundle import open_signed
from app.centre_keys import by_any
from app.core.audit import CentreAct, digest
from app.core.cards import Secret
from app.core.sampling import POLICY
from app.server.admit import Caller, identify, spend_nonce
from app.server.answers import Desk
from app.server.db import insert_missing, insert_or_update
from app.server.decide import LISTS
from app.server.entering import read_tree
from app.server.log import Deciding, Log
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import catalogue, feed, policy_told, reference
from app.store.db import transaction
from app.store.seal import IndexCost, keyed, slow_hash
from app.wire import (
    Blocked,
    CatalogueBundle,
    CatalogueOffer,
    Expected,
    Reference,
    ReferenceKind,
    WireModel,
    sign_statement,
)

CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to hand out, or (`body` None) to take back."""

    kind: ReferenceKind
    key: str
    body: WireModel | Mapping[str, Any] | None = field(default=None)

    def fields(self) -> dict[str, Any]:
        """What travels."""
        if isinstance(self.body, WireModel):
            return self.body.model_dump(mode="json")
        return dict(self.body or {})


def hand_out(centre: OpenCentre, items: Iterable[Item], station: str, now_ms: int, by: str = "centre") -> int:
    """Put items into the feed of a station ("": of all that take in real cards); how many were news.

    `by`: who wants it so, for the log.
    """
    with transaction(centre.engine) as connection:
        read_tree(connection, to_write=True)  # locked first: else two at once would count the same revision
        log = Log(connection, Deciding.of(centre, now_ms, by))
        news = sum(_hand_out(log, item, station) for item in items)
        log.write()
    return news


def _hand_out(log: Log, item: Item, station: str) -> bool:
    connection, deciding = log.connection, log.deciding
    body = item.fields()
    same = and_(reference.c.kind == item.kind, reference.c.key == item.key)
    known = connection.execute(select(reference).where(and_(same, reference.c.station == station))).first()
    if known is None and item.body is None:
        return False
    if known and known.removed == (item.body is None) and json.loads(known.body) == body:
        return False
    # Counted over all stations: what was said last of a key holds, to whomever it was said.
    latest = connection.execute(select(func.max(reference.c.revision)).where(same)).scalar()
    told = Reference(
        tenant=deciding.tenant,
        station=station,
        kind=item.kind,
        key=item.key,
        revision=deciding.next_after(latest or 0),
        removed=item.body is None,
        body=body,
    )
    _write(log, told)
    return True


def _write(log: Log, told: Reference) -> None:
    connection, deciding = log.connection, log.deciding
    row = told.model_dump(include={"kind", "key", "station", "revision", "removed"})
    row |= {"body": json.dumps(told.body), "at_ms": deciding.now_ms}
    insert_or_update(connection, reference, [row], ("revision", "removed", "body", "at_ms"))
    if told.kind == POLICY:  # what was done under it is held against it later, when another one holds
        connection.execute(insert(policy_told), {name: row[name] for name in ("station", "revision", "body")})
    signed = sign_statement(told, deciding.signer.sign)
    item = {"station": told.station, "kind": Reference.TYPE, "text": signed.text, "sig": signed.sig}
    connection.execute(insert(feed), item)
    named = told.model_dump(include={"kind", "key", "station", "revision", "removed"})
    if told.kind == "user" and not told.removed:
        named["role"] = told.body.get("role", "")
    log.act(CentreAct.HANDED_OUT, {"reference": {**named, "sha256": digest(signed.text.encode())}})


def expected_parcels(told: Any) -> list[Item]:
    """Parcels from what a file holds: a list of {"waybill", "declared", "order_no", "items"}.

    `declared` null takes a parcel back. Raises ValueError for anything else.
    """
    if not isinstance(told, list) or not all(isinstance(one, dict) and one.get("waybill") for one in told):
        raise ValueError("a list of parcels, each with a waybill")
    gone = [one for one in told if one.get("declared", 0) is None]
    return [
        Item("expected-parcel", str(one["waybill"]), None if one in gone else Expected.model_validate(one))
        for one in told
    ]


def blocked_cards(centre: OpenCentre, numbers: Sequence[Secret], note: str, *, blocked: bool) -> list[Item]:
    """Card numbers as their keyed slow hashes; the numbers themselves go nowhere."""
    salt, body = bytes.fromhex(centre.centre.salt), Blocked(note=note) if blocked else None
    key = centre.derived(LISTS)
    return [Item("blocked-card", keyed(slow_hash(one, salt, IndexCost()), key).hex(), body) for one in numbers]


def offer_catalogue(centre: OpenCentre, data: bytes, station: str, now_ms: int, by: str = "centre") -> CatalogueOffer:
    """Let stations install a published catalogue.

    Raises as `open_signed`: what this centre did not sign is not handed out.
    """
    bundle = open_signed(data, centre.centre.tenant, by_any(centre.centre))
    offer = CatalogueOffer(version=bundle.version, serial=bundle.stated.serial)
    with transaction(centre.engine) as connection:
        insert_missing(connection, catalogue, [{**offer.model_dump(), "bundle": bundle.to_bytes()}])
    hand_out(centre, [Item("catalogue", CURRENT, offer)], station, now_ms, by)
    return offer


def add_reference_routes(app: FastAPI, desk: Desk) -> None:
    """Add `GET /v1/catalogue/{version}`."""

    @app.get("/v1/catalogue/{version}")
    async def published(version: str, request: Request) -> Response:
        caller = desk.signed(request, b"")
        return desk.reply(request, await run_in_threadpool(read_catalogue, desk.centre, caller, version, desk.now_ms()))


def read_catalogue(centre: OpenCentre, caller: Caller, version: str, now_ms: int) -> CatalogueBundle:
    """A published catalogue. Raises Refusal as `admit`, catalog.missing."""
    identify(centre, caller, now_ms)
    wanted = select(catalogue.c.bundle).where(catalogue.c.version == version).order_by(catalogue.c.serial.desc())
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        found = connection.execute(wanted.limit(1)).scalar()
    if found is None:
        raise Refusal("catalog.missing", 404)
    return CatalogueBundle.model_construct(bundle=bytes(found))
