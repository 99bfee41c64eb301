"""A hostile station's bad signature amidst good ones: taken, noted once by the centre, a remark to audits; any other
signature that does not hold was changed afterwards, and is a fault.
"""

from __future__ import annotations

import runpy
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.core.audit import EventKind, SignedEvent, digest
from app.keys import Signer, new_seed
from app.rotation import rotation_body
from app.server import checkpoints, signatures
from app.server.checking import Checker
from app.server.checkpoints import IN_PASSING, publish
from app.server.db import is_postgres, open_engine
from app.server.export import export_log
from app.server.log import acts
from app.server.setup import OpenCentre, open_centre
from app.server.signatures import Background
from app.server.tables import alarm, checkpoint
from app.store.db import open_database, reading
from app.store.verify import LOG_VERIFIER, verify_centre
from tests.server.either import centre as centre
from tests.server.either import where as where
from tests.server.test_postgres import NOW_MS, Station

LATER_MS = NOW_MS + 60_000
DAMAGED = "centre.signature-damaged"


@pytest.fixture
def station(centre: OpenCentre) -> Station:
    return Station(centre, "st-1")


def plant(centre: OpenCentre, station: Station, *at: int, count: int = 6) -> list[SignedEvent]:
    """Send an unbroken run; those in the places `at` (from 0) have another one's signature."""
    good = [station.add() for _ in range(count)]
    bent = [one._replace(sig=good[n - 1].sig) if n in at else one for n, one in enumerate(good)]
    assert [one.result for one in station.send(centre, bent).results] == ["applied"] * count
    return bent


def noted(centre: OpenCentre) -> list[dict[str, Any]]:
    with reading(centre.engine) as connection:
        return [one for one in acts(connection) if one["act"] == DAMAGED]


def alarms(centre: OpenCentre) -> list[tuple[str, str, int]]:
    with reading(centre.engine) as connection:
        rows = connection.execute(select(alarm).order_by(alarm.c.id)).all()
    assert all(digest(bytes(row.data)) == row.hash for row in rows)
    return [(row.station, row.code, row.seq) for row in rows]


def sizes(centre: OpenCentre) -> list[int]:
    with reading(centre.engine) as connection:
        return list(connection.execute(select(checkpoint.c.size).order_by(checkpoint.c.size)).scalars())


def audits(centre: OpenCentre, where: str, tmp_path: Path, *, every: bool = True) -> tuple[Any, Any]:
    """(fault, remark) of st-1 by the centre's own database, and by its export's verifier."""
    engine = open_engine(where, 1) if where else open_database(centre.folder.database, must_exist=True)
    report = verify_centre(engine, every=every)
    chain = next(one for one in report["chains"] if one["station"] == "st-1")
    assert report["ok"] is (chain["fault"] is None)
    export_log(centre.engine, centre.centre, tmp_path / "log.jsonl")
    told = runpy.run_path(str(LOG_VERIFIER))["check"](str(tmp_path / "log.jsonl"), every)
    assert told["ok"] or "signature does not hold" in told["wrong"]
    return (
        (chain["fault"], chain.get("damaged_signatures")),
        (told.get("wrong"), told.get("damaged_signatures", {}).get("st-1")),
    )


def change_signature(centre: OpenCentre, seq: int, sig: bytes) -> None:
    """As somebody who has the database in hand."""
    with centre.engine.begin() as connection:
        if is_postgres(connection):
            connection.exec_driver_sql("ALTER TABLE event DISABLE TRIGGER ALL")
            connection.exec_driver_sql("UPDATE event SET sig = %s WHERE station = 'st-1' AND seq = %s", (sig, seq))
            return
        for name in connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'"
        ).scalars():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE event SET sig = ? WHERE station = 'st-1' AND seq = ?", (sig, seq))


def test_it_is_noted_once_and_is_a_remark(centre: OpenCentre, station: Station, where: str, tmp_path: Path) -> None:
    bent = plant(centre, station, 1, 2, 4)
    (fault, _), (wrong, _) = audits(centre, where, tmp_path)
    assert fault == {"seq": 2, "code": "signature"}, "until it is noted"
    assert "st-1 event 2" in wrong
    publish(centre, NOW_MS)
    for n in range(1, 3):  # each takes in what the one before wrote
        publish(centre, NOW_MS + n * 60_000)
    [act] = noted(centre)
    assert (act["station"], act["by"]) == ("st-1", "centre")
    assert act["signatures"] == {str(bent[at].seq): digest(bent[at].sig) for at in (1, 2, 4)}
    assert alarms(centre) == [("st-1", "signature.damaged", 2)]
    assert audits(centre, where, tmp_path) == ((None, [2, 3, 5]), (None, [2, 3, 5]))
    assert audits(centre, where, tmp_path, every=False) == ((None, None), (None, None))
    plant(centre, station, 0)
    publish(centre, NOW_MS + 300_000)
    assert [list(one["signatures"]) for one in noted(centre)] == [["2", "3", "5"], ["7"]]
    assert audits(centre, where, tmp_path)[0] == (None, [2, 3, 5, 7])


@pytest.mark.parametrize("seq", [2, 4, 6])
def test_the_same_made_afterwards_in_the_database_is_a_fault(
    seq: int, centre: OpenCentre, station: Station, where: str, tmp_path: Path
) -> None:
    """Of one that came well, of one that came damaged in another way (2), of the one that vouches (6)."""
    plant(centre, station, 1)
    publish(centre, NOW_MS)
    assert audits(centre, where, tmp_path)[0] == (None, [2])
    change_signature(centre, seq, station.signer.sign(b"something else"))
    (fault, _), (wrong, _) = audits(centre, where, tmp_path)
    assert fault == {"seq": seq, "code": "signature"}
    assert "last" in wrong if seq == 6 else f"st-1 event {seq} " in wrong


def test_two_processes_note_it_once(centre: OpenCentre, station: Station, where: str, monkeypatch: Any) -> None:
    """Both have looked before either of them writes."""
    plant(centre, station, 1)
    other = open_centre(centre.folder.root, where)
    both, real = threading.Barrier(2), signatures.look

    def looked(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        both.wait(30)
        return found

    monkeypatch.setattr(checkpoints, "look", looked)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: publish(one, NOW_MS), [centre, other]))
    other.engine.dispose()
    assert (len(noted(centre)), len(alarms(centre)), sizes(centre)) == (1, 1, [7])


@pytest.mark.parametrize("moment", ["note", "fill"])
def test_killed_after_the_look_it_is_noted_the_next_time(
    moment: str, centre: OpenCentre, station: Station, where: str, tmp_path: Path, monkeypatch: Any
) -> None:
    def die(*_args: Any) -> None:
        raise KeyboardInterrupt

    plant(centre, station, 1)
    monkeypatch.setattr(checkpoints, "note" if moment == "note" else "_fill_tiles", die)
    with pytest.raises(KeyboardInterrupt):
        publish(centre, NOW_MS)
    monkeypatch.undo()
    assert (noted(centre), alarms(centre), sizes(centre)) == ([], [], [])
    publish(centre, LATER_MS)
    assert (len(noted(centre)), len(alarms(centre))) == (1, 1)
    assert audits(centre, where, tmp_path)[0] == (None, [2])


def test_each_is_looked_at_by_the_key_of_its_place(
    centre: OpenCentre, station: Station, where: str, tmp_path: Path
) -> None:
    plant(centre, station, 2, count=4)
    new = Signer(new_seed())
    body = rotation_body("st-1", 5, station.chain[-1].hash, station.signer.public_key, new)
    station.send(centre, [station.add(EventKind.KEY_ROTATED, body)])
    station.signer = new
    plant(centre, station, 0, count=70)
    publish(centre, NOW_MS)
    assert [list(one["signatures"]) for one in noted(centre)] == [["3", "6"]]
    assert audits(centre, where, tmp_path) == ((None, [3, 6]), (None, [3, 6]))


def test_a_request_waits_for_little_and_an_end_for_nothing(centre: OpenCentre, station: Station) -> None:
    plant(centre, station, 1, count=200)  # and the centre's act that let the station in
    publish(centre, NOW_MS, most=200)
    leaving = Background(threading.Event(), Checker())
    leaving.leave.set()
    publish(centre, NOW_MS, beside=leaving)
    assert (sizes(centre), noted(centre)) == ([], [])
    leaving.leave.clear()
    publish(centre, NOW_MS, most=IN_PASSING, beside=leaving)
    assert (sizes(centre), len(noted(centre))) == ([201], 1)


def test_an_act_tells_of_so_many_and_no_more(
    centre: OpenCentre, station: Station, where: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(signatures, "_IN_ACT", 3)
    plant(centre, station, *range(8), count=10)
    publish(centre, NOW_MS)
    assert [len(one["signatures"]) for one in noted(centre)] == [3, 3, 2]
    assert len(alarms(centre)) == 1
    assert audits(centre, where, tmp_path) == ((None, [*range(1, 9)]), (None, [*range(1, 9)]))


def test_bytes_that_were_changed_are_no_damaged_signature(
    centre: OpenCentre, station: Station, where: str, tmp_path: Path
) -> None:
    """Else whoever changes an event before the checkpoint would have it noted as one that came so."""
    plant(centre, station)
    change_signature(centre, 3, b"")  # takes the triggers away
    with centre.engine.begin() as connection:
        statement = "UPDATE event SET data = (SELECT data FROM event WHERE seq = 1 AND station = 'st-1') WHERE seq = 4"
        connection.exec_driver_sql(statement)
    publish(centre, NOW_MS)
    assert [list(one["signatures"]) for one in noted(centre)] == [["3"]]
    engine = open_engine(where, 1) if where else open_database(centre.folder.database, must_exist=True)
    chain = next(one for one in verify_centre(engine)["chains"] if one["station"] == "st-1")
    assert chain["fault"] == {"seq": 4, "code": "hash"}
