"""Any events in any order: nothing raises, no kept card is lost, no guess is kept, nothing is rejected by chance."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from app.core.cards import CardState, FieldReading, FieldState
from app.core.chips import ChipCard
from app.core.effects import ChangeCard, Effect, SaveCard, SealParcel, SwitchChipOff
from app.core.events import CardChanged, CardSaved, CardWasRead, Event, Key, KeyHeld, SignedIn, StationRevoked
from app.core.parcels import CardDraft
from app.core.session import step
from app.core.states import (
    Asking,
    AtWork,
    ChipTray,
    Faulted,
    Locked,
    Paused,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    State,
    Visit,
)
from tests.core.examples import EVENTS, STATES
from tests.core.making import CLERK, RULES, card_read, kept, number, read_field

READS = [
    card_read("a"),
    card_read("b", number=read_field(number(4), {2: "05", 9: "83", 11: "17"})),
    card_read("c", pin=read_field("7KQM2XWR", {0: "7Z"})),
    card_read("d", pin=FieldReading(FieldState.COVERED)),
    card_read("e", number=replace(read_field(number(1)), state=FieldState.DOUBTFUL)),
    card_read("f", product_id=None, gtin=None),
    card_read("g", number=read_field("1234567890123456"), pin=read_field("0O0O")),
]
events: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(list(chain.from_iterable(EVENTS.values()))), st.sampled_from([CardWasRead(r) for r in READS])
)
states = st.sampled_from(list(chain.from_iterable(STATES.values())))


def _visit_of(state: State) -> Visit | None:
    if isinstance(state, Paused):
        return state.back_to.visit
    if isinstance(state, ChipTray | Locked):
        return state.visit
    return state.visit if isinstance(state, get_args(AtWork)) else None


class Run:
    """Feeds events and lets the store answer some saves; checks what must hold after each step."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.kept_ids: set[str] = set()
        self.rejected: set[str] = set()
        self.drafts: list[CardDraft] = []

    def feed(self, event: Event) -> None:
        before = self.state
        outcome = step(before, event, RULES)
        self.state = outcome.state
        if isinstance(before, Locked) and not isinstance(event, SignedIn | StationRevoked):
            assert isinstance(self.state, Locked | Faulted)
        for effect in outcome.effects:
            self._look_at(before, event, effect)
        self._keeps_what_was_kept(before, event)
        self._counts_each_read_once()
        self._leaves_nobody_waiting()
        self._covers()

    def _covers(self) -> None:
        """A covered desk holds nothing of the card that was asked about, and only a sign-in uncovers it."""
        if isinstance(self.state, Locked):
            under = self.state.back_to.back_to if isinstance(self.state.back_to, Paused) else self.state.back_to
            assert not isinstance(under, Asking)
            assert not (isinstance(under, Rejecting) and isinstance(under.back_to, Asking))

    def _look_at(self, before: State, event: Event, effect: Effect) -> None:
        match effect:
            case SaveCard(draft):
                assert not isinstance(self.state, Paused), "no card is taken in without video"
                assert not isinstance(self.state, Locked), "no card is taken in for a desk without a person"
                _holds_no_guess(draft, self.state)
                if draft.verdict is CardState.REJECTED:
                    self._held(before, event, draft.card_id)
                self.drafts.append(draft)
            case ChangeCard(card_id, CardState.REJECTED, _):
                self._held(before, event, card_id)
            case SwitchChipOff(card):
                self._may_be_written(before, event, card)
            case SealParcel():
                assert isinstance(self.state, Sealing)
                assert self.state.closed

    def _may_be_written(self, before: State, event: Event, card: ChipCard) -> None:
        """Only a listed chip that lies there, after a hold; while one is missing, only that one."""
        assert isinstance(before, ChipTray)
        assert isinstance(self.state, ChipTray)
        assert before.armed or isinstance(event, KeyHeld)
        assert not before.running
        assert self.state.on_reader == card.uid
        assert card in self.state.to_tap
        insisted = before.named(before.insist)
        assert insisted is None or insisted.uid == card.uid

    def _held(self, before: State, event: Event, card_id: str) -> None:
        """A rejection needs a hold; only one that the store failed to write may come again."""
        if isinstance(event, KeyHeld):
            assert isinstance(before, Rejecting)
            assert before.choice is not None
            assert event.key is Key.SPACE
            self.rejected.add(card_id)
        else:
            from_example = isinstance(before, Paused) and isinstance(before.back_to, Saving | Sealing)
            assert card_id in self.rejected or from_example

    def _keeps_what_was_kept(self, before: State, event: Event) -> None:
        visit, earlier = _visit_of(self.state), _visit_of(before)
        if visit is None or earlier is None or visit.parcel_id != earlier.parcel_id:
            return
        now, then = ({c.card_id for c in v.cards} for v in (visit, earlier))
        assert then <= now
        if isinstance(event, CardSaved):
            assert event.card.card_id in now

    def _counts_each_read_once(self) -> None:
        visit = _visit_of(self.state)
        if visit is not None:
            reads = [c.read_id for c in visit.cards]
            assert len(reads) == len(set(reads))
            waiting = [r.read_id for r in visit.pending]
            assert len(waiting) == len(set(waiting))

    def _leaves_nobody_waiting(self) -> None:
        state = self.state.back_to if isinstance(self.state, Paused) else self.state
        visit = None if isinstance(state, ChipTray | Locked) else _visit_of(state)
        if visit is not None and visit.pending and not isinstance(self.state, Paused):
            assert isinstance(state, Asking | Rejecting | Saving) or getattr(state, "began", True) is False


def _holds_no_guess(draft: CardDraft, after: State) -> None:
    """What is kept of a known product is as the product has it; a kept card has a number."""
    assert isinstance(after, Saving)
    if draft.verdict is CardState.KEPT:
        assert draft.number is not None
    product = RULES.catalogue.by_id(draft.product_id)
    if product is None:
        return
    for pattern, secret in ((product.number, draft.number), (product.pin, draft.pin)):
        if secret is not None:
            assert pattern is not None
            assert pattern.matches(secret.reveal())


@given(state=states, what=st.lists(events, max_size=25))
def test_nothing_breaks_from_any_state(state: State, what: list[Event]) -> None:
    run = Run(state)
    for event in what:
        run.feed(event)


@given(what=st.lists(st.one_of(events, st.sampled_from(["keep", "change"])), max_size=60))
def test_a_day_in_any_order(what: list[Event | str]) -> None:
    run = Run(SignedOut())
    for event in chain(_opened(), what):
        match event:
            case "keep" if run.drafts:
                run.feed(CardSaved(kept(run.drafts[-1])))
            case "change" if run.drafts:
                run.feed(CardChanged(kept(run.drafts[-1], CardState.WITHDRAWN)))
            case str():
                pass
            case _:
                run.feed(event)


def _opened() -> list[Event]:
    from_table = {kind.__name__: found for kind, found in EVENTS.items()}
    order = ("SignedIn", "CodeScanned", "ParcelFound", "RecordingBegan")
    assert from_table["SignedIn"][0].operator == CLERK  # type: ignore[union-attr]
    return [from_table[name][0] for name in order]
