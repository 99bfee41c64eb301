"""A centre in trouble and a station that is no longer wanted, by the programs themselves."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sqlalchemy import func, select

from app.store.results import RetryState
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.tables import meta, sealed
from tests.server.place import PROGRAM, Place, run


def test_a_centre_that_cannot_write_keeps_nothing_back_and_goes_on_when_it_can(place: Place) -> None:
    """No file of the server may grow any more; the station waits as it is told, and brings everything afterwards."""
    everything = resource.prlimit(place.child.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(place.child.pid, resource.RLIMIT_FSIZE, (4096, everything[1]))
    place.take_in(place.station, 4)
    argv = [*PROGRAM, "station", "sync", "--data", str(place.station), "--until-idle"]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    said = next(line for line in child.stderr if line.startswith("offline"))
    assert said.split()[2] == "sync.refused"
    assert len(run("centre", "cards", "--data", str(place.centre))[1]) == 3
    resource.prlimit(place.child.pid, resource.RLIMIT_FSIZE, everything)
    child.communicate(timeout=120)
    assert child.returncode == 0
    assert place.child.poll() is None, "the server went on"
    assert len(run("centre", "cards", "--data", str(place.centre))[1]) == 7
    assert run("audit", "verify", str(place.centre), "--quick")[1]["ok"]


def test_a_station_is_not_idle_while_its_footage_has_to_be_tried_again(place: Place) -> None:
    """The centre takes events but no footage: the command said it was done, and left the film where it was."""
    objects = place.centre / "objects"
    objects.write_bytes(b"where a folder should be")
    argv = [*PROGRAM, "station", "capture", "--data", str(place.station), "--cards", "1", "--video-mb", "1"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    argv = [*PROGRAM, "station", "sync", "--data", str(place.station), "--until-idle"]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert next(line for line in child.stderr if line.startswith("synced 0"))
    objects.unlink()
    told, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    assert json.loads(told)["footage"] == 0
    assert len(run("centre", "objects", "--data", str(place.centre))[1]) > 0


def test_footage_that_cannot_be_brought_is_no_good_end(place: Place) -> None:
    """Cut behind the station's back: the cards go, and the command said all was well."""
    argv = [*PROGRAM, "station", "capture", "--data", str(place.station), "--cards", "1", "--video-mb", "1"]
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    [folder] = (place.station / "recordings").iterdir()
    part = next(folder.glob("part-*"))
    os.truncate(part, part.stat().st_size // 2)
    code, told = place.sync(place.station)
    assert (code, told["unsent"], told["footage"]) == (1, 0, 1)
    assert (told["recordings"], told["stuck"]) == ([folder.name], {folder.name: "evidence.bytes_missing"})
    assert len(run("centre", "cards", "--data", str(place.centre))[1]) == 4


def test_a_centre_that_is_away_is_waited_for_no_longer_than_was_said(place: Place) -> None:
    """The second call finds the wait that the first one noted: it said nothing at all, until that was over."""
    place.stop()
    place.take_in(place.station, 2)
    argv = [*PROGRAM, "station", "sync", "--data", str(place.station), "--until-idle", "--give-up-s", "1"]
    for code, noted in (("sync.offline", RetryState()), ("sync.later", RetryState(time.time_ns() // 10**6 + 10**6, 3))):
        store = Store.open(place.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
        store.save_retry(noted)
        store.close()
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)
        told = json.loads(done.stdout)
        assert (done.returncode, told["state"], told["code"]) == (1, "offline", code)
        assert told["unsent"] >= 2
        assert told["gave_up_after_s"] >= 1
        assert f"[{code}]" in done.stderr
        assert f"[sync.gave_up] {code}" in done.stderr


def test_what_a_revoked_station_still_sends_is_kept_and_not_acted_on(place: Place) -> None:
    assert run("centre", "revoke", "st-1", "--data", str(place.centre))[0] == 0
    place.take_in(place.station, 2)
    code, told = place.sync(place.station)
    assert (code, told["code"], told["unsent"]) == (1, "sync.revoked", 0)
    held = run("centre", "quarantine", "--data", str(place.centre))[1]
    assert {row["code"] for row in held} == {"revoked"}
    assert [row["kind"] for row in held].count("card.kept") == 2
    assert [row["kind"] for row in held][-1] == "centre.revoked-this"
    assert len(run("centre", "cards", "--data", str(place.centre))[1]) == 3
    assert run("audit", "verify", str(place.centre))[0] == 0


def test_a_revoked_station_stays_so_over_restarts_of_both_and_without_a_line(place: Place) -> None:
    """The centre's word was remembered by neither: a station that was started anew took cards until it heard again."""
    assert run("centre", "revoke", "st-1", "--data", str(place.centre))[0] == 0
    place.stop()
    place.start()
    stations = run("centre", "stations", "--data", str(place.centre))[1]
    assert {row["state"] for row in stations if row["station"] == "st-1"} == {"revoked"}
    acts = [row["act"] for row in run("centre", "acts", "--data", str(place.centre))[1]]
    assert acts.count("centre.station-revoked") == 1
    assert place.sync(place.station)[1]["code"] == "sync.revoked"
    place.stop()
    assert place.sync(place.station)[1]["code"] == "sync.revoked"
    argv = [*PROGRAM, "station", "capture", "--data", str(place.station), "--cards", "1"]
    refused = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "[sync.revoked]" in refused.stderr
    store = Store.open(place.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    with store.ledger.reading() as connection:
        assert connection.execute(select(func.count()).select_from(sealed)).scalar_one() == 0
        assert bytes(connection.execute(select(meta.c.signing_seed)).scalar_one()) == b""
    store.close()
    assert run("audit", "verify", str(place.station))[1]["ok"]
    place.start()


def test_the_word_comes_over_a_line_that_is_pinned_and_signed_or_not_at_all(place: Place) -> None:
    """A program on the centre's port says 403 station.revoked to everything, as a proxy might."""
    port = place.port
    place.stop()
    with proxy(port):
        argv = [*PROGRAM, "station", "sync", "--data", str(place.station), "--until-idle"]
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stderr is not None
        assert next(line for line in child.stderr if line.startswith(b"offline")).split()[2] == b"sync.refused"
        child.kill()
        child.communicate()
    place.start()
    place.take_in(place.station, 1)
    assert place.sync(place.station)[0] == 0


@contextmanager
def proxy(port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Forbidding)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


class Forbidding(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"code": "station.revoked", "detail": ""}'
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
