"""What a line does to a station's work: chunks, interruptions, a queue after a partition, retries, duplicates.

    CI_LINE_CHUNKS=24 CI_LINE_EVENTS=10000 CI_LINE_MB=1024 CI_LINE_RATE_MB=20 CI_LINE_CUTS=8 python -m tests.bench line

Real server process, real sync worker, a TCP line between them. `drain / ideal`: from the healed line until the last
chunk is durable, beside the bytes that went up at the line's rate.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.commands.bulk import BulkSession, stamp
from app.commands.demo_vault import join_vault, start_vault, stop_vault
from app.core.audit import EventKind
from app.core.cards import CardState, PanelState, Secret
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Role
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, make_code
from app.server.setup import init, open_centre
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.writer import StoreWriter
from app.sync.client import CentreClient, Speaker
from app.sync.footage import CHUNK_BYTES
from app.sync.worker import SyncListeners, SyncPlan, SyncReport, SyncWorker
from app.wire import ObjectSize, ObjectsWanted
from tests.bench.measured_line import MeasuredLine

CHUNKS = int(os.environ.get("CI_LINE_CHUNKS", "24"))
EVENTS = int(os.environ.get("CI_LINE_EVENTS", "10000"))
FOOTAGE_MB = int(os.environ.get("CI_LINE_MB", "1024"))
RATE_MB = int(os.environ.get("CI_LINE_RATE_MB", "20"))
CUTS = int(os.environ.get("CI_LINE_CUTS", "8"))
STATIONS = 20
_LONGEST_S = 1200.0


class Site:
    """A centre that serves, and stations with a worker each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        init(folder / "centre")
        self.centre = open_centre(folder / "centre", connections=2)
        self.child, self.url = start_server_process(folder / "centre", timeout_s=120)
        self.port = int(self.url.rsplit(":", 1)[1])

    def station(self, name: str, cost: IndexCost = IndexCost(8, 1)) -> Store:  # noqa: B008  frozen
        made = {"station_id": name, "centre": self.centre.centre, "rehearsal": True, "index_cost": cost}
        store = Store.create(self.folder / name / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0, **made)
        admit_station(self.centre, name, store.public_key, "rehearsal", 0)
        return store

    def close(self) -> None:
        stop_server_process(self.child)
        self.centre.engine.dispose()


def until(done: Callable[[], bool], longest_s: float = _LONGEST_S) -> float:
    """Seconds until it is so. Raises TimeoutError."""
    begin_s = time.monotonic()
    while not done():
        if time.monotonic() - begin_s > longest_s:
            raise TimeoutError
        time.sleep(0.05)
    return time.monotonic() - begin_s


def bench_chunks(site: Site) -> dict[str, float]:
    """Chunks put to the centre, beside the same bytes written, synced and renamed in the same run."""
    store = site.station("chunks")
    blocks = [os.urandom(CHUNK_BYTES) for _ in range(CHUNKS)]
    names = [hashlib.sha256(block).hexdigest() for block in blocks]

    async def put() -> float:
        async with CentreClient(site.url, None, Speaker(*store.speaker())) as client:
            begin_s = time.perf_counter()
            sizes = tuple(ObjectSize(oid=name, size=CHUNK_BYTES) for name in names)
            places = (await client.objects(ObjectsWanted(objects=sizes))).objects
            for place, block in zip(places, blocks, strict=True):
                await client.put_object(place, block)
            return time.perf_counter() - begin_s

    through_s = asyncio.run(put())
    begin_s = time.perf_counter()
    for n, block in enumerate(blocks):
        path = site.folder / f"raw-{n}.part"
        with path.open("wb") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
        path.rename(path.with_suffix(".done"))
    raw_s = time.perf_counter() - begin_s
    store.close()
    mb = CHUNKS * CHUNK_BYTES / 1e6
    return {"chunk PUT MB/s": mb / through_s, "raw write+fsync MB/s": mb / raw_s, "chunk PUT / raw": raw_s / through_s}


class Working:
    """A station's sync worker over a line."""

    def __init__(
        self,
        store: Store,
        url: str,
        recordings: Path | None,
        transport: Any = None,
        shown: Callable[[SyncReport], None] = lambda _report: None,
    ) -> None:
        self.crashes: list[Exception] = []
        self.writer = StoreWriter(store, self.crashes.append)
        self.writer.start()
        listeners = SyncListeners(shown, lambda _cards: None, self.crashes.append)
        plan = SyncPlan(url, poll_s=0.5, recordings=recordings)
        self.worker = SyncWorker(plan, self.writer, stamp, listeners, transport=transport)
        self.worker.start()

    def ask(self, work: Callable[[Store], Any]) -> Any:
        assert not self.crashes
        return self.writer.call(work)

    def stop(self) -> None:
        self.worker.stop()
        self.writer.stop()


def filmed(store: Store, recordings: Path, mb: int) -> None:
    """A sealed parcel with a closed recording of `mb` megabytes."""
    session = BulkSession(store)
    session.open(1)
    session.film(recordings, mb)
    session.take()
    session.close(1)


def bench_cuts(site: Site) -> dict[str, float]:
    """Bytes sent again after the line was cut in the middle of bodies, beside the chunks that were under way."""
    store, recordings = site.station("cuts"), site.folder / "cuts" / "recordings"
    mb = max(24, CUTS * 8)
    filmed(store, recordings, mb)
    line = MeasuredLine(site.port, cut_after=CHUNK_BYTES // 2, cuts=CUTS)
    working = Working(store, line.url, recordings)
    until(lambda: _waiting(working) == 0)
    working.stop()
    line.close()
    again = max(0, line.sent - mb * 1_000_000)
    done = CUTS - max(0, line.cuts_left)
    return {"interruptions": done, "bytes again / (interruptions x chunk)": again / (done * CHUNK_BYTES)}


def _waiting(working: Working) -> int:
    """What is not at the centre yet; failures are not sat out: it is the bytes that are measured."""

    def look(store: Store) -> int:
        state = store.retry_state("footage")
        if state.failures:
            store.save_retry(type(state)(), "footage")
        return len(store.waiting_footage()) + store.queue().unsent

    return int(working.ask(look))


def bench_drain(site: Site) -> dict[str, float]:
    """A queue that a partition left: events first, then footage, at the line's rate."""
    store, recordings = site.station("drain"), site.folder / "drain" / "recordings"
    filmed(store, recordings, FOOTAGE_MB)
    for n in range(EVENTS):
        store.record(EventKind.UNEXPECTED, {"n": n, "text": "x" * 600}, stamp(), "bench")
    rate = RATE_MB * 1_000_000
    line = MeasuredLine(site.port, rate)
    line.away = True
    working = Working(store, line.url, recordings)
    until(lambda: working.ask(lambda store: store.retry_state()).failures >= 2)
    left_s = max(0.0, working.ask(lambda store: store.retry_state()).next_try_ms / 1000 - time.time())
    line.away, begin_s = False, time.monotonic()
    until(lambda: working.ask(lambda store: store.high_received()) > 0)
    first_s = time.monotonic() - begin_s
    until(lambda: working.ask(lambda store: store.queue().unsent + len(store.waiting_footage())) == 0)
    drain_s = time.monotonic() - begin_s - left_s
    working.stop()
    line.close()
    ideal_s = line.sent / rate
    return {
        "queue events": EVENTS,
        "queue MB": FOOTAGE_MB,
        "drain s": drain_s,
        "drain / ideal": drain_s / ideal_s,
        "first events after heal and back-off s": first_s - left_s,
    }


def bench_retries(site: Site) -> dict[str, float]:
    """When twenty stations come back that were sent away at the same moment."""
    asked: dict[int, list[float]] = {n: [] for n in range(STATIONS)}
    floor_s = 2.0

    def away(n: int) -> httpx.MockTransport:
        def answer(_request: httpx.Request) -> httpx.Response:
            asked[n].append(time.monotonic())
            return httpx.Response(503, headers={"Retry-After": str(int(floor_s))})

        return httpx.MockTransport(answer)

    stores = [site.station(f"retry-{n}") for n in range(STATIONS)]
    workers = [Working(store, "http://127.0.0.1", None, away(n)) for n, store in enumerate(stores)]
    until(lambda: all(len(times) >= 2 for times in asked.values()), 120)
    for working in workers:
        working.stop()
    gaps = [times[1] - times[0] for times in asked.values()]
    seconds = [int(gap) for gap in gaps]
    share = max(seconds.count(one) for one in seconds) / STATIONS
    return {"retries before Retry-After": sum(gap < floor_s for gap in gaps), "fullest second's share": share}


def bench_duplicate(site: Site) -> dict[str, float]:
    """From the moment when two stations have brought the same number until the second one hears of it."""
    code = make_code(site.centre, "vault-1", "vault", time.time_ns() // 1_000_000, confirm=False)
    join_vault(site.folder / "vault", site.folder / "centre", site.url, code)
    vault = start_vault(site.folder / "vault", site.url)
    stores = [site.station(name) for name in ("first", "second")]
    cards = [kept(store) for store in stores]
    workers = [Working(store, site.url, None) for store in stores]
    until(lambda: all(w.ask(lambda store: store.queue().unsent) == 0 for w in workers))
    states = lambda: [_state(w, card) for w, card in zip(workers, cards, strict=True)]  # noqa: E731  said once
    found_s = until(lambda: CardState.REVIEW in states(), 300)
    for working in workers:
        working.stop()
    stop_vault(vault)
    return {"duplicate found s": found_s}


def kept(store: Store) -> str:
    """One parcel with the same card at each station."""
    operator = Operator("1001", "bench", Role.CLERK, rehearsal=True)
    store.open_parcel(OpenParcel("p-1", ExpectedParcel("SF1", "", 1), "r-1", operator), stamp())
    card = f"card-of-{store.station}"
    facts: dict[str, Any] = {"product_id": None, "gtin": None, "expiry": None, "face_value_fen": 50_000}
    store.keep_card(
        CardDraft(
            card_id=card,
            read_id="read-1",
            parcel_id="p-1",
            no=1,
            number=Secret("6222020012349876"),
            pin=Secret("83749261"),
            panel=PanelState.OPEN,
            recording_id="r-1",
            t_video_us=1,
            verdict=CardState.KEPT,
            reasons=(),
            **facts,
        ),
        stamp(),
        "1001",
    )
    return card


def _state(working: Working, card: str) -> CardState:
    found = [one.state for one in working.ask(lambda store: store.tray("p-1")) if one.card_id == card]
    return CardState(found[0])


PARTS = {
    "chunks": bench_chunks,
    "cuts": bench_cuts,
    "drain": bench_drain,
    "retries": bench_retries,
    "duplicate": bench_duplicate,
}


def main() -> dict[str, float]:
    """Run all, or those that CI_LINE_PARTS names ("chunks,cuts,drain,retries,duplicate"); figures as JSON on stdout."""
    figures: dict[str, float] = {}
    wanted = os.environ.get("CI_LINE_PARTS", ",".join(PARTS)).split(",")
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            site = Site(Path(folder))
            try:
                figures |= PARTS[name](site)
            finally:
                site.close()
        print(name, figures, file=sys.stderr, flush=True)
    print(json.dumps({label: round(value, 4) for label, value in figures.items()}))
    return figures


if __name__ == "__main__":
    main()
