"""Which chips may be switched off: only with a signed decision of the centre that still holds for the card as it is."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from app.core.audit import Stamp
from app.core.cards import CardState, Secret
from app.core.errors import EvidenceTrouble
from app.keys import verifier
from app.store.ledger import Ledger
from app.store.seal import Context, seal
from app.store.tables import card, decision
from app.wire import Decision, Signed, open_statement


class Closed(StrEnum):
    """Why a card's chip may not be switched off. Worded under `nfc.gate.<value>`."""

    UNKNOWN_CARD = "unknown-card"
    WITHDRAWN = "withdrawn"
    NOT_ACCEPTED = "not-accepted"
    NO_CHIP = "no-chip"
    NO_DECISION = "no-decision"
    DECISION_INVALID = "decision-invalid"
    DECISION_EXPIRED = "decision-expired"


@dataclass(frozen=True, slots=True)
class ChipGate:
    """A card whose chip may be switched off: its UID as read at intake, the decision (SHA-256), where it was filmed."""

    card_id: str
    uid: str
    decision: str
    recording_id: str
    t_video_us: int


def chip_gate(ledger: Ledger, connection: Connection, card_id: str, stamp: Stamp) -> ChipGate | Closed:
    """The gate of a card, its decision checked anew against the pinned server key; or why it is closed."""
    row = connection.execute(select(card).where(card.c.id == card_id)).first()
    if row is None:
        return Closed.UNKNOWN_CARD
    if row.withdrawn:
        return Closed.WITHDRAWN
    if row.state != CardState.ACCEPTED.value:
        return Closed.NOT_ACCEPTED
    if not row.tag:
        return Closed.NO_CHIP
    wanted = and_(decision.c.card_id == card_id, decision.c.revision == row.revision)
    kept = connection.execute(select(decision).where(wanted)).first()
    if kept is None:
        return Closed.NO_DECISION
    closed = _doubt(ledger, row, Signed.model_construct(text=kept.text, sig=kept.sig), stamp)
    if closed is not None:
        return closed
    made = hashlib.sha256(kept.text.encode()).hexdigest()
    return ChipGate(card_id, json.loads(row.tag)["uid"], made, row.recording_id, row.t_video_us)


def seal_content(ledger: Ledger, card_id: str, content: bytes) -> str:
    """What a chip held before it was wiped, sealed to the vault like a field of its card; base64."""
    identity = ledger.identity
    context = Context(identity.centre.tenant, identity.station, card_id, "chip")
    return base64.b64encode(seal(Secret(content.hex()), identity.vault, context).blob).decode()


def _doubt(ledger: Ledger, row: Row[Any], signed: Signed, stamp: Stamp) -> Closed | None:
    """Why a decision does not open the card, None when it does."""
    identity = ledger.identity
    try:
        told = open_statement(Decision, signed, verifier(bytes.fromhex(identity.centre.server_key)))
    except EvidenceTrouble:
        return Closed.DECISION_INVALID
    ours = (identity.centre.tenant, identity.station, row.id, row.event_hash, row.revision, CardState.ACCEPTED)
    if (told.tenant, told.station, told.card_id, told.event_hash, told.revision, told.verdict) != ours:
        return Closed.DECISION_INVALID
    now_ms = stamp.wall_us // 1000 + stamp.clock_offset_ms
    return Closed.DECISION_EXPIRED if told.expires_ms <= now_ms else None
