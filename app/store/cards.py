"""Cards: kept once, changed by compensating events, moved on by the centre."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, insert, select, update

from app.core.audit import EventKind, SignedEvent, Stamp
from app.core.cards import CardState, Tag
from app.core.chips import ChipStand
from app.core.errors import BadInput
from app.core.parcels import CardDraft, Reason, TrayCard
from app.store.chip_twins import marked
from app.store.governing import sealing_key
from app.store.ledger import Ledger
from app.store.reference import judged
from app.store.results import AlreadyKept, Duplicate, Kept
from app.store.seal import Context, SealedField, keyed, seal, slow_hash
from app.store.tables import card, parcel, sealed

_TRAY: Select[Any] = select(
    card.c.no,
    card.c.id,
    card.c.read_id,
    card.c.product_id,
    card.c.last4,
    card.c.face_value_fen,
    card.c.state,
    card.c.reasons,
    card.c.t_video_us,
    card.c.tag,
    card.c.kept_seq,
    card.c.withdrawn,
    card.c.chip,
    card.c.batch,
    card.c.region,
)

_TRAY_CARD = _TRAY.where(card.c.id == bindparam("of_card"))
_READ_BEFORE = _TRAY.where(card.c.read_id == bindparam("of_read"))
_NEW_CARD, _NEW_BLOB = insert(card), insert(sealed)

_CENTRE_REASON = {
    CardState.ACCEPTED: Reason.CENTRE_ACCEPTED,
    CardState.REVIEW: Reason.CENTRE_REVIEW,
    CardState.REJECTED: Reason.CENTRE_REJECTED,
}

_CHANGE_KIND = {CardState.REVIEW: EventKind.CARD_TO_REVIEW, CardState.REJECTED: EventKind.CARD_REJECTED}


def keep(ledger: Ledger, draft: CardDraft, stamp: Stamp, actor: str) -> Kept | AlreadyKept | Duplicate:
    """Seal the secrets, then write card, blobs and event in one transaction. The slow hash runs before it."""
    identity = ledger.identity
    slow = slow_hash(draft.number, identity.tenant_salt, identity.index_cost) if draft.number else None
    dedupe = keyed(slow, identity.index_key) if slow else None
    blobs = _seal_fields(ledger, draft)

    def work(connection: Connection) -> Kept | AlreadyKept | Duplicate:
        ledger.must_count(connection)
        found = _kept_before(connection, draft.read_id) or _same_number(connection, draft, dedupe)
        if found:
            return found
        taken = marked(connection, judged(connection, draft, slow))
        event = ledger.append(connection, EventKind.CARD_KEPT, _body(taken, blobs), stamp, actor)
        connection.execute(_NEW_CARD, _row(taken, dedupe, event, stamp))
        if blobs:
            connection.execute(_NEW_BLOB, [_blob_row(draft.card_id, event.seq, blob) for blob in blobs])
        return Kept(tray_card(connection, draft.card_id), event.seq)

    return ledger.write(work)


def change(
    ledger: Ledger, card_id: str, state: CardState, reasons: Sequence[Reason], stamp: Stamp, actor: str
) -> TrayCard:
    """The station's own later verdict: REVIEW or REJECTED. A rejected card gives its number free."""
    return ledger.write(lambda connection: change_in(ledger, connection, card_id, state, reasons, stamp, actor))


def change_in(
    ledger: Ledger,
    connection: Connection,
    card_id: str,
    state: CardState,
    reasons: Sequence[Reason],
    stamp: Stamp,
    actor: str,
) -> TrayCard:
    """`change` inside somebody's transaction."""
    kind = _CHANGE_KIND.get(state)
    if kind is None:
        raise ValueError("a kept card can be sent to review or rejected")
    values: dict[str, Any] = {"state": state.value, "reasons": _reasons_text(reasons)}
    if state is CardState.REJECTED:
        values["claims"] = False
    return _compensate(ledger, connection, card_id, kind, values, stamp, actor)


def withdraw(ledger: Ledger, card_id: str, reasons: Sequence[Reason], stamp: Stamp, actor: str) -> TrayCard:
    """Take a card back out as if it had not been read: it leaves the tray, its number may be read again."""
    values = {"withdrawn": True, "claims": False, "reasons": _reasons_text(reasons)}
    kind = EventKind.CARD_WITHDRAWN
    return ledger.write(lambda connection: _compensate(ledger, connection, card_id, kind, values, stamp, actor))


def _compensate(
    ledger: Ledger,
    connection: Connection,
    card_id: str,
    kind: EventKind,
    values: dict[str, Any],
    stamp: Stamp,
    actor: str,
) -> TrayCard:
    row = connection.execute(select(card.c.event_hash).where(card.c.id == card_id)).first()
    if row is None:
        raise BadInput("store.unknown_card", card_id)
    body = {"card": card_id, "reasons": json.loads(values["reasons"]), "of": row.event_hash}
    event = ledger.append(connection, kind, body, stamp, actor)
    connection.execute(update(card).where(card.c.id == card_id).values(event_hash=event.hash, **values))
    return tray_card(connection, card_id)


def decide(connection: Connection, card_id: str, verdict: CardState, revision: int) -> TrayCard:
    """Write the centre's decision onto a card: its state, and the centre's reason after the station's own."""
    found = connection.execute(select(card.c.reasons).where(card.c.id == card_id)).scalar_one()
    own = [reason for reason in map(Reason, json.loads(found)) if reason not in _CENTRE_REASON.values()]
    values = {"state": verdict.value, "reasons": _reasons_text([*own, _CENTRE_REASON[verdict]]), "revision": revision}
    connection.execute(update(card).where(card.c.id == card_id).values(**values))
    return tray_card(connection, card_id)


def arrive(connection: Connection, high: int) -> list[TrayCard]:
    """Cards whose event the centre has now, up to `high`: KEPT becomes AT_CENTRE. Gives back the changed ones."""
    waiting = and_(card.c.state == CardState.KEPT.value, card.c.kept_seq <= high, card.c.withdrawn.is_(False))
    ids = connection.execute(select(card.c.id).where(waiting)).scalars().all()
    connection.execute(update(card).where(waiting).values(state=CardState.AT_CENTRE.value))
    return [tray_card(connection, card_id) for card_id in ids]


def depart(connection: Connection, high: int) -> list[TrayCard]:
    """Cards that a centre which was put back no longer has, beyond `high`: they are only here again."""
    lost = and_(card.c.state == CardState.AT_CENTRE.value, card.c.kept_seq > high, card.c.withdrawn.is_(False))
    ids = connection.execute(select(card.c.id).where(lost)).scalars().all()
    connection.execute(update(card).where(lost).values(state=CardState.KEPT.value))
    return [tray_card(connection, card_id) for card_id in ids]


def tray_card(connection: Connection, card_id: str) -> TrayCard:
    return _tray(connection.execute(_TRAY_CARD, {"of_card": card_id}).one())


def tray_of(connection: Connection, parcel_id: str) -> tuple[TrayCard, ...]:
    """The cards of a parcel in order, without withdrawn ones."""
    wanted = and_(card.c.parcel_id == parcel_id, card.c.withdrawn.is_(False))
    return tuple(_tray(row) for row in connection.execute(_TRAY.where(wanted).order_by(card.c.no, card.c.kept_seq)))


def _seal_fields(ledger: Ledger, draft: CardDraft) -> list[SealedField]:
    identity, blobs = ledger.identity, []
    with ledger.reading() as connection:
        key = sealing_key(connection, identity)
    for name, secret in (("number", draft.number), ("pin", draft.pin)):
        if secret is not None:
            context = Context(identity.centre.tenant, identity.station, draft.card_id, name)
            blobs.append(seal(secret, key, context))
    return blobs


def _kept_before(connection: Connection, read_id: str) -> AlreadyKept | None:
    row = connection.execute(_READ_BEFORE, {"of_read": read_id}).first()
    return AlreadyKept(_tray(row), row.kept_seq) if row else None


_EARLIER: Select[Any] = (
    select(card.c.id, card.c.no, card.c.parcel_id, parcel.c.waybill, card.c.last4, card.c.kept_wall_us)
    .join(parcel, parcel.c.id == card.c.parcel_id)
    .where(card.c.dedupe == bindparam("of_number"), card.c.claims)
)


def _same_number(connection: Connection, draft: CardDraft, dedupe: bytes | None) -> Duplicate | None:
    if dedupe is None or draft.verdict is CardState.REJECTED:
        return None
    row = connection.execute(_EARLIER, {"of_number": dedupe}).first()
    return Duplicate(row.id, row.no, row.parcel_id, row.waybill, row.last4, row.kept_wall_us) if row else None


def _row(draft: CardDraft, dedupe: bytes | None, event: SignedEvent, stamp: Stamp) -> dict[str, Any]:
    return {
        "id": draft.card_id,
        "read_id": draft.read_id,
        "parcel_id": draft.parcel_id,
        "no": draft.no,
        "product_id": draft.product_id,
        "gtin": draft.gtin,
        "last4": _last4(draft),
        "dedupe": dedupe,
        "claims": dedupe is not None and draft.verdict is not CardState.REJECTED,
        "panel": draft.panel.value,
        "expiry": draft.expiry.isoformat() if draft.expiry else None,
        "face_value_fen": draft.face_value_fen,
        "batch": draft.batch,
        "region": draft.region,
        "recording_id": draft.recording_id,
        "t_video_us": draft.t_video_us,
        "tag": json.dumps(_tag_fields(draft.tag)) if draft.tag else None,
        "kept_seq": event.seq,
        "kept_wall_us": stamp.wall_us,
        "state": draft.verdict.value,
        "reasons": _reasons_text(draft.reasons),
        "event_hash": event.hash,
        "revision": 0,
        "withdrawn": False,
    }


def _body(draft: CardDraft, blobs: Iterable[SealedField]) -> dict[str, Any]:
    """What the event tells of the card. Of the secrets only the hashes of their sealed blobs, and the last four."""
    return {
        "card": draft.card_id,
        "read": draft.read_id,
        "parcel": draft.parcel_id,
        "no": draft.no,
        "product": draft.product_id,
        "gtin": draft.gtin,
        "last4": _last4(draft),
        "face_value_fen": draft.face_value_fen,
        "expiry": draft.expiry.isoformat() if draft.expiry else None,
        "batch": draft.batch,
        "region": draft.region,
        "panel": draft.panel.value,
        "recording": draft.recording_id,
        "t_video_us": draft.t_video_us,
        "verdict": draft.verdict.value,
        "reasons": [reason.value for reason in draft.reasons],
        "tag": _tag_fields(draft.tag) if draft.tag else None,
        "catalogue": draft.catalogue,
        "sealed": {blob.field: {"sha256": blob.ref, "key": blob.key_id} for blob in blobs},
    }


def _blob_row(card_id: str, seq: int, blob: SealedField) -> dict[str, Any]:
    row = {"ref": blob.ref, "seq": seq, "card_id": card_id}
    return {**row, "field": blob.field, "key_id": blob.key_id, "blob": blob.blob}


def _last4(draft: CardDraft) -> str:
    return draft.number.last4() if draft.number else ""


def _reasons_text(reasons: Iterable[Reason]) -> str:
    return json.dumps([reason.value for reason in reasons])


def _tag_fields(tag: Tag) -> dict[str, Any]:
    fields = {"uid": tag.uid, "atqa": tag.atqa, "sak": tag.sak}
    return {**fields, "family": tag.family, "simulated": tag.simulated}


def _tray(row: Row[Any]) -> TrayCard:
    return TrayCard(
        no=row.no,
        card_id=row.id,
        read_id=row.read_id,
        product_id=row.product_id,
        last4=row.last4,
        face_value_fen=row.face_value_fen,
        state=CardState.WITHDRAWN if row.withdrawn else CardState(row.state),
        reasons=tuple(Reason(reason) for reason in json.loads(row.reasons)),
        t_video_us=row.t_video_us,
        tag=Tag(**json.loads(row.tag)) if row.tag else None,
        chip=ChipStand(row.chip) if row.chip else None,
        batch=row.batch,
        region=row.region,
    )
