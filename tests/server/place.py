"""A centre that serves and a station that has sent three cards, by the programs themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.server.embedded import start_server_process
from app.server.setup import init

PROGRAM = (sys.executable, "-m", "app")


def run(*words: str) -> tuple[int, Any]:
    done = subprocess.run([*PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    lines = done.stdout.decode().strip()
    whole = words[0] in ("centre", "audit")
    return done.returncode, json.loads(lines if whole else lines.splitlines()[-1])


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

    def start(self) -> None:
        self.child, url = start_server_process(self.centre, self.port, timeout_s=60)
        self.port = int(url.rsplit(":", 1)[1])

    def take_in(self, station: Path, cards: int) -> None:
        argv = [*PROGRAM, "station", "capture", "--data", str(station), "--cards", str(cards)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    def sync(self, station: Path) -> tuple[int, Any]:
        return run("station", "sync", "--data", str(station), "--until-idle")
