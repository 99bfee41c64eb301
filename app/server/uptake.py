"""What an earlier release could not read is taken up by one that can: at its start, once each, in the log's order.

An event of an unknown kind or a later format lies in the quarantine. Once a release understands it, it is judged as if
it had just come, and so are those events that were held only because it was not there (a card that nobody knew). What
the station said of the same thing later, and was taken up, outranks it. Each is told to its station, as is whatever an
earlier release put into the quarantine without telling.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, or_, select, text

from app.core.audit import CentreAct, EventKind, SignedEvent
from app.core.errors import StorageTrouble
from app.server.held import tell
from app.server.intake import KINDS, UNKNOWN_KIND, UNREADABLE, Checked, Taking, check
from app.server.known import lock_stations
from app.server.log import Deciding, Log
from app.server.setup import OpenCentre
from app.server.tables import event, held_event, log_leaf, station_rotation
from app.store.db import reading, transaction

_UNREAD = (UNKNOWN_KIND, UNREADABLE)
_BEHIND_THEM = ("card-unknown", "not-own-ruling")
"""Codes of what may count once an event before it does."""

_AT_ONCE = 200
_HOLDS = (EventKind.FOOTAGE_HELD.value, EventKind.FOOTAGE_RELEASED.value)
_QUARANTINED = text("event.quarantine <> ''")
"""In the words of the index (migration 0017)."""

_PLACE = and_(log_leaf.c.station == event.c.station, log_leaf.c.seq == event.c.seq)
_TOLD = and_(held_event.c.station == event.c.station, held_event.c.seq == event.c.seq)
_OPEN = or_(held_event.c.seq.is_(None), held_event.c.code.in_((*_UNREAD, *_BEHIND_THEM)))
_WANTED = (
    select(event, held_event.c.code)
    .join(log_leaf, _PLACE)
    .outerjoin(held_event, _TOLD)
    .where(_QUARANTINED, _OPEN)
    .order_by(log_leaf.c.n)
)
_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    """An event of the quarantine as it was found; `told`: the code its station knows, None for nothing."""

    station: str
    sent: SignedEvent
    came_with: str
    told: str | None

    @property
    def code(self) -> str:
        return self.came_with if self.told is None else self.told


class _TakingAgain(Taking):
    """Acts on events of one station in their old places, within a transaction that has locked its row."""

    def act(self, one: Checked) -> str:
        """Do what the event says; why not, "" when it was done, or when something later said otherwise."""
        if one.kind == EventKind.KEY_ROTATED and not one.unread:  # keys were followed when it came
            return "" if self._changed_key(one.event.seq) else "body"
        if one.kind in _HOLDS and self._said_again(one):
            return ""
        self._cards_there |= self._stored_cards([one])
        self._at = one.event.seq
        return self._act(one)

    def finish(self) -> None:
        """Write what came of it and decide."""
        self._finish()

    def _card_changed(self, card_id: str, verdict: str, event_hash: str) -> str:
        found = self._card(card_id)
        if found is not None and self._is_later(found["event_hash"]):
            return ""
        return super()._card_changed(card_id, verdict, event_hash)

    def _is_later(self, event_hash: str) -> bool:
        later = and_(event.c.station == self._station, event.c.seq > self._at, event.c.hash == event_hash)
        return self._connection.execute(select(event.c.seq).where(later)).first() is not None

    def _changed_key(self, seq: int) -> bool:
        this = and_(station_rotation.c.station == self._station, station_rotation.c.seq == seq)
        return self._connection.execute(select(station_rotation.c.seq).where(this)).first() is not None

    def _said_again(self, one: Checked) -> bool:
        """Whether the station held or released the same recording later."""
        later = and_(event.c.station == self._station, event.c.seq > one.event.seq, event.c.kind.in_(_HOLDS))
        rows = self._connection.execute(select(event.c.data).where(later, event.c.quarantine == ""))
        recording = one.body.get("recording")
        return any(json.loads(bytes(row.data))["body"].get("recording") == recording for row in rows)


def take_up(centre: OpenCentre, now_ms: int) -> int:
    """Take up what this release understands and an earlier one did not; how many events that were.

    What cannot be written now (this process has not seen the centre's newer key yet) waits for the next start.
    """
    with reading(centre.engine) as connection:
        waiting = list(_waiting(connection))
    taken = 0
    try:
        for at in range(0, len(waiting), _AT_ONCE):
            taken += _take(centre, waiting[at : at + _AT_ONCE], now_ms)
    except StorageTrouble as trouble:
        _log.warning("quarantine waits: %s", trouble.code)
    return taken


def _waiting(connection: Connection) -> Iterator[_Waiting]:
    """What is to be judged again or told, in the log's order."""
    readable: set[str] = set()  # stations of which something is understood by now: what came behind it may count too
    for row in connection.execute(_WANTED):
        one = _found(row)
        again = one.code in _BEHIND_THEM and one.station in readable
        if one.code in _UNREAD and _is_readable(check(one.sent, one.station)):
            readable.add(one.station)
            again = True
        if again or one.told is None:
            yield one


def _found(row: Any) -> _Waiting:
    sent = SignedEvent(row.seq, bytes(row.data), row.hash, bytes(row.sig))
    return _Waiting(row.station, sent, row.quarantine, row.code)


def _is_readable(one: Checked) -> bool:
    return not one.unread and one.kind in KINDS


def _take(centre: OpenCentre, some: Sequence[_Waiting], now_ms: int) -> int:
    """One transaction. Another process may have been first: each is looked at anew under its station's lock."""
    with transaction(centre.engine) as connection:
        log = Log(connection, Deciding.of(centre, now_ms))
        # Revoked since or not: these came before, or they would be held for that.
        rows = lock_stations(connection, {one.station for one in some})
        takings = {name: _TakingAgain(log, row._replace(state="active")) for name, row in rows.items()}
        acted = []
        for one in some:
            if _told(connection, one) != one.told:
                continue
            code = _judged(takings[one.station], one)
            if code != one.told:
                tell(log, one.station, [(one.sent, code)])
            if code != one.code:
                acted.append([one.station, one.sent.seq, code])
        for taking in takings.values():
            taking.finish()
        if acted:
            log.act(CentreAct.TAKEN_UP, {"events": acted})
        log.write()
    return len(acted)


def _told(connection: Connection, one: _Waiting) -> str | None:
    this = and_(held_event.c.station == one.station, held_event.c.seq == one.sent.seq)
    return connection.execute(select(held_event.c.code).where(this)).scalar()


def _judged(taking: _TakingAgain, one: _Waiting) -> str:
    checked = check(one.sent, one.station)
    if one.code in _BEHIND_THEM or (one.code in _UNREAD and _is_readable(checked)):
        return taking.act(checked)
    return one.code
