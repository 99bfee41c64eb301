"""What the centre signed for another tenant or station, and yet put into this station's feed.

It is not applied, and not passed over without a word either: the station's chain names it, so the centre raises an
alarm and every audit finds it. The text itself may speak of somebody else's people; it lies in the centre's feed, and
is known again by its hash.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.core.audit import EventKind, Stamp, digest
from app.store.ledger import Ledger
from app.store.tables import outbox
from app.wire import Decision, Held, Reference, Signed


@dataclass(frozen=True, slots=True)
class Misdirected:
    """What an item says of itself, whom it is for, the SHA-256 (hex) of its text and the centre's signature (hex)."""

    type: str
    tenant: str
    station: str
    sha256: str
    sig: str


def for_others(ledger: Ledger, told: Decision | Held | Reference, item: Signed) -> Misdirected | None:
    """The item, when it names another tenant or another station than this one; None for any other."""
    identity = ledger.identity
    if told.tenant == identity.centre.tenant and told.station in ("", identity.station):
        return None
    return Misdirected(told.TYPE, told.tenant, told.station, digest(item.text.encode()), item.sig.hex())


def note(ledger: Ledger, connection: Connection, found: Sequence[Misdirected], stamp: Stamp) -> int:
    """One event names all that the chain does not name yet (a feed may be read twice); how many those are."""
    if not found:
        return 0
    before = select(outbox.c.data).where(outbox.c.kind == EventKind.ITEM_MISDIRECTED.value)
    bodies = [json.loads(data)["body"] for data in connection.execute(before).scalars()]
    known = {item["sha256"] for body in bodies for item in body["items"]}
    new = {one.sha256: one for one in found if one.sha256 not in known}
    if new:
        items = [{name: getattr(one, name) for name in one.__slots__} for one in new.values()]
        ledger.append(connection, EventKind.ITEM_MISDIRECTED, {"items": items}, stamp, "centre")
    return len(new)
