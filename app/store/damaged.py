"""Signatures that came damaged, by the centre's word: what an audit may pass over, and what not.

The centre takes an unbroken run of events on the word of the last signature in it, and notes in its own chain, with its
SHA-256, each signature before that one that does not hold for itself (`centre.signature-damaged`). Such an event is the
station's all the same, for a later signature vouches for it. Without such a note, or with another signature than the
noted one, somebody changed it afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from app.core.audit import VERSION, CentreAct, SignedEvent, digest
from app.keys import Verify, verifier
from app.rotation import Held

Noted = Mapping[str, Mapping[int, str]]
"""By station, then by an event's number: the SHA-256 (hex) of the signature that it came with."""

_MARK = CentreAct.SIGNATURE_DAMAGED.value.encode()


def noted_in(events: Iterable[SignedEvent]) -> Noted:
    """What the centre's own chain, which was found whole, says of signatures."""
    noted: dict[str, dict[int, str]] = {}
    for event in events:
        if _MARK in event.data:
            name, signatures = _told(event)
            noted.setdefault(name, {}).update(signatures)
    return noted


def _told(event: SignedEvent) -> tuple[str, dict[int, str]]:
    """Of what it says nothing that is understood, it notes nothing."""
    try:
        head = json.loads(event.data)
        if (head["kind"], head["v"]) != (CentreAct.SIGNATURE_DAMAGED.value, VERSION):
            return "", {}
        told = head["body"]
        return str(told["station"]), {int(seq): str(own) for seq, own in told["signatures"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", {}


class Pardoning:
    """Checks the signatures of one station, and passes over those that the centre noted; `seqs`: which those were."""

    def __init__(self, noted: Mapping[int, str]) -> None:
        self._noted = noted
        self.seqs: list[int] = []

    def check_of(self, part: Held) -> Verify:
        """A check for a part of the chain. Its last event has to hold for itself: it vouches for the others."""
        check = verifier(part.key)
        told = {event.data: event for event in part.events[:-1] if event.seq in self._noted}
        if not told:
            return check

        def passes(sig: bytes, data: bytes) -> bool:
            if check(sig, data):
                return True
            event = told.get(data)
            if event is None or self._noted[event.seq] != digest(sig):
                return False
            self.seqs.append(event.seq)
            return True

        return passes
