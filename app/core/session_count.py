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
    TagSeen,
)
from app.core.parcels import Reason, WayOut
from app.core.rules import Rules, Step
from app.core.session_cards import is_settled, next_in_line, queue, take
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
    with_visit,
)

WANTED = "supervisor.wanted"
"""Why work stands still when the clerk has asked for a supervisor."""


def when_counting(state: Counting, event: Event, rules: Rules) -> Step | None:
    match event:
        case KeyPressed(Key.SPACE):
            return _go_on(state)
        case KeyPressed(Key.DIGIT, digit) if state.visit.difference and 1 <= digit <= len(WAYS_OUT):
            return replace(state, choice=WAYS_OUT[digit - 1], notice=None), (Play(Sound.TICK),)
        case KeyPressed(Key.ESC | Key.F2):
            return Waiting(state.visit), ()
        case KeyPressed(Key.F9) if any(card.chip is not None for card in state.visit.counted):
            return replace(state, notice=Notice("parcel.chip-is-off")), (Play(Sound.WRONG_CODE),)
        case KeyPressed(Key.F9) if state.visit.found:
            return Rejecting(state.visit, state), ()
        case CardWasRead(read) if is_settled(state.visit, read):
            return state, (AcknowledgeRead(read.read_id),)
        case CardWasRead(read):
            return take(state.visit, read, rules)
        case CardSighted():
            return state, ()
        case TagSeen(tag, at_us):
            return with_visit(state, state.visit.with_tag(tag, at_us)), ()
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
            return Paused(Device.STORE, WANTED, state, supervisor=True), (Play(Sound.ASK),)
        case _:
            return replace(state, notice=Notice("choose.first")), (Play(Sound.WRONG_CODE),)


def _seal(state: Counting, way_out: WayOut) -> Step:
    sealing = Sealing(state.visit, way_out)
    return sealing, (WatchForCards(False), *what_is_left(sealing))


def when_rejecting(state: Rejecting, event: Event, rules: Rules) -> Step | None:
    match event:
        case KeyPressed(Key.DIGIT, digit) if 1 <= digit <= len(REJECT_REASONS):
            return replace(state, choice=digit - 1), (Play(Sound.TICK),)
        case KeyHeld(Key.SPACE) if state.choice is not None:
            reason, asked = REJECT_REASONS[state.choice], state.back_to
            return (
                _reject_card(state, asked, reason, rules) if isinstance(asked, Asking) else _reject_all(state, reason)
            )
        case KeyPressed(Key.ESC) if isinstance(state.back_to, Counting):
            return next_in_line(state.visit, state.back_to, rules)
        case KeyPressed(Key.ESC):
            return state.back_to, ()
        case CardWasRead(read):
            return queue(state, read)
        case KeyPressed() | CardSighted():
            return state, ()
        case TagSeen(tag, at_us):
            return with_visit(state, state.visit.with_tag(tag, at_us)), ()
        case CodeScanned():
            return state, (Play(Sound.WRONG_CODE),)
        case _:
            return None


def _reject_card(state: Rejecting, asked: Asking, reason: Reason, rules: Rules) -> Step:
    reasons = (*asked.reasons, reason)
    draft = draft_of(state.visit, asked.read, rules.catalogue, CardState.REJECTED, reasons)
    return Saving(state.visit, draft), (SaveCard(draft),)


def _reject_all(state: Rejecting, reason: Reason) -> Step:
    """Reject all cards of the parcel, those too that were shown while the dialog stood there."""
    sealing = Sealing(replace(state.visit, pending=()), WayOut.REJECT_ALL, rejected_for=reason)
    shown = (AcknowledgeRead(read.read_id) for read in state.visit.pending)
    return sealing, (*shown, WatchForCards(False), *what_is_left(sealing))


def what_is_left(state: Sealing) -> tuple[Effect, ...]:
    """What has to be written before a parcel is sealed: its rejections, the recording's end, its last event."""
    visit = state.visit
    reason = () if state.rejected_for is None else (state.rejected_for,)
    wrong = [card for card in visit.counted if card.state is not CardState.REJECTED]
    rejections = wrong if state.way_out is WayOut.REJECT_ALL else []
    last = (
        SealParcel(visit.parcel_id, state.way_out, visit.expected.declared, visit.found)
        if state.closed
        else StopRecording(visit.recording_id)
    )
    return (*(ChangeCard(card.card_id, CardState.REJECTED, reason) for card in rejections), last)


def _closed(state: Sealing) -> Step:
    closed = replace(state, closed=True)
    return closed, (what_is_left(closed)[-1], Play(Sound.REC_OFF))


def when_sealing(state: Sealing, event: Event, _rules: Rules) -> Step | None:
    visit = state.visit
    match event:
        case RecordingClosed():
            return (state, ()) if state.closed else _closed(state)
        case ParcelSealed(_, wall_us):
            return Idle(visit.operator, LastParcel(visit.expected.waybill, wall_us, visit.counted)), ()
        case CardWasRead(read):
            return state, (AcknowledgeRead(read.read_id),)
        case CardSighted() | TagSeen() | CodeScanned() | KeyPressed():
            return state, ()
        case _:
            return None
