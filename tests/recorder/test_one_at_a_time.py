"""Nobody finishes, or films again, a recording that is being filmed: two who write one journal destroy it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.commands.span import seconds
from app.core.errors import EvidenceTrouble
from app.evidence.ledger import load
from app.evidence.verify import verify_recording
from app.paths import StationFolder
from app.programs import connect, find_program, kept_away, start_program
from tests.recorder.conftest import RUN
from tests.recorder.test_ahead import until
from tests.recording import ROOT, film_and_kill, ok, run


@contextmanager
def filming(camera: str, out: Path) -> Iterator[subprocess.Popen[str]]:
    """`record` from its first fragment on; ended as by Ctrl-C."""
    argv = [sys.executable, "-m", "app", "record", "--camera", camera, "--out", str(out)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as child:
        try:
            until(lambda: fragments(out) > 1)
            yield child
        finally:
            child.terminate()


def fragments(folder: Path) -> int:
    try:
        return load(folder).fragments
    except EvidenceTrouble:
        return 0  # nothing there yet


def test_what_is_being_filmed_is_left_to_who_films_it(film: Path, tmp_path: Path) -> None:
    """`recover` used to close the journal under the recorder's hands; what that wrote behind it belonged to nothing."""
    out, camera = tmp_path / "r1", f"file:{film}?loop=1&epoch_us={time.monotonic_ns() // 1000}"
    with filming(camera, out):
        for words in (["recover", str(out)], ["record", "--camera", camera, "--out", str(out), "--seconds", "0.5"]):
            assert run(*words) == (3, "")
        assert load(out).close is None
    verdict = verify_recording(out)
    assert verdict.ok, verdict.fault
    assert verdict.closed
    assert ok("recover", str(out))["already_closed"]


def test_what_was_killed_is_nobodys_any_more(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "r1"
    film_and_kill(f"file:{film}?loop=1&epoch_us={time.monotonic_ns() // 1000}", out, 40)
    assert ok("recover", str(out))["closed"]


def test_to_a_sealed_recording_nothing_is_added_in_silence(film: Path, tmp_path: Path) -> None:
    """It printed frame after frame, kept none of them, and ended well."""
    words = ["record", "--camera", f"file:{film}", "--out", str(tmp_path / "r1"), "--seconds", "1.5"]
    assert run(*words)[0] == 0
    before = (tmp_path / "r1" / "journal.jsonl").read_bytes()
    assert run(*words) == (2, "")
    assert (tmp_path / "r1" / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("key", ["poem", "ab" * 16, "00" * 32])
def test_nothing_is_begun_with_a_key_that_nothing_can_be_sealed_to(tmp_path: Path, key: str) -> None:
    """The key lay in the folder then, and every later call met it there."""
    words = ["record", "--camera", "http://127.0.0.1:9/x", "--out", str(tmp_path / "r1"), "--vault-key", key]
    assert run(*words) == (2, "")
    assert not (tmp_path / "r1").exists()


@pytest.mark.parametrize("told", ["nan", "-1", "inf", "1e300", "soon"])
def test_a_time_that_is_none_is_bad_usage(told: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no number of seconds"):
        seconds(told)
    assert [seconds(one) for one in ("0", "1.5", "1e9")] == [0.0, 1.5, 1e9]


@pytest.mark.parametrize("command", [["record", "--camera", "file:x", "--seconds"], ["dossier", "--from"]])
def test_such_a_time_leaves_nothing_behind(tmp_path: Path, command: list[str]) -> None:
    assert run(*command, "nan", "--out", str(tmp_path / "r1")) == (2, "")
    assert not (tmp_path / "r1").exists()


def test_a_camera_that_gives_no_picture_is_no_recording_that_went_well(tmp_path: Path) -> None:
    """It ended with 0 over a camera that nobody had plugged in."""
    words = ["--seconds", "0.5", "--out", str(tmp_path / "r1"), "--camera", "http://127.0.0.1:9/video"]
    words += ["--vault-key", X25519PrivateKey.generate().public_key().public_bytes_raw().hex()]
    code, out = run("record", *words)
    assert (code, json.loads(out.splitlines()[-1])["frames"]) == (3, 0)


@pytest.mark.parametrize("where", ["none/d.zip", "."])
def test_a_place_that_takes_no_file_is_said(film: Path, tmp_path: Path, where: str) -> None:
    """It was a bug's traceback."""
    assert run("record", "--camera", f"file:{film}", "--out", str(tmp_path / "r1"), "--seconds", "1.5")[0] == 0
    before = sorted(path.name for path in tmp_path.iterdir())
    for words in (["dossier", str(tmp_path / "r1"), "--out"], ["export", str(tmp_path / "r1")]):
        assert run(*words, str(tmp_path / where)) == (4, "")
    assert run("record", "--camera", f"file:{film}", "--out", str(film / "r1")) == (4, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_program_does_not_begin_where_its_work_is_done_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = StationFolder(tmp_path / "station")
    folder.root.mkdir()
    lock = folder.recorder_lock
    argv = [sys.executable, "-c", RUN, "--folder", str(folder.root), "--orphan-s", "30"]
    with kept_away(lock):
        assert find_program(lock) is None
        done = subprocess.run(argv, capture_output=True, check=False)
        assert done.returncode == 3
    pid = start_program(argv, lock, 60)
    note = find_program(lock)
    assert note is not None
    assert note.pid == pid
    line = connect(lock, 30)
    assert line is not None
    line.send({"kind": "Quit"})
    line.close()
