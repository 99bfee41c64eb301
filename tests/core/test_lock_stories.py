"""Stories of a desk that was left: covered, filmed on, uncovered by whom it belongs to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.audit import EventKind
from app.core.cards import CardState
from app.core.effects import (
    AcknowledgeRead,
    Announce,
    CheckBadge,
    CheckPasscode,
    ReadAgain,
    RecordFact,
    SaveCard,
    SwitchChipOff,
    WatchForCards,
)
from app.core.events import (
    CardChanged,
    CardWasRead,
    ChipsListed,
    CodeScanned,
    DeskLeft,
    Key,
    KeyHeld,
    KeyPressed,
    PasscodeEntered,
    RecordingCut,
    RecordingResumed,
    RightsChanged,
    SignedIn,
    SignInRefused,
    TagSeen,
    Tick,
)
from app.core.parcels import Role
from app.core.states import Asking, Counting, Idle, Locked, Opening, Paused, Saving, Waiting
from tests.core.examples import CHIP, FIRST
from tests.core.making import BADGE, CLERK, SUPERVISOR, Walk, at_desk, at_work, card_read, number, read_field

OTHER_CLERK = replace(CLERK, id="1099", name="other")
DOUBTFUL = card_read("doubt", number=read_field(number(4), {2: "05", 9: "83"}))


def left(walk: Walk) -> Locked:
    walk.on(DeskLeft())
    assert isinstance(walk.state, Locked)
    return walk.state


def kinds(walk: Walk) -> list[EventKind]:
    return [effect.kind for effect in walk.effects if isinstance(effect, RecordFact)]


def test_an_idle_desk_is_covered_and_the_same_person_finds_it_as_it_was() -> None:
    walk = at_desk()
    left(walk)
    assert kinds(walk) == [EventKind.LOCKED]
    walk.on(KeyPressed(Key.SPACE), KeyHeld(Key.SPACE), CodeScanned("SF1234567890123"))
    assert isinstance(walk.state, Locked)
    assert walk.on(CodeScanned(BADGE))[0] == CheckBadge(BADGE)
    assert walk.on(PasscodeEntered("1007", "2468"))[0] == CheckPasscode("1007", "2468")
    walk.on(SignedIn(CLERK))
    assert walk.state == Idle(CLERK)
    assert kinds(walk) == [EventKind.UNLOCKED]
    assert walk.the(Announce).operator == CLERK


def test_somebody_else_at_an_idle_desk_signs_the_first_one_out() -> None:
    walk = at_desk()
    left(walk)
    walk.on(SignedIn(OTHER_CLERK))
    assert walk.state == Idle(OTHER_CLERK)
    assert kinds(walk) == [EventKind.SIGNED_OUT, EventKind.UNLOCKED]


def test_under_the_cover_filming_goes_on_and_no_card_is_taken() -> None:
    walk = at_work()
    left(walk)
    assert not walk.the(WatchForCards).on
    walk.on(CardWasRead(card_read("late")))  # it was on its way
    assert not walk.has(SaveCard)
    walk.on(CardChanged(replace(FIRST, state=CardState.ACCEPTED)))
    walk.on(SignedIn(CLERK))
    assert isinstance(walk.state, Saving)  # what was read before the cover is dealt with now
    assert walk.state.draft.read_id == "late"


def test_what_was_known_of_a_card_is_forgotten_and_read_again() -> None:
    walk = at_work()
    walk.on(CardWasRead(DOUBTFUL))
    assert isinstance(walk.state, Asking)
    state = left(walk)
    assert walk.the(AcknowledgeRead).read_id == "doubt"
    assert "CardRead" not in repr(state)
    walk.on(SignedIn(CLERK))
    assert isinstance(walk.state, Waiting)
    assert walk.has(ReadAgain)
    assert walk.the(WatchForCards).on


def test_only_the_clerk_or_a_supervisor_goes_on_with_a_parcel() -> None:
    walk = at_work()
    left(walk)
    walk.on(SignedIn(OTHER_CLERK))
    assert isinstance(walk.state, Locked)
    assert walk.state.notice is not None
    assert walk.state.notice.code == "lock.somebody-else"
    walk.on(Tick(99))
    assert walk.state.notice is not None
    walk.on(SignedIn(SUPERVISOR))
    assert isinstance(walk.state, Waiting)
    assert walk.state.visit.operator == SUPERVISOR  # whose acts they are from now on
    assert walk.the(Announce).operator == SUPERVISOR


def test_a_lapsed_supervisor_is_no_supervisor_here_either() -> None:
    walk = at_work()
    left(walk)
    walk.on(SignedIn(replace(SUPERVISOR, role=Role.CLERK, lapsed=True)))
    assert isinstance(walk.state, Locked)
    assert walk.state.desk.expired


def test_a_desk_whose_clerk_has_run_out_stays_covered_until_the_centre_is_heard() -> None:
    walk = at_desk()
    left(walk)
    walk.on(SignedIn(replace(CLERK, lapsed=True)))
    assert isinstance(walk.state, Locked)
    assert walk.state.desk.expired
    walk.on(SignedIn(CLERK))
    assert isinstance(walk.state, Idle)


def test_three_wrong_passcodes_make_wait_under_the_cover_too() -> None:
    walk = at_desk()
    left(walk)
    walk.on(*(SignInRefused(by_badge=False),) * 3)
    assert walk.on(PasscodeEntered("1007", "2468"))[0:1] != (CheckPasscode("1007", "2468"),)
    assert walk.on(CodeScanned(BADGE))[0] == CheckBadge(BADGE)


def test_a_cut_recording_is_known_under_the_cover_and_shown_after_it() -> None:
    walk = at_work()
    left(walk)
    walk.on(RecordingCut("camera.lost", 7))
    assert isinstance(walk.state, Locked)
    assert isinstance(walk.state.back_to, Paused)
    walk.on(RecordingResumed(200_000_000), SignedIn(CLERK))
    assert isinstance(walk.state, Paused)
    assert walk.state.supervisor


def test_a_pause_is_covered_without_the_card_that_was_asked_about() -> None:
    walk = at_work()
    walk.on(CardWasRead(DOUBTFUL), RecordingCut("camera.lost", 7))
    assert isinstance(walk.state, Paused)
    assert isinstance(walk.state.back_to, Asking)
    state = left(walk)
    assert walk.the(AcknowledgeRead).read_id == "doubt"
    assert "CardRead" not in repr(state)
    walk.on(SignedIn(CLERK), RecordingResumed(1), KeyPressed(Key.SPACE))
    assert isinstance(walk.state, Waiting)
    assert walk.has(ReadAgain)


@pytest.mark.parametrize("leave", [DeskLeft(), KeyPressed(Key.F12)])
def test_an_armed_reader_is_not_armed_any_more(leave: DeskLeft | KeyPressed) -> None:
    walk = at_work()
    walk.key(Key.F4)
    walk.on(ChipsListed((CHIP,)), KeyHeld(Key.SPACE), leave)
    assert isinstance(walk.state, Locked)
    walk.on(TagSeen(None, 1))
    assert not walk.has(SwitchChipOff)
    walk.on(SignedIn(CLERK))
    assert isinstance(walk.state, Waiting)


def test_no_cover_while_an_answer_is_under_way() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read("a")))
    assert isinstance(walk.state, Saving)
    walk.on(DeskLeft())
    assert isinstance(walk.state, Saving)


def test_f12_covers_a_parcel_in_work_and_signs_out_of_an_idle_desk() -> None:
    walk = at_work()
    walk.key(Key.SPACE)
    assert isinstance(walk.state, Counting)
    walk.key(Key.F12)
    assert isinstance(walk.state, Locked)
    opening = at_work()
    opening.state = Opening(opening.state.visit, began=True)  # type: ignore[union-attr]
    left(opening)
    opening.on(SignedIn(CLERK))
    assert isinstance(opening.state, Opening)
    assert opening.the(WatchForCards).on


def test_rights_that_have_lapsed_are_gone_at_once() -> None:
    walk = at_desk()
    walk.on(DeskLeft(), SignedIn(SUPERVISOR))
    lapsed = replace(SUPERVISOR, role=Role.CLERK, lapsed=True)
    walk.on(RightsChanged(replace(lapsed, id="nobody")))
    assert walk.state == Idle(SUPERVISOR)
    walk.on(RightsChanged(lapsed))
    assert isinstance(walk.state, Idle)
    assert walk.state.operator.role is Role.CLERK
    assert walk.state.notice is not None
