"""An audit of a centre's database: what somebody changed there is found, whether each signature is checked or only
those that vouch for the rest, over SQLite and over PostgreSQL.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.core.audit import CENTRE, EventKind
from app.keys import Signer, key_id, new_seed
from app.rotation import rotation_body
from app.server.db import is_postgres, open_engine
from app.server.setup import OpenCentre
from app.store.db import open_database
from app.store.verify import verify_centre
from tests.server.either import centre as centre
from tests.server.either import where as where
from tests.server.test_postgres import Station

_MANY = 130
"""More than are read at a time."""

_ST_1 = "station = 'st-1' AND seq"


def audits(centre: OpenCentre, where: str, name: str = "st-1") -> list[dict[str, Any]]:
    """What is said of a station with each signature, and with few; what is wrong with the log is said of each chain."""
    found = []
    for every in (True, False):
        engine = open_engine(where, 1) if where else open_database(centre.folder.database, must_exist=True)
        report = verify_centre(engine, every=every)
        found.append(next(one for one in report["chains"] if one["station"] == name))
        assert report["ok"] is all(one["fault"] is None for one in report["chains"])
    return found


def change(centre: OpenCentre, *statements: str) -> None:
    """As somebody who has the database in hand."""
    with centre.engine.begin() as connection:
        if is_postgres(connection):
            for table in ("event", "log_leaf"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        else:
            triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for name in connection.exec_driver_sql(triggers).scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(text(statement))


def filled(centre: OpenCentre) -> Station:
    """Two stations; the events of the first one are in several pieces, in the log too."""
    station, other = Station(centre, "st-1"), Station(centre, "st-2")
    for at in range(0, _MANY, 65):
        station.send(centre, [station.add() for _ in range(65)])
        other.send(centre, [other.add() for _ in range(3)])
        assert len(station.chain) == at + 65
    return station


def copied(column: str, to: int, of: int) -> str:
    return f"UPDATE event SET {column} = (SELECT {column} FROM event WHERE {_ST_1} = {of}) WHERE {_ST_1} = {to}"


def swapped(table: str, one: int, other: int) -> list[str]:
    return [
        f"UPDATE {table} SET seq = {before} WHERE {_ST_1} = {after}"
        for before, after in ((999, one), (one, other), (other, 999))
    ]


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        ([copied("data", 4, 1)], {"seq": 4, "code": "hash"}),
        ([copied("data", 101, 1)], {"seq": 101, "code": "hash"}),  # the first of a piece
        ([copied("hash", 100, 1)], {"seq": 100, "code": "hash"}),  # the last of one
        ([copied("data", 3, 2), copied("hash", 3, 2), copied("sig", 3, 2)], {"seq": 3, "code": "gap"}),
        (swapped("event", 100, 101), {"seq": 100, "code": "gap"}),
        ([f"DELETE FROM event WHERE {_ST_1} = 101"], {"seq": 102, "code": "gap"}),
        ([f"DELETE FROM event WHERE {_ST_1} = {_MANY}"], {"seq": _MANY, "code": "truncated"}),
        ([copied("sig", _MANY, 1)], {"seq": _MANY, "code": "signature"}),
        (swapped("log_leaf", 2, 3), {"seq": _MANY + 8, "code": "log"}),
        ([f"DELETE FROM log_leaf WHERE {_ST_1} = 7"], {"seq": _MANY + 7, "code": "log"}),
    ],
)
def test_a_change_is_found_with_few_signatures_too(
    statements: list[str], fault: dict[str, Any], centre: OpenCentre, where: str
) -> None:
    filled(centre)
    assert [one["fault"] for one in audits(centre, where)] == [None, None]
    change(centre, *statements)
    assert [one["fault"] for one in audits(centre, where)] == [fault, fault]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (f"UPDATE event SET data = CAST(data AS TEXT) WHERE {_ST_1} = 101", None),  # the same bytes
        (f"UPDATE event SET data = 7 WHERE {_ST_1} = 3", {"seq": 3, "code": "hash"}),
        (f"UPDATE event SET hash = CAST(hash AS BLOB) WHERE {_ST_1} = 3", {"seq": 3, "code": "hash"}),
        (f"UPDATE event SET sig = 'none' WHERE {_ST_1} = {_MANY}", {"seq": _MANY, "code": "signature"}),
    ],
)
@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_a_value_of_another_type_is_judged_by_its_bytes(
    statement: str, fault: dict[str, Any] | None, centre: OpenCentre, where: str
) -> None:
    """PostgreSQL refuses it."""
    filled(centre)
    change(centre, statement)
    assert [one["fault"] for one in audits(centre, where)] == [fault, fault]


def test_what_lies_beside_a_chain_is_counted_for_its_own_station(centre: OpenCentre, where: str) -> None:
    station, other, quiet = (Station(centre, f"st-{n}") for n in (1, 2, 3))
    for one, count in ((station, 2), (other, 1)):
        for _ in range(count):
            one.add(EventKind.CARD_WITHDRAWN, {"card": "never-seen"})
        one.send(centre, one.chain)
    quiet.send(centre, [quiet.add()])
    true = other.chain.pop()
    other.send(centre, [other.add(body={"twin": 1})])  # of a copied disk
    other.chain[-1] = true
    for name, counted in (("st-1", (2, 0)), ("st-2", (1, 1)), ("st-3", (0, 0)), (CENTRE, (0, 0))):
        told = audits(centre, where, name)
        assert [(one["quarantined"], one["alarms"], one["fault"]) for one in told] == [(*counted, None)] * 2


def test_a_chain_that_changed_its_key_twice_begins_with_the_first(centre: OpenCentre, where: str) -> None:
    station, other = Station(centre, "st-1"), Station(centre, "st-2")
    keys = [station.signer]
    for _ in range(2):
        station.send(centre, [station.add() for _ in range(60)])
        new = Signer(new_seed())
        place = len(station.chain) + 1, station.chain[-1].hash
        body = rotation_body("st-1", *place, station.signer.public_key, new)
        station.send(centre, [station.add(EventKind.KEY_ROTATED, body)])
        station.signer = new
        keys.append(new)
    other.send(centre, [other.add()])
    station.send(centre, [station.add()])
    named = [key_id(one.public_key) for one in keys]
    for told in audits(centre, where):
        assert (told["fault"], [*told["keys_before"], told["key"]]) == (None, named)
    assert all("keys_before" not in told for told in audits(centre, where, "st-2"))
