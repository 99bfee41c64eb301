"""Frames in shared memory: what is written is what is read, torn copies never come out, restarts are followed."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from app.frames import FrameReader, FrameWriter, join_planes, split_planes


def flat(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full(width * height * 3 // 2, value, np.uint8)


def test_reader_gets_what_the_writer_put(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, 64 * 48 * 3 // 2, dtype=np.uint8)
    writer, reader = FrameWriter(tmp_path / "frames", 64, 48), FrameReader(tmp_path / "frames")
    seq = writer.put(123_456, pixels)
    frame = reader.newest()
    assert frame is not None
    assert (frame.seq, frame.mono_us) == (seq, 123_456)
    assert np.array_equal(join_planes(frame.y, frame.u, frame.v), pixels)
    half = reader.newest_half()
    assert half is not None
    assert half.y.shape == half.u.shape == half.v.shape == (24, 32)
    assert np.array_equal(half.y, frame.y[::2, ::2])
    reader.close()
    writer.close()


def test_only_newer_frames_and_none_before_the_first(tmp_path: Path) -> None:
    reader = FrameReader(tmp_path / "frames")
    assert reader.newest() is None
    writer = FrameWriter(tmp_path / "frames", 64, 48)
    assert reader.newest() is None
    seq = writer.put(1, flat(1))
    assert reader.newest(seq) is None
    writer.put(2, flat(2))
    frame = reader.newest(seq)
    assert frame is not None
    assert frame.y[0, 0] == 2
    reader.close()
    writer.close()


def test_file_is_private_and_wiped(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    writer = FrameWriter(path, 64, 48)
    writer.put(1, flat(77))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    twin = tmp_path / "twin"
    twin.hardlink_to(path)
    writer.close()
    assert not path.exists()
    assert not any(twin.read_bytes())


def test_reader_follows_a_restarted_writer_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    killed = FrameWriter(path, 64, 48)
    reader = FrameReader(path)
    last = killed.put(1, flat(1))
    assert reader.newest() is not None
    twin = tmp_path / "twin"
    twin.hardlink_to(path)
    writer = FrameWriter(path, 32, 16)  # `killed` never closed: like kill -9
    assert not any(twin.read_bytes())  # its pictures are gone all the same
    assert reader.newest(last) is None
    assert writer.put(2, flat(9, 32, 16)) > last
    frame = reader.newest(last)
    assert frame is not None
    assert frame.y.shape == (16, 32)
    reader.close()
    writer.close()
    assert reader.newest() is None


def test_no_torn_frame_comes_out_under_pressure(tmp_path: Path) -> None:
    writer, reader = FrameWriter(tmp_path / "frames", 640, 480, slots=2), FrameReader(tmp_path / "frames")
    done = threading.Event()

    def write() -> None:
        for n in range(600):
            writer.put(n, flat(n % 251, 640, 480))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen, last = 0, 0
    while not done.is_set():
        frame = reader.newest(last)
        if frame is not None:
            assert frame.seq > last
            assert len({int(p) for plane in (frame.y, frame.u, frame.v) for p in (plane.min(), plane.max())}) == 1
            assert frame.y[0, 0] == frame.mono_us % 251
            seen, last = seen + 1, frame.seq
    thread.join()
    assert seen > 0
    reader.close()
    writer.close()


def test_odd_sizes_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        FrameWriter(tmp_path / "frames", 63, 48)
    (tmp_path / "frames").write_bytes(b"x" * 10_000)
    assert FrameReader(tmp_path / "frames").newest() is None
    (tmp_path / "frames").write_bytes(b"")
    assert FrameReader(tmp_path / "frames").newest() is None


def test_planes_split_and_join_are_inverse() -> None:
    pixels = np.arange(16 * 8 * 3 // 2, dtype=np.uint8)
    assert np.array_equal(join_planes(*split_planes(pixels, 16, 8)), pixels)
