"""The thread: ends promptly, waits as long as it must, says how things stand."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.core.audit import Stamp
from app.core.cards import CardState
from app.core.parcels import TrayCard
from app.core.readiness import SyncState
from app.server.embedded import start_server_process, stop_server_process
from app.server.setup import OpenCentre, init, open_centre
from app.store.results import RetryState
from app.sync.client import CentreClient
from app.sync.worker import SyncListeners, SyncPlan, SyncReport, SyncWorker
from app.wire import Centre

NOW_US = 1_790_000_000_000_000


@dataclass
class Clock:
    """Wall time that a test sets."""

    wall_us: int = NOW_US

    def __call__(self) -> Stamp:
        return Stamp(self.wall_us, 5, "boot")


@dataclass
class Ears:
    """What the worker said."""

    facts: queue.Queue[SyncReport] = field(default_factory=queue.Queue)
    cards: queue.Queue[TrayCard] = field(default_factory=queue.Queue)
    crashes: list[Exception] = field(default_factory=list)

    def listeners(self) -> SyncListeners:
        return SyncListeners(self.facts.put, self.hear_cards, self.crashes.append)

    def hear_cards(self, cards: tuple[TrayCard, ...]) -> None:
        for card in cards:
            self.cards.put(card)

    def wait_for(self, wanted: Callable[[SyncReport], bool]) -> SyncReport:
        while True:
            facts = self.facts.get(timeout=60)
            if wanted(facts):
                return facts


Start = Callable[..., SyncWorker]


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(party: Any, ears: Ears, clock: Clock) -> Iterator[Start]:
    made: list[SyncWorker] = []

    def begin(url: str = "http://127.0.0.1:1", transport: Any = None, poll_s: float = 30.0) -> SyncWorker:
        plan = SyncPlan(url, poll_s)
        worker = SyncWorker(plan, party.writer, clock, ears.listeners(), chance=lambda: 1.0, transport=transport)
        made.append(worker)
        worker.start()
        return worker

    yield begin
    for worker in made:
        assert worker.stop()
    assert ears.crashes == []


def test_kept_then_at_the_centre_then_accepted(party: Any, start: Start, ears: Ears) -> None:
    card = party.keep()
    worker = start(transport=party.line)
    facts = ears.wait_for(lambda facts: facts.state is SyncState.SYNCED and CardState.ACCEPTED in facts.queue.cards)
    assert facts.queue.unsent == 0
    assert [ears.cards.get(timeout=60).state for _ in range(2)] == [CardState.AT_CENTRE, CardState.ACCEPTED]
    second = party.keep()
    worker.nudge()
    ears.wait_for(lambda facts: facts.queue.cards.get(CardState.ACCEPTED) == 2)
    assert {party.state_of(one) for one in (card, second)} == {CardState.ACCEPTED}


def test_a_centre_that_is_away_is_tried_again_when_it_is_time(
    party: Any, start: Start, ears: Ears, clock: Clock
) -> None:
    party.line.fate = lambda _request: "cut"
    party.keep()
    start(transport=party.line)
    away = ears.wait_for(lambda facts: facts.state is SyncState.OFFLINE)
    assert (away.code, away.next_try_ms) == ("sync.offline", NOW_US // 1000 + 1000)
    assert (away.queue.unsent, away.queue.oldest_wall_us) == (2, NOW_US)
    party.line.fate = lambda _request: ""
    clock.wall_us += 1_000_000
    ears.wait_for(lambda facts: facts.state is SyncState.SYNCED)
    assert party.writer.call(lambda store: store.retry_state()) == RetryState()


def test_the_wait_outlives_a_restart(party: Any, start: Start, ears: Ears, clock: Clock) -> None:
    party.writer.call(lambda store: store.save_retry(RetryState(NOW_US // 1000 + 60_000, 6)))
    worker = start(transport=party.line)
    worker.nudge()
    assert worker.stop()
    assert party.line.requests == []


def test_the_centre_asks_for_patience(party: Any, start: Start, ears: Ears) -> None:
    party.line.fate = lambda _request: "busy"
    start(transport=party.line)
    facts = ears.wait_for(lambda facts: facts.state is SyncState.OFFLINE)
    assert facts.next_try_ms >= NOW_US // 1000 + 7000


def test_it_ends_in_the_middle_of_a_request(party: Any, start: Start) -> None:
    asked = queue.Queue[str]()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.put(request.url.path)
            await asyncio.Event().wait()
            raise AssertionError("not reached")

    worker = start(transport=Silent())
    assert asked.get(timeout=60) == "/v1/events"
    assert worker.stop(30.0)


def test_a_worker_that_never_ran_stops(party: Any, clock: Clock, ears: Ears) -> None:
    assert SyncWorker(SyncPlan("http://127.0.0.1:1"), party.writer, clock, ears.listeners()).stop()


def test_a_fork_stops_it_for_a_person(party: Any, centre: OpenCentre, start: Start, ears: Ears) -> None:
    party.round()
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE station SET head_hash = ?", ("ab" * 32,))
    party.keep()
    start(transport=party.line)
    facts = ears.wait_for(lambda facts: facts.state is SyncState.STOPPED)
    assert facts.code == "sync.fork"
    assert facts.queue.unsent == 1


@pytest.mark.parametrize("url", ["http://192.0.2.1:8000", "http://centre.example", "http://[2001:db8::1]/", "nonsense"])
def test_a_rehearsal_speaks_with_this_machine_only(url: str, party: Any, start: Start, ears: Ears) -> None:
    start(url, party.line)
    facts = ears.wait_for(lambda facts: facts.state is SyncState.STOPPED)
    assert facts.code == "sync.rehearsal_off_loopback"
    assert party.line.requests == []


def test_over_a_real_socket_and_a_server_that_is_killed(party: Any, make_party: Any, tmp_path: Any, ears: Ears) -> None:
    init(tmp_path / "real")
    child, url = start_server_process(tmp_path / "real")
    opened = open_centre(tmp_path / "real")
    assert asyncio.run(_about(url)) == opened.centre
    (tmp_path / "st").mkdir()
    station = make_party(tmp_path / "st", opened)
    opened.engine.dispose()
    wall = Clock()
    worker = SyncWorker(SyncPlan(url, 0.1), station.writer, wall, ears.listeners(), chance=lambda: 0.0)
    worker.start()
    station.keep()
    worker.nudge()
    ears.wait_for(lambda facts: facts.queue.cards.get(CardState.ACCEPTED) == 1)
    child.kill()
    stop_server_process(child)
    station.keep()
    worker.nudge()
    ears.wait_for(lambda facts: facts.state is SyncState.OFFLINE)
    child, _ = start_server_process(tmp_path / "real", int(url.rsplit(":", 1)[1]))
    ears.wait_for(lambda facts: facts.queue.cards.get(CardState.ACCEPTED) == 2)
    assert worker.stop()
    assert station.writer.stop()
    assert stop_server_process(child, 60) == 0
    assert station.crashes == ears.crashes == []


async def _about(url: str) -> Centre:
    async with CentreClient(url) as client:
        return await client.centre()
