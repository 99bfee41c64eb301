"""The recorder with masks: what may not be seen is in no reviewable frame; its original is sealed to the vault."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.evidence.export import export_mp4
from app.evidence.journal import Signer
from app.evidence.mask import Cover
from app.evidence.ring import Note, Picture, leftovers
from app.evidence.side import SIDE_GLOB, VaultLock, open_side
from app.evidence.verify import verify_recording
from app.evidence.writer import RecordingKeys
from app.recorder import protocol as told
from app.recorder.ahead import Ring
from app.recorder.line import Line
from app.recorder.opening import open_take, recover_recording
from app.recorder.squeeze import PLANES, Squeezer
from tests.recorder.test_ahead import until
from tests.recording import gaps_of, records

KEY, SEED = bytes(range(32)), bytes(range(100, 132))
VAULT = X25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
MASKED = {"masked": True, "vault_key_id": "vault-1", "vault_key": VAULT.public_key().public_bytes_raw().hex()}
CARD = [80.0, 60.0, 240.0, 60.0, 240.0, 160.0, 80.0, 160.0]
PIN = [100.0, 100.0, 200.0, 100.0, 200.0, 120.0, 100.0, 120.0]


def now_us() -> int:
    return time.monotonic_ns() // 1000


def say(station, until_us: int, card: list[float], hide: list[list[float]]) -> None:
    """What the eye would say up to now, for frames from a second ago on."""
    for at in range(now_us() - 3_000_000, until_us, 66_000):
        station.send(told.Zones(at, card, not card, True, hide))


def lumas(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.reformat(format="gray").to_ndarray() for frame in film.decode(video=0)]


def is_block(picture: np.ndarray) -> bool:
    return float(picture.std()) < 3


def test_fields_are_covered_and_their_originals_sealed(station, film: Path, tmp_path: Path) -> None:
    station.up()
    began_us = now_us()
    station.begin(f"file:{film}?epoch_us={began_us}", **MASKED)
    say(station, began_us + 12_000_000, CARD, [PIN])
    station.until_fragments(4)
    station.send(told.Stop("sealed"))
    closed = station.until_kind(told.RecordingClosed)
    folder = station.recording
    assert verify_recording(folder, Signer(SEED).public_key, KEY).ok
    assert leftovers(folder) == []
    export_mp4(folder, KEY, tmp_path / "out.mp4")
    seen = lumas(tmp_path / "out.mp4")
    assert len(seen) == closed.frames
    for picture in seen:
        assert is_block(picture[98:122, 98:202])
        assert picture[62:90, 82:238].std() > 20  # the rest of the card is there to see
    (mask, *_), (end,) = records(folder, "mask"), records(folder, "side_end")
    assert mask["reason"] == "fields"
    assert mask["zones"][0]["kind"] == "fields"
    (path,) = folder.glob(SIDE_GLOB)
    originals = list(open_side(path, VAULT))
    assert len(originals) == end["pictures"] == closed.frames
    assert originals[0].data.startswith(b"\xff\xd8")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    fault = verify_recording(folder, Signer(SEED).public_key, KEY).fault
    assert fault is not None
    assert fault.code == "evidence.bytes_changed"


def test_without_a_word_from_the_eye_nothing_is_shown(station, film: Path, tmp_path: Path) -> None:
    station.up()
    station.begin(f"file:{film}?epoch_us={now_us()}", **MASKED)
    station.until_fragments(2)
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    export_mp4(station.recording, KEY, tmp_path / "out.mp4")
    assert all(is_block(picture) for picture in lumas(tmp_path / "out.mp4"))
    assert {mask["reason"] for mask in records(station.recording, "mask")} == {"silent"}


def test_remainder_after_a_kill_is_saved_and_masked_too(station, film: Path, tmp_path: Path) -> None:
    camera = f"file:{film}?loop=1&epoch_us={now_us()}"
    station.up()
    station.begin(camera, **MASKED)
    began_us = now_us()
    say(station, began_us + 9_000_000, CARD, [PIN])
    station.until_fragments(2)
    before = station.until(lambda m: isinstance(m, told.RecordingState) and m.behind_us > 1_000_000)
    os.kill(station.pid, signal.SIGKILL)
    killed_us = now_us()
    assert leftovers(station.recording)
    station.up()
    station.begin(camera, **MASKED)
    station.until_fragments(before.fragments + 5)
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    assert verify_recording(station.recording, Signer(SEED).public_key, KEY).ok
    (gap,) = gaps_of(station.recording)
    first_mono_us = records(station.recording, "part")[0]["base_mono_us"]
    assert killed_us - (first_mono_us + gap["from_pts"]) < 1_000_000  # though what was encoded is 1.5 s older
    export_mp4(station.recording, KEY, tmp_path / "out.mp4")
    assert all(is_block(picture[98:122, 98:202]) for picture in lumas(tmp_path / "out.mp4"))
    assert leftovers(station.recording) == []
    assert_each_frame_has_its_mask_record(station.recording)


def assert_each_frame_has_its_mask_record(folder: Path) -> None:
    """All frames of these recordings are covered: so each lies inside a mask record, which came before it."""
    told_to = -1
    for record in records(folder):
        if record["kind"] == "mask":
            told_to = max(told_to, record["to_pts"])
        if record["kind"] == "fragment":
            assert told_to >= record["last_pts"]


def test_what_is_encoded_long_after_is_masked_by_what_was_said_of_it(tmp_path: Path) -> None:
    """An encoder 25 s behind covered whole pictures: what the eye had said was kept for 20 s only."""
    heard: list[told.FromRecorder] = []
    line = Line(heard.append, heard.append)
    start = told.Start("r1", str(tmp_path), "file:x", KEY.hex(), SEED.hex(), "", True, **MASKED)
    for n in range(90):
        at = 1_000_000 + n * 300_000
        if n == 1:
            line.begin(start)
        line.take_frame(np.random.default_rng(n).integers(20, 230, 320 * 240 * 3 // 2, np.uint8), at, 320, 240)
        line.zones(told.Zones(at, CARD, False, True, [PIN]))
    line.start()
    line.end("sealed")
    until(lambda: any(isinstance(message, told.RecordingClosed) for message in heard))
    line.stop()
    masks = records(tmp_path / "r1", "mask")
    assert {mask["reason"] for mask in masks} == {"fields"}
    assert_each_frame_has_its_mask_record(tmp_path / "r1")


def test_what_lies_long_in_the_ring_is_masked_by_what_was_said_of_it(tmp_path: Path) -> None:
    start = told.Start("r1", str(tmp_path), "file:x", KEY.hex(), SEED.hex(), "", True, **MASKED)
    open_take(start, lambda _message: None).give_up()
    ring, squeezer = Ring(tmp_path / "r1", KEY), Squeezer()
    for n in range(90):
        at = 1_000_000 + n * 300_000
        planes = np.random.default_rng(n).integers(20, 230, 320 * 240 * 3 // 2, np.uint8)
        ring.append(Picture(at, 320, 240, PLANES, squeezer.squeeze(planes, 320, 240)))
        ring.append(Note("zones", asdict(told.Zones(at, CARD, False, True, [PIN]))))
    ring.sync()
    ring.end(keep=True)
    keys = RecordingKeys(KEY, SEED, VaultLock("vault-1", VAULT.public_key().public_bytes_raw()))
    assert recover_recording(tmp_path / "r1", keys)["frames"] == 90
    assert {mask["reason"] for mask in records(tmp_path / "r1", "mask")} == {"fields"}
    assert_each_frame_has_its_mask_record(tmp_path / "r1")


def test_a_cut_recording_tells_of_each_covered_frame(tmp_path: Path) -> None:
    """Killed at any moment: the record used to follow up to a second later."""
    start = told.Start("r1", str(tmp_path), "file:x", KEY.hex(), SEED.hex(), "", True, **MASKED)
    take = open_take(start, lambda _message: None)
    outline = ((80.0, 60.0), (240.0, 60.0), (240.0, 160.0), (80.0, 160.0))
    for n in range(100):
        planes = np.random.default_rng(n).integers(20, 230, 320 * 240 * 3 // 2, np.uint8)
        reason = ("card", "fields", "silent")[n // 7 % 3]
        take.frame(planes, 1_000_000 + n * 33_333, 320, 240, Cover(reason, (outline,)))
        assert_each_frame_has_its_mask_record(tmp_path / "r1")
    assert len(records(tmp_path / "r1", "fragment")) > 3
    take.close("sealed")


def test_a_real_camera_without_masks_goes_to_the_vault_only(station, film: Path, tmp_path: Path) -> None:
    station.up()
    unmasked = MASKED | {"masked": False}
    station.begin(f"file:{film}?epoch_us={now_us()}", rehearsal=False)
    assert station.until_kind(told.Trouble).code == "recorder.refused"
    mjpeg = tmp_path / "none.mjpeg"
    station.begin(f"http://127.0.0.1:9/{mjpeg.name}", **unmasked)  # nothing answers there: the recording waits for it
    station.until(lambda m: isinstance(m, told.CameraState) and m.state == "lost")
    station.send(told.Stop("sealed"))
    assert station.until_kind(told.RecordingClosed).frames == 0


@pytest.mark.parametrize("seconds", [2.0])
def test_what_came_before_the_start_is_kept(station, film: Path, seconds: float) -> None:
    camera = f"file:{film}?loop=1&epoch_us={now_us()}"
    station.up()
    station.send(told.OpenCamera(camera))
    station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live" and m.fps > 0)
    asked_us = now_us()
    station.begin(camera)
    state = station.until_fragments(2)
    assert asked_us - state.first_mono_us > 500_000
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    assert verify_recording(station.recording, Signer(SEED).public_key, KEY).ok
