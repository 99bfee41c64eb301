"""Switches one chip off, and proves it: finds the one chip, surveys it, runs the stages that are still due, proves.

The order is the same for every family, and every run starts from the top: what is as wanted already is not written
again, so a run that was torn anywhere is finished by the next one. "Deactivated" is said only after the proof of the
same run. Before the secrets and before each irreversible stage the journal is on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.chips import Family
from hardware.nfc.chips.classic import ClassicProcedure
from hardware.nfc.chips.evidence import CUT_OFF, Notes, Seal, make_record, make_survey, told, with_run
from hardware.nfc.chips.journal import DamagedError, Entry, Journal
from hardware.nfc.chips.layout import FIRST_USER, LAYOUTS, PAGE
from hardware.nfc.chips.outcome import (
    MOST_SILENT,
    Method,
    Outcome,
    Progress,
    Refusal,
    Request,
    Stage,
    StopError,
    Unproved,
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
_MISSING = frozenset({Why.NEEDS_PASSWORD, Why.UNKNOWN_KEY, Why.GATE_CLOSED})
"""What another run may have that this one has not: the issuer's secrets, or the leave to write."""
_LOST = frozenset({Why.KEYS_LOST, Why.JOURNAL_DAMAGED})
_COME_BACK = frozenset({Why.CHIP_GONE, Why.READER_LOST, Why.READER_SILENT, Why.CANCELLED})


@dataclass(frozen=True, slots=True)
class Means:
    """What a run needs beside the reader. `seal` encrypts what the chip held (None: a slow hash is kept instead).

    `known_off`: whether a chip that an earlier run finished may be the one that is meant. Where a record is kept for
    each card, and none says that this card's chip is off, such a chip is another card's, or not our work. `closed` is
    asked right before a run's first write, since a card may have been awaited for long: why not, "" when it may go on.

    `reader_hangs` is called as soon as the reader is given up, before anything is kept: within two seconds of its last
    answer, however slow the disk is.
    """

    journal: Journal
    progress: Progress = lambda _stage, _number, _of: None
    seal: Seal | None = None
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    known_off: bool = True
    reader_hangs: Callable[[], None] = lambda: None
    closed: Callable[[], str] = lambda: ""


def deactivate(reader: NfcReader, request: Request, means: Means, *, last_look: bool = True) -> Outcome:
    """Switch off the chip that lies on the reader. Never raises for what chips, line or reader do.

    Whoever looks again and again for a card says with which look the waiting ends (`last_look`): only that one counts
    as a run in which the chip did not answer.
    """
    return _Run(reader, request, means, write=True, last_look=last_look).go()


def survey(reader: NfcReader, request: Request, means: Means, *, last_look: bool = True) -> Outcome:
    """What `deactivate` would do: the same judgement and the plan, and nothing is written.

    Where nothing is in the way `why` is READY, and the verdict LOOKS_OFF or NOT_COMPLETED; else as `deactivate`. It is
    never `done`, and what it saw is no record.
    """
    return _Run(reader, request, means, write=False, last_look=last_look).go()


class _Run:
    """One run; keeps what the record needs, however it ends."""

    def __init__(self, reader: NfcReader, request: Request, means: Means, *, write: bool, last_look: bool) -> None:
        self._reader, self._request, self._means = reader, request, means
        self._write, self._last_look = write, last_look
        self._notes = Notes(meant=request.uid.hex().upper() if request.uid else "")
        self._talk: ChipTalk | None = None
        self._procedure: Procedure | None = None
        self._kept: Entry | None = None  # what the journal holds of this UID
        self._earlier: Entry | None = None  # the same, where it can be of this chip
        self._past: tuple[dict[str, Any], ...] = ()
        self._silent = 0
        self._begun_uid = ""  # of two chips, the one that an earlier run began

    def go(self) -> Outcome:
        try:
            verdict, why = self._go(self._write)
            self._answered()
        except StopError as stop:
            verdict, why = self._stopped(stop)
        except DeviceError as trouble:
            verdict, why = Verdict.NOT_COMPLETED, _why_of(trouble)
            if why is Why.READER_SILENT:
                self._means.reader_hangs()
            self._notes.remarks.append(f"stopped: {trouble.reason.value} {trouble.detail}".rstrip())
        return self._outcome(verdict, why)

    def _stopped(self, stop: StopError) -> tuple[Verdict, Why]:
        if stop.detail:
            self._notes.remarks.append(f"stopped: {stop.detail}")
        absent = stop.why is Why.CHIP_GONE and self._notes.sighting is None
        if absent or (stop.why is Why.READER_SILENT and self._kept is not None):
            if (self._last_look or not absent) and self._silent_again():
                begun = self._means.journal.begun(self._uid)
                return (Verdict.PROOF_FAILED if begun else Verdict.REFUSED), Why.STAYS_SILENT
        elif stop.why is not Why.READER_SILENT:
            self._answered()
        return (Verdict.NOT_COMPLETED if stop.why in _COME_BACK else Verdict.PROOF_FAILED), stop.why

    def _go(self, write: bool) -> tuple[Verdict, Why]:
        refusal = self._find() or self._survey(write)
        if refusal is not None and self._was_proved(refusal):
            return (Verdict.ALREADY if write else Verdict.LOOKS_OFF), Why.PROVED_BEFORE
        if refusal is not None:
            self._notes.refusal = refusal
            return self._verdict_of(refusal), refusal.why
        procedure = self._chosen
        self._notes.plan = procedure.plan()
        self._notes.remarks += procedure.remarks
        already = procedure.complete and self._earlier is None
        if already and not self._means.known_off:
            self._notes.refusal = Refusal(Why.OFF_UNEXPLAINED, Method.PHYSICAL)
            return Verdict.REFUSED, Why.OFF_UNEXPLAINED
        if already and LAYOUTS[Family(self._family)].config is not None:
            self._notes.not_proved = (Unproved.PASSWORD,)
        if not write:
            return (Verdict.LOOKS_OFF if already else Verdict.NOT_COMPLETED), Why.READY
        if closed := self._means.closed():
            self._notes.refusal = Refusal(Why.GATE_CLOSED, details=(("gate", closed),))
            return self._verdict_of(self._notes.refusal), Why.GATE_CLOSED
        self._run_stages(procedure)
        proof = self._prove(procedure)
        if proof is not Why.PROVED:
            return Verdict.PROOF_FAILED, proof
        if isinstance(procedure, ClassicProcedure) and procedure.witness:
            kept = f"key B of sector {procedure.witness[0]} is kept to tell this chip from another with its UID"
            self._notes.remarks.append(f"{kept}; nothing can be read or written with it")
        return (Verdict.ALREADY if already else Verdict.DEACTIVATED), Why.PROVED

    def _silent_again(self) -> bool:
        """Count a run in which the chip, not the reader, gave no answer; whether it was the last one worth trying."""
        if not self._write:
            return False
        uid = self._uid
        self._silent = self._means.journal.silent(uid) + 1
        self._means.journal.count_silent(uid, self._silent)
        return self._silent >= MOST_SILENT

    def _answered(self) -> None:
        """The chip that was meant answered, whatever it said: what was counted is over, unless it was counted now."""
        sighting = self._notes.sighting
        meant = sighting is not None and self._request.uid in (None, sighting.target.uid)
        if self._write and meant and not self._silent and self._means.journal.silent(self._uid):
            self._means.journal.count_silent(self._uid, 0)

    def _verdict_of(self, refusal: Refusal) -> Verdict:
        """REFUSED says that the chip is as it was; of one that an earlier run began to write it is never said."""
        if refusal.why is Why.TWO_CHIPS:
            lying, journal = dict(refusal.details)["uids"].split(), self._means.journal
            begun = [uid for uid in lying if journal.begun(uid) or uid in journal.unfinished()]
            self._begun_uid = begun[0] if len(begun) == 1 else ""
            return Verdict.NOT_COMPLETED if begun else Verdict.REFUSED
        if refusal.why is Why.NO_CHIP and refusal.details:  # one of those may lie there and not answer
            return Verdict.NOT_COMPLETED
        if refusal.why in _LOST:  # an earlier run wrote, and what it wrote opens no more or is known to nobody
            return Verdict.PROOF_FAILED
        if self._kept is None:
            return Verdict.REFUSED
        if self._earlier is None:  # it was begun, and says now that it is of another kind: a copy, or a disturbed field
            return Verdict.PROOF_FAILED if self._last_look and self._silent_again() else Verdict.NOT_COMPLETED
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
                self._load()  # nothing of a chip that is not there: it may be begun and silent
                raise StopError(Why.CHIP_GONE)
            begun = " ".join(self._means.journal.unfinished())
            return Refusal(Why.NO_CHIP, details=(("begun", begun),) if begun else ())
        if len(seen) > 1:
            return Refusal(Why.TWO_CHIPS, details=(("uids", " ".join(_uid(s) for s in seen)),))
        self._notes.sighting = seen[0]
        wanted = self._request.uid
        if wanted is not None and wanted != seen[0].target.uid:
            return Refusal(Why.OTHER_CHIP, details=(("wanted", wanted.hex().upper()), ("there", _uid(seen[0]))))
        refusal = self._load() or judge(seen[0].family)
        if refusal is None and self._kept is not None and self._kept.family != seen[0].family:
            return Refusal(Why.OTHER_MEMORY, Method.PHYSICAL)  # nothing overwrites what is kept of the other one
        return refusal

    def _load(self) -> Refusal | None:
        """What the journal holds of the chip; a refusal where that cannot be read any more."""
        try:
            self._kept = self._means.journal.load(self._uid)
        except DamagedError:
            return Refusal(Why.JOURNAL_DAMAGED, Method.PHYSICAL)
        self._past = self._kept.runs if self._kept is not None else ()
        return None

    def _survey(self, armed: bool) -> Refusal | None:
        sighting = self._notes.sighting
        if sighting is None:
            return Refusal(Why.NO_CHIP)
        uid, family = sighting.target.uid, Family(sighting.family)
        talk = self._talk = ChipTalk(self._reader, uid, self._means.clock, self._means.pause)
        self._earlier = self._kept
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

        Its UID does not say so (four bytes are used more than once): the one key that was kept has to open it.
        """
        procedure = self._procedure
        if refusal.why is not Why.UNKNOWN_KEY or not isinstance(procedure, ClassicProcedure):
            return False
        witnesses = self._means.journal.witnesses(self._uid)
        shut = procedure.prove_shut(witnesses, self._write) if witnesses else None
        if shut is None:
            return False
        witness, self._notes.proof = shut
        self._notes.remarks.append(f"proved off by an earlier run, record {witness.record}")
        self._notes.not_proved = (Unproved.OTHER_SECTORS,)
        if self._notes.proof.why is not Why.PROVED_BEFORE:
            raise StopError(Why.WRITES_ACCEPTED, "it opens again")
        return True

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
            self._keep(procedure.entry())
        procedure.on_irreversible(self._announce)
        planned = [step.stage for step in self._notes.plan]
        for stage, run in procedure.stages():
            if stage in planned:
                self._means.progress(stage, planned.index(stage) + 1, len(planned))
            run()

    def _announce(self, entry: Entry, stage: Stage, write: str) -> None:
        """Have the disk know what the run did so far and what it is about to do for ever."""
        self._notes.acts.append({"stage": stage.value, "write": write})
        self._keep(entry)

    def _keep(self, entry: Entry, verdict: str = CUT_OFF, why: str = "") -> None:
        """The entry with this run in it, which is cut off as long as it has not come to its end."""
        runs = with_run(self._past, self._told(verdict, why), wrote=True)
        self._kept = replace(entry, runs=runs)
        self._means.journal.save(self._kept)

    def _close(self, verdict: Verdict, why: Why) -> None:
        """How the run ended, where there will be another: a record is made of a proved one."""
        if self._kept is None or self._talk is None or not self._write or why is Why.PROVED:
            return
        wrote = bool(self._talk.writes)
        entry = self._procedure.entry() if self._procedure is not None and wrote else self._kept
        runs = with_run(self._past, self._told(verdict.value, why.value), wrote)
        self._means.journal.save(replace(entry, runs=runs))

    def _told(self, verdict: str, why: str) -> dict[str, Any]:
        if self._talk is not None:
            self._notes.spoken = self._talk.spoken
        return told(self._reader, self._notes, verdict, why, dict(self._request.about), self._means.seal)

    def _prove(self, procedure: Procedure) -> Why:
        total = len(self._notes.plan)
        self._means.progress(Stage.PROOF, total, total)
        proof = self._notes.proof = procedure.prove()
        if isinstance(procedure, Type2Procedure):
            self._notes.image_after = procedure.final_image
        return proof.why

    def _outcome(self, verdict: Verdict, why: Why) -> Outcome:
        notes, refusal = self._notes, self._notes.refusal
        self._close(verdict, why)
        method = refusal.method if refusal else (self._procedure.method if self._procedure else Method.NONE)
        if verdict is Verdict.PROOF_FAILED or why is Why.STAYS_SILENT:
            method = Method.PHYSICAL
        elif verdict is Verdict.NOT_COMPLETED and method is Method.PHYSICAL and self._kept is not None:
            method = METHODS[Family(self._kept.family)]
        proved = self._procedure if why is Why.PROVED else None
        said = self._told(verdict.value, why.value)
        return Outcome(
            verdict,
            why,
            method,
            self._uid,
            self._family,
            notes.plan,
            refusal.details if refusal else (),
            make_record(said, self._past) if self._write else make_survey(said),
            self._silent,
            notes.not_proved if verdict in (Verdict.ALREADY, Verdict.LOOKS_OFF) else (),
            proved.witness if isinstance(proved, ClassicProcedure) else None,
        )

    @property
    def _family(self) -> str:
        return self._notes.sighting.family if self._notes.sighting else ""

    @property
    def _uid(self) -> str:
        """Of the chip that lies there, else of the one that is meant."""
        wanted = self._request.uid.hex().upper() if self._request.uid else self._begun_uid
        return _uid(self._notes.sighting) if self._notes.sighting else wanted


def _why_of(trouble: DeviceError) -> Why:
    if isinstance(trouble, CancelledError):
        return Why.CANCELLED
    return Why.READER_LOST if trouble.reason is DeviceReason.LOST else Why.READER_SILENT


def _uid(sighting: NfcSighting) -> str:
    return sighting.target.uid.hex().upper()
