"""Two words on one request to see a secret at once, on PostgreSQL: one after the other, each by what holds then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from app.server import reveals
from app.server.log import acts
from app.server.refusal import Refusal
from app.server.reveals import keep_verdict, refuse_reveal, take_reveal, withdraw_reveal
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import reveal
from app.store.db import reading
from app.wire_vault import RevealApproval, RevealState, RevealVerdict
from tests.server.test_findings import vault_and_station
from tests.server.test_postgres import NOW_MS, Station

NAME = "ab" * 32
GRANTED = RevealVerdict(state="granted")


@pytest.fixture
def centre(tmp_path: Path, new_database: Callable[[], str]) -> Iterator[OpenCentre]:
    database = new_database()
    init(tmp_path / "centre", database)
    opened = open_centre(tmp_path / "centre", database)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Does two things: the second one begins when the first is about to write; what each gave, or its Refusal."""
    change, about_to, go_on = reveals._change, threading.Event(), threading.Event()

    def slow(connection: Connection, name: str, **values: Any) -> None:
        if not about_to.is_set():
            about_to.set()
            go_on.wait(10)
        change(connection, name, **values)

    def outcome(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Refusal as refused:
            return refused.code

    def both(first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
        monkeypatch.setattr(reveals, "_change", slow)
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(outcome, first)
            assert about_to.wait(10)
            other = pool.submit(outcome, second)
            time.sleep(0.3)  # it has come as far as it can without the first
            go_on.set()
            return [one.result(20), other.result(20)]

    return both


def asked(centre: OpenCentre, state: str, answer: bytes | None = None) -> tuple[Station, Station]:
    """A request of the station that stands so; the station and the vault."""
    row = {"id": NAME, "station": "st-1", "who": "S1", "request": "{}", "sig": b"s", "ref": "r", "approver": ""}
    row |= {"approval": b"", "code": "", "answer": answer, "asked_ms": NOW_MS, "at_ms": NOW_MS, "state": state}
    pair = vault_and_station(centre)
    with centre.engine.begin() as connection:
        connection.execute(insert(reveal), row)
    return pair


def told(centre: OpenCentre) -> list[str]:
    with reading(centre.engine) as connection:
        return [one["act"] for one in acts(connection) if "reveal" in one["act"]]


def test_what_was_taken_back_is_not_granted(centre: OpenCentre, at_once: Callable[..., list[Any]]) -> None:
    """Nothing may be opened that the station was told would not be."""
    station, vault = asked(centre, reveals.WAITING)
    withdrawn, granted = at_once(
        lambda: withdraw_reveal(centre, NAME, station.caller(), NOW_MS),
        lambda: keep_verdict(centre, NAME, GRANTED, vault.caller(), NOW_MS),
    )
    assert (withdrawn.state, granted) == ("refused", "reveal.state")
    assert told(centre) == ["centre.reveal-refused"]


def test_what_was_granted_is_not_refused_any_more(centre: OpenCentre, at_once: Callable[..., list[Any]]) -> None:
    station, vault = asked(centre, reveals.NEEDS_SECOND)
    second = RevealApproval(who="S2", sig=bytes(64))
    granted, refused = at_once(
        lambda: keep_verdict(centre, NAME, GRANTED, vault.caller(), NOW_MS),
        lambda: refuse_reveal(centre, NAME, second, station.caller(), NOW_MS),
    )
    assert (granted.state, refused) == ("granted", "reveal.state")
    assert told(centre) == ["centre.reveal-granted"]


def test_an_answer_is_handed_out_once_to_two_who_come_for_it(
    centre: OpenCentre, at_once: Callable[..., list[RevealState]]
) -> None:
    station, _ = asked(centre, reveals.SHOWN, b"sealed answer")
    both = at_once(*[lambda: take_reveal(centre, NAME, station.caller(), NOW_MS)] * 2)
    assert [one.answer for one in both] == [b"sealed answer", b""]
    assert told(centre) == ["centre.reveal-taken"]
