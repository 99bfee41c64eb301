"""Rules of the doubt-first correction: what keys do while a length or one character of a field is asked about.

Where nobody knows how many characters a field has, its whole readings come first. 1-9 and the up and down arrows pick
an alternative, Space answers, left and right go to the other doubtful characters, Backspace takes the last answer back.
Typing by hand is always possible and always marked. A typed text that the product's template refuses may be kept "as
printed": the card goes to review, the template is reported.
"""

from __future__ import annotations

from dataclasses import replace

from app.core.asking import field_of, next_question, pattern_of, preselected, settled_by_check, with_field
from app.core.audit import EventKind
from app.core.cards import CardRead, CardState, FieldReading, alternatives
from app.core.effects import Play, RecordFact, Sound
from app.core.events import FieldTyped
from app.core.parcels import Reason
from app.core.products import DIGITS, Catalogue
from app.core.rules import Rules, Step
from app.core.states import Ask, Asking, Decided, LengthDecided, Notice, Question, Visit

CONFIRMED = {"number": Reason.NUMBER_CONFIRMED, "pin": Reason.PIN_CONFIRMED}
LENGTH = {"number": Reason.NUMBER_LENGTH, "pin": Reason.PIN_LENGTH}
BY_HAND = {"number": Reason.NUMBER_BY_HAND, "pin": Reason.PIN_BY_HAND}
AS_PRINTED = {"number": Reason.NUMBER_AS_PRINTED, "pin": Reason.PIN_AS_PRINTED}

AS_PRINTED_DIGIT = 9
"""The key that says: the card does print what was typed."""

Decision = Decided | LengthDecided


def asked(
    visit: Visit, first: CardRead, decided: tuple[Decision, ...], reasons: tuple[Reason, ...], rules: Rules
) -> Asking | CardRead:
    """The next question about a card after the person's decisions so far; the read itself when nothing is open."""
    read = with_decisions(first, decided, rules.catalogue)
    question = next_question(read, rules.catalogue, as_printed(reasons))
    if question is None:
        return read
    choice = preselected(question, pattern_of(read, question.field, rules.catalogue))
    return Asking(visit, read, question, choice, reasons, first=first, decided=decided)


def as_printed(reasons: tuple[Reason, ...]) -> frozenset[str]:
    """The fields that a person keeps as they are printed, whatever the template says."""
    return frozenset(field for field, reason in AS_PRINTED.items() if reason in reasons)


def with_lengths(first: CardRead, decided: tuple[Decision, ...]) -> CardRead:
    """The read as it came, in the lengths that the person picked: the doubts that are left to be asked about."""
    read = first
    for one in decided:
        if isinstance(one, LengthDecided):
            read = with_field(read, one.field, field_of(read, one.field).pick(one.length))
    return read


def with_decisions(first: CardRead, decided: tuple[Decision, ...], catalogue: Catalogue) -> CardRead:
    """The read as it came, with what the person decided, and with what the check digits then leave no choice for."""
    read = with_lengths(first, decided)
    for one in decided:
        if isinstance(one, LengthDecided):
            continue
        reading = field_of(read, one.field).resolve(one.position, one.glyph)
        by_hand = reading.by_hand or one.typed
        read = with_field(read, one.field, replace(reading, by_hand=by_hand))
    return settled_by_check(read, catalogue)


def choose(state: Asking, index: int, rules: Rules) -> Step:
    """Choose an option; one that breaks a real check digit cannot be chosen."""
    if not 0 <= index < len(state.question.holds):
        return state, ()
    if not _may_choose(state, index, rules):
        return replace(state, notice=Notice("option.breaks-check")), (Play(Sound.WRONG_CODE),)
    return replace(state, choice=index, notice=None), (Play(Sound.TICK),)


def _may_choose(state: Asking, index: int, rules: Rules) -> bool:
    pattern = pattern_of(state.read, state.question.field, rules.catalogue)
    return pattern is None or not pattern.check or state.question.holds[index]


def choose_beside(state: Asking, step: int, rules: Rules) -> Step:
    """The next option up or down that can be chosen."""
    count = len(state.question.holds)
    at = state.choice if state.choice is not None else (-1 if step > 0 else count)
    at += step
    while 0 <= at < count and not _may_choose(state, at, rules):
        at += step
    return choose(state, at, rules)


def move(state: Asking, step: int, rules: Rules) -> Step:
    """Ask about the doubtful character to the left or right; one that was answered already can be answered anew."""
    if state.question.ask is not Ask.CHARACTER:
        return state, ()
    places = field_of(came(state), state.question.field).doubts
    beyond = [p for p in places if (p - state.question.position) * step > 0]
    if not beyond:
        return state, ()
    return _ask_at(state, min(beyond, key=lambda p: abs(p - state.question.position)), rules), (Play(Sound.TICK),)


def reopen(state: Asking, rules: Rules) -> Step:
    """Take back the answer at this character, or else the last one given."""
    here = [d for d in state.decided if state.question.ask is Ask.CHARACTER and _is_at(d, state.question)]
    last = (here or list(state.decided))[-1:]
    if not last:
        return state, ()
    decided = tuple(d for d in state.decided if d is not last[0])
    if isinstance(last[0], LengthDecided):
        again = asked(state.visit, _first(state), decided, state.reasons, rules)
        return (
            (replace(again, sighting=state.sighting), (Play(Sound.TICK),)) if isinstance(again, Asking) else (state, ())
        )
    read = with_decisions(_first(state), decided, rules.catalogue)
    question = Question(Ask.CHARACTER, last[0].field)
    undone = replace(state, read=read, decided=decided, question=question)
    return _ask_at(undone, last[0].position, rules), (Play(Sound.TICK),)


def _is_at(one: Decision, question: Question) -> bool:
    return isinstance(one, Decided) and (one.field, one.position) == (question.field, question.position)


def _ask_at(state: Asking, position: int, rules: Rules) -> Asking:
    """The question about one character, with the doubt it came with; an earlier answer stands as chosen."""
    field = state.question.field
    pattern = pattern_of(state.read, field, rules.catalogue)
    now, before = field_of(state.read, field), field_of(came(state), field)
    assert pattern is not None  # a field without a pattern is never asked about
    open_again = replace(now, chars=(*now.chars[:position], before.chars[position], *now.chars[position + 1 :]))
    question = Question(Ask.CHARACTER, field, position, alternatives(open_again, position, pattern))
    glyphs = [option.candidate.glyph for option in question.options]
    if now.chars[position].sure and now.chars[position].best.glyph in glyphs:
        choice: int | None = glyphs.index(now.chars[position].best.glyph)
    else:
        choice = preselected(question, pattern)
    return replace(state, question=question, choice=choice, notice=None, typed=None)


def answered(state: Asking) -> tuple[tuple[Decision, ...], tuple[Reason, ...]] | None:
    """The decisions and reasons after the chosen option is taken; None when none is chosen."""
    if state.choice is None:
        return None
    field = state.question.field
    one = decision(state.question, state.choice)
    reason = LENGTH[field] if isinstance(one, LengthDecided) else CONFIRMED[field]
    return _decide(state, one), _once(state.reasons, reason)


def decision(question: Question, choice: int) -> Decision:
    """What the person decides who takes this option."""
    if question.ask is Ask.LENGTH:
        return LengthDecided(question.field, question.wholes[choice].length)
    return Decided(question.field, question.position, question.options[choice].candidate.glyph)


def _decide(state: Asking, one: Decision) -> tuple[Decision, ...]:
    return (*(d for d in state.decided if not _is_at(d, state.question)), one)


def _once(reasons: tuple[Reason, ...], reason: Reason) -> tuple[Reason, ...]:
    return reasons if reason in reasons else (*reasons, reason)


def take_typed(
    state: Asking, event: FieldTyped, rules: Rules
) -> Asking | tuple[CardRead, tuple[Decision, ...], tuple[Reason, ...]]:
    """What was typed for a field, or for the one character in question: the state that refuses it, or what follows
    (the read to go on from, decisions, reasons)."""
    field = event.field
    pattern = pattern_of(state.read, field, rules.catalogue)
    reasons = _once(state.reasons, BY_HAND[field])
    first = _first(state)
    if len(event.reading.chars) == 1 and state.question.ask is Ask.CHARACTER and state.question.field == field:
        glyph = event.reading.chars[0].best.glyph
        decided = _decide(state, Decided(field, state.question.position, glyph, typed=True))
        whole = field_of(with_decisions(first, decided, rules.catalogue), field)
        allowed = pattern is not None and pattern.allows_glyph(glyph, state.question.position)
        if allowed and pattern is not None and (whole.doubts or whole.fits(pattern)):
            return first, decided, reasons
        return _refused(state, field, whole if not whole.doubts else None)
    if pattern is None or not event.reading.fits(pattern):
        return _refused(state, field, event.reading if pattern is not None else None)
    decided = tuple(d for d in state.decided if d.field != field)
    return with_field(first, field, event.reading), decided, reasons


def _refused(state: Asking, field: str, typed: FieldReading | None) -> Asking:
    """Not taken; the whole text is remembered, in case the card does print it."""
    return replace(state, notice=Notice(f"{field}.does-not-fit"), typed=None if typed is None else (field, typed))


def keep_as_printed(state: Asking) -> tuple[CardRead, tuple[Decision, ...], tuple[Reason, ...], RecordFact]:
    """The person insists: the text is kept, the card goes to review, the template is reported, without the text."""
    assert state.typed is not None
    field, reading = state.typed
    read = with_field(_first(state), field, replace(reading, by_hand=True))
    decided = tuple(d for d in state.decided if d.field != field)
    reasons = _once(_once(state.reasons, BY_HAND[field]), AS_PRINTED[field])
    body = (
        ("card", state.read.read_id),
        ("product", state.read.product_id),
        ("gtin", state.read.gtin),
        ("catalogue", state.read.catalogue),
        ("field", field),
        ("shape", shape_of(reading)),
    )
    return read, decided, reasons, RecordFact(EventKind.TEMPLATE_REPORTED, body)


def shape_of(reading: FieldReading) -> str:
    """What a text is made of, without the text: 9 for a digit, A for a letter."""
    return "".join("9" if c.best.glyph in DIGITS else "A" for c in reading.chars)


def verdict_of(reasons: tuple[Reason, ...]) -> CardState:
    """What becomes of a card whose questions are all answered: one kept as printed goes to review."""
    return CardState.REVIEW if as_printed(reasons) else CardState.KEPT


def came(state: Asking) -> CardRead:
    """The read before any of its characters was decided, in the lengths that were picked."""
    return with_lengths(_first(state), state.decided)


def _first(state: Asking) -> CardRead:
    return state.read if state.first is None else state.first
