"""A desk that nobody touches is covered, in a real station; whatever is a sign of a person puts it off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.events import CardSighted, DeskLeft, Event
from app.core.policy import Policy
from app.core.rules import Rules
from app.core.states import Idle, Locked, Opening, SignedOut, Waiting
from app.station.idle import IdleWatch
from app.station.station import Station
from tests.core.examples import SEEN
from tests.core.making import CLERK, at_work

AFTER_US = 300_000_000


class Clock:
    def __init__(self) -> None:
        self.now_us = 1

    def __call__(self) -> int:
        return self.now_us


class Desk:
    """A station with its watch, and a clock that is set by hand."""

    def __init__(self, after_us: int = AFTER_US) -> None:
        self.clock = Clock()
        self.station = Station(Rules(), self.clock, lambda: 1)
        self.posted: list[Event] = []
        self.station.govern(Policy(idle_minutes=after_us // 60_000_000))
        self.idle = IdleWatch(lambda: self.station.rules.idle_us, self.clock, self._post)
        self.station.on_show(self.idle.show)
        self.station.state = Idle(CLERK)
        self.later(0)

    def _post(self, event: Event) -> None:
        self.posted.append(event)
        self.station.post(event)

    def later(self, us: int) -> None:
        """Time passes, and the station shows itself as it does four times a second."""
        self.clock.now_us += us
        self.station.tick()
        self.station.drain()


def test_a_desk_is_covered_after_the_time_and_not_before() -> None:
    desk = Desk()
    desk.later(AFTER_US - 1)
    assert desk.posted == []
    desk.later(1)
    assert desk.posted == [DeskLeft()]
    desk.later(1)
    assert isinstance(desk.station.state, Locked)
    desk.later(10 * AFTER_US)
    assert desk.posted == [DeskLeft()]


def test_a_touch_begins_the_time_anew() -> None:
    desk = Desk()
    desk.later(AFTER_US - 1)
    desk.idle.touch()
    desk.later(AFTER_US - 1)
    assert desk.posted == []


@pytest.mark.parametrize("state", [SignedOut(), Locked(CLERK, Idle(CLERK))])
def test_what_is_covered_already_is_left_alone(state: SignedOut | Locked) -> None:
    desk = Desk()
    desk.station.state = state
    desk.later(10 * AFTER_US)
    assert desk.posted == []


def test_zero_means_never_and_a_rehearsal_that_plays_by_itself_is_not_covered() -> None:
    never = Desk(0)
    never.later(10 * AFTER_US)
    assert never.posted == []
    playing = Desk()
    playing.station.adjust(lambda around: replace(around, autoplay=True))
    playing.later(1)
    playing.later(10 * AFTER_US)
    assert playing.posted == []


def test_a_card_that_only_lies_there_is_no_person_but_one_that_is_kept_is() -> None:
    desk = Desk()
    desk.station.state = at_work().state
    assert isinstance(desk.station.state, Opening | Waiting)
    desk.later(0)
    desk.later(AFTER_US - 2)
    desk.station.post(CardSighted(SEEN))  # from waiting to reading: a hand laid it there
    desk.later(0)
    desk.later(AFTER_US - 2)
    desk.station.post(CardSighted(SEEN))  # it still lies there
    desk.later(0)
    assert desk.posted == []
    desk.later(2)
    assert desk.posted == [DeskLeft()]


def test_another_policy_holds_at_once() -> None:
    desk = Desk()
    desk.later(60_000_000)
    assert desk.posted == []
    desk.station.govern(Policy(idle_minutes=1))
    desk.later(0)
    assert desk.posted == [DeskLeft()]


def test_surroundings_alone_are_no_sign_of_a_person() -> None:
    desk = Desk()
    desk.later(AFTER_US - 1)
    desk.station.adjust(lambda around: replace(around, chips=3))
    desk.later(1)
    assert desk.posted == [DeskLeft()]
