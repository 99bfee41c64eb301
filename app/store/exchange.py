"""What goes to the centre and what comes from it: outbox, receipts, feed, decisions, when to try again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Integer, Row, and_, cast, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from app import __version__
from app.centre_keys import by_any
from app.core.audit import EventKind, SignedEvent, Stamp
from app.core.cards import CardState
from app.core.errors import EvidenceTrouble
from app.core.parcels import TrayCard
from app.keys import Verify
from app.store.cards import arrive, decide, depart
from app.store.chips import HAS_OPEN_CHIP
from app.store.ledger import Ledger, head_of
from app.store.misdirected import Misdirected, for_others, note
from app.store.recordings import footage_waiting
from app.store.reference import KINDS, apply_references, keep_list_key
from app.store.results import QueueFacts, RetryState
from app.store.tables import card, decision, expired_decision, feed_state, outbox, receipt, retry, sealed
from app.store.untaken import apply_held, forget_beyond, held_by_code
from app.wire import (
    MOST_BLOBS,
    MOST_EXPIRED,
    Decision,
    FeedPage,
    Held,
    Receipt,
    Reference,
    Signed,
    open_statement,
    signed_fields,
    understood,
)

_DECISIONS = "decisions"
_TYPES: dict[str, type[Decision | Held]] = {Decision.TYPE: Decision, Held.TYPE: Held}
READER = " ".join((__version__, *_TYPES, *KINDS))
"""What reads the feed here: another release, or one that knows more, has another name."""

_VERDICTS = (CardState.ACCEPTED, CardState.REVIEW, CardState.REJECTED)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a page of the feed changed: the cards, how many items were not for us any more, whether there is more.

    `epoch`: of the centre that made the page.
    """

    changed: tuple[TrayCard, ...]
    ignored: int
    more: bool = False
    epoch: str = ""
    governed: bool = False  # the policy may be another one
    unread: bool = False  # something in it was written in a way that this release does not know
    misdirected: int = 0  # items for another tenant or station that were not heard of before


def outbox_after(connection: Connection, seq: int, limit_events: int, limit_bytes: int) -> list[SignedEvent]:
    """Events after number `seq`, in order, as many as fit the limits, but at least one.

    `limit_bytes` is for the events; the blobs that they speak of keep within MOST_BLOBS.
    """
    blobs = select(func.coalesce(func.sum(func.length(sealed.c.blob)), 0)).where(sealed.c.seq == outbox.c.seq)
    columns = (*outbox.c, blobs.scalar_subquery().label("blob_bytes"))
    wanted = select(*columns).where(outbox.c.seq > seq).order_by(outbox.c.seq).limit(limit_events)
    taken: list[SignedEvent] = []
    size = blob_size = 0
    for row in connection.execute(wanted):
        size, blob_size = size + len(row.data), blob_size + row.blob_bytes
        if taken and (size > limit_bytes or blob_size > MOST_BLOBS):
            break
        taken.append(SignedEvent(row.seq, row.data, row.hash, row.sig))
    return taken


def blobs_between(connection: Connection, first: int, last: int) -> list[bytes]:
    """The blobs that events `first` to `last` speak of, as far as they were not shredded."""
    wanted = select(sealed.c.blob).where(sealed.c.seq.between(first, last)).order_by(sealed.c.seq, sealed.c.field)
    return list(connection.execute(wanted).scalars())


def blobs_named(connection: Connection, refs: Collection[str], limit_bytes: int) -> list[bytes]:
    """Blobs by the SHA-256 of each, the smallest first, as many as fit the limit, but at least one."""
    wanted = select(sealed.c.blob).where(sealed.c.ref.in_(refs)).order_by(func.length(sealed.c.blob))
    taken: list[bytes] = []
    for blob in connection.execute(wanted).scalars():
        if taken and sum(map(len, taken)) + len(blob) > limit_bytes:
            break
        taken.append(blob)
    return taken


def high_received(connection: Connection) -> int:
    """The highest event number that the centre acknowledged, 0 before any."""
    return int(connection.execute(_LATEST.with_only_columns(receipt.c.high)).scalar() or 0)


def epoch_known(connection: Connection) -> str:
    """The centre's epoch by its last receipt, "" before any."""
    return connection.execute(_LATEST.with_only_columns(receipt.c.epoch)).scalar() or ""


_LATEST = select(receipt).order_by(receipt.c.id.desc()).limit(1)


def save_receipt(ledger: Ledger, signed: Signed) -> tuple[Receipt, tuple[TrayCard, ...]]:
    """Keep a receipt and move its cards to AT_CENTRE; gives back those that changed.

    A receipt that tells less than one of the same epoch before changes nothing (answers may overtake each other).
    Raises EvidenceTrouble: sync.untrusted_answer (signature, station), sync.fork (the centre has another chain).
    """
    told = open_statement(Receipt, signed, _server(ledger))
    if told.station != ledger.identity.station:
        raise EvidenceTrouble("sync.untrusted_answer", "receipt: of another station")

    def work(connection: Connection) -> tuple[TrayCard, ...]:
        _same_chain(connection, told)
        latest = connection.execute(_LATEST).first()
        known_high = latest.high if latest and latest.epoch == told.epoch else None
        if (known_high is not None and known_high >= told.high) or (latest is None and told.high == 0):
            return tuple(apply_held(connection, told.held))
        row = told.model_dump(include={"epoch", "high", "head_hash", "server_time_ms"})
        connection.execute(insert(receipt), {**row, "text": signed.text, "sig": signed.sig})
        gone = [] if known_high is not None else [*forget_beyond(connection, told.high), *depart(connection, told.high)]
        arrived = arrive(connection, told.high)
        return (*gone, *arrived, *apply_held(connection, told.held))

    return told, ledger.write(work)


def _same_chain(connection: Connection, told: Receipt) -> None:
    if told.high == 0:
        return
    ours = connection.execute(select(outbox.c.hash).where(outbox.c.seq == told.high)).scalar()
    if ours != told.head_hash:
        raise EvidenceTrouble("sync.fork", f"event {told.high}")


def feed_cursor(connection: Connection) -> str:
    """Where the feed was read up to; "" from the start. A release that knows more than the one which read it goes back
    to before what that one did not understand.
    """
    row = _feed_state(connection)
    if row is None:
        return ""
    return str(row.cursor if row.unread is None or row.reader == READER else row.unread)


def _feed_state(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(feed_state).where(feed_state.c.stream == _DECISIONS)).first()


def forget_cursor(ledger: Ledger) -> None:
    """Read the feed from its start again; what was applied is not applied twice."""
    ledger.write(lambda connection: _save_cursor(connection, "", None))


def heard_us(connection: Connection) -> int:
    """When the centre's last word came (this machine's wall clock), 0 before any."""
    wanted = select(feed_state.c.heard_us).where(feed_state.c.stream == _DECISIONS)
    return connection.execute(wanted).scalar() or 0


def _save_cursor(connection: Connection, cursor: str, unread: str | None, heard_us: int | None = None) -> None:
    row: dict[str, object] = {"stream": _DECISIONS, "cursor": cursor, "reader": READER, "unread": unread}
    if heard_us is not None:
        row["heard_us"] = heard_us
    connection.execute(insert(feed_state).values(row).on_conflict_do_update(index_elements=["stream"], set_=row))


def apply_page(ledger: Ledger, signed: Signed, stamp: Stamp) -> Applied:
    """Apply a page of the feed and move the cursor, in one transaction.

    Raises EvidenceTrouble("sync.untrusted_answer") when page or item is not signed by the pinned server key; then
    nothing of the page is applied. A page for another cursor is ignored.
    """
    page = open_statement(FeedPage, signed, _server(ledger))
    if page.station != ledger.identity.station:
        raise EvidenceTrouble("sync.untrusted_answer", "feed-page: of another station")

    def work(connection: Connection) -> Applied:
        if page.after != feed_cursor(connection):
            return Applied((), len(page.items), True, page.epoch)
        if page.list_key:
            keep_list_key(connection, bytes.fromhex(page.list_key))
        done = _apply_all(ledger, connection, page.items, stamp, page.server_time_ms)
        before = _feed_state(connection)
        unread = before.unread if before is not None and before.reader == READER else None
        if unread is None and done.unread:
            unread = page.after
        _save_cursor(connection, page.cursor, unread, stamp.wall_us)
        return replace(done, more=page.more, epoch=page.epoch)

    return ledger.write(work)


def apply_decisions(ledger: Ledger, items: Sequence[Signed], stamp: Stamp) -> Applied:
    """Apply decisions, each checked against the pinned server key. Raises as `apply_page`."""
    now_ms = stamp.wall_us // 1000 + stamp.clock_offset_ms
    return ledger.write(lambda connection: _apply_all(ledger, connection, items, stamp, now_ms))


def _apply_all(
    ledger: Ledger, connection: Connection, items: Sequence[Signed], stamp: Stamp, centre_ms: int
) -> Applied:
    """`centre_ms`: the time by which decisions run out."""
    verify = _server(ledger)
    types = [signed_fields(item, verify).get("type") for item in items]
    changed: list[TrayCard] = []
    strays: list[Misdirected] = []
    unread = False
    for item, kind in zip(items, types, strict=True):
        known = _TYPES.get(kind) if isinstance(kind, str) else None  # any other is of a later release
        told = understood(known, item, verify) if known else None
        unread |= told is None and kind != Reference.TYPE
        if told is not None and (stray := for_others(ledger, told, item)):
            strays.append(stray)
        elif isinstance(told, Held):
            changed += apply_held(connection, [told])
        elif isinstance(told, Decision):
            changed += _apply_one(ledger, connection, told, item, stamp, centre_ms)
    references = [item for item, kind in zip(items, types, strict=True) if kind == Reference.TYPE]
    taken, strange, others = apply_references(ledger, connection, references, verify, stamp)
    ignored, new = len(items) - len(changed) - taken, note(ledger, connection, [*strays, *others], stamp)
    return Applied(tuple(changed), ignored, governed=taken > 0, unread=unread or strange, misdirected=new)


def _apply_one(
    ledger: Ledger, connection: Connection, told: Decision, item: Signed, stamp: Stamp, centre_ms: int
) -> list[TrayCard]:
    """The card that a decision moves on. One that came too late moves nothing: it is wanted again."""
    if not _holds(connection, told):
        return []
    row = {"card_id": told.card_id, "revision": told.revision, "text": item.text, "sig": item.sig}
    if told.expires_ms <= centre_ms:
        late = insert(expired_decision).values(row)
        connection.execute(late.on_conflict_do_update(index_elements=["card_id"], set_=row))
        return []
    connection.execute(insert(decision), {**row, "verdict": told.verdict.value})
    connection.execute(delete(expired_decision).where(expired_decision.c.card_id == told.card_id))
    body = {"card": told.card_id, "verdict": told.verdict.value, "revision": told.revision}
    body["decision"] = hashlib.sha256(item.text.encode()).hexdigest()
    ledger.append(connection, EventKind.CARD_DECISION_APPLIED, body, stamp, "centre")
    return [decide(connection, told.card_id, told.verdict, told.revision)]


def expired(connection: Connection, stamp: Stamp) -> list[Signed]:
    """Decisions to ask the centre for again: those that came too late for a card that still waits for one, and those
    that ran out before the chip of their card was switched off. At most as many as go into one request.
    """
    late = select(expired_decision.c.text, expired_decision.c.sig).join(card, card.c.id == expired_decision.c.card_id)
    same = func.json_extract(expired_decision.c.text, "$.event_hash") == card.c.event_hash
    waits = and_(card.c.withdrawn.is_(False), card.c.revision < expired_decision.c.revision, same)
    rows = list(connection.execute(late.where(waits).order_by(card.c.kept_seq).limit(MOST_EXPIRED)))
    ends_ms = cast(func.json_extract(decision.c.text, "$.expires_ms"), Integer)
    of_card = and_(decision.c.card_id == card.c.id, decision.c.revision == card.c.revision)
    ran_out = and_(HAS_OPEN_CHIP, ends_ms <= stamp.wall_us // 1000 + stamp.clock_offset_ms)
    acted = select(decision.c.text, decision.c.sig).join(card, of_card).where(ran_out).order_by(card.c.kept_seq)
    rows += connection.execute(acted.limit(MOST_EXPIRED))
    return [Signed.model_construct(text=row.text, sig=bytes(row.sig)) for row in rows[:MOST_EXPIRED]]


def _holds(connection: Connection, told: Decision) -> bool:
    """Whether a decision speaks of this station's card as it is now, and is newer than the last one."""
    if told.verdict not in _VERDICTS:
        return False
    row = connection.execute(select(card).where(card.c.id == told.card_id)).first()
    return bool(row and not row.withdrawn and row.event_hash == told.event_hash and told.revision > row.revision)


def queue_facts(connection: Connection) -> QueueFacts:
    """How far the outbox is, and the cards by state."""
    head, received = head_of(connection)[0], high_received(connection)
    oldest = connection.execute(select(outbox.c.at_wall_us).where(outbox.c.seq == received + 1)).scalar()
    columns = (card.c.state, func.count(), func.min(card.c.kept_wall_us))
    states = connection.execute(select(*columns).where(card.c.withdrawn.is_(False)).group_by(card.c.state)).all()
    cards = {CardState(state): number for state, number, _ in states}
    kept = {CardState(state): kept_us for state, _, kept_us in states}
    footage, held = footage_waiting(connection), held_by_code(connection)
    return QueueFacts(head, received, head - received, oldest, cards, kept, footage, held)


def retry_state(connection: Connection, lane: str) -> RetryState:
    row = connection.execute(select(retry).where(retry.c.lane == lane)).first()
    return RetryState(row.next_try_ms, row.failures) if row else RetryState()


def save_retry(ledger: Ledger, lane: str, state: RetryState) -> None:
    """Remember when to try again, so that a crash does not shorten the wait."""
    row = {"lane": lane, "next_try_ms": state.next_try_ms, "failures": state.failures}
    statement = insert(retry).values(row).on_conflict_do_update(index_elements=["lane"], set_=row)
    ledger.write(lambda connection: connection.execute(statement))


def _server(ledger: Ledger) -> Verify:
    return by_any(ledger.identity.centre)
