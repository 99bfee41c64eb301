"""The autopilot does what a clerk would do, through the same keys; nothing that a person could not do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import CodeScanned, Event, Key, KeyHeld, KeyPressed
from app.core.readiness import Surroundings
from app.core.states import Ask, Asking, ChipTray, Counting, Idle, LastParcel, SignedOut, State, Waiting
from app.station.autoplay import PAUSE_US, STUCK_US, Autoplay, Script, TrueCard
from tests.core.examples import ASKING, STATES
from tests.core.making import BADGE, CLERK, GTIN, WAYBILL, card_read, number, read_field, visit

TRUTH = TrueCard(GTIN, number(7), "7KQM2XWR")
SCRIPT = Script(BADGE, WAYBILL, (TRUTH,))
EVERY_STATE = [state for states in STATES.values() for state in states]


def pilot(over: bool = False) -> tuple[Autoplay, list[Event]]:
    posted: list[Event] = []
    return Autoplay(SCRIPT, posted.append, lambda: over), posted


def watch(autoplay: Autoplay, state: State, *times_us: int) -> None:
    for at_us in times_us:
        autoplay.show(state, Surroundings(mono_us=at_us))


@given(
    shown=st.lists(st.tuples(st.sampled_from(EVERY_STATE), st.integers(0, 4 * STUCK_US)), min_size=1, max_size=30),
    over=st.booleans(),
)
def test_it_only_ever_scans_and_presses_keys(shown: list[tuple[State, int]], over: bool) -> None:
    autoplay, posted = pilot(over)
    now_us = 0
    for state, wait_us in shown:
        now_us += wait_us
        count = len(posted)
        watch(autoplay, state, now_us)
        if len(posted) > count:
            assert len(posted) == count + 1
            event = posted[-1]
            assert isinstance(event, (CodeScanned, KeyPressed, KeyHeld))
            if isinstance(event, KeyHeld):
                assert isinstance(state, ChipTray)
                assert not state.armed
            elif isinstance(event, KeyPressed):
                assert event.key in (Key.SPACE, Key.DIGIT, Key.F2, Key.F4, Key.F7, Key.ESC)
                assert (1 <= event.digit <= 9) if event.key is Key.DIGIT else event.digit == 0
            else:
                assert isinstance(state, SignedOut if event.text == BADGE else Idle)


@pytest.mark.parametrize("state", EVERY_STATE, ids=lambda state: type(state).__name__)
def test_a_screen_stands_long_enough_to_be_seen(state: State) -> None:
    autoplay, posted = pilot(over=True)
    watch(autoplay, state, 1_000_000, 1_000_000 + PAUSE_US - 1)
    assert posted == []
    watch(autoplay, state, 1_000_000 + PAUSE_US)
    assert len(posted) <= 1


@pytest.mark.parametrize("state", EVERY_STATE, ids=lambda state: type(state).__name__)
def test_once_a_person_takes_over_it_lets_go_for_good(state: State) -> None:
    autoplay, posted = pilot(over=True)
    autoplay.take_over()
    watch(autoplay, state, 0, PAUSE_US, STUCK_US, 10 * STUCK_US)
    assert posted == []


def asked(text: str, doubts: dict[int, str]) -> Asking:
    read = card_read(number=read_field(text, doubts))
    position = min(doubts)
    options = tuple(
        replace(ASKING.question.options[0], candidate=replace(ASKING.question.options[0].candidate, glyph=glyph))
        for glyph in doubts[position]
    )
    question = replace(ASKING.question, ask=Ask.CHARACTER, field="number", position=position, options=options)
    return replace(ASKING, read=read, question=question, choice=None)


def test_it_chooses_what_stands_on_the_card_then_confirms() -> None:
    right = TRUTH.number[3]
    wrong = next(glyph for glyph in "0123456789" if glyph != right)
    asking = asked(TRUTH.number, {3: wrong + right})
    autoplay, posted = pilot()
    watch(autoplay, asking, 0, PAUSE_US)
    assert posted == [KeyPressed(Key.DIGIT, 2)]
    watch(autoplay, replace(asking, choice=1), PAUSE_US, 2 * PAUSE_US)
    assert posted[1:] == [KeyPressed(Key.SPACE)]


def test_it_cannot_answer_what_is_not_offered_and_hands_the_card_to_review() -> None:
    right = TRUTH.number[3]
    wrong = [glyph for glyph in "0123456789" if glyph != right]
    autoplay, posted = pilot()
    watch(autoplay, asked(TRUTH.number, {3: "".join(wrong[:2])}), 0, PAUSE_US)
    assert posted == [KeyPressed(Key.F7)]


def test_it_does_not_guess_between_two_cards_that_both_fit() -> None:
    other = replace(TRUTH, number=TRUTH.number[:3] + ("1" if TRUTH.number[3] != "1" else "2") + TRUTH.number[4:])
    posted: list[Event] = []
    autoplay = Autoplay(replace(SCRIPT, cards=(TRUTH, other)), posted.append, lambda: False)
    watch(autoplay, asked(TRUTH.number, {3: TRUTH.number[3] + other.number[3]}), 0, PAUSE_US)
    assert posted == [KeyPressed(Key.F7)]


def test_it_waits_for_all_cards_or_the_end_of_the_footage_before_it_counts() -> None:
    for over, expected in ((False, []), (True, [KeyPressed(Key.SPACE)])):
        autoplay, posted = pilot(over)
        watch(autoplay, Waiting(visit()), 0, PAUSE_US, STUCK_US)
        assert posted == expected


def test_it_looks_at_the_mat_before_it_counts_a_parcel_with_a_difference() -> None:
    autoplay, posted = pilot()
    short = visit(expected=replace(visit().expected, declared=3))
    watch(autoplay, Counting(short), 0, PAUSE_US)
    watch(autoplay, Counting(replace(short, shots=(1,))), PAUSE_US, 2 * PAUSE_US)
    watch(autoplay, Counting(replace(short, shots=(1, 2))), 2 * PAUSE_US, 3 * PAUSE_US)
    assert posted == [KeyPressed(Key.SPACE), KeyPressed(Key.SPACE), KeyPressed(Key.DIGIT, 1)]


def test_it_is_over_when_the_parcel_is_sealed_and_scans_nothing_more() -> None:
    autoplay, posted = pilot()
    watch(autoplay, Idle(CLERK, last=LastParcel(WAYBILL, 1, ())), 0, PAUSE_US, 3 * STUCK_US)
    assert autoplay.over
    assert posted == []
