"""The folder: wrong key, newer database, missing database, full disk, planted secrets, upgrade, kill -9."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from app.core.audit import EventKind, Stamp
from app.core.cards import Secret
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.core.parcels import Role
from app.store.db import open_database
from app.store.keyfile import make_key
from app.store.migrate import STATION_MIGRATIONS
from app.store.results import Kept
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.tables import metadata
from app.wire import Centre
from tests import disks

Make = Callable[..., Any]


def test_a_wrong_passphrase_is_told(make_store: Make, tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    make_store(path, passphrase="correct horse", rehearsal=False).close()
    with pytest.raises(StorageTrouble, match=r"store.wrong_key"):
        Store.open(path, "correct house")
    Store.open(path, "correct horse", reserve_bytes=0).close()


def test_the_published_passphrase_goes_with_rehearsal_only(make_store: Make, tmp_path: Path) -> None:
    for rehearsal, passphrase in ((False, REHEARSAL_PASSPHRASE), (True, "correct horse")):
        with pytest.raises(BadInput, match=r"store.rehearsal_passphrase"):
            make_store(tmp_path / "station.db", passphrase=passphrase, rehearsal=rehearsal)
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_never_made_over_an_enrolled_folder(make_store: Make, tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    with pytest.raises(StorageTrouble, match=r"store\.missing$|store\.missing:"):
        Store.open(path, REHEARSAL_PASSPHRASE)
    make_store(path).close()
    with pytest.raises(BadInput, match=r"store.exists"):
        make_store(path)
    path.unlink()
    with pytest.raises(StorageTrouble, match=r"store.missing_over_enrolled_folder"):
        Store.open(path, REHEARSAL_PASSPHRASE)
    with pytest.raises(BadInput, match=r"store.exists"):
        make_store(path)


def test_a_database_half_made_by_a_crash_is_made_again(make_store: Make, tmp_path: Path) -> None:
    make_key(tmp_path / "station.db", "x")
    (tmp_path / "new-station.db").write_bytes(b"half")
    assert make_store(tmp_path / "station.db").queue().head == 0


@pytest.mark.parametrize("victim", ["station.db", "station.key"])
def test_damage_is_told(victim: str, make_store: Make, tmp_path: Path) -> None:
    make_store(tmp_path / "station.db").close()
    target = tmp_path / victim
    target.write_bytes(b"\xff" * target.stat().st_size)
    with pytest.raises(StorageTrouble, match=r"store.damaged"):
        Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE)


def test_one_bad_page_in_the_middle_is_told_at_the_start(make_store: Make, tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    store = make_store(path)
    for number in range(200):
        store.record(EventKind.UNEXPECTED, {"number": number, "text": "x" * 400}, Stamp(1, 1, "boot"), "")
    store.close()
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        file.seek(4096 * (pages // 2) + 100)
        file.write(bytes(16))
    with pytest.raises(StorageTrouble, match=r"store.damaged"):
        Store.open(path, REHEARSAL_PASSPHRASE)


def test_a_newer_database_is_refused_and_left_alone(make_store: Make, tmp_path: Path) -> None:
    store = make_store(tmp_path / "station.db")
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    store.close()
    before = (tmp_path / "station.db").read_bytes()
    with pytest.raises(StorageTrouble, match=r"store.newer_database"):
        Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE)
    assert (tmp_path / "station.db").read_bytes() == before


def test_an_older_database_is_copied_then_upgraded(keys: Any, tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    engine = open_database(path, make_key(path, REHEARSAL_PASSPHRASE))
    config = Config()
    config.set_main_option("script_location", str(STATION_MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO meta VALUES (1, 'st-1', 1, ?, ?, ?, 8, 1)",
            (keys.centre.model_dump_json(), os.urandom(32), os.urandom(32)),
        )
    engine.dispose()
    store = Store.open(path, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    with store._engine.connect() as connection:
        triggers = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").scalar_one()
    assert triggers > 10
    store.close()
    assert (tmp_path / "station.db.before-0001").stat().st_size > 0


# Neither can look at an index on an expression; tests/store/test_looked_for.py holds those to what they are for.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_revisions_lead_to_the_tables(store: Store) -> None:
    with store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_vault_key_not_signed_by_the_root_is_refused(keys: Any, make_store: Make, tmp_path: Path) -> None:
    forged: Centre = keys.centre.model_copy(update={"root_key": keys.server.public_key.hex()})
    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        make_store(tmp_path / "station.db", centre=forged)


def test_no_secret_reaches_the_disk_or_the_log(
    working: Store, now: Stamp, make_draft: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planted = [("7777000011112222", "QX9K2M4P"), ("8888000011113333", "QX9K2M4R")]
    for no, (number, pin) in enumerate(planted, 1):
        working.keep_card(make_draft(no, number, pin=Secret(pin)), now, "1001")
    working.add_operator("1001", "x", Role.CLERK, "CIB-SECRETBADGE", Secret("passcode-31337"))
    working.export_chain(tmp_path / "export.jsonl")
    open_content = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    working.close()
    closed_content = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    words = [word for pair in planted for word in pair] + ["CIB-SECRETBADGE", "passcode-31337"]
    for content in (*open_content, *closed_content, caplog.text.encode()):
        for word in words:
            assert word.encode() not in content
    assert not any(b"quxi-500" in path.read_bytes() for path in tmp_path.glob("station.*"))


def test_a_full_database_fails_clean_and_goes_on_afterwards(working: Store, now: Stamp, make_draft: Make) -> None:
    with working._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    kept = 0

    def keep_on() -> None:
        nonlocal kept
        for no in range(1, 200):
            working.keep_card(make_draft(no, f"{6222020012340000 + no}"), now, "1001")
            kept = no

    with pytest.raises(StorageTrouble, match=r"store.disk_full"):
        keep_on()
    assert len(working.tray("p-1")) == kept
    assert working.queue().head == kept + 1
    assert len(working.blobs_between(0, 999)) == 2 * kept
    with working._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert isinstance(working.keep_card(make_draft(500, "6222020099999999"), now, "1001"), Kept)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small_disk(tmp_path / "disk", "3m") as disk:
        yield disk


def test_on_a_full_disk_the_reserve_lets_the_last_records_in(
    small_disk: Path, make_store: Make, now: Stamp, make_draft: Make, make_parcel: Make
) -> None:
    store: Store = make_store(small_disk / "station.db", reserve_bytes=1 << 20)
    store.open_parcel(make_parcel(), now)
    assert store.room().reserve_intact
    filler = disks.fill(small_disk)
    while store._ledger.reserve.intact:
        store.record(EventKind.UNEXPECTED, {"text": "x" * 4000}, now, "")
    assert isinstance(store.keep_card(make_draft(), now, "1001"), Kept)

    def record_on() -> None:
        for _ in range(1000):
            store.record(EventKind.UNEXPECTED, {"text": "x" * 4000}, now, "")

    with pytest.raises(StorageTrouble, match=r"store.disk_full"):
        record_on()
    filler.unlink()
    store.room()
    head = store.queue().head
    assert store.record(EventKind.UNEXPECTED, {}, now, "") == head + 1


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
from conftest import draft, stamp
from app.store.store import Store
store = Store.open(Path({path!r}), "rehearsal", reserve_bytes=0)
for no in range({start}, 100000):
    kept = store.keep_card(draft(no, str(6222020000000000 + no), read_id=f"read-{{no}}"), stamp(), "1001")
    print(kept.card.read_id, flush=True)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(
    make_store: Make, make_parcel: Make, now: Stamp, tmp_path: Path
) -> None:
    path = tmp_path / "station.db"
    store = make_store(path)
    store.open_parcel(make_parcel(), now)
    store.close()
    shown: list[str] = []
    for round_no in range(3):
        shown += _write_until_killed(path, start=1 + 10_000 * round_no)
        store = Store.open(path, REHEARSAL_PASSPHRASE, reserve_bytes=0)
        cards = [card.read_id for card in store.tray("p-1")]
        assert set(shown) <= set(cards)
        assert len(cards) == len(set(cards)) == store.queue().head - 1
        store.close()


def _write_until_killed(path: Path, start: int) -> list[str]:
    here, root = Path(__file__).parent, Path(__file__).parents[2]
    script = WRITER.format(root=str(root), here=str(here), path=str(path), start=start)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    shown = [child.stdout.readline().strip() for _ in range(15)]
    child.send_signal(signal.SIGKILL)
    shown += child.stdout.read().split()[:-1]  # the last line may be torn
    child.stdout.close()
    child.wait()
    assert all(shown)
    return shown


def test_the_export_holds_the_exact_bytes(working: Store, tmp_path: Path) -> None:
    assert working.export_chain(tmp_path / "chain.jsonl") == 1
    head, event = [json.loads(line) for line in (tmp_path / "chain.jsonl").read_text().splitlines()]
    assert head["public_key"] == working.public_key.hex()
    assert event["hash"] == working.outbox_after(0)[0].hash
