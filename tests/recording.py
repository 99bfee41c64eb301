"""The commands for headless recording as a user gives them: `record`, killed on purpose, and what answers in JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.recorder import protocol as told

ROOT = Path(__file__).parents[1]


def records(folder: Path, kind: str = "") -> list[dict[str, Any]]:
    """What stands in a recording's journal, all of it or one kind."""
    whole, _, _ = (folder / "journal.jsonl").read_text().rpartition("\n")  # a recorder may be writing the next line
    return [record for record in map(json.loads, whole.splitlines()) if kind in ("", record["kind"])]


def gaps_of(folder: Path) -> list[dict[str, Any]]:
    """Its gaps, but where a busy machine looked away from the camera for half a second: those are the machine's."""
    return [gap for gap in records(folder, "gap") if gap["reason"] != "camera_stalled"]


def lost_beside_the_camera(folder: Path, closed: told.RecordingClosed) -> int:
    """Frames that are gone although somebody fetched them in time; the film goes on while a busy machine looks away."""
    late = [one["frames"] for one in records(folder) if (one["kind"], one.get("reason")) == ("missed", "camera")]
    return closed.dropped - sum(late)


def run(*words: str) -> tuple[int, str]:
    """`cardintake WORDS…`: exit status and standard output."""
    done = subprocess.run([sys.executable, "-m", "app", *words], capture_output=True, text=True, cwd=ROOT, check=False)
    return done.returncode, done.stdout


def ok(*words: str) -> Any:
    """`cardintake WORDS…`, which must succeed: its JSON."""
    code, out = run(*words)
    assert code == 0, out
    return json.loads(out)


def film_and_kill(camera: str, out: Path, frames: int) -> int:
    """`record` until so many frames were captured, then kill -9; gives the time (us) of the last one printed."""
    argv = [sys.executable, "-m", "app", "record", "--camera", camera, "--out", str(out), "--print-frames"]
    last_us = 0
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        for line in child.stdout:
            word = line.split()
            if word[0].isdigit():
                last_us = int(word[1])
                if int(word[0]) >= frames:
                    break
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.read()
    return last_us
