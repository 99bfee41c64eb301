"""Rules of a station that the centre revoked: work ends, the desk is locked, and nobody signs in any more.

What is under way ends first (a card on its way to the disk, a chip that is being written, a parcel that is being
sealed): nothing is torn. The recording is closed, so that what was filmed is sealed; the parcel stays open in the
store.
"""

from __future__ import annotations

from app.core.effects import AcknowledgeRead, Announce, Effect, Play, Sound, StopRecording, WatchForCards
from app.core.events import CardWasRead, CodeScanned, Event, PasscodeEntered, SignedIn
from app.core.rules import Step
from app.core.states import ChipTray, Faulted, Idle, Locked, Paused, Saving, Sealing, SignedOut, State, Visit


def when_revoked(state: State, event: Event) -> Step:
    """The end of work, or, where it has ended, that nothing begins again."""
    if not isinstance(state, SignedOut):
        return _end(state)
    if not state.revoked:
        return SignedOut(revoked=True, resume=state.resume), (Announce(None),)
    match event:
        case CodeScanned() | PasscodeEntered() | SignedIn():
            return state, (Play(Sound.WRONG_CODE),)
        case CardWasRead(read):
            return state, (AcknowledgeRead(read.read_id),)
        case _:
            return state, ()


def _end(state: State) -> Step:
    if _is_busy(state):
        return state, ()
    visit = _visit_of(state)
    if visit is None:
        return SignedOut(revoked=True), (Announce(None), Play(Sound.ASK))
    ended: tuple[Effect, ...] = (WatchForCards(False), StopRecording(visit.recording_id), Announce(None))
    return SignedOut(revoked=True), (*ended, Play(Sound.ASK))


def _is_busy(state: State) -> bool:
    """An answer is under way that has to be taken in."""
    if isinstance(state, Locked):
        return _is_busy(state.back_to)
    if isinstance(state, ChipTray):
        return state.running and not state.adrift
    return isinstance(state, Saving | Sealing)


def _visit_of(state: State) -> Visit | None:
    match state:
        case Paused():
            return state.back_to.visit
        case SignedOut() | Idle() | Faulted():
            return None
        case Locked() | ChipTray():
            return state.visit
        case _:
            return state.visit
