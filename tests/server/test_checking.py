"""Signatures checked beside the server: the same answers by another process, and by this one where that fails."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.keys import Signer
from app.server import signatures
from app.server.checking import Checker
from app.server.checkpoints import publish
from app.server.setup import OpenCentre
from app.server.signatures import Background
from tests.server.test_damaged_signatures import noted, plant, sizes
from tests.server.test_postgres import NOW_MS, Station

SIGNER, OTHER = Signer(b"1" * 32), Signer(b"2" * 32)


@pytest.fixture
def checker() -> Iterator[Checker]:
    made = Checker()
    yield made
    made.close()


def wanted(*data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [(SIGNER.public_key, SIGNER.sign(one), one) for one in data]


def test_it_says_of_each_whether_it_holds(checker: Checker) -> None:
    good = wanted(b"", b"x", b"y" * 300_000)
    key, sig, data = good[1]
    bad = [
        (OTHER.public_key, sig, data),
        (key, sig, b"z"),
        (key, sig[:-1], data),
        (key, b"", data),
        (key, sig * 2, data),
    ]
    assert checker.holds(good + bad) == [True] * 3 + [False] * 5
    assert checker.holds(bad[:1] + good[:1]) == [False, True]


@pytest.mark.warns
def test_one_that_was_killed_is_started_anew(checker: Checker) -> None:
    assert checker.holds(wanted(b"x")) == [True]
    child = checker._child
    assert child is not None
    child.kill()
    child.wait()
    assert checker.holds(wanted(b"x")) is None
    assert checker.holds(wanted(b"x")) == [True]


@pytest.mark.warns
@pytest.mark.parametrize("program", [["/nowhere/at/all"], [sys.executable, "-c", ""]])
def test_without_it_there_is_no_answer(program: list[str]) -> None:
    checker = Checker(program)
    assert checker.holds(wanted(b"x")) is None
    checker.close()


def test_it_is_ended_in_the_middle_and_never_again(tmp_path: Path) -> None:
    """The server leaves while it waits for an answer that does not come."""
    program = [sys.executable, "-c", f"open({str(tmp_path / 'runs')!r}, 'x'); import time; time.sleep(600)"]
    checker, told = Checker(program), []
    asking = threading.Thread(target=lambda: told.append(checker.holds(wanted(b"x"))))
    asking.start()
    while not (tmp_path / "runs").exists():
        assert asking.is_alive()
    checker.close()
    asking.join(30)
    assert told == [None]
    assert checker.holds(wanted(b"x")) is None


@pytest.mark.warns
@pytest.mark.parametrize("there", [True, False])
def test_the_log_is_looked_at_beside_the_server_where_that_is_worth_it(
    centre: OpenCentre, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    station = Station(centre, "st-1")
    plant(centre, station, 1, 70, count=300)
    checker = Checker() if there else Checker(["/nowhere/at/all"])
    here: list[int] = []
    check = signatures._checked_here
    monkeypatch.setattr(signatures, "_checked_here", lambda *args: here.append(1) or check(*args))
    publish(centre, NOW_MS, beside=Background(threading.Event(), checker))
    checker.close()
    assert (sizes(centre), bool(here)) == ([301], not there)
    assert [list(one["signatures"]) for one in noted(centre)] == [["2", "71"]]
