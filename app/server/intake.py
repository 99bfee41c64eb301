"""Takes a batch of events: each one once, in order, nothing acknowledged that is not durable.

check   hash, signature, form: pure, before the transaction
take    duplicate, gap, fork or next; rows, log and decisions in one transaction
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from app.core.audit import GENESIS, EventKind, SignedEvent, digest
from app.core.cards import CardState
from app.core.errors import EvidenceTrouble
from app.keys import Verify, verifier
from app.server.decide import Deciding, decide, waiting_for
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import alarm, card, event, log_leaf, meta, sealed, station
from app.store.db import reading, transaction
from app.store.merkle import CompactTree, leaf_hash
from app.wire import BatchAnswer, EventBatch, EventResult, Introduction, Receipt, Signed, open_statement, sign_statement

_VERDICT_OF = {
    EventKind.CARD_TO_REVIEW: CardState.REVIEW.value,
    EventKind.CARD_REJECTED: CardState.REJECTED.value,
    EventKind.CARD_WITHDRAWN: "withdrawn",
}
_KINDS = {kind.value: kind for kind in EventKind}


@dataclass(frozen=True, slots=True)
class Checked:
    """An event with what it says of itself; `refused` names what is wrong with it, "" for nothing."""

    event: SignedEvent
    refused: str
    prev: str = ""
    kind: str = ""
    body: dict[str, Any] = field(default_factory=dict)


def register(centre: OpenCentre, signed: Signed, now_ms: int) -> None:
    """Let a rehearsal station join: it names its key and signs with it. Joining again changes nothing.

    Raises Refusal: station.introduction (not what it should be), station.taken (the name belongs to another key).
    """
    stated = _introduction(signed)
    key = bytes.fromhex(stated.public_key)
    row = {"id": stated.station, "public_key": key, "rehearsal": True, "registered_ms": now_ms}
    row |= {"high": 0, "head_hash": GENESIS}
    with transaction(centre.engine) as connection:
        known = connection.execute(select(station.c.public_key).where(station.c.id == stated.station)).scalar()
        if known is None:
            connection.execute(insert(station), row)
        elif known != key:
            raise Refusal("station.taken", 409)


def _introduction(signed: Signed) -> Introduction:
    try:
        claimed = Introduction.model_validate(json.loads(signed.text))
        return open_statement(Introduction, signed, verifier(bytes.fromhex(claimed.public_key)))
    except (ValueError, EvidenceTrouble) as wrong:
        raise Refusal("station.introduction") from wrong


def take(centre: OpenCentre, batch: EventBatch, now_ms: int) -> BatchAnswer:
    """Take a batch; the answer's receipt is signed after the commit. Raises Refusal("station.unknown")."""
    with reading(centre.engine) as connection:
        known = connection.execute(select(station).where(station.c.id == batch.station)).first()
    if known is None:
        raise Refusal("station.unknown", 404)
    verify = verifier(known.public_key)
    checked = [check(sent.signed_event(), batch.station, verify) for sent in batch.events]
    deciding = Deciding(centre.centre.tenant, centre.signer, now_ms)
    with transaction(centre.engine) as connection:
        taking = _Taking(connection, batch.station, deciding)
        taking.blobs(batch.blobs)
        results = taking.events(checked)
        missing = taking.finish(known.rehearsal)
        told = taking.receipt(centre.epoch)
    receipt = sign_statement(told, centre.signer.sign)
    return BatchAnswer(results=tuple(results), receipt=receipt, missing_blobs=tuple(sorted(missing)))


def check(sent: SignedEvent, station_id: str, verify: Verify) -> Checked:
    """Hold an event against its own hash, signature and head. Only what passes may be stored."""
    if digest(sent.data) != sent.hash:
        return Checked(sent, "hash")
    if not verify(sent.sig, sent.data):
        return Checked(sent, "signature")
    try:
        head = json.loads(sent.data)
        fits = (head["seq"], head["station"]) == (sent.seq, station_id)
        told = Checked(sent, "" if fits else "head", head["prev"], head["kind"], head["body"])
    except (ValueError, KeyError, TypeError):
        return Checked(sent, "format")
    return told if isinstance(told.body, dict) and isinstance(told.kind, str) else Checked(sent, "format")


class _Taking:
    """One batch inside its transaction: what is new is gathered and written at the end."""

    def __init__(self, connection: Connection, station_id: str, deciding: Deciding) -> None:
        self._connection = connection
        self._station = station_id
        self._deciding = deciding
        row = connection.execute(select(station).where(station.c.id == station_id)).one()
        self._high, self._head = row.high, row.head_hash
        self._hashes: dict[int, str] = {}  # of the events that the batch may repeat
        self._rows: list[dict[str, Any]] = []
        self._cards: dict[str, dict[str, Any]] = {}
        self._touched: set[str] = set()
        self._log = _read_log(connection)

    def blobs(self, blobs: Iterable[bytes]) -> None:
        by_ref = {hashlib.sha256(blob).hexdigest(): blob for blob in blobs}
        if by_ref:
            rows = [{"ref": ref, "blob": blob, "received_ms": self._deciding.now_ms} for ref, blob in by_ref.items()]
            self._connection.execute(upsert(sealed).on_conflict_do_nothing(), rows)
            self._touched |= waiting_for(self._connection, self._station, by_ref.keys())

    def events(self, checked: Sequence[Checked]) -> list[EventResult]:
        """A result per event; ends with the first one that is refused, or makes a gap or a fork."""
        self._hashes = self._known(checked)
        results = []
        for one in checked:
            result = self._judge(one)
            results.append(result)
            if result.result in ("refused", "gap", "fork"):
                break
        return results

    def _known(self, checked: Sequence[Checked]) -> dict[int, str]:
        old = [one.event.seq for one in checked if one.event.seq <= self._high]
        if not old:
            return {}
        between = and_(event.c.station == self._station, event.c.seq.between(min(old), max(old)))
        rows = self._connection.execute(select(event.c.seq, event.c.hash).where(between))
        return {row.seq: row.hash for row in rows}

    def _judge(self, one: Checked) -> EventResult:
        seq = one.event.seq
        if one.refused:
            return EventResult(seq=seq, result="refused", code=one.refused, expect=self._high + 1)
        if seq > self._high + 1:
            return EventResult(seq=seq, result="gap", expect=self._high + 1)
        if self._hashes.get(seq) == one.event.hash:
            return EventResult(seq=seq, result="duplicate")
        if seq <= self._high or one.prev != self._head:
            return self._fork(one)
        code = self._apply(one)
        return EventResult(seq=seq, result="quarantined" if code else "applied", code=code)

    def _fork(self, one: Checked) -> EventResult:
        """Two histories under one key: a copied disk, or worse. The event is kept as evidence, outside the chain."""
        same = and_(alarm.c.station == self._station, alarm.c.hash == one.event.hash)
        if self._connection.execute(select(alarm.c.id).where(same)).first() is None:
            row = {"station": self._station, "code": "fork", "at_ms": self._deciding.now_ms, **_exact(one.event)}
            self._connection.execute(insert(alarm), row)
        return EventResult(seq=one.event.seq, result="fork", code="fork", expect=self._high + 1)

    def _apply(self, one: Checked) -> str:
        code = self._act(one)
        row = {"station": self._station, "kind": one.kind, "received_ms": self._deciding.now_ms, "quarantine": code}
        self._rows.append({**row, **_exact(one.event)})
        self._high, self._head = one.event.seq, one.event.hash
        self._hashes[self._high] = self._head
        return code

    def _act(self, one: Checked) -> str:
        """Do what the event says, as far as it is understood; else the reason for quarantine."""
        kind = _KINDS.get(one.kind)
        if kind is None:
            return "unknown-kind"
        try:
            if kind is EventKind.CARD_KEPT:
                return self._card_kept(one)
            if kind in _VERDICT_OF:
                return self._card_changed(one.body["card"], _VERDICT_OF[kind], one.event.hash)
        except (KeyError, TypeError, AttributeError):
            return "body"
        return ""

    def _card_kept(self, one: Checked) -> str:
        body = one.body
        refs = {name: told["sha256"] for name, told in body["sealed"].items()}
        card_id, verdict = str(body["card"]), str(body["verdict"])
        if self._card(card_id) is not None:
            return "card-known"
        row: dict[str, Any] = {"station": self._station, "id": card_id, "verdict": verdict}
        row |= {"number_ref": refs.get("number"), "pin_ref": refs.get("pin")}
        row |= {"event_hash": one.event.hash, "revision": 0, "decided_hash": ""}
        self._cards[card_id] = row
        self._touched.add(card_id)
        return ""

    def _card_changed(self, card_id: str, verdict: str, event_hash: str) -> str:
        found = self._card(card_id)
        if found is None:
            return "card-unknown"
        found |= {"verdict": verdict, "event_hash": event_hash}
        self._cards[card_id] = found
        self._touched.add(card_id)
        return ""

    def _card(self, card_id: str) -> dict[str, Any] | None:
        if card_id in self._cards:
            return self._cards[card_id]
        wanted = and_(card.c.station == self._station, card.c.id == card_id)
        row: Row[Any] | None = self._connection.execute(select(card).where(wanted)).first()
        return dict(row._mapping) if row else None

    def finish(self, rehearsal: bool) -> set[str]:
        """Write what was gathered, then decide; gives back the blobs that are missing."""
        if self._rows:
            self._write_events()
        if self._cards:
            statement = upsert(card)
            changes = {name: statement.excluded[name] for name in ("verdict", "event_hash")}
            upserted = statement.on_conflict_do_update(index_elements=["station", "id"], set_=changes)
            self._connection.execute(upserted, list(self._cards.values()))
        if not self._touched:
            return set()
        return decide(self._connection, self._deciding, self._station, self._touched, rehearsal)

    def _write_events(self) -> None:
        self._connection.execute(insert(event), self._rows)
        places = enumerate(self._rows, self._log.size)
        leaves = [{"n": n, "station": self._station, "seq": row["seq"]} for n, row in places]
        self._connection.execute(insert(log_leaf), leaves)
        self._log = self._log.grown(leaf_hash(row["data"]) for row in self._rows)
        self._connection.execute(update(meta).values(log_size=self._log.size, log_peaks=self._log.to_bytes()))
        head = update(station).where(station.c.id == self._station).values(high=self._high, head_hash=self._head)
        self._connection.execute(head)

    def receipt(self, epoch: str) -> Receipt:
        return Receipt(
            station=self._station,
            high=self._high,
            head_hash=self._head if self._high else "",
            log_size=self._log.size,
            root=self._log.root().hex(),
            server_time_ms=self._deciding.now_ms,
            epoch=epoch,
        )


def _exact(sent: SignedEvent) -> dict[str, Any]:
    return {"seq": sent.seq, "data": sent.data, "hash": sent.hash, "sig": sent.sig}


def _read_log(connection: Connection) -> CompactTree:
    row = connection.execute(select(meta.c.log_size, meta.c.log_peaks)).one()
    return CompactTree.from_bytes(row.log_size, row.log_peaks)
