"""Somebody stands between station and centre and ends TLS: the programs themselves, and a real proxy.

It has a certificate of its own, or the centre's; sends on, keeps what it heard and says it again, or leads to another
centre. Each time the station says what is wrong and holds exactly what it held before.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from app.__main__ import main
from app.core.audit import canonical
from app.paths import StationFolder
from app.server.embedded import start_server_process, stop_server_process
from app.server.folder import CentreFolder, read_centre
from app.server.setup import init, open_centre
from app.server.tables import feed
from app.store.db import open_database
from app.store.keyfile import read_key
from app.store.store import REHEARSAL_PASSPHRASE

PROGRAM = (sys.executable, "-m", "app")
SERVE_TLS = (*PROGRAM, "serve", "--tls", "--data")
OWN_LANES = ("retry", "offset", "sqlite_sequence")
"""What a station writes of its own attempts."""

Answer = tuple[int, list[tuple[str, str]], bytes]


class Middle(ThreadingHTTPServer):
    """Ends TLS with the certificate in `tls`, carries to `target`; `bend` may change an answer."""

    daemon_threads = True

    def __init__(self, tls: Path, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Carrier)
        self.tls, self.target = tls, target
        self.bend: Callable[[str, Answer], Answer] = lambda _path, answer: answer
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, name="middle", daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        near, address = self.socket.accept()
        near.settimeout(60)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls / "server.pem", self.tls / "server.key")
        return context.wrap_socket(near, server_side=True), address

    def handle_error(self, *_about: Any) -> None:
        """A station that hangs up is what these tests are about."""


class _Carrier(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Middle

    def _carry(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        scheme, _, host = self.server.target.partition("://")
        if scheme == "https":
            far = http.client.HTTPSConnection(host, context=ssl._create_unverified_context(), timeout=60)
        else:
            far = http.client.HTTPConnection(host, timeout=60)  # type: ignore[assignment]
        far.request(self.command, self.path, body, dict(self.headers.items()))
        heard = far.getresponse()
        status, headers, content = self.server.bend(path, (heard.status, heard.getheaders(), heard.read()))
        far.close()
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _carry

    def log_message(self, *_about: Any) -> None:
        """Nothing."""


def say(*words: str) -> tuple[int, str]:
    """A command's exit code, and all that it told."""
    done = subprocess.run(
        [*PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False,
        env={**os.environ, "CARDINTAKE_LANG": "en"},
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode()


def sync(station: Path) -> tuple[int, str]:
    unwaiting(station)
    return say("station", "sync", "--data", str(station), "--until-idle", "--give-up-s", "1")


def unwaiting(folder: Path) -> None:
    """As if the pause after a failure were over."""
    path = StationFolder(folder).database
    engine = open_database(path, read_key(path, REHEARSAL_PASSPHRASE), must_exist=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM retry")
    engine.dispose()


def held(folder: Path) -> dict[str, list[Any]]:
    """Every row of a station's database, by table, but for what it writes of its own attempts."""
    path = StationFolder(folder).database
    engine = open_database(path, read_key(path, REHEARSAL_PASSPHRASE), must_exist=True)
    try:
        with engine.connect() as connection:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
            rows = {name: connection.exec_driver_sql(f'SELECT * FROM "{name}"').all() for name in names}
            return {name: sorted(map(repr, found)) for name, found in rows.items() if name not in OWN_LANES}
    finally:
        engine.dispose()


class Site:
    """Two centres with roots of their own, one of them served; a station that joined it through a proxy."""

    def __init__(self, folder: Path, told: Callable[[], str]) -> None:
        self.folder, self.station, self._told = folder, folder / "station", told
        self.centre, self.other = folder / "centre", folder / "other"
        for one in (self.centre, self.other):
            init(one)
        self.child, self.url = start_server_process(self.centre, command=SERVE_TLS, timeout_s=120)
        self.middle = Middle(CentreFolder(self.centre).tls, self.url)
        joined = self.enrol(self.station, "st-1")
        assert joined[0] == 0, joined[1]

    def enrol(self, station: Path, name: str) -> tuple[int, str]:
        assert main(["centre", "code", name, "--no-confirm", "--data", str(self.centre)]) == 0
        code = json.loads(self._told())["code"]
        where = ("--data", str(station), "--server", self.middle.url, "--code", code)
        return say("station", "enrol", "--rehearsal", *where)

    def capture(self, cards: int) -> None:
        assert say("station", "capture", "--data", str(self.station), "--cards", str(cards))[0] == 0


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    made = Site(tmp_path, lambda: capsys.readouterr().out)
    yield made
    made.middle.shutdown()
    made.middle.server_close()
    stop_server_process(made.child)


def put_in_feed(site: Site, signed_by: Path) -> None:
    """A decision of another tenant lies among the station's: put there by who runs the centre."""
    ours, by, theirs = open_centre(site.centre), open_centre(signed_by), open_centre(site.other)
    told = {"type": "card.decided", "tenant": theirs.centre.tenant, "station": "st-1", "card_id": "card-9"}
    text = canonical({**told, "event_hash": "ab" * 32, "verdict": "accepted", "revision": 9, "expires_ms": 2**42})
    row = {"station": "st-1", "kind": "card.decided", "text": text.decode(), "sig": by.signer.sign(text)}
    with ours.engine.begin() as connection:
        connection.execute(insert(feed), row)
    for one in (ours, by, theirs):
        one.engine.dispose()


def test_whoever_stands_between_is_found_and_nothing_of_it_is_kept(site: Site) -> None:
    middle, own_tls = site.middle, site.middle.tls
    site.capture(1)
    before = held(site.station)

    middle.tls, middle.asked = CentreFolder(site.other).tls, []
    code, said = sync(site.station)
    assert code != 0
    assert "[sync.tls]" in said
    assert "The centre's certificate is wrong" in said
    assert middle.asked == [], "not a byte of a request came out"
    assert held(site.station) == before

    middle.tls = own_tls
    child, middle.target = start_server_process(site.other, timeout_s=120)
    try:
        code, said = sync(site.station)
    finally:
        stop_server_process(child)
    assert code != 0
    assert "[sync.refused]" in said
    assert "check the centre's address" in said
    assert "/v1/events" in middle.asked, "it was the other centre that refused"
    assert held(site.station) == before

    kept: dict[str, Answer] = {}

    def listen(path: str, answer: Answer) -> Answer:
        return kept.setdefault(path, answer) and answer

    middle.target, middle.bend = site.url, listen
    code, said = sync(site.station)
    assert code == 0, said
    assert "/v1/events" in kept

    put_in_feed(site, site.centre)
    code, said = sync(site.station)
    assert code == 0, said
    assert "[sync.misdirected] 1" in said
    assert '"unsent": 0' in said, "the centre heard of it"
    site.capture(1)
    before = held(site.station)
    middle.bend = lambda path, answer: kept.get(path, answer)
    code, said = sync(site.station)
    assert code == 5
    assert "[sync.untrusted_answer]" in said
    assert "The centre's signature is wrong" in said
    assert held(site.station) == before

    middle.bend = lambda _path, answer: answer
    put_in_feed(site, site.other)
    code, said = sync(site.station)
    assert code == 5
    assert "[sync.untrusted_answer]" in said
    after = held(site.station)
    for name in ("decision", "expired_decision", "feed_state", "reference"):
        assert after[name] == before[name], "the true items of that page are not applied either"
    assert '"cards": {"accepted": 1, "at-centre": 1}' in said, "the second card waits"


def test_nobody_joins_a_centre_that_somebody_else_describes(site: Site) -> None:
    """The words and the authority of another centre, the code proved by the true one: the folder stays empty."""
    told = read_centre(site.other).model_dump_json().encode()
    site.middle.bend = lambda path, answer: (200, answer[1], told) if path == "/v1/centre" else answer
    code, said = site.enrol(site.folder / "second", "st-2")
    assert code != 0
    assert "[enrol.untrusted]" in said
    assert not StationFolder(site.folder / "second").database.exists()
