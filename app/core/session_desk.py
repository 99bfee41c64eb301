"""Rules of the session before a parcel is opened: sign-in and the waybill."""

from __future__ import annotations

from dataclasses import replace

from app.core.audit import EventKind
from app.core.cards import CardRead
from app.core.codes import CodeKind, kind_of, tidy
from app.core.effects import (
    Announce,
    CheckBadge,
    CheckPasscode,
    FindParcel,
    OpenParcelRecord,
    Play,
    RecordFact,
    Sound,
    StartRecording,
)
from app.core.events import (
    CardWasRead,
    CodeScanned,
    Event,
    Key,
    KeyPressed,
    ParcelDoneBefore,
    ParcelFound,
    ParcelRefused,
    ParcelResumed,
    ParcelUnknown,
    PasscodeEntered,
    RightsChanged,
    SaveFailed,
    SignedIn,
    SignInRefused,
    Tick,
    WaybillTyped,
)
from app.core.parcels import OpenParcel, Operator
from app.core.rules import Rules, Step
from app.core.states import Idle, Notice, Opening, SignedOut, Visit

_WRONG_HERE = {
    CodeKind.GTIN: "code.is-product",
    CodeKind.BADGE: "code.is-badge",
    CodeKind.WAYBILL: "code.is-waybill",
    CodeKind.LINK: "code.is-link",
    CodeKind.TIMED: "code.is-timed",
    CodeKind.OTHER: "code.unknown",
}


def misfit(code: str) -> Notice:
    """The line for a code that does not fit the step."""
    return Notice(_WRONG_HERE[kind_of(code)])


def when_signed_out(state: SignedOut, event: Event, rules: Rules) -> Step | None:
    match event:
        case Tick(now_us):
            if state.locked_until_us and now_us >= state.locked_until_us:
                return replace(state, now_us=now_us, locked_until_us=0, wrong=0), ()
            return replace(state, now_us=now_us), ()
        case CodeScanned(text):
            if kind_of(text) is CodeKind.BADGE:
                return replace(state, refused=False, expired=False), (CheckBadge(tidy(text)),)
            return state, (Play(Sound.WRONG_CODE),)
        case PasscodeEntered(operator_id, passcode):
            if state.locked_until_us:
                return state, (Play(Sound.WRONG_CODE),)
            return replace(state, refused=False, expired=False), (CheckPasscode(operator_id, passcode),)
        case SignInRefused(by_badge, wait_us):
            return _refused(state, by_badge, wait_us, rules), (Play(Sound.WRONG_CODE),)
        case SignedIn(operator) if operator.lapsed:
            return replace(state, refused=False, expired=True), (Play(Sound.WRONG_CODE),)
        case SignedIn(operator):
            return _signed_in(state, operator)
        case ParcelResumed(parcel):
            return replace(state, resume=parcel), ()
        case CardWasRead(read) if state.resume is not None:
            known = any(read.read_id == earlier.read_id for earlier in state.reads)
            return (state if known else replace(state, reads=(*state.reads, read))), ()
        case KeyPressed():
            return state, ()
        case SaveFailed():
            return state, (Play(Sound.WRONG_CODE),)
        case _:
            return None


def _refused(state: SignedOut, by_badge: bool, wait_us: int, rules: Rules) -> SignedOut:
    wrong = state.wrong if by_badge else state.wrong + 1
    locked = state.now_us + rules.passcode_wait_us if wrong >= rules.wrong_passcodes else state.locked_until_us
    if wait_us:  # of this number only: others need not wait longer than for any wrong passcode
        locked = max(locked, state.now_us + min(wait_us, rules.passcode_wait_us))
    return replace(state, wrong=wrong, locked_until_us=locked, refused=True, expired=False)


def _signed_in(state: SignedOut, operator: Operator) -> Step:
    fact = RecordFact(EventKind.SIGNED_IN, (("operator", operator.id), ("role", operator.role.value)))
    arrived = (Announce(operator), fact, Play(Sound.TICK))
    if state.resume is None:
        return Idle(operator), arrived
    opening, effects = _go_on_with(state.resume, operator, state.reads)
    return opening, (*arrived, *effects)


def _go_on_with(parcel: OpenParcel, operator: Operator, reads: tuple[CardRead, ...] = ()) -> Step:
    """Take up a parcel that was found unfinished: its cards are in the tray, its recording goes on."""
    visit = replace(resumed(parcel, operator), pending=reads)
    return Opening(visit), (StartRecording(visit.recording_id, visit.parcel_id, visit.expected.waybill),)


def resumed(parcel: OpenParcel, operator: Operator) -> Visit:
    """The work on a parcel that was found unfinished."""
    return Visit(operator, parcel.parcel_id, parcel.recording_id, parcel.expected, parcel.cards, parcel.shots)


def when_idle(state: Idle, event: Event, _rules: Rules) -> Step | None:
    match event:
        case CodeScanned(text):
            return _asked_for(state, text)
        case WaybillTyped(text):
            return _asked_for(state, text, by_hand=True)
        case ParcelFound(expected, parcel_id, recording_id) if tidy(expected.waybill) == state.finding:
            visit = Visit(state.operator, parcel_id, recording_id, expected)
            start = StartRecording(recording_id, parcel_id, expected.waybill)
            return Opening(visit), (OpenParcelRecord(visit.as_open_parcel()), start, Play(Sound.TICK))
        case ParcelDoneBefore(earlier) if tidy(earlier.waybill) == state.finding:
            return replace(state, finding="", earlier=earlier, notice=Notice("parcel.done-before")), (Play(Sound.ASK),)
        case ParcelUnknown(waybill) if tidy(waybill) == state.finding:
            return replace(state, finding="", unannounced=waybill, notice=Notice("parcel.unknown")), (Play(Sound.ASK),)
        case ParcelRefused(codes) if state.finding:
            return replace(state, finding="", notice=Notice(codes[0])), (Play(Sound.ASK),)
        case KeyPressed(Key.SPACE) if state.unannounced:
            wanted = replace(state, finding=state.unannounced, unannounced="", notice=None)
            return wanted, (FindParcel(state.unannounced, unannounced=True),)
        case KeyPressed(Key.ESC):
            return replace(state, finding="", unannounced="", earlier=None, notice=None), ()
        case ParcelResumed(parcel):
            return _go_on_with(parcel, state.operator)
        case RightsChanged(operator) if operator.id == state.operator.id:
            notice = Notice("people.lapsed" if operator.lapsed else "people.no-rights")
            return replace(state, operator=operator, notice=notice), (Play(Sound.ASK),)
        case SaveFailed(code, _):
            return replace(state, finding="", notice=Notice(code)), (Play(Sound.ASK),)
        case KeyPressed(Key.F12):
            return SignedOut(), (RecordFact(EventKind.SIGNED_OUT, (("operator", state.operator.id),)), Announce(None))
        case _:
            return None


def _asked_for(state: Idle, text: str, by_hand: bool = False) -> Step:
    if kind_of(text) is not CodeKind.WAYBILL:
        return replace(state, notice=misfit(text)), (Play(Sound.WRONG_CODE),)
    waybill = tidy(text)
    cleared = replace(state, finding=waybill, unannounced="", earlier=None, notice=None)
    return cleared, (FindParcel(waybill, by_hand=by_hand),)
