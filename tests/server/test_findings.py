"""What the vault finds while the same card is being decided on, on PostgreSQL, where both may write at once."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection

from app.core.audit import EventKind
from app.core.cards import CardState
from app.keys import verifier
from app.server import reference, vault_door
from app.server.admit import Caller
from app.server.intake import take
from app.server.log import Log
from app.server.reference import Item
from app.server.setup import OpenCentre, init, open_centre
from app.server.vault_door import keep_findings
from app.signing import ReadSignature, RequestMarks
from app.wire import Decision, EventBatch, Expected, open_statement
from app.wire_vault import Finding, Findings
from tests.server.test_postgres import NOW_MS, Station, page_of


@pytest.fixture
def centre(tmp_path: Path, new_database: Callable[[], str]) -> Iterator[OpenCentre]:
    database = new_database()
    init(tmp_path / "centre", database)
    opened = open_centre(tmp_path / "centre", database)
    yield opened
    opened.engine.dispose()


def vault_and_station(centre: OpenCentre) -> tuple[Station, Station]:
    """A station, and the vault."""
    station, vault = Station(centre, "st-1"), Station(centre, "vault-1")
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE station SET role = 'vault' WHERE id = 'vault-1'")
    return station, vault


def decisions(centre: OpenCentre, station: Station) -> list[Decision]:
    verify = verifier(centre.signer.public_key)
    return [open_statement(Decision, item, verify) for item in page_of(centre, station).items]


def test_a_duplicate_is_not_accepted_by_a_decision_of_the_same_number(
    centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finding has read the card, the PIN's blob comes in and the card is decided on, and then the finding is
    written: both were revision 1, and the station believed whichever came first."""
    station, vault = vault_and_station(centre)
    pin = b"sealed pin"
    sealed = {"number": {"sha256": hashlib.sha256(b"sealed").hexdigest(), "key": "k"}}
    sealed |= {"pin": {"sha256": hashlib.sha256(pin).hexdigest(), "key": "k"}}
    station.add(EventKind.CARD_KEPT, {"card": "twin", "verdict": "kept", "sealed": sealed})
    station.send(centre, station.chain, (b"sealed",))
    assert decisions(centre, station) == []
    read, go_on = threading.Event(), threading.Event()
    write = Log.write

    def slow(log: Log) -> object:
        if log.deciding.by == "vault-1":
            read.set()
            go_on.wait(10)
        return write(log)

    monkeypatch.setattr(vault_door.Log, "write", slow)
    found = Finding(station="st-1", card="twin", code="duplicate", of_station="st-0", of_card="first")
    told = Findings(findings=(found,))
    finding = threading.Thread(target=keep_findings, args=(centre, told, vault.caller(), NOW_MS))
    blob = threading.Thread(target=station.send, args=(centre, [], (pin,)))
    finding.start()
    assert read.wait(10)
    blob.start()
    time.sleep(0.3)  # it has come as far as it can without the other
    go_on.set()
    for thread in (finding, blob):
        thread.join(20)
    made = decisions(centre, station)
    assert sorted({one.revision for one in made}) == sorted(one.revision for one in made)
    last = max(made, key=lambda one: one.revision)
    assert (last.verdict, last.duplicate_of) == (CardState.REVIEW, "st-0/first")


def sweeping(station: Station) -> Caller:
    """A caller whose request takes away what expired of everybody's."""
    marks = RequestMarks(station.name, os.urandom(12).hex() + "0", NOW_MS // 1000, NOW_MS // 1000 + 60)
    return Caller(ReadSignature(marks, b"request", station.signer.sign(b"request")))


def test_findings_and_events_wait_for_each_other_in_one_order(
    centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each held what the other one waited for: what expired, and the station's row."""
    station, vault = vault_and_station(centre)
    station.keep_card("one")
    station.send(centre, station.chain, (b"sealed",))
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO nonce (station, nonce, expires_ms) VALUES ('st-1', 'old', 1)")
    spent, go_on = threading.Event(), threading.Event()
    spend = vault_door.spend_nonce

    def slow(connection: Connection, caller: Caller, now_ms: int) -> None:
        spend(connection, caller, now_ms)
        spent.set()
        go_on.wait(10)

    monkeypatch.setattr(vault_door, "spend_nonce", slow)
    told = Findings(findings=(Finding(station="st-1", card="one"),))
    more = EventBatch.of("st-1", [station.add()], ())
    with ThreadPoolExecutor(2) as pool:
        finding = pool.submit(keep_findings, centre, told, sweeping(vault), NOW_MS)
        assert spent.wait(10)
        events = pool.submit(take, centre, more, sweeping(station), NOW_MS)
        time.sleep(0.3)  # it has come as far as it can without the other
        go_on.set()
        assert finding.result(20).kept == 1
        assert [one.result for one in events.result(20).results] == ["applied"]


def test_who_found_nothing_is_told_so(centre: OpenCentre) -> None:
    _, vault = vault_and_station(centre)
    assert keep_findings(centre, Findings(findings=()), vault.caller(), NOW_MS).kept == 0


def test_two_who_hand_out_the_same_at_once_are_counted_one_after_the_other(
    centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were the second word on it: the centre kept one, the stations the other."""
    count, meet = reference._hand_out, threading.Barrier(2)

    def together(log: Log, item: Item, station: str) -> bool:
        with suppress(threading.BrokenBarrierError):
            meet.wait(0.5)
        return bool(count(log, item, station))

    monkeypatch.setattr(reference, "_hand_out", together)
    items = [Item("expected-parcel", "SF1", Expected(declared=n)) for n in (1, 2)]
    threads = [threading.Thread(target=reference.hand_out, args=(centre, [one], "", NOW_MS)) for one in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    with centre.engine.connect() as connection:
        texts = connection.exec_driver_sql("SELECT text FROM feed ORDER BY id").scalars().all()
        kept = connection.exec_driver_sql("SELECT revision, body FROM reference").one()
    told = {one["revision"]: one["body"]["declared"] for one in map(json.loads, texts)}
    assert sorted(told) == [1, 2]
    assert (kept.revision, json.loads(kept.body)["declared"]) == (2, told[2])
