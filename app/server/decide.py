"""What the centre decides of a card, and the feed that tells the station.

A rehearsal station's card is accepted when the station kept it, and goes to review when the station sent it there. A
real card is accepted here only by a rule (`acceptance`); else it waits for who decides at the centre (`deciding`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, update

from app.core.audit import CentreAct, digest
from app.core.cards import CardState
from app.server.acceptance import accepted_by_rule
from app.server.admit import Caller, identify, spend_nonce
from app.server.db import settled
from app.server.log import Deciding, Log
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import card, feed, sealed
from app.store.db import transaction
from app.wire import Decision, FeedPage, Reference, Signed, sign_statement

EXPIRES_MS = 30 * 24 * 3600 * 1000
LISTS = "lists"
"""What the key is derived for that block list and badges are hashed with."""

_PAGE = 200
_NO_REASON: Mapping[str, Any] = {}
_RULE = {CardState.KEPT.value: CardState.ACCEPTED, CardState.REVIEW.value: CardState.REVIEW}


def missing_blobs(connection: Connection, refs: Collection[str]) -> set[str]:
    """Which of these blobs the centre does not have."""
    have = connection.execute(select(sealed.c.ref).where(sealed.c.ref.in_(refs))).scalars()
    return set(refs) - set(have)


def waiting_for(connection: Connection, station_id: str, refs: Collection[str]) -> set[str]:
    """Ids of a station's cards that speak of these blobs."""
    speaks = or_(card.c.number_ref.in_(refs), card.c.pin_ref.in_(refs))
    wanted = select(card.c.id).where(and_(card.c.station == station_id, speaks))
    return set(connection.execute(wanted).scalars())


def decide(log: Log, station_id: str, card_ids: Collection[str], rehearsal: bool) -> set[str]:
    """Decide those of the cards that can be decided; gives back the sealed blobs that are missing for any of them."""
    connection = log.connection
    undecided = and_(card.c.station == station_id, card.c.id.in_(card_ids), card.c.decided_hash != card.c.event_hash)
    rows = connection.execute(select(card).where(undecided)).all()
    missing = missing_blobs(connection, {ref for row in rows for ref in (row.number_ref, row.pin_ref) if ref})
    complete = [row for row in rows if not {row.number_ref, row.pin_ref} & missing]
    if rehearsal:
        ready = [row for row in complete if row.verdict in _RULE]
        if ready:
            give(log, station_id, [stated(log.deciding, row, _RULE[row.verdict]) for row in ready])
    elif allowed := accepted_by_rule(connection, station_id, complete):
        why = {"rule": [[row.id, row.product, limit_fen] for row, limit_fen in allowed]}
        give(log, station_id, [stated(log.deciding, row, CardState.ACCEPTED) for row, _ in allowed], why)
    return missing


def review(log: Log, station_id: str, card_id: str, duplicate_of: str) -> None:
    """Send a card to review, whatever was decided of it before: the vault found something."""
    wanted = and_(card.c.station == station_id, card.c.id == card_id)
    row = log.connection.execute(select(card).where(wanted)).first()
    if row is not None and row.verdict in _RULE:
        give(log, station_id, [stated(log.deciding, row, CardState.REVIEW, duplicate_of)])


def give(log: Log, station_id: str, some: Sequence[Decision], why: Mapping[str, Any] = _NO_REASON) -> None:
    """Put decisions into the station's feed and the log; its row is locked. `why`: what the log says besides."""
    connection, deciding = log.connection, log.deciding
    signed = [sign_statement(one, deciding.signer.sign) for one in some]
    told = [
        [one.card_id, one.verdict.value, one.revision, one.duplicate_of, digest(s.text.encode())]
        for one, s in zip(some, signed, strict=True)
    ]
    log.act(CentreAct.DECIDED, {"station": station_id, "decisions": told, **why})
    items = [{"station": station_id, "kind": Decision.TYPE, "text": s.text, "sig": s.sig} for s in signed]
    connection.execute(insert(feed), items)
    decided = update(card).where(and_(card.c.station == station_id, card.c.id == bindparam("which")))
    values = decided.values(revision=bindparam("next"), decided_hash=bindparam("of"), decided=bindparam("now"))
    rows = [{"which": d.card_id, "next": d.revision, "of": d.event_hash, "now": d.verdict.value} for d in some]
    connection.execute(values, rows)


def stated(deciding: Deciding, row: Any, verdict: CardState, duplicate_of: str = "") -> Decision:
    """The next decision on a card, a row of `card`; to be given."""
    return Decision(
        tenant=deciding.tenant,
        station=row.station,
        card_id=row.id,
        event_hash=row.event_hash,
        verdict=verdict,
        duplicate_of=duplicate_of,
        revision=deciding.next_after(row.revision),
        expires_ms=deciding.now_ms + EXPIRES_MS,
    )


def read_feed(centre: OpenCentre, caller: Caller, after: str, now_ms: int) -> Signed:
    """A signed page of what is new for the caller. Raises Refusal as `admit`, feed.cursor."""
    known = identify(centre, caller, now_ms)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        page = _page(connection, centre, known, after, now_ms)
    return sign_statement(page, centre.signer.sign)


def _page(connection: Connection, centre: OpenCentre, known: Row[Any], after: str, now_ms: int) -> FeedPage:
    xid, number = _position(after, centre.epoch)
    later = or_(feed.c.xid > xid, and_(feed.c.xid == xid, feed.c.id > number))
    # What is for all goes to those who take in real cards; a rehearsal gets what is named for it.
    whose = feed.c.station == known.id if known.rehearsal else feed.c.station.in_((known.id, ""))
    wanted = select(feed).where(and_(whose, later, settled(connection)))
    rows = connection.execute(wanted.order_by(feed.c.xid, feed.c.id).limit(_PAGE + 1)).all()
    shown = rows[:_PAGE]
    return FeedPage(
        station=known.id,
        after=after,
        cursor=f"{centre.epoch}.{shown[-1].xid}.{shown[-1].id}" if shown else after,
        items=tuple(Signed.model_construct(text=row.text, sig=bytes(row.sig)) for row in shown),
        more=len(rows) > _PAGE,
        server_time_ms=now_ms,
        epoch=centre.epoch,
        list_key=centre.derived(LISTS).hex() if any(_is_keyed(row) for row in shown) else "",
    )


def _is_keyed(row: Row[Any]) -> bool:
    return row.kind == Reference.TYPE and json.loads(row.text)["kind"] in ("blocked-card", "user")


def _position(cursor: str, epoch: str) -> tuple[int, int]:
    if not cursor:
        return 0, 0
    parts = cursor.rsplit(".", 2)
    if len(parts) != 3 or parts[0] != epoch or not all(part.isdigit() and len(part) < 19 for part in parts[1:]):
        raise Refusal("feed.cursor", 410)
    return int(parts[1]), int(parts[2])
