"""Carries out effects: hands work to the store's writer, the recorder and the eye, and posts what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState, Secret
from app.core.effects import (
    AcknowledgeRead,
    Announce,
    ChangeCard,
    CheckBadge,
    CheckPasscode,
    Effect,
    FindParcel,
    LayOnReader,
    ListChips,
    MarkPunch,
    MarkShot,
    OfChips,
    OpenParcelRecord,
    Play,
    ProveDestroyed,
    PutChipAside,
    ReadAgain,
    RecordFact,
    SaveCard,
    SealParcel,
    Sound,
    StartRecording,
    StopRecording,
    SurveyChip,
    SwitchChipOff,
    UseSpareCamera,
    WatchForCards,
)
from app.core.errors import Trouble
from app.core.events import (
    CardChanged,
    CardSaved,
    CardWasDuplicate,
    Device,
    DeviceLost,
    Event,
    ParcelDoneBefore,
    ParcelFound,
    ParcelRefused,
    ParcelSealed,
    ParcelUnknown,
    RecordingClosed,
    SaveFailed,
    ShotTaken,
    SignedIn,
    SignInRefused,
)
from app.core.footage import OVERHEAD, FilmedCard
from app.core.parcels import CardDraft, EarlierParcel, ExpectedParcel, OpenParcel, Operator
from app.core.readiness import Surroundings, may_begin_parcel
from app.recorder import protocol as told
from app.reserve import FOOTAGE_RESERVE
from app.station.beside import Beside
from app.station.chips import ChipWork
from app.station.clock import Clock
from app.station.filming import Filming
from app.station.insisting import Insisting
from app.station.looking import Looking
from app.store.people import Locked
from app.store.results import AlreadyKept, Duplicate, Kept, Recording
from app.store.store import Store
from app.store.writer import StoreWriter

T = TypeVar("T")
_log = logging.getLogger(__name__)

_OPEN, _BEGIN = "open", "begin"
"""What a parcel's opening and a recording's beginning wait under for the store; there is one of each at a time."""


def _opened(parcel: OpenParcel, stamp: Stamp, store: Store) -> int:
    return store.open_parcel(parcel, stamp)


def _kept(card_id: str, no: int, t_video_us: int) -> dict[str, Any]:
    return {"card": card_id, "no": no, "t_video_us": t_video_us}


@dataclass(slots=True)
class Cameras:
    """Which camera films: the overhead one, and the spare that F4 takes ("" where there is none)."""

    overhead: str
    spare: str = ""

    def swap(self) -> bool:
        """Take the spare; False when there is none."""
        if not self.spare:
            return False
        self.overhead, self.spare = self.spare, self.overhead
        return True


@dataclass(frozen=True, slots=True)
class Hands:
    """What the station works with."""

    store: StoreWriter
    filming: Filming
    looking: Looking
    cameras: Cameras
    recordings: Path
    clock: Clock
    rehearsal: bool
    insisting: Insisting
    chips: ChipWork | None = None
    reserve_bytes: int = 0  # of the footage's disk, for when it is full
    beside: Beside | None = None  # the label camera, where there is one


class Perform:
    """Call it with an effect, in the station's thread; it never blocks. Answers come by `post` from other threads."""

    def __init__(
        self,
        hands: Hands,
        post: Callable[[Event], None],
        around: Callable[[], Surroundings],
        play: Callable[[Sound], None],
        after_save: Callable[[], None],
    ) -> None:
        self._hands, self._post, self._around = hands, post, around
        self._play, self._after_save = play, after_save
        self._operator: Operator | None = None

    def __call__(self, effect: Effect) -> None:
        match effect:
            case Play(sound):
                self._play(sound)
            case Announce(operator):
                self._operator = operator
            case CheckPasscode() | CheckBadge():
                self._check(effect)
            case FindParcel() | OpenParcelRecord() | SealParcel() | MarkShot():
                self._parcel(effect)
            case SaveCard() | ChangeCard():
                self._card(effect)
            case StartRecording() | StopRecording() | UseSpareCamera():
                self._film(effect)
            case WatchForCards() | ReadAgain() | AcknowledgeRead():
                self._look(effect)
            case RecordFact(kind, body):
                self._fact(kind, dict(body))
            case _:
                self._chips(effect)

    def recording_closed(self, closed: told.RecordingClosed) -> None:
        """The recorder sealed a recording: write its final hash down, then tell the session.

        While the store says no, nothing is recorded: where nobody asked for the end, hands stop until it goes on.
        """
        stamp, actor = self._stamp(), self._actor

        def close(store: Store) -> int:
            return store.close_recording(closed.recording_id, closed.head, closed.root, closed.frames, stamp, actor)

        def refused(trouble: Trouble) -> None:
            self._refused(trouble)
            self._post(DeviceLost(Device.RECORDER, "recorder.lost"))

        told_of = RecordingClosed(closed.recording_id)
        self._hands.insisting.write(f"close {closed.recording_id}", close, lambda _seq: self._post(told_of), refused)

    @property
    def _actor(self) -> str:
        return self._operator.id if self._operator else ""

    def _stamp(self) -> Stamp:
        return self._hands.clock.stamp(self._around().sync.clock_offset_ms or 0)

    def _ask(self, work: Callable[[Store], T], done: Callable[[T], None]) -> None:
        """Have the store do something; trouble becomes SaveFailed, whoever asked."""
        self._hands.store.submit(work, done, self._refused)

    def _refused(self, trouble: Trouble) -> None:
        _log.error("store: %s", trouble.code)
        self._post(SaveFailed(trouble.code, trouble.detail))

    def _chips(self, effect: OfChips) -> None:
        work = self._hands.chips
        if work is None:
            return
        match effect:
            case ListChips():
                work.list_cards()
            case SurveyChip(card):
                work.survey(card)
            case SwitchChipOff(card, tapped):
                work.switch_off(card, self._actor, tapped)
            case MarkPunch(card, no):
                work.mark_punch(card, no)
            case ProveDestroyed(card, recording_id, shots):
                work.prove_destroyed(card, recording_id, shots, self._actor)
            case PutChipAside(card_id):
                work.put_aside(card_id)
            case LayOnReader(uid):
                work.lay(uid)

    def _fact(self, kind: EventKind, body: dict[str, object]) -> None:
        stamp, actor = self._stamp(), self._actor
        self._ask(lambda store: store.record(kind, body, stamp, actor), lambda _seq: self._after_save())

    def _check(self, effect: CheckPasscode | CheckBadge) -> None:
        now_us = self._stamp().wall_us
        match effect:
            case CheckPasscode(operator_id, passcode):
                secret = Secret(passcode)
                self._ask(lambda store: store.sign_in(operator_id, secret, now_us), self._signed(by_badge=False))
            case CheckBadge(code):
                self._ask(lambda store: store.by_badge(code, now_us), self._signed(by_badge=True))

    def _signed(self, by_badge: bool) -> Callable[[Operator | Locked | None], None]:
        def told(found: Operator | Locked | None) -> None:
            match found:
                case Operator():
                    self._post(SignedIn(found))
                case Locked(wait_us):
                    self._post(SignInRefused(by_badge, wait_us))
                case None:
                    self._post(SignInRefused(by_badge))

        return told

    def _parcel(self, effect: FindParcel | OpenParcelRecord | SealParcel | MarkShot) -> None:
        stamp, actor = self._stamp(), self._actor
        match effect:
            case FindParcel():
                self._find(effect)
            case OpenParcelRecord(parcel):
                opened = partial(_opened, parcel, stamp)
                self._hands.insisting.write(_OPEN, opened, lambda _seq: self._after_save(), self._refused)
            case MarkShot(parcel_id, no):
                self._shot(parcel_id, no)
            case SealParcel(parcel_id, way_out, _, found):

                def seal(store: Store) -> int:
                    store.count_parcel(parcel_id, found, stamp, actor)
                    return store.seal_parcel(parcel_id, way_out, stamp, actor)

                self._ask(seal, lambda _seq: self._sealed(parcel_id, stamp.wall_us))

    def _find(self, wanted: FindParcel) -> None:
        refused = may_begin_parcel(self._around())
        if refused:
            self._post(ParcelRefused(refused))
            return

        def found(known: ExpectedParcel | EarlierParcel | None) -> None:
            match known:
                case EarlierParcel():
                    self._post(ParcelDoneBefore(known))
                case None if not wanted.unannounced:
                    self._post(ParcelUnknown(wanted.waybill))
                case _:
                    expected = known or ExpectedParcel(wanted.waybill, "", 0)
                    self._post(ParcelFound(expected, str(uuid4()), str(uuid4())))

        self._ask(lambda store: store.find_parcel(wanted.waybill), found)

    def _shot(self, parcel_id: str, no: int) -> None:
        rec = self._around().rec
        t_video_us = rec.elapsed_us
        self._hands.filming.note("count.shot", {"no": no, "t_video_us": t_video_us})
        taken = ShotTaken(no, t_video_us)
        self._ask(lambda store: store.mark_shot(parcel_id, t_video_us), lambda _none: self._post(taken))

    def _sealed(self, parcel_id: str, wall_us: int) -> None:
        self._post(ParcelSealed(parcel_id, wall_us))
        self._after_save()

    def _card(self, effect: SaveCard | ChangeCard) -> None:
        stamp, actor = self._stamp(), self._actor
        match effect:
            case SaveCard(draft):
                self._save(draft, stamp, actor)
            case ChangeCard(card_id, CardState.WITHDRAWN, reasons):
                self._ask(
                    lambda store: store.withdraw_card(card_id, reasons, stamp, actor),
                    lambda card: self._post(CardChanged(card)),
                )
            case ChangeCard(card_id, state, reasons):
                self._ask(
                    lambda store: store.change_card(card_id, state, reasons, stamp, actor),
                    lambda card: self._post(CardChanged(card)),
                )

    def _save(self, draft: CardDraft, stamp: Stamp, actor: str) -> None:
        def saved(answer: Kept | AlreadyKept | Duplicate) -> None:
            if isinstance(answer, Duplicate):
                same = answer.parcel_id == draft.parcel_id
                self._post(CardWasDuplicate(draft.read_id, answer.last4, same, answer.wall_us))
                return
            card = answer.card
            if draft.recording_id == self._hands.filming.recording_id:  # else its time is another recording's
                self._hands.filming.note("card.kept", _kept(card.card_id, card.no, card.t_video_us), card.card_id)
            self._post(CardSaved(card))
            self._after_save()

        self._ask(lambda store: store.keep_card(draft, stamp, actor), saved)

    def _film(self, effect: StartRecording | StopRecording | UseSpareCamera) -> None:
        hands = self._hands
        match effect:
            case StartRecording(recording_id, parcel_id, waybill):
                self._start_recording(recording_id, parcel_id, waybill)
            case StopRecording(recording_id):
                hands.insisting.drop(_BEGIN)
                hands.filming.end(recording_id, "sealed")
                if hands.beside is not None:
                    hands.beside.end("sealed")
            case UseSpareCamera():
                if not hands.cameras.swap():
                    self._play(Sound.WRONG_CODE)
                elif not hands.filming.change_camera(hands.cameras.overhead):
                    hands.cameras.swap()
                    self._play(Sound.WRONG_CODE)

    def _start_recording(self, recording_id: str, parcel_id: str, waybill: str) -> None:
        stamp, actor = self._stamp(), self._actor

        def prepare(store: Store) -> told.Start:
            recording = store.new_recording(recording_id, parcel_id, stamp, actor)
            if recording.state == "recorded":
                recording = self._next_recording(store, parcel_id, stamp, actor)
            return self._start_message(recording, store, {"waybill": waybill, "station": store.station})

        def begin(start: told.Start) -> None:
            self._hands.filming.begin(start)
            if self._hands.beside is not None:
                self._hands.beside.begin(start, parcel_id, stamp, actor)
            self._ask(lambda store: store.filmed_cards(start.recording_id), self._note_cards)

        self._hands.insisting.write(_BEGIN, prepare, begin, self._refused)

    def _note_cards(self, cards: tuple[FilmedCard, ...]) -> None:
        """What was kept before a window died may not have got into the recording's chain."""
        for card in cards:
            body = _kept(card.card_id, card.no, card.read_us)
            self._hands.filming.note_again("card.kept", body, card.card_id)

    @staticmethod
    def _next_recording(store: Store, parcel_id: str, stamp: Stamp, actor: str) -> Recording:
        """A closed recording is never opened again: the parcel goes on in its newest open one, or a new one."""
        unclosed = store.unclosed_recordings()
        still_open = [one for one in unclosed if (one.parcel_id, one.role) == (parcel_id, OVERHEAD)]
        return still_open[-1] if still_open else store.new_recording(str(uuid4()), parcel_id, stamp, actor)

    def _start_message(self, recording: Recording, store: Store, meta: dict[str, str]) -> told.Start:
        vault = store.centre.vault_certificate()
        return told.Start(
            recording_id=recording.recording_id,
            folder=str(self._hands.recordings),
            camera=self._hands.cameras.overhead,
            recording_key=recording.key.hex(),
            signing_key=store.signing_seed.hex(),
            previous_hash=store.last_recording_hash(),
            rehearsal=self._hands.rehearsal,
            meta=dict(meta),
            masked=True,
            vault_key_id=vault.key_id,
            vault_key=vault.public_key,
            reserve=str(self._hands.recordings / FOOTAGE_RESERVE),
            reserve_bytes=self._hands.reserve_bytes,
        )

    def _look(self, effect: WatchForCards | ReadAgain | AcknowledgeRead) -> None:
        match effect:
            case WatchForCards(on):
                self._hands.looking.watch(on)
            case ReadAgain():
                self._hands.looking.read_again()
            case AcknowledgeRead(read_id):
                self._hands.looking.acknowledge(read_id)
