"""The sample: which finished cards are drawn for a second look, when that is settled, and by which key.

The key is made here; its commitment is in the chain before the first draw (`app.core.sampling`). It leaves only when it
is shown to whoever checks the draws, into the chain itself; from then on nothing more is drawn by it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState
from app.core.errors import BadInput
from app.core.parcels import Reason
from app.core.sampling import KEY_BYTES, SamplePolicy, commitment, drawn, is_typed
from app.store.cards import change_in
from app.store.ledger import Ledger
from app.store.tables import card, parcel, sample, station_key

_KEY = "sample"
_FINISHED = [state.value for state in (CardState.KEPT, CardState.AT_CENTRE, CardState.ACCEPTED)]
_AT_ONCE = 500


def draw_due(ledger: Ledger, policy: SamplePolicy, stamp: Stamp) -> int:
    """Draw among the finished cards of sealed parcels that were not looked at for it; how many were drawn."""
    done = select(sample.c.card_id)
    finished = and_(card.c.state.in_(_FINISHED), card.c.withdrawn.is_(False), parcel.c.state == "sealed")
    wanted = (
        select(card)
        .join(parcel, parcel.c.id == card.c.parcel_id)
        .where(finished, card.c.id.not_in(done))
        .order_by(card.c.kept_seq)
        .limit(_AT_ONCE)
    )
    with ledger.reading() as connection:
        if connection.execute(wanted).first() is None:
            return 0

    def work(connection: Connection) -> int:
        key = _key(ledger, connection, stamp)
        return sum(_draw(ledger, connection, row, policy, key, stamp) for row in connection.execute(wanted).all())

    return ledger.write(work)


def _draw(
    ledger: Ledger, connection: Connection, row: Row[Any], policy: SamplePolicy, key: bytes, stamp: Stamp
) -> bool:
    typed = is_typed([Reason(one) for one in json.loads(row.reasons)])
    taken, seq = drawn(row.id, typed, policy, key), None
    if taken:
        shares = {"read_per_mille": policy.read_per_mille, "typed_per_mille": policy.typed_per_mille}
        body = {"card": row.id, "typed": typed, **shares}
        seq = ledger.append(connection, EventKind.SAMPLE_DRAWN, body, stamp, "").seq
    connection.execute(insert(sample), {"card_id": row.id, "drawn_seq": seq, "wall_us": stamp.wall_us})
    return taken


def _key(ledger: Ledger, connection: Connection, stamp: Stamp) -> bytes:
    found: bytes | None = connection.execute(select(station_key.c.key).where(station_key.c.name == _KEY)).scalar()
    if found is not None:
        return found
    made = os.urandom(KEY_BYTES)
    ledger.append(connection, EventKind.SAMPLE_KEY_MADE, {"commitment": commitment(made)}, stamp, "")
    connection.execute(insert(station_key), {"name": _KEY, "key": made})
    return made


def show_key(ledger: Ledger, stamp: Stamp, actor: str) -> int:
    """Put the key into the chain, where it proves every draw so far; the next draw makes another. The event's number.

    Raises BadInput("sample.no_key") when nothing was drawn by a key that is still secret.
    """

    def work(connection: Connection) -> int:
        mine = station_key.c.name == _KEY
        key: bytes | None = connection.execute(select(station_key.c.key).where(mine)).scalar()
        if key is None:
            raise BadInput("sample.no_key")
        body = {"commitment": commitment(key), "key": key.hex()}
        event = ledger.append(connection, EventKind.SAMPLE_KEY_SHOWN, body, stamp, actor)
        connection.execute(delete(station_key).where(mine))
        return event.seq

    return ledger.write(work)


def judge(ledger: Ledger, card_id: str, fine: bool, reason: str, stamp: Stamp, actor: str) -> int:
    """A supervisor looked at a drawn card: `fine`, or it goes to review, with a reason. The event's number.

    Raises BadInput: review.not_waiting, review.no_reason.
    """
    if not fine and not reason.strip():
        raise BadInput("review.no_reason", card_id)

    def work(connection: Connection) -> int:
        this = and_(sample.c.card_id == card_id, sample.c.drawn_seq.is_not(None), sample.c.judged_seq.is_(None))
        if connection.execute(select(sample.c.card_id).where(this)).first() is None:
            raise BadInput("review.not_waiting", card_id)
        body = {"card": card_id, "fine": fine, "reason": reason.strip()}
        event = ledger.append(connection, EventKind.SAMPLE_JUDGED, body, stamp, actor)
        connection.execute(update(sample).where(this).values(judged_seq=event.seq))
        if not fine:
            held = connection.execute(select(card.c.reasons).where(card.c.id == card_id)).scalar_one()
            reasons = [Reason.SAMPLED, *(Reason(one) for one in json.loads(held))]
            change_in(ledger, connection, card_id, CardState.REVIEW, reasons, stamp, actor)
        return event.seq

    return ledger.write(work)
