"""Power cuts at the centre: only what was synced survives, and some of the rest; what stations were told must be there.

The real server, and where it is used PostgreSQL, run under strace while stations send events and footage. Then a seed
chooses an instant among their system calls, the folders become what a disk may hold after a cut right there
(`tests.server.disk`), the stations are taken back to what they had heard by then, and the real programs start on it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import select

from app.core.errors import Trouble
from app.core.merkle import CompactTree, leaf_hash
from app.server.embedded import start_server_process, stop_server_process
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import chunk, event, log_leaf, video
from app.store.verify import verify_centre
from app.sync.client import CentreClient
from app.wire import ObjectSize, ObjectsWanted, Piece, VideoManifest, sign_statement
from tests.server.calls import Call, read_calls, watched
from tests.server.cuts import CutsOutcome, Database, Sender, bring_all, compare, until_all_go_on
from tests.server.disk import Disk, contents, copied

SERVE = (sys.executable, "-m", "app", "serve")
NOT_SYNCED = (
    sys.executable,
    "-c",
    "import sys, app.store.db as db; "
    "db._PRAGMAS = tuple(one.replace('FULL', 'NORMAL') for one in db._PRAGMAS); "
    "from app.__main__ import main; sys.exit(main())",
    "serve",
)
"""The server with a database as it must not be: a commit does not wait for the disk."""
_SLOW_S = 120.0


@dataclass
class PowerOutcome:
    """What a run came to. Of what stations were told: `acknowledged` events and films, what of it was `lost` or
    `changed`, and in how many receipts the log's root was another one. `broken`: the centre did not start any more.
    """

    cuts: int = 0
    acknowledged: int = 0
    films: int = 0
    lost: int = 0
    changed: int = 0
    films_lost: int = 0
    roots_wrong: int = 0
    broken: str = ""
    unrecorded: int = 0  # files that are not as the system calls made them: then this proves nothing
    end: CutsOutcome | None = None

    @property
    def harmless(self) -> bool:
        """Whether everything that was acknowledged is there so far."""
        return not (self.broken or self.lost or self.changed or self.films_lost or self.roots_wrong)

    @property
    def good(self) -> bool:
        return self.harmless and not self.unrecorded and self.end is not None and self.end.good


class Filming(Sender):
    """A station that also brings a film of two chunks, now and then; `films`: when each was said to be durable."""

    def __init__(self, name: str, centre: OpenCentre, urls: list[str]) -> None:
        super().__init__(name, centre, urls)
        self.films: list[tuple[int, str, tuple[str, ...]]] = []
        self.chunks: list[tuple[int, str]] = []
        self._turns = 0

    async def bring(self, client: CentreClient) -> None:
        self._turns += 1
        if self._turns % 3 != 1:
            return
        name, chunks = f"film-{self._turns}", [os.urandom(random.randrange(500, 30_000)) for _ in range(2)]
        sizes = [ObjectSize(oid=hashlib.sha256(one).hexdigest(), size=len(one)) for one in chunks]
        answer = await client.objects(ObjectsWanted(objects=tuple(sizes)))
        for place, content in zip(answer.objects, chunks, strict=True):
            await client.put_object(place, content)
            self.chunks.append((time.time_ns(), place.oid))
        pieces = tuple(Piece(oid=one.oid, size=one.size, file="part", offset=0) for one in sizes)
        told = VideoManifest(
            station=self.name, recording=name, final_hash="0" * 64, pieces=pieces, key=base64.b64encode(b"sealed")
        )
        done = await client.put_manifest(name, sign_statement(told, self.signer.sign))
        assert done.durable is not None
        self.films.append((time.time_ns(), name, tuple(one.oid for one in sizes)))

    def take_back(self, until_ns: int) -> None:
        """Forget what was heard later."""
        self.receipts = [one for one in self.receipts if one[0] <= until_ns]
        self.films = [one for one in self.films if one[0] <= until_ns]
        self.chunks = [one for one in self.chunks if one[0] <= until_ns]
        self.receipted = max((told.high for _, told in self.receipts), default=0)


class PowerCuts:
    """A centre of one process over SQLite, or of two over PostgreSQL, and two stations.

    `serve` replaces the server's command; `options` are PostgreSQL's.
    """

    def __init__(
        self, folder: Path, seed: int, *, postgres: bool, serve: Sequence[str] = SERVE, options: Sequence[str] = ()
    ) -> None:
        folder = folder.resolve()  # as the kernel names it
        folder.mkdir(exist_ok=True)
        self.chance, self.outcome = random.Random(seed), PowerOutcome()
        self._serve, self._options = serve, options
        self._traces, self._before = folder / "traces", folder / "before"
        self._folder, self._database = folder / "centre", Database(folder / "pg") if postgres else None
        self._url = self._database.url.replace("/postgres?", "/cut?") if self._database else ""
        init(self._folder, self._url)
        centre = open_centre(self._folder, self._url)
        self._ports = [0, 0] if postgres else [0]
        self.senders = [Filming(f"st-{n}", centre, []) for n in range(2)]
        centre.engine.dispose()
        if self._database:
            self._database.stop()
        self._children: list[subprocess.Popen[bytes]] = []

    def play(self, cuts: int) -> PowerOutcome:
        """Cut so often, or until something is missing; then let everything come over, and compare."""
        for _ in range(cuts):
            self._live()
            self._cut()
            self.outcome.cuts += 1
            if not self._start_again():
                return self.outcome
        self._live()
        self._end()
        return self.outcome

    @property
    def _roots(self) -> list[Path]:
        return [self._folder, *([self._database.data] if self._database else [])]

    def _live(self) -> None:
        """Copy what is there, start everything, and wait until each station got something new acknowledged."""
        self._traces.mkdir()
        self._traces.chmod(0o755)
        for n, root in enumerate(self._roots):
            copied(root, self._before / str(n))
        if self._database:
            self._database.start(watched=watched(self._traces / "database"), options=self._options)
        for place in range(len(self._ports)):
            command = [*watched(self._traces / f"server-{place}"), *self._serve]
            command += [*(("--database", self._url) if self._url else ()), "--data"]
            child, url = start_server_process(self._folder, self._ports[place], timeout_s=_SLOW_S, command=command)
            self._children.append(child)
            self._ports[place] = int(url.rsplit(":", 1)[1])
        urls = [f"http://127.0.0.1:{port}" for port in self._ports]
        for n, sender in enumerate(self.senders):
            sender.urls = urls[n % len(urls) :] + urls[: n % len(urls)]
            sender.start()
        filmed = sum(len(sender.films) for sender in self.senders)
        until_all_go_on(self.senders)
        give_up_s = time.monotonic() + _SLOW_S
        while sum(len(sender.films) for sender in self.senders) == filmed:
            assert time.monotonic() < give_up_s, "no film came to the centre"
            time.sleep(0.01)
        if self._database and self.chance.random() < 0.5:
            with psycopg.connect(self._database.url, autocommit=True) as connection:
                connection.execute("CHECKPOINT")
        time.sleep(self.chance.uniform(0.2, 1.2))

    def _cut(self) -> None:
        """End everything; the disk becomes what it was at an instant of it, and the stations too."""
        for sender in self.senders:
            sender.halted = True
        watchers = [*self._children, *([self._database.child] if self._database else [])]
        for watcher in watchers:
            for process in psutil.Process(watcher.pid).children(recursive=True):
                process.kill()
        for watcher in watchers:
            watcher.wait(_SLOW_S)
        self._let_go()
        for sender in self.senders:
            sender.join()
        calls = self._calls()
        until_ns = self._instant(calls)
        disk = self._disk()
        disk.play(calls, until_ns)
        disk.cut(self.chance)
        for n, root in enumerate(self._roots):
            shutil.rmtree(root)
            (self._before / str(n)).rename(root)
        shutil.rmtree(self._traces)
        for sender in self.senders:
            sender.take_back(until_ns)

    def _let_go(self) -> None:
        for child in self._children:
            stop_server_process(child, _SLOW_S)
        self._children = []

    def _calls(self) -> list[Call]:
        calls = [call for trace in self._traces.iterdir() for call in read_calls(trace)]
        return sorted(calls, key=lambda call: call.ended_ns)

    def _instant(self, calls: Sequence[Call]) -> int:
        """Right behind one of the calls that changed something; mostly while stations were being answered."""
        heard = [at_ns for sender in self.senders for at_ns, _ in sender.receipts if at_ns > calls[0].began_ns]
        changes = [call.ended_ns for call in calls if not call.name.startswith("open")]
        busy = [at_ns for at_ns in changes if at_ns > min(heard)]
        return self.chance.choice(busy if busy and self.chance.random() < 0.8 else changes)

    def _disk(self) -> Disk:
        before = {root: self._before / str(n) for n, root in enumerate(self._roots)}
        return Disk(before, cwd=self._roots[-1])

    def _start_again(self) -> bool:
        """Whether the centre starts on what is left, with all that was acknowledged."""
        out = self.outcome
        try:
            if self._database:
                self._database.start(options=self._options)
            centre = open_centre(self._folder, self._url)
        except (Trouble, AssertionError) as broken:
            out.broken = str(broken)
            return False
        try:
            self._hold_against(centre)
            out.broken = "" if verify_centre(centre.engine, every=False)["ok"] else "verify"
        except Trouble as broken:
            out.broken = str(broken)
        finally:
            centre.engine.dispose()
            if self._database:
                self._database.stop()
        return out.harmless

    def _hold_against(self, centre: OpenCentre) -> None:
        """Count what stations were told and is not so."""
        out = self.outcome
        out.acknowledged = sum(sender.receipted for sender in self.senders)
        out.films = sum(len(sender.films) for sender in self.senders)
        with centre.engine.connect() as connection:
            placed = select(log_leaf.c.n, event.c.station, event.c.seq, event.c.data).join(
                event, (event.c.station == log_leaf.c.station) & (event.c.seq == log_leaf.c.seq)
            )
            rows = connection.execute(placed.order_by(log_leaf.c.n)).all()
            chunks = set(connection.execute(select(chunk.c.oid)).scalars())
            films = {(row.station, row.id) for row in connection.execute(select(video.c.station, video.c.id))}
        there = {(row.station, row.seq): bytes(row.data) for row in rows}
        for sender in self.senders:
            told = sender.chain[: sender.receipted]
            out.lost += sum((sender.name, one.seq) not in there for one in told)
            out.changed += sum(there.get((sender.name, one.seq), one.data) != one.data for one in told)
            named = {oid for _, oid in sender.chunks}
            out.films_lost += sum((sender.name, name) not in films for _, name, _ in sender.films)
            out.films_lost += sum(oid not in chunks or not self._lies_here(centre, oid) for oid in named)
        out.roots_wrong += self._wrong_roots([leaf_hash(bytes(row.data)) for row in rows])

    def _lies_here(self, centre: OpenCentre, oid: str) -> bool:
        path = centre.folder.objects / oid[:2] / oid
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == oid

    def _wrong_roots(self, leaves: list[bytes]) -> int:
        """Receipts whose log is not the beginning of the log that is there."""
        told = {(one.log_size, one.root) for sender in self.senders for _, one in sender.receipts}
        tree, wrong = CompactTree(), 0
        for size, root in sorted(told):
            tree = tree.grown(leaves[tree.size : size])
            wrong += tree.size != size or tree.root().hex() != root
        return wrong

    def _end(self) -> None:
        """Bring everything over, stop in order; then see whether the calls tell of all that was written."""
        bring_all(self.senders)
        self._let_go()
        if self._database:
            self._database.stop()
        disk, calls = self._disk(), self._calls()
        disk.play(calls, max(call.ended_ns for call in calls))
        played, real = disk.seen(), {name: data for root in self._roots for name, data in contents(root).items()}
        self.outcome.unrecorded = sum(played.get(name) != real.get(name) for name in played | real)
        if self._database:
            self._database.start()
        try:
            centre = open_centre(self._folder, self._url)
            self._hold_against(centre)
            self.outcome.end = CutsOutcome(acknowledged=self.outcome.acknowledged)
            compare(self.outcome.end, centre.engine, self.senders)
        finally:
            if self._database:
                self._database.stop()
