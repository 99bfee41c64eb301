"""Whole rehearsals as an operator starts them: `cardintake demo --headless`, its programs, its centre, its files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.paths import StationFolder
from app.programs import find_program, stop_program

DECK = Path(__file__).parent / "two_patient_cards.toml"
CARD_SAID = r"(?m)^\[.*?\]\s+{no}  "
"""How the progress tells of card number `no`."""


@dataclass
class Rehearsal:
    """One rehearsal folder and the command that plays it, as often as need be."""

    out: Path
    cache: Path
    child: subprocess.Popen[bytes] | None = None
    runs: int = 0
    said: list[Path] = field(default_factory=list)

    @property
    def folder(self) -> StationFolder:
        return StationFolder(self.out / "station")

    def begin(self, window: bool = False, cameras: int = 1) -> None:
        """Start the command with one camera or both, without a screen or in its window (on Qt's offscreen platform);
        its progress goes to a file of its own.
        """
        self.runs += 1
        self.said.append(self.out / f"stderr-{self.runs}.txt")
        argv = [sys.executable, "-m", "app", "demo", "--deck", str(DECK), "--size", "720p"]
        argv += ([] if window else ["--headless"]) + (["--one-camera"] if cameras == 1 else [])
        env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "DISPLAY": ":window" if window else ""}
        argv += ["--out", str(self.out), "--data", str(self.folder.root), "--cache", str(self.cache)]
        with self.said[-1].open("wb") as errors, (self.out / f"stdout-{self.runs}.txt").open("wb") as out:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=env)

    def until(self, true: Callable[[], bool], timeout_s: float = 180.0) -> None:
        assert self.child is not None
        deadline = time.monotonic() + timeout_s
        while not true():
            assert self.child.poll() is None, f"it ended early with {self.child.returncode}:\n{self.progress()}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.progress()}"
            time.sleep(0.05)

    def until_said(self, pattern: str) -> None:
        self.until(lambda: re.search(pattern, self.progress()) is not None)

    def until_card(self, no: int) -> None:
        self.until_said(CARD_SAID.format(no=no))

    def progress(self) -> str:
        return self.said[-1].read_text(encoding="utf-8", errors="replace")

    def finish(self) -> dict[str, Any]:
        """Wait for its end; the report."""
        assert self.child is not None
        code = self.child.wait(300)
        assert code == 0, f"exit {code}\n{self.progress()}"
        report: dict[str, Any] = json.loads((self.out / "report.json").read_text(encoding="utf-8"))
        return report

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def pid_of(self, program: str) -> int:
        lock = self.folder.recorder_lock if program == "recorder" else self.folder.eye_lock
        note = find_program(lock)
        return note.pid if note else 0

    def labels(self) -> dict[str, Any]:
        [path] = self.cache.glob("*.labels.json")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def truth(self) -> list[tuple[str, str]]:
        """GTIN and last four of each card in the footage, in order."""
        return [(card["gtin"].zfill(14), card["number"][-4:]) for card in self.labels()["cards"]]

    def running(self) -> list[str]:
        """Command lines of living processes that work for this rehearsal."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if str(self.out) in line:
                    found.append(line)
        return found

    def journal(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        lines = (Path(report["recording"]) / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.kill()
        stop_program(self.folder.recorder_lock)
        stop_program(self.folder.eye_lock)
        stop_program(self.folder.label_recorder_lock)


@pytest.fixture(scope="session")
def footage_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Footage of the deck, rendered once for all rehearsals."""
    cache = tmp_path_factory.mktemp("footage")
    argv = [sys.executable, "-m", "app", "render", "--deck", str(DECK), "--cache", str(cache), "--size", "720p"]
    subprocess.run(argv, check=True, capture_output=True)
    return cache


@pytest.fixture(scope="module")
def private_runtime() -> Iterator[Path]:
    """A runtime folder of our own, with a short name: sockets lie in it."""
    path = Path(tempfile.mkdtemp(prefix="ci-"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(path)
    yield path
    os.environ.pop("XDG_RUNTIME_DIR")
    if before is not None:
        os.environ["XDG_RUNTIME_DIR"] = before
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def make_rehearsal(
    footage_cache: Path, private_runtime: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Rehearsal]]:
    made: list[Rehearsal] = []

    def make() -> Rehearsal:
        made.append(Rehearsal(tmp_path_factory.mktemp("demo"), footage_cache))
        return made[-1]

    yield make
    for rehearsal in made:
        rehearsal.close()
