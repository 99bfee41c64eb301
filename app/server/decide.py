"""What the centre decides of a card, and the feed that tells the station.

Until issuers and rules are asked: a rehearsal station's card is accepted when the station kept it, and goes to review
when the station sent it there. Of real cards nothing is decided here.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from app.core.cards import CardState
from app.keys import Signer
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import card, feed, sealed
from app.wire import Decision, FeedPage, Signed, sign_statement

EXPIRES_MS = 30 * 24 * 3600 * 1000
_PAGE = 200
_RULE = {CardState.KEPT.value: CardState.ACCEPTED, CardState.REVIEW.value: CardState.REVIEW}


@dataclass(frozen=True, slots=True)
class Deciding:
    """Who decides: tenant, signing key, the time (ms since 1970)."""

    tenant: str
    signer: Signer
    now_ms: int


def missing_blobs(connection: Connection, refs: Collection[str]) -> set[str]:
    """Which of these blobs the centre does not have."""
    have = connection.execute(select(sealed.c.ref).where(sealed.c.ref.in_(refs))).scalars()
    return set(refs) - set(have)


def waiting_for(connection: Connection, station_id: str, refs: Collection[str]) -> set[str]:
    """Ids of a station's cards that speak of these blobs."""
    speaks = or_(card.c.number_ref.in_(refs), card.c.pin_ref.in_(refs))
    wanted = select(card.c.id).where(and_(card.c.station == station_id, speaks))
    return set(connection.execute(wanted).scalars())


def decide(
    connection: Connection, deciding: Deciding, station_id: str, card_ids: Collection[str], rehearsal: bool
) -> set[str]:
    """Decide those of the cards that can be decided; gives back the sealed blobs that are missing for any of them."""
    undecided = and_(card.c.station == station_id, card.c.id.in_(card_ids), card.c.decided_hash != card.c.event_hash)
    rows = connection.execute(select(card).where(undecided)).all()
    missing = missing_blobs(connection, {ref for row in rows for ref in (row.number_ref, row.pin_ref) if ref})
    complete = [row for row in rows if not {row.number_ref, row.pin_ref} & missing]
    ready = [row for row in complete if rehearsal and row.verdict in _RULE]
    if ready:
        _write(connection, deciding, station_id, ready)
    return missing


def _write(connection: Connection, deciding: Deciding, station_id: str, rows: Sequence[Any]) -> None:
    signed = [_decision(deciding, station_id, row) for row in rows]
    items = [{"station": station_id, "kind": Decision.TYPE, "text": s.text, "sig": s.sig} for s in signed]
    connection.execute(insert(feed), items)
    decided = update(card).where(and_(card.c.station == station_id, card.c.id == bindparam("which")))
    values = decided.values(revision=bindparam("next"), decided_hash=bindparam("spoke_of"))
    connection.execute(
        values, [{"which": row.id, "next": row.revision + 1, "spoke_of": row.event_hash} for row in rows]
    )


def _decision(deciding: Deciding, station_id: str, row: Any) -> Signed:
    stated = Decision(
        tenant=deciding.tenant,
        station=station_id,
        card_id=row.id,
        event_hash=row.event_hash,
        verdict=_RULE[row.verdict],
        revision=row.revision + 1,
        expires_ms=deciding.now_ms + EXPIRES_MS,
    )
    return sign_statement(stated, deciding.signer.sign)


def feed_page(connection: Connection, centre: OpenCentre, station_id: str, after: str, now_ms: int) -> Signed:
    """A signed page of what is new for a station. Raises Refusal("feed.cursor") for a cursor of another epoch."""
    wanted = and_(feed.c.station == station_id, feed.c.id > _position(after, centre.epoch))
    rows = connection.execute(select(feed).where(wanted).order_by(feed.c.id).limit(_PAGE + 1)).all()
    shown = rows[:_PAGE]
    page = FeedPage(
        station=station_id,
        after=after,
        cursor=f"{centre.epoch}.{shown[-1].id}" if shown else after,
        items=tuple(Signed(text=row.text, sig=base64.b64encode(row.sig)) for row in shown),
        more=len(rows) > _PAGE,
        server_time_ms=now_ms,
    )
    return sign_statement(page, centre.signer.sign)


def _position(cursor: str, epoch: str) -> int:
    if not cursor:
        return 0
    of_epoch, _, number = cursor.rpartition(".")
    if of_epoch != epoch or not number.isdigit():
        raise Refusal("feed.cursor", 410)
    return int(number)
