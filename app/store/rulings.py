"""Rulings of supervisors in the store: each is a signed event, with the card's new state in the same transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState
from app.core.errors import BadInput
from app.core.parcels import Operator, Reason
from app.core.rulings import UNDO_US, ReviewPolicy, Ruled, Ruling, Second, needs_reason, needs_second
from app.store import people
from app.store.footage import keep_in
from app.store.ledger import Ledger
from app.store.people import Locked
from app.store.recordings import find
from app.store.tables import card, ruling

_AFTER = {Ruling.ACCEPT: CardState.KEPT, Ruling.REJECT: CardState.REJECTED, Ruling.HOLD: CardState.REVIEW}
_SAID = {
    Ruling.ACCEPT: Reason.REVIEWED_ACCEPTED,
    Ruling.REJECT: Reason.REVIEWED_REJECTED,
    Ruling.HOLD: Reason.REVIEWED_HELD,
}
_OWN = frozenset(_SAID.values())
_STILL = {
    Ruling.ACCEPT: (CardState.KEPT, CardState.AT_CENTRE),
    Ruling.REJECT: (CardState.REJECTED,),
    Ruling.HOLD: (CardState.REVIEW,),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A ruling as it is asked for. `second`: who signs besides, None for nobody."""

    card_id: str
    ruling: Ruling
    reason: str
    who: Operator
    second: Second | None = None


def rule(ledger: Ledger, wanted: Wanted, policy: ReviewPolicy, stamp: Stamp) -> Ruled:
    """Decide of a card under review. A rejected card gives its number free; a held one's footage is held.

    Raises BadInput: store.unknown_card, review.not_waiting (by now it is not under review), review.no_reason,
    review.second_missing, review.second_same, review.second_unknown, review.second_locked, review.not_allowed (the
    second is no supervisor).
    """
    second = _second(ledger, wanted, stamp)

    def work(connection: Connection) -> Ruled:
        row = _under_review(connection, wanted.card_id)
        reasons = [Reason(one) for one in json.loads(row.reasons)]
        if not wanted.reason.strip() and needs_reason(wanted.ruling, reasons):
            raise BadInput("review.no_reason", wanted.card_id)
        if second is None and needs_second(wanted.ruling, row.face_value_fen, policy):
            raise BadInput("review.second_missing", wanted.card_id)
        return _write(ledger, connection, wanted, row, second, policy, stamp)

    return ledger.write(work)


def _write(
    ledger: Ledger,
    connection: Connection,
    wanted: Wanted,
    row: Row[Any],
    second: Operator | None,
    policy: ReviewPolicy,
    stamp: Stamp,
) -> Ruled:
    told = {"card": row.id, "ruling": wanted.ruling.value, "reason": wanted.reason.strip(), "of": row.event_hash}
    signed = {"second": second.id if second else "", "second_above_fen": policy.second_above_fen}
    event = ledger.append(connection, EventKind.CARD_RULED, {**told, **signed}, stamp, wanted.who.id)
    kept = [one for one in json.loads(row.reasons) if one not in {said.value for said in _OWN}]
    values: dict[str, Any] = {"state": _AFTER[wanted.ruling].value, "event_hash": event.hash}
    values["reasons"] = json.dumps([_SAID[wanted.ruling].value, *kept])
    if wanted.ruling is Ruling.REJECT:
        values["claims"] = False
    connection.execute(update(card).where(card.c.id == row.id).values(**values))
    before = {"before": row.reasons, "claimed": row.claims, "seq": event.seq, "wall_us": stamp.wall_us}
    noted = {"card_id": row.id, "ruling": wanted.ruling.value, "operator_id": wanted.who.id, **before}
    connection.execute(insert(ruling), noted)
    if wanted.ruling is Ruling.HOLD and find(connection, row.recording_id):  # a scanned sheet has no footage
        keep_in(ledger, connection, row.recording_id, wanted.reason.strip(), stamp, wanted.who.id)
    return Ruled(event.seq, stamp.wall_us + UNDO_US)


def undo(ledger: Ledger, card_id: str, who: Operator, stamp: Stamp) -> Ruled:
    """Take one's own last ruling back, by a compensating event: the card is under review again.

    Raises BadInput("review.too_late") after two minutes, by somebody else, or when the centre has decided since.
    """

    def work(connection: Connection) -> Ruled:
        last = connection.execute(
            select(ruling).where(ruling.c.card_id == card_id).order_by(ruling.c.seq.desc()).limit(1)
        ).first()
        row = connection.execute(select(card).where(card.c.id == card_id)).first()
        if last is None or row is None or not _may_undo(connection, last, row, who, stamp):
            raise BadInput("review.too_late", card_id)
        body = {"card": card_id, "of": row.event_hash, "ruling": last.ruling, "seq": last.seq}
        event = ledger.append(connection, EventKind.CARD_RULING_UNDONE, body, stamp, who.id)
        values = {"state": CardState.REVIEW.value, "reasons": last.before, "claims": last.claimed}
        connection.execute(update(card).where(card.c.id == card_id).values(event_hash=event.hash, **values))
        connection.execute(update(ruling).where(ruling.c.seq == last.seq).values(undone_seq=event.seq))
        return Ruled(event.seq)

    return ledger.write(work)


def _may_undo(connection: Connection, last: Row[Any], row: Row[Any], who: Operator, stamp: Stamp) -> bool:
    mine = last.undone_seq is None and last.operator_id == who.id
    fresh = 0 <= stamp.wall_us - last.wall_us <= UNDO_US
    if not mine or not fresh or CardState(row.state) not in _STILL[Ruling(last.ruling)]:
        return False
    others = and_(card.c.dedupe == row.dedupe, card.c.claims, card.c.id != row.id)
    return not (last.claimed and row.dedupe and connection.execute(select(card.c.id).where(others)).first())


def _under_review(connection: Connection, card_id: str) -> Row[Any]:
    row = connection.execute(select(card).where(card.c.id == card_id)).first()
    if row is None:
        raise BadInput("store.unknown_card", card_id)
    if row.withdrawn or CardState(row.state) is not CardState.REVIEW:
        raise BadInput("review.not_waiting", card_id)
    return row


def _second(ledger: Ledger, wanted: Wanted, stamp: Stamp) -> Operator | None:
    """The second supervisor, proved by badge or passcode; outside the transaction, for a passcode takes its time."""
    given = wanted.second
    if given is None:
        return None
    found: Operator | Locked | None
    if given.badge:
        with ledger.reading() as connection:
            found = people.by_badge(ledger, connection, given.badge, stamp.wall_us)
    elif given.passcode is not None:
        found = people.sign_in(ledger, given.operator_id, given.passcode, stamp.wall_us)
    else:
        found = None
    if isinstance(found, Locked):
        raise BadInput("review.second_locked", given.operator_id)
    if found is None:
        raise BadInput("review.second_unknown")
    if found.id == wanted.who.id:
        raise BadInput("review.second_same", found.id)
    if not found.supervises:
        raise BadInput("review.not_allowed", found.id)
    return found
