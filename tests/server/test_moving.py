"""A centre that moves house is cut off, is still served by somebody, or is put back under those who serve it."""

from __future__ import annotations

import itertools
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine

from app.core.errors import BadInput, StorageTrouble
from app.core.merkle import CompactTree
from app.server import copying
from app.server.copying import Places, abandon, back_up, move, restore
from app.server.db import open_engine
from app.server.embedded import start_server_process, stop_server_process
from app.server.folder import CentreFolder
from app.server.report import report
from app.server.setup import MIGRATIONS, OpenCentre, open_centre
from app.store.db import reading
from app.store.migrate import upgrade
from app.store.verify import verify_centre
from tests.server.place import PROGRAM, Place, run
from tests.server.test_postgres import Station, results

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Killed(BaseException):
    """The process ended here."""


@pytest.fixture
def station(centre: OpenCentre) -> Station:
    """One that has sent three cards."""
    made = Station(centre, "st-1")
    for card in ("a", "b", "c"):
        made.keep_card(card)
    made.send(centre, made.chain, (b"sealed",))
    return made


def dies_before_it_commits(monkeypatch: pytest.MonkeyPatch, dialect: str, nth: int = 1) -> None:
    """The nth transaction on such an engine is made ready, and never committed."""
    true, count = copying.transaction, itertools.count(1)

    @contextmanager
    def dying(engine: Engine) -> Iterator[Connection]:
        with true(engine) as connection:
            yield connection
            if engine.dialect.name == dialect and next(count) == nth:
                monkeypatch.setattr(copying, "transaction", true)
                raise Killed

    monkeypatch.setattr(copying, "transaction", dying)


def held(database: str, folder: Path) -> list[str]:
    opened = open_centre(folder, database)
    try:
        assert verify_centre(copying.open_engine(database))["ok"]
        return [row["card"] for row in report(opened.engine, "cards")]
    finally:
        opened.engine.dispose()


@pytest.mark.warns
@pytest.mark.parametrize(("dialect", "nth"), [("sqlite", 1), ("postgresql", 1), ("sqlite", 2)])
def test_a_move_that_was_cut_off_goes_on(
    centre: OpenCentre,
    station: Station,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    dialect: str,
    nth: int,
) -> None:
    """Before the mark; before the rows are there; and when they are. From the mark on nothing is taken in."""
    database = new_database()
    places = Places(centre.folder, database)
    dies_before_it_commits(monkeypatch, dialect, nth)
    with pytest.raises(Killed):
        move(places)
    if (dialect, nth) == ("sqlite", 1):
        assert results(station.send(centre, [station.chain[-1]])) == ["duplicate"], "it is served as before"
    else:
        with pytest.raises(StorageTrouble, match=r"serve\.moved"):
            station.send(centre, [station.chain[-1]])
    moved = move(places)
    assert move(places) == moved, "nothing is left to be done"
    assert not centre.folder.database.exists()
    assert held(database, centre.folder.root) == ["a", "b", "c"]


@pytest.mark.warns
def test_a_move_that_was_begun_is_given_up_while_the_other_place_is_empty(
    centre: OpenCentre, station: Station, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was no way back but to finish it; and once the rows are there, there is none."""
    places = Places(centre.folder, new_database())
    with pytest.raises(BadInput, match=r"serve\.not_moving"):
        abandon(places)
    dies_before_it_commits(monkeypatch, "postgresql")
    with pytest.raises(Killed):
        move(places)
    before = log_of(centre)
    given_up = abandon(places)
    assert (given_up.size, given_up.root().hex()) == before == log_of(centre)
    station.keep_card("d")
    assert results(station.send(centre, station.chain[3:])) == ["applied"]
    dies_before_it_commits(monkeypatch, "sqlite", 2)
    with pytest.raises(Killed):
        move(places)
    with pytest.raises(BadInput, match=r"serve\.moved_whole"):
        abandon(places)
    with pytest.raises(StorageTrouble, match=r"serve\.moved"):
        station.send(centre, station.chain[3:])
    move(places)
    with pytest.raises(BadInput, match=r"serve\.moved_whole"):
        abandon(places)
    assert held(places.database, centre.folder.root) == ["a", "b", "c", "d"]


def log_of(centre: OpenCentre) -> tuple[int, str]:
    with reading(centre.engine) as connection:
        row = connection.exec_driver_sql("SELECT log_size, log_peaks FROM meta").one()
    return row.log_size, CompactTree.from_bytes(row.log_size, bytes(row.log_peaks)).root().hex()


@pytest.mark.warns
def test_a_move_whose_new_database_is_gone_goes_back_by_a_backup(
    centre: OpenCentre,
    station: Station,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Whether all lay there already nobody can tell any more: the log goes on in another epoch, whole."""
    places = Places(centre.folder, new_database())
    dies_before_it_commits(monkeypatch, "postgresql")
    with pytest.raises(Killed):
        move(places)
    gone = Places(centre.folder, "postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(StorageTrouble):
        abandon(gone)
    with pytest.raises(StorageTrouble, match=r"serve\.moved"):
        station.send(centre, [station.chain[-1]])
    _, kept = back_up(Places(centre.folder), tmp_path / "kept", NOON)
    assert (kept.log_size, kept.root) == log_of(centre)
    restore(tmp_path / "kept", Places(CentreFolder(tmp_path / "again")))
    opened = open_centre(tmp_path / "again")
    station.keep_card("d")
    assert results(station.send(opened, station.chain)) == ["duplicate"] * 3 + ["applied"]
    assert opened.epoch != centre.epoch
    opened.engine.dispose()


@pytest.mark.parametrize("more", [False, True])
def test_what_was_taken_in_after_a_copy_is_not_left_behind(
    centre: OpenCentre, station: Station, new_database: Callable[[], str], tmp_path: Path, more: bool
) -> None:
    """A copy of which the file never heard is not taken for the whole, also when the log is the same: footage is not
    in it. Then the file is served as before.
    """
    places = Places(centre.folder, new_database())
    state, _ = back_up(Places(centre.folder), tmp_path / "kept", NOON)
    there, old = open_engine(places.database), open_engine(state / "centre.db")
    upgrade(there, None, MIGRATIONS)
    copying.copy_database(old, there)
    there.dispose()
    old.dispose()
    station.keep_card("d")
    if more:
        assert results(station.send(centre, station.chain[3:])) == ["applied"]
    with pytest.raises(BadInput, match=r"serve\.already_initialised"):
        move(places)
    assert results(station.send(centre, station.chain[3:])) == ["duplicate" if more else "applied"]
    again = Places(centre.folder, new_database())
    move(again)
    assert held(again.database, centre.folder.root) == ["a", "b", "c", "d"]


@pytest.mark.warns
def test_who_still_serves_the_file_writes_nothing_more(
    centre: OpenCentre, station: Station, new_database: Callable[[], str]
) -> None:
    database = new_database()
    move(Places(centre.folder, database))
    station.keep_card("d")
    with pytest.raises(StorageTrouble, match=r"serve\.moved"):
        station.send(centre, station.chain[3:])
    opened = open_centre(centre.folder.root, database)
    assert results(station.send(opened, station.chain[3:])) == ["applied"]
    opened.engine.dispose()
    assert held(database, centre.folder.root) == ["a", "b", "c", "d"]


SILENT: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


def migrating(place: Place, database: str) -> subprocess.Popen[bytes]:
    argv = [*PROGRAM, "centre", "migrate", "--data", str(place.centre), "--database", database]
    return subprocess.Popen(argv, **{**SILENT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE})


def test_killed_at_any_moment_while_a_server_goes_on(
    place: Place, new_database: Callable[[], str], tmp_path: Path
) -> None:
    """The programs themselves: the command dies again and again beside a server, the station loses nothing."""
    database, chance = new_database(), random.Random(4711)
    for _ in range(4):
        child = migrating(place, database)
        time.sleep(chance.uniform(0.8, 2.5))
        child.kill()
        child.communicate()
    place.take_in(place.station, 2)
    syncing = subprocess.Popen([*PROGRAM, "station", "sync", "--data", str(place.station)], **SILENT)
    child = migrating(place, database)
    _, said = child.communicate()
    syncing.kill()
    syncing.wait()
    assert child.returncode == 0, said
    stop_server_process(place.child)
    command = (*PROGRAM, "serve", "--database", database, "--data")
    place.child, _ = start_server_process(place.centre, place.port, command=command, timeout_s=60)
    assert place.sync(place.station)[1]["cards"] == {"accepted": 5}
    assert len(run("centre", "cards", "--database", database)[1]) == 5
    assert run("audit", "verify", database)[1]["ok"]


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_restore_that_was_cut_off_goes_on(
    centre: OpenCentre,
    station: Station,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cut: str,
) -> None:
    back_up(Places(centre.folder), tmp_path / "backup", NOON)
    places = Places(CentreFolder(tmp_path / "again"), new_database())
    if cut == "before":
        dies_before_it_commits(monkeypatch, "postgresql")
    else:
        true = copying._copy_keys

        def dies(*_given: Any) -> None:
            monkeypatch.setattr(copying, "_copy_keys", true)
            raise Killed

        monkeypatch.setattr(copying, "_copy_keys", dies)
    with pytest.raises(Killed):
        restore(tmp_path / "backup", places)
    restore(tmp_path / "backup", places)
    opened = open_centre(tmp_path / "again", places.database)
    with reading(opened.engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*), max(restored) FROM restoration, meta").one() == (1, 1)
    station.keep_card("d")
    assert results(station.send(opened, station.chain[3:])) == ["applied"]
    opened.engine.dispose()
    with pytest.raises(BadInput, match=r"serve\.already_initialised"):
        restore(tmp_path / "backup", Places(CentreFolder(tmp_path / "third"), places.database))


def test_a_server_under_which_the_database_was_put_back_says_so(
    centre: OpenCentre, station: Station, new_database: Callable[[], str], postgres: str, tmp_path: Path
) -> None:
    """It would go on in the old epoch, and vouch for what is lost."""
    database = new_database()
    move(Places(centre.folder, database))
    stale = open_centre(centre.folder.root, database)
    back_up(Places(centre.folder, database), tmp_path / "backup", NOON)
    station.keep_card("d")
    station.send(stale, station.chain[3:])
    name = database.split("/")[3].split("?")[0]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    restore(tmp_path / "backup", Places(CentreFolder(tmp_path / "again"), database))
    for _ in range(2):
        with pytest.raises(StorageTrouble, match=r"serve\.other_epoch"):
            station.send(stale, [station.chain[-1]])
    stale.engine.dispose()
    opened = open_centre(tmp_path / "again", database)
    assert results(station.send(opened, [station.chain[-1]])) == ["applied"]
    opened.engine.dispose()


def test_a_database_filled_from_a_dump_is_not_served_but_copied(
    centre: OpenCentre, station: Station, new_database: Callable[[], str], tmp_path: Path
) -> None:
    """Another PostgreSQL had counted its transactions further: its rows of the feed would never be shown here."""
    dumped, fresh = new_database(), new_database()
    move(Places(centre.folder, dumped))
    with psycopg.connect(dumped, autocommit=True) as admin:
        admin.execute("INSERT INTO feed (xid, station, kind, text, sig) VALUES (1000000000000, '', 'x', '{}', '')")
    with pytest.raises(StorageTrouble, match=r"serve\.other_cluster"):
        open_centre(centre.folder.root, dumped)
    back_up(Places(centre.folder, dumped), tmp_path / "backup", NOON)
    restore(tmp_path / "backup", Places(CentreFolder(tmp_path / "again"), fresh))
    opened = open_centre(tmp_path / "again", fresh)
    with reading(opened.engine) as connection:
        assert connection.exec_driver_sql("SELECT max(xid) FROM feed").scalar() == 0
    station.keep_card("d")
    assert results(station.send(opened, station.chain[3:])) == ["applied"]
    opened.engine.dispose()
