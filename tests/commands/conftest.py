"""Commands as they are typed: in this process where they bring no window along, else as a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.commands import own_station
from app.core.events import Key
from app.core.states import Counting, Idle, Waiting
from app.paths import StationFolder
from app.programs import stop_program
from hardware.sim.nfc import SimulatedBoard
from tests.commands.nfc_cli import Cli
from tests.hardware.conftest import board as board
from tests.station.conftest import Desks, make_film
from ui.texts import trouble


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    def complains(self, code: str, language: str) -> bool:
        """Exactly one trouble, whole and in this language: what happened, each act, what was kept, the code."""
        text = trouble(code, language)
        parts = [text.title, *text.do, text.kept, f"[{code}]"]
        return all(part.replace("**", "") in self.err for part in parts) and self.err.count("[") >= 1


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CARDINTAKE_LANG", request.param)
    return str(request.param)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run a command in this process; `told`: what is on its stdin, where anything reads that."""

    def run(*argv: object, told: str | None = None) -> Said:
        if told is not None:
            monkeypatch.setattr(sys, "stdin", StringIO(told))
        try:
            code = main([str(arg) for arg in argv])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        heard = capsys.readouterr()
        return Said(code, heard.out, heard.err)

    return run


def call(*argv: object, limit_bytes: int = 0, **environment: str) -> Said:
    """Run a command as a process; no file of it may grow beyond `limit_bytes`, as on a disk that is full."""
    before = (lambda: _limit(limit_bytes)) if limit_bytes else None
    done = subprocess.run(
        [sys.executable, "-m", "app", *map(str, argv)], capture_output=True, text=True, check=False,
        env=os.environ | environment, preexec_fn=before,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def _limit(size: int) -> None:
    import resource  # noqa: PLC0415  in the child only

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StationFolder]:
    """A rehearsal folder with one sealed parcel, one card and its recording."""
    root = tmp_path_factory.mktemp("finished")
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(root)
    folder = StationFolder(root / "station")
    folder.root.mkdir()
    try:
        with ExitStack() as begun:
            _play(Desks(folder, make_film(root / "film.mp4"), begun))
        folder.rehearsal_mark.write_text("{}")
        yield folder
    finally:
        stop_program(folder.recorder_lock)
        stop_program(folder.eye_lock)
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


def _play(desks: Desks) -> None:
    desk = desks.sit_down()
    desk.sign_in()
    desk.begin_parcel()
    desk.keep("read-1")
    desk.keep("read-2")
    desk.until_in(Waiting)
    desk.until(lambda: desk.station.around.rec.elapsed_us > 1_500_000)
    desk.press(Key.SPACE)
    desk.until_in(Counting)
    desk.press(Key.SPACE)
    desk.until_in(Idle)


@pytest.fixture
def recording(finished: StationFolder) -> Path:
    [path] = finished.recordings.iterdir()
    return path


@pytest.fixture
def cli(
    board: SimulatedBoard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    """Runs one command against the board; its exit code and what it printed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(own_station, "_MACHINE", tmp_path / "machine" / "cardintake")  # not that of who runs the tests
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.delenv("CARDINTAKE_STATION", raising=False)

    def call(action: str, *more: str) -> tuple[int, dict[str, Any]]:
        code = main(["nfc", action, "--port", board.address, "--json", *more])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else {}

    return call
