"""Which recordings a station removed the pictures of by its rules: its own chain says so, and of which journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from app.core.audit import EventKind, SignedEvent


def removed_by_rules(events: Iterable[SignedEvent]) -> Mapping[str, str]:
    """By recording the final hash that it was closed with, of those that `footage.removed` names after that; `events`
    are a whole chain that was checked. One that was never closed here cannot have been removed by the rules.
    """
    closed: dict[str, str] = {}
    removed: dict[str, str] = {}
    for event in events:
        told = json.loads(event.data)
        kind, body = told["kind"], told["body"]
        if kind == EventKind.RECORDING_CLOSED:
            closed[str(body["recording"])] = str(body["final_hash"])
        elif kind == EventKind.FOOTAGE_REMOVED and body.get("recording") in closed:
            removed[str(body["recording"])] = closed[str(body["recording"])]
    return removed
