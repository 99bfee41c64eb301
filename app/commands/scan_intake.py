"""Scanned cards into a station's parcel, by the same session, sealing and store as at the table.

What the reader doubts goes to review: beside a scanner nobody is asked. There is no footage of these cards, which each
of them says (`Reason.SCANNED`). The parcel stays open: count and seal are the clerk's, at the window.
"""

from __future__ import annotations

import time
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid4, uuid5

from app.commands.bulk import stamp
from app.core.cards import CardRead
from app.core.effects import Effect, RecordFact, SaveCard
from app.core.errors import BadInput, Trouble
from app.core.events import (
    CardSaved,
    CardWasDuplicate,
    CardWasRead,
    CodeScanned,
    Event,
    Key,
    KeyPressed,
    ParcelFound,
    ParcelResumed,
    RecordingBegan,
    SignedIn,
)
from app.core.parcels import CardDraft, EarlierParcel, OpenParcel, Operator, Reason
from app.core.products import Catalogue
from app.core.rules import Rules
from app.core.session import step
from app.core.states import Asking, Saving, SignedOut, State
from app.eye.watcher import as_card_read
from app.store.results import AlreadyKept, Duplicate, Kept
from app.store.store import Store
from app.vision.conclude import Conclusion


class ScanIntake:
    """One parcel of a station while its cards come from a scanner."""

    def __init__(self, store: Store, catalogue: Catalogue, badge: str, waybill: str) -> None:
        """Raises BadInput: scan.unknown_badge, scan.unknown_parcel, scan.parcel_done, scan.other_parcel,
        people.expired.
        """
        self._store, self._rules = store, Rules(catalogue)
        self._state: State = SignedOut()
        operator = store.by_badge(badge, stamp().wall_us)
        if operator is None:
            raise BadInput("scan.unknown_badge")
        if operator.lapsed:
            raise BadInput("people.expired", operator.id)
        self._operator: Operator = operator
        self._open(waybill)

    def take(self, card: Conclusion, sheet_sha256: str, no: int) -> str:
        """Take one card in; what became of it: "kept", "review", "already-kept" or "duplicate"."""
        now_us = time.monotonic_ns() // 1000
        read = as_card_read(card, now_us, now_us, self._rules.catalogue.version)
        return self._settle(_named(read, f"{sheet_sha256}/{no}"))

    def _open(self, waybill: str) -> None:
        unfinished = self._store.unfinished_parcel()
        if unfinished is not None and unfinished.expected.waybill != waybill:
            raise BadInput("scan.other_parcel", unfinished.expected.waybill)
        if unfinished is not None:
            self._on(ParcelResumed(unfinished))
            self._on(SignedIn(self._operator))
            self._begin(unfinished.recording_id)
            return
        expected = self._store.find_parcel(waybill)
        if expected is None or isinstance(expected, EarlierParcel):
            raise BadInput("scan.unknown_parcel" if expected is None else "scan.parcel_done", waybill)
        parcel = OpenParcel(str(uuid4()), expected, str(uuid4()), self._operator)
        self._on(SignedIn(self._operator))
        self._on(CodeScanned(waybill))
        self._on(ParcelFound(expected, parcel.parcel_id, parcel.recording_id))
        self._store.open_parcel(parcel, stamp())
        self._begin(parcel.recording_id)

    def _begin(self, recording_id: str) -> None:
        self._on(RecordingBegan(recording_id, 0))
        self._on(KeyPressed(Key.SPACE))

    def _settle(self, read: CardRead) -> str:
        effects = self._on(CardWasRead(read))
        if isinstance(self._state, Asking):
            effects = (*effects, *self._on(KeyPressed(Key.F7)))
        for effect in effects:
            if isinstance(effect, RecordFact):
                self._store.record(effect.kind, dict(effect.body), stamp(), self._operator.id)
            if isinstance(effect, SaveCard):
                return self._keep(effect.draft)
        return "already-kept"

    def _keep(self, draft: CardDraft) -> str:
        marked = (*draft.reasons, Reason.SCANNED)
        kept = self._store.keep_card(replace(draft, reasons=marked), stamp(), self._operator.id)
        match kept:
            case Kept(card) | AlreadyKept(card):
                self._on(CardSaved(card))
                return card.state.value if isinstance(kept, Kept) else "already-kept"
            case Duplicate():
                assert isinstance(self._state, Saving)
                same = kept.parcel_id == draft.parcel_id
                self._on(CardWasDuplicate(draft.read_id, kept.last4, same, kept.wall_us))
                return "duplicate"

    def _on(self, event: Event) -> tuple[Effect, ...]:
        outcome = step(self._state, event, self._rules)
        if not outcome.expected:
            raise Trouble("bug", f"{type(self._state).__name__} does not expect {type(event).__name__}")
        self._state = outcome.state
        return outcome.effects


def _named(read: CardRead, name: str) -> CardRead:
    """The read under an id that the same card on the same scan always has, so that a repetition is harmless."""
    return replace(read, read_id=str(uuid5(NAMESPACE_URL, f"sheet:{name}")))
