"""Disputes: opened with a reason, evidence linked as it is exported, settled with a reason. Each step is an event."""

from __future__ import annotations

from sqlalchemy import Connection, and_, insert, select, update

from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput
from app.store.footage import keep_in
from app.store.ledger import Ledger, uuid7
from app.store.tables import card, dispute, dispute_evidence


def open_dispute(ledger: Ledger, recording_id: str, card_id: str, reason: str, stamp: Stamp, actor: str) -> int:
    """Open one about a card ("": about the parcel on this recording) and hold its footage; the event's number. One
    that is open about the same stays as it is.

    Raises BadInput: review.no_reason, recording.unknown, store.unknown_card.
    """
    if not reason.strip():
        raise BadInput("review.no_reason", card_id)

    def work(connection: Connection) -> int:
        same = and_(
            dispute.c.recording_id == recording_id, dispute.c.card_id == card_id, dispute.c.settled_seq.is_(None)
        )
        known = connection.execute(select(dispute.c.opened_seq).where(same)).scalar()
        if known is not None:
            return int(known)
        on = and_(card.c.id == card_id, card.c.recording_id == recording_id)
        if card_id and connection.execute(select(card.c.id).where(on)).first() is None:
            raise BadInput("store.unknown_card", card_id)
        keep_in(ledger, connection, recording_id, reason.strip(), stamp, actor)
        made = uuid7(stamp.wall_us)
        body = {"dispute": made, "recording": recording_id, "card": card_id, "reason": reason.strip()}
        event = ledger.append(connection, EventKind.DISPUTE_OPENED, body, stamp, actor)
        row = {"id": made, "recording_id": recording_id, "card_id": card_id, "reason": reason.strip()}
        connection.execute(insert(dispute), {**row, "opened_us": stamp.wall_us, "opened_seq": event.seq})
        return event.seq

    return ledger.write(work)


def link_evidence(
    ledger: Ledger, recording_id: str, card_id: str, sha256: str, of_seq: int, stamp: Stamp, actor: str
) -> int:
    """Note that what event `of_seq` tells of (a still, a dossier) is evidence in every open dispute about the card, or
    about the whole recording; in how many.
    """

    def work(connection: Connection) -> int:
        about = dispute.c.card_id.in_((card_id, "")) if card_id else dispute.c.card_id.is_not(None)
        open_ones = and_(dispute.c.recording_id == recording_id, about, dispute.c.settled_seq.is_(None))
        found = connection.execute(select(dispute.c.id).where(open_ones)).scalars().all()
        for one in found:
            body = {"dispute": one, "seq": of_seq, "sha256": sha256}
            event = ledger.append(connection, EventKind.DISPUTE_EVIDENCE, body, stamp, actor)
            row = {"dispute_id": one, "seq": event.seq, "of_seq": of_seq, "sha256": sha256}
            connection.execute(insert(dispute_evidence), row)
        return len(found)

    return ledger.write(work)


def settle(ledger: Ledger, dispute_id: str, upheld: bool, reason: str, stamp: Stamp, actor: str) -> int:
    """End a dispute; the event's number. `upheld`: the sender was right. The footage stays held until somebody says
    otherwise. Raises BadInput: review.no_reason, review.not_waiting.
    """
    if not reason.strip():
        raise BadInput("review.no_reason", dispute_id)

    def work(connection: Connection) -> int:
        this = and_(dispute.c.id == dispute_id, dispute.c.settled_seq.is_(None))
        if connection.execute(select(dispute.c.id).where(this)).first() is None:
            raise BadInput("review.not_waiting", dispute_id)
        linked = dispute_evidence.c.dispute_id == dispute_id
        evidence = list(connection.execute(select(dispute_evidence.c.sha256).where(linked)).scalars())
        body = {"dispute": dispute_id, "upheld": upheld, "reason": reason.strip(), "evidence": evidence}
        event = ledger.append(connection, EventKind.DISPUTE_SETTLED, body, stamp, actor)
        connection.execute(update(dispute).where(this).values(settled_seq=event.seq, upheld=upheld))
        return event.seq

    return ledger.write(work)
