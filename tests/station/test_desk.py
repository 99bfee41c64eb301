"""The supervisors' desk: one thing after another, for supervisors only, and a bug does not close it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from app.core.errors import BadInput, Trouble
from app.core.parcels import Operator, Role
from app.paths import StationFolder
from app.station.clock import system_clock
from app.station.desk import Refusals, SupervisorsDesk
from app.store.writer import StoreWriter
from tests.station.filmed import CLERK, SUPERVISOR, new_store

BUG = RuntimeError("a slip")


class Sat:
    """A desk over a real store; `heard` has what it answered, in order."""

    def __init__(self, folder: StationFolder) -> None:
        self.bugs: list[Exception] = []
        self.heard: SimpleQueue[Any] = SimpleQueue()
        self.store = StoreWriter(new_store(folder), self.bugs.append)
        self.store.start()
        refusals = Refusals("test.not_allowed", "test.unreadable")
        self.desk = SupervisorsDesk("desk", refusals, self.store, system_clock(), self.bugs.append, lambda _event: None)
        self.desk.start()

    def code(self, who: Operator, work: Callable[[], Any]) -> str:
        self.desk.answer(who, work, self.heard.put)
        trouble = self.heard.get(timeout=30)
        assert isinstance(trouble, Trouble)
        return trouble.code


@pytest.fixture
def sat(tmp_path: Path) -> Iterator[Sat]:
    one = Sat(StationFolder(tmp_path / "station"))
    yield one
    one.desk.stop()
    one.store.stop()


def unreadable() -> None:
    raise OSError("away")


def refused() -> None:
    raise BadInput("store.unknown_card")


def slip() -> None:
    raise BUG


def test_answers_come_in_the_order_of_the_questions(sat: Sat) -> None:
    for n in range(20):
        sat.desk.answer(SUPERVISOR, lambda n=n: n, sat.heard.put)
    assert [sat.heard.get(timeout=30) for _ in range(20)] == list(range(20))


@pytest.mark.parametrize("who", [CLERK, Operator("S9", "whom nobody knows", Role.ADMIN)])
def test_who_is_no_supervisor_hears_so_and_nothing_is_done(sat: Sat, who: Operator) -> None:
    done: list[int] = []
    assert sat.code(who, lambda: done.append(1)) == "test.not_allowed"
    assert done == []


def test_trouble_is_an_answer_and_a_bug_closes_nothing(sat: Sat) -> None:
    assert sat.code(SUPERVISOR, refused) == "store.unknown_card"
    assert sat.code(SUPERVISOR, unreadable) == "test.unreadable"
    sat.desk.answer(SUPERVISOR, slip, sat.heard.put)
    assert sat.code(SUPERVISOR, refused) == "store.unknown_card"
    assert sat.bugs == [BUG]


def test_what_was_asked_before_the_end_is_still_done(sat: Sat) -> None:
    for n in range(5):
        sat.desk.answer(SUPERVISOR, lambda n=n: n, sat.heard.put)
    sat.desk.stop()
    assert sat.heard.qsize() == 5
