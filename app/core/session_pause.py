"""Rules that hold in any state: what interrupts the work, how it goes on, what only passes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.audit import EventKind
from app.core.codes import CodeKind, kind_of, tidy
from app.core.effects import (
    AcknowledgeRead,
    CheckBadge,
    Effect,
    OpenParcelRecord,
    Play,
    ReadAgain,
    RecordFact,
    SaveCard,
    Sound,
    StartRecording,
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
    ChipRunEnded,
    ChipsListed,
    ChipStageBegan,
    ChipSurveyed,
    CodeScanned,
    Device,
    DeviceBack,
    DeviceLost,
    Event,
    FieldTyped,
    Key,
    KeyHeld,
    KeyPressed,
    ParcelDoneBefore,
    ParcelFound,
    ParcelRefused,
    ParcelSealed,
    ParcelUnknown,
    PasscodeEntered,
    PunchShotTaken,
    RecordingBegan,
    RecordingClosed,
    RecordingCut,
    RecordingResumed,
    RightsChanged,
    SaveFailed,
    SecretShown,
    ShotTaken,
    SignedIn,
    SignInRefused,
    TagSeen,
    Tick,
    WaybillTyped,
)
from app.core.parcels import TrayCard
from app.core.rules import Rules, Step
from app.core.session_cards import is_before, next_in_line, take
from app.core.session_count import WANTED, what_is_left, when_sealing
from app.core.states import (
    Asking,
    AtWork,
    ChipTray,
    Counting,
    Faulted,
    Idle,
    Locked,
    Notice,
    Opening,
    Paused,
    Reading,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    State,
    Visit,
    Waiting,
    with_visit,
)

_AT_WORK = (Opening, Waiting, Reading, Asking, Rejecting, Saving, Counting, Sealing)
_STOPS_WORK = (Device.CAMERA, Device.RECORDER, Device.DISK)


def interrupt(state: State, event: Event) -> Step | None:
    """Losing picture, recorder or disk stops the hands while a parcel is filmed; a failed write at any time."""
    if not isinstance(state, _AT_WORK):
        return None
    match event:
        case SaveFailed(code, _):
            failed = ((Device.STORE, code),)
            return Paused(Device.STORE, code, state, ready=True, lost=failed), (Play(Sound.REC_CUT),)
        case RecordingCut(code, saved_wall_us) if _is_filmed(state):
            return _paused(state, Device.CAMERA, code, saved_wall_us)
        case DeviceLost(device, code) if device in _STOPS_WORK and _is_filmed(state):
            return _paused(state, device, code, 0)
        case RecordingClosed(recording_id) if recording_id == state.visit.recording_id and _is_filmed(state):
            # Nobody asked for it: no further card without video.
            paused, effects = _paused(state, Device.RECORDER, "recorder.lost", 0)
            return paused, (*effects, _start(state.visit))
        case _:
            return None


def _is_filmed(state: AtWork) -> bool:
    return state.began if isinstance(state, Opening) else not isinstance(state, Sealing)


def _paused(state: AtWork, device: Device, code: str, saved_wall_us: int) -> Step:
    fact = RecordFact(EventKind.RECORDING_CUT, (("device", device.value), ("code", code)))
    paused = Paused(device, code, state, saved_wall_us, lost=((device, code),))
    return paused, (fact, Play(Sound.REC_CUT))


def when_paused(state: Paused, event: Event, rules: Rules) -> Step | None:
    match event:
        case RecordingCut(code, saved_wall_us):
            saved = state.saved_wall_us or saved_wall_us
            return replace(_without(state, Device.CAMERA, code), saved_wall_us=saved), ()
        case DeviceLost(device, code) if device in _STOPS_WORK:
            return _without(state, device, code), ()
        case SaveFailed(code, _):
            return _without(state, Device.STORE, code), ()
        case RecordingResumed(gap_us):
            return _video_is_back(state, gap_us, rules)
        case RecordingBegan(recording_id, first_us):
            return _began_anew(state, recording_id, first_us)
        case DeviceBack(device) if device is not Device.CAMERA:
            # A camera counts as back when its pictures reach the disk.
            return _with(state, device), ()
        case KeyPressed() | CodeScanned() | SignedIn() | SignInRefused():
            return _at_the_desk(state, event, rules)
        case CardWasRead(read):
            # Without video no card is accepted; the card is read again from the start afterwards.
            return replace(state, missed=True), (AcknowledgeRead(read.read_id),)
        case CardSaved() | CardWasDuplicate() | RecordingClosed() | ParcelSealed():
            return _meanwhile(state, event, rules)
        case _:
            return None


def _without(state: Paused, device: Device, code: str) -> Paused:
    """The pause after something more went away. The first cause stays in front; of one device the newest code."""
    if device is not Device.STORE and not _is_filmed(state.back_to):
        return state
    lost = dict(state.lost) | {device: code}
    return _fronted(replace(state, lost=tuple(lost.items())))


def _with(state: Paused, *devices: Device) -> Paused:
    """The pause after devices came back."""
    return _fronted(replace(state, lost=tuple(item for item in state.lost if item[0] not in devices)))


def _fronted(state: Paused) -> Paused:
    """The pause with its first cause shown; ready once nothing is away. What is over is shown until work goes on."""
    first = next(iter((*state.away, *state.lost)), (state.device, state.code))
    return replace(state, device=first[0], code=first[1], ready=not state.away)


def _video_is_back(state: Paused, gap_us: int, rules: Rules) -> Step:
    too_long = gap_us >= rules.gap_needs_supervisor_us
    fact = RecordFact(EventKind.RECORDING_RESUMED, (("gap_us", gap_us), ("supervisor", too_long)))
    back = _with(state, *_STOPS_WORK)
    return replace(back, supervisor=state.supervisor or too_long), (fact,)


def _began_anew(state: Paused, recording_id: str, first_us: int) -> Step:
    """The recording began, or a recorder that came back tells again when it had begun: its pictures reach the disk."""
    back = with_visit(state.back_to, state.back_to.visit.filmed(recording_id, first_us))
    if isinstance(back, Opening):
        back = replace(back, began=True)
    return replace(_with(state, *_STOPS_WORK), back_to=back), ()


def _at_the_desk(state: Paused, event: Event, rules: Rules) -> Step:
    match event:
        case KeyPressed(Key.SPACE) if state.ready and not state.supervisor:
            return _resume(state, rules)
        case KeyPressed(Key.ESC) if state.code == WANTED and state.supervisor:
            return state.back_to, ()
        case KeyPressed(Key.F4) if state.device is Device.CAMERA:
            return state, (UseSpareCamera(),)
        case KeyPressed(Key.F7):
            return replace(state, supervisor=True), (Play(Sound.ASK),)
        case CodeScanned(text) if state.supervisor and kind_of(text) is CodeKind.BADGE:
            return state, (CheckBadge(tidy(text)),)
        case SignedIn(operator) if state.supervisor and operator.supervises:
            return _released(state, operator.id)
        case SignedIn(operator) if state.supervisor and operator.lapsed:
            return replace(state, lapsed=True), (Play(Sound.WRONG_CODE),)
        case KeyPressed():
            return state, ()
        case _:
            return state, (Play(Sound.WRONG_CODE),)


def _released(state: Paused, supervisor: str) -> Step:
    fact = RecordFact(EventKind.RECORDING_RESUMED, (("released_by", supervisor),))
    return _fronted(replace(state, supervisor=False, lapsed=False)), (fact, Play(Sound.TICK))


def _resume(state: Paused, rules: Rules) -> Step:
    """Go on where the work stopped; a card that was not finished, or came meanwhile, is read from the start."""
    back, again = _taken_up(state, rules)
    missed = (ReadAgain(),) if state.missed and ReadAgain() not in again else ()
    return back, (*again, *missed)


def _taken_up(state: Paused, rules: Rules) -> Step:
    back, watch = state.back_to, WatchForCards(True)
    match back:
        case Rejecting(back_to=Asking() as asking) if is_before(back.visit, asking.read):
            return _taken_up(replace(state, back_to=asking), rules)
        case Asking(visit) if visit.pending:
            # Another card lies there now. This one was filmed: it is asked about from the start, then comes the next.
            following, effects = take(visit, back.first or back.read, rules)
            return following, (watch, *effects)
        case Reading(visit) | Asking(visit):
            aside: tuple[Effect, ...] = (AcknowledgeRead(back.read.read_id),) if isinstance(back, Asking) else ()
            following, effects = _read_afresh(visit, rules)
            return following, (*aside, watch, *effects)
        case Waiting(visit):
            notice = Notice("card.read-again") if state.missed else back.notice
            following, effects = next_in_line(visit, replace(back, notice=notice), rules)
            return following, (watch, *effects)
        case Saving(_, draft):
            return back, ((SaveCard(draft),) if state.owes_write else (watch,))
        case Sealing():
            return back, (what_is_left(back) if state.owes_write else ())
        case Opening():
            return back, (*_opened_again(back, state.owes_write), *((watch,) if back.began else ()))
        case Counting(visit):
            return next_in_line(visit, Counting(visit), rules)
        case Rejecting():
            return back, (watch,)


def _read_afresh(visit: Visit, rules: Rules) -> Step:
    if visit.pending:
        return next_in_line(visit, Waiting(visit), rules)
    return Waiting(visit, notice=Notice("card.read-again")), (ReadAgain(),)


def _opened_again(state: Opening, owed: bool) -> tuple[Effect, ...]:
    """What opening a parcel wrote, once more; what is there already is left as it is."""
    if not owed:
        return ()
    visit = state.visit
    opened = OpenParcelRecord(visit.as_open_parcel())
    return (opened,) if state.began else (opened, _start(visit))


def _start(visit: Visit) -> StartRecording:
    return StartRecording(visit.recording_id, visit.parcel_id, visit.expected.waybill)


def _meanwhile(state: Paused, event: Event, rules: Rules) -> Step | None:
    """Answers that were under way when the work stopped are not lost."""
    back = state.back_to
    match event, back:
        case CardSaved(card), Saving(visit, draft) if card.card_id == draft.card_id:
            return _kept_meanwhile(state, visit.with_card(card), card.read_id)
        case CardWasDuplicate(read_id), Saving(visit, draft) if read_id == draft.read_id:
            return _kept_meanwhile(state, visit, read_id)
        case RecordingClosed(), Sealing():
            return replace(state, back_to=replace(back, closed=True)), ()
        case ParcelSealed(), Sealing():
            return when_sealing(back, event, rules)
        case RecordingClosed(recording_id), _ if recording_id == back.visit.recording_id and _is_filmed(back):
            return _without(state, Device.RECORDER, "recorder.lost"), (_start(back.visit),)
        case RecordingClosed(), Opening(visit, began=False):
            return state, (_start(visit),)
        case _:
            return None


def _kept_meanwhile(state: Paused, visit: Visit, read_id: str) -> Step:
    return replace(state, back_to=Waiting(visit, settled=True)), (AcknowledgeRead(read_id),)


def bystander(state: State, event: Event) -> Step | None:
    """Events that change nothing in this state, and cards that change under the hands."""
    match event:
        case CardChanged(card):
            return _card_changed(state, card), ()
        case SecretShown(field):
            return state, (RecordFact(EventKind.SECRET_SHOWN, (("field", field), ("read", _read_in(state)))),)
        case CardSaved(card) if isinstance(state, (*_AT_WORK, Paused)):
            return _with_work(state, lambda visit: visit.with_card(card)), ()
        case TagSeen(tag, at_us) if isinstance(state, (*_AT_WORK, Paused)):
            return _with_work(state, lambda visit: visit.with_tag(tag, at_us)), ()
        case ShotTaken(no, t_video_us) if isinstance(state, (*_AT_WORK, Paused)):
            return _with_work(state, lambda visit: visit.with_shot(no, t_video_us)), ()
        case RecordingBegan(recording_id, first_us) if isinstance(state, _AT_WORK):
            return with_visit(state, state.visit.filmed(recording_id, first_us)), ()
        case CardWasRead(read) if isinstance(state, (SignedOut, Idle)):
            # No parcel is being filmed: what lay under the camera is nobody's card.
            return state, (AcknowledgeRead(read.read_id),)
        case RecordingCut() | RecordingClosed() if isinstance(state, (SignedOut, Idle, Opening, Sealing)):
            return state, ()
        case _:
            return (state, ()) if isinstance(event, (*_PASSING, *_TOO_LATE)) else None


_PASSING = (
    Tick,
    KeyPressed,
    KeyHeld,
    RecordingResumed,
    DeviceLost,
    DeviceBack,
    CardSighted,
    CardLeftTooEarly,
    TagSeen,
    RightsChanged,
)
"""Go on all the time and matter in few states only."""

_TOO_LATE = (
    ParcelFound,
    ParcelDoneBefore,
    ParcelUnknown,
    ParcelRefused,
    SignedIn,
    SignInRefused,
    PasscodeEntered,
    WaybillTyped,
    FieldTyped,
    ChipsListed,
    ChipSurveyed,
    ChipStageBegan,
    ChipRunEnded,
    PunchShotTaken,
)
"""Answers to a question that was withdrawn, and what was typed while the state went on."""


def _with_work(state: Paused | AtWork, change: Callable[[Visit], Visit]) -> State:
    if isinstance(state, Paused):
        return replace(state, back_to=with_visit(state.back_to, change(state.back_to.visit)))
    return with_visit(state, change(state.visit))


def _read_in(state: State) -> str:
    """The read whose secret is on the screen; "" where there is none."""
    match state:
        case Asking(read=read) | Paused(back_to=Asking(read=read)):
            return read.read_id
        case _:
            return ""


def _card_changed(state: State, card: TrayCard) -> State:
    match state:
        case Idle(last=last) if last is not None:
            cards = tuple(card if c.card_id == card.card_id else c for c in last.cards)
            return replace(state, last=replace(last, cards=cards))
        case SignedOut(resume=parcel) if parcel is not None:
            cards = tuple(card if c.card_id == card.card_id else c for c in parcel.cards)
            return replace(state, resume=replace(parcel, cards=cards))
        case SignedOut() | Idle() | Faulted() | ChipTray() | Locked():
            return state
        case _:
            return _with_work(state, lambda visit: _with_changed(visit, card))


def _with_changed(visit: Visit, card: TrayCard) -> Visit:
    return visit.with_card(card) if any(c.card_id == card.card_id for c in visit.cards) else visit
