"""A centre that serves and a station that has sent three cards, by the programs themselves."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from copy import copy
from pathlib import Path
from typing import Any

from app.__main__ import main
from app.server.embedded import start_server_process, stop_server_process
from app.server.setup import init

PROGRAM = (sys.executable, "-m", "app")


def run(*words: str) -> tuple[int, Any]:
    """A command's exit code and its answer.

    The centre's and the auditor's own run in this process, which is none of the server's either: to start one takes
    longer than all they do. A station's are a process of their own.
    """
    if words[0] in ("centre", "audit"):
        with redirect_stdout(io.StringIO()) as out:
            code = main(list(words))
        return code, json.loads(out.getvalue())
    done = subprocess.run([*PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    sys.stderr.write(done.stderr.decode())
    return done.returncode, json.loads(done.stdout.decode().strip().splitlines()[-1])


def call(*words: str) -> Any:
    """The answer of a command that succeeds."""
    code, told = run(*words)
    assert code == 0
    return told


class Place:
    """A centre that serves on one port, with a station that has sent three cards."""

    def __init__(self, folder: Path) -> None:
        self.centre, self.station, self.port = folder / "centre", folder / "station", 0
        init(self.centre)
        self.start()
        code = run("centre", "code", "st-1", "--no-confirm", "--data", str(self.centre))[1]["code"]
        join = ("--server", f"http://127.0.0.1:{self.port}", "--code", code)
        assert run("station", "enrol", "--rehearsal", "--data", str(self.station), *join)[0] == 0
        self.take_in(self.station, 3)
        assert self.sync(self.station)[0] == 0

    def copied(self, folder: Path) -> Place:
        """The same once more, in another folder and serving there; this one must not serve meanwhile."""
        other = copy(self)
        other.centre, other.station = folder / "centre", folder / "station"
        shutil.copytree(self.centre, other.centre)
        shutil.copytree(self.station, other.station)
        other.start()
        return other

    def start(self) -> None:
        self.child, url = start_server_process(self.centre, self.port, timeout_s=60)
        self.port = int(url.rsplit(":", 1)[1])

    def stop(self) -> None:
        stop_server_process(self.child)

    def take_in(self, station: Path, cards: int) -> None:
        argv = [*PROGRAM, "station", "capture", "--data", str(station), "--cards", str(cards)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    def sync(self, station: Path) -> tuple[int, Any]:
        return run("station", "sync", "--data", str(station), "--until-idle")


def log_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of an exported log as an export of the first version has them: events in base64, each a record."""
    lines = []
    for line in path.read_bytes().splitlines():
        told = json.loads(line)
        if "event" in told:
            exact = line[line.index(b'"event":') + 8 : -1]
            told = {**told, "data": base64.b64encode(exact).decode()}
            del told["event"]
        lines.append({**told, "v": 1} if told["type"] == "centre-log" else told)
    return lines
