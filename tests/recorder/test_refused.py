"""What the disk refuses: nothing that is durable in the ring is wiped before it is a fragment, or counted."""

from __future__ import annotations

import errno
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.errors import EvidenceTrouble
from app.evidence import writer as evidence_writer
from app.evidence.journal import Signer
from app.evidence.ring import Note, Picture, RingSegment, leftovers
from app.evidence.side import VaultLock
from app.evidence.verify import Verdict, verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.recorder import ahead as ahead_module
from app.recorder.ahead import Ring
from app.recorder.line import Line
from app.recorder.opening import encode_leftovers, recover_recording
from app.recorder.protocol import CameraState, FromRecorder, RecordingClosed, Trouble
from app.recorder.sink import Take
from tests.recorder.test_ahead import KEYS, record, start_in, until
from tests.recording import records

GIVEN = 60

pytestmark = pytest.mark.warns


def failing(real: Callable[..., object], fails: Callable[[int], bool]) -> Callable[..., object]:
    """`real`, but refused the times for which `fails` (counted from 1)."""
    calls = iter(range(1, 10**9))

    def write(*arguments: object) -> object:
        if fails(next(calls)):
            raise OSError(errno.EIO, "refused")
        return real(*arguments)

    return write


def film(folder: Path, harm: Callable[[], None] = lambda: None) -> tuple[list[FromRecorder], RecordingClosed]:
    """Sixty frames, all given before anything is written."""
    heard: list[FromRecorder] = []

    def hear(message: FromRecorder) -> None:
        heard.append(message)
        if isinstance(message, Trouble):
            line.note("card.kept", {"card": "c1"})

    line = Line(hear, heard.append)
    line.camera_changed(CameraState("live", "", "file:x", 30.0, 320, 240))
    line.begin(start_in(folder))
    record(line, GIVEN)
    harm()
    line.start()
    closed: list[RecordingClosed] = []

    def over() -> bool:
        closed[:] = [message for message in heard if isinstance(message, RecordingClosed)]
        return bool(closed)

    until(over)
    line.stop()
    return heard, closed[0]


def verified(folder: Path) -> Verdict:
    assert KEYS.signing is not None
    verdict = verify_recording(folder / "r1", Signer(KEYS.signing).public_key, KEYS.content)
    assert verdict.ok, verdict.fault
    return verdict


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_what_a_part_did_not_take_goes_into_another(tmp_path: Path, monkeypatch, at: int) -> None:
    part = evidence_writer._PartFile
    monkeypatch.setattr(part, "append", failing(part.append, lambda n: n == at))
    heard, closed = film(tmp_path)
    assert [message.code for message in heard if isinstance(message, Trouble)] == ["recorder.disk_failed"]
    assert (closed.reason, closed.frames, closed.dropped) == ("disk_failed", GIVEN, 0)
    verdict = verified(tmp_path)
    assert (verdict.closed, verdict.frames) == (True, GIVEN)
    assert not leftovers(tmp_path / "r1")
    assert (tmp_path / "r1" / "journal.jsonl").read_text().count('"event":"card.kept"') == 1


@pytest.mark.parametrize("at", [1, 2, 3])
def test_what_no_part_takes_stays_in_the_ring(tmp_path: Path, monkeypatch, at: int) -> None:
    part = evidence_writer._PartFile
    monkeypatch.setattr(part, "append", failing(part.append, lambda n: n >= at))
    _, closed = film(tmp_path)
    assert closed.root == ""
    assert leftovers(tmp_path / "r1")
    assert not verified(tmp_path).closed
    with pytest.raises(OSError):
        recover_recording(tmp_path / "r1", KEYS)  # the disk still refuses; nothing is wiped
    monkeypatch.undo()
    report = recover_recording(tmp_path / "r1", KEYS)
    assert (report["frames"], report["closed"]) == (GIVEN, True)
    assert closed.frames + report["saved_frames"] + closed.dropped == GIVEN
    assert verified(tmp_path).frames == GIVEN


@pytest.mark.parametrize("at", [12, 40])
@pytest.mark.parametrize("part_too", [False, True])
def test_when_the_ring_fails_what_is_in_it_is_kept_and_the_rest_counted(
    tmp_path: Path, monkeypatch, at: int, part_too: bool
) -> None:
    monkeypatch.setattr(ahead_module, "_HELD_BYTES", 0)  # each frame is in the ring only
    part = evidence_writer._PartFile

    def harm() -> None:
        monkeypatch.setattr(RingSegment, "append", failing(RingSegment.append, lambda n: n >= at))
        if part_too:
            monkeypatch.setattr(part, "append", failing(part.append, lambda n: n == 2))

    _, closed = film(tmp_path, harm)
    assert closed.root
    assert closed.frames + closed.dropped == GIVEN
    assert at - 5 < closed.frames < at
    assert verified(tmp_path).dropped == closed.dropped


def test_who_ends_a_ring_has_it_for_himself(tmp_path: Path) -> None:
    """The file's number was closed under the ring thread: EBADF, or pictures in whatever file got that number next."""
    for turn in range(25):
        ring = Ring(tmp_path / "r1", bytes(32))
        begun, wrong = threading.Event(), []

        def append(ring: Ring = ring, begun: threading.Event = begun, wrong: list[BaseException] = wrong) -> None:
            try:
                n = 0
                while ring.append(Picture(n, 320, 240, "mjpeg", bytes(5000))) is not None:
                    n += 1
                    if n % 3 == 0:
                        ring.sync()
                    if n == 5:
                        begun.set()
            except BaseException as trouble:  # noqa: BLE001  told below
                wrong.append(trouble)

        thread = threading.Thread(target=append)
        thread.start()
        assert begun.wait(20)
        ring.end(keep=False)
        others = [(tmp_path / f"other-{turn}-{n}").open("w+b") for n in range(4)]
        thread.join(20)
        assert not thread.is_alive()
        assert wrong == []
        assert not leftovers(tmp_path / "r1")
        for other in others:
            assert other.seek(0, 2) == 0
            other.close()


def test_reading_back_leaves_the_place_of_writing(tmp_path: Path) -> None:
    segment = RingSegment(tmp_path, bytes(32), 1)
    spots = [segment.append(Picture(n, 2, 2, "mjpeg", bytes([n]) * 999)) for n in range(5)]
    assert [segment.read(spot).mono_us for spot in spots] == list(range(5))  # type: ignore[union-attr]
    spots.append(segment.append(Note("zones", {})))
    assert isinstance(segment.read(spots[-1]), Note)
    segment.shred()
    with pytest.raises(OSError):
        segment.read(spots[0])
    with pytest.raises(OSError):
        segment.append(Note("zones", {}))
    with pytest.raises((OSError, EvidenceTrouble)):
        segment.sync()


def test_what_a_crash_left_takes_no_more_memory_than_some_pictures_however_much_it_is(tmp_path: Path) -> None:
    """An encoder that was minutes behind when it was killed left hundreds of megabytes; they were read whole."""
    lock = VaultLock("vault-1", X25519PrivateKey.generate().public_key().public_bytes_raw())
    keys = RecordingKeys(KEYS.content, KEYS.signing, lock)
    take = Take(
        "r1", create_recording(tmp_path / "r1", keys, Origin("r1", "http:x", False, True, "0.1.0")), lambda _: None
    )
    shown = 240
    segment = RingSegment(tmp_path / "r1", KEYS.content, 1)
    for n in range(shown):
        if n and not n % 60:
            segment.leave()
            segment = RingSegment(tmp_path / "r1", KEYS.content, 1 + n // 60)
        segment.append(Picture(1_000_000 + n * 33_333, 1920, 1080, "mjpeg", bytes(400_000)))
    segment.leave()
    paths = leftovers(tmp_path / "r1")
    assert sum(path.stat().st_size for path in paths) > 90 << 20
    start = replace(start_in(tmp_path), camera="http:x")
    assert start.aside
    tracemalloc.start()
    try:
        encode_leftovers(take, paths, start, KEYS.content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    take.close("recovered")
    assert [one["pictures"] for one in records(tmp_path / "r1", "side_end")] == [shown]
    assert not leftovers(tmp_path / "r1")
    assert peak < 8 << 20
