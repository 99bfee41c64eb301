"""One accepted card's chip, from the centre's word to the fact in the chain: gate, run, record, journal.

The order at the end matters: the record is on disk first, then the fact is in the chain, and only then the journal,
which could still finish a torn chip, is erased. Elsewhere than on a station there is no gate, and the record says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.audit import EventKind, Stamp
from app.paths import StationFolder
from app.station.chip_files import FileJournal, save_record
from app.store.chips import ChipGate, Closed
from app.store.store import Store
from hardware.deactivation import Means, Outcome, Progress


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

    def __init__(self, store: Store | None, station: StationFolder | None, journals: Path) -> None:
        """`journals` is used off a station only."""
        self._store = store
        self._station = station
        self._journal = FileJournal(journals if station is None else station.chips / "journal")

    def let_through(self, card_id: str, stamp: Stamp) -> Intake | Closed:
        """The intake of a card's chip; why not, when the centre's decision does not hold for it now."""
        if self._store is None:
            return Intake(None)
        gate = self._store.chip_gate(card_id, stamp)
        return Intake(gate) if isinstance(gate, ChipGate) else gate

    def means(self, intake: Intake, progress: Progress) -> Means:
        """What a run needs. On a station the chip's old content is sealed to the vault, like a card number."""
        return Means(self._journal, progress, self._seal(intake))

    def keep(self, outcome: Outcome, intake: Intake, stamp: Stamp, actor: str) -> None:
        """Record, then fact, then the journal goes. Raises StorageTrouble; the journal stays then."""
        gate = intake.gate
        if self._store is not None and self._station is not None and gate is not None:
            sha256 = outcome.evidence["sha256"]
            save_record(self._station.chips / f"{gate.card_id}-{sha256[:8]}.json", outcome.evidence)
            kind = EventKind.CHIP_DEACTIVATED if outcome.done else EventKind.CHIP_NOT_DEACTIVATED
            body = {"card": gate.card_id, "uid": outcome.uid, "verdict": outcome.verdict.value}
            body |= {"why": outcome.why.value, "evidence": sha256, "decision": gate.decision}
            self._store.record(kind, body, stamp, actor)
        if outcome.done:
            self._journal.erase(outcome.uid)

    def _seal(self, intake: Intake) -> Callable[[bytes], str] | None:
        store, gate = self._store, intake.gate
        if store is None or gate is None:
            return None
        return lambda content: store.seal_chip_content(gate.card_id, content)
