"""Time in a recording: jumps from event to event, single frames, typed times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.footage import FilmPart, Footage, Moment, Span, next_frame, shown_at, wanted_time

S = 1_000_000
MIDNIGHT_US = 1_790_000_000 * S
TEN_US = MIDNIGHT_US + 10 * 3600 * S
FOOTAGE = Footage(
    "r", "p", "SF1", "", "overhead", TEN_US, 724 * S, True, True, True, 10,
    parts=(FilmPart(1, 0, 411 * S), FilmPart(2, 452 * S, 724 * S)),
    gaps=(Span(411 * S, 452 * S, "camera"),),
    moments=(Moment(100 * S, "card.kept"), Moment(300 * S, "clock", "+1.0")),
)  # fmt: skip


def test_jumps_stop_at_events_and_at_both_ends_of_a_gap() -> None:
    at, seen = 0, []
    while at < FOOTAGE.duration_us:
        at = FOOTAGE.jump(at, forward=True)
        seen.append(at // S)
    assert seen == [100, 300, 411, 452, 724]
    assert FOOTAGE.jump(411 * S, forward=False) == 300 * S
    assert FOOTAGE.jump(0, forward=False) == 0
    assert FOOTAGE.jump(724 * S, forward=True) == 724 * S


def test_a_stop_that_is_as_good_as_here_is_passed() -> None:
    assert FOOTAGE.jump(100 * S - 90_000, forward=True) == 300 * S
    assert FOOTAGE.jump(100 * S + 90_000, forward=False) == 0


def test_the_part_of_a_time_is_the_one_before_it_in_a_gap() -> None:
    numbers = [part.number for at in (0, 410, 420, 452, 800) if (part := FOOTAGE.part_at(at * S))]
    assert numbers == [1, 1, 1, 2, 2]
    assert replace(FOOTAGE, parts=()).part_at(0) is None


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40, unique=True), st.data())
def test_stepping_goes_through_every_frame_both_ways(found: list[int], data: st.DataObject) -> None:
    times = tuple(sorted(found))
    here = data.draw(st.integers(0, len(times) - 1))
    place = shown_at(times, times[here], 33_333)
    assert max(time for time in times if time <= place) == times[here]
    forward, back = next_frame(times, times[here], True), next_frame(times, times[here], False)
    assert forward == (times[here + 1] if here + 1 < len(times) else None)
    assert back == (times[here - 1] if here else None)


def test_a_frame_before_dropped_ones_is_sought_where_it_is_stored() -> None:
    """Its stored length is a usual one; half-way to the next would show that next one."""
    assert shown_at((0, 33_333, 200_000), 33_333, 33_333) == 33_333 + 16_666
    assert shown_at((0, 16_666, 33_333), 16_666, 33_333) == 16_666 + 8_333


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4:26", 266), ("04:26.5", 266.5), (" 12 ", 12), ("0:04:26", 266), ("4：26", 266), ("99:00", 724),
        ("10:05:30", 330), ("10:05", 605),
        ("", None), ("x", None), ("4:61", None), ("-3", None), ("1:2:3:4", None), ("nan", None), ("inf", None),
    ],
)  # fmt: skip
def test_a_typed_time_is_found_by_either_clock(text: str, seconds: float | None) -> None:
    found = wanted_time(text, FOOTAGE, MIDNIGHT_US)
    assert found == (None if seconds is None else round(seconds * S))
