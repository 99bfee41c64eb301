"""One accepted card's chip, from the centre's word to the fact in the chain: gate, run, record, journal.

The order at the end matters: the record is on disk first, then the fact is in the chain, and only then the journal,
which could still finish a torn chip, is erased. Elsewhere than on a station there is no gate, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from app.core.audit import EventKind, Stamp
from app.core.chips import ChipStand
from app.core.parcels import TrayCard
from app.paths import StationFolder
from app.station.chip_files import FileJournal, save_record
from app.store.chip_twins import cards_with
from app.store.chips import ChipFact, ChipGate, Closed
from app.store.store import Store
from hardware.deactivation import Means, Method, Outcome, Progress, Verdict, Why, Witness, hashed_bytes

T = TypeVar("T")

_NOTHING_OF_IT = frozenset({Why.NO_CHIP, Why.TWO_CHIPS, Why.OTHER_CHIP, Why.GATE_CLOSED})
"""Refusals that say nothing about the chip of the card that was meant."""


class Ask(Protocol):
    """Has the store do something and gives what came of it; from another thread than the store's, too."""

    def __call__(self, work: Callable[[Store], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Intake:
    """Whose chip it is. `gate` is None off a station."""

    gate: ChipGate | None

    def about(self) -> dict[str, Any]:
        """What the record says of it: the card, its decision, and where on the recording it was read."""
        if self.gate is None:
            return {"intake": "none"}
        gate = self.gate
        told = {"card": gate.card_id, "uid": gate.uid, "decision": gate.decision}
        return {"intake": {**told, "recording": gate.recording_id, "t_video_us": gate.t_video_us}}


class Switching:
    """What a run keeps and where: in a station's folder and store, or in a folder for journals alone."""

    def __init__(self, ask: Ask | None, station: StationFolder | None, journals: Path | None = None) -> None:
        """`journals` is where the journal lies off a station; on one it lies sealed in its folder."""
        self._ask = ask
        self._station = station
        self._records = journals.with_name("chip-records") if journals is not None else Path()
        if ask is not None and station is not None:
            key = ask(lambda store: store.chip_journal_key())
            self.journal = FileJournal(station.chips / "journal", key)
        elif journals is not None:
            self.journal = FileJournal(journals)
        else:
            raise ValueError("neither a station nor a folder for journals")

    def let_through(self, card_id: str, stamp: Stamp, *, simulated: bool, punch: bool = False) -> Intake | Closed:
        """The intake of a card's chip; why not, when the centre's decision does not hold for it now.

        `simulated`: the reader is. A rehearsal's decisions are nobody's, so they open no chip on a real reader; and a
        simulated one proves nothing of a real card. The card has to come back to the kind of reader that read it.
        `punch`: it is to be destroyed, which is all that may be done to a chip that two cards claim.
        """
        if self._ask is None:
            return Closed.UNKNOWN_CARD if card_id else Intake(None)
        rehearsal = self._ask(lambda store: store.rehearsal)
        if simulated != rehearsal:
            return Closed.REHEARSAL if rehearsal else Closed.SIMULATED_READER
        gate = self._ask(lambda store: store.chip_gate(card_id, stamp))
        if not isinstance(gate, ChipGate):
            return gate
        if gate.simulated != simulated:
            return Closed.OTHER_KIND_OF_READER
        return Closed.UID_USED_TWICE if gate.shared and not punch else Intake(gate)

    def _journal_of(self, card_id: str) -> FileJournal:
        """The journal of one card: its own runs and its own earlier record, not those of another with the same UID."""
        record = self._ask(lambda store: store.proved_record(card_id)) if self._ask is not None else ""
        return self.journal.of(card_id, record=record)

    def looking(self, uid: bytes) -> Means:
        """What a look at a chip needs: the journal of the one card here that claims it, where there is one."""
        cards = self._ask(partial(_claiming, uid.hex().upper())) if self._ask is not None else ()
        return Means(self._journal_of(cards[0]) if len(cards) == 1 else self.journal)

    def means(self, intake: Intake, progress: Progress, now: Callable[[], Stamp]) -> Means:
        """What a run needs. On a station the chip's old content is sealed to the vault, like a card number.

        `now`: the clock by which the gate is asked again right before the first write.
        """
        ask, gate = self._ask, intake.gate
        if ask is None or gate is None:
            return Means(self.journal, progress)

        def closed() -> str:
            again = self.let_through(gate.card_id, now(), simulated=gate.simulated)
            return again.value if isinstance(again, Closed) else ""

        record = ask(lambda store: store.proved_record(gate.card_id))
        journal = self.journal.of(gate.card_id, gate.decision, record)
        return Means(journal, progress, self._seal(intake), known_off=bool(record), closed=closed)

    def stand_of(self, outcome: Outcome, intake: Intake) -> ChipStand | None:
        """Where a run leaves the card's chip; None when it says nothing of that chip, or nothing was begun."""
        if outcome.done:
            return ChipStand.OFF
        if outcome.verdict is Verdict.PROOF_FAILED or outcome.method is Method.PHYSICAL:
            return ChipStand.DESTROY
        begun = self._kept_by(intake).begun(outcome.uid)
        if outcome.verdict is Verdict.NOT_COMPLETED:
            return ChipStand.UNFINISHED if begun else None
        if outcome.why in _NOTHING_OF_IT:
            return None
        return ChipStand.UNFINISHED if begun else ChipStand.REFUSED

    def record_of(self, outcome: Outcome) -> Path:
        """Where the record of a run off a station is kept, beside the journals."""
        return self._records / f"{outcome.uid or 'none'}-{outcome.evidence['sha256'][:16]}.json"

    def _kept_by(self, intake: Intake) -> FileJournal:
        return self.journal if intake.gate is None else self.journal.of(intake.gate.card_id)

    def keep(
        self, outcome: Outcome, intake: Intake, stamp: Stamp, actor: str, tell: Callable[[], None] = lambda: None
    ) -> TrayCard | None:
        """Record, then fact, then the journal goes; gives the card as it is now, None off a station.

        `tell` is called before the journal goes. Raises StorageTrouble, and what `tell` raises; the journal stays then.
        """
        card, stand = None, self.stand_of(outcome, intake)
        if intake.gate is None and stand is not None:
            save_record(self.record_of(outcome), outcome.evidence)
        if intake.gate is not None and stand is not None and outcome.why is not Why.PROVED_BEFORE:
            kind = EventKind.CHIP_DEACTIVATED if outcome.done else EventKind.CHIP_NOT_DEACTIVATED
            body = {"uid": outcome.uid, "verdict": outcome.verdict.value, "why": outcome.why.value}
            fact = _fact(intake.gate, stand, kind, body, outcome.evidence)
            card = self._keep(fact, outcome.evidence, stamp, actor)
        tell()
        if outcome.why is Why.PROVED:
            witness = Witness(*outcome.witness, outcome.evidence["sha256"]) if outcome.witness else None
            self._kept_by(intake).erase(outcome.uid, witness)
        return card

    def keep_destroyed(self, intake: Intake, record: dict[str, Any], stamp: Stamp, actor: str) -> TrayCard | None:
        """The same for a chip that was punched on camera: `record` says how (canonical JSON with its `sha256`)."""
        if intake.gate is None:
            return None
        body = {"uid": intake.gate.uid, "verdict": "destroyed"}
        fact = _fact(intake.gate, ChipStand.DESTROYED, EventKind.CHIP_DESTROYED, body, record)
        card = self._keep(fact, record, stamp, actor)
        self._kept_by(intake).erase(intake.gate.uid)
        return card

    def _keep(self, fact: ChipFact, record: dict[str, Any], stamp: Stamp, actor: str) -> TrayCard | None:
        if self._ask is None or self._station is None:
            return None
        save_record(self._station.chips / f"{fact.card_id}-{fact.evidence[:8]}.json", record)
        return self._ask(lambda store: store.keep_chip_fact(fact, stamp, actor))

    def _seal(self, intake: Intake) -> Callable[[bytes], str] | None:
        ask, gate = self._ask, intake.gate
        if ask is None or gate is None:
            return None
        return lambda content: ask(lambda store: store.seal_chip_content(gate.card_id, content))


def _claiming(uid: str, store: Store) -> tuple[str, ...]:
    with store.ledger.reading() as connection:
        return tuple(cards_with(connection, (uid,))[uid])


def _fact(gate: ChipGate, stand: ChipStand, kind: EventKind, body: dict[str, Any], record: dict[str, Any]) -> ChipFact:
    simulated = bool(record["reader"]["simulated"])
    told = {"card": gate.card_id, "decision": gate.decision, "simulated": simulated, **body}
    return ChipFact(gate.card_id, stand, kind, told, hashed_bytes(record))
