"""Rules of the session while cards are read: from the cut tape to the kept card."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from app.core.asking import draft_of, settled_by_check, shows_no_card
from app.core.cards import CardRead, CardState, Guidance, Sighting
from app.core.effects import (
    AcknowledgeRead,
    ChangeCard,
    Effect,
    Play,
    ReadAgain,
    SaveCard,
    Sound,
    StartRecording,
    WatchForCards,
)
from app.core.events import (
    CardLeftTooEarly,
    CardSaved,
    CardSighted,
    CardWasDuplicate,
    CardWasRead,
    CodeScanned,
    Event,
    FieldTyped,
    Key,
    KeyPressed,
    RecordingBegan,
    RecordingClosed,
    TagSeen,
)
from app.core.parcels import Reason
from app.core.rules import Rules, Step
from app.core.session_correct import (
    AS_PRINTED_DIGIT,
    Decision,
    answered,
    asked,
    choose,
    choose_beside,
    keep_as_printed,
    move,
    reopen,
    take_typed,
    verdict_of,
)
from app.core.session_desk import misfit
from app.core.states import (
    Ask,
    Asking,
    Counting,
    Notice,
    Opening,
    Reading,
    Rejecting,
    Saving,
    State,
    Visit,
    Waiting,
    with_visit,
)

Q = TypeVar("Q", Opening, Asking, Rejecting, Saving)

_TO_REVIEW = {
    Ask.PIN_COVERED: Reason.PIN_COVERED,
    Ask.PIN_UNREADABLE: Reason.PIN_UNREADABLE,
    Ask.NUMBER_UNREADABLE: Reason.NUMBER_UNREADABLE,
    Ask.CHARACTER: Reason.OPERATOR_REVIEW,
    Ask.LENGTH: Reason.OPERATOR_REVIEW,
}


def when_opening(state: Opening, event: Event, rules: Rules) -> Step | None:
    match event:
        case RecordingBegan(recording_id, first_us):
            return _began(replace(state, visit=state.visit.filmed(recording_id, first_us), began=True), rules)
        case RecordingClosed() if not state.began:
            # The one it should have gone on with was closed while nobody was here: there will be a next one.
            visit = state.visit
            return state, (StartRecording(visit.recording_id, visit.parcel_id, visit.expected.waybill),)
        case CardWasRead(read) if state.began:
            return take(state.visit, read, rules)
        case CardWasRead(read):
            return queue(state, read)
        case CardSighted(sighting) if state.began and shows_card(sighting):
            return Reading(state.visit, sighting), ()
        case TagSeen(tag, at_us):
            return with_visit(state, state.visit.with_tag(tag, at_us)), ()
        case KeyPressed(Key.SPACE) if state.began:
            return Waiting(state.visit), ()
        case CodeScanned(text):
            return replace(state, notice=misfit(text)), (Play(Sound.WRONG_CODE),)
        case _:
            return None


def _began(state: Opening, rules: Rules) -> Step:
    """The first bytes are on disk. After a restart, reads that were not settled before it are settled now."""
    started: tuple[Effect, ...] = (Play(Sound.REC_ON), WatchForCards(True))
    following, effects = next_in_line(state.visit, state, rules)
    return following, (*started, *effects)


def when_waiting(state: Waiting, event: Event, rules: Rules) -> Step | None:
    match event:
        case CardWasRead(read):
            return take(state.visit, read, rules)
        case CardSighted(sighting):
            return _sighted_while_waiting(state, sighting)
        case CardLeftTooEarly():
            return replace(state, notice=Notice("card.left-too-early")), (Play(Sound.ASK),)
        case TagSeen(tag, at_us):
            return with_visit(state, state.visit.with_tag(tag, at_us)), ()
        case KeyPressed(Key.SPACE):
            return Counting(state.visit), ()
        case KeyPressed(Key.F5):
            return replace(state, settled=False, notice=None), (ReadAgain(),)
        case KeyPressed(Key.F2) if state.visit.counted:
            last = state.visit.counted[-1]
            if last.chip is not None:
                return replace(state, notice=Notice("card.chip-is-off")), (Play(Sound.WRONG_CODE),)
            return state, (ChangeCard(last.card_id, CardState.WITHDRAWN, ()), ReadAgain())
        case CodeScanned(text):
            return replace(state, notice=misfit(text)), (Play(Sound.WRONG_CODE),)
        case _:
            return None


def _sighted_while_waiting(state: Waiting, sighting: Sighting) -> Step:
    if not shows_card(sighting):
        return replace(state, settled=False, sighting=sighting), ()
    if state.settled:
        return replace(state, sighting=sighting), ()
    return Reading(state.visit, sighting), ()


def when_reading(state: Reading, event: Event, rules: Rules) -> Step | None:
    match event:
        case CardWasRead(read):
            return take(state.visit, read, rules)
        case CardSighted(sighting) if shows_card(sighting):
            return replace(state, sighting=sighting), ()
        case CardSighted(sighting):
            return Waiting(state.visit, sighting=sighting), ()
        case CardLeftTooEarly():
            return Waiting(state.visit, notice=Notice("card.left-too-early")), (Play(Sound.ASK),)
        case TagSeen(tag, at_us):
            return with_visit(state, state.visit.with_tag(tag, at_us)), ()
        case KeyPressed(Key.F5 | Key.F2):
            return state, (ReadAgain(),)
        case CodeScanned():
            return state, (Play(Sound.WRONG_CODE),)
        case _:
            return None


def when_asking(state: Asking, event: Event, rules: Rules) -> Step | None:
    match event:
        case KeyPressed(Key.SPACE):
            return _answer(state, rules)
        case KeyPressed(Key.F2 | Key.F5):
            return _put_aside(state, rules)
        case KeyPressed(Key.F7):
            reasons = (*state.reasons, _TO_REVIEW[state.question.ask])
            return _save(state.visit, state.read, rules, CardState.REVIEW, reasons)
        case KeyPressed(Key.F9):
            return Rejecting(state.visit, state), ()
        case FieldTyped(field, reading):
            return _typed(state, FieldTyped(field, reading), rules)
        case CardWasRead(read):
            return queue(state, read)
        case CardSighted(sighting):
            return replace(state, sighting=sighting), ()
        case CardLeftTooEarly():
            return state, ()
        case TagSeen(tag, at_us):
            return with_visit(state, state.visit.with_tag(tag, at_us)), ()
        case CodeScanned(text):
            return replace(state, notice=misfit(text)), (Play(Sound.WRONG_CODE),)
        case KeyPressed(key, digit):
            return _correct(state, key, digit, rules)
        case _:
            return None


def when_saving(state: Saving, event: Event, rules: Rules) -> Step | None:
    match event:
        case CardSaved(card) if card.card_id == state.draft.card_id:
            sound = {CardState.REVIEW: Sound.REVIEW, CardState.REJECTED: Sound.REJECTED}.get(card.state, Sound.ACCEPTED)
            return _saved(state, state.visit.with_card(card), Notice("card.kept"), sound, rules)
        case CardWasDuplicate(read_id, last4, same_parcel, _) if read_id == state.draft.read_id:
            code = "card.already-here" if same_parcel else "card.taken-before"
            return _saved(state, state.visit, Notice(code, (("last4", last4),)), Sound.REJECTED, rules)
        case CardWasRead(read):
            return queue(state, read)
        case CardSighted() | CardLeftTooEarly() | CodeScanned():
            return state, ()
        case TagSeen(tag, at_us):
            return with_visit(state, state.visit.with_tag(tag, at_us)), ()
        case _:
            return None


def take(visit: Visit, read: CardRead, rules: Rules) -> Step:
    """A card was read: keep it if nothing is open, else ask.

    A read that is settled already is only acknowledged; so is one in which nothing of a card was found, which the
    clerk is told. A card that was shown before the recording began is on no film of it: it is to be shown again.
    """
    nothing = shows_no_card(read, visit.expected.waybill)
    if nothing or is_settled(visit, read):
        notice = Notice("card.nothing-read") if nothing else None
        following, effects = next_in_line(visit, Waiting(visit, settled=True, notice=notice), rules)
        return following, (AcknowledgeRead(read.read_id), *effects)
    if is_before(visit, read):
        following, effects = _shown_again(visit, rules)
        return following, (AcknowledgeRead(read.read_id), *effects)
    return _go_on(visit, settled_by_check(read, rules.catalogue), rules, ())


def is_settled(visit: Visit, read: CardRead) -> bool:
    """Kept already."""
    return any(card.read_id == read.read_id for card in visit.cards)


def is_before(visit: Visit, read: CardRead) -> bool:
    """Shown before the recording began, though it may have come later: the one that showed it has ended meanwhile."""
    return read.best_us < visit.first_us


def _shown_again(visit: Visit, rules: Rules) -> Step:
    """The card that came last lies there still, and is read from the start. Those before it do not: the clerk is told
    how many, once no other waits.
    """
    if not visit.pending and not visit.again:
        return Waiting(visit, notice=Notice("card.read-again")), (ReadAgain(),)
    more = replace(visit, again=visit.again + 1)
    return next_in_line(more, Waiting(more), rules)


def next_in_line(visit: Visit, otherwise: State, rules: Rules) -> Step:
    """Take the read that waited longest; `otherwise` when none waits."""
    if not visit.pending and visit.again:
        notice = Notice("card.show-again", (("count", str(visit.again)),))
        return Waiting(replace(visit, again=0), settled=True, notice=notice), (Play(Sound.ASK),)
    if not visit.pending:
        return otherwise, ()
    return take(replace(visit, pending=visit.pending[1:]), visit.pending[0], rules)


def shows_card(sighting: Sighting) -> bool:
    return sighting.quad is not None and sighting.guidance is not Guidance.EMPTY


def _go_on(
    visit: Visit, first: CardRead, rules: Rules, reasons: tuple[Reason, ...], decided: tuple[Decision, ...] = ()
) -> Step:
    """Ask what is still open after the person's decisions; keep the card when nothing is."""
    following = asked(visit, first, decided, reasons, rules)
    if isinstance(following, Asking):
        return following, (Play(Sound.ASK),)
    return _save(visit, following, rules, verdict_of(reasons), reasons)


def _save(visit: Visit, read: CardRead, rules: Rules, verdict: CardState, reasons: tuple[Reason, ...]) -> Step:
    draft = draft_of(visit, read, rules.catalogue, verdict, reasons)
    return Saving(visit, draft), (SaveCard(draft),)


def _saved(state: Saving, visit: Visit, notice: Notice, sound: Sound, rules: Rules) -> Step:
    following, effects = next_in_line(visit, Waiting(visit, settled=True, notice=notice), rules)
    return following, (AcknowledgeRead(state.draft.read_id), Play(sound), *effects)


def queue(state: Q, read: CardRead) -> Step:
    """A further card came before this one is settled: it waits its turn, each read once."""
    visit: Visit = state.visit
    if is_settled(visit, read):
        return state, (AcknowledgeRead(read.read_id),)
    if read.read_id in (_in_hand(state), *(r.read_id for r in visit.pending)):
        return state, ()
    return with_visit(state, replace(visit, pending=(*visit.pending, read))), ()


def _in_hand(state: Opening | Asking | Rejecting | Saving) -> str:
    """The id of the read that the state is about; "" when it is about none."""
    match state:
        case Asking(read=read) | Rejecting(back_to=Asking(read=read)):
            return read.read_id
        case Saving(draft=draft):
            return draft.read_id
        case _:
            return ""


def _answer(state: Asking, rules: Rules) -> Step:
    if state.question.ask is Ask.PIN_COVERED:
        return _put_aside(state, rules)
    done = answered(state)
    if done is None:
        return replace(state, notice=Notice("choose.first")), (Play(Sound.WRONG_CODE),)
    decided, reasons = done
    return _go_on(state.visit, state.first or state.read, rules, reasons, decided)


def _put_aside(state: Asking, rules: Rules) -> Step:
    """Read the card in question again. If another was shown meanwhile, that one comes first: it lies there now."""
    visit = state.visit
    if visit.pending:
        following, effects = next_in_line(visit, Waiting(visit), rules)
    else:
        following, effects = Reading(visit, state.sighting), (ReadAgain(),)
    return following, (AcknowledgeRead(state.read.read_id), *effects)


def _typed(state: Asking, event: FieldTyped, rules: Rules) -> Step:
    taken = take_typed(state, event, rules)
    if isinstance(taken, Asking):
        return taken, (Play(Sound.WRONG_CODE),)
    first, decided, reasons = taken
    return _go_on(state.visit, first, rules, reasons, decided)


def _as_printed(state: Asking, rules: Rules) -> Step:
    first, decided, reasons, fact = keep_as_printed(state)
    following, effects = _go_on(state.visit, first, rules, reasons, decided)
    return following, (fact, *effects)


def _correct(state: Asking, key: Key, digit: int, rules: Rules) -> Step | None:
    """The keys of the correction; None for any other."""
    match key:
        case Key.DIGIT if digit == AS_PRINTED_DIGIT and state.typed is not None:
            return _as_printed(state, rules)
        case Key.DIGIT:
            return choose(state, digit - 1, rules)
        case Key.UP | Key.DOWN:
            return choose_beside(state, 1 if key is Key.DOWN else -1, rules)
        case Key.LEFT | Key.RIGHT:
            return move(state, 1 if key is Key.RIGHT else -1, rules)
        case Key.BACKSPACE:
            return reopen(state, rules)
        case _:
            return None
