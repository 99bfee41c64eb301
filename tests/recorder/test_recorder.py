"""The recorder as a real process: records, survives, is adopted, and says what went wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from app.evidence.export import export_mp4
from app.evidence.journal import Signer
from app.evidence.reader import DecryptedRecording, recording_parts
from app.evidence.verify import Verdict, verify_recording
from app.frames import FrameReader
from app.platform import process_alive
from app.programs import find_program, stop_program
from app.recorder import protocol as told
from app.reserve import FOOTAGE_RESERVE
from tests import disks
from tests.recorder.test_ahead import until
from tests.recording import gaps_of, lost_beside_the_camera, records

KEY, SEED = bytes(range(32)), bytes(range(100, 132))
PUBLIC = Signer(SEED).public_key


def now_us() -> int:
    return time.monotonic_ns() // 1000


def check(folder: Path) -> Verdict:
    return verify_recording(folder, PUBLIC, KEY)


def times_in(path: Path) -> list[int]:
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        return [round(frame.pts * stream.time_base * 1_000_000) for frame in film.decode(stream)]


def kinds(folder: Path) -> list[str]:
    return [record["kind"] for record in records(folder)]


def plays_encrypted(folder: Path) -> None:
    """Straight from the encrypted part: all pictures, and those from one second on after a jump."""
    (part,) = recording_parts(folder)
    with DecryptedRecording(folder, KEY, part) as data, av.open(data) as film:
        stream = film.streams.video[0]
        shown = [frame.pts for frame in film.decode(stream)]
        assert len(shown) == sum(piece.frames for piece in part.pieces)
        film.seek(1_000_000, stream=stream)
        assert [frame.pts for frame in film.decode(stream) if frame.pts >= 1_000_000 - 2] == [
            pts for pts in shown if pts >= 1_000_000 - 2
        ]


def test_records_verifies_and_exports_with_the_times_of_capture(station, film: Path, tmp_path: Path) -> None:
    station.up()
    station.begin(f"file:{film}?epoch_us={now_us()}", meta={"parcel": "SF1"})
    state = station.until_fragments(3)
    assert state.state == "on"
    station.send(told.NoteEvent("card.kept", {"card": "c1"}))
    station.until_fragments(5)
    station.send(told.Stop("sealed"))
    closed = station.until_kind(told.RecordingClosed)
    verdict = check(station.recording)
    assert verdict.ok, verdict
    assert verdict.closed
    assert verdict.rehearsal
    assert verdict.simulated
    assert (verdict.head, verdict.root, verdict.frames) == (closed.head, closed.root, closed.frames)
    assert lost_beside_the_camera(station.recording, closed) == 0
    assert "event" in kinds(station.recording)
    plays_encrypted(station.recording)
    exported = export_mp4(station.recording, KEY, tmp_path / "out.mp4")
    times = times_in(tmp_path / "out.mp4")
    assert exported.frames == closed.frames == len(times)
    numbers = [round(at * 30 / 1e6) for at in times]  # of the film's frames; a busy machine is too late for some
    assert times == pytest.approx([round(n * 1e6 / 30) for n in numbers], abs=2)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] + 1 - len(numbers) <= closed.dropped  # each is told
    assert times[-1] == closed.duration_us
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0",
         str(tmp_path / "out.mp4")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (probe.stdout.strip(), probe.stderr) == (str(closed.frames), "")


def test_footage_and_keys_are_nowhere_in_clear(station, film: Path) -> None:
    station.up()
    station.begin(f"file:{film}?epoch_us={now_us()}")
    station.until_fragments(2)
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    for path in [p for p in station.folder.root.rglob("*") if p.is_file()]:
        data = path.read_bytes()
        assert b"moof" not in data
        assert KEY.hex().encode() not in data
        assert SEED.hex().encode() not in data
        assert path.stat().st_mode & 0o077 == 0 or path.parent == station.folder.logs


def test_preview_frames_are_shared_without_recording_and_wiped(station, film: Path) -> None:
    station.up()
    station.send(told.OpenCamera(f"file:{film}?epoch_us={now_us()}"))
    live = station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live" and abs(m.fps - 30) <= 5)
    assert (live.width, live.height) == (320, 240)
    reader = FrameReader(station.folder.frames)
    frame = reader.newest_half()
    assert frame is not None
    assert frame.y.shape == frame.u.shape == (120, 160)
    assert stop_program(station.folder.recorder_lock, 30)
    assert not station.folder.frames.exists()
    assert reader.newest() is None
    assert not station.folder.recordings.exists()


def test_killed_recorder_goes_on_in_the_same_recording(station, film: Path, tmp_path: Path) -> None:
    camera = f"file:{film}?loop=1&epoch_us={now_us()}"
    station.up()
    station.begin(camera)
    durable = station.until_fragments(3)
    os.kill(station.pid, signal.SIGKILL)
    killed_us = now_us()
    first = station.pid
    station.up()
    assert station.pid != first
    until(lambda: not Path(f"/proc/{first}").exists())
    station.begin(camera)
    station.until_fragments(durable.fragments + 3)
    station.send(told.Stop("sealed"))
    closed = station.until_kind(told.RecordingClosed)
    verdict = check(station.recording)
    assert verdict.ok, verdict
    found = records(station.recording)
    (gap,) = gaps_of(station.recording)
    assert gap["reason"] == "recorder_restarted"
    first_mono_us = next(record for record in found if record["kind"] == "part")["base_mono_us"]
    assert killed_us - (first_mono_us + gap["from_pts"]) < 1_000_000  # what was lost: the open fragment
    assert "recovered" in kinds(station.recording)
    assert export_mp4(station.recording, KEY, tmp_path / "out.mp4").frames == closed.frames
    times = times_in(tmp_path / "out.mp4")
    assert len(times) == closed.frames
    assert times == sorted(set(times))
    assert gap["from_pts"] in times
    assert gap["to_pts"] in times


def test_recorder_outlives_the_station_and_is_adopted(station, film: Path) -> None:
    station.up()
    camera = f"file:{film}?loop=1&epoch_us={now_us()}"
    station.begin(camera)
    before = station.until_fragments(2)
    station.line.close()
    pid = station.pid
    station.up()
    assert station.pid == pid
    station.begin(camera)  # the new window says what it knows; the recording must not begin again
    after = station.until_fragments(before.fragments + 2)
    assert after.recording_id == "r1"
    station.send(told.Stop("sealed"))
    closed = station.until_kind(told.RecordingClosed)
    assert lost_beside_the_camera(station.recording, closed) == 0
    assert check(station.recording).ok
    assert gaps_of(station.recording) == []


def test_left_alone_it_closes_cleanly_and_a_later_station_learns_of_it(station, film: Path) -> None:
    station.orphan_s = 2.0
    station.up()
    camera = f"file:{film}?epoch_us={now_us()}"
    station.begin(camera)
    station.until_fragments(1)
    station.line.close()
    until(lambda: find_program(station.folder.recorder_lock) is None)
    verdict = check(station.recording)
    assert verdict.ok
    assert verdict.closed
    assert records(station.recording)[-1]["reason"] == "station_gone"
    station.orphan_s = 60.0
    station.up()
    station.begin(camera)
    closed = station.until_kind(told.RecordingClosed)
    assert (closed.head, closed.reason) == (verdict.head, "station_gone")


def test_lost_camera_is_reopened_and_leaves_a_gap_record(station, film: Path) -> None:
    station.up()
    epoch_us = now_us()
    station.begin(f"sim:{film}?epoch_us={epoch_us}&lose_at_s=2&back_at_s=2.4")
    lost = station.until(lambda m: isinstance(m, told.CameraState) and m.state == "lost")
    assert lost.reason == "lost"
    station.until(lambda m: isinstance(m, told.CameraState) and m.state == "live")
    state = station.until_fragments(5)
    station.send(told.Stop("sealed"))
    closed = station.until_kind(told.RecordingClosed)
    assert check(station.recording).ok
    (gap,) = gaps_of(station.recording)
    assert gap["reason"] == "camera_lost"
    assert gap["from_pts"] <= epoch_us + 2_000_000 - state.first_mono_us <= gap["to_pts"]
    assert lost_beside_the_camera(station.recording, closed) == 0


def test_stalled_camera_is_said_and_recorded(station, film: Path) -> None:
    station.up()
    station.begin(f"sim:{film}?epoch_us={now_us()}&stall_at_s=2&go_on_at_s=3.5")
    station.until(lambda m: isinstance(m, told.CameraState) and m.state == "stalled")
    station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "cut")
    station.until(lambda m: isinstance(m, told.RecordingState) and m.state == "on")
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    gap = next(record for record in records(station.recording) if record["kind"] == "gap")
    assert gap["reason"] == "camera_stalled"
    assert check(station.recording).ok


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "missing"), (b"", "garbled"), (b"\x00\x00\x00\x18ftypmp42" + b"x" * 99, "garbled")]
)
def test_bad_film_is_a_lost_camera_with_a_reason(station, tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    station.up()
    station.begin(f"file:{path}")
    lost = station.until(lambda m: isinstance(m, told.CameraState) and m.state == "lost")
    assert lost.reason == reason
    station.send(told.Stop("given up"))
    assert station.until_kind(told.RecordingClosed).frames == 0
    verdict = check(station.recording)
    assert verdict.ok
    assert verdict.closed


def test_end_of_the_film_makes_everything_durable(station, film: Path) -> None:
    station.up()
    epoch_us = now_us() - 8_000_000
    station.begin(f"file:{film}?epoch_us={epoch_us}")
    ended = station.until(lambda m: isinstance(m, told.CameraState) and m.state == "ended")
    assert ended.reason == "ended"
    end_us = epoch_us + 12_000_000
    state = station.until(
        lambda m: isinstance(m, told.RecordingState) and m.first_mono_us + m.last_pts_us > end_us - 200_000
    )
    station.send(told.Stop("sealed"))
    closed = station.until_kind(told.RecordingClosed)
    assert closed.frames + closed.dropped == pytest.approx((end_us - state.first_mono_us) * 30 / 1e6, abs=3)
    assert check(station.recording).ok


def test_what_is_refused(station, film: Path) -> None:
    station.up()
    station.begin("uvc:by-id/camera")  # nothing unmasked of a real camera, not even as a rehearsal
    assert station.until_kind(told.Trouble).code == "recorder.refused"
    station.begin(f"file:{film}", rehearsal=False)
    assert station.until_kind(told.Trouble).code == "recorder.refused"
    assert not station.folder.recordings.exists()
    station.line.send({"kind": "Sing"})
    assert station.until_kind(told.Trouble).code == "recorder.refused"
    station.begin(f"file:{film}")
    station.until_fragments(1)
    station.begin(f"file:{film}", "r2")
    assert station.until_kind(told.Trouble).code == "recorder.refused"
    station.send(told.OpenCamera(f"file:{film}?loop=1"))
    assert station.until_kind(told.Trouble).code == "recorder.refused"
    station.send(told.NoteEvent("card.kept", {"weight": 1.5}))
    assert station.until_kind(told.Trouble).code == "recorder.event_refused"
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    assert check(station.recording).ok


def test_without_a_signing_key_it_goes_on_loudly(station, film: Path) -> None:
    station.up()
    station.begin(f"file:{film}", signing_key="")
    assert station.until_kind(told.Trouble).code == "recorder.unsigned"
    station.until_fragments(1)
    station.send(told.Stop("sealed"))
    station.until_kind(told.RecordingClosed)
    fault = check(station.recording).fault
    assert fault is not None
    assert fault.code == "evidence.unsigned"


def test_quit_and_term_end_cleanly(station, film: Path) -> None:
    station.up()
    station.begin(f"file:{film}")
    station.until_fragments(1)
    assert stop_program(station.folder.recorder_lock, 30)
    assert records(station.recording)[-1]["reason"] == "quit"
    station.up()
    os.kill(station.pid, signal.SIGTERM)
    until(lambda: not process_alive(station.pid))
    assert find_program(station.folder.recorder_lock) is None


@pytest.fixture
def small_disk(tmp_path: Path, station) -> Iterator[Path]:
    """A real file system of 4 MB; the recorder is gone before it goes."""
    with disks.small_disk(tmp_path / "small", "4m") as disk:
        yield disk
        station.line.close()
        stop_program(station.folder.recorder_lock)


@pytest.mark.parametrize("reserve", [1_000_000, 0])
def test_full_disk_drops_the_last_fragment_whole_and_seals(station, film, small_disk, tmp_path, reserve: int) -> None:
    kept = small_disk / FOOTAGE_RESERVE
    wanted = {"folder": str(small_disk), "reserve": str(kept), "reserve_bytes": reserve}
    station.up()
    station.begin(f"file:{film}?loop=1", **wanted)
    station.until_fragments(1)
    assert kept.exists() == bool(reserve)
    filler = disks.fill(small_disk, 120_000)
    assert station.until_kind(told.Trouble).code == "recorder.disk_full"
    closed = station.until_kind(told.RecordingClosed)
    assert not kept.exists()
    verdict = check(small_disk / "r1")
    assert verdict.ok, verdict
    assert closed.frames > 0
    if reserve:  # without it the close record may find no room; what is there verifies all the same
        assert (closed.reason, verdict.closed) == ("disk_full", True)
    assert export_mp4(small_disk / "r1", KEY, tmp_path / "out.mp4").frames == closed.frames
    assert len(times_in(tmp_path / "out.mp4")) == closed.frames
    filler.unlink()
    station.begin(f"file:{film}?loop=1", "r2", **wanted)
    station.until_fragments(1)
    assert kept.exists() == bool(reserve)  # there is room again: the next recording has its reserve


@pytest.mark.parametrize("reserve", [1_000_000, 0])
def test_killed_on_a_disk_that_is_full_then_it_is_sealed_from_the_reserve(
    station, film, small_disk, reserve: int
) -> None:
    """Nobody could go on with it, nor end it, though the reserve lay there: only a running recording spent it."""
    kept = small_disk / FOOTAGE_RESERVE
    wanted = {"folder": str(small_disk), "reserve": str(kept), "reserve_bytes": reserve}
    station.up()
    station.begin(f"file:{film}?loop=1", **wanted)
    fragments = station.until_fragments(2).fragments
    os.kill(station.pid, signal.SIGKILL)
    filler = disks.fill(small_disk, 0)
    station.up()
    station.begin(f"file:{film}?loop=1", **wanted)
    if reserve:
        closed = station.until_kind(told.RecordingClosed)
        assert (closed.reason, closed.root != "", kept.exists()) == ("disk_full", True, False)
    assert station.until_kind(told.Trouble).code == "recorder.disk_full"
    verdict = check(small_disk / "r1")
    assert verdict.ok, verdict
    assert verdict.closed == bool(reserve)
    assert verdict.fragments >= fragments
    filler.unlink()
    station.begin(f"file:{film}?loop=1", "r2", **wanted)  # with room again the next one begins
    station.until(lambda m: isinstance(m, told.RecordingState) and m.recording_id == "r2" and m.fragments > 0)
    station.send(told.Stop("sealed"))
    station.until(lambda m: isinstance(m, told.RecordingClosed) and m.recording_id == "r2")


def test_disk_that_is_full_from_the_start_leaves_nothing_half_begun(station, film: Path, tmp_path: Path) -> None:
    station.up()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    station.begin(f"file:{film}", folder=str(blocked))
    assert station.until_kind(told.Trouble).code == "recorder.disk_failed"
    station.begin(f"file:{film}")  # elsewhere it works
    station.until_fragments(1)
