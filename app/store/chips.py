"""Which chips may be switched off: only with a signed decision of the centre that still holds for the card as it is."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from app.centre_keys import by_any
from app.core.audit import EventKind, Stamp, digest
from app.core.cards import CardState, Secret
from app.core.chips import OPEN_STANDS, ChipCard, ChipStand
from app.core.errors import BadInput, EvidenceTrouble
from app.core.parcels import TrayCard
from app.store.cards import tray_card
from app.store.centre_time import centre_now_ms
from app.store.chip_twins import cards_with, is_shared
from app.store.governing import sealing_key
from app.store.ledger import Ledger
from app.store.seal import Context, seal
from app.store.tables import card, decision, parcel, sealed, station_key
from app.wire import Decision, Signed, open_statement

_PROVED = (ChipStand.OFF.value, ChipStand.DESTROYED.value)
HAS_OPEN_CHIP = and_(
    card.c.state == CardState.ACCEPTED.value,
    card.c.withdrawn.is_(False),
    card.c.tag.is_not(None),
    or_(card.c.chip.is_(None), card.c.chip.in_([stand.value for stand in OPEN_STANDS])),
)
"""Of a card that was accepted and whose chip is still to be dealt with."""

_RECORD = "chip-record"
_JOURNAL = "chip-journal"
_JOURNAL_INFO = b"card intake chip journal v1"


class Closed(StrEnum):
    """Why a card's chip may not be switched off. Worded under `nfc.gate.<value>`."""

    UNKNOWN_CARD = "unknown-card"
    WITHDRAWN = "withdrawn"
    NOT_ACCEPTED = "not-accepted"
    NO_CHIP = "no-chip"
    NO_DECISION = "no-decision"
    DECISION_INVALID = "decision-invalid"
    DECISION_EXPIRED = "decision-expired"
    CHIP_IS_DESTROYED = "chip-is-destroyed"
    UID_USED_TWICE = "uid-used-twice"
    REHEARSAL = "rehearsal"
    SIMULATED_READER = "simulated-reader"
    OTHER_KIND_OF_READER = "other-kind-of-reader"


@dataclass(frozen=True, slots=True)
class ChipGate:
    """A card whose chip may be switched off: its UID as read at intake, the decision (SHA-256), where it was filmed.

    `simulated`: the reader that read the UID was. `shared`: another card claims the same chip, so this one may only be
    punched.
    """

    card_id: str
    uid: str
    decision: str
    recording_id: str
    t_video_us: int
    simulated: bool
    shared: bool = False


def chip_gate(ledger: Ledger, connection: Connection, card_id: str, stamp: Stamp) -> ChipGate | Closed:
    """The gate of a card, its decision checked anew against the pinned server key; or why it is closed.

    Raises StorageTrouble("sync.revoked"): no decision holds for this station any more.
    """
    ledger.must_count(connection)
    row = connection.execute(select(card).where(card.c.id == card_id)).first()
    if row is None:
        return Closed.UNKNOWN_CARD
    if row.withdrawn:
        return Closed.WITHDRAWN
    if row.state != CardState.ACCEPTED.value:
        return Closed.NOT_ACCEPTED
    if not row.tag:
        return Closed.NO_CHIP
    if row.chip == ChipStand.DESTROYED.value:
        return Closed.CHIP_IS_DESTROYED
    wanted = and_(decision.c.card_id == card_id, decision.c.revision == row.revision)
    kept = connection.execute(select(decision).where(wanted)).first()
    if kept is None:
        return Closed.NO_DECISION
    closed = _doubt(ledger, connection, row, Signed.model_construct(text=kept.text, sig=kept.sig), stamp)
    if closed is not None:
        return closed
    made = hashlib.sha256(kept.text.encode()).hexdigest()
    tag = json.loads(row.tag)
    shared = is_shared(connection, tag["uid"], card_id)
    return ChipGate(card_id, tag["uid"], made, row.recording_id, row.t_video_us, bool(tag["simulated"]), shared)


@dataclass(frozen=True, slots=True)
class ChipFact:
    """What came of a card's chip: where it stands now, the fact for the chain, the record of it (canonical JSON)."""

    card_id: str
    stand: ChipStand
    kind: EventKind
    body: Mapping[str, Any]
    record: bytes

    @property
    def evidence(self) -> str:
        """The SHA-256 of the record."""
        return digest(self.record)


def keep_fact(ledger: Ledger, fact: ChipFact, stamp: Stamp, actor: str) -> TrayCard:
    """Fact, record and card in one transaction. A chip that was proved off stays off, whatever a later run met.

    The record goes to the centre with the fact that names it, like the sealed secrets of a card.

    Raises BadInput("store.unknown_card").
    """

    def work(connection: Connection) -> TrayCard:
        row = connection.execute(select(card.c.chip).where(card.c.id == fact.card_id)).first()
        if row is None:
            raise BadInput("store.unknown_card", fact.card_id)
        event = ledger.append(connection, fact.kind, {**fact.body, "evidence": fact.evidence}, stamp, actor)
        blob = {"ref": fact.evidence, "seq": event.seq, "card_id": fact.card_id, "blob": fact.record}
        connection.execute(insert(sealed), {**blob, "field": _RECORD, "key_id": ""})
        if row.chip not in _PROVED or fact.stand.value in _PROVED:
            values = {"chip": fact.stand.value, "chip_evidence": fact.evidence}
            connection.execute(update(card).where(card.c.id == fact.card_id).values(**values))
        return tray_card(connection, fact.card_id)

    return ledger.write(work)


def waiting_chips(connection: Connection) -> tuple[ChipCard, ...]:
    """Accepted cards with a chip that is still to be dealt with, the oldest first.

    One whose UID another card claims, too, is to be destroyed, whatever came of it: its gate is closed.
    """
    wanted = select(card, parcel.c.waybill).join(parcel, parcel.c.id == card.c.parcel_id)
    rows = connection.execute(wanted.where(HAS_OPEN_CHIP).order_by(card.c.kept_seq)).all()
    claims = cards_with(connection, {json.loads(row.tag)["uid"] for row in rows})
    return tuple(_waiting(row, claims) for row in rows)


def _waiting(row: Row[Any], claims: Mapping[str, set[str]]) -> ChipCard:
    tag = json.loads(row.tag)
    stand = ChipStand(row.chip) if row.chip else ChipStand.WAITING
    told = (row.id, row.no, row.waybill, row.product_id, row.last4, tag["uid"], tag["family"])
    if claims[tag["uid"]] - {row.id}:
        twice = f"gate.{Closed.UID_USED_TWICE.value}"
        return ChipCard(*told, stand=ChipStand.DESTROY, why=twice, simulated=tag["simulated"])
    return ChipCard(*told, stand=stand, simulated=tag["simulated"])


def proved_record(connection: Connection, card_id: str) -> str:
    """The SHA-256 of the record by which this card's chip was proved off; "" where there is none."""
    proved = and_(card.c.id == card_id, card.c.chip == ChipStand.OFF.value)
    return str(connection.execute(select(card.c.chip_evidence).where(proved)).scalar() or "")


def journal_key(ledger: Ledger) -> bytes:
    """The key (32 bytes) under which the journal of unproved runs lies on this station's disk."""
    with ledger.reading() as connection:
        kept = connection.execute(select(station_key.c.key).where(station_key.c.name == _JOURNAL)).scalar()
    return bytes(kept) if kept else _derived_journal_key(ledger)


def keep_journal_key(ledger: Ledger, connection: Connection) -> None:
    """Keep it by itself, before the seed goes that it is derived from."""
    connection.execute(insert(station_key), {"name": _JOURNAL, "key": _derived_journal_key(ledger)})


def _derived_journal_key(ledger: Ledger) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=_JOURNAL_INFO).derive(ledger.identity.first_seed)


def seal_content(ledger: Ledger, card_id: str, content: bytes) -> str:
    """What a chip held before it was wiped, sealed to the vault like a field of its card; base64."""
    identity = ledger.identity
    context = Context(identity.centre.tenant, identity.station, card_id, "chip")
    with ledger.reading() as connection:
        key = sealing_key(connection, identity)
    return base64.b64encode(seal(Secret(content.hex()), key, context).blob).decode()


def _doubt(ledger: Ledger, connection: Connection, row: Row[Any], signed: Signed, stamp: Stamp) -> Closed | None:
    """Why a decision does not open the card, None when it does."""
    identity = ledger.identity
    try:
        told = open_statement(Decision, signed, by_any(identity.centre))
    except EvidenceTrouble:
        return Closed.DECISION_INVALID
    ours = (identity.centre.tenant, identity.station, row.id, row.event_hash, row.revision, CardState.ACCEPTED)
    if (told.tenant, told.station, told.card_id, told.event_hash, told.revision, told.verdict) != ours:
        return Closed.DECISION_INVALID
    return Closed.DECISION_EXPIRED if told.expires_ms <= centre_now_ms(connection, row.kept_seq, stamp) else None
