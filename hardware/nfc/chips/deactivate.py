"""Switches one chip off, and proves it: finds the one chip, surveys it, runs the stages that are still due, proves.

The order is the same for every family, and every run starts from the top: what is as wanted already is not written
again, so a run that was torn anywhere is finished by the next one. "Deactivated" is said only after the proof of the
same run. Before the secrets and before each irreversible stage the journal is on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.chips import Family
from hardware.nfc.chips.classic import ClassicProcedure
from hardware.nfc.chips.evidence import Notes, Seal, make_record
from hardware.nfc.chips.journal import Entry, Journal
from hardware.nfc.chips.layout import FIRST_USER, LAYOUTS, PAGE
from hardware.nfc.chips.outcome import (
    IRREVERSIBLE,
    Method,
    Outcome,
    Progress,
    Refusal,
    Request,
    Stage,
    StopError,
    Verdict,
    Why,
)
from hardware.nfc.chips.policy import METHODS, judge
from hardware.nfc.chips.talk import ChipTalk
from hardware.nfc.chips.type2 import Type2Procedure
from hardware.nfc.exchange import CancelledError
from hardware.ports import NfcReader, NfcSighting

Procedure = Type2Procedure | ClassicProcedure

_POLL_S = 0.5
_MOST_SILENT = 3  # runs without an answer to a chip that was begun; after that nobody can tell what it holds
_MISSING = frozenset({Why.NEEDS_PASSWORD, Why.UNKNOWN_KEY})
"""What the issuer's secrets help against, when they were given to the run that began and not to this one."""
_COME_BACK = frozenset({Why.CHIP_GONE, Why.READER_LOST, Why.READER_SILENT, Why.CANCELLED})


@dataclass(frozen=True, slots=True)
class Means:
    """What a run needs beside the reader. `seal` encrypts what the chip held (None: a slow hash is kept instead)."""

    journal: Journal
    progress: Progress = lambda _stage, _number, _of: None
    seal: Seal | None = None
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


def deactivate(reader: NfcReader, request: Request, means: Means) -> Outcome:
    """Switch off the chip that lies on the reader. Never raises for what chips, line or reader do."""
    return _Run(reader, request, means).go(write=True)


def survey(reader: NfcReader, request: Request, means: Means) -> Outcome:
    """What `deactivate` would do: the same judgement and the plan, and nothing is written.

    Where nothing is in the way `why` is READY, and the verdict ALREADY or NOT_COMPLETED; else as `deactivate`.
    """
    return _Run(reader, request, means).go(write=False)


class _Run:
    """One run; keeps what the record needs, however it ends."""

    def __init__(self, reader: NfcReader, request: Request, means: Means) -> None:
        self._reader, self._request, self._means = reader, request, means
        self._notes = Notes()
        self._talk: ChipTalk | None = None
        self._procedure: Procedure | None = None
        self._earlier: Entry | None = None
        self._begun_uid = ""  # of two chips, the one that an earlier run began

    def go(self, write: bool) -> Outcome:
        try:
            verdict, why = self._go(write)
        except StopError as stop:
            verdict = Verdict.NOT_COMPLETED if stop.why in _COME_BACK else Verdict.PROOF_FAILED
            why = stop.why
            if write and why is Why.READER_SILENT and self._silent_again():
                verdict, why = Verdict.PROOF_FAILED, Why.STAYS_SILENT
            if stop.detail:
                self._notes.remarks.append(f"stopped: {stop.detail}")
        except DeviceError as trouble:
            verdict, why = Verdict.NOT_COMPLETED, _why_of(trouble)
            self._notes.remarks.append(f"stopped: {trouble.reason.value} {trouble.detail}".rstrip())
        return self._outcome(verdict, why)

    def _go(self, write: bool) -> tuple[Verdict, Why]:
        refusal = self._find() or self._survey(write)
        if refusal is not None and self._was_proved(refusal):
            return Verdict.ALREADY, Why.PROVED_BEFORE
        if refusal is not None:
            self._notes.refusal = refusal
            return self._verdict_of(refusal), refusal.why
        procedure = self._chosen
        self._notes.plan = procedure.plan()
        self._notes.remarks += procedure.remarks
        already = procedure.complete and self._earlier is None
        if not write:
            return (Verdict.ALREADY if already else Verdict.NOT_COMPLETED), Why.READY
        self._run_stages(procedure)
        proof = self._prove(procedure)
        if proof is not Why.PROVED:
            return Verdict.PROOF_FAILED, proof
        return (Verdict.ALREADY if already else Verdict.DEACTIVATED), Why.PROVED

    def _silent_again(self) -> bool:
        """Count a run in which the chip, not the reader, gave no answer; whether it was the last one worth trying."""
        sighting = self._notes.sighting
        entry = self._means.journal.load(_uid(sighting)) if sighting else None
        if entry is None or sighting is None or entry.family != sighting.family:
            return False  # nothing was begun
        self._means.journal.save(replace(entry, silent=entry.silent + 1))
        return entry.silent + 1 >= _MOST_SILENT

    def _verdict_of(self, refusal: Refusal) -> Verdict:
        """REFUSED says that the chip is as it was; of one that an earlier run began to write it is never said."""
        if refusal.why is Why.TWO_CHIPS:
            begun = [uid for uid in dict(refusal.details)["uids"].split() if self._means.journal.load(uid) is not None]
            self._begun_uid = begun[0] if len(begun) == 1 else ""
            return Verdict.NOT_COMPLETED if begun else Verdict.REFUSED
        if refusal.why is Why.KEYS_LOST:  # an earlier run wrote, and its password does not open
            return Verdict.PROOF_FAILED
        if self._earlier is None:
            return Verdict.REFUSED
        return Verdict.NOT_COMPLETED if refusal.why in _MISSING else Verdict.PROOF_FAILED

    @property
    def _chosen(self) -> Procedure:
        if self._procedure is None:
            raise ValueError("no chip was surveyed")
        return self._procedure

    def _find(self) -> Refusal | None:
        """The one chip in the field, if it is the wanted one and its kind may be written."""
        self._means.progress(Stage.IDENTIFY, 0, 0)
        seen = self._reader.poll(_POLL_S)
        if len(seen) == 1 and seen[0].family == Family.UNKNOWN:
            seen = self._reader.poll(_POLL_S)  # a chip that is just being taken away is not known either
        if not seen:
            if self._request.uid is not None:
                raise StopError(Why.CHIP_GONE)
            return Refusal(Why.NO_CHIP)
        if len(seen) > 1:
            return Refusal(Why.TWO_CHIPS, details=(("uids", " ".join(_uid(s) for s in seen)),))
        self._notes.sighting = seen[0]
        wanted = self._request.uid
        if wanted is not None and wanted != seen[0].target.uid:
            return Refusal(Why.OTHER_CHIP, details=(("wanted", wanted.hex().upper()), ("there", _uid(seen[0]))))
        return judge(seen[0].family)

    def _survey(self, armed: bool) -> Refusal | None:
        sighting = self._notes.sighting
        if sighting is None:
            return Refusal(Why.NO_CHIP)
        uid, family = sighting.target.uid, Family(sighting.family)
        talk = self._talk = ChipTalk(self._reader, uid, self._means.clock, self._means.pause)
        earlier = self._means.journal.load(uid.hex().upper())
        self._earlier = earlier if earlier is not None and earlier.family == family else None
        talk.restart()
        if METHODS[family] is Method.KEYS:
            classic = self._procedure = ClassicProcedure(talk, family, uid, self._request, self._earlier)
            refusal = classic.survey()
        else:
            type_2 = self._procedure = Type2Procedure(talk, family, self._request, self._earlier)
            refusal = type_2.survey(armed)
        self._note_before(self._procedure, family)
        return refusal

    def _was_proved(self, refusal: Refusal) -> bool:
        """Whether a Classic that no key opens is one that an earlier run closed: its keys went with the proof.

        Its UID alone does not say so (four bytes are used more than once): nothing of everybody's may open it, either.
        """
        sighting, procedure = self._notes.sighting, self._procedure
        if refusal.why is not Why.UNKNOWN_KEY or sighting is None or not isinstance(procedure, ClassicProcedure):
            return False
        record = self._means.journal.proved(_uid(sighting))
        if not record:
            return False
        proof = self._notes.proof = procedure.prove_shut()
        self._notes.remarks.append(f"proved off by an earlier run, record {record}")
        return proof.why is Why.PROVED_BEFORE

    def _note_before(self, procedure: Procedure, family: Family) -> None:
        notes = self._notes
        if isinstance(procedure, ClassicProcedure):
            notes.content_before = procedure.before
        elif procedure.before is not None:
            layout, image = LAYOUTS[family], procedure.before.image
            user = slice(FIRST_USER * PAGE, (layout.last_user + 1) * PAGE)
            notes.content_before = image[user]
            notes.header_before = (image[: user.start] + image[user.stop :]).hex().upper()
            notes.signature, notes.counters = procedure.before.signature, procedure.before.counters

    def _run_stages(self, procedure: Procedure) -> None:
        due = {planned.stage for planned in self._notes.plan if planned.writes}
        if due:
            self._means.journal.save(procedure.entry())
        if isinstance(procedure, ClassicProcedure):
            procedure.on_irreversible(self._means.journal.save)
        planned = [step.stage for step in self._notes.plan]
        for stage, run in procedure.stages():
            if stage in IRREVERSIBLE and stage in due and stage is not Stage.KEYS:
                self._means.journal.save(procedure.entry().at(stage))
            if stage in planned:
                self._means.progress(stage, planned.index(stage) + 1, len(planned))
            run()

    def _prove(self, procedure: Procedure) -> Why:
        total = len(self._notes.plan)
        self._means.progress(Stage.PROOF, total, total)
        proof = self._notes.proof = procedure.prove()
        if isinstance(procedure, Type2Procedure):
            self._notes.image_after = procedure.final_image
        return proof.why

    def _outcome(self, verdict: Verdict, why: Why) -> Outcome:
        notes, request = self._notes, self._request
        if self._talk is not None:
            notes.spoken = self._talk.spoken
        sighting, refusal = notes.sighting, notes.refusal
        family = sighting.family if sighting else ""
        uid = _uid(sighting) if sighting else (request.uid.hex().upper() if request.uid else self._begun_uid)
        method = refusal.method if refusal else (self._procedure.method if self._procedure else Method.NONE)
        if verdict is Verdict.PROOF_FAILED:
            method = Method.PHYSICAL
        elif verdict is Verdict.NOT_COMPLETED and method is Method.PHYSICAL and self._procedure is not None:
            method = self._procedure.method
        made = Outcome(verdict, why, method, uid, family, notes.plan, refusal.details if refusal else ())
        record = make_record(self._reader, notes, verdict, why, dict(request.about), self._means.seal)
        return replace(made, evidence=record)


def _why_of(trouble: DeviceError) -> Why:
    if isinstance(trouble, CancelledError):
        return Why.CANCELLED
    return Why.READER_LOST if trouble.reason is DeviceReason.LOST else Why.READER_SILENT


def _uid(sighting: NfcSighting) -> str:
    return sighting.target.uid.hex().upper()
