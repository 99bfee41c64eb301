"""A hole between two pictures that nobody told of is a gap all the same: a process that was stopped hears of none."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.errors import EvidenceTrouble
from app.evidence.journal import NAME, NO_HASH, Signer, parse_record, seal_record
from app.evidence.ring import Picture
from app.evidence.side import VaultLock
from app.evidence.timeline import read_timeline
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording, resume_recording
from app.recorder.line import Line
from app.recorder.opening import encode_leftovers
from app.recorder.protocol import CameraState, FromRecorder
from app.recorder.sink import Take
from tests.recorder.test_ahead import KEYS, Told, planes, start_in, until
from tests.recording import records

FRAME_US = 33_333


def take_in(folder: Path, keys: RecordingKeys = KEYS) -> Take:
    heard: list[FromRecorder] = []
    return Take("r1", create_recording(folder / "r1", keys, Origin("r1", "http:x", False, True, "0.1.0")), heard.append)


def gaps(folder: Path) -> list[tuple[str, int, int]]:
    return [(one["reason"], one["from_pts"], one["to_pts"]) for one in records(folder / "r1", "gap")]


@pytest.mark.parametrize(("hole_us", "told"), [(5_000_000, True), (800_000, True), (600_000, False)])
def test_pictures_that_are_missing_in_silence_are_a_gap(tmp_path: Path, hole_us: int, told: bool) -> None:
    """Somebody stops the recorder of a network camera for five seconds: the chain told of no gap."""
    take, hole = take_in(tmp_path), [(29 * FRAME_US, 29 * FRAME_US + hole_us)]
    for n in range(60):
        take.frame(planes(n), 1_000_000 + n * FRAME_US + (hole_us - FRAME_US) * (n >= 30), 320, 240)
    take.close("sealed")
    assert gaps(tmp_path) == [("no_pictures", *one) for one in hole if told]
    assert verify_recording(tmp_path / "r1").gaps == told
    assert [(one.from_us, one.to_us) for one in read_timeline(tmp_path / "r1").gaps] == [one for one in hole if told]


def test_a_hole_whose_pictures_are_counted_is_told_once(tmp_path: Path) -> None:
    take = take_in(tmp_path)
    for n in range(60):
        picture = Picture(
            1_000_000 + n * FRAME_US + 2_000_000 * (n >= 30), 320, 240, "planes", b"", missed=60 * (n == 30)
        )
        take.frame(planes(n), picture.mono_us, 320, 240, original=picture)
    take.close("sealed")
    assert gaps(tmp_path) == []
    assert [one["frames"] for one in records(tmp_path / "r1", "missed")] == [60]


@pytest.mark.parametrize("state", ["lost", "stalled"])
def test_a_pre_roll_hides_no_gap(tmp_path: Path, state: str) -> None:
    """The camera goes for two of the seconds before the waybill is scanned."""
    heard = Told()
    line = Line(heard.append, heard.append)
    at_us = 1_000_000
    for n in range(60):
        if n == 30:
            line.camera_changed(CameraState(state, "timeout", "file:x", 0.0, 320, 240))
            at_us += 2_000_000
        if n in (0, 30):
            line.camera_changed(CameraState("live", "", "file:x", 30.0, 320, 240))
        line.take_frame(planes(n), at_us + n * FRAME_US, 320, 240)
    line.begin(start_in(tmp_path))
    line.start()
    line.end("sealed")
    until(heard.closed)
    line.stop()
    assert heard.closed()[0].frames == 60
    assert gaps(tmp_path) == [("no_pictures", 29 * FRAME_US, 30 * FRAME_US + 2_000_000)]


def test_the_side_stream_has_its_gaps_too(tmp_path: Path) -> None:
    """Of a camera without the eye only originals are kept, and a gap among them was in no record."""
    vault = X25519PrivateKey.generate().public_key().public_bytes_raw()
    take = take_in(tmp_path, RecordingKeys(KEYS.content, KEYS.signing, VaultLock("vault-1", vault)))
    jpeg = np.zeros(500, np.uint8).tobytes()
    for n in range(60):
        if n == 30:
            take.camera(CameraState("lost", "missing", "http:x", 0.0, 320, 240))
        later_us = 400_000 * (n >= 30) + 3_000_000 * (n >= 45)
        take.aside(Picture(1_000_000 + n * FRAME_US + later_us, 320, 240, "mjpeg", jpeg))
    take.close("sealed")
    assert [reason for reason, _, _ in gaps(tmp_path)] == ["camera_lost", "no_pictures"]
    assert verify_recording(tmp_path / "r1").ok


def aside(take: Take, from_us: int, count: int = 30) -> None:
    for n in range(count):
        take.aside(Picture(from_us + n * FRAME_US, 320, 240, "mjpeg", bytes(500)))


def without_clock(folder: Path) -> None:
    """As earlier releases wrote it: nothing of the clock in `side`, and no `side_kept`."""
    told, head, signer = records(folder), NO_HASH, Signer(KEYS.signing)
    lines = []
    for one in (one for one in told if one["kind"] != "side_kept"):
        fields = {name: one[name] for name in one.keys() - {"chain", "sig", "base_mono_us"}}
        fields |= {"n": len(lines), "prev": head}
        if one["kind"] == "side":
            del fields["boot_id"]
        lines.append(seal_record(fields, signer))
        head = json.loads(lines[-1])["chain"]
    (folder / NAME).write_bytes(b"".join(lines))


@pytest.mark.parametrize("earlier_release", [False, True])
@pytest.mark.parametrize("rebooted", [False, True])
def test_a_side_stream_that_goes_on_has_a_gap_and_its_times_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier_release: bool, rebooted: bool
) -> None:
    lock = VaultLock("vault-1", X25519PrivateKey.generate().public_key().public_bytes_raw())
    keys, folder = RecordingKeys(KEYS.content, KEYS.signing, lock), tmp_path / "r1"
    began_us = time.monotonic_ns() // 1000
    killed = take_in(tmp_path, keys)
    aside(killed, began_us)
    killed.writer.abandon()
    if earlier_release:
        without_clock(folder)
    if rebooted:
        monkeypatch.setattr("app.evidence.writer.boot_id", lambda: "another")
        monkeypatch.setattr("app.recorder.opening.boot_id", lambda: "another")
    heard: list[FromRecorder] = []
    take = Take("r1", resume_recording(folder, keys), heard.append)
    encode_leftovers(take, [], start_in(tmp_path), KEYS.content)
    aside(take, began_us + 4_000_000)
    take.close("sealed")
    ((reason, from_us, to_us),) = gaps(tmp_path)
    assert reason == "recorder_restarted"
    assert from_us == 0 if earlier_release else 14 * FRAME_US < from_us < 30 * FRAME_US
    assert to_us == records(folder, "side")[1]["from_pts"]
    assert to_us == pytest.approx(4_000_000, abs=2_500_000 if earlier_release or rebooted else 0)
    assert take.last_pts == to_us + 29 * FRAME_US
    assert verify_recording(folder).ok


def test_half_of_what_says_its_clock_is_no_record(tmp_path: Path) -> None:
    side = {"part": 1, "file": "side-0001-00000000.bin", "key_id": "k", "from_pts": 0}
    head = {"n": 0, "kind": "side", "prev": NO_HASH, "mono_us": 1, "wall_us": 1}
    for more, fits in [({}, True), ({"boot_id": "b"}, False), ({"base_mono_us": 1, "boot_id": "b"}, True)]:
        line = seal_record({**head, **side, **more}, Signer(KEYS.signing))[:-1]
        with nullcontext() if fits else pytest.raises(EvidenceTrouble, match="malformed"):
            parse_record(line, 0, NO_HASH)
    line = seal_record({**head, **side, "base_mono_us": 1, "boot_id": 2}, Signer(KEYS.signing))[:-1]
    with pytest.raises(EvidenceTrouble, match="malformed"):
        parse_record(line, 0, NO_HASH)


def test_what_a_kill_left_of_sealed_originals_is_vouched_for(tmp_path: Path) -> None:
    """A side part that nobody ended had no hash in the chain: it could be cut or changed unseen."""
    lock = VaultLock("vault-1", X25519PrivateKey.generate().public_key().public_bytes_raw())
    killed = take_in(tmp_path, RecordingKeys(KEYS.content, KEYS.signing, lock))
    aside(killed, 1_000_000)
    killed.writer.abandon()
    (part,) = (tmp_path / "r1").glob("side-*.bin")
    whole = part.read_bytes()
    assert verify_recording(tmp_path / "r1").ok
    part.write_bytes(whole + b"torn")
    assert verify_recording(tmp_path / "r1").ok
    for damaged in (whole[: len(whole) // 3], whole[:700] + bytes([whole[700] ^ 1]) + whole[701:]):
        part.write_bytes(damaged)
        fault = verify_recording(tmp_path / "r1").fault
        assert fault is not None
        assert (fault.code, fault.detail) == ("evidence.bytes_changed", part.name)
