"""Stories of a station that the centre revoked: work ends without a tear, and nobody begins again."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest

from app.core.effects import (
    Announce,
    CheckBadge,
    CheckPasscode,
    FindParcel,
    OpenParcelRecord,
    SaveCard,
    StartRecording,
    StopRecording,
    SwitchChipOff,
    WatchForCards,
)
from app.core.events import (
    CardWasRead,
    CodeScanned,
    DeskLeft,
    ParcelResumed,
    PasscodeEntered,
    RecordingClosed,
    SignedIn,
    StationRevoked,
)
from app.core.session import step
from app.core.states import ChipTray, Faulted, Idle, Locked, Saving, SignedOut
from tests.core.examples import EVENTS, STATES, VISIT
from tests.core.making import BADGE, CLERK, RECORDING, RULES, SUPERVISOR, WAYBILL, Walk, at_desk, at_work, card_read

BEGINS = (CheckBadge, CheckPasscode, FindParcel, OpenParcelRecord, SaveCard, StartRecording, SwitchChipOff)


def test_work_ends_and_what_was_filmed_is_sealed() -> None:
    walk = at_work()
    walk.on(StationRevoked())
    assert walk.state == SignedOut(revoked=True)
    assert walk.the(StopRecording).recording_id == RECORDING
    assert walk.the(Announce).operator is None
    assert WatchForCards(False) in walk.effects
    walk.on(RecordingClosed(RECORDING))


def test_a_card_on_its_way_to_the_disk_arrives_first() -> None:
    walk = at_work()
    walk.on(CardWasRead(card_read("a")))
    assert isinstance(walk.state, Saving)
    walk.on(StationRevoked())
    assert isinstance(walk.state, Saving)
    walk.effects = (SaveCard(walk.state.draft),)
    walk.saved()
    walk.on(StationRevoked())
    assert walk.state == SignedOut(revoked=True)


def test_a_chip_that_is_being_written_is_not_left_half_done() -> None:
    running = [state for state in STATES[ChipTray] if isinstance(state, ChipTray) and state.running]
    assert running
    for state in running:
        assert step(state, StationRevoked(), RULES).state == state
        adrift = step(replace(state, adrift=True), StationRevoked(), RULES)
        assert adrift.state == SignedOut(revoked=True)


def test_a_desk_that_was_left_is_locked_for_good() -> None:
    walk = at_desk()
    walk.on(DeskLeft())
    assert isinstance(walk.state, Locked)
    walk.on(StationRevoked())
    assert walk.state == SignedOut(revoked=True)


@pytest.mark.parametrize("event", [CodeScanned(BADGE), PasscodeEntered("1007", "2468"), CodeScanned(WAYBILL)])
def test_nobody_is_even_asked_who_he_is(event: CodeScanned | PasscodeEntered) -> None:
    walk = Walk(SignedOut(revoked=True))
    assert not any(isinstance(effect, BEGINS) for effect in walk.on(event))
    assert walk.state == SignedOut(revoked=True)


def test_a_sign_in_that_was_under_way_counts_no_more() -> None:
    walk = Walk(SignedOut())
    walk.on(CodeScanned(BADGE), StationRevoked(), SignedIn(SUPERVISOR))
    assert walk.state == SignedOut(revoked=True)


def test_a_parcel_that_a_crash_left_is_not_taken_up() -> None:
    walk = Walk(SignedOut())
    walk.on(StationRevoked(), ParcelResumed(VISIT.as_open_parcel()), SignedIn(CLERK))
    assert walk.state == SignedOut(revoked=True)


def test_no_event_in_any_order_leads_out_of_it_or_begins_anything() -> None:
    for event in chain.from_iterable(EVENTS.values()):
        outcome = step(SignedOut(revoked=True), event, RULES)
        assert outcome.expected
        assert outcome.state == SignedOut(revoked=True)
        assert not any(isinstance(effect, BEGINS) for effect in outcome.effects)


def test_from_every_state_the_desk_is_locked_once_what_runs_has_ended() -> None:
    for state in chain.from_iterable(STATES.values()):
        after = step(state, StationRevoked(), RULES).state
        if isinstance(state, Faulted):
            assert after == state
        else:
            assert after == state or (isinstance(after, SignedOut) and after.revoked)
    assert step(Idle(CLERK), StationRevoked(), RULES).state == SignedOut(revoked=True)
