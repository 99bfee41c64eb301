"""Requests that come a byte now and then, over real sockets to a real server: cut off, while others are served."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.keys import Signer, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station
from app.server.patience import Patience
from app.server.setup import init, open_centre
from app.signing import Message, RequestMarks, sign_request
from app.sync.client import CentreClient, Speaker
from app.wire import content_digest

GRACE_S = 1.5
SERVE = f"""
import sys
from pathlib import Path
from app.server.patience import Patience
from app.server.run import serve
serve(Path(sys.argv[1]), 0, until_stdin_closes=True, patience=Patience({GRACE_S}, 1000.0))
"""


@dataclass(frozen=True)
class Served:
    folder: Path
    port: int
    speaker: Speaker

    def line(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def answers_others(self) -> None:
        """A station that behaves is answered, signed."""

        async def ask() -> None:
            async with CentreClient(f"http://127.0.0.1:{self.port}", None, self.speaker) as client:
                await client.feed("")

        asyncio.run(ask())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("slow") / "centre"
    init(folder)
    centre, signer = open_centre(folder), Signer(new_seed())
    admit_station(centre, "st-1", signer.public_key, "rehearsal", 0)
    speaker = Speaker("st-1", signer, centre.centre)
    centre.engine.dispose()
    child, url = start_server_process(folder, command=(sys.executable, "-c", SERVE), timeout_s=60)
    yield Served(folder, int(url.rsplit(":", 1)[1]), speaker)
    stop_server_process(child)


def trickled(line: socket.socket, pieces: bytes = b"x") -> bytes:
    """What the server says, until it closes, to somebody who sends such a piece ten times a second for ever."""
    said = b""
    line.settimeout(0.1)
    while True:
        try:
            more = line.recv(65536)
            if not more:
                return said
            said += more
        except TimeoutError:
            pass
        except ConnectionError:
            return said
        with suppress(OSError):
            line.sendall(pieces)


def head(path: str = "/v1/events", method: str = "POST", length: int = 100_000) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def test_a_body_that_trickles_is_answered_408_and_others_do_not_notice(served: Served) -> None:
    lines = [served.line() for _ in range(40)]
    for line in lines:
        line.sendall(head() + b"{")
    served.answers_others()
    said = trickled(lines[0])
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"slow"' in said
    served.answers_others()
    for line in lines[1:]:
        line.settimeout(30)
        assert line.recv(65536).startswith(b"HTTP/1.1 408 ")
    for line in lines:
        line.close()


def test_a_chunk_that_trickles_is_refused_by_the_centres_signature_and_leaves_nothing(served: Served) -> None:
    content = b"c" * 100_000
    oid, digest = hashlib.sha256(content).hexdigest(), content_digest(content)
    path, now_s = f"/v1/objects/{oid}", int(time.time())
    message = Message("PUT", served.speaker.centre.base_url + path, digest, "application/octet-stream")
    marks = RequestMarks("st-1", "n" * 20, now_s, now_s + 100)
    fields = {"Content-Digest": digest, "Content-Type": "application/octet-stream", "Content-Length": "100000"}
    fields |= sign_request(served.speaker.signer, message, marks)
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with served.line() as line:
        line.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\n{text}\r\n".encode() + content[:10])
        said = trickled(line, b"c")
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"signature-input" in said.lower()
    assert [one for one in (served.folder / "objects").rglob("*") if one.is_file()] == []


@pytest.mark.parametrize("begun", [b"", b"POST /v1/ev", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-a: "])
def test_a_head_that_does_not_end_is_not_waited_for(served: Served, begun: bytes) -> None:
    with served.line() as line:
        line.sendall(begun)
        line.settimeout(30)
        assert (trickled(line) if begun else line.recv(100)).startswith(b"HTTP/1.1 408 ")
    served.answers_others()


def test_the_second_head_on_a_line_is_not_waited_for_either(served: Served) -> None:
    with served.line() as line:
        line.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/hea")
        said = trickled(line)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in said


def test_a_body_that_nobody_wanted_does_not_hold_the_line(served: Served) -> None:
    with served.line() as line:
        line.sendall(head("/v1/health", "GET"))
        assert trickled(line).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_has_come_far_is_given_time(served: Served) -> None:
    """Four hundred thousand bytes pay for four hundred seconds; what is wrong with it is told in the end."""
    with served.line() as line:
        line.sendall(head(length=400_020) + b"x" * 400_000)
        for _ in range(20):
            time.sleep(0.1)
            line.sendall(b"x")
        line.settimeout(30)
        assert line.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_how_long_is_waited() -> None:
    terms = Patience(20.0, 1000.0)
    assert (terms.left_s(0, 0.0), terms.left_s(0, 19.0), terms.left_s(0, 21.0)) == (20.0, 1.0, 0.0)
    assert terms.left_s(5_000, 21.0) == 4.0
