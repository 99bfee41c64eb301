"""The simulated camera's faults come and go by the film's time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hardware.camera.file import Clock
from hardware.errors import DeviceError, DeviceReason
from hardware.sim.camera import SimCamera


class FakeTime:
    def __init__(self) -> None:
        self.now_us = 9_000_000

    def sleep(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)

    def clock(self) -> Clock:
        return Clock(lambda: self.now_us, self.sleep)


def test_pulled_missing_and_back(film: Path) -> None:
    time = FakeTime()
    address = f"sim:{film}?epoch_us=9000000&lose_at_s=0.5&back_at_s=1.0"
    camera = SimCamera(address, time.clock())
    for _ in range(15):
        camera.read(1.0)
    with pytest.raises(DeviceError) as caught:
        camera.read(1.0)
    assert caught.value.reason is DeviceReason.LOST
    assert caught.value.address == address
    camera.close()
    with pytest.raises(DeviceError) as caught:
        SimCamera(address, time.clock())
    assert caught.value.reason is DeviceReason.MISSING
    time.now_us = 10_000_000
    camera = SimCamera(address, time.clock())
    assert camera.read(1.0).mono_us == pytest.approx(10_000_000, abs=100)
    assert camera.skipped == 0
    camera.close()


def test_losing_needs_an_epoch(film: Path) -> None:
    with pytest.raises(DeviceError, match="epoch_us"):
        SimCamera(f"sim:{film}?lose_at_s=1")


def test_stalls_without_counting_lost_frames(film: Path) -> None:
    camera = SimCamera(f"sim:{film}?stall_at_s=0.3&go_on_at_s=0.9", FakeTime().clock())
    times, stalls = [], 0
    while len(times) < 20:
        try:
            times.append(camera.read(0.1).mono_us)
        except DeviceError as error:
            stalls += error.reason is DeviceReason.TIMEOUT
    assert stalls == 18
    assert max(np.diff(times)) == pytest.approx(633_333, abs=100)
    assert camera.skipped == 0
    camera.close()


def test_frozen_picture_has_running_times(film: Path) -> None:
    camera = SimCamera(f"sim:{film}?freeze_at_s=0.3&thaw_at_s=0.6", FakeTime().clock())
    frames = [camera.read(1.0) for _ in range(30)]
    levels = [round(float(f.y.mean())) for f in frames]
    assert len(set(levels[9:18])) == 1
    assert len(set(levels[18:])) > 5
    assert len({f.mono_us for f in frames}) == 30
    assert camera.info.simulated
    camera.close()


def test_missing_film(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        SimCamera(f"sim:{tmp_path / 'none.mp4'}")
    assert caught.value.reason is DeviceReason.MISSING
