"""Real cameras' troubles in the whole recorder: a stream that drops and stalls, a picture that is frozen or black."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.evidence.journal import Signer
from app.evidence.side import SIDE_GLOB, open_side
from app.evidence.verify import verify_recording
from app.recorder import protocol as told
from app.recorder.capture import PictureWatch
from app.recorder.line import Line
from hardware.ports import CameraFrame, Packet
from tests.hardware.camera import mjpeg_server as fake
from tests.recorder.test_ahead import record, until
from tests.recording import gaps_of, records

KEY, SEED = bytes(range(32)), bytes(range(100, 132))
VAULT = X25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
SEALED = {"vault_key_id": "vault-1", "vault_key": VAULT.public_key().public_bytes_raw().hex(), "rehearsal": False}


def test_network_camera_that_drops_and_stalls_is_filmed_masked_and_never_simulated(station) -> None:
    server = fake.Server(
        [("frames", 45), ("drop",), ("frames", 45), ("stall",), ("size", 640, 360), ("frames", 400)], fps=30
    )
    with fake.served(server) as address:
        station.up()
        station.begin(address.replace("127.0.0.1", "user:geheim@127.0.0.1"), masked=True, **SEALED)
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "lost")
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live")
        station.until(lambda m: isinstance(m, told.CameraState) and m.state == "stalled")
        station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "cut")
        server.release.set()
        state = station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "on")
        station.until_fragments(state.fragments + 4)
        station.send(told.Stop("sealed"))
        closed = station.until_kind(told.RecordingClosed)
    verdict = verify_recording(station.recording, Signer(SEED).public_key, KEY)
    assert verdict.ok, verdict
    assert not verdict.simulated
    assert closed.frames > 60
    reasons = [gap["reason"] for gap in records(station.recording, "gap")]
    assert reasons[0] == "camera_lost"
    assert "camera_stalled" in reasons
    assert {(part["width"], part["height"]) for part in records(station.recording, "part")} == {(320, 240), (640, 360)}
    assert "geheim" not in (station.recording / "journal.jsonl").read_text()


def test_no_film_goes_on_with_what_a_camera_began(station, film: Path) -> None:
    """The first record says that it is no film, and a dossier's verifier goes by it."""
    server = fake.Server([("frames", 4000)], fps=30)
    with fake.served(server) as address:
        station.up()
        station.begin(address, masked=True, **SEALED)
        station.until_fragments(1)
        station.begin(f"file:{film}?loop=1", masked=True, **SEALED)
        assert station.until_kind(told.Trouble).code == "recorder.refused"
        state = station.until_kind(told.RecordingState)
        station.until_fragments(state.fragments + 2)
        os.kill(station.pid, signal.SIGKILL)
        station.up()
        station.begin(f"file:{film}?loop=1", masked=True, **SEALED)
        assert station.until_kind(told.Trouble).code == "evidence.film_in_real"
    assert {record["address"] for record in records(station.recording, "camera")} == {address}
    verdict = verify_recording(station.recording, Signer(SEED).public_key, KEY)
    assert verdict.ok, verdict
    assert not verdict.simulated


def test_what_another_camera_filmed_before_the_start_stays_out(tmp_path: Path) -> None:
    """The last seconds before a start are kept: a film's, shown as a preview, are none of the camera's recording."""
    heard: list[told.FromRecorder] = []
    line = Line(heard.append, heard.append)
    line.camera_changed(told.CameraState("live", "", "file:x", 30.0, 320, 240))
    record(line, 20)
    keys = {"recording_key": KEY.hex(), "signing_key": SEED.hex(), "previous_hash": ""}
    start = told.Start("r1", str(tmp_path), "http://camera", masked=True, **keys, **SEALED)
    line.begin(start)
    record(line, 10, 2_000_000)  # the film is open still
    line.camera_changed(told.CameraState("live", "", "http://camera", 30.0, 320, 240))
    record(line, 15, 3_000_000)
    line.start()
    line.end("sealed")
    until(lambda: any(isinstance(message, told.RecordingClosed) for message in heard))
    line.stop()
    assert [m.frames for m in heard if isinstance(m, told.RecordingClosed)] == [15]
    assert {one["address"] for one in records(tmp_path / "r1", "camera")} <= {"http://camera"}


@pytest.mark.parametrize("state", ["stalled", "lost"])
def test_a_camera_that_goes_is_a_cut_in_the_same_breath(tmp_path: Path, state: str) -> None:
    """The hands stop by the recording's word: it used to wait for the next time that the state was told anyway."""
    heard: list[told.FromRecorder] = []
    line = Line(heard.append, heard.append)
    line.camera_changed(told.CameraState("live", "", "http://camera", 30.0, 320, 240))
    assert not any(isinstance(message, told.RecordingState) for message in heard)
    keys = {"recording_key": KEY.hex(), "signing_key": SEED.hex(), "previous_hash": ""}
    line.begin(told.Start("r1", str(tmp_path), "http://camera", masked=True, **keys, **SEALED))
    line.start()
    record(line, 30)
    until(lambda: line.state().state == "on")
    heard.clear()
    line.camera_changed(told.CameraState(state, "timeout", "http://camera", 0.0, 320, 240))
    words = [message for message in heard if isinstance(message, (told.CameraState, told.RecordingState))]
    assert [word.state for word in words if word.state in (state, "cut")][:2] == [state, "cut"]
    line.camera_changed(told.CameraState("starting", "", "http://spare", 0.0, 320, 240))
    assert line.state().state == "cut"  # the spare has shown nothing yet
    line.end("sealed")
    until(lambda: any(isinstance(message, told.RecordingClosed) for message in heard))
    line.stop()


def test_without_the_eye_a_real_camera_fills_the_side_stream_only(station) -> None:
    with fake.served(fake.Server([("frames", 600)], fps=30)) as address:
        station.up()
        station.begin(address, **SEALED)
        station.until(lambda m: isinstance(m, told.RecordingState) and m.last_pts_us > 1_500_000)
        station.send(told.Stop("sealed"))
        closed = station.until_kind(told.RecordingClosed)
    assert closed.frames == 0
    assert verify_recording(station.recording, Signer(SEED).public_key, KEY).ok
    (path,) = station.recording.glob(SIDE_GLOB)
    pictures = list(open_side(path, VAULT))
    assert len(pictures) > 10  # a busy machine looks away now and then
    assert {picture.codec for picture in pictures} == {"mjpeg"}  # as the camera sent them


@pytest.mark.parametrize("kind", ["frozen", "black"])
def test_a_picture_that_shows_nothing_is_no_picture(station, film: Path, tmp_path: Path, kind: str) -> None:
    camera = f"sim:{film}?freeze_at_s=1.2&thaw_at_s=2.4" if kind == "frozen" else f"file:{black_in_between(tmp_path)}"
    station.up()
    station.begin(camera)
    station.until(lambda m: isinstance(m, told.CameraState) and (m.state, m.reason) == ("stalled", kind))
    station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "cut")
    station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live")
    state = station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "on")
    station.until_fragments(state.fragments + 1)
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    (gap,) = gaps_of(station.recording)
    assert gap["reason"] == f"camera_{kind}"
    assert verify_recording(station.recording, Signer(SEED).public_key, KEY).ok


def black_in_between(folder: Path) -> Path:
    path, rng = folder / "black.mp4", np.random.default_rng(3)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(240):
            level = 17 if 40 <= n < 80 else 120
            luma = rng.integers(level - 1, level + 3, (240, 320), np.uint8)
            frame = av.VideoFrame.from_ndarray(
                np.concatenate((luma, np.full((120, 320), 128, np.uint8))), format="yuv420p"
            )
            frame.pts, frame.time_base = n, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("dark", "bright_pixels", "alarm"), [(17, 0, "black"), (30, 0, "black"), (30, 0.03, "")])
def test_a_lens_cap_is_noticed_whatever_a_camera_calls_black(dark: int, bright_pixels: float, alarm: str) -> None:
    """30: JPEGs that hold studio levels, as many cameras send them, widened as if they were full ones."""
    watch, rng = PictureWatch(), np.random.default_rng(2)
    chroma = np.full((120, 160), 128, np.uint8)
    found = ""
    for n in range(30):
        luma = np.full((240, 320), dark, np.uint8) + rng.integers(0, 4, (240, 320), np.uint8)
        luma[rng.random((240, 320)) < bright_pixels] = 90
        found = watch.look(CameraFrame(1 + n * 33_333, luma, chroma, chroma))
    assert found == alarm


def test_a_still_scene_with_a_sensors_noise_is_no_alarm() -> None:
    watch, rng = PictureWatch(), np.random.default_rng(1)
    chroma = np.full((120, 160), 128, np.uint8)
    for n in range(90):
        luma = np.full((240, 320), 60, np.uint8) + rng.integers(0, 2, (240, 320), np.uint8)
        assert watch.look(CameraFrame(1 + n * 33_333, luma, chroma, chroma)) == ""


def through_h264(pictures: Iterator[np.ndarray], **rate: str) -> Iterator[CameraFrame]:
    """As a network camera would show them, 30 a second, a key picture each second; `rate` as x264 calls it."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 320, 240, "yuv420p", Fraction(1, 30)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "30", "sc_threshold": "0", **rate}
    decoder, chroma = av.CodecContext.create("h264", "r"), np.full((120, 320), 128, np.uint8)
    for n, luma in enumerate(pictures):
        for packet in encoder.encode(av.VideoFrame.from_ndarray(np.concatenate((luma, chroma)), format="yuv420p")):
            for shown in decoder.decode(packet):
                y = np.frombuffer(bytes(shown.planes[0]), np.uint8).reshape(-1, shown.planes[0].line_size)[:240, :320]
                packed = Packet(bytes(packet), "h264", bool(shown.key_frame))
                yield CameraFrame(1 + n * 33_333, y, chroma, chroma, packed)


def still_scene(noise: float, frozen_from: int, moved_from: int, count: int) -> Iterator[np.ndarray]:
    """Soft light on a mat with a card; a sensor's noise, until it freezes, until something else lies there."""
    rng, (y, x) = np.random.default_rng(4), np.mgrid[0:240, 0:320]
    scene = 110 + 30 * np.sin(x / 60) + 20 * np.cos(y / 40)
    scene[60:120, 100:200] = 200
    seen = scene
    for n in range(count):
        if n == moved_from:
            scene[150:200, 40:120] = 30
        if not frozen_from <= n < moved_from:
            seen = np.clip(np.round(scene + rng.normal(0, noise, scene.shape)), 16, 235)
        yield seen.astype(np.uint8)


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.5, 1.0])
def test_noise_that_a_network_camera_leaves_out_is_no_alarm(noise: float) -> None:
    """Between its key pictures nothing changes then, to the last bit, and the recording was cut for it."""
    watch = PictureWatch()
    frames = list(through_h264(still_scene(noise, 999, 999, 150), crf="30"))
    unchanged = [np.array_equal(a.y, b.y) for a, b in pairwise(frames)]
    assert noise > 0.2 or sum(unchanged) > 100
    assert {watch.look(frame) for frame in frames} == {""}


def test_a_network_camera_that_freezes_is_noticed_by_its_key_pictures_and_believed_again_when_something_moves() -> None:
    watch = PictureWatch()
    said = [watch.look(frame) for frame in through_h264(still_scene(1.0, 40, 170, 200), crf="30")]
    assert set(said[:61]) == {""}
    assert set(said[150:170]) == {"frozen"}  # four key pictures later at most
    assert set(said[170:]) == {""}


def test_a_frozen_picture_that_its_encoder_goes_on_refining_is_noticed_and_stays_so() -> None:
    """No key picture is the one before to the last bit then, and nothing was told."""
    rate = {"preset": "superfast", "b": "200k", "maxrate": "400k", "bufsize": "800k"}
    frames = list(through_h264(still_scene(0.3, 100, 390, 420), **rate))
    keys = [frame.y for frame in frames[120:390] if frame.packet is not None and frame.packet.key]
    assert len(keys) == 9
    assert not any(np.array_equal(a, b) for a, b in pairwise(keys))
    watch = PictureWatch()
    said = [watch.look(frame) for frame in frames]
    assert set(said[:121]) == {""}
    assert set(said[300:390]) == {"frozen"}
    assert set(said[391:]) == {""}


def test_a_sheet_that_is_white_all_over_is_no_frozen_picture() -> None:
    """A sensor shows no noise where it is clipped; what is left at the rim says that it lives."""
    watch, rng = PictureWatch(), np.random.default_rng(5)

    def pictures() -> Iterator[np.ndarray]:
        for _ in range(120):
            seen = np.full((240, 320), 235, np.uint8)
            seen[:, :16] = np.clip(np.round(100 + rng.normal(0, 1.0, (240, 16))), 16, 235)
            yield seen

    assert {watch.look(frame) for frame in through_h264(pictures(), crf="23")} == {""}
