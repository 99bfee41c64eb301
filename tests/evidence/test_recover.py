"""After any cut, recovery finds what was durable, keeps the rest aside, and the recording goes on and verifies."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import EvidenceTrouble
from app.evidence import journal
from app.evidence import writer as evidence_writer
from app.evidence.journal import Signer
from app.evidence.ledger import load
from app.evidence.recover import recover
from app.evidence.ring import Picture
from app.evidence.side import SIDE_GLOB, VaultLock, open_side
from app.evidence.verify import verify_recording
from app.evidence.writer import RESERVE, Origin, RecordingKeys, RecordingWriter, create_recording, resume_recording
from app.platform import write_all
from app.reserve import Reserve


class Cut(Exception):
    """The power is off."""


class Disk:
    """Takes `room` bytes, then fails in the middle of a write: for good, or only once the room is used."""

    def __init__(self, room: int, trouble: Exception) -> None:
        self.room, self.trouble = room, trouble

    def write(self, fd: int, data: bytes) -> None:
        taken = min(self.room, len(data))
        write_all(fd, data[:taken])
        self.room -= taken
        if taken < len(data):
            raise self.trouble


def go_on(folder: Path, keys: RecordingKeys) -> RecordingWriter:
    writer = resume_recording(folder, keys)
    first = writer.last_pts + 700_000
    writer.note("gap", reason="recorder_restarted", from_pts=max(0, writer.last_pts), to_pts=first)
    writer.begin_part(64, 48, first)
    writer.add_init(b"header")
    writer.add_fragment(b"after the crash" * 9, first, first + 400_000, 15, 0)
    return writer


@settings(max_examples=80, deadline=None)
@given(room=st.integers(1200, 12_000))
def test_power_cut_at_any_byte(record, keys: RecordingKeys, public_key: str, quick: str | None, room: int) -> None:
    with tempfile.TemporaryDirectory(dir=quick) as at:
        folder = Path(at) / "r1"
        with suppress(Cut):
            record(folder, write=Disk(room, Cut()).write).abandon()
        durable = load(folder)
        if durable.records == 0:
            return
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        writer = go_on(folder, keys)
        assert writer.fragments == durable.fragments + 1
        writer.close("sealed")
        verdict = verify_recording(folder, public_key, keys.content)
        assert verdict.ok, verdict.fault
        assert verdict.fragments == durable.fragments + 1
        after = {path.name: path.read_bytes() for path in folder.iterdir()}
        for name, data in before.items():  # nothing was thrown away: what was cut off stands beside
            torn = after.get(name + ".torn", b"")
            whole = len(data) - len(torn)
            assert data[:whole] == after.get(name, b"")[:whole]
            assert data[whole:] == torn


@settings(max_examples=60, deadline=None)
@given(room=st.integers(1500, 12_000))
def test_disk_full_at_any_byte(record, keys: RecordingKeys, public_key: str, quick: str | None, room: int) -> None:
    with tempfile.TemporaryDirectory(dir=quick) as at:
        folder = Path(at) / "r1"
        disk = Disk(room, OSError(errno.ENOSPC, "No space left on device"))
        writers: list[RecordingWriter] = []
        try:
            writers.append(record(folder, write=disk.write))
        except OSError:
            whole = load(folder)
            verdict = verify_recording(folder, public_key, keys.content)
            assert verdict.ok, verdict.fault
            assert "unfinished_tail" not in verdict.notes  # the half-written fragment was dropped whole
            assert verdict.fragments == whole.fragments


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux")
def test_what_a_record_names_is_on_the_disk_before_the_record(tmp_path: Path, record, monkeypatch) -> None:
    """Fragment, synced; then its record, synced: after a power cut no record names what is not there."""
    done: list[tuple[str, str, bytes]] = []

    def name(fd: int) -> str:
        return "journal" if os.readlink(f"/proc/self/fd/{fd}").endswith(journal.NAME) else "part"

    def write(fd: int, data: bytes) -> None:
        done.append(("write", name(fd), data))
        write_all(fd, data)

    def sync(fd: int) -> None:
        done.append(("sync", name(fd), b""))

    monkeypatch.setattr(evidence_writer, "fdatasync", sync)
    monkeypatch.setattr(journal, "fdatasync", sync)
    record(tmp_path / "r", write=write).close("sealed")
    monkeypatch.undo()
    named = [n for n, (_, where, data) in enumerate(done) if where == "journal" and b'"len":' in data]
    assert len(named) == 8  # two headers, six fragments
    for n in named:
        told = [(what, where) for what, where, _ in done[n - 2 : n + 2]]
        assert told == [("write", "part"), ("sync", "part"), ("write", "journal"), ("sync", "journal")]
        assert hashlib.sha256(done[n - 2][2]).hexdigest() == json.loads(done[n][2])["c"]


def test_full_disk_closes_from_the_reserve(tmp_path: Path, record, keys: RecordingKeys, public_key: str) -> None:
    disk = Disk(10**9, OSError(errno.ENOSPC, "No space left on device"))
    writer = record(tmp_path / "r1", write=disk.write)
    assert Reserve(tmp_path / "r1" / RESERVE, 256 * 1024).fill()
    assert (tmp_path / "r1" / RESERVE).stat().st_blocks * 512 >= 256 * 1024
    disk.room = 50
    with pytest.raises(OSError):
        writer.add_fragment(b"too much" * 100, 4_000_000, 4_400_000, 15, 0)
    with pytest.raises(ValueError):  # the nonce of that fragment is spent: the part takes no more
        writer.add_fragment(b"again", 4_000_000, 4_400_000, 15, 0)
    disk.room = 10**9
    writer.disk_failed()
    assert not (tmp_path / "r1" / RESERVE).exists()
    writer.close("disk_full")
    verdict = verify_recording(tmp_path / "r1", public_key, keys.content)
    assert verdict.ok, verdict.fault
    assert (verdict.closed, verdict.fragments) == (True, 6)


def test_disk_without_room_for_the_first_record(tmp_path: Path, record) -> None:
    with pytest.raises(OSError):
        record(tmp_path / "r1", write=Disk(100, OSError(errno.ENOSPC, "No space left on device")).write)
    assert not (tmp_path / "r1").exists()


def test_crash_during_recovery_finds_everything_again(
    tmp_path: Path, record, keys: RecordingKeys, public_key: str
) -> None:
    folder = tmp_path / "r1"
    record(folder).abandon()
    last = sorted(folder.glob("part-*"))[-1]
    with last.open("ab") as part:
        part.write(b"torn")
    with (folder / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"half')
    recover(folder, public_key)
    writer = resume_recording(folder, keys)  # the first attempt died before its record
    writer.close("sealed")
    verdict = verify_recording(folder, public_key, keys.content)
    assert verdict.ok
    assert sorted(p.name for p in folder.glob("*.torn")) == ["journal.jsonl.torn", last.name + ".torn"]


def test_lost_bytes_behind_a_record_cut_the_recording_there(tmp_path: Path, record, keys, public_key: str) -> None:
    folder = tmp_path / "r1"
    record(folder).abandon()
    last = sorted(folder.glob("part-*"))[-1]
    os.truncate(last, last.stat().st_size - 10)  # a disk that lied about fdatasync
    writer = go_on(folder, keys)
    writer.close("sealed")
    verdict = verify_recording(folder, public_key, keys.content)
    assert verdict.ok, verdict.fault
    assert verdict.fragments == 6


def test_tampered_torn_file_is_found(tmp_path: Path, record, keys: RecordingKeys, public_key: str) -> None:
    folder = tmp_path / "r1"
    record(folder).abandon()
    with sorted(folder.glob("part-*"))[-1].open("ab") as part:
        part.write(b"torn")
    go_on(folder, keys).close("sealed")
    torn = next(folder.glob("*.torn"))
    torn.write_bytes(b"Torn")
    assert verify_recording(folder, public_key).fault.code == "evidence.torn_changed"


def test_what_is_not_resumed(closed: Path, tmp_path: Path, record, keys: RecordingKeys) -> None:
    folder = shutil.copytree(closed, tmp_path / "closed")
    with pytest.raises(EvidenceTrouble, match=r"evidence\.closed"):
        resume_recording(folder, keys)
    with pytest.raises(EvidenceTrouble, match=r"evidence\.no_recording"):
        resume_recording(tmp_path, keys)
    record(tmp_path / "r1").abandon()
    with pytest.raises(EvidenceTrouble, match=r"evidence\.other_key"):
        resume_recording(tmp_path / "r1", RecordingKeys(keys.content, bytes(32)))
    with pytest.raises(FileExistsError):
        record(tmp_path / "r1")


def test_resumed_times_go_on_in_the_same_boot(tmp_path: Path, record, keys: RecordingKeys) -> None:
    record(tmp_path / "r1").abandon()
    writer = resume_recording(tmp_path / "r1", keys)
    assert writer.pts(5_000_000 + 9_000_000) == 9_000_000
    writer.abandon()


def test_resumed_after_a_reboot_the_gap_is_told_by_the_wall_clock(
    tmp_path: Path, record, keys: RecordingKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "r1").abandon()
    monkeypatch.setattr("app.evidence.writer.boot_id", lambda: "another boot")
    writer = resume_recording(tmp_path / "r1", keys)
    assert writer.pts(time.monotonic_ns() // 1000) >= 2_966_666 + 1_000_000
    writer.abandon()


def test_signer_without_a_key_signs_nothing() -> None:
    assert Signer(None).public_key == Signer(None).sign("00") == ""


@pytest.mark.parametrize("times", [1, 2])
def test_a_part_whose_record_was_refused_leaves_no_hole_in_the_count(
    tmp_path: Path, record, keys: RecordingKeys, public_key: str, times: int
) -> None:
    """The next part was number n + 2: whatever came behind it was invisible to all who read the recording."""
    folder, disk = tmp_path / "r1", Disk(10**9, OSError(errno.ENOSPC, "No space left on device"))
    writer = record(folder, write=disk.write)
    for _ in range(times):
        disk.room = 50
        with pytest.raises(OSError):
            writer.begin_part(64, 48, 4_000_000)
        disk.room = 10**9
        writer.disk_failed()
    writer.begin_part(64, 48, 4_000_000)
    writer.add_init(b"header")
    writer.add_fragment(b"behind it" * 9, 4_000_000, 4_400_000, 15, 0)
    writer.close("sealed")
    verdict = verify_recording(folder, public_key, keys.content)
    assert verdict.ok, verdict.fault
    assert (verdict.closed, verdict.fragments) == (True, 7)
    assert len(list(folder.glob("part-*"))) == 3


@pytest.mark.parametrize("room", [50, 450])
def test_a_side_part_that_was_refused_leaves_no_hole_in_the_count(
    tmp_path: Path, record, keys: RecordingKeys, public_key: str, room: int
) -> None:
    """Refused in the middle of its own first line, or of the record that names it."""
    vault = X25519PrivateKey.generate()
    sealed = replace(keys, side=VaultLock("v1", vault.public_key().public_bytes_raw()))
    folder, disk = tmp_path / "r1", Disk(10**9, OSError(errno.ENOSPC, "No space left on device"))
    writer = create_recording(folder, sealed, Origin("r1", "http:x", False, False, "0"), disk.write)
    picture = Picture(7_000_000, 64, 48, "mjpeg", b"a picture")
    disk.room = room
    with pytest.raises(OSError):
        writer.add_side(picture, writer.pts(picture.mono_us))
    disk.room = 10**9
    writer.disk_failed()
    writer.add_side(picture, 0)
    writer.close("sealed")
    verdict = verify_recording(folder, public_key, keys.content)
    assert verdict.ok, verdict.fault
    assert (verdict.closed, verdict.notes) == (True, ("no_witness",))
    (side,) = folder.glob(SIDE_GLOB)
    assert [one.data for one in open_side(side, vault)] == [picture.data]
