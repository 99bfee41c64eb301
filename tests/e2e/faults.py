"""One run of the fault matrix with the real programs: capture, sync and server, each killed at moments a seed chooses.

Nothing may be lost (every card said to be saved is at the centre), nothing doubled, and the footage there is equal.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.server.embedded import start_server_process, stop_server_process
from app.store.results import RetryState
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit
from app.sync.footage import chunks_of
from tests.e2e.faulty_line import FATES, FaultyLine

PROGRAM = (sys.executable, "-m", "app")
_AGAIN = 40
_SLOW_S = 120.0


@dataclass
class Outcome:
    """What a run came to."""

    saved: int = 0
    at_centre: int = 0
    lost: int = 0
    doubled: int = 0
    footage_equal: bool = False
    chains_hold: bool = False
    kills: dict[str, int] = field(default_factory=dict)
    fates: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not self.lost and not self.doubled and self.footage_equal and self.chains_hold


class Run:
    """The folders, processes and the bad line of one seed."""

    def __init__(self, folder: Path, seed: int, fates: Sequence[str] = FATES) -> None:
        self.folder, self.chance = folder, random.Random(seed)
        self.centre, self.station = folder / "centre", folder / "station"
        self.saved: list[str] = []
        self.outcome = Outcome()
        call("serve", "--init", "--data", str(self.centre))
        self.server, self.url = start_server_process(self.centre, timeout_s=_SLOW_S)
        self.port = int(self.url.rsplit(":", 1)[1])
        self.line = FaultyLine(self.port, seed, fates)
        code = json.loads(call("centre", "code", "st-1", "--no-confirm", "--data", str(self.centre)))["code"]
        call("station", "enrol", "--rehearsal", "--data", str(self.station), "--server", self.url, "--code", code)

    def play(self, rounds: int) -> Outcome:
        """Capture, sync and kill `rounds` times; then heal the line and bring everything over."""
        try:
            for number in range(rounds):
                self._capture(number)
                self._sync()
                if self.chance.random() < 0.6:
                    self._restart_server()
            self.line.heal()
            self._finish()
            self._compare()
        finally:
            stop_server_process(self.server)
            self.line.close()
        self.outcome.fates = self.line.fates
        return self.outcome

    def _capture(self, number: int) -> None:
        """The first capture ends by itself, with footage; later ones are killed after some card."""
        film = ["--video-mb", "3"] if number == 0 else []
        child = start("station", "capture", "--data", str(self.station), "--cards", "25", *film)
        assert child.stdout is not None
        last = self.chance.randrange(1, 25) if number else 1000
        for line in child.stdout:
            if not line.startswith(b"saved "):
                continue
            self.saved.append(line.decode().split()[1])
            last -= 1
            if last == 0:
                self._kill(child, "capture")
        child.stdout.close()
        child.wait()

    def _sync(self) -> None:
        """Killed some time after it began to speak with the centre, now and then the server too."""
        self._forget_waits()
        child = start("station", "sync", "--data", str(self.station), "--server", self.line.url, "--until-idle")
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(self.chance.uniform(0.0, 1.5))
        if self.chance.random() < 0.5:
            self._restart_server()
            time.sleep(self.chance.uniform(0.0, 1.0))
        self._kill(child, "sync")
        child.wait()
        child.stdout.close()

    def _kill(self, child: subprocess.Popen[bytes], name: str) -> None:
        if child.poll() is None:
            child.kill()
            self.outcome.kills[name] = self.outcome.kills.get(name, 0) + 1

    def _forget_waits(self) -> None:
        """What the retries wrote down is not sat out here."""
        store = Store.open(self.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
        for lane in ("centre", "footage"):
            store.save_retry(RetryState(), lane)
        store.close()

    def _restart_server(self) -> None:
        self.server.kill()
        stop_server_process(self.server)
        self.outcome.kills["server"] = self.outcome.kills.get("server", 0) + 1
        self.server, _ = start_server_process(self.centre, self.port, timeout_s=_SLOW_S)

    def _finish(self) -> None:
        """Until footage and events are there."""
        self._forget_waits()
        for _ in range(_AGAIN):
            call("station", "sync", "--data", str(self.station), "--until-idle")
            store = Store.open(self.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
            waits = store.waiting_footage()
            store.close()
            if not waits:
                return

    def _compare(self) -> None:
        rows: list[dict[str, Any]] = json.loads(call("centre", "cards", "--data", str(self.centre)))
        there = [row["card"] for row in rows]
        out = self.outcome
        out.saved, out.at_centre = len(self.saved), len(there)
        out.lost, out.doubled = len(set(self.saved) - set(there)), len(there) - len(set(there))
        reports = [verify_audit(self.centre), verify_audit(self.station, REHEARSAL_PASSPHRASE)]
        heads = {report["chains"][0]["head"] for report in reports}
        out.chains_hold = all(report["ok"] for report in reports) and len(heads) == 1
        out.footage_equal = self._footage_equal()

    def _footage_equal(self) -> bool:
        store = Store.open(self.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
        [folder] = (self.station / "recordings").iterdir()
        found = store.find_recording(folder.name)
        held = store.is_durable(folder.name)
        store.close()
        if found is None or not held:
            return False
        objects = self.centre / "objects"
        for chunk in chunks_of(folder, found.key, found.final_hash):
            data = (objects / chunk.piece.oid[:2] / chunk.piece.oid).read_bytes()
            if hashlib.sha256(data).hexdigest() != chunk.piece.oid or data != chunk.read():
                return False
        return True


def start(*words: str) -> subprocess.Popen[bytes]:
    """Both outputs in one pipe; there is little of either."""
    return subprocess.Popen(
        [*PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def call(*words: str) -> str:
    """Run a command to its end; its stdout. Raises CalledProcessError."""
    done = subprocess.run([*PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return done.stdout.decode()
