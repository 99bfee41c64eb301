"""Closed recordings get their time-stamps by themselves; the authority is a real one, down, slow, wrong, and back."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.core.errors import BadInput
from app.core.readiness import StampFacts, Surroundings
from app.evidence.ledger import load
from app.evidence.timestamp import TOKEN_FILE, stamped_time
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.paths import StationFolder
from app.settings import RecordingSettings
from app.station.clock import system_clock
from app.station.rounds import Ground
from app.station.stamping import Stamping, stamp_plan
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.tokens import stamped_at, unstamped
from app.store.writer import StoreWriter
from app.sync.authority import Authority
from tests.evidence.authority import Authority as OpenSsl
from tests.evidence.tsa_server import Line, good, serving
from tests.station.filmed import CLERK, new_store, stamp

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to be an authority")


@pytest.fixture(scope="module")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    return OpenSsl(tmp_path_factory.mktemp("tsa") / "tsa")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    return OpenSsl(tmp_path_factory.mktemp("other") / "tsa")


@dataclass
class Station:
    """A rehearsal station with closed recordings and nothing else."""

    folder: StationFolder
    store: Store
    around: Surroundings = field(default_factory=Surroundings)
    codes: list[str] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)

    def film(self, recording_id: str) -> Path:
        known = self.store.new_recording(recording_id, f"p-{recording_id}", stamp(), CLERK.id)
        folder = self.folder.recordings / recording_id
        origin = Origin(recording_id, "sim:", True, True, "0.1.0", "", {})
        writer = create_recording(folder, RecordingKeys(known.key, self.store.signing_seed), origin)
        writer.begin_part(64, 48, writer.pts(5_000_000))
        writer.add_init(b"header" * 20)
        writer.add_fragment(b"picture" * 30, 0, 466_666, 15, 0)
        root = writer.close("sealed")
        self.store.close_recording(recording_id, load(folder).head, root, 15, stamp(), CLERK.id)
        return folder

    def adjust(self, change: Callable[[Surroundings], Surroundings]) -> None:
        self.around = change(self.around)
        self.codes.append(self.around.stamps.code)

    @contextmanager
    def stamping(self, openssl: OpenSsl, url: str, limit_s: float = 20.0) -> Iterator[Stamping]:
        """The thread as the station runs it; the store is opened anew afterwards, as after a restart."""
        kept = RecordingSettings(tsa_url=url, tsa_ca=str(openssl.at / "ca.pem"))
        plan = stamp_plan(kept, self.folder.root, self.folder.recordings, rehearsal=True)
        assert plan is not None
        object.__setattr__(plan, "authority", Authority(url, limit_s))
        writer = StoreWriter(self.store, self.bugs.append)
        writer.start()
        stamping = Stamping(Ground(writer, system_clock(), self.adjust, self.bugs.append), plan, chance=lambda: 0.1)
        stamping.rounds.start()
        try:
            yield stamping
        finally:
            stamping.rounds.stop()
            stamping.rounds._thread.join(10)  # half of what a question may take, and of what the slow answer does
            assert not stamping.rounds._thread.is_alive(), "a question was not cut short"
            writer.stop()
            self.store = Store.open(self.folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)

    def stamped(self) -> list[str]:
        events = [json.loads(event.data) for event in self.store.outbox_after(0)]
        return [event["body"]["recording"] for event in events if event["kind"] == "recording.time-stamped"]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    folder = StationFolder(tmp_path / "station")
    one = Station(folder, new_store(folder))
    folder.recordings.mkdir()
    yield one
    one.store.close()
    assert one.bugs == []


def until(true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_every_closed_recording_gets_its_token(station: Station, openssl: OpenSsl) -> None:
    first, second = station.film("r-1"), station.film("r-2")
    with serving(good(openssl.answer)) as line, station.stamping(openssl, line.url):
        until(lambda: station.around.stamps == StampFacts(True) and (second / TOKEN_FILE).exists())
    assert stamped_time(first, [openssl.root]) is not None
    assert station.stamped() == ["r-1", "r-2"]
    assert unstamped(station.store.ledger) == ()
    with station.store.ledger.reading() as connection:
        told_us = stamped_at(connection, "r-1")
    assert told_us is not None
    assert abs(told_us - time.time_ns() // 1000) < 3600 * 1_000_000
    assert len(line.asked) == 2


@pytest.mark.warns
def test_down_wrong_and_slow_are_waited_out_and_told(station: Station, openssl: OpenSsl, stranger: OpenSsl) -> None:
    folder = station.film("r-1")

    def wrong(line: Line, n: int, query: bytes) -> tuple[int, str, bytes]:
        if n == 0:
            return 503, "text/plain", b"come again"
        if n == 1:
            return 200, "application/timestamp-reply", b"nonsense"
        if n == 2:
            return 200, "application/timestamp-reply", stranger.answer(query)
        if n == 3:
            line.released.wait(20)
        return good(openssl.answer)(query)

    with (
        serving(lambda query: wrong(line, len(line.asked) - 1, query)) as line,
        station.stamping(openssl, line.url, limit_s=2.0),
    ):
        until(lambda: len(line.asked) >= 1 and bool(station.around.stamps.code))
        told = station.around.stamps
        assert told.asked
        assert told.waiting == 1
        assert told.next_try_ms > 0
        assert not (folder / TOKEN_FILE).exists()
        until(lambda: (folder / TOKEN_FILE).exists() and not station.around.stamps.code, 60)
    assert station.codes[-1] == ""
    assert {"tsa.refused", "tsa.offline", "evidence.time_token_wrong"} <= set(station.codes)
    assert stamped_time(folder, [openssl.root]) is not None
    assert station.stamped() == ["r-1"]


@pytest.mark.warns
def test_the_pause_outlives_a_restart_and_the_queue_is_served_after_it(station: Station, openssl: OpenSsl) -> None:
    folder = station.film("r-1")
    with serving(good(openssl.answer)) as gone:
        pass  # nobody is there any more
    with station.stamping(openssl, gone.url):
        until(lambda: station.around.stamps.code == "tsa.offline")
    state = station.store.retry_state("time-token")
    assert state.failures >= 1
    later = state.__class__(int(time.time() * 1000) + 60_000, 4)
    station.store.save_retry(later, "time-token")
    station.around = Surroundings()
    port = int(gone.url.rpartition(":")[2].partition("/")[0])
    with serving(good(openssl.answer), port) as line:
        with station.stamping(openssl, line.url):
            until(lambda: station.around.stamps.waiting == 1)
            assert station.around.stamps.next_try_ms == later.next_try_ms
            assert line.asked == []
        station.store.save_retry(state.__class__(1, 4), "time-token")
        with station.stamping(openssl, line.url):
            until(lambda: station.around.stamps == StampFacts(True) and (folder / TOKEN_FILE).exists())
    assert station.store.retry_state("time-token").failures == 0


@pytest.mark.warns
def test_a_crash_between_file_and_event_asks_nobody_twice(station: Station, openssl: OpenSsl) -> None:
    folder = station.film("r-1")
    with serving(good(openssl.answer)) as line:
        with station.stamping(openssl, line.url):
            until(lambda: (folder / TOKEN_FILE).exists() and station.around.stamps == StampFacts(True))
        token = (folder / TOKEN_FILE).read_bytes()
        other = station.film("r-2")
        (other / TOKEN_FILE).write_bytes(token)  # of another recording: left alone, and the rest goes on
        third = station.film("r-3")
        with station.stamping(openssl, line.url):
            until(lambda: (third / TOKEN_FILE).exists() and station.around.stamps == StampFacts(True))
        assert len(line.asked) == 2
    assert station.stamped() == ["r-1", "r-3"]
    assert (other / TOKEN_FILE).read_bytes() == token


def test_stopping_cuts_a_slow_question_short(station: Station, openssl: OpenSsl) -> None:
    station.film("r-1")
    hangs = threading.Event()

    def slow(query: bytes) -> tuple[int, str, bytes]:
        hangs.set()
        line.released.wait(20)
        return good(openssl.answer)(query)

    with serving(slow) as line, station.stamping(openssl, line.url):
        assert hangs.wait(20)
    assert station.store.retry_state("time-token").failures == 0  # being stopped is no failure


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    def plan(**kept: str) -> object:
        return stamp_plan(RecordingSettings(**kept), tmp_path, tmp_path, rehearsal=True)

    assert plan() is None
    (tmp_path / "empty.pem").touch()
    for kept, code in (
        ({"tsa_url": "http://127.0.0.1:1/"}, "tsa.no_roots"),
        ({"tsa_url": "http://127.0.0.1:1/", "tsa_ca": "missing.pem"}, "tsa.no_roots"),
        ({"tsa_url": "http://127.0.0.1:1/", "tsa_ca": "empty.pem"}, "tsa.no_roots"),
        ({"tsa_url": "http://tsa.example/"}, "sync.rehearsal_off_loopback"),
    ):
        with pytest.raises(BadInput) as refused:
            plan(**kept)
        assert refused.value.code == code
