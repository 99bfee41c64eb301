"""The rolling backup: complete or not there, opened before it counts, and a way back that begins no second history."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput, StorageTrouble
from app.core.readiness import Surroundings
from app.paths import StationFolder
from app.station.backing import Backing, BackingPlan
from app.station.clock import Clock
from app.station.rounds import Ground
from app.store import backup as backups
from app.store.backup import back_up, copies, put_back
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.writer import StoreWriter
from tests.station.filmed import new_store

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
STAMP = Stamp(1_790_000_000_000_000, 5, "boot")


@pytest.fixture
def folder(tmp_path: Path) -> StationFolder:
    return StationFolder(tmp_path / "station")


@pytest.fixture
def store(folder: StationFolder) -> Iterator[Store]:
    made = new_store(folder)
    add(made)
    yield made
    made.close()


def add(store: Store) -> int:
    return store.record(EventKind.SIGNED_IN, {"operator": "secret-word"}, STAMP, "1001")


def test_a_copy_opens_with_the_passphrase_and_has_all_that_was_there(folder: StationFolder, store: Store) -> None:
    copy = back_up(store, folder.database, folder.backups, NOW, 3)
    assert copy.head == 1
    add(store)
    opened = Store.open(copy.folder / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert [event.data for event in opened.outbox_after(0)] == [event.data for event in store.outbox_after(0)][:1]
    opened.close()
    assert b"secret-word" not in (copy.folder / "station.db").read_bytes()
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(copy.folder / "station.db").execute("SELECT * FROM outbox")
    assert {path.stat().st_mode & 0o77 for path in copy.folder.glob("station.*")} == {0}


def test_the_newest_stay_and_half_a_copy_is_none(folder: StationFolder, store: Store) -> None:
    (folder.backups / "20200101T000000Z.part").mkdir(parents=True)
    (folder.backups / "somebody's").mkdir()
    made = [back_up(store, folder.database, folder.backups, NOW + timedelta(hours=n), 2).folder for n in range(4)]
    assert copies(folder.backups) == made[:1:-1]
    assert sorted(path.name for path in folder.backups.iterdir()) == sorted(
        [*(path.name for path in made[2:]), "somebody's"]
    )


def test_a_copy_that_differs_is_thrown_away_and_the_older_ones_stay(
    folder: StationFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = back_up(store, folder.database, folder.backups, NOW, 1)
    written = backups.copy_in_use

    def too_old(engine: Engine, database: Path, part: Path) -> None:
        written(engine, database, part)
        add(store)

    monkeypatch.setattr(backups, "copy_in_use", too_old)
    with pytest.raises(StorageTrouble, match=r"store\.damaged"):
        back_up(store, folder.database, folder.backups, NOW + timedelta(hours=1), 1)
    assert copies(folder.backups) == [first.folder]
    assert list(folder.backups.iterdir()) == [first.folder]


def test_no_room_for_a_copy_leaves_the_room_to_the_cards(
    folder: StationFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "free_bytes", lambda _path: 1000)
    with pytest.raises(StorageTrouble, match=r"store\.disk_full"):
        back_up(store, folder.database, folder.backups, NOW, 1)
    assert copies(folder.backups) == []
    add(store)


def test_what_is_put_back_is_frozen_until_the_centre_has_spoken(folder: StationFolder, store: Store) -> None:
    back_up(store, folder.database, folder.backups, NOW, 1)
    store.close()
    with pytest.raises(BadInput, match=r"store\.exists"):
        put_back(folder.backups, folder.database, REHEARSAL_PASSPHRASE, 1)
    _lose(folder)
    with pytest.raises(StorageTrouble, match=r"store\.missing_over_enrolled_folder"):
        Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert put_back(folder.backups, folder.database, REHEARSAL_PASSPHRASE, 1).head == 1
    back = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    with pytest.raises(StorageTrouble, match=r"store\.restored"):
        add(back)
    assert back.queue().head == 1
    back.close()
    again = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)  # another start thaws nothing
    assert again.ledger.frozen
    again.close()


@pytest.mark.parametrize("wrong", ["passphrase", "damaged", "nothing"])
def test_a_backup_that_does_not_open_is_not_put_back(folder: StationFolder, store: Store, wrong: str) -> None:
    copy = back_up(store, folder.database, folder.backups, NOW, 1)
    store.close()
    _lose(folder)
    if wrong == "damaged":
        content = bytearray((copy.folder / "station.db").read_bytes())
        content[5000:6000] = bytes(1000)
        (copy.folder / "station.db").write_bytes(content)
    if wrong == "nothing":
        shutil.rmtree(copy.folder)
    with pytest.raises((StorageTrouble, BadInput)):
        put_back(folder.backups, folder.database, "no" if wrong == "passphrase" else REHEARSAL_PASSPHRASE, 1)
    assert not folder.database.exists()
    assert not list(folder.root.glob("*.part"))


def _lose(folder: StationFolder) -> None:
    for path in folder.root.glob("station.db*"):
        path.unlink()


@dataclass(frozen=True)
class Later(Clock):
    """A clock that is set by hand; the wall clock goes a second a microsecond, so that no two copies have one name."""

    now: Callable[[], int] = lambda: 0

    def mono_us(self) -> int:
        return self.now()

    def wall_us(self) -> int:
        return 1_790_000_000_000_000 + self.now() * 1_000_000


class Hand:
    """A station at rest or not, and what the screen hears."""

    def __init__(self, folder: StationFolder, store: Store) -> None:
        self.resting, self.around, self.bugs = True, Surroundings(), list[Exception]()
        self.writer = StoreWriter(store, self.bugs.append)
        self.writer.start()
        self.now_us = 1_000_000
        plan = BackingPlan(folder.database, folder.backups, keep=2, every_us=1000)
        ground = Ground(self.writer, Later("boot", lambda: self.now_us), self._adjust, self.bugs.append)
        self.backing = Backing(ground, plan, lambda: self.resting)

    def _adjust(self, change: Any) -> None:
        self.around = change(self.around)


def test_a_copy_is_made_at_rest_when_there_is_something_new(folder: StationFolder, store: Store) -> None:
    hand = Hand(folder, store)
    hand.resting = False
    assert hand.backing.look() is None
    hand.resting = True
    assert hand.backing.look() is not None
    hand.writer.call(add)
    assert hand.backing.look() is None  # not again so soon
    hand.now_us += 1000
    copy = hand.backing.look()
    assert copy is not None
    assert copy.head == 2
    hand.now_us += 1000
    assert hand.backing.look() is None  # nothing new
    hand.writer.stop()
    assert hand.bugs == []


@pytest.mark.warns
def test_a_copy_that_fails_is_told_on_the_screen_and_the_next_one_takes_it_back(
    folder: StationFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(folder, store)
    with monkeypatch.context() as patch:
        patch.setattr(backups, "free_bytes", lambda _path: 0)
        hand.backing._go_round()
    assert hand.around.backup_code == "store.disk_full"
    hand.now_us += 1000
    hand.backing._go_round()
    assert hand.around.backup_code == ""
    hand.writer.stop()


_CHILD = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from app.core.errors import StorageTrouble
from app.store.backup import back_up
from app.store.store import REHEARSAL_PASSPHRASE, Store
database, to = Path(sys.argv[1]), Path(sys.argv[2])
store = Store.open(database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    back_up(store, database, to, datetime(2026, 11, 22, 5, tzinfo=UTC), 1)
except StorageTrouble as trouble:
    print(trouble.code)
"""


@pytest.mark.parametrize("bytes_that_fit", [0, 8192, 100_000])
def test_a_copy_that_cannot_be_written_to_its_end_is_thrown_away(
    folder: StationFolder, store: Store, bytes_that_fit: int
) -> None:
    """By a limit of the operating system, which fails the writes themselves as a full disk does."""
    first = back_up(store, folder.database, folder.backups, NOW, 1)
    store.close()
    argv = [sys.executable, "-c", _CHILD, str(folder.database), str(folder.backups), str(bytes_that_fit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("store.disk_full", "store.io")
    assert list(folder.backups.iterdir()) == [first.folder]
    again = Store.open(folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    assert back_up(again, folder.database, folder.backups, NOW + timedelta(hours=9), 1).head == 1
    again.close()
