"""Footage in a real S3 store: presigned, write-once, read back before it counts, and away without harm to events."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.__main__ import main
from app.commands.complaint import spoken
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.server.embedded import start_server_process, stop_server_process
from app.server.s3 import S3Objects
from app.store.results import RetryState
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.sync.footage import chunks_of
from app.wire import ObjectSize
from tests.server.conftest import s3_client
from tests.server.place import PROGRAM, call, run
from ui.texts import say, trouble


def named(content: bytes) -> ObjectSize:
    return ObjectSize(oid=hashlib.sha256(content).hexdigest(), size=len(content))


def put(objects: S3Objects, one: ObjectSize, content: bytes, without: str = "") -> int:
    upload = objects.actions(one)["upload"]
    headers = {name: value for name, value in upload.header.items() if name != without}
    return httpx.put(upload.href, content=content, headers=headers, trust_env=False).status_code


def test_a_presigned_put_takes_exactly_the_named_bytes_once(bucket: str) -> None:
    objects, content = S3Objects(bucket), os.urandom(70_000)
    one = named(content)
    assert put(objects, one, os.urandom(70_000)) == 400
    assert put(objects, one, content + b"x") == 403
    assert put(objects, one, content, without="x-amz-checksum-sha256") == 403
    assert put(objects, one, content, without="If-None-Match") == 403
    assert objects.held([one]) == set()
    assert not objects.verified(one)
    assert put(objects, one, content) == 200
    assert put(objects, one, content) == 412
    assert objects.held([one, named(b"other")]) == {one.oid}
    assert objects.verified(one)
    assert b"".join(objects.read(one.oid)) == content


def test_what_lies_under_a_wrong_name_is_not_verified(bucket: str, s3_server: str) -> None:
    one, name = named(b"what was promised"), bucket.split("?")[0].removeprefix("s3://")
    s3_client(s3_server).put_object(Bucket=name, Key=one.oid, Body=b"what was put here")
    assert not S3Objects(bucket).verified(one)
    assert S3Objects(bucket).held([one]) == set()


class _Rotten(BaseHTTPRequestHandler):
    """A bucket that remembers the name, size and checksum of what it took, and holds other bytes by now."""

    promised, held = b"what was promised", b"what is held now?"

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.promised)))
        told = base64.b64encode(hashlib.sha256(self.promised).digest()).decode()
        self.send_header("x-amz-checksum-sha256", told)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.held)

    def log_message(self, *_words: object) -> None:
        pass


@pytest.mark.parametrize("rotten", [True, False])
def test_a_chunk_counts_only_by_its_own_bytes(rotten: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bucket says of a chunk is enough to look for it, never to call it durable."""
    assert len(_Rotten.held) == len(_Rotten.promised)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    if not rotten:
        monkeypatch.setattr(_Rotten, "held", _Rotten.promised)
    door = ThreadingHTTPServer(("127.0.0.1", 0), _Rotten)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    try:
        objects, one = S3Objects(f"s3://b?endpoint=http://127.0.0.1:{door.server_port}"), named(_Rotten.promised)
        assert objects.held([one]) == {one.oid}
        assert objects.verified(one) is not rotten
    finally:
        door.shutdown()
        door.server_close()


def test_chunks_of_another_place_are_taken_over_whole(bucket: str) -> None:
    objects, content = S3Objects(bucket), os.urandom(9 << 20)
    one = named(content)
    for _ in range(2):
        objects.put(one.oid, [content[: 4 << 20], content[4 << 20 :]])
    assert objects.verified(one)
    with pytest.raises(EvidenceTrouble, match=r"evidence.content_differs"):
        objects.put(named(b"x").oid, [b"y"])


def test_how_the_bucket_is_set_is_seen_and_said(
    bucket: str, s3_server: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As somebody sets it, in the words of both languages; another bucket lies beside it with a lock."""
    client, name = s3_client(s3_server), bucket.split("?")[0].removeprefix("s3://")
    locked = f"{name}-locked"
    client.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)

    def told(url: str, language: str) -> tuple[dict[str, Any], str]:
        monkeypatch.setenv("CARDINTAKE_LANG", language)
        assert main(["centre", "bucket", "--objects", url]) == 0
        out, said = capfd.readouterr()
        return json.loads(out), said

    found, said = told(bucket, "en")
    assert (found["versioning"], found["lock"], found["unseen"]) == ("off", "off", "")
    assert "no older versions are kept" in said
    assert "Object lock: none" in said
    for status, seen, word in (("Enabled", "on", "：保留旧版本"), ("Suspended", "suspended", "已暂停")):
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        found, said = told(bucket, "zh")
        assert (found["versioning"], word in said) == (seen, True)
    other = bucket.replace(name, locked)
    found, said = told(other, "en")
    assert (found["versioning"], found["lock"], found["days"]) == ("on", "on", 0)
    assert "without a default retention" in said
    held = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}}
    client.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=held)
    found, said = told(other, "en")
    assert (found["lock"], found["days"], found["mode"]) == ("on", 365, "COMPLIANCE")
    assert "cannot be deleted for 365 days (COMPLIANCE)" in said


class _Blind(BaseHTTPRequestHandler):
    """A bucket's door that tells nothing of how it is set: it knows no such question, or does not let one ask."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        status, code = (501, "NotImplemented") if self.path.endswith("?versioning") else (403, "AccessDenied")
        body = f"<Error><Code>{code}</Code></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        pass


def test_what_a_bucket_does_not_let_us_see_is_said_and_is_no_trouble(
    bucket: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = ThreadingHTTPServer(("127.0.0.1", 0), _Blind)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("CARDINTAKE_LANG", "en")
        assert main(["centre", "bucket", "--objects", f"s3://b?endpoint=http://127.0.0.1:{door.server_port}"]) == 0
    finally:
        door.shutdown()
        door.server_close()
    out, said = capfd.readouterr()
    assert json.loads(out) == {
        "versioning": "unknown", "lock": "unknown", "days": 0, "mode": "", "unseen": "NotImplemented, AccessDenied",
    }  # fmt: skip
    assert "cannot be seen (NotImplemented, AccessDenied)" in said
    assert main(["centre", "bucket", "--objects", ""]) == 2


@pytest.mark.parametrize(
    "url", ["http://x", "s3://", "s3://key:secret@bucket", "s3://b/path", "s3://b?secret=1", "s3://b?endpoint=nonsense"]
)
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(BadInput, match=r"serve.objects"):
        S3Objects(url)


def test_a_bucket_that_is_away_is_trouble(bucket: str) -> None:
    for url in ("s3://nobody?endpoint=http://127.0.0.1:1", bucket.replace("footage", "nofootage")):
        with pytest.raises(StorageTrouble, match=r"store.objects_away"):
            S3Objects(url)


class _Forbidding(BaseHTTPRequestHandler):
    """A bucket's door that lets nobody in."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass


def test_a_station_brings_footage_into_the_bucket(
    tmp_path: Path, bucket: str, new_database: Callable[[], str], s3_server: str
) -> None:
    """The programs themselves, the centre on PostgreSQL and S3: no chunk touches the centre's disk.

    While the bucket takes nothing the station says so in words, waits as long as it was told, and the cards are there:
    it waited without end, and only a log said `sync.refused`.
    """
    centre, station, database = tmp_path / "centre", tmp_path / "station", new_database()
    call("serve", "--init", "--data", str(centre), "--database", database)
    door = ThreadingHTTPServer(("127.0.0.1", 0), _Forbidding)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    command = (*PROGRAM, "serve", "--database", database, "--objects")
    closed = f"{bucket}&public=http://127.0.0.1:{door.server_port}"
    child, url = start_server_process(centre, command=(*command, closed, "--data"), timeout_s=60)
    try:
        assert say("bucket.lock.off", spoken()) in (centre / "server.log").read_text(encoding="utf-8")
        code = call("centre", "code", "st-1", "--no-confirm", "--database", database, "--data", str(centre))["code"]
        call("station", "enrol", "--rehearsal", "--data", str(station), "--server", url, "--code", code)
        argv = [*PROGRAM, "station", "capture", "--data", str(station), "--cards", "2", "--video-mb", "9"]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        given_up(station, "sync.bucket_refused")
        door.shutdown()
        door.server_close()
        given_up(station, "sync.bucket_away")
        told = run("centre", "cards", "--database", database)[1]
        assert len(told) == 2
    finally:
        stop_server_process(child)
    port = int(url.rsplit(":", 1)[1])
    child, _ = start_server_process(centre, port, command=(*command, bucket, "--data"), timeout_s=60)
    try:
        patient(station)
        told = call("station", "sync", "--data", str(station), "--until-idle")
    finally:
        stop_server_process(child)
    assert told["unsent"] == 0
    store = Store.open(station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    [folder] = (station / "recordings").iterdir()
    found, held = store.find_recording(folder.name), store.is_durable(folder.name)
    store.close()
    assert found is not None
    assert held
    client, name = s3_client(s3_server), bucket.split("?")[0].removeprefix("s3://")
    for chunk in chunks_of(folder, found.key, found.final_hash):
        told = client.get_object(Bucket=name, Key=chunk.piece.oid, ChecksumMode="ENABLED")
        assert told["ChecksumSHA256"] == base64.b64encode(bytes.fromhex(chunk.piece.oid)).decode()
        assert told["Body"].read() == chunk.read()
    assert not (centre / "objects").exists()


def patient(station: Path) -> None:
    """What the retries wrote down is not sat out here."""
    store = Store.open(station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    store.save_retry(RetryState(), "footage")
    store.close()


def given_up(station: Path, cause: str) -> None:
    patient(station)
    argv = [*PROGRAM, "station", "sync", "--data", str(station), "--until-idle", "--give-up-s", "1"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)
    told = json.loads(done.stdout)
    assert (done.returncode, told["unsent"], told["footage"]) == (1, 0, 1)
    assert (len(told["recordings"]), told["waits"]) == (1, {"footage": cause})
    assert trouble(cause, spoken()).title in done.stderr
