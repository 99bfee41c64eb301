"""Takes a batch of events: each one once, in order, nothing acknowledged that is not durable.

check   hash, signature, form: pure, before the transaction
take    duplicate, gap, fork or next; rows, log and decisions in one transaction, which several stations may share
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeGuard

from pydantic_core import from_json
from sqlalchemy import and_, insert, select, update

from app.core.audit import VERSION, CentreAct, EventKind, SignedEvent, digest
from app.core.cards import CardState
from app.core.merkle import CompactTree
from app.keys import Verify, verifier
from app.rotation import key_after
from app.server import chips
from app.server.admit import Caller, may_speak, nonces_of
from app.server.db import insert_missing, insert_or_update
from app.server.decide import decide, review, waiting_for
from app.server.earlier import look
from app.server.followed import FOLLOWED, hold_against
from app.server.held import held_between, tell
from app.server.known import Known, Locked, holds, lock_stations
from app.server.log import Deciding, Log, Replayed
from app.server.refusal import Refusal
from app.server.reviewed import BY_SUPERVISORS, RULINGS, Reviewers, is_ruling_by
from app.server.rotations import StationKeys, follow
from app.server.setup import OpenCentre
from app.server.tables import alarm, card, event, sealed, station
from app.store.db import transaction
from app.wire import BatchAnswer, EventBatch, EventResult, HeldEvent, Receipt, sign_statement

_VERDICT_OF = {
    EventKind.CARD_TO_REVIEW: CardState.REVIEW.value,
    EventKind.CARD_REJECTED: CardState.REJECTED.value,
    EventKind.CARD_WITHDRAWN: "withdrawn",
}
_RULED = {
    "accept": CardState.KEPT.value,
    "reject": CardState.REJECTED.value,
    "hold": CardState.REVIEW.value,
}
"""What a supervisor's ruling at the station makes of its verdict."""
KINDS = {kind.value: kind for kind in EventKind}
UNKNOWN_KIND, UNREADABLE = "unknown-kind", "needs-server-upgrade"
_LONGEST_NAME = 200
"""Characters of a kind, an id or a hash in hex."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An event with what it says of itself; `refused` names what is wrong with it, "" for nothing."""

    event: SignedEvent
    refused: str
    prev: str = ""
    kind: str = ""
    actor: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    unread: str = ""  # why a signed event in its right place is kept without being acted on


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to take a batch."""

    batch: EventBatch
    caller: Caller


@dataclass(frozen=True, slots=True)
class _Read:
    """A batch held against the station's keys; where it stands among those that came with it."""

    place: int
    asked: Asked
    keys: StationKeys
    checked: list[Checked]

    @property
    def station(self) -> str:
        return self.asked.batch.station


class NotTogether(Exception):
    """One of several requests is not as it should be: each has to be taken for itself."""


def take(centre: OpenCentre, batch: EventBatch, caller: Caller, now_ms: int) -> BatchAnswer:
    """Take one batch for itself; raises what `take_together` gives."""
    [answer] = take_together(centre, Known(centre.engine), [Asked(batch, caller)], now_ms)
    if isinstance(answer, Refusal):
        raise answer
    return answer


def take_together(centre: OpenCentre, known: Known, asked: Sequence[Asked], now_ms: int) -> list[BatchAnswer | Refusal]:
    """Take batches of different stations in one transaction; receipts are signed after the commit.

    The answer to each, or why there is none: Refusal as `admit.identify`, station.other, auth.replay. Raises
    NotTogether when more than one was asked for and they have to be taken one by one: nothing was done then.
    """
    answers: dict[int, BatchAnswer | Refusal] = {}
    read: list[_Read] = []
    for place, one in enumerate(asked):
        try:
            read.append(_read(known, place, one))
        except Refusal as refused:
            answers[place] = refused
    try:
        answers |= _write(centre, known, read, now_ms) if read else {}
    except Refusal as refused:
        answers[read[0].place] = refused
    for place, one in enumerate(asked):
        answer = answers[place]
        if isinstance(answer, Refusal) and answer.code == "auth.signature":
            look(centre, one.caller, [sent.signed_event() for sent in one.batch.events], now_ms)
    return [answers[place] for place in range(len(asked))]


def _read(known: Known, place: int, asked: Asked) -> _Read:
    """Signatures and form, before anything is locked. Raises Refusal."""
    batch, signature = asked.batch, asked.caller.signature
    if batch.station != asked.caller.station:
        raise Refusal("station.other", 403)
    keys = known.keys([batch.station]).get(batch.station)
    if keys is None:
        raise Refusal("station.unknown", 404)
    if not signature.holds(verifier(keys.now)):
        known.forget(batch.station)  # perhaps another process heard of another key
        keys = known.keys([batch.station])[batch.station]
        if not signature.holds(verifier(keys.now)):
            raise Refusal("auth.signature", 401)
    runs = keys.split([sent.signed_event() for sent in batch.events])
    rotated = len(runs) > 1 or any(key != keys.now for key, _ in runs)
    checked = [one for key, run in runs for one in check_all(run, batch.station, verifier(key), every=rotated)]
    return _Read(place, asked, keys, checked)


def _write(centre: OpenCentre, known: Known, read: Sequence[_Read], now_ms: int) -> dict[int, BatchAnswer | Refusal]:
    """One transaction for all. Raises NotTogether; of a single one Refusal."""
    answers: dict[int, BatchAnswer | Refusal] = {}
    signer = centre.signer
    with transaction(centre.engine) as connection:
        log = Log(connection, Deciding.of(centre, now_ms))
        rows = lock_stations(connection, [one.station for one in read])
        admitted = []
        for one in read:
            try:
                _admit(rows[one.station], one, now_ms)
                admitted.append(one)
            except Refusal as refused:
                known.forget(one.station)
                answers[one.place] = refused
        if not admitted:
            return answers
        log.spend(nonces_of(connection, [one.asked.caller for one in admitted], now_ms))
        taken = [(one, Taking(log, rows[one.station])) for one in admitted]
        results = [taking.take(one) for one, taking in taken]
        tree = _written(log, alone=len(read) == 1)
    root = tree.root().hex()
    for (one, taking), (judged, missing) in zip(taken, results, strict=True):
        receipt = sign_statement(taking.receipt(centre.epoch, tree.size, root), signer.sign)
        missed = tuple(sorted(missing))
        answer = BatchAnswer.model_construct(results=tuple(judged), receipt=receipt, missing_blobs=missed)
        answers[one.place] = answer
    return answers


def _written(log: Log, *, alone: bool) -> CompactTree:
    """The log's tree with what was taken. Raises NotTogether, or, where a request was `alone`, Refusal."""
    try:
        tree = log.write()
    except Replayed:
        raise Refusal("auth.replay", 401) if alone else NotTogether from None
    assert tree is not None, "there are nonces at least"
    return tree


def _admit(row: Locked, one: _Read, now_ms: int) -> None:
    """What only the locked row knows. A revoked station's events are kept, if only as evidence. Raises Refusal."""
    if not holds(row, one.keys):
        raise Refusal("auth.signature", 401)
    may_speak(row, one.asked.caller, now_ms)


def check_all(events: Sequence[SignedEvent], station_id: str, verify: Verify, *, every: bool = False) -> list[Checked]:
    """Each event held against its hash, head and signature.

    Events that follow each other name the hash of the one before: the signature of the last one vouches for all of
    them (nobody finds a second preimage of SHA-256), so in an unbroken run only that one is checked; the others are
    looked at later (`signatures`). Where it does not hold, or the run is broken, each signature is checked; and with
    `every`: where a key changes, who could sign at which place is the question, and no signature there is taken on
    another one's word.
    """
    checked = [check(event, station_id) for event in events]
    if not checked or any(one.refused for one in checked):
        return [_with_signature(one, verify) for one in checked]
    linked = all(
        after.prev == before.event.hash and after.event.seq == before.event.seq + 1
        for before, after in pairwise(checked)
    )
    if linked and not every and verify(checked[-1].event.sig, checked[-1].event.data):
        return checked
    return [_with_signature(one, verify) for one in checked]


def _with_signature(one: Checked, verify: Verify) -> Checked:
    if one.refused == "hash" or verify(one.event.sig, one.event.data):
        return one
    return Checked(one.event, "signature")


def check(sent: SignedEvent, station_id: str) -> Checked:
    """Hold an event against its own hash and head. Only what passes may be stored."""
    if digest(sent.data) != sent.hash:
        return Checked(sent, "hash")
    try:
        # The quick reader refuses half characters, which are a body nobody can store and still an event to keep.
        head = json.loads(sent.data) if b"\\u" in sent.data else from_json(sent.data)
        fits = (head["seq"], head["station"]) == (sent.seq, station_id)
        version, prev, kind, body = head["v"], head["prev"], head.get("kind"), head.get("body")
        actor = head.get("actor")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Checked(sent, "format")
    if not isinstance(prev, str):
        return Checked(sent, "format")
    if not fits or sent.seq < 1:
        return Checked(sent, "head")
    if not _is_name(kind) or not isinstance(body, dict) or (b"\\u" in sent.data and not _storable(head)):
        return Checked(sent, "", prev, unread="body")
    who = actor if isinstance(actor, str) else ""
    return Checked(sent, "", prev, kind, who, body, unread="" if version == VERSION else UNREADABLE)


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME


def _storable(value: Any) -> bool:
    """Whether databases take all its texts: no half characters, which JSON can spell by escapes only, and no NUL."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return all(_storable(key) and _storable(child) for key, child in value.items())
    return not isinstance(value, list) or all(_storable(child) for child in value)


class Taking:
    """One batch inside its transaction: what is new is gathered and written at the end."""

    def __init__(self, log: Log, row: Locked) -> None:
        self._log, self._connection, self._deciding = log, log.connection, log.deciding
        self._station, self._rehearsal, self._key = row.id, row.rehearsal, row.public_key
        self._high, self._head, self._state = row.high, row.head_hash, row.state
        self._open_facts = row.open_facts
        self._hashes: dict[int, str] = {}  # of the events that the batch may repeat
        self._rows: list[dict[str, Any]] = []
        self._cards: dict[str, dict[str, Any]] = {}  # new or changed
        self._cards_there: dict[str, dict[str, Any]] = {}
        self._touched: set[str] = set()
        self._chips: list[dict[str, Any]] = []
        self._reviewers = Reviewers(self._connection, self._station, self._rehearsal)
        self._sent_back: set[str] = set()  # cards that are to be looked at again
        self._with_blobs = False
        self._not_taken: list[tuple[SignedEvent, str]] = []
        self._held: tuple[HeldEvent, ...] = ()

    def take(self, read: _Read) -> tuple[list[EventResult], set[str]]:
        """A result per event, and the blobs that are missing. What it comes to is in the log, to be written."""
        self._take_blobs(read.asked.batch.blobs)
        results = self._events(read.checked)
        missing = self._finish()
        if any(one.result in ("quarantined", "duplicate") for one in results):  # also of an answer that was lost
            self._held = held_between(self._connection, self._station, results[0].seq, results[-1].seq)
        return results, missing

    def _take_blobs(self, blobs: Iterable[bytes]) -> None:
        by_ref = {hashlib.sha256(blob).hexdigest(): blob for blob in blobs}
        self._with_blobs = bool(by_ref)
        if by_ref:
            rows = [{"ref": ref, "blob": blob, "received_ms": self._deciding.now_ms} for ref, blob in by_ref.items()]
            insert_missing(self._connection, sealed, rows)
            self._touched |= waiting_for(self._connection, self._station, by_ref.keys())

    def _events(self, checked: Sequence[Checked]) -> list[EventResult]:
        """A result per event; ends with the first one that is refused, or makes a gap or a fork."""
        self._hashes = self._known(checked)
        self._cards_there = self._stored_cards(checked)
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

    def _stored_cards(self, checked: Sequence[Checked]) -> dict[str, dict[str, Any]]:
        """The cards that the batch speaks of, as far as they are there."""
        named = {name for one in checked if _is_name(name := one.body.get("card"))}
        if not named:
            return {}
        wanted = and_(card.c.station == self._station, card.c.id.in_(named))
        return {row.id: dict(row._mapping) for row in self._connection.execute(select(card).where(wanted))}

    def _judge(self, one: Checked) -> EventResult:
        seq = one.event.seq
        if one.refused == "signature" and seq > self._high + 1:  # its key may be named in between
            return EventResult(seq=seq, result="gap", expect=self._high + 1)
        if one.refused:
            return EventResult(seq=seq, result="refused", code=one.refused, expect=self._high + 1)
        if seq > self._high + 1:
            return EventResult(seq=seq, result="gap", expect=self._high + 1)
        if self._hashes.get(seq) == one.event.hash:
            return EventResult(seq=seq, result="duplicate")
        if seq <= self._high or one.prev != self._head or self._state == "locked":
            return self._fork(one)
        code = self._apply(one)
        return EventResult(seq=seq, result="quarantined" if code else "applied", code=code)

    def _fork(self, one: Checked) -> EventResult:
        """Two histories under one key: a copied disk, or worse. The event is kept as evidence, outside the chain.

        From then on neither copy's events count until a person has looked: which of them is true is not for us to say.
        """
        self._state = "locked"
        fork = and_(station.c.id == self._station, station.c.state == "active")
        if self._connection.execute(update(station).where(fork).values(state="locked")).rowcount:
            told = {"station": self._station, "seq": one.event.seq, "other": one.event.hash}
            self._log.act(CentreAct.STATION_LOCKED, told)
        same = and_(alarm.c.station == self._station, alarm.c.hash == one.event.hash)
        if self._connection.execute(select(alarm.c.id).where(same)).first() is None:
            row = {"station": self._station, "code": "fork", "at_ms": self._deciding.now_ms, **_exact(one.event)}
            self._connection.execute(insert(alarm), row)
        return EventResult(seq=one.event.seq, result="fork", code="fork", expect=self._high + 1)

    def _apply(self, one: Checked) -> str:
        code = self._act(one)
        row = {"station": self._station, "kind": one.kind, "received_ms": self._deciding.now_ms, "quarantine": code}
        self._rows.append({**row, **_exact(one.event)})
        if code:
            self._not_taken.append((one.event, code))
        self._high, self._head = one.event.seq, one.event.hash
        self._key = follow(self._log, self._station, one.event, self._key)
        self._hashes[self._high] = self._head
        return code

    def _act(self, one: Checked) -> str:
        """Do what the event says, as far as it is understood; else the reason for quarantine."""
        if self._state == "revoked":
            return "revoked"
        if one.unread:
            return one.unread
        kind = KINDS.get(one.kind)
        if kind is None:
            return UNKNOWN_KIND
        try:
            if kind is EventKind.CARD_KEPT:
                return self._card_kept(one)
            if kind in BY_SUPERVISORS and (code := self._reviewed(one, kind)):
                return code
            if kind in FOLLOWED:
                return hold_against(self._log, self._station, self._rehearsal, one.event, kind, one.body)
            if kind in _VERDICT_OF:
                return self._card_changed(_text(one.body["card"]), _VERDICT_OF[kind], one.event.hash)
            if kind is EventKind.KEY_ROTATED and key_after(one.event, self._key) == self._key:
                return "body"
            if kind in chips.FACTS:
                return self._chip_told(chips.fact_of(self._station, one.event.seq, kind, one.body, self._rehearsal))
        except (KeyError, TypeError, ValueError, AttributeError):
            return "body"
        return ""

    def _reviewed(self, one: Checked, kind: EventKind) -> str:
        """What a supervisor decided; of who might not, the card is looked at again."""
        if kind not in RULINGS:
            return self._reviewers.fault(kind, one.actor, one.body, None)
        card_id = _text(one.body["card"])
        verdict = _RULED[one.body["ruling"]] if kind is EventKind.CARD_RULED else CardState.REVIEW.value
        found = self._card(card_id)
        code = self._reviewers.fault(kind, one.actor, one.body, found["face_value_fen"] if found else None)
        if not code and kind is EventKind.CARD_RULING_UNDONE and not self._undoes(one, card_id):
            code = "not-own-ruling"
        changed = self._card_changed(card_id, CardState.REVIEW.value if code else verdict, one.event.hash)
        if code and not changed:
            self._sent_back.add(card_id)
        return changed or code

    def _undoes(self, one: Checked, card_id: str) -> bool:
        seq = one.body["seq"]
        if isinstance(seq, bool) or not isinstance(seq, int):
            raise TypeError("an event is named by its number")
        if not 0 < seq <= self._high:
            return False
        here = next((row for row in self._rows if row["seq"] == seq), None)  # of this very batch
        if here is None:
            return self._reviewers.is_own_ruling(seq, one.actor, card_id)
        return not here["quarantine"] and is_ruling_by(here["kind"], here["data"], one.actor, card_id)

    def _card_kept(self, one: Checked) -> str:
        body = one.body
        refs = {name: _text(told["sha256"]) for name, told in body["sealed"].items()}
        card_id, verdict, value_fen = _text(body["card"]), _text(body["verdict"]), _fen(body)
        if self._card(card_id) is not None:
            return "card-known"
        if verdict == CardState.KEPT.value and self._reviewers.must_be_reviewed(value_fen):
            verdict = CardState.REVIEW.value
        row: dict[str, Any] = {"station": self._station, "id": card_id, "verdict": verdict}
        row |= {"number_ref": refs.get("number"), "pin_ref": refs.get("pin")}
        row |= {"event_hash": one.event.hash, "revision": 0, "decided_hash": "", "face_value_fen": value_fen}
        product = body.get("product")
        row |= {"product": product if _is_name(product) else "", "decided": ""}
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

    def _chip_told(self, fact: dict[str, Any]) -> str:
        """The card stays as it was decided on: what came of its chip is no word on its worth."""
        if self._card(fact["card"]) is None:
            return "card-unknown"
        self._chips.append(fact)
        return ""

    def _card(self, card_id: str) -> dict[str, Any] | None:
        return self._cards.get(card_id) or self._cards_there.get(card_id)

    def _finish(self) -> set[str]:
        """Write what was gathered and decide; gives back the blobs that are missing."""
        missing: set[str] = set()
        tell(self._log, self._station, self._not_taken)
        if self._cards:
            insert_or_update(self._connection, card, list(self._cards.values()), ("verdict", "event_hash"))
        if self._chips or (self._open_facts and (self._rows or self._with_blobs)):
            missing = chips.keep_facts(self._connection, self._station, self._chips)
        for card_id in sorted(self._sent_back):
            if self._cards[card_id]["verdict"] == CardState.REVIEW.value:
                review(self._log, self._station, card_id, "")
        if self._touched:
            missing |= decide(self._log, self._station, self._touched, self._rehearsal)
        if self._rows:
            self._log.add(self._rows)
        return missing

    def receipt(self, epoch: str, log_size: int, root: str) -> Receipt:
        """What the centre has of the station, `log_size` and `root` (hex) of the log that holds it."""
        return Receipt(
            station=self._station,
            high=self._high,
            head_hash=self._head if self._high else "",
            log_size=log_size,
            root=root,
            server_time_ms=self._deciding.now_ms,
            epoch=epoch,
            held=self._held,
        )


def _fen(body: dict[str, Any]) -> int | None:
    """What the card is worth, None for unknown. Raises ValueError for what no value can be."""
    value = body.get("face_value_fen")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53):
        raise ValueError
    return value


def _text(value: Any) -> str:
    """The value as it is. Raises TypeError for what no name or hash can be."""
    if not _is_name(value):
        raise TypeError
    return value


def _exact(sent: SignedEvent) -> dict[str, Any]:
    return {"seq": sent.seq, "data": sent.data, "hash": sent.hash, "sig": sent.sig}
