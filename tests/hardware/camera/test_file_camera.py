"""The film as camera: its times, what it does for a late reader, and its troubles."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from hardware.camera.address import make_address, parse_address
from hardware.camera.file import Clock, FileCamera
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame
from hardware.sim.camera import SimCamera

PERIOD_US = 1_000_000 / 30


class FakeTime:
    """A clock that only goes on when somebody sleeps, or is late on purpose."""

    def __init__(self, now_us: int = 5_000_000) -> None:
        self.now_us = now_us

    def clock(self) -> Clock:
        return Clock(lambda: self.now_us, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)


def read_all(camera: FileCamera | SimCamera) -> tuple[list[CameraFrame], DeviceReason]:
    frames = []
    while True:
        try:
            frames.append(camera.read(1.0))
        except DeviceError as error:
            return frames, error.reason


def test_each_frame_at_its_time(film: Path) -> None:
    time = FakeTime()
    camera = FileCamera(f"file:{film}", time.clock())
    frames, reason = read_all(camera)
    camera.close()
    assert reason is DeviceReason.ENDED
    assert len(frames) == 60
    assert camera.skipped == 0
    assert [f.mono_us - 5_000_000 for f in frames] == pytest.approx([n * PERIOD_US for n in range(60)], abs=50)
    assert time.now_us >= frames[-1].mono_us
    assert frames[0].y.shape == (48, 64)
    assert frames[0].u.shape == frames[0].v.shape == (24, 32)
    levels = [float(f.y.mean()) for f in frames]
    assert levels == sorted(levels)
    assert camera.info.simulated


def test_waits_no_longer_than_asked_and_loses_nothing_by_it(film: Path) -> None:
    time = FakeTime()
    camera = FileCamera(f"file:{film}?epoch_us=6000000", time.clock())
    with pytest.raises(DeviceError) as caught:
        camera.read(0.25)
    assert caught.value.reason is DeviceReason.TIMEOUT
    assert time.now_us == 5_250_000
    assert camera.read(5.0).mono_us == 6_000_000
    camera.close()


def test_late_reader_misses_frames_and_they_are_counted(film: Path) -> None:
    time = FakeTime()
    camera = FileCamera(f"file:{film}", time.clock())
    camera.read(1.0)
    time.now_us += 500_000
    frame = camera.read(1.0)
    assert 0 < time.now_us - frame.mono_us <= 4 * PERIOD_US + 100
    assert camera.skipped == pytest.approx(11, abs=1)
    rest, _ = read_all(camera)
    assert 1 + camera.skipped + 1 + len(rest) == 60
    camera.close()


def test_opened_later_joins_where_the_picture_now_is(film: Path) -> None:
    time = FakeTime()
    camera = FileCamera(f"file:{film}?epoch_us={5_000_000 - 1_500_000}", time.clock())
    frames, _ = read_all(camera)
    assert len(frames) == 15
    assert camera.skipped == 0  # nobody was there to miss them
    assert frames[0].mono_us == pytest.approx(5_000_000, abs=50)
    camera.close()
    with pytest.raises(DeviceError) as caught:
        FileCamera(f"file:{film}?epoch_us=1000", time.clock()).read(1.0)
    assert caught.value.reason is DeviceReason.ENDED


def test_far_behind_jumps_and_counts_what_it_jumped_over(film: Path) -> None:
    time = FakeTime()
    camera = FileCamera(f"file:{film}?loop=1", time.clock())
    camera.read(1.0)
    time.now_us += 3_000_000
    frame = camera.read(1.0)
    assert time.now_us - frame.mono_us <= 4 * PERIOD_US
    assert camera.skipped == pytest.approx(88, abs=3)
    camera.close()


def test_loop_goes_round_with_rising_times(film: Path) -> None:
    camera = FileCamera(f"file:{film}?loop=1", FakeTime().clock())
    times = [camera.read(1.0).mono_us for _ in range(150)]
    steps = {round((b - a) / 1000) for a, b in pairwise(times)}
    assert steps <= {33, 34}
    camera.close()


def test_without_pace_every_frame_comes_at_once(film: Path) -> None:
    time = FakeTime()
    camera = FileCamera(f"file:{film}?pace=0&epoch_us=0", time.clock())
    frames, _ = read_all(camera)
    assert len(frames) == 60
    assert frames[30].mono_us == pytest.approx(1_000_000, abs=50)
    assert time.now_us == 5_000_000
    camera.close()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.mp4", None, DeviceReason.MISSING),
        ("empty.mp4", b"", DeviceReason.GARBLED),
        ("text.mp4", b"this is not a film\n" * 100, DeviceReason.GARBLED),
    ],
)
def test_no_film_no_camera(tmp_path: Path, name: str, content: bytes | None, reason: DeviceReason) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DeviceError) as caught:
        FileCamera(f"file:{tmp_path / name}")
    assert caught.value.reason is reason


def test_folder_and_bad_options_are_refused(tmp_path: Path, film: Path) -> None:
    for address in (f"file:{tmp_path}", f"file:{film}?paec=1", f"file:{film}?epoch_us=soon", f"file:{film}?loop=yes"):
        with pytest.raises(DeviceError) as caught:
            FileCamera(address)
        assert caught.value.reason is DeviceReason.GARBLED


def test_film_cut_short_is_not_taken_for_a_whole_one(film: Path, tmp_path: Path, render: Callable[..., Path]) -> None:
    whole = film.read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DeviceError) as caught:
        FileCamera(f"file:{tmp_path / 'headless.mp4'}")
    assert caught.value.reason is DeviceReason.GARBLED
    mkv = render(tmp_path / "whole.mkv", 60)
    (tmp_path / "cut.mkv").write_bytes(mkv.read_bytes()[: mkv.stat().st_size // 3])
    frames, reason = read_all(FileCamera(f"file:{tmp_path / 'cut.mkv'}?pace=0"))
    assert reason is DeviceReason.GARBLED
    assert len(frames) < 60


def test_odd_sizes_and_full_range_become_even_video_range(tmp_path: Path, render: Callable[..., Path]) -> None:
    path = render(tmp_path / "odd.avi", 3, width=65, height=49, codec="mjpeg", pix="yuvj420p")
    camera = FileCamera(f"file:{path}?pace=0")
    frame = camera.read(1.0)
    assert frame.y.shape == (48, 64)
    assert frame.u.shape == (24, 32)
    camera.close()


def test_addresses_survive_question_marks_and_spaces() -> None:
    address = make_address("file", "/a b/what?.mp4", epoch_us=12, loop=1)
    parsed = parse_address(address, frozenset({"epoch_us", "loop"}))
    assert (parsed.scheme, parsed.path, parsed.options) == ("file", "/a b/what?.mp4", {"epoch_us": "12", "loop": "1"})
