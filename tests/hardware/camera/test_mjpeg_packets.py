"""A camera that sends JPEGs faster than they are decoded: they wait as they came, and what is lost is counted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hardware.camera import packets
from hardware.camera.packets import PacketCamera
from hardware.errors import DeviceError, DeviceReason

COUNT = 80


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty pictures, each brighter than the one before; a file comes at once, like a burst from a driver."""
    path = tmp_path_factory.mktemp("mjpeg") / "camera.avi"
    with av.open(str(path), "w") as out:
        made = out.add_stream("mjpeg", rate=30)
        made.width, made.height, made.pix_fmt = 64, 48, "yuvj420p"
        for n in range(COUNT):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64), 20 + 2 * n, np.uint8), format="gray")
            picture.pts, picture.time_base = n, Fraction(1, 30)
            out.mux(made.encode(picture.reformat(format="yuvj420p")))
        out.mux(made.encode(None))
    return path


def everything(camera: PacketCamera) -> Iterator[float]:
    """The lightness of each picture, once all of them have come."""
    camera._thread.join(10)
    while True:
        try:
            yield float(camera.read(1.0).y.mean())
        except DeviceError as over:
            if over.reason is not DeviceReason.LOST:
                raise
            return


def test_who_reads_late_gets_them_all(stream: Path) -> None:
    camera = PacketCamera("uvc:by-id/x", "x", str(stream), None, {})
    seen = list(everything(camera))
    assert (len(seen), camera.skipped) == (COUNT, 0)
    assert seen == sorted(seen)


def test_beyond_what_may_wait_the_oldest_go_and_are_counted(stream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "_WAITING_RAW", 30)
    camera = PacketCamera("uvc:by-id/x", "x", str(stream), None, {})
    seen = list(everything(camera))
    assert (len(seen), camera.skipped) == (30, COUNT - 30)
    assert seen[0] > 100  # the newest are there


def test_what_is_no_picture_is_counted_too(stream: Path) -> None:
    camera = PacketCamera("uvc:by-id/x", "x", str(stream), None, {})
    camera._thread.join(10)
    camera._frames_ready[3] = packets._Jpeg(b"\xff\xd8 nothing", 1)
    assert (len(list(everything(camera))), camera.skipped) == (COUNT - 1, 1)


def test_a_camera_that_gives_no_picture_at_all_is_lost(stream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sends came in time, and nobody can see it: it has to be opened anew."""
    monkeypatch.setattr(packets, "SILENCE_S", 0.0)
    camera = PacketCamera("uvc:by-id/x", "x", str(stream), None, {})
    camera._thread.join(10)
    camera._ended = None
    camera._frames_ready.clear()
    camera._frames_ready.extend(packets._Jpeg(b"\xff\xd8 nothing", n) for n in range(3))
    with pytest.raises(DeviceError) as trouble:
        camera.read(0.01)
    assert trouble.value.reason is DeviceReason.LOST
    assert camera.skipped == 3
