"""Backup, restore and the move to PostgreSQL and S3, by the programs themselves: nothing is lost, roots stay equal."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.server.copying import Places, back_up, copy_objects, restore
from app.server.embedded import start_server_process, stop_server_process
from app.server.folder import CentreFolder
from app.server.object_store import LocalObjects
from app.server.setup import init, open_objects
from app.server.tables import chunk
from app.store.db import open_database, reading, transaction
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.wire import ObjectSize
from tests.server.place import PROGRAM, call

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Shop:
    """A station, and a centre that moves from place to place behind one port."""

    def __init__(self, folder: Path) -> None:
        self.station, self.port = folder / "station", 0

    def take_in(self, cards: int) -> None:
        argv = [*PROGRAM, "station", "capture", "--data", str(self.station), "--cards", str(cards), "--video-mb", "1"]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    def sync(self, centre: Path, *places: str, code: str = "") -> Any:
        """Serve the centre from these places, let the station sync; what it said."""
        command = (*PROGRAM, "serve", *places, "--data")
        child, url = start_server_process(centre, self.port, command=command, timeout_s=60)
        self.port = int(url.rsplit(":", 1)[1])
        try:
            if code:
                call("station", "enrol", "--rehearsal", "--data", str(self.station), "--server", url, "--code", code)
                self.take_in(3)
            return call("station", "sync", "--data", str(self.station), "--until-idle")
        finally:
            stop_server_process(child)

    def held(self) -> int:
        """How many recordings the centre of now holds by its word."""
        store = Store.open(self.station / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
        names = [path.name for path in (self.station / "recordings").iterdir()]
        count = sum(store.is_durable(name) for name in names)
        store.close()
        return count


def cards_at(*places: str) -> set[str]:
    rows = call("centre", "cards", *places)
    assert len(rows) == len({row["card"] for row in rows})
    return {row["card"] for row in rows}


def test_a_centre_put_back_gets_again_what_it_lost_and_moves_house(
    tmp_path: Path, bucket: str, new_database: Callable[[], str]
) -> None:
    shop, centre, backup = Shop(tmp_path), tmp_path / "centre", tmp_path / "backup"
    init(centre)
    shop.sync(centre, code=call("centre", "code", "st-1", "--no-confirm", "--data", str(centre))["code"])
    made = call("centre", "backup", "--data", str(centre), "--to", str(backup))
    shop.take_in(2)
    assert shop.sync(centre)["unsent"] == 0
    before = cards_at("--data", str(centre))
    assert (len(before), shop.held()) == (5, 2)

    shutil.rmtree(centre)
    put_back = call("centre", "restore", "--data", str(centre), "--from", str(backup))
    assert (put_back["root"], put_back["log_size"]) == (made["root"], made["log_size"])
    assert len(cards_at("--data", str(centre))) == 3
    told = shop.sync(centre)  # nothing new waits at the station: it has to notice by itself
    assert (told["unsent"], told["cards"]) == (0, {"accepted": 5})
    assert cards_at("--data", str(centre)) == before
    assert shop.held() == 2
    assert call("audit", "verify", str(centre))["ok"]

    database = new_database()
    places = ("--database", database, "--objects", bucket)
    before_move = call("centre", "backup", "--data", str(centre), "--to", str(tmp_path / "second"))
    moved = call("centre", "migrate", "--data", str(centre), *places)
    assert (moved["root"], moved["log_size"]) == (before_move["root"], before_move["log_size"])
    with pytest.raises(Exception, match=r"store.missing_over_enrolled_folder"):
        start_server_process(centre, timeout_s=60)
    shop.take_in(1)
    assert shop.sync(centre, *places)["cards"] == {"accepted": 6}
    assert call("audit", "verify", database)["ok"]

    third = call("centre", "backup", "--data", str(centre), *places, "--to", str(backup))
    home = tmp_path / "home"
    assert call("centre", "restore", "--data", str(home), "--from", str(backup))["root"] == third["root"]
    assert shop.sync(home)["cards"] == {"accepted": 6}
    assert len(cards_at("--data", str(home))) == 6
    assert shop.held() == 3


@pytest.fixture
def places(tmp_path: Path) -> Places:
    init(tmp_path / "centre")
    return Places(CentreFolder(tmp_path / "centre"))


def test_a_backup_is_whole_and_never_put_over_a_centre(places: Places, tmp_path: Path) -> None:
    state, _ = back_up(places, tmp_path / "backup", NOON)
    assert state.name == "20261122T120000Z"
    with pytest.raises(BadInput, match=r"serve.already_initialised"):
        restore(tmp_path / "backup", places)
    with pytest.raises(BadInput, match=r"serve.no_backup"):
        restore(tmp_path / "centre" / "tls", Places(CentreFolder(tmp_path / "new")))
    secrets = list(state.rglob("*.key"))
    assert {path.name for path in secrets} == {"server.key", "lists.key", "ca.key"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


def test_a_backup_with_a_changed_event_or_a_lost_chunk_is_refused(places: Places, tmp_path: Path) -> None:
    engine = places.engine()
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO chunk VALUES (?, 5, 0)", ("ab" * 32,))
    with pytest.raises(StorageTrouble, match=r"store.io"):
        back_up(places, tmp_path / "backup", NOON)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER chunk_delete_refused")
        connection.exec_driver_sql("DELETE FROM chunk")
        connection.exec_driver_sql("UPDATE meta SET log_size = 1, log_peaks = zeroblob(32)")
    engine.dispose()
    with pytest.raises(EvidenceTrouble, match=r"audit.broken"):
        back_up(places, tmp_path / "backup", NOON)
    assert not list((tmp_path / "backup").glob("*Z"))


def test_a_backup_of_a_serving_centre_holds_every_chunk_that_it_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks keep coming while the footage is being copied."""
    init(tmp_path / "centre")
    places = Places(CentreFolder(tmp_path / "centre"))
    numbers = itertools.count()

    def bring_one() -> None:
        content = b"chunk %d" % next(numbers)
        oid = hashlib.sha256(content).hexdigest()
        open_objects(places.folder, "").put(oid, [content])
        engine = places.engine()
        with transaction(engine) as connection:
            connection.execute(insert(chunk), {"oid": oid, "size": len(content), "verified_ms": 1})
        engine.dispose()

    def while_it_serves(*given: Any) -> int:
        bring_one()
        copied = copy_objects(*given)
        bring_one()
        return copied

    bring_one()
    monkeypatch.setattr("app.server.copying.copy_objects", while_it_serves)
    state, copied = back_up(places, tmp_path / "backup", NOON)
    engine = open_database(state / "centre.db", must_exist=True)
    with reading(engine) as connection:
        listed = [ObjectSize(oid=row.oid, size=row.size) for row in connection.execute(select(chunk))]
    engine.dispose()
    assert len(listed) == copied.chunks >= 1
    assert LocalObjects(tmp_path / "backup" / "objects").held(listed) == {one.oid for one in listed}


def test_what_killed_servers_left_half_written_goes_after_a_day(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    old, new = tmp_path / "tmp" / "old", tmp_path / "tmp" / "new"
    for partial in (old, new):
        partial.write_bytes(b"half")
    os.utime(old, (0, 0))
    LocalObjects(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)
