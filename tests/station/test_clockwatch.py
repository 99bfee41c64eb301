"""A step of the wall clock is in the station's chain and in the recording's, whoever was looking or not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.evidence import writer as evidence_writer
from app.evidence.journal import Signer
from app.evidence.ring import Picture
from app.evidence.side import VaultLock
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording, resume_recording
from app.paths import StationFolder
from app.station.clock import Clock
from app.station.clockwatch import ClockWatch
from app.station.rounds import Ground
from app.store.store import Store
from app.store.writer import StoreWriter
from tests.station.filmed import new_store

HOUR_US = 3_600_000_000
KEYS = RecordingKeys(bytes(range(32)), bytes(range(50, 82)), VaultLock("vk", bytes(range(9, 41))))


@dataclass(frozen=True, slots=True)
class SetClock(Clock):
    """Its hands, [monotonic, wall], are set by the test."""

    hands: list[int] = field(default_factory=lambda: [10**9, 1_790_000_000_000_000])

    def mono_us(self) -> int:
        return self.hands[0]

    def wall_us(self) -> int:
        return self.hands[1]


class Watched:
    def __init__(self, store: Store) -> None:
        self.store, self.bugs = StoreWriter(store, lambda bug: self.bugs.append(bug)), []
        self.store.start()

    def ground(self, clock: Clock) -> Ground:
        return Ground(self.store, clock, lambda _change: None, self.bugs.append)

    def steps(self) -> list[dict]:
        events = self.store.call(lambda store: store.outbox_after(0, 100))
        bodies = [json.loads(event.data) for event in events]
        return [one["body"] for one in bodies if one["kind"] == "clock.stepped"]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    one = Watched(new_store(StationFolder(tmp_path / "station")))
    yield one
    assert one.store.stop()
    assert one.bugs == []


@pytest.mark.warns
@pytest.mark.parametrize("by_us", [HOUR_US, -HOUR_US, -2_000_000])
def test_a_step_while_the_station_runs_is_a_signed_event(watched: Watched, by_us: int) -> None:
    clock = SetClock("boot-1")
    watch = ClockWatch(watched.ground(clock))
    for _ in range(3):
        assert not watch.look()
        clock.hands[:] = [clock.hands[0] + 1_000_000, clock.hands[1] + 1_000_100]  # slewed, not set
    expected_us = clock.hands[1] - 100
    clock.hands[1] += by_us
    assert watch.look()
    assert not watch.look()
    [step] = watched.steps()
    assert (step["expected_wall_us"], step["wall_us"]) == (expected_us, expected_us + 100 + by_us)
    assert step["since"] == "running"


@pytest.mark.warns
@pytest.mark.parametrize(
    ("boot", "by_us", "since"),
    [
        ("boot-1", HOUR_US, "away"),
        ("boot-1", -HOUR_US, "away"),
        ("boot-2", -HOUR_US, "other-boot"),
        ("boot-2", HOUR_US, None),
    ],
)
def test_a_step_while_nobody_looked_is_found_at_start(
    watched: Watched, boot: str, by_us: int, since: str | None
) -> None:
    clock = SetClock("boot-1")
    stamp = clock.stamp()
    watched.store.call(lambda store: store.new_recording("r-1", "p-1", stamp, ""))
    mono_us = clock.hands[0] + 60_000_000 if boot == "boot-1" else 5_000_000
    later = SetClock(boot, [mono_us, clock.hands[1] + 60_000_000 + by_us])
    assert ClockWatch(watched.ground(later)).look() == (since is not None)
    assert [body["since"] for body in watched.steps()] == ([since] if since else [])


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    real = time.time_ns
    return lambda by_us: monkeypatch.setattr(evidence_writer.time, "time_ns", lambda: real() + by_us * 1000)


def clocks(folder: Path) -> list[int]:
    """The steps in a recording's chain, in seconds."""
    assert verify_recording(folder, Signer(KEYS.signing).public_key, KEYS.content).ok
    records = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    found = [one["new_offset_us"] - one["old_offset_us"] for one in records if one["kind"] == "clock"]
    return [round(one / 1e6) for one in found]


def test_a_recording_of_nothing_but_originals_tells_of_a_step(tmp_path: Path, set_clock: Callable[[int], None]) -> None:
    writer = create_recording(tmp_path / "r1", KEYS, Origin("r1", "http:x", False, False, "0"))
    for n in range(4):
        if n == 2:
            set_clock(-HOUR_US)
        writer.add_side(Picture(n, 64, 48, "mjpeg", b"x"), n * 500_000)
        writer.sync_side()
    writer.close("sealed")
    assert clocks(tmp_path / "r1") == [-3600]


@pytest.mark.parametrize("by_us", [HOUR_US, -HOUR_US])
def test_a_step_while_the_recorder_was_down_is_told(
    tmp_path: Path, set_clock: Callable[[int], None], by_us: int
) -> None:
    writer = create_recording(tmp_path / "r1", KEYS, Origin("r1", "http:x", False, False, "0"))
    writer.begin_part(64, 48, writer.pts(5_000_000))
    writer.add_init(b"header")
    writer.add_fragment(b"pictures", 0, 400_000, 12, 0)
    writer.abandon()
    set_clock(by_us)
    resume_recording(tmp_path / "r1", KEYS).close("sealed")
    assert clocks(tmp_path / "r1") == [by_us // 1_000_000]


def test_after_another_boot_a_clock_that_went_back_is_told(
    tmp_path: Path, set_clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_recording(tmp_path / "r1", KEYS, Origin("r1", "http:x", False, False, "0")).abandon()
    monkeypatch.setattr(evidence_writer, "boot_id", lambda: "another boot")
    set_clock(-HOUR_US)
    resume_recording(tmp_path / "r1", KEYS).close("sealed")
    assert clocks(tmp_path / "r1") == [-3600]
