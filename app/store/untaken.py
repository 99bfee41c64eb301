"""What the centre keeps but did not take up, by its signed word: such a card is not "at the centre".

Its state is NOT_TAKEN until the centre takes the event up after all, or a decision on the card comes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, and_, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from app.core.audit import EventKind
from app.core.cards import CardState
from app.core.parcels import TrayCard
from app.store.cards import tray_card
from app.store.tables import card, held, outbox
from app.wire import HeldEvent

_ON_CARDS = frozenset(
    {
        EventKind.CARD_KEPT.value,
        EventKind.CARD_TO_REVIEW.value,
        EventKind.CARD_RULED.value,
        EventKind.CARD_RULING_UNDONE.value,
    }
)
"""What makes a card stand as it does here. One that was rejected or withdrawn goes back, whatever the centre has."""

_WAITING = (CardState.KEPT.value, CardState.AT_CENTRE.value, CardState.REVIEW.value)


def apply_held(connection: Connection, told: Iterable[HeldEvent]) -> list[TrayCard]:
    """Take over the centre's words on events; gives back the cards that changed by it. An old word changes nothing."""
    changed = {name: None for one in told if (name := _apply(connection, one))}
    return [tray_card(connection, name) for name in changed]


def forget_beyond(connection: Connection, high: int) -> list[TrayCard]:
    """A centre that was put back no longer has the events beyond `high`: what it said of them does not count."""
    gone = connection.execute(select(held.c.card_id).where(held.c.seq > high, held.c.before != "")).scalars().all()
    names = [name for name in dict.fromkeys(gone) if _stood(connection, name)]
    befores = {name: _stood(connection, name) for name in names}
    connection.execute(delete(held).where(held.c.seq > high))
    return [tray_card(connection, name) for name in names if _put_back(connection, name, befores[name])]


def held_by_code(connection: Connection) -> dict[str, int]:
    """How many events the centre keeps without having taken them up, by its reason; the most frequent first."""
    wanted = select(held.c.code, func.count()).where(held.c.code != "").group_by(held.c.code)
    rows = connection.execute(wanted.order_by(func.count().desc(), held.c.code))
    return {code: int(number) for code, number in rows}


def _apply(connection: Connection, told: HeldEvent) -> str:
    """The id of the card that changed by it, "" for none."""
    sent = connection.execute(
        select(outbox.c.kind, outbox.c.data, outbox.c.hash).where(outbox.c.seq == told.seq)
    ).first()
    known = connection.execute(select(held).where(held.c.seq == told.seq)).first()
    if sent is None or sent.hash != told.event_hash or (known is not None and known.revision >= told.revision):
        return ""
    name = str(known.card_id) if known else _card_of(sent.kind, sent.data)
    before = known.before if known else ""
    stops = bool(told.code) and not before and _stands_by(connection, name, told)
    row = {"seq": told.seq, "code": told.code, "revision": told.revision, "card_id": name}
    row["before"] = _state(connection, name) if stops else before
    connection.execute(insert(held).values(row).on_conflict_do_update(index_elements=["seq"], set_=row))
    if stops:
        connection.execute(update(card).where(card.c.id == name).values(state=CardState.NOT_TAKEN.value))
        return name
    return name if not told.code and _put_back(connection, name, _stood(connection, name)) else ""


def _card_of(kind: str, data: bytes) -> str:
    return str(json.loads(data)["body"]["card"]) if kind in _ON_CARDS else ""


def _state(connection: Connection, name: str) -> str:
    return str(connection.execute(select(card.c.state).where(card.c.id == name)).scalar_one())


def _stands_by(connection: Connection, name: str, told: HeldEvent) -> bool:
    """Whether the card waits by this event: it brought it, or is the station's latest word on it."""
    row = connection.execute(select(card).where(card.c.id == name)).first()
    if row is None or row.withdrawn or row.state not in _WAITING:
        return False
    return bool(told.seq == row.kept_seq or told.event_hash == row.event_hash)


def _stood(connection: Connection, name: str) -> str:
    """How the card stood here before the centre's words stopped it, "" when none did."""
    stopped = and_(held.c.card_id == name, held.c.before != "")
    newest = select(held.c.before).where(stopped).order_by(held.c.seq.desc()).limit(1)
    return connection.execute(newest).scalar() or ""


def _put_back(connection: Connection, name: str, before: str) -> bool:
    """The card goes on as it stood, when nothing of it is held any more."""
    still = and_(held.c.card_id == name, held.c.before != "", held.c.code != "")
    if not before or connection.execute(select(held.c.seq).where(still)).first() is not None:
        return False
    state = CardState.REVIEW if before == CardState.REVIEW.value else CardState.AT_CENTRE
    stopped = and_(card.c.id == name, card.c.state == CardState.NOT_TAKEN.value)
    return connection.execute(update(card).where(stopped).values(state=state.value)).rowcount > 0
