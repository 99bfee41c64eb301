"""What a batch adds goes to PostgreSQL in few statements: each of them does all of its work, or none of it stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.core.audit import CentreAct
from app.core.errors import StorageTrouble
from app.server import db, entering
from app.server.db import open_engine
from app.server.entering import read_tree
from app.server.intake import Asked, take_together
from app.server.known import Known, lock_stations
from app.server.log import Deciding, note_act
from app.server.setup import OpenCentre, init, open_centre
from app.store.db import open_database, reading, transaction
from app.store.verify import verify_centre
from app.wire import BatchAnswer, EventBatch
from tests.server.either import centre as centre
from tests.server.either import where as where
from tests.server.test_postgres import NOW_MS, Station, results


def holds(centre: OpenCentre, where: str) -> bool:
    engine = open_engine(where, 1) if where else open_database(centre.folder.database, must_exist=True)
    return bool(verify_centre(engine)["ok"])


@pytest.mark.parametrize("counts", [[1], [8], [9], [0, 1, 0], [3] * 20, [1] * 33])
def test_however_much_comes_together_all_of_it_is_in(centre: OpenCentre, where: str, counts: list[int]) -> None:
    """As values and as a stream, in one statement of places and in several, names once and names filled up."""
    stations = [Station(centre, f"st-{n}") for n in range(len(counts))]
    known = Known(centre.engine)
    for _ in range(2):
        asked = [
            Asked(EventBatch.of(one.name, [one.add() for _ in range(count)]), one.caller())
            for one, count in zip(stations, counts, strict=True)
        ]
        for answer, count in zip(take_together(centre, known, asked, NOW_MS), counts, strict=True):
            assert isinstance(answer, BatchAnswer)
            assert results(answer) == ["applied"] * count
    with reading(centre.engine) as connection:
        assert read_tree(connection).size == 2 * sum(counts) + len(counts), "and that they were let in"
        assert {name: row.high for name, row in lock_stations(connection, [one.name for one in stations]).items()} == {
            one.name: len(one.chain) for one in stations
        }
        nonces = connection.exec_driver_sql("SELECT count(*) FROM nonce").scalar_one()
    assert nonces == 2 * len(counts)
    assert holds(centre, where)


def test_who_waits_for_the_log_goes_on_from_what_it_finds(tmp_path: Path, new_database: Callable[[], str]) -> None:
    """The statement that waits has its picture from before: the log's row it has to see as it is when it has it."""
    where = new_database()
    init(tmp_path / "centre", where)
    centre = open_centre(tmp_path / "centre", where)
    station = Station(centre, "st-1")
    with ThreadPoolExecutor(1) as pool:
        with transaction(centre.engine) as connection:
            note_act(connection, Deciding.of(centre, NOW_MS), CentreAct.ALARM, {"n": 1})
            answer = pool.submit(station.send, centre, [station.add(), station.add()])
            wait_for_a_lock(centre)
            note_act(connection, Deciding.of(centre, NOW_MS), CentreAct.ALARM, {"n": 2})
        assert results(answer.result(30)) == ["applied"] * 2
    with reading(centre.engine) as connection:
        assert read_tree(connection).size == 5
    centre.engine.dispose()
    assert holds(centre, where)


def wait_for_a_lock(centre: OpenCentre) -> None:
    until_s = time.monotonic() + 30
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while time.monotonic() < until_s:
        with centre.engine.connect() as connection:
            if connection.exec_driver_sql(waiting).scalar_one():
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_an_event_that_is_there_is_a_bug_and_nothing_stays(centre: OpenCentre) -> None:
    station = Station(centre, "st-1")
    station.send(centre, [station.add()])
    with reading(centre.engine) as connection:
        row = dict(connection.exec_driver_sql("SELECT * FROM event WHERE station = 'st-1'").one()._mapping)
        before = read_tree(connection)
    with pytest.raises(IntegrityError), transaction(centre.engine) as connection:
        entering.enter(connection, [{"station": "st-1", "nonce": "n", "expires_ms": 1}], [row], to_write=True)
    with reading(centre.engine) as connection:
        assert read_tree(connection) == before
        assert connection.exec_driver_sql("SELECT count(*) FROM nonce WHERE nonce = 'n'").scalar_one() == 0


def test_a_line_that_breaks_is_trouble_to_come_back_from(tmp_path: Path, new_database: Callable[[], str]) -> None:
    where = new_database()
    init(tmp_path / "centre", where)
    centre = open_centre(tmp_path / "centre", where)
    with pytest.raises(StorageTrouble, match=r"store.database_away"):
        cut_off(centre)
    with reading(centre.engine) as connection:
        assert read_tree(connection).size == 0
    centre.engine.dispose()


def cut_off(centre: OpenCentre) -> None:
    with transaction(centre.engine) as connection:
        pid: Any = db.drive(connection, "SELECT pg_backend_pid()", []).fetchone()[0]
        with centre.engine.connect() as other:
            assert other.exec_driver_sql("SELECT pg_terminate_backend(%s, 60000)", (pid,)).scalar_one()
        read_tree(connection, to_write=True)
