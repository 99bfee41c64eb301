"""The RTSP camera against a server on the loopback that sends real H.264 and behaves badly."""

from __future__ import annotations

import socket

import av
import pytest

from hardware.camera.packets import PacketCamera, _has_parameters
from hardware.catalog import open_camera
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame
from tests.hardware.camera import rtsp_server as fake


def frames_of(camera: PacketCamera, count: int) -> list[CameraFrame]:
    found: list[CameraFrame] = []
    for _ in range(count * 30):
        try:
            found.append(camera.read(0.1))
        except DeviceError as error:
            if error.reason is not DeviceReason.TIMEOUT:
                raise
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} frames only")


def decoded(packets: list[bytes]) -> list[av.VideoFrame]:
    codec = av.CodecContext.create("h264", "r")
    codec.thread_count = 1
    return [frame for data in packets for frame in codec.decode(av.Packet(data))] + codec.decode(None)


@pytest.mark.parametrize("in_band", [True, False])
def test_gives_planes_and_the_packets_they_came_from(in_band: bool) -> None:
    with fake.served(fake.Server([("frames", 150), ("stall",)], in_band=in_band, fps=40)) as address:
        camera = open_camera(address)
        frames = frames_of(camera, 40)
        camera.close()
    assert camera.skipped == 0
    assert (frames[0].width, frames[0].height) == (320, 240)
    assert [f.mono_us for f in frames] == sorted({f.mono_us for f in frames})
    packets = [f.packet for f in frames]
    assert all(p is not None and p.codec == "h264" for p in packets)
    assert packets[0].key
    assert 2 <= sum(p.key for p in packets) <= 4
    again = decoded([p.data for p in packets])  # alone, without the description: the parameter sets came along
    assert len(again) == len(frames)
    assert (again[17].to_ndarray()[:240] == frames[17].y).all()


def test_pictures_in_another_order_give_planes_only() -> None:
    with fake.served(fake.Server([("frames", 150), ("stall",)], b_frames=2, fps=60)) as address:
        camera = open_camera(address)
        frames = frames_of(camera, 20)
        camera.close()
    assert all(f.packet is None for f in frames[3:])


def test_who_reads_too_late_loses_the_oldest_and_never_a_link_of_the_chain() -> None:
    with fake.served(fake.Server([("frames", 160), ("stall",)], gop=30, fps=100)) as address:
        camera = open_camera(address)
        while camera.skipped < 50:
            camera._thread.join(0.02)
        late = frames_of(camera, 8)
        camera.close()
    kept = [f.packet for f in late if f.packet is not None]
    assert not kept or kept[0].key


def test_silence_is_lost_and_a_closed_line_too() -> None:
    with fake.served(fake.Server([("frames", 50), ("stall",)])) as address:
        camera = open_camera(address)
        with pytest.raises(DeviceError) as silent:
            frames_of(camera, 60)
        camera.close()
    assert silent.value.reason is DeviceReason.LOST
    with fake.served(fake.Server([("frames", 60), ("drop",)])) as address:
        camera = open_camera(address)
        with pytest.raises(DeviceError) as gone:
            frames_of(camera, 90)
        camera.close()
    assert gone.value.reason is DeviceReason.LOST


def test_the_size_may_change_on_the_way() -> None:
    with fake.served(fake.Server([("frames", 60), ("size", 640, 480), ("frames", 60), ("stall",)])) as address:
        camera = open_camera(address)
        frames = frames_of(camera, 70)
        camera.close()
    assert {(f.width, f.height) for f in frames} == {(320, 240), (640, 480)}


def test_why_it_does_not_open() -> None:
    with fake.served(fake.Server([("frames", 90)], password="geheim")) as address:
        with pytest.raises(DeviceError) as denied:
            open_camera(address.replace("rtsp://", "rtsp://user:falsch@"))
        assert denied.value.reason is DeviceReason.DENIED
        assert "falsch" not in str(denied.value)
        camera = open_camera(address.replace("rtsp://", "rtsp://user:geheim@"))
        assert frames_of(camera, 1)
        assert "geheim" not in camera.info.address
        camera.close()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DeviceError) as mute:
            open_camera(f"rtsp://127.0.0.1:{port}/live")
        assert mute.value.reason is DeviceReason.TIMEOUT
    with pytest.raises(DeviceError) as nobody:
        open_camera(f"rtsp://127.0.0.1:{port}/live")
    assert nobody.value.reason is DeviceReason.MISSING


def test_parameter_sets_are_found_in_both_codecs() -> None:
    start = b"\x00\x00\x00\x01"
    assert _has_parameters(start + b"\x09\xf0" + start + b"\x67abc" + start + b"\x65pic", "h264")
    assert not _has_parameters(start + b"\x06sei" + start + b"\x65pic\x67", "h264")
    assert _has_parameters(start + b"\x40\x01vps" + start + b"\x42\x01sps" + start + b"\x26\x01pic", "hevc")
    assert not _has_parameters(start + b"\x26\x01pic", "hevc")
