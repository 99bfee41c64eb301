"""Rules that hold in any state: what interrupts the work, how it goes on, what only passes by."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from app.core.audit import EventKind
from app.core.codes import CodeKind, kind_of, tidy
from app.core.effects import (
    AcknowledgeRead,
    CheckBadge,
    Effect,
    Play,
    ReadAgain,
    RecordFact,
    SaveCard,
    Sound,
    UseSpareCamera,
    WatchForCards,
)
from app.core.events import (
    CardChanged,
    CardLeftTooEarly,
    CardSaved,
    CardSighted,
    CardWasDuplicate,
    CardWasRead,
    CodeScanned,
    Device,
    DeviceBack,
    DeviceLost,
    Event,
    Key,
    KeyHeld,
    KeyPressed,
    RecordingBegan,
    RecordingClosed,
    RecordingCut,
    RecordingResumed,
    SaveFailed,
    ShotTaken,
    SignedIn,
    SignInRefused,
    TagSeen,
    Tick,
)
from app.core.parcels import Role, TrayCard
from app.core.rules import Rules, Step
from app.core.session_count import seal_of
from app.core.states import (
    Asking,
    AtWork,
    Counting,
    Faulted,
    Idle,
    Notice,
    Opening,
    Paused,
    Reading,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    State,
    Waiting,
)

W = TypeVar("W", Opening, Waiting, Reading, Asking, Rejecting, Saving, Counting, Sealing, Asking | Counting, AtWork)

_AT_WORK = (Opening, Waiting, Reading, Asking, Rejecting, Saving, Counting, Sealing)
_STOPS_WORK = (Device.CAMERA, Device.RECORDER, Device.DISK)


def interrupt(state: State, event: Event) -> Step | None:
    """Losing picture, recorder or disk stops the hands in every state of a parcel in work but the last."""
    if (
        not isinstance(state, _AT_WORK)
        or isinstance(state, Sealing)
        or (isinstance(state, Opening) and not state.began)
    ):
        return None
    match event:
        case RecordingCut(code, saved_wall_us):
            return _paused(state, Device.CAMERA, code, saved_wall_us)
        case DeviceLost(device, code) if device in _STOPS_WORK:
            return _paused(state, device, code, 0)
        case _:
            return None


def _paused(state: AtWork, device: Device, code: str, saved_wall_us: int) -> Step:
    fact = RecordFact(EventKind.RECORDING_CUT, (("device", device.value), ("code", code)))
    return Paused(device, code, state, saved_wall_us), (fact, Play(Sound.REC_CUT))


def when_paused(state: Paused, event: Event, rules: Rules) -> Step | None:
    match event:
        case RecordingResumed(gap_us):
            return _video_is_back(state, gap_us, rules)
        case RecordingCut(code, saved_wall_us):
            saved = state.saved_wall_us or saved_wall_us
            return replace(state, code=code, saved_wall_us=saved, ready=False), ()
        case DeviceBack(device) if device is state.device and device is not Device.CAMERA:
            return replace(state, ready=True), ()
        case KeyPressed(Key.SPACE) if state.ready and not state.supervisor:
            return _resume(state)
        case KeyPressed(Key.F4) if state.device is Device.CAMERA:
            return state, (UseSpareCamera(),)
        case KeyPressed(Key.F7):
            return replace(state, supervisor=True), (Play(Sound.ASK),)
        case CodeScanned(text) if state.supervisor and kind_of(text) is CodeKind.BADGE:
            return state, (CheckBadge(tidy(text)),)
        case SignedIn(operator) if state.supervisor and operator.role is not Role.CLERK:
            return _released(state, operator.id)
        case SignedIn() | SignInRefused():
            return state, (Play(Sound.WRONG_CODE),)
        case CardWasRead(read):
            # Without video no card is accepted; the card is read again from the start afterwards.
            return state, (AcknowledgeRead(read.read_id),)
        case CardSaved() | CardWasDuplicate() | RecordingClosed() | ShotTaken() | SaveFailed():
            return _meanwhile(state, event)
        case _:
            return None


def _video_is_back(state: Paused, gap_us: int, rules: Rules) -> Step:
    too_long = gap_us >= rules.gap_needs_supervisor_us
    fact = RecordFact(EventKind.RECORDING_RESUMED, (("gap_us", gap_us), ("supervisor", too_long)))
    return replace(state, ready=True, supervisor=state.supervisor or too_long), (fact,)


def _released(state: Paused, supervisor: str) -> Step:
    fact = RecordFact(EventKind.RECORDING_RESUMED, (("released_by", supervisor),))
    state = replace(state, supervisor=False, ready=state.ready or state.code == "supervisor.wanted")
    return state, (fact, Play(Sound.TICK))


def _resume(state: Paused) -> Step:
    """Go on where the work stopped; a card that was not finished is read again from the start."""
    back = state.back_to
    match back:
        case Reading(visit) | Asking(visit):
            aside: tuple[Effect, ...] = (AcknowledgeRead(back.read.read_id),) if isinstance(back, Asking) else ()
            again = (*aside, WatchForCards(True), ReadAgain())
            return Waiting(visit, notice=Notice("card.read-again")), again
        case Saving(_, draft) if state.device is Device.STORE:
            return back, (SaveCard(draft),)
        case Sealing() if state.device is Device.STORE:
            return back, (seal_of(back),)
        case Counting(visit):
            return Counting(visit), ()
        case _:
            return back, (WatchForCards(True),)


def _meanwhile(state: Paused, event: Event) -> Step:
    """Answers of the store that were under way when the work stopped are not lost."""
    back = state.back_to
    match event:
        case CardSaved(card) if isinstance(back, Saving):
            waiting = Waiting(back.visit.with_card(card), settled=True)
            return replace(state, back_to=waiting), (AcknowledgeRead(card.read_id),)
        case CardWasDuplicate(read_id) if isinstance(back, Saving):
            return replace(state, back_to=Waiting(back.visit, settled=True)), (AcknowledgeRead(read_id),)
        case ShotTaken(_, t_video_us):
            shots = (*back.visit.shots, t_video_us)
            return replace(state, back_to=replace(back, visit=replace(back.visit, shots=shots))), ()
        case RecordingClosed() if isinstance(back, Sealing):
            return back, (seal_of(back),)
        case SaveFailed(code):
            return replace(state, device=Device.STORE, code=code, ready=True), ()
        case _:
            return state, ()


def bystander(state: State, event: Event) -> Step | None:
    """Events that change nothing in this state, and cards that change under the hands."""
    match event:
        case CardChanged(card):
            return _card_changed(state, card), ()
        case Tick() | KeyPressed() | KeyHeld() | RecordingResumed() | DeviceBack():
            return state, ()
        case DeviceLost():
            return state, ()
        case RecordingCut() | RecordingClosed() if isinstance(state, (SignedOut, Idle, Opening, Sealing)):
            return state, ()
        case CardSighted() | CardLeftTooEarly() | TagSeen():
            return state, ()
        case CardWasRead(read) if isinstance(state, (SignedOut, Idle)):
            # No parcel is being filmed: what lay under the camera is nobody's card.
            return state, (AcknowledgeRead(read.read_id),)
        case RecordingBegan(_, first_us) if not isinstance(state, (SignedOut, Idle)):
            return _rebased(state, first_us), ()
        case _:
            return None


def _card_changed(state: State, card: TrayCard) -> State:
    match state:
        case Idle(last=last) if last is not None:
            cards = tuple(card if c.card_id == card.card_id else c for c in last.cards)
            return replace(state, last=replace(last, cards=cards))
        case Paused(back_to=back):
            return replace(state, back_to=_changed_at_work(back, card))
        case SignedOut() | Idle() | Faulted():
            return state
        case _:
            return _changed_at_work(state, card)


def _changed_at_work(state: W, card: TrayCard) -> W:
    if not any(c.card_id == card.card_id for c in state.visit.cards):
        return state
    changed = replace(state, visit=state.visit.with_card(card))
    if isinstance(changed, Rejecting):
        return replace(changed, back_to=_changed_at_work(changed.back_to, card))
    return changed


def _rebased(state: State, first_us: int) -> State:
    """A recorder that came back tells again when the recording began."""
    match state:
        case Paused(back_to=back):
            return replace(state, back_to=replace(back, visit=replace(back.visit, first_us=first_us)))
        case SignedOut() | Idle() | Faulted():
            return state
        case _:
            return replace(state, visit=replace(state.visit, first_us=first_us))
