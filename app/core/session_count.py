"""Rules of the session after the last card: declared against found, rejecting, sealing."""

from __future__ import annotations

from dataclasses import replace

from app.core.asking import draft_of
from app.core.cards import CardState
from app.core.effects import (
    AcknowledgeRead,
    ChangeCard,
    Effect,
    MarkShot,
    Play,
    SaveCard,
    SealParcel,
    Sound,
    StopRecording,
    WatchForCards,
)
from app.core.events import (
    CardSighted,
    CardWasRead,
    CodeScanned,
    Device,
    Event,
    Key,
    KeyHeld,
    KeyPressed,
    ParcelSealed,
    RecordingClosed,
    SaveFailed,
    ShotTaken,
    TagSeen,
)
from app.core.parcels import Reason, WayOut
from app.core.rules import Rules, Step
from app.core.session_cards import take, with_tag
from app.core.states import (
    REJECT_REASONS,
    SHOTS_NEEDED,
    WAYS_OUT,
    Asking,
    Counting,
    Idle,
    LastParcel,
    Notice,
    Paused,
    Rejecting,
    Saving,
    Sealing,
    Waiting,
)


def when_counting(state: Counting, event: Event, rules: Rules) -> Step | None:
    match event:
        case KeyPressed(Key.SPACE):
            return _go_on(state)
        case KeyPressed(Key.DIGIT, digit) if state.visit.difference and 1 <= digit <= len(WAYS_OUT):
            return replace(state, choice=WAYS_OUT[digit - 1], notice=None), (Play(Sound.TICK),)
        case KeyPressed(Key.ESC | Key.F2):
            return Waiting(state.visit), ()
        case KeyPressed(Key.F9) if state.visit.found:
            return Rejecting(state.visit, state), ()
        case ShotTaken(_, t_video_us):
            return replace(state, visit=replace(state.visit, shots=(*state.visit.shots, t_video_us))), ()
        case CardWasRead(read):
            return take(state.visit, read, rules)
        case CardSighted():
            return state, ()
        case TagSeen(tag):
            return replace(state, visit=with_tag(state.visit, tag)), ()
        case CodeScanned():
            return state, (Play(Sound.WRONG_CODE),)
        case _:
            return None


def _go_on(state: Counting) -> Step:
    visit = state.visit
    if not visit.difference:
        return _seal(state, WayOut.EQUAL)
    if len(visit.shots) < SHOTS_NEEDED:
        return state, (MarkShot(visit.parcel_id, len(visit.shots) + 1), Play(Sound.TICK))
    match state.choice:
        case WayOut.SUBMIT_DIFFERENT:
            return _seal(state, WayOut.SUBMIT_DIFFERENT)
        case WayOut.LOOK_AGAIN:
            return Waiting(visit), ()
        case WayOut.SUPERVISOR:
            return Paused(Device.STORE, "supervisor.wanted", state, supervisor=True), (Play(Sound.ASK),)
        case _:
            return replace(state, notice=Notice("choose.first")), (Play(Sound.WRONG_CODE),)


def _seal(state: Counting, way_out: WayOut) -> Step:
    return Sealing(state.visit, way_out), (WatchForCards(False), StopRecording(state.visit.recording_id))


def when_rejecting(state: Rejecting, event: Event, rules: Rules) -> Step | None:
    match event:
        case KeyPressed(Key.DIGIT, digit) if 1 <= digit <= len(REJECT_REASONS):
            return replace(state, choice=digit - 1), (Play(Sound.TICK),)
        case KeyHeld(Key.SPACE) if state.choice is not None:
            return (
                _reject_card(state, state.back_to, rules) if isinstance(state.back_to, Asking) else _reject_all(state)
            )
        case KeyPressed(Key.ESC):
            return state.back_to, ()
        case KeyPressed():
            return state, ()
        case CardWasRead() | CardSighted() | TagSeen() | CodeScanned():
            # The card in hand comes first; a read that is not acknowledged is sent again when the eye is asked.
            return state, ()
        case _:
            return None


def _reject_card(state: Rejecting, asked: Asking, rules: Rules) -> Step:
    reasons = (*asked.reasons, Reason.OPERATOR_REJECTED)
    draft = draft_of(state.visit, asked.read, rules.catalogue, CardState.REJECTED, reasons)
    return Saving(state.visit, draft), (SaveCard(draft),)


def _reject_all(state: Rejecting) -> Step:
    reason = (Reason.OPERATOR_REJECTED,)
    changes: tuple[Effect, ...] = tuple(
        ChangeCard(card.card_id, CardState.REJECTED, reason) for card in state.visit.counted
    )
    stop = (WatchForCards(False), StopRecording(state.visit.recording_id))
    return Sealing(state.visit, WayOut.REJECT_ALL), (*changes, *stop)


def seal_of(state: Sealing) -> SealParcel:
    """The effect that writes the parcel's last event."""
    visit = state.visit
    return SealParcel(visit.parcel_id, state.way_out, visit.expected.declared, visit.found)


def when_sealing(state: Sealing, event: Event, _rules: Rules) -> Step | None:
    visit = state.visit
    match event:
        case RecordingClosed():
            return state, (seal_of(state), Play(Sound.REC_OFF))
        case ParcelSealed(_, wall_us):
            return Idle(visit.operator, LastParcel(visit.expected.waybill, wall_us, visit.counted)), ()
        case SaveFailed(code, _):
            return Paused(Device.STORE, code, state, ready=True), (Play(Sound.REC_CUT),)
        case CardWasRead(read):
            return state, (AcknowledgeRead(read.read_id),)
        case CardSighted() | TagSeen() | CodeScanned() | KeyPressed():
            return state, ()
        case _:
            return None
