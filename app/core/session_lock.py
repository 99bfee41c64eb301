"""Rules of a desk that was left: covered after a while or by F12, uncovered by a badge or a passcode.

Filming goes on under it, answers of store and centre are taken in, no card is read, and no key but the sign-in counts.
A card that was just being asked about is put aside: nothing of its number and PIN is kept for a desk without a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.audit import EventKind
from app.core.effects import AcknowledgeRead, Announce, Effect, Play, ReadAgain, RecordFact, Sound, WatchForCards
from app.core.events import (
    CardLeftTooEarly,
    CardSighted,
    CardWasRead,
    CodeScanned,
    DeskLeft,
    Event,
    FieldTyped,
    KeyHeld,
    KeyPressed,
    PasscodeEntered,
    RightsChanged,
    SignedIn,
    SignInRefused,
    Tick,
    WaybillTyped,
)
from app.core.parcels import Operator
from app.core.rules import Rules, Step
from app.core.session_cards import is_settled, next_in_line
from app.core.session_desk import when_signed_out
from app.core.states import (
    Asking,
    ChipTray,
    Counting,
    Idle,
    Locked,
    Notice,
    Opening,
    Paused,
    Reading,
    Rejecting,
    SignedOut,
    State,
    Visit,
    Waiting,
    with_visit,
)

_UNDER_THE_COVER = (
    KeyPressed,
    KeyHeld,
    WaybillTyped,
    FieldTyped,
    CardSighted,
    CardLeftTooEarly,
    DeskLeft,
    RightsChanged,
)
"""What nobody at the desk can have meant."""


def lock(state: State) -> Step | None:
    """Cover the desk; None where it cannot be now (an answer is under way) or is covered already."""
    match state:
        case ChipTray(running=False):
            return lock(state.back_to)
        case Idle(finding=""):
            return _locked(state.operator, Idle(state.operator, last=state.last), ())
        case Reading(visit) | Waiting(visit):
            return _locked(visit.operator, Waiting(visit), (WatchForCards(False),))
        case Asking(visit, read) | Rejecting(visit, Asking(read=read)):
            rest = (AcknowledgeRead(read.read_id), WatchForCards(False))
            return _locked(visit.operator, Waiting(visit), rest, missed=True)
        case Opening(began=True):
            return _locked(state.visit.operator, state, (WatchForCards(False),))
        case Counting(visit) | Rejecting(visit):
            return _locked(visit.operator, Counting(visit), (WatchForCards(False),))
        case Paused(back_to=Asking(visit, read) | Rejecting(visit, Asking(read=read))):
            aside = replace(state, back_to=Waiting(visit), missed=True)
            return _locked(visit.operator, aside, (AcknowledgeRead(read.read_id),))
        case Paused():
            return _locked(state.back_to.visit.operator, state, ())
        case _:
            return None


def _locked(
    operator: Operator,
    under: Idle | Opening | Waiting | Counting | Paused,
    effects: tuple[Effect, ...],
    missed: bool = False,
) -> Step:
    fact = RecordFact(EventKind.LOCKED, (("operator", operator.id),))
    return Locked(operator, under, missed=missed), (fact, *effects)


def when_locked(state: Locked, event: Event, rules: Rules) -> Step | None:
    """What the cover itself does with an event; None: it is for what lies under it."""
    match event:
        case SignedIn(operator) if not operator.lapsed:
            return _come(state, operator, rules)
        case CodeScanned() | PasscodeEntered() | SignedIn() | SignInRefused() | Tick():
            return _at_the_door(state, event, rules)
        case CardWasRead(read) if isinstance(state.back_to, Opening | Waiting | Counting):
            visit = state.back_to.visit
            if is_settled(visit, read):
                return state, (AcknowledgeRead(read.read_id),)
            if any(read.read_id == waiting.read_id for waiting in visit.pending):
                return state, ()
            return replace(state, back_to=with_visit(state.back_to, replace(visit, pending=(*visit.pending, read)))), ()
        case _:
            return (state, ()) if isinstance(event, _UNDER_THE_COVER) else None


def _at_the_door(state: Locked, event: Event, rules: Rules) -> Step:
    found = when_signed_out(state.desk, event, rules)
    if found is None or not isinstance(found[0], SignedOut):
        return state, ()
    notice = state.notice if isinstance(event, Tick) else None
    return replace(state, desk=found[0], notice=notice), found[1]


def _come(state: Locked, operator: Operator, rules: Rules) -> Step:
    same = operator.id == state.operator.id
    if isinstance(state.back_to, Idle):
        return _to_the_desk(state, state.back_to, operator, same)
    if not same and not operator.supervises:
        told = Notice("lock.somebody-else", (("name", state.operator.name),))
        return replace(state, notice=told, desk=SignedOut(now_us=state.desk.now_us)), (Play(Sound.WRONG_CODE),)
    return _to_work(state, operator, rules)


def _to_the_desk(state: Locked, idle: Idle, operator: Operator, same: bool) -> Step:
    arrived = (Announce(operator), _uncovered(state, operator), Play(Sound.TICK))
    if same:
        return replace(idle, operator=operator, notice=None), arrived
    left = RecordFact(EventKind.SIGNED_OUT, (("operator", state.operator.id),))
    return Idle(operator), (left, *arrived)


def _to_work(state: Locked, operator: Operator, rules: Rules) -> Step:
    """Back to the parcel; a supervisor who comes instead takes it over."""
    arrived = (Announce(operator), _uncovered(state, operator), Play(Sound.TICK))
    taken = _taken_by(operator)
    match state.back_to:
        case Paused() as paused:
            return replace(paused, back_to=with_visit(paused.back_to, taken(paused.back_to.visit))), arrived
        case Opening() | Waiting() | Counting() as under:
            back = with_visit(under, taken(under.visit))
            if state.missed and isinstance(back, Waiting):
                back = replace(back, notice=Notice("card.read-again"))
            following, effects = next_in_line(back.visit, back, rules)
            again = (ReadAgain(),) if state.missed else ()
            return following, (*arrived, WatchForCards(True), *again, *effects)
        case Idle():
            raise ValueError("no parcel is in work")
        case other:
            return with_visit(other, taken(other.visit)), arrived


def _taken_by(operator: Operator) -> Callable[[Visit], Visit]:
    return lambda visit: replace(visit, operator=operator)


def _uncovered(state: Locked, operator: Operator) -> RecordFact:
    told = (("operator", operator.id), ("role", operator.role.value), ("locked_by", state.operator.id))
    return RecordFact(EventKind.UNLOCKED, told)
