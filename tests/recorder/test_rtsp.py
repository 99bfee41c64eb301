"""A network camera that sends H.264: recorded masked and sealed as it came, through drops, stalls and a kill -9."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.evidence.journal import Signer
from app.evidence.ring import Picture, leftovers
from app.evidence.side import SIDE_GLOB, open_side
from app.evidence.verify import verify_recording
from app.recorder import protocol as told
from app.recorder.line import Line
from app.recorder.squeeze import Unsqueezer
from hardware.ports import Packet
from tests.hardware.camera import rtsp_server as fake
from tests.recording import records

KEY, SEED = bytes(range(32)), bytes(range(100, 132))
VAULT = X25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
SEALED = {"vault_key_id": "vault-1", "vault_key": VAULT.public_key().public_bytes_raw().hex(), "rehearsal": False}


def sealed_pictures(folder: Path) -> list[Picture]:
    return [picture for path in sorted(folder.glob(SIDE_GLOB)) for picture in open_side(path, VAULT)]


def decodable(pictures: list[Picture]) -> int:
    """How many of them the vault's people could see."""
    jpeg = Unsqueezer()
    return sum(jpeg.planes(picture) is not None for picture in pictures)


def test_it_is_masked_sealed_as_it_came_and_goes_on_after_drop_and_stall(station) -> None:
    script = [("frames", 110), ("drop",), ("frames", 90), ("stall",), ("frames", 900)]
    server = fake.Server(script, fps=30)
    with fake.served(server) as address:
        station.up()
        station.begin(address.replace("127.0.0.1", "user:geheim@127.0.0.1"), masked=True, **SEALED)
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live")
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "lost")
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live")
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "stalled")
        station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "cut")
        server.release.set()
        state = station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "on")
        station.until_fragments(state.fragments + 3)
        station.send(told.Stop("sealed"))
        closed = station.until_kind(told.RecordingClosed)
    verdict = verify_recording(station.recording, Signer(SEED).public_key, KEY)
    assert verdict.ok, verdict
    assert not verdict.simulated
    assert closed.frames > 90
    assert {"camera_lost", "camera_stalled"} <= {gap["reason"] for gap in records(station.recording, "gap")}
    assert records(station.recording, "mask")  # without the eye's word: all of it
    sides = sealed_pictures(station.recording)
    assert {picture.codec for picture in sides} <= {"h264", "planes"}
    chained = [picture for picture in sides if picture.codec == "h264"]
    assert len(chained) > 60
    assert any(not picture.key for picture in chained)
    sent = b"".join(server.sent)
    assert sum(picture.data.split(b"\x00\x00\x01")[-1] in sent for picture in chained) == len(chained)  # as it came
    assert decodable(sides) == len(sides) == closed.frames
    assert "geheim" not in (station.recording / "journal.jsonl").read_text()


def test_what_a_kill_leaves_in_the_ring_is_decoded_and_masked(station) -> None:
    with fake.served(fake.Server([("frames", 2000), ("frames", 2000)], fps=30, gop=40)) as address:
        station.up()
        station.begin(address, masked=True, **SEALED)
        before = station.until(lambda m: isinstance(m, told.RecordingState) and m.last_pts_us > 3_500_000)
        os.kill(station.pid, signal.SIGKILL)
        station.line.close()
        assert leftovers(station.recording)
        station.up()
        station.begin(address, masked=True, **SEALED)
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live")
        station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "on")
        station.send(told.Stop("sealed"))
        station.until_kind(told.RecordingClosed)
    assert leftovers(station.recording) == []
    assert verify_recording(station.recording, Signer(SEED).public_key, KEY).ok
    gap = next(g for g in records(station.recording, "gap") if g["reason"] == "recorder_restarted")
    assert before.last_pts_us - gap["from_pts"] <= 0  # all that was durable before the kill is in it
    sides = sealed_pictures(station.recording)
    assert decodable(sides) == len(sides)
    for path in station.recording.glob(SIDE_GLOB):
        assert next(iter(open_side(path, VAULT))).key, path.name  # each part can be seen without any other


def test_without_the_eye_the_packets_themselves_are_sealed(station) -> None:
    with fake.served(fake.Server([("frames", 600)], fps=30)) as address:
        station.up()
        station.begin(address, **SEALED)
        station.until(lambda m: isinstance(m, told.RecordingState) and m.last_pts_us > 1_500_000)
        station.send(told.Stop("sealed"))
        assert station.until_kind(told.RecordingClosed).frames == 0
    sides = sealed_pictures(station.recording)
    assert len(sides) > 30
    assert {picture.codec for picture in sides} == {"h264"}
    assert decodable(sides) == len(sides)


@pytest.mark.parametrize("wanted", [slice(20, 21), slice(0, 45), slice(44, 45)])
def test_any_picture_of_a_chain_can_be_had_when_it_is_wanted(wanted: slice) -> None:
    """The decoder is asked late and for some only, as it happens when planes find no room."""
    scene = fake.Scene(160, 120)
    units = [scene.next()[0][0] for _ in range(45)]
    codec = av.CodecContext.create("h264", "r")
    codec.thread_count = 1
    codec.flags |= av.codec.context.Flags.low_delay
    truth = [codec.decode(av.Packet(unit))[0].to_ndarray().reshape(-1) for unit in units]
    jpeg, found = Unsqueezer(), {}
    for n, unit in enumerate(units):
        picture = Picture(n, 160, 120, "h264", unit, key=n % 15 == 0)
        if n in range(45)[wanted]:
            found[n] = jpeg.planes(picture)
        else:
            jpeg.follow(picture)
    assert all(planes is not None and np.array_equal(planes, truth[n]) for n, planes in found.items())
    jpeg.lost()
    assert jpeg.planes(Picture(45, 160, 120, "h264", units[-1], key=False)) is None


def test_the_pre_roll_begins_with_a_picture_that_stands_alone() -> None:
    """And after a gap in the chain the next pictures are kept as planes, until a key mends it."""
    line = Line(lambda _m: None, lambda _m: None)
    planes = np.full(160 * 120 * 3 // 2, 90, np.uint8)

    def film(n: int, gop: int) -> None:
        line.take_frame(planes, n * 33_333, 160, 120, Packet(b"x" * 50, "h264", key=n % gop == 0))

    for n in range(7, 400):
        film(n, 90)
    kept = [shot.picture for shot in line._before]
    assert kept[0].key
    assert 5_000_000 <= kept[-1].mono_us - kept[0].mono_us <= 8_100_000
    assert {picture.codec for picture in kept} == {"h264"}
    line.end("sealed")
    film(400, 90)
    assert line._before[-1].picture.codec == "planes"
    film(450, 90)
    film(451, 90)
    assert [shot.picture.codec for shot in list(line._before)[-2:]] == ["h264", "h264"]
