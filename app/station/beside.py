"""The label camera: filmed beside the overhead one, by a recorder of its own. No session waits for it.

A parcel goes on without it; what it did not film is told by its recording's chain, by the overhead one's, and in the
strip. Its recordings have a chain and keys of their own, and are closed, kept, brought and looked at like any other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from app.core.audit import Stamp
from app.core.errors import Trouble
from app.core.events import DeviceLost, Event, RecordingBegan, RecordingCut, RecordingResumed, SaveFailed
from app.core.footage import LABEL
from app.core.readiness import LabelFacts, Surroundings
from app.core.states import Faulted, Idle, Opening, Paused, Sealing, SignedOut, State
from app.evidence.together import BESIDE
from app.evidence.writer import RESERVE
from app.recorder import protocol as told
from app.reserve import OWN_RESERVE_BYTES
from app.station.clock import Clock
from app.station.filming import Filming
from app.station.insisting import Insisting
from app.station.link import ProgramPlan
from app.station.station import Adjust
from app.store.results import Recording
from app.store.store import Store
from app.store.writer import StoreWriter

T = TypeVar("T")
_log = logging.getLogger(__name__)

BESIDE_CUT, BESIDE_RESUMED = f"{BESIDE}-cut", f"{BESIDE}-resumed"
"""More events in the overhead recording's chain: that the other one broke off, and that it goes on."""

Note = Callable[[str, dict[str, Any], str], None]


@dataclass(frozen=True, slots=True)
class BesidePlan:
    """How the label camera's recorder is started, where recordings lie, and whether they are a rehearsal's."""

    program: ProgramPlan
    recordings: Path
    rehearsal: bool


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Beside which recording of which parcel; who began it, and when."""

    overhead: told.Start
    parcel_id: str
    stamp: Stamp
    actor: str


class Beside:
    """Drives it. `note` writes an event into the overhead recording's chain; `adjust` changes the surroundings."""

    def __init__(
        self, plan: BesidePlan, store: StoreWriter, insisting: Insisting, clock: Clock, adjust: Adjust, note: Note
    ) -> None:
        self._plan, self._store, self._clock, self._note = plan, store, clock, note
        self._insisting = insisting
        self._adjust = adjust
        self._camera = ""
        self._out = True  # cards are taken in, as far as anybody knows
        self._wanted: _Wanted | None = None  # what is to be recorded now
        self._later: list[told.Start] = []  # begun before and never closed: each is finished when nothing runs
        self._filming = Filming(plan.program, self._hear, _seen_as_label(adjust), clock, LABEL, self._said_first)
        self._filming.on_closed(self._closed)

    def start(self) -> None:
        """Start the program, and finish what an earlier one left behind."""
        self._filming.start()
        self._ask(self._left_behind, self._finish_later)

    def stop(self, end_program: bool = True) -> None:
        """End the link and the program, which closes what it records."""
        self._filming.stop(end_program)

    def open_camera(self, address: str) -> None:
        """Film with this camera from now on."""
        self._camera = address
        self._filming.open_camera(address)

    def show(self, state: State, _around: Surroundings) -> None:
        """Follow the session: while cards may lie about, a label is covered like one."""
        inner = state.back_to if isinstance(state, Paused) else state
        out = not isinstance(inner, SignedOut | Idle | Opening | Sealing | Faulted)
        if out != self._out:
            self._out = out
            self._filming.tell(told.CardsOut(out))

    def begin(self, overhead: told.Start, parcel_id: str, stamp: Stamp, actor: str) -> None:
        """Record beside this recording (in the store's thread): go on with what was begun for the parcel, or anew."""
        if self._wanted is not None and self._wanted.parcel_id == parcel_id:
            self._tell_of(self._filming.recording_id)  # the overhead recording is another one now
            return
        if not self._camera:
            return
        self._wanted = _Wanted(overhead, parcel_id, stamp, actor)
        if not self._filming.recording_id:  # else when that is closed: its hash is wanted
            self._begin(self._wanted)

    def end(self, reason: str) -> None:
        """Close what is recorded; nobody waits for it."""
        self._wanted = None
        if self._filming.recording_id:
            self._filming.end(self._filming.recording_id, reason)

    def _begin(self, wanted: _Wanted) -> None:
        parcel_id, camera = wanted.parcel_id, self._camera

        def prepare(store: Store) -> told.Start:
            still_open = [one for one in store.unclosed_recordings() if (one.parcel_id, one.role) == (parcel_id, LABEL)]
            if not still_open:
                made = store.new_recording(str(uuid4()), parcel_id, wanted.stamp, wanted.actor, LABEL)
                still_open = [made]
            meta = {**wanted.overhead.meta, "role": LABEL, "beside": wanted.overhead.recording_id}
            return self._start_message(replace(wanted.overhead, camera=camera, meta=meta), still_open[-1], store)

        def begin(start: told.Start) -> None:
            if self._wanted is wanted:  # the parcel may be over by now
                self._filming.begin(start)
            else:
                self._finish_later([start])

        self._ask(prepare, begin)

    def _start_message(self, pattern: told.Start, known: Recording, store: Store) -> told.Start:
        """As the overhead one is begun, with this recording's own keys, chain and small reserve."""
        return replace(
            pattern,
            recording_id=known.recording_id,
            recording_key=known.key.hex(),
            previous_hash=store.last_recording_hash(LABEL),
            reserve=str(self._plan.recordings / known.recording_id / RESERVE),
            reserve_bytes=OWN_RESERVE_BYTES,
        )

    def _left_behind(self, store: Store) -> list[told.Start]:
        """Recordings of parcels that are over, which nobody closed: the program or the machine was away then."""
        parcel = store.unfinished_parcel()
        present = parcel.parcel_id if parcel else ""
        vault = store.centre.vault_certificate()
        pattern = told.Start(
            "", str(self._plan.recordings), self._camera, "", store.signing_seed.hex(), "", self._plan.rehearsal,
            {"station": store.station, "role": LABEL}, True, vault.key_id, vault.public_key,
        )  # fmt: skip
        left = [one for one in store.unclosed_recordings() if one.role == LABEL and one.parcel_id != present]
        return [self._start_message(pattern, one, store) for one in left]

    def _finish_later(self, left: list[told.Start]) -> None:
        self._later += left
        self._finish_one()

    def _finish_one(self) -> None:
        """Encode what the next unfinished one left in its ring and close it; not while another is recorded."""
        if self._later and not self._filming.recording_id and self._wanted is None:
            start = self._later.pop(0)
            self._filming.begin(replace(start, camera=self._camera or start.camera))
            self._filming.end(start.recording_id, "recovered")

    def _hear(self, event: Event) -> None:
        """What would stop hands is only told here. It comes in the link's thread."""
        match event:
            case RecordingBegan(recording_id, _):
                self._tell_of(recording_id)
                self._tell("")
            case RecordingCut(code, _):
                _log.error("label camera: %s", code)
                self._note(BESIDE_CUT, {"recording": self._filming.recording_id, "code": code}, "")
                self._tell(code)
            case RecordingResumed(gap_us):
                self._note(BESIDE_RESUMED, {"recording": self._filming.recording_id, "gap_us": gap_us}, "")
                self._tell("")
            case SaveFailed("recorder.not_closed", recording_id):
                self._filming.end(recording_id, "sealed")
            case DeviceLost(_, code):
                self._tell(code)

    def _tell_of(self, recording_id: str) -> None:
        """Name this recording in the overhead one's chain, once."""
        if recording_id:
            self._note(BESIDE, {"recording": recording_id, "role": LABEL}, recording_id)

    def _tell(self, code: str) -> None:
        self._adjust(lambda around: replace(around, label=replace(around.label, code=code)))

    def _closed(self, closed: told.RecordingClosed) -> None:
        """Write it down. What was wanted meanwhile begins now, and what ended by itself goes on in another recording,
        unless the disk ended it.
        """
        stamp, disk = self._clock.stamp(), closed.reason.startswith("disk_")

        def close(store: Store) -> int:
            return store.close_recording(closed.recording_id, closed.head, closed.root, closed.frames, stamp, "")

        def go_on(_seq: int) -> None:
            if self._wanted is not None and not disk and not self._filming.recording_id:
                self._begin(self._wanted)
            self._finish_one()

        def refused(trouble: Trouble) -> None:
            self._refused(trouble)
            self._finish_one()

        self._tell(f"recorder.{closed.reason}" if disk else "")
        self._insisting.write(f"close {closed.recording_id}", close, go_on, refused)

    def _said_first(self) -> list[told.ToRecorder]:
        return [told.CardsOut(self._out)]

    def _ask(self, work: Callable[[Store], T], done: Callable[[T], None]) -> None:
        self._store.submit(work, done, self._refused)

    def _refused(self, trouble: Trouble) -> None:
        _log.error("label camera: %s", trouble.code)
        self._tell(trouble.code)


def _seen_as_label(adjust: Adjust) -> Adjust:
    """What the recorder's words change of camera and recording is changed of the label camera's."""

    def adjust_label(change: Callable[[Surroundings], Surroundings]) -> None:
        def change_label(around: Surroundings) -> Surroundings:
            label = around.label
            changed = change(replace(around, camera=label.camera, rec=label.rec))
            return replace(around, label=LabelFacts(changed.camera, changed.rec, label.code))

        adjust(change_label)

    return adjust_label
