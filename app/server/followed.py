"""What a station says it worked by, held against what the centre told it and what it said before.

policy     a station names each one that it takes over; what it draws for a second look has to be drawn by the shares
           of the one it named last, as that was handed out to it, not by a later one nor by shares of its own
holds      footage that a person holds is not removed at the station, whatever else lets it go: an alarm
feed       what the station found in it that this centre signed for another tenant or station: an alarm
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select

from app.core.audit import CentreAct, EventKind, SignedEvent
from app.core.policy import Policy
from app.core.sampling import CURRENT, POLICY
from app.server.db import insert_missing
from app.server.log import Log
from app.server.objects import holds_video
from app.server.tables import alarm, footage_hold, policy_applied, policy_told

FOLLOWED = frozenset(
    {
        EventKind.REFERENCE_APPLIED,
        EventKind.SAMPLE_DRAWN,
        EventKind.FOOTAGE_HELD,
        EventKind.FOOTAGE_RELEASED,
        EventKind.FOOTAGE_REMOVED,
        EventKind.ITEM_MISDIRECTED,
    }
)
REMOVED_HELD, MISDIRECTED = "footage.removed-held", "feed.misdirected"
_MOST, _LONGEST_NAME = (1 << 63) - 1, 200  # of a number in a database, of a name in its index


def hold_against(
    log: Log, station: str, rehearsal: bool, sent: SignedEvent, kind: EventKind, body: Mapping[str, Any]
) -> str:
    """Take such an event in; why it does not count, "" when it does: policy-other, policy-unknown, not-held, held.

    Raises KeyError, TypeError, ValueError for a body that is none.
    """
    match kind:
        case EventKind.REFERENCE_APPLIED:
            _applied(log, station, sent.seq, body)
        case EventKind.SAMPLE_DRAWN:
            return _drawn(log, station, rehearsal, sent.seq, body)
        case EventKind.FOOTAGE_HELD:
            row = {"station": station, "recording": _name(body), "seq": sent.seq}
            insert_missing(log.connection, footage_hold, [row])
        case EventKind.FOOTAGE_RELEASED:
            log.connection.execute(delete(footage_hold).where(_hold(station, _name(body))))
        case EventKind.ITEM_MISDIRECTED:
            _alarm(log, station, sent, MISDIRECTED)
        case _:
            return _removed(log, station, sent, _name(body))
    return ""


def _applied(log: Log, station: str, seq: int, body: Mapping[str, Any]) -> None:
    named = [revision for kind, key, revision in body["items"] if (kind, key) == (POLICY, CURRENT)]
    if not all(_is_revision(revision) for revision in named):
        raise TypeError
    for revision in named[-1:]:
        log.connection.execute(insert(policy_applied), {"station": station, "seq": seq, "revision": revision})


def _is_revision(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _drawn(log: Log, station: str, rehearsal: bool, seq: int, body: Mapping[str, Any]) -> str:
    before = and_(policy_applied.c.station == station, policy_applied.c.seq < seq)
    latest = select(policy_applied.c.revision).where(before).order_by(policy_applied.c.seq.desc()).limit(1)
    revision = log.connection.execute(latest).scalar()
    shares = Policy().shares
    if revision is not None:
        whose = [policy_told.c.station == station, *([] if rehearsal else [policy_told.c.station == ""])]
        told = select(policy_told.c.body).where(policy_told.c.revision == revision, or_(*whose))
        text = log.connection.execute(told).scalar()
        if text is None:  # of before this centre was put back, or of nobody
            return "policy-unknown"
        shares = Policy().changed(json.loads(text)).shares
    drawn_by = (body["read_per_mille"], body["typed_per_mille"])
    return "" if drawn_by == (shares.read_per_mille, shares.typed_per_mille) else "policy-other"


def _removed(log: Log, station: str, sent: SignedEvent, recording: str) -> str:
    if not holds_video(log.connection, station, recording):
        return "not-held"
    if log.connection.execute(select(footage_hold.c.seq).where(_hold(station, recording))).first() is None:
        return ""
    _alarm(log, station, sent, REMOVED_HELD)
    return "held"


def _alarm(log: Log, station: str, sent: SignedEvent, code: str) -> None:
    row = {"station": station, "code": code, "at_ms": log.deciding.now_ms, "seq": sent.seq}
    log.connection.execute(insert(alarm), {**row, "data": sent.data, "hash": sent.hash, "sig": sent.sig})
    log.act(CentreAct.ALARM, {"station": station, "code": code, "seq": sent.seq})


def _hold(station: str, recording: str) -> Any:
    return and_(footage_hold.c.station == station, footage_hold.c.recording == recording)


def _name(body: Mapping[str, Any]) -> str:
    name = body["recording"]
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise TypeError
    return name
