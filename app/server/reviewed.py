"""Whether who decided might: the centre looks again at what a station says that its supervisors did.

A ruling counts only of a person who is a supervisor by the centre's own list when it comes, and above the set value
only with another one who is. What does not count is quarantined, and its card goes (back) to review: whoever may rule
on it there does so anew. Likewise disputes, holds, what leaves as a file, products and bindings, and who let work go on
after a gap. People of a rehearsal folder are its own; only those whom the centre knows are looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from app.core.audit import EventKind
from app.core.parcels import Role
from app.core.policy import Policy
from app.core.rulings import Ruling, needs_second
from app.core.sampling import CURRENT, POLICY
from app.server.held import was_taken_up
from app.server.tables import event, reference
from app.store.governing import REVOCATION

RULINGS = frozenset({EventKind.CARD_RULED, EventKind.CARD_RULING_UNDONE})
"""What changes a card."""

_NAMED_IN = {EventKind.RECORDING_RESUMED: "released_by", EventKind.PARCEL_SEALED: "approved_by"}
"""Not who worked, but who let it go on: where the event names nobody, nobody had to."""

BY_SUPERVISORS = frozenset(
    {
        *RULINGS,
        EventKind.SAMPLE_JUDGED,
        EventKind.DISPUTE_OPENED,
        EventKind.DISPUTE_EVIDENCE,
        EventKind.DISPUTE_SETTLED,
        EventKind.FOOTAGE_HELD,
        EventKind.FOOTAGE_RELEASED,
        EventKind.STILL_EXPORTED,
        EventKind.DOSSIER_EXPORTED,
        EventKind.GTIN_BOUND,
        EventKind.GTIN_RELEASED,
        EventKind.PRODUCT_ADDED,
        EventKind.PRODUCT_WITHDRAWN,
        EventKind.CATALOGUE_ROLLED_BACK,
        *_NAMED_IN,
    }
)
_USER = "user"
_SUPERVISES = (Role.SUPERVISOR.value, Role.ADMIN.value)


@dataclass(slots=True)
class Reviewers:
    """What the centre told a station of people and limits, as of one transaction; looked up when it is needed."""

    connection: Connection
    station: str
    rehearsal: bool
    _roles: dict[str, str | None] = field(default_factory=dict)
    _policy: Policy | None = None

    def fault(self, kind: EventKind, actor: str, body: Mapping[str, Any], value_fen: int | None) -> str:
        """Why such an event does not count: not-supervisor, second-missing, second-not-supervisor; "" when it does.

        `value_fen`: of the card, None for unknown. Raises KeyError, ValueError, TypeError for a body that is none.
        """
        who = body.get(_NAMED_IN[kind], "") if kind in _NAMED_IN else actor
        if not isinstance(who, str):
            raise TypeError
        if not who and (kind in _NAMED_IN or kind is EventKind.FOOTAGE_HELD):
            return ""  # nobody had to; or the station itself found something in the pictures
        if not self._supervises(who):
            return "not-supervisor"
        if kind is not EventKind.CARD_RULED:
            return ""
        second = body["second"]
        if not isinstance(second, str):
            raise TypeError
        if second and (second == actor or not self._supervises(second)):
            return "second-not-supervisor"
        return "second-missing" if not second and self.needs_second(Ruling(body["ruling"]), value_fen) else ""

    def needs_second(self, ruling: Ruling, value_fen: int | None) -> bool:
        """Whether another person has to sign a ruling on a card of this value (fen; None: unknown)."""
        return needs_second(ruling, value_fen, self._told().review)

    def must_be_reviewed(self, value_fen: int | None) -> bool:
        """Whether a card is worth so much that no single person takes it in, whatever policy its station worked by."""
        least_fen = self._told().second_signature_fen
        return bool(least_fen) and (value_fen or 0) >= least_fen

    def _told(self) -> Policy:
        if self._policy is None:
            found = self._latest(POLICY, CURRENT)
            self._policy = Policy().changed(json.loads(found)) if found else Policy()
        return self._policy

    def _supervises(self, who: str) -> bool:
        if who not in self._roles:
            self._roles[who] = self._role(who)
        role = self._roles[who]
        return role in _SUPERVISES or (role is None and self.rehearsal)

    def _role(self, who: str) -> str | None:
        """None: nobody whom the centre knows; "": somebody whom it took away."""
        if not who or self._latest(REVOCATION, f"{_USER}/{who}") is not None:
            return ""
        found = self._latest(_USER, who)
        return None if found is None else str(json.loads(found).get("role", ""))

    def _latest(self, kind: str, key: str) -> str | None:
        """The body that was handed out last of a key to this station; "{}" when it was taken back."""
        told = [reference.c.station == self.station, *([] if self.rehearsal else [reference.c.station == ""])]
        wanted = and_(reference.c.kind == kind, reference.c.key == key, or_(*told))
        newest = select(reference.c.body, reference.c.removed).where(wanted).order_by(reference.c.revision.desc())
        row = self.connection.execute(newest.limit(1)).first()
        return None if row is None else "{}" if row.removed else str(row.body)

    def is_own_ruling(self, seq: Any, actor: str, card_id: str) -> bool:
        """Whether a station's event of that number is a ruling by this person on this card, that counted."""
        if isinstance(seq, bool) or not isinstance(seq, int):
            raise TypeError
        mine = and_(event.c.station == self.station, event.c.seq == seq, was_taken_up())
        row = self.connection.execute(select(event.c.kind, event.c.data).where(mine)).first()
        return row is not None and is_ruling_by(row.kind, bytes(row.data), actor, card_id)


def is_ruling_by(kind: str, data: bytes, actor: str, card_id: str) -> bool:
    """Whether an event is a ruling by this person on this card."""
    if kind != EventKind.CARD_RULED.value:
        return False
    head = json.loads(data)
    return bool(head["actor"] == actor and head["body"]["card"] == card_id)
