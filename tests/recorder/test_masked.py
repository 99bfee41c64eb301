"""The recorder with masks: what may not be seen is in no reviewable frame; its original is sealed to the vault."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.evidence.export import export_mp4
from app.evidence.journal import Signer
from app.evidence.ring import leftovers
from app.evidence.side import SIDE_GLOB, open_side
from app.evidence.verify import verify_recording
from app.recorder import protocol as told

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


def records(folder: Path, kind: str) -> list[dict]:
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def lumas(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.reformat(format="gray").to_ndarray() for frame in film.decode(video=0)]


def is_block(picture: np.ndarray) -> bool:
    return float(picture.std()) < 3


def test_fields_are_covered_and_their_originals_sealed(station, film: Path, tmp_path: Path) -> None:
    station.up()
    began_us = now_us()
    station.begin(f"file:{film}?epoch_us={began_us}", **MASKED)
    say(station, began_us + 6_000_000, CARD, [PIN])
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
    camera = f"file:{film}?epoch_us={now_us()}"
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
    (gap,) = records(station.recording, "gap")
    first_mono_us = records(station.recording, "part")[0]["base_mono_us"]
    assert killed_us - (first_mono_us + gap["from_pts"]) < 1_000_000  # though what was encoded is 1.5 s older
    export_mp4(station.recording, KEY, tmp_path / "out.mp4")
    assert all(is_block(picture[98:122, 98:202]) for picture in lumas(tmp_path / "out.mp4"))
    assert leftovers(station.recording) == []


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
    camera = f"file:{film}?epoch_us={now_us()}"
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
