"""The station's hands at the chips: what a session asks of the reader, done in the reader's thread, and what is kept.

Each run asks the gate anew. What came of it is on disk and in the chain before the session hears of it; a session that
has gone elsewhere meanwhile loses nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from app import __version__
from app.core.audit import Stamp
from app.core.chips import ChipCard, ChipEnd, ChipStand, PlannedStage
from app.core.errors import Trouble
from app.core.events import (
    CardChanged,
    ChipRunEnded,
    ChipsListed,
    ChipStageBegan,
    ChipSurveyed,
    Event,
    PunchShotTaken,
    SaveFailed,
)
from app.core.parcels import TrayCard
from app.core.readiness import RecMode, Surroundings
from app.station.clock import Clock
from app.station.station import Adjust
from app.station.switching import Intake, Switching
from app.station.tapping import Job, Tapping
from app.store.chips import Closed
from app.store.store import Store
from app.store.writer import StoreWriter
from hardware.deactivation import (
    MOST_SILENT,
    Outcome,
    Request,
    Stage,
    Why,
    canonical,
    deactivate,
    still_answers,
    survey,
)
from hardware.ports import NfcReader

_log = logging.getLogger(__name__)
_RECORD_VERSION = 2


@dataclass(frozen=True, slots=True)
class Bench:
    """What the work at the chips needs of the station: its clock, its surroundings, and where to say what happened.

    `note` writes into the running recording's chain; `after` is called when something was kept.
    """

    clock: Clock
    around: Callable[[], Surroundings]
    post: Callable[[Event], None]
    adjust: Adjust
    note: Callable[[str, dict[str, Any]], None]
    after: Callable[[], None]


class ChipWork:
    """Call it from the station's thread; it never blocks. `attach` the reader's loop before."""

    def __init__(self, switching: Switching, store: StoreWriter, bench: Bench) -> None:
        self._switching, self._store, self._bench = switching, store, bench
        self._tapping: Tapping | None = None
        self._lay: Callable[[str], None] = lambda _uid: None
        self._aside: frozenset[str] = frozenset()

    def attach(self, tapping: Tapping | None) -> None:
        """This loop owns the reader from now on."""
        self._tapping = tapping

    def on_lay(self, lay: Callable[[str], None]) -> None:
        """A rehearsal's hand: `lay(uid)` puts that card on the simulated reader."""
        self._lay = lay

    def lay(self, uid: str) -> None:
        self._lay(uid)

    def put_aside(self, card_id: str) -> None:
        """A torn card that others may go before, until the station starts anew."""
        self._aside |= {card_id}

    def count(self) -> None:
        """Bring the number of waiting chips in the surroundings up to now."""
        self._list(lambda _cards: None)

    def list_cards(self) -> None:
        """Tell the session which chips wait."""
        self._list(lambda cards: self._bench.post(ChipsListed(cards)))

    def survey(self, card: ChipCard) -> None:
        """Say what would be written to a card's chip that lies on the reader."""
        gone = ChipSurveyed(card.card_id, (), f"why.{Why.READER_LOST.value}")
        self._ask(lambda reader: self._survey(reader, card), lambda: self._bench.post(gone))

    def switch_off(self, card: ChipCard, actor: str, tapped: bool = False) -> None:
        """Switch off the chip of a card that lies on the reader. `tapped`: a moment ago it did, so it is not mute."""
        gone = ChipEnd(card.card_id, card.stand, "not-completed", f"why.{Why.READER_LOST.value}")
        self._ask(
            lambda reader: self._switch_off(reader, card, actor, tapped), lambda: self._bench.post(ChipRunEnded(gone))
        )

    def mark_punch(self, card: ChipCard, no: int) -> None:
        """Write a still of a chip that is punched into the recording's chain."""
        t_video_us = self._bench.around().rec.elapsed_us
        body = {"card": card.card_id, "uid": card.uid, "no": no, "t_video_us": t_video_us}
        self._bench.note("chip.punch", body)
        self._bench.post(PunchShotTaken(card.card_id, no, t_video_us))

    def prove_destroyed(self, card: ChipCard, recording_id: str, shots: tuple[int, ...], actor: str) -> None:
        """Look three times whether a chip answers; when none does, keep the record of the punched one."""
        gone = ChipEnd(card.card_id, card.stand, "not-completed", f"why.{Why.READER_LOST.value}")
        filmed = {"recording": recording_id, "before_us": shots[0], "after_us": shots[-1]}
        self._ask(
            lambda reader: self._prove_destroyed(reader, card, filmed, actor),
            lambda: self._bench.post(ChipRunEnded(gone)),
        )

    # In the store's thread

    def _list(self, tell: Callable[[tuple[ChipCard, ...]], None]) -> None:
        def listed(cards: tuple[ChipCard, ...]) -> None:
            self._bench.adjust(lambda around: replace(around, chips=len(cards)))
            tell(cards)

        def refused(trouble: Trouble) -> None:
            self._bench.post(SaveFailed(trouble.code, trouble.detail))

        self._store.submit(self._waiting, listed, refused)

    def _waiting(self, store: Store) -> tuple[ChipCard, ...]:
        """The waiting cards; one whose run was cut off before anything could be told of it is unfinished, too."""
        return tuple(self._as_kept(card) for card in store.waiting_chips())

    def _as_kept(self, card: ChipCard) -> ChipCard:
        journal = self._switching.journal.of(card.card_id)
        if card.stand is ChipStand.DESTROY:
            return replace(card, mute=journal.silent(card.uid) >= MOST_SILENT)
        torn = card.stand is ChipStand.UNFINISHED or journal.begun(card.uid)
        return replace(card, stand=ChipStand.UNFINISHED, aside=card.card_id in self._aside) if torn else card

    # In the reader's thread

    def _ask(self, run: Callable[[NfcReader], None], gone: Callable[[], None]) -> None:
        if self._tapping is None:
            gone()
            return
        self._tapping.ask(Job(run, gone))

    def _stamp(self) -> Stamp:
        return self._bench.clock.stamp(self._bench.around().sync.clock_offset_ms or 0)

    def _survey(self, reader: NfcReader, card: ChipCard) -> None:
        try:
            intake = self._switching.let_through(card.card_id, self._stamp(), simulated=reader.info.simulated)
            if isinstance(intake, Closed):
                self._bench.post(ChipSurveyed(card.card_id, (), f"gate.{intake.value}"))
                return
            means = self._switching.means(intake, lambda _stage, _number, _of: None, self._stamp)
            outcome = survey(reader, Request(bytes.fromhex(card.uid), ""), means)
        except Trouble as trouble:
            self._bench.post(SaveFailed(trouble.code, trouble.detail))
            return
        why = "" if outcome.why is Why.READY else f"why.{outcome.why.value}"
        self._bench.post(ChipSurveyed(card.card_id, planned(outcome), why))

    def _switch_off(self, reader: NfcReader, card: ChipCard, actor: str, tapped: bool) -> None:
        try:
            end, kept = self._run(reader, card, actor, tapped)
        except Trouble as trouble:
            # The record could not be kept: whatever the chip says, the run does not count, and the journal stays.
            _log.error("chip: %s", trouble.code)
            self._bench.post(SaveFailed(trouble.code, trouble.detail))
            end = ChipEnd(card.card_id, ChipStand.UNFINISHED, "not-completed", "why.not-kept", begun=True)
            kept = None
        self._tell(end, kept)

    def _run(self, reader: NfcReader, card: ChipCard, actor: str, tapped: bool) -> tuple[ChipEnd, TrayCard | None]:
        intake = self._switching.let_through(card.card_id, self._stamp(), simulated=reader.info.simulated)
        if isinstance(intake, Closed):
            return ChipEnd(card.card_id, card.stand, "refused", f"gate.{intake.value}"), None
        rec = self._bench.around().rec
        filmed = {"recording": rec.recording_id, "t_video_us": rec.elapsed_us} if rec.mode is RecMode.ON else None
        if filmed:
            self._bench.note("chip.begin", {"card": card.card_id, "uid": card.uid, "t_video_us": rec.elapsed_us})
        request = Request(bytes.fromhex(card.uid), self._text(card), about=self._about(intake, filmed, actor))
        means = self._switching.means(intake, self._progress(card), self._stamp)
        outcome = deactivate(reader, request, means, last_look=not tapped)
        kept = self._switching.keep(outcome, intake, self._stamp(), actor)
        if filmed:
            told = {"card": card.card_id, "verdict": outcome.verdict.value, "evidence": outcome.evidence["sha256"]}
            self._bench.note("chip.end", {**told, "t_video_us": self._bench.around().rec.elapsed_us})
        stand = self._switching.stand_of(outcome, intake)
        begun = stand is ChipStand.UNFINISHED
        gate = dict(outcome.details).get("gate", "") if outcome.why is Why.GATE_CLOSED else ""
        why, silent = f"gate.{gate}" if gate else f"why.{outcome.why.value}", (outcome.silent, MOST_SILENT)
        return ChipEnd(
            card.card_id, stand or card.stand, outcome.verdict.value, why, outcome.details, begun, *silent
        ), kept

    def _about(self, intake: Intake, filmed: dict[str, Any] | None, actor: str) -> tuple[tuple[str, Any], ...]:
        stamp = self._stamp()
        told = {**intake.about(), "app": f"cardintake {__version__}", "operator": actor, "at_wall_us": stamp.wall_us}
        return tuple((told | {"filmed": filmed or "no"}).items())

    def _text(self, card: ChipCard) -> str:
        """What the chip will say; no personal data, and no more of the card than its record's beginning."""
        day = self._bench.clock.day()
        return f"VOID deactivated {day} {card.card_id[:8]}"

    def _progress(self, card: ChipCard) -> Callable[[Stage, int, int], None]:
        return lambda stage, number, of: self._bench.post(ChipStageBegan(card.card_id, stage.value, number, of))

    def _prove_destroyed(self, reader: NfcReader, card: ChipCard, filmed: dict[str, Any], actor: str) -> None:
        answered = still_answers(reader)
        if answered:
            why, details = "why.still-answers", (("there", " ".join(answered)),)
            self._tell(ChipEnd(card.card_id, ChipStand.DESTROY, "still-answers", why, details), None)
            return
        try:
            simulated = reader.info.simulated
            intake = self._switching.let_through(card.card_id, self._stamp(), simulated=simulated, punch=True)
            if isinstance(intake, Closed):
                self._tell(ChipEnd(card.card_id, card.stand, "refused", f"gate.{intake.value}"), None)
                return
            about = dict(self._about(intake, filmed, actor))
            record = _destruction(reader, card, about, self._switching.journal.of(card.card_id).runs(card.uid))
            kept = self._switching.keep_destroyed(intake, record, self._stamp(), actor)
        except Trouble as trouble:
            self._bench.post(SaveFailed(trouble.code, trouble.detail))
            self._tell(ChipEnd(card.card_id, ChipStand.DESTROY, "not-completed", "why.not-kept"), None)
            return
        self._bench.note("chip.destroyed", {"card": card.card_id, "uid": card.uid, "evidence": record["sha256"]})
        self._tell(ChipEnd(card.card_id, ChipStand.DESTROYED, "destroyed", "why.destroyed"), kept)

    def _tell(self, end: ChipEnd, kept: TrayCard | None) -> None:
        self._bench.post(ChipRunEnded(end))
        if kept is not None:
            self._bench.post(CardChanged(kept))
            self._bench.after()
        self.count()


def planned(outcome: Outcome) -> tuple[PlannedStage, ...]:
    """A plan as the screen shows it."""
    return tuple(PlannedStage(step.stage.value, step.writes, step.irreversible) for step in outcome.plan)


def _destruction(
    reader: NfcReader, card: ChipCard, about: dict[str, Any], runs: tuple[dict[str, Any], ...] | None
) -> dict[str, Any]:
    """The record of a punched chip, with the SHA-256 of the rest of it. `runs`: those that were begun on it before.

    None where their journal cannot be read.
    """
    info = reader.info
    who = {"name": info.name, "firmware": reader.firmware, "port": info.address, "simulated": info.simulated}
    record: dict[str, Any] = {
        "v": _RECORD_VERSION,
        "kind": "chip.destruction",
        "about": about,
        "reader": who,
        "chip": {"uid": card.uid, "family": card.family},
        "looks_without_an_answer": 3,
        "positive_control": "none",  # that this reader sees a chip at all was not tried at this moment
        "earlier_runs": list(runs or ()),
        "journal": "whole" if runs is not None else "unreadable",
        "verdict": "destroyed",
    }
    record["sha256"] = hashlib.sha256(canonical(record)).hexdigest()
    return record
