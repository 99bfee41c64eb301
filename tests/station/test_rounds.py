"""Rounds go on through trouble, end at a bug, and end at once when they are stopped, also in a long look."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest

from app.core.errors import StorageTrouble
from app.station.rounds import Rounds

Start = Callable[..., Rounds]


@pytest.fixture
def bugs() -> list[Exception]:
    return []


@pytest.fixture
def start(bugs: list[Exception]) -> Iterator[Start]:
    begun: list[Rounds] = []

    def begin(look: Callable[[], float | None], every_s: float = 0.0, **more: Any) -> Rounds:
        begun.append(Rounds("test-rounds", look, every_s, bugs.append, **more))
        begun[-1].start()
        return begun[-1]

    yield begin
    for rounds in begun:
        rounds.stop()
    assert "test-rounds" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.warns
def test_trouble_is_logged_and_the_rounds_go_on(
    start: Start, bugs: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    looks: Queue[int] = Queue()

    def look() -> None:
        looks.put(1)
        raise StorageTrouble("store.disk_full", "not for the log")

    start(look)
    for _ in range(3):
        looks.get(timeout=30)
    assert bugs == []
    assert "test-rounds: store.disk_full" in caplog.messages
    assert "not for the log" not in caplog.text


def test_a_bug_ends_the_rounds_and_is_told_once(start: Start, bugs: list[Exception]) -> None:
    looks: Queue[int] = Queue()
    slip = RuntimeError("a slip")

    def look() -> None:
        looks.put(1)
        raise slip

    rounds = start(look)
    looks.get(timeout=30)
    rounds.stop()
    assert bugs == [slip]
    assert looks.empty()


def test_a_look_says_when_the_next_one_is(start: Start) -> None:
    """`every_s` would keep this waiting for ever."""
    looks: Queue[int] = Queue()
    pauses = iter((0.0, 0.0, 1e6))

    def look() -> float:
        looks.put(1)
        return next(pauses)

    start(look, every_s=1e6)
    for _ in range(3):
        looks.get(timeout=30)


def test_nothing_is_looked_at_before_its_time(start: Start) -> None:
    looks: Queue[int] = Queue()
    start(lambda: looks.put(1), first_s=1e6).stop()
    assert looks.empty()


def test_a_long_look_is_cut_short(start: Start) -> None:
    begun, cut = threading.Event(), threading.Event()
    ended: Queue[tuple[bool, bool]] = Queue()

    def look() -> None:
        begun.set()
        cut.wait(30)
        ended.put((rounds.rest(1e6), rounds.ending))

    rounds = start(look, cut_short=cut.set)
    assert begun.wait(30)
    rounds.stop()
    assert ended.get_nowait() == (True, True)
