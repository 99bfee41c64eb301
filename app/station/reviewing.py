"""The review desk: answers what the review screen asks for, in threads of its own, from the store and the recordings.

One thread does what is asked, in order; another verifies, piece by piece, and lets go when something else is looked
at. Only supervisors are answered. Whatever leaves as a file has its event first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from app.core.audit import EventKind
from app.core.errors import BadInput, EvidenceTrouble, Trouble
from app.core.events import Event
from app.core.footage import OVERHEAD, UNCHECKED, Angle, Exported, FilmedCard, Footage, Hold, Lines, Moment, Pile, Proof
from app.core.parcels import Operator
from app.core.policy import Policy
from app.core.rulings import Ruled, Ruling, Second
from app.evidence.dossier import kept_back, make_dossier
from app.evidence.reader import DecryptedRecording
from app.evidence.still import still_at
from app.evidence.storage import footage_in
from app.evidence.stretch import Stretch
from app.evidence.timeline import FrameTimes, Timeline, read_timeline, with_stretches
from app.evidence.verify import Fault, Stopped, Trust, verify_recording
from app.platform import durable_write, private_folder
from app.station.angles import angle_of, card_from
from app.station.clock import Clock
from app.station.desk import Refusals, SupervisorsDesk
from app.station.dossiers import as_read_so_far, dossier_of
from app.store import disputes, leaks, rulings, samples
from app.store.footage import KnownRecording
from app.store.governing import policy_of
from app.store.rotating import key_at, recording_key
from app.store.store import Store
from app.store.writer import StoreWriter
from app.wire import Centre

_log = logging.getLogger(__name__)
T = TypeVar("T")

_REFUSALS = Refusals("review.not_allowed", "review.cannot_read")
_TELL_EVERY_S = 0.1
_BREATH_S = 0.002
"""After each fragment the verifier rests so long: what is on the screen comes first."""


@dataclass(frozen=True, slots=True, repr=False)
class _Opened:
    """A recording that is looked at. Holds its key, so it does not print."""

    folder: Path
    key: bytes
    timeline: Timeline
    frames: FrameTimes


class Reviewing:
    """Implements `app.core.footage.ReviewDesk` for one station. `on_bug` is told of bugs in its threads.

    Rights are looked up anew at each act: `post` hears it when a supervisor signed in is none any more.
    """

    def __init__(
        self,
        store: StoreWriter,
        recordings: Path,
        exports: Path,
        clock: Clock,
        on_bug: Callable[[Exception], None],
        post: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        self._store, self._recordings, self._exports = store, recordings, exports
        self._clock, self._on_bug = clock, on_bug
        self._opened: dict[str, _Opened] = {}
        self._desk = SupervisorsDesk("review", _REFUSALS, store, clock, on_bug, post)
        self._checking: _Checking | None = None

    def start(self) -> None:
        self._desk.start()

    def stop(self) -> None:
        """End both threads, after what was asked for before."""
        self._desk.do(self._drop_check)
        self._desk.stop()

    # What the screen asks for

    def lines(self, who: Operator, pile: Pile, query: str, tell: Callable[[Lines | Trouble], None]) -> None:
        stamp = self._clock.stamp()

        def look(store: Store) -> Lines:
            governed = policy_now(store)
            samples.draw_due(store.ledger, governed.shares, stamp)
            return replace(store.footage_lines(pile, query, stamp.wall_us), policy=governed.review)

        self._desk.answer(who, lambda: self._ask(look), tell)

    def footage(self, who: Operator, recording_id: str, tell: Callable[[Footage | Trouble], None]) -> None:
        self._desk.answer(who, lambda: self._footage(recording_id), tell)

    def film(self, recording_id: str, part: int) -> BinaryIO | None:
        opened = self._opened.get(recording_id)
        if opened is None:
            return None
        found = next((one for one in opened.timeline.ledger.parts if one.number == part), None)
        if found is None or not (opened.folder / found.file).is_file():
            return None
        return cast(BinaryIO, DecryptedRecording(opened.folder, opened.key, found))

    def frame_times(self, recording_id: str, at_us: int) -> tuple[int, ...]:
        opened = self._opened.get(recording_id)
        return opened.frames.around(at_us) if opened else ()

    def verify(self, recording_id: str, tell: Callable[[Proof], None]) -> None:
        def begin() -> None:
            self._drop_check()
            opened = self._opened.get(recording_id)
            if opened is not None:
                keys = self._ask(lambda store: (recording_key(store.ledger, recording_id), _root_of(store.centre)))
                self._checking = _Checking(opened, recording_id, keys, tell, self._on_bug)
                self._checking.start()

        self._desk.do(begin)

    def still(self, who: Operator, recording_id: str, at_us: int, tell: Callable[[Exported | Trouble], None]) -> None:
        self._desk.answer(who, lambda: self._still(who, recording_id, at_us), tell)

    def dossier(
        self, who: Operator, recording_id: str, card_id: str, tell: Callable[[Exported | Trouble], None]
    ) -> None:
        self._desk.answer(who, lambda: self._dossier(who, recording_id, card_id), tell)

    def hold(
        self, who: Operator, recording_id: str, keep: bool, reason: str, tell: Callable[[Hold | Trouble | None], None]
    ) -> None:
        stamp = self._clock.stamp()

        def change(store: Store) -> Hold | None:
            if not keep:
                store.release_footage(recording_id, reason, stamp, who.id)
            else:
                store.hold_footage(recording_id, reason, stamp, who.id)
            return store.hold_on(recording_id)

        self._desk.answer(who, lambda: self._ask(change), tell)

    # What is decided

    def rule(
        self,
        who: Operator,
        card_id: str,
        ruling: Ruling,
        reason: str,
        second: Second | None,
        tell: Callable[[Ruled | Trouble], None],
    ) -> None:
        wanted, stamp = rulings.Wanted(card_id, ruling, reason, who, second), self._clock.stamp()
        self._desk.answer(
            who, lambda: self._ask(lambda s: rulings.rule(s.ledger, wanted, policy_now(s).review, stamp)), tell
        )

    def undo_ruling(self, who: Operator, card_id: str, tell: Callable[[Ruled | Trouble], None]) -> None:
        stamp = self._clock.stamp()
        self._desk.answer(who, lambda: self._ask(lambda store: rulings.undo(store.ledger, card_id, who, stamp)), tell)

    def judge_sample(
        self, who: Operator, card_id: str, fine: bool, reason: str, tell: Callable[[Ruled | Trouble], None]
    ) -> None:
        stamp = self._clock.stamp()

        def work(store: Store) -> Ruled:
            return Ruled(samples.judge(store.ledger, card_id, fine, reason, stamp, who.id))

        self._desk.answer(who, lambda: self._ask(work), tell)

    def dispute(
        self, who: Operator, recording_id: str, card_id: str, reason: str, tell: Callable[[Ruled | Trouble], None]
    ) -> None:
        stamp = self._clock.stamp()

        def work(store: Store) -> Ruled:
            return Ruled(disputes.open_dispute(store.ledger, recording_id, card_id, reason, stamp, who.id))

        self._desk.answer(who, lambda: self._ask(work), tell)

    def settle(
        self, who: Operator, dispute_id: str, upheld: bool, reason: str, tell: Callable[[Ruled | Trouble], None]
    ) -> None:
        stamp = self._clock.stamp()

        def work(store: Store) -> Ruled:
            return Ruled(disputes.settle(store.ledger, dispute_id, upheld, reason, stamp, who.id))

        self._desk.answer(who, lambda: self._ask(work), tell)

    # How it is answered

    def _ask(self, work: Callable[[Store], T]) -> T:
        return self._store.call(work)

    def _footage(self, recording_id: str) -> Footage:
        known = self._ask(lambda store: {one.recording_id: one for one in store.known_recordings()})
        if recording_id not in known:
            raise BadInput("recording.unknown", recording_id)
        opened = self._open(recording_id)
        held = self._ask(lambda store: store.hold_on(recording_id))
        sights = self._ask(lambda store: leaks.sight_times(store.ledger, recording_id))
        seen = tuple(Moment(at_us, "leak") for at_us in sights)
        one, timeline = known[recording_id], opened.timeline
        angles = self._angles(one, timeline, known.values())
        there = footage_in(opened.folder) > 0
        return Footage(
            recording_id=recording_id,
            parcel_id=one.parcel_id,
            waybill=one.waybill,
            operator=one.operator,
            role=timeline.ledger.role,
            began_wall_us=timeline.wall_us,
            duration_us=timeline.duration_us,
            closed=timeline.ledger.close is not None,
            rehearsal=bool(timeline.ledger.genesis["rehearsal"]),
            there=there,
            fragments=timeline.ledger.fragments,
            parts=timeline.parts if there else (),
            gaps=timeline.gaps,
            masks=timeline.masks,
            moments=tuple(sorted((*timeline.moments, *seen), key=lambda moment: moment.at_us)),
            cards=self._cards(recording_id, angles),
            angles=angles,
            hold=held,
        )

    def _open(self, recording_id: str) -> _Opened:
        """A recording's journal and key, read anew: a running recording grows."""
        found = self._ask(lambda store: store.find_recording(recording_id))
        if found is None:
            raise BadInput("recording.unknown", recording_id)
        folder = self._recordings / recording_id
        timeline = read_timeline(folder)
        opened = _Opened(folder, found.key, timeline, FrameTimes(folder, found.key, timeline.ledger))
        self._opened[recording_id] = opened
        return opened

    def _angles(self, one: KnownRecording, timeline: Timeline, known: Iterable[KnownRecording]) -> tuple[Angle, ...]:
        """Other recordings of the parcel that ran at the same time."""
        found = []
        for other in known:
            if other.parcel_id != one.parcel_id or other.recording_id == one.recording_id:
                continue
            try:
                theirs = self._open(other.recording_id).timeline
            except EvidenceTrouble:
                continue
            found.append(angle_of(other.recording_id, theirs, timeline))
        return tuple(angle for angle in found if angle is not None)

    def _cards(self, recording_id: str, angles: Sequence[Angle]) -> tuple[FilmedCard, ...]:
        """The cards that were read on a recording; on the label camera's those of the overhead one at the same time."""
        timeline = self._opened[recording_id].timeline
        cards = with_stretches(self._ask(lambda store: store.filmed_cards(recording_id)), timeline)
        if timeline.ledger.role == OVERHEAD:
            return cards
        overhead = [(angle, self._cards(angle.recording_id, ())) for angle in angles if angle.role == OVERHEAD]
        there = [card_from(card, angle, timeline.duration_us) for angle, found in overhead for card in found]
        return (*cards, *(card for card in there if card is not None))

    def _still(self, who: Operator, recording_id: str, at_us: int) -> Exported:
        self._ask(lambda store: leaks.must_be_exportable(store.ledger, recording_id))
        opened = self._opened.get(recording_id) or self._open(recording_id)
        still = still_at(opened.folder, opened.key, opened.timeline.ledger, at_us)
        word = as_read_so_far(self._ask)(opened.folder, Stretch(still.at_us, still.at_us))
        name = f"{self._named(opened)}{_marked(opened.timeline.ledger.role)}-{_file_time(still.at_us)}.jpg"
        body = {
            "recording": recording_id, "t_video_us": still.at_us, "leaf": still.leaf, "h": still.h,
            "sha256": still.sha256, "file": name, "leak_check": word,
        }  # fmt: skip
        seq = self._record(EventKind.STILL_EXPORTED, body, who)
        self._link(recording_id, "", still.sha256, seq, who)
        path = private_folder(self._exports) / name
        durable_write(path, still.jpeg)
        try:
            durable_write(path.with_suffix(".jpg.json"), self._signed(seq))
        except OSError:
            path.unlink()  # a picture without its proof is none
            raise
        return Exported("still", str(path), seq, unchecked=word == UNCHECKED)

    def _dossier(self, who: Operator, recording_id: str, card_id: str) -> Exported:
        """One file with what both cameras filmed."""
        wanted = dossier_of(self._ask, self._recordings, recording_id, card_id)
        opened = self._opened.get(recording_id) or self._open(recording_id)
        angles = self._footage(recording_id).angles if card_id else ()
        no = next((one.no for one in self._cards(recording_id, angles) if one.card_id == card_id), 0)
        card = f"-card{no}" if no else ""
        name = f"{self._named(opened)}{card}{_marked(wanted.camera)}-dossier-{_now(self._clock)}.zip"
        partial = private_folder(self._exports) / f"{name}.part"
        pieces = wanted.keys, partial, wanted.stretch, wanted.beside
        facts = make_dossier(wanted.folder, *pieces, looked=wanted.looked)
        with partial.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        withheld, unchecked = kept_back(facts), wanted.unchecked(facts)
        left_out = [*withheld, *(one for one in facts["beside"] if one["why"] and one not in withheld)]
        first, *beside = wanted.folder.name, *(one["recording"] for one in facts["beside"] if not one["why"])
        body = {
            "recording": first, "card": card_id, "sha256": sha256, "file": name, "beside": beside,
            "withheld": [one["recording"] for one in withheld], "unchecked": unchecked,
        }  # fmt: skip
        seq = self._record(EventKind.DOSSIER_EXPORTED, body, who)
        for one in dict.fromkeys((recording_id, first, *beside)):
            self._link(one, card_id, sha256, seq, who)
        os.replace(partial, self._exports / name)
        without, lacking = (left_out[0]["why"], left_out[0]["camera"]) if left_out else ("", "")
        return Exported("dossier", str(self._exports / name), seq, without, lacking, bool(unchecked))

    def _record(self, kind: EventKind, body: dict[str, Any], who: Operator) -> int:
        stamp = self._clock.stamp()
        return self._ask(lambda store: store.record(kind, body, stamp, who.id))

    def _link(self, recording_id: str, card_id: str, sha256: str, seq: int, who: Operator) -> None:
        """What was exported is evidence in the disputes that are open about it."""
        stamp = self._clock.stamp()
        self._ask(lambda s: disputes.link_evidence(s.ledger, recording_id, card_id, sha256, seq, stamp, who.id))

    def _signed(self, seq: int) -> bytes:
        """The event as it stands in the chain, for whoever gets the file."""
        event = self._ask(lambda store: store.outbox_after(seq - 1, 1))[0]
        key = self._ask(lambda store: key_at(store.ledger, seq).hex())
        told = {"event": event.data.decode(), "hash": event.hash, "sig": event.sig.hex(), "station_key": key}
        return json.dumps(told, ensure_ascii=False, indent=1).encode()

    @staticmethod
    def _named(opened: _Opened) -> str:
        waybill = str(opened.timeline.ledger.genesis["meta"].get("waybill", ""))
        return re.sub(r"[^0-9A-Za-z-]", "", waybill) or opened.folder.name

    def _drop_check(self) -> None:
        if self._checking is not None:
            self._checking.stop()
            self._checking = None


class _Checking:
    """One verification in a thread of its own; tells how far it is about ten times a second."""

    def __init__(
        self,
        opened: _Opened,
        recording_id: str,
        keys: tuple[str, str],
        tell: Callable[[Proof], None],
        on_bug: Callable[[Exception], None],
    ) -> None:
        """`keys`: the station's and the tenant root's, in hex."""
        self._opened, self._id, (self._public_key, root_key) = opened, recording_id, keys
        self._trust = Trust(root_key)
        self._tell, self._on_bug = tell, on_bug
        self._stopping = threading.Event()
        self._told_s = 0.0
        self._thread = threading.Thread(target=self._run, name="review-verify", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=3.0)

    def _run(self) -> None:
        try:
            opened = self._opened
            key, trust = opened.key, self._trust
            verdict = verify_recording(opened.folder, self._public_key, key, self._progress, threads=1, trust=trust)
            fault = verdict.fault
            done = Proof(
                self._id, verdict.fragments, self._total, verdict.valid_to_pts_us, True,
                fault.code if fault else "", self._place(fault) if fault else None, verdict.notes,
            )  # fmt: skip
            if not self._stopping.is_set():
                self._tell(done)
        except Stopped:
            _log.debug("verification dropped: something else is looked at")
        except Exception as bug:  # noqa: BLE001  the top of this thread
            self._on_bug(bug)

    @property
    def _total(self) -> int:
        return self._opened.timeline.ledger.fragments

    def _progress(self, checked: int, valid_to_us: int) -> None:
        if self._stopping.wait(_BREATH_S):
            raise Stopped
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self._tell(Proof(self._id, checked, self._total, valid_to_us))

    def _place(self, fault: Fault) -> tuple[int, int] | None:
        """Where the pictures lie that a fault is about."""
        for part in self._opened.timeline.ledger.parts:
            for piece in part.pieces:
                if (part.number, piece.index) == (fault.part, fault.fragment):
                    return piece.first_pts, piece.last_pts
        return None


def _root_of(centre: Centre) -> str:
    """The root key that a witness is held against; "" where the centre's key was pinned without a certificate."""
    return centre.root_key if centre.server else ""


def _marked(camera: str) -> str:
    """What a file's name says of the camera: nothing of the overhead one."""
    return "" if camera == OVERHEAD else f"-{camera}"


def _file_time(at_us: int) -> str:
    return f"{at_us // 60_000_000:02d}m{at_us / 1e6 % 60:06.3f}s"


def _now(clock: Clock) -> str:
    return datetime.fromtimestamp(clock.wall_us() / 1e6).strftime("%Y%m%d-%H%M%S")


def policy_now(store: Store) -> Policy:
    """The centre's policy as the station has it."""
    with store.ledger.reading() as connection:
        return policy_of(connection)
