"""A station that was put back from a backup goes on only where the centre says that its chain ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.core.audit import EventKind
from app.core.errors import StorageTrouble, Unavailable
from app.keys import Signer
from app.server.folder import read_seed
from app.server.report import report
from app.server.rotate import rotate_server_key
from app.server.setup import OpenCentre
from app.store.backup import back_up, put_back
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit
from app.store.writer import StoreWriter
from app.sync.exchange import Halt
from app.sync.pace import FootageTerms
from tests.sync.conftest import NOW_US, Party
from tests.sync.test_footage import film

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def put_back_from_backup(party: Any, tmp_path: Path) -> Party:
    """The station after its database was lost and the backup put in its place."""
    database = tmp_path / "station.db"
    assert party.writer.stop()
    for path in tmp_path.glob("station.db*"):
        path.unlink()
    put_back(tmp_path / "backups", database, REHEARSAL_PASSPHRASE, 1)
    store = Store.open(database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    back = Party(store, StoreWriter(store, party.crashes.append), party.line, kept=["earlier"] * 5)
    back.writer.start()
    return back


def backed_up(party: Any, tmp_path: Path) -> None:
    party.writer.call(lambda store: back_up(store, tmp_path / "station.db", tmp_path / "backups", NOW, 1))


def calm(party: Party) -> None:
    while party.round():
        pass


def test_cards_that_the_centre_never_had_are_lost_and_the_chain_goes_on(
    party: Any, centre: OpenCentre, tmp_path: Path
) -> None:
    party.keep()
    calm(party)
    backed_up(party, tmp_path)
    party.keep()  # after the backup, and never sent
    back = put_back_from_backup(party, tmp_path)
    with pytest.raises(StorageTrouble, match=r"store\.restored"):
        back.keep()
    calm(back)
    back.keep()
    calm(back)
    kinds = [row["kind"] for row in _events(centre)]
    assert EventKind.RESTORED.value in kinds
    assert [row["alarms"] for row in report(centre.engine, "stations")] == [0]
    assert len(report(centre.engine, "cards")) == 2
    back.writer.stop()


def test_a_centre_that_knows_more_stops_the_station_before_a_second_history_begins(
    party: Any, centre: OpenCentre, tmp_path: Path
) -> None:
    backed_up(party, tmp_path)
    party.keep()
    calm(party)
    back = put_back_from_backup(party, tmp_path)
    for _ in range(2):
        with pytest.raises(Halt, match=r"store\.restored_behind"):
            back.round()
        with pytest.raises(StorageTrouble, match=r"store\.restored"):
            back.keep()
    assert [row["alarms"] for row in report(centre.engine, "stations")] == [0]
    assert [row["state"] for row in report(centre.engine, "stations")] == ["active"]
    back.writer.stop()


def not_now() -> FootageTerms:
    """Hours in which it is not."""
    hour = datetime.fromtimestamp(NOW_US / 1e6).hour
    return FootageTerms(0, (hour + 1) % 24, (hour + 2) % 24)


@pytest.mark.warns
def test_footage_that_only_a_chain_which_ended_has_still_goes_to_the_centre(
    party: Any, centre: OpenCentre, tmp_path: Path
) -> None:
    """At any hour, and without one event; what is damaged holds nothing up."""
    recordings = tmp_path / "recordings"
    for name in ("r-1", "r-2"):
        film(party, recordings / name)
    backed_up(party, tmp_path)
    party.keep()
    calm(party)
    back = put_back_from_backup(party, tmp_path)
    next((recordings / "r-2").glob("part-*")).write_bytes(b"damaged")
    before = len(_events(centre))

    async def round_of_footage() -> None:
        exchange = back.exchange()
        exchange.recordings, exchange.terms = recordings, not_now()
        async with exchange.client:
            await exchange.round()

    back.line.fate = lambda request: "cut" if "objects" in request.url.path else ""
    with pytest.raises(Unavailable):
        asyncio.run(round_of_footage())
    back.line.fate = lambda _request: ""
    with pytest.raises(Halt, match=r"store\.restored_behind"):
        asyncio.run(round_of_footage())
    assert [back.store.is_durable(name) for name in ("r-1", "r-2")] == [True, False]
    assert len(_events(centre)) == before
    assert [row["state"] for row in report(centre.engine, "stations")] == ["active"]
    back.writer.stop()


def test_without_the_centre_nothing_is_thawed(party: Any, tmp_path: Path) -> None:
    backed_up(party, tmp_path)
    back = put_back_from_backup(party, tmp_path)
    back.line.fate = lambda _request: "cut"
    with pytest.raises(Unavailable):
        back.round()
    with pytest.raises(StorageTrouble, match=r"store\.restored"):
        back.keep()
    back.line.fate = lambda _request: "lost"
    with pytest.raises(Unavailable):
        back.round()
    back.line.fate = lambda _request: ""
    calm(back)
    back.keep()
    back.writer.stop()


def test_a_backup_from_before_the_centres_key_changed_goes_on(party: Any, centre: OpenCentre, tmp_path: Path) -> None:
    party.keep()
    calm(party)
    backed_up(party, tmp_path)
    root = Signer(read_seed(centre.folder.vault / "root.key"))
    new = rotate_server_key(centre, root, NOW_US // 1000, "test", at_once=True)
    back = put_back_from_backup(party, tmp_path)
    calm(back)
    back.keep()
    calm(back)
    assert back.store.centre.server_key == new.hex()
    assert not back.store.ledger.frozen
    back.writer.stop()
    assert verify_audit(tmp_path, REHEARSAL_PASSPHRASE)["ok"]


def _events(centre: OpenCentre) -> list[Any]:
    with centre.engine.connect() as connection:
        return [row._mapping for row in connection.exec_driver_sql("SELECT kind FROM event ORDER BY seq")]
