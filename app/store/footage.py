"""Footage as the store knows it: lists for the reviewer, holds, and what the rules of retention have to know."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Subquery, and_, delete, func, insert, or_, select, update

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState, PanelState
from app.core.errors import BadInput
from app.core.footage import LABEL, OVERHEAD, FilmedCard, Hold, Line, Lines, Pile
from app.core.parcels import Reason
from app.core.rulings import Ruling
from app.store.ledger import Ledger
from app.store.recordings import is_durable, of_now
from app.store.tables import (
    card,
    dispute,
    dispute_evidence,
    durable,
    hold,
    leak_check,
    outbox,
    parcel,
    recording,
    removed,
    ruling,
    sample,
)

MOST_LINES = 200

_AROUND = {"minute": timedelta(minutes=10), "second": timedelta(minutes=2)}
_TIME = re.compile(r"(?:(?:(\d{4})-)?(\d{1,2})-(\d{1,2})\s*)?(?:(\d{1,2}):(\d{2})(?::(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class KnownRecording:
    """A recording with its parcel. `closed_wall_us` 0 while it runs; `removed`: its pictures are gone by the rules."""

    recording_id: str
    parcel_id: str
    waybill: str
    operator: str
    state: str
    closed_wall_us: int
    durable: bool
    held: bool
    removed: bool
    role: str = OVERHEAD


_DRAWN = and_(sample.c.card_id == card.c.id, sample.c.drawn_seq.is_not(None), sample.c.judged_seq.is_(None))
_CONTESTED = and_(
    dispute.c.card_id == card.c.id, dispute.c.recording_id == card.c.recording_id, dispute.c.settled_seq.is_(None)
)
_ABOUT: tuple[ColumnElement[Any], ...] = (
    dispute.c.id.label("dispute_id"), dispute.c.reason.label("said"), dispute.c.opened_us,
)  # fmt: skip

_CARD: Select[Any] = (
    select(
        card, parcel.c.waybill, hold.c.recording_id.label("holding"), sample.c.card_id.label("drawn"),
        sample.c.wall_us.label("drawn_us"), *_ABOUT,
    )
    .join(parcel, parcel.c.id == card.c.parcel_id)
    .outerjoin(hold, hold.c.recording_id == card.c.recording_id)
    .outerjoin(sample, _DRAWN)
    .outerjoin(dispute, _CONTESTED)
    .where(card.c.withdrawn.is_(False))
)  # fmt: skip

_PARCEL_DISPUTE: Select[Any] = (
    select(parcel, outbox.c.at_wall_us, hold.c.recording_id.label("holding"), *_ABOUT)
    .join(outbox, outbox.c.seq == parcel.c.opened_seq)
    .join(dispute, and_(dispute.c.recording_id == parcel.c.recording_id, dispute.c.card_id == ""))
    .outerjoin(hold, hold.c.recording_id == parcel.c.recording_id)
    .where(dispute.c.settled_seq.is_(None))
)

_EMPTY: Select[Any] = (
    select(parcel, outbox.c.at_wall_us, hold.c.recording_id.label("holding"))
    .join(outbox, outbox.c.seq == parcel.c.opened_seq)
    .outerjoin(hold, hold.c.recording_id == parcel.c.recording_id)
    .where(parcel.c.id.not_in(select(card.c.parcel_id).where(card.c.withdrawn.is_(False))))
)
"""Parcels without a card: their footage is evidence too."""

_PILES: dict[Pile, ColumnElement[bool] | None] = {
    Pile.REVIEW: card.c.state == CardState.REVIEW.value,
    Pile.SAMPLE: sample.c.card_id.is_not(None),
    Pile.DISPUTE: dispute.c.id.is_not(None),
    Pile.HELD: hold.c.recording_id.is_not(None),
    Pile.ALL: None,
}
_PARCELS: dict[Pile, Select[Any]] = {
    Pile.DISPUTE: _PARCEL_DISPUTE,
    Pile.HELD: _EMPTY.where(hold.c.recording_id.is_not(None)),
    Pile.ALL: _EMPTY,
}
"""What a pile holds besides cards."""

_WAITS: dict[Pile, str] = {Pile.SAMPLE: "drawn_us", Pile.DISPUTE: "opened_us"}
"""Since when a line waits, where that is not since the card was kept."""


def lines(connection: Connection, pile: Pile, query: str, now_wall_us: int) -> Lines:
    """The newest lines of a pile; with a query those of the whole store that fit it. At most `MOST_LINES`."""
    asked = query.strip()
    found = _found(connection, asked, now_wall_us) if asked else _piled(connection, pile)
    newest = sorted(found, key=lambda line: (-line.wall_us, line.no))[:MOST_LINES]
    sizes = {one: _size(connection, one) for one in Pile}
    counts = tuple((one, count) for one, (count, _) in sizes.items())
    oldest = tuple((one, since_us) for one, (_, since_us) in sizes.items())
    return Lines(pile, asked, _with_words(connection, newest), counts, oldest)


def _piled(connection: Connection, pile: Pile) -> list[Line]:
    wanted = _PILES[pile]
    rows = connection.execute(_newest(_CARD if wanted is None else _CARD.where(wanted)))
    found = [_line(row, _WAITS.get(pile, "kept_wall_us")) for row in rows]
    if pile in _PARCELS:
        found += [_parcel_line(row) for row in connection.execute(_PARCELS[pile].limit(MOST_LINES))]
    return found


def _size(connection: Connection, pile: Pile) -> tuple[int, int]:
    """How many lines a pile has, and since when the oldest waits (wall µs, 0 for none)."""
    wanted = _PILES[pile]
    cards = (_CARD if wanted is None else _CARD.where(wanted)).subquery()
    found = [_counted(connection, cards, _WAITS.get(pile, "kept_wall_us"))]
    if pile in _PARCELS:
        since = "opened_us" if pile is Pile.DISPUTE else "at_wall_us"
        found.append(_counted(connection, _PARCELS[pile].subquery(), since))
    return sum(count for count, _ in found), min((at for _, at in found if at), default=0)


def _counted(connection: Connection, rows: Subquery, since: str) -> tuple[int, int]:
    count, oldest = connection.execute(select(func.count(), func.min(rows.c[since])).select_from(rows)).one()
    return int(count), int(oldest or 0)


def _with_words(connection: Connection, found: Sequence[Line]) -> tuple[Line, ...]:
    """The lines with the last ruling on each, and how much evidence its dispute has."""
    last = and_(ruling.c.card_id.in_([line.card_id for line in found]), ruling.c.undone_seq.is_(None))
    told = {row.card_id: row for row in connection.execute(select(ruling).where(last).order_by(ruling.c.seq))}
    linked = dispute_evidence.c.dispute_id.in_([line.dispute_id for line in found if line.dispute_id])
    counted = select(dispute_evidence.c.dispute_id, func.count()).where(linked).group_by(dispute_evidence.c.dispute_id)
    evidence = {row[0]: int(row[1]) for row in connection.execute(counted)}
    return tuple(
        replace(
            line,
            evidence=evidence.get(line.dispute_id, 0),
            ruling=Ruling(told[line.card_id].ruling) if line.card_id in told else None,
            ruled_us=told[line.card_id].wall_us if line.card_id in told else 0,
        )
        for line in found
    )


def _found(connection: Connection, query: str, now_wall_us: int) -> list[Line]:
    """What fits: a time span, else a waybill (any part of six characters or more), else the last four."""
    cards: ColumnElement[bool]
    parcels: ColumnElement[bool]
    span = time_span(query, now_wall_us)
    bare = "".join(query.split()).upper()
    if span is not None:
        cards, parcels = card.c.kept_wall_us.between(*span), outbox.c.at_wall_us.between(*span)
    else:
        parcels = func.upper(parcel.c.waybill).contains(bare, autoescape=True)
        cards = parcels if len(bare) >= 6 else func.upper(parcel.c.waybill) == bare
        if len(bare) == 4:
            cards = or_(cards, func.upper(card.c.last4) == bare)
    found = [_line(row) for row in connection.execute(_newest(_CARD.where(cards)))]
    if span is not None or len(bare) >= 6:
        found += [_parcel_line(row) for row in connection.execute(_EMPTY.where(parcels).limit(MOST_LINES))]
    return found


def _newest(rows: Select[Any]) -> Select[Any]:
    return rows.order_by(card.c.kept_wall_us.desc()).limit(MOST_LINES)


def time_span(query: str, now_wall_us: int) -> tuple[int, int] | None:
    """ "10:42", "10:42:05", "11-21", "2026-11-21 10:42" as the wall times (µs) to look between; None: not a time.

    A time without a day is the last time the clock showed it; local time, as the screen shows it.
    """
    match = _TIME.fullmatch(query.strip())
    if match is None or not any(match.groups()):
        return None
    year, month, day, hour, minute, second = (int(text) if text else None for text in match.groups())
    now = datetime.fromtimestamp(now_wall_us / 1e6)
    try:
        when = now.replace(hour=hour or 0, minute=minute or 0, second=second or 0, microsecond=0)
        if month is not None and day is not None:
            when = when.replace(year=year or now.year, month=month, day=day)
    except ValueError:
        return None
    if hour is None:
        return _micros(when), _micros(when + timedelta(days=1)) - 1
    if month is None and when > now:
        when -= timedelta(days=1)
    around = _AROUND["minute" if second is None else "second"]
    return _micros(when - around), _micros(when + around)


def _micros(when: datetime) -> int:
    return round(when.timestamp() * 1e6)


def known(connection: Connection) -> tuple[KnownRecording, ...]:
    """Every recording, the oldest first. What the centre said counts in its present epoch only."""
    there = select(durable.c.recording_id).where(of_now(connection)).distinct().subquery()
    rows = connection.execute(
        select(
            recording.c.id, recording.c.parcel_id, recording.c.state, recording.c.role, outbox.c.at_wall_us,
            parcel.c.waybill, parcel.c.operator_name, there.c.recording_id.label("durable"),
            hold.c.recording_id.label("held"),
            removed.c.recording_id.label("removed"),
        )
        .outerjoin(outbox, outbox.c.seq == recording.c.closed_seq)
        .outerjoin(parcel, parcel.c.id == recording.c.parcel_id)
        .outerjoin(there, there.c.recording_id == recording.c.id)
        .outerjoin(hold, hold.c.recording_id == recording.c.id)
        .outerjoin(removed, removed.c.recording_id == recording.c.id)
        .order_by(recording.c.closed_seq)
    )  # fmt: skip
    return tuple(
        KnownRecording(
            row.id, row.parcel_id, row.waybill or "", row.operator_name or "", row.state, row.at_wall_us or 0,
            row.durable is not None, row.held is not None, row.removed is not None, row.role,
        )
        for row in rows
    )  # fmt: skip


def filmed_cards(connection: Connection, recording_id: str) -> tuple[FilmedCard, ...]:
    """The cards that were read on a recording, in order of time; their stretch is the moment of reading alone."""
    wanted = and_(card.c.recording_id == recording_id, card.c.withdrawn.is_(False))
    return tuple(_filmed(row) for row in connection.execute(select(card).where(wanted).order_by(card.c.t_video_us)))


def place_of_card(connection: Connection, card_id: str) -> str | None:
    """The recording that a card is on."""
    return connection.execute(select(card.c.recording_id).where(card.c.id == card_id)).scalar()


def of_waybill(connection: Connection, waybill: str) -> tuple[str, ...]:
    """The recordings of a waybill's parcels, in order of their begin, those of the overhead camera first."""
    bare = "".join(waybill.split())
    wanted = select(recording.c.id).join(parcel, parcel.c.id == recording.c.parcel_id).where(parcel.c.waybill == bare)
    in_order = wanted.order_by(parcel.c.opened_seq, recording.c.role == LABEL, recording.c.closed_seq)
    return tuple(connection.execute(in_order).scalars())


def keep(ledger: Ledger, recording_id: str, reason: str, stamp: Stamp, actor: str) -> Hold:
    """Hold footage, of the parcel's other camera too; a second hold changes nothing. Raises
    BadInput("recording.unknown", "hold.no_reason").
    """
    if not reason.strip():
        raise BadInput("hold.no_reason")
    return ledger.write(lambda connection: keep_in(ledger, connection, recording_id, reason.strip(), stamp, actor))


def keep_in(ledger: Ledger, connection: Connection, recording_id: str, reason: str, stamp: Stamp, actor: str) -> Hold:
    """`keep` inside somebody's transaction."""
    for other in _beside(connection, recording_id):
        if hold_on(connection, other) is None:
            _keep_one(ledger, connection, other, reason, stamp, actor)
    before = hold_on(connection, recording_id)
    if before is not None:
        return before
    _must_be_known(connection, recording_id)
    return _keep_one(ledger, connection, recording_id, reason, stamp, actor)


def _keep_one(ledger: Ledger, connection: Connection, recording_id: str, reason: str, stamp: Stamp, actor: str) -> Hold:
    event = ledger.append(
        connection, EventKind.FOOTAGE_HELD, {"recording": recording_id, "reason": reason}, stamp, actor
    )
    row = {"recording_id": recording_id, "reason": reason, "operator_id": actor}
    connection.execute(insert(hold), {**row, "wall_us": stamp.wall_us, "seq": event.seq})
    return Hold(reason, actor, stamp.wall_us, may_show_pin(connection, recording_id))


def release(ledger: Ledger, recording_id: str, reason: str, stamp: Stamp, actor: str) -> None:
    """Let held footage go again, of the parcel's other camera too; what is not held stays as it is. Where a PIN may be
    seen this is the judgement that none is, on this recording alone. Raises BadInput("hold.no_reason") for such a
    judgement without a reason.
    """

    def work(connection: Connection) -> None:
        free_one(connection, recording_id)
        for other in _beside(connection, recording_id):
            if not may_show_pin(connection, other):
                free_one(connection, other)

    def free_one(connection: Connection, recording_id: str) -> None:
        if hold_on(connection, recording_id) is None:
            return
        judged = may_show_pin(connection, recording_id)
        if judged and not reason.strip():
            raise BadInput("hold.no_reason", recording_id)
        body = {"recording": recording_id, "reason": reason.strip(), "judged_no_pin": judged}
        event = ledger.append(connection, EventKind.FOOTAGE_RELEASED, body, stamp, actor)
        connection.execute(delete(hold).where(hold.c.recording_id == recording_id))
        if judged:
            mine = leak_check.c.recording_id == recording_id
            connection.execute(update(leak_check).where(mine).values(judged_seq=event.seq))

    ledger.write(work)


def _beside(connection: Connection, recording_id: str) -> tuple[str, ...]:
    """The recordings that the parcel's other camera made."""
    mine = select(recording.c.parcel_id, recording.c.role).where(recording.c.id == recording_id).subquery()
    others = select(recording.c.id).where(recording.c.parcel_id == mine.c.parcel_id, recording.c.role != mine.c.role)
    return tuple(connection.execute(others.order_by(recording.c.id)).scalars())


def hold_on(connection: Connection, recording_id: str) -> Hold | None:
    """Who holds a recording, and why."""
    row = connection.execute(select(hold).where(hold.c.recording_id == recording_id)).first()
    leak = may_show_pin(connection, recording_id)
    return Hold(row.reason, row.operator_id, row.wall_us, leak) if row else None


def may_show_pin(connection: Connection, recording_id: str) -> bool:
    """Whether the leak check found something in a recording that nobody has judged yet."""
    return connection.execute(UNJUDGED.where(leak_check.c.recording_id == recording_id)).first() is not None


UNJUDGED: Select[Any] = select(leak_check.c.recording_id).where(
    and_(leak_check.c.sights != "[]", leak_check.c.judged_seq.is_(None))
)
"""Recordings in which a PIN may be seen, as far as anybody knows."""


def note_removed(ledger: Ledger, recording_id: str, size: int, stamp: Stamp) -> int:
    """Record that the pictures of a recording will be removed now; the number of the event.

    Raises BadInput("footage.must_stay") when the centre does not hold them, or a person does.
    """

    def work(connection: Connection) -> int:
        held = hold_on(connection, recording_id) is not None
        if held or not is_durable(connection, recording_id):
            raise BadInput("footage.must_stay", recording_id)
        before = select(removed.c.seq).where(removed.c.recording_id == recording_id)
        seq = connection.execute(before).scalar()
        if seq is not None:
            return int(seq)
        body = {"recording": recording_id, "bytes": size}
        event = ledger.append(connection, EventKind.FOOTAGE_REMOVED, body, stamp, "")
        connection.execute(insert(removed), {"recording_id": recording_id, "seq": event.seq})
        return event.seq

    return ledger.write(work)


def _must_be_known(connection: Connection, recording_id: str) -> None:
    if connection.execute(select(recording.c.id).where(recording.c.id == recording_id)).first() is None:
        raise BadInput("recording.unknown", recording_id)


def _reasons(text: str) -> tuple[Reason, ...]:
    told: Sequence[str] = json.loads(text)
    return tuple(Reason(reason) for reason in told)


def _line(row: Row[Any], since: str = "kept_wall_us") -> Line:
    return Line(
        row.recording_id, row.parcel_id, row.waybill, row.id, row.no, row.product_id, row.face_value_fen, row.last4,
        CardState(row.state), _reasons(row.reasons), getattr(row, since), row.t_video_us, row.holding is not None,
        row.gtin, row.drawn is not None, row.dispute_id or "", row.said or "",
    )  # fmt: skip


def _parcel_line(row: Row[Any]) -> Line:
    found = Line(
        row.recording_id, row.id, row.waybill, "", 0, None, None, "", None, (), row.at_wall_us, 0,
        row.holding is not None,
    )  # fmt: skip
    if "dispute_id" not in row._fields:
        return found
    return replace(found, dispute_id=row.dispute_id, said=row.said, wall_us=row.opened_us)


def _filmed(row: Row[Any]) -> FilmedCard:
    chip = str(json.loads(row.tag)["family"]) if row.tag else ""
    return FilmedCard(
        row.id, row.no, row.product_id, row.last4, row.face_value_fen, CardState(row.state), _reasons(row.reasons),
        PanelState(row.panel), chip, row.expiry or "", row.t_video_us, row.t_video_us, -1, row.t_video_us,
        row.batch or "", row.region or "",
    )  # fmt: skip
