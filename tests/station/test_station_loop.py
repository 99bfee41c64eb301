"""The station's loop: one inbox for everybody, one thread that draws from it."""

from __future__ import annotations

import threading
from dataclasses import replace

from app.core.effects import Announce, CheckBadge, Effect, FindParcel, StopRecording
from app.core.events import CardWasRead, CodeScanned, Event, Key, KeyPressed, SignedIn
from app.core.readiness import REVOKED, Surroundings, SyncFacts, SyncState
from app.core.states import Faulted, Idle, SignedOut, State, Waiting
from app.station.station import Station
from tests.core.making import BADGE, CLERK, RECORDING, RULES, WAYBILL, card_read, visit


def make_station() -> tuple[Station, list[Effect]]:
    station = Station(RULES, lambda: 7_000_000, lambda: 9_000_000)
    done: list[Effect] = []
    station.join(done.append)
    return station, done


def test_events_are_taken_in_the_order_they_came_and_effects_carried_out() -> None:
    station, done = make_station()
    for event in (CodeScanned(BADGE), SignedIn(CLERK), CodeScanned(WAYBILL)):
        station.post(event)
    assert isinstance(station.state, SignedOut)  # nothing happens before it is drained
    assert station.drain()
    assert isinstance(station.state, Idle)
    assert station.state.finding == WAYBILL
    assert [effect for effect in done if isinstance(effect, (CheckBadge, Announce, FindParcel))] == [
        CheckBadge(BADGE),
        Announce(CLERK),
        FindParcel(WAYBILL),
    ]
    assert not station.drain()


def test_a_revoked_station_ends_work_and_lets_nobody_in_from_then_on() -> None:
    station, done = make_station()
    station.state = Waiting(visit())
    ended = SyncFacts(SyncState.STOPPED, code=REVOKED)
    station.adjust(lambda around: replace(around, sync=ended))
    station.drain()
    station.tick()
    station.drain()
    assert station.state == SignedOut(revoked=True)
    assert StopRecording(RECORDING) in done
    station.adjust(lambda around: replace(around, sync=SyncFacts(SyncState.OFFLINE, code="sync.offline")))
    for event in (CodeScanned(BADGE), SignedIn(CLERK), CodeScanned(WAYBILL)):
        station.post(event)
    station.drain()
    assert station.state == SignedOut(revoked=True)
    assert not any(isinstance(effect, (CheckBadge, FindParcel)) for effect in done)


def test_what_an_effect_posts_is_taken_in_the_same_drain() -> None:
    station = Station(RULES, lambda: 0, lambda: 0)

    def perform(effect: Effect) -> None:
        if isinstance(effect, CheckBadge):
            station.post(SignedIn(CLERK))

    station.join(perform)
    station.post(CodeScanned(BADGE))
    station.drain()
    assert isinstance(station.state, Idle)


def test_everything_is_shown_once_a_drain_with_the_surroundings_as_they_are_then() -> None:
    station, _ = make_station()
    shown: list[tuple[State, Surroundings]] = []
    station.on_show(lambda state, around: shown.append((state, around)))
    station.adjust(lambda around: replace(around, station_name="工位 03"))
    station.post(SignedIn(CLERK))
    station.drain()
    [(state, around)] = shown
    assert isinstance(state, Idle)
    assert (around.station_name, around.mono_us, around.wall_us) == ("工位 03", 7_000_000, 9_000_000)
    station.drain()
    assert len(shown) == 1


def test_time_comes_by_tick() -> None:
    station, _ = make_station()
    station.tick()
    station.drain()
    assert isinstance(station.state, SignedOut)
    assert station.state.now_us == 7_000_000


def test_any_thread_may_post_and_nothing_is_lost() -> None:
    station, _ = make_station()
    station.adjust(lambda around: replace(around, parcels_today=(0, 0)))

    def count(around: Surroundings) -> Surroundings:
        return replace(around, parcels_today=(around.parcels_today[0] + 1, 0))

    threads = [threading.Thread(target=lambda: [station.adjust(count) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    station.drain()
    assert station.around.parcels_today == (800, 0)


def test_run_until_lets_time_pass_and_gives_up_at_its_deadline() -> None:
    station, _ = make_station()
    assert station.run_until(lambda: isinstance(station.state, SignedOut) and station.state.now_us > 0, 5.0)
    assert not station.run_until(lambda: False, 0.05)


def test_after_a_bug_nothing_is_taken_in_the_recording_is_closed_and_nobody_waits() -> None:
    station, done = make_station()
    station.state = Waiting(visit())
    station.fail("bug", "ValueError")
    events: list[Event] = [CardWasRead(card_read()), KeyPressed(Key.SPACE)]
    for event in events:
        station.post(event)
    assert not station.run_until(lambda: False, 60.0)  # at once, not after a minute
    assert station.state == Faulted("bug", "ValueError")
    assert done == [StopRecording(RECORDING)]
    station.fail("bug", "another")
    station.drain()
    assert done == [StopRecording(RECORDING)]


def test_a_bug_at_an_empty_desk_closes_nothing() -> None:
    for state in (SignedOut(), Idle(CLERK)):
        station, done = make_station()
        station.state = state
        station.fail("bug", "x")
        station.drain()
        assert isinstance(station.state, Faulted)
        assert done == []
