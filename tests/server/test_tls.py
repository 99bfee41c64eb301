"""TLS by the centre's own authority, pinned by stations: real servers, real handshakes, real programs."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.errors import BadInput, Unavailable
from app.keys import Signer, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.folder import read_centre
from app.server.setup import init, open_centre
from app.server.tls import make_certificate
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.sync.client import CentreClient, Speaker, require_private

PROGRAM = (sys.executable, "-m", "app")
SERVE_TLS = (*PROGRAM, "serve", "--tls", "--data")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls") / "centre"
    init(made, names=["centre.example"])
    return made


@pytest.fixture(scope="module")
def signer(folder: Path) -> Signer:
    opened, signer = open_centre(folder), Signer(new_seed())
    admit_station(opened, "st-1", signer.public_key, "rehearsal", 0)
    opened.engine.dispose()
    return signer


@pytest.fixture(scope="module")
def served(folder: Path, signer: Signer) -> Iterator[str]:
    child, url = start_server_process(folder, command=SERVE_TLS, timeout_s=60)
    yield url
    stop_server_process(child)


def ask(url: str, speaker: Speaker) -> Any:
    async def run() -> Any:
        async with CentreClient(url, None, speaker) as client:
            return await client.feed("")

    return asyncio.run(run())


def test_only_the_pinned_authority_is_trusted(folder: Path, served: str, signer: Signer, tmp_path: Path) -> None:
    speaker = Speaker("st-1", signer, read_centre(folder))
    assert served.startswith("https://127.0.0.1:")
    ask(served, speaker)
    ask(served.replace("127.0.0.1", "localhost"), speaker)
    init(tmp_path / "other")
    stranger = speaker.centre.model_copy(update={"ca": read_centre(tmp_path / "other").ca})
    for centre in (stranger, speaker.centre.model_copy(update={"ca": ""})):
        with pytest.raises(Unavailable, match=r"sync.tls"):
            ask(served, Speaker("st-1", signer, centre))


def test_plain_http_gets_no_answer_there(served: str) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(served.replace("https", "http") + "/v1/health", trust_env=False)
    host, port = served.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not line.recv(4096).startswith(b"HTTP/1.1 200")


def test_off_this_machine_a_station_speaks_tls_only() -> None:
    require_private("https://centre.example")
    require_private("http://127.0.0.1:1")
    for url in ("http://centre.example", "http://192.0.2.1:8765"):
        with pytest.raises(BadInput, match=r"sync.plain_off_loopback"):
            CentreClient(url)


def test_a_certificate_is_renewed_by_the_same_authority(
    folder: Path, signer: Signer, served: str, tmp_path: Path
) -> None:
    """The renewed certificate is taken by a station that pinned the authority long before."""
    before = (folder / "tls" / "server.pem").read_bytes()
    names = make_certificate(folder.parent / "centre" / "tls", ["new.example", "192.0.2.9"])
    assert {"new.example", "192.0.2.9", "127.0.0.1"} <= set(names)
    assert (folder / "tls" / "server.pem").read_bytes() != before
    child, url = start_server_process(folder, command=SERVE_TLS, timeout_s=60)
    try:
        ask(url, Speaker("st-1", signer, read_centre(folder)))
    finally:
        stop_server_process(child)
    with pytest.raises(BadInput, match=r"serve.no_tls"):
        make_certificate(tmp_path)


class InTurn:
    """Carries connections to several servers in turn, as a balancer does that knows nothing of them."""

    def __init__(self, ports: list[int]) -> None:
        self.ports, self.made = ports, 0

    async def carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self.made += 1
        far, there = await asyncio.open_connection("127.0.0.1", self.ports[self.made % len(self.ports)])
        await asyncio.gather(self._pipe(near, there), self._pipe(far, back))

    @staticmethod
    async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


async def call(*words: str) -> Any:
    child = await asyncio.create_subprocess_exec(
        *PROGRAM, *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await child.communicate()
    assert child.returncode == 0, err.decode()
    return json.loads(out.decode().splitlines()[-1] if words[0] == "station" else out)


def test_two_processes_behind_one_address_are_one_centre(
    tmp_path: Path, bucket: str, new_database: Callable[[], str]
) -> None:
    """Enrolment, events, replies, footage: each connection goes to the other server, and nothing is missed."""
    centre, station, database = tmp_path / "centre", tmp_path / "station", new_database()
    init(centre, database)
    places = ("--database", database, "--objects", bucket)
    command = (*PROGRAM, "serve", "--tls", *places, "--data")
    servers = [start_server_process(centre, command=command, timeout_s=60) for _ in range(2)]
    turn = InTurn([int(url.rsplit(":", 1)[1]) for _, url in servers])

    async def play() -> list[Any]:
        listener = await asyncio.start_server(turn.carry, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        data = ("--data", str(station))
        made = await call("centre", "code", "st-1", "--database", database, "--data", str(centre))
        joining = asyncio.create_task(
            call("station", "enrol", "--rehearsal", *data, "--server", url, "--code", made["code"])
        )
        words: dict[str, str] = {}
        while "st-1" not in words:
            await asyncio.sleep(0.3)
            words = await call("centre", "waiting", "--database", database, "--data", str(centre))
        await call("centre", "confirm", "st-1", "--database", database, "--data", str(centre))
        told = [await joining]
        assert told[0]["words"] == words["st-1"]
        for _ in range(2):
            argv = [*PROGRAM, "station", "capture", *data, "--cards", "3", "--video-mb", "1"]
            await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, stdin=subprocess.DEVNULL)
            told.append(await call("station", "sync", *data, "--until-idle"))
        listener.close()
        return told

    try:
        told = asyncio.run(play())
    finally:
        for child, _ in servers:
            stop_server_process(child)
    assert turn.made >= 6
    assert [one["unsent"] for one in told[1:]] == [0, 0]
    assert told[-1]["cards"] == {"accepted": 6}
    store = Store.open(station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert store.waiting_footage() == ()
    store.close()
