"""The MJPEG client against a camera that misbehaves in every way we know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.camera import http_mjpeg
from hardware.camera.address import without_password
from hardware.camera.http_mjpeg import HttpCamera, MultipartPictures
from hardware.camera.packets import list_uvc, open_uvc
from hardware.catalog import open_camera
from hardware.errors import DeviceError, DeviceReason
from tests.hardware.camera import mjpeg_server as fake


def reason_of(camera: HttpCamera, timeout_s: float = 1.0) -> DeviceReason:
    with pytest.raises(DeviceError) as failed:
        camera.read(timeout_s)
    return failed.value.reason


def test_pictures_come_with_their_bytes_and_through_a_change_of_size() -> None:
    server = fake.Server([("frames", 2), ("size", 640, 360), ("bare", 3), ("size", 160, 120), ("frames", 2), ("end",)])
    with fake.served(server) as address:
        camera = open_camera(address)
        frames = [camera.read(2.0) for _ in range(6)]
        assert [(f.width, f.height) for f in frames] == [(320, 240)] * 2 + [(640, 360)] * 3 + [(160, 120)]
        assert all(f.packet is not None and f.packet.data.startswith(b"\xff\xd8") for f in frames)
        assert frames[0].u.shape == (120, 160)
        times = [f.mono_us for f in frames]
        assert times == sorted(times)
        assert camera.read(2.0).width == 160
        assert reason_of(camera) is DeviceReason.LOST  # it hung up
        camera.close()
        assert server.heard[0].startswith("GET /video?cam=1 ")
        assert not camera.info.simulated


def test_who_reads_late_gets_what_came_in_its_order_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is drained meanwhile: a camera that could not send would leave pictures out, and nobody would know."""
    for waiting, missed in ((90, 0), (10, 30)):
        monkeypatch.setattr(http_mjpeg, "_WAITING", waiting)
        with fake.served(fake.Server([("frames", 40), ("end",)])) as address:
            camera = HttpCamera(address)
            camera._thread.join(10)
            times = [camera.read(1.0).mono_us for _ in range(40 - missed)]
            assert times == sorted(set(times))
            assert reason_of(camera) is DeviceReason.LOST
            assert camera.skipped == missed
            camera.close()


def test_a_dropped_connection_is_lost_and_opens_again() -> None:
    server = fake.Server([("frames", 1), ("drop",), ("frames", 2)])
    with fake.served(server) as address:
        camera = HttpCamera(address)
        camera.read(2.0)
        assert reason_of(camera) is DeviceReason.LOST
        camera.close()
        again = HttpCamera(address)
        assert again.read(2.0).width == 320
        again.close()
        assert server.connections == 2


def test_a_stall_is_a_timeout_first_and_lost_after_two_seconds() -> None:
    with fake.served(fake.Server([("frames", 1), ("stall",)])) as address:
        camera = HttpCamera(address)
        camera.read(2.0)
        reasons = []
        while not reasons or reasons[-1] is DeviceReason.TIMEOUT:
            reasons.append(reason_of(camera, 0.3))
        camera.close()
        assert len(reasons) > 3
        assert reasons[-1] is DeviceReason.LOST


def test_torn_pictures_are_skipped_and_nonsense_is_garbled() -> None:
    with fake.served(fake.Server([("junk", b"no picture"), ("frames", 1), *[("junk", b"x" * 40)] * 20])) as address:
        camera = HttpCamera(address)
        assert camera.read(2.0).height == 240
        assert camera.skipped == 1
        assert reason_of(camera) is DeviceReason.GARBLED
        camera.close()


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("401 Unauthorized", "text/html", DeviceReason.DENIED),
        ("404 Not Found", "text/html", DeviceReason.MISSING),
        ("503 Busy", "text/html", DeviceReason.BUSY),
        ("200 OK", "text/html", DeviceReason.GARBLED),
        ("500 Oops", "text/html", DeviceReason.GARBLED),
    ],
)
def test_what_is_no_stream_has_a_reason(status: str, kind: str, reason: DeviceReason) -> None:
    with fake.served(fake.Server([], status, kind)) as address, pytest.raises(DeviceError) as failed:
        HttpCamera(address)
    assert failed.value.reason is reason


def test_nobody_there_is_missing_and_no_password_is_ever_said() -> None:
    with pytest.raises(DeviceError) as failed:
        HttpCamera("http://admin:geheim@127.0.0.1:9/mjpeg")
    assert failed.value.reason is DeviceReason.MISSING
    assert "geheim" not in str(failed.value)
    server = fake.Server([("frames", 1)])
    with fake.served(server) as address:
        camera = HttpCamera(address.replace("127.0.0.1", "admin:ge%20heim@127.0.0.1"))
        camera.close()
        assert "Authorization: Basic YWRtaW46Z2UgaGVpbQ==" in server.heard[0]
        assert "admin" not in camera.info.address
    assert without_password("rtsp://a:b@cam/x?y") == "rtsp://cam/x?y"
    assert without_password("uvc:by-id/usb-x") == "uvc:by-id/usb-x"


@given(
    st.lists(st.binary(min_size=1, max_size=60).filter(lambda b: b"--b" not in b and b"\r" not in b), max_size=5),
    st.data(),
)
def test_pictures_are_whole_however_the_stream_is_cut(pictures: list[bytes], data: st.DataObject) -> None:
    stream = b"preamble"
    for n, picture in enumerate(pictures):
        length = b"Content-Length: %d\r\n" % len(picture) if n % 2 else b""
        stream += b"\r\n--b\r\n" + length + b"\r\n" + picture if length else b"\r\n--b\r\nA: 1\r\n\r\n" + picture
    stream += b"\r\n--b--\r\n"
    parser, found = MultipartPictures(b"--b"), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    assert found == pictures


def test_an_endless_part_is_refused() -> None:
    parser = MultipartPictures(b"b")
    assert parser.feed(b"--b\r\n\r\n" + b"x" * (15 << 20)) == []
    with pytest.raises(ValueError):
        parser.feed(b"x" * (2 << 20))


def test_a_usb_camera_goes_by_its_stable_name_only() -> None:
    for address, reason in (
        ("uvc:by-id/usb-none", DeviceReason.MISSING),
        ("uvc:0", DeviceReason.GARBLED),
        ("uvc:/dev/video0", DeviceReason.GARBLED),
        ("uvc:by-id/../video0", DeviceReason.GARBLED),
        ("uvc:by-id/x?index=1", DeviceReason.GARBLED),
    ):
        with pytest.raises(DeviceError) as failed:
            open_uvc(address)
        assert failed.value.reason is reason
    assert all(info.address.startswith("uvc:by-id/") for info in list_uvc())
