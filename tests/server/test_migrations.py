"""Revisions that fill in what older rows did not say, on rows as an older release left them: a file and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, bindparam, inspect, select, text
from sqlalchemy.exc import DBAPIError

from app.server.db import open_engine
from app.server.setup import MIGRATIONS
from app.server.tables import chip_fact
from app.store.db import open_database, reading, transaction
from app.store.migrate import upgrade

STATION = """INSERT INTO station (id, public_key, rehearsal, registered_ms, high, head_hash, state, role)
    VALUES (:id, :key, :rehearsal, 0, 9, '', 'active', 'station')"""
EVENT = """INSERT INTO event (station, seq, kind, data, hash, sig, received_ms, quarantine)
    VALUES (:station, :seq, 'chip.deactivated', :data, 'h', :sig, 0, '')"""
FACT = """INSERT INTO chip_fact (station, seq, kind, card, uid, verdict, decision, ref, record)
    VALUES (:station, :seq, 'chip.deactivated', 'card', '04', 'deactivated', 'd', 'r', :record)"""

OLD = [
    # station, seq, what the event said of the reader, record before, simulated and record after
    ("real", 1, {"simulated": False}, "held", False, "held"),
    ("real", 2, {"simulated": True}, "held", True, "contradicts"),
    ("real", 3, {}, "missing", False, "missing"),
    ("real", 4, {"simulated": True}, "missing", True, "contradicts"),
    ("real", 5, {"simulated": False}, "contradicts", False, "contradicts"),
    ("rehearsal", 1, {"simulated": True}, "held", True, "held"),
    ("rehearsal", 2, {"simulated": True}, "missing", True, "missing"),
    ("rehearsal", 3, {}, "held", False, "contradicts"),
    ("rehearsal", 4, {"simulated": "yes"}, "held", False, "contradicts"),
]


@pytest.fixture(params=["file", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "file":
        return open_database(tmp_path / "centre.db")
    new_database: Callable[[], str] = request.getfixturevalue("new_database")
    return open_engine(new_database())


def bring_to(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_old_facts_of_chips_are_told_whose_reader_it_was(engine: Engine) -> None:
    bring_to(engine, "0010")
    rehearsal = text(STATION).bindparams(bindparam("rehearsal", type_=chip_fact.c.simulated.type))
    with transaction(engine) as connection:
        for name in ("real", "rehearsal"):
            connection.execute(rehearsal, {"id": name, "key": b"k", "rehearsal": name == "rehearsal"})
        for station, seq, said, record, _, _ in OLD:
            data = json.dumps({"body": {"card": "card", **said}}).encode()
            connection.execute(text(EVENT), {"station": station, "seq": seq, "data": data, "sig": b"s"})
            connection.execute(text(FACT), {"station": station, "seq": seq, "record": record})
    upgrade(engine, None, MIGRATIONS)
    with reading(engine) as connection:
        rows = connection.execute(select(chip_fact).order_by(chip_fact.c.station, chip_fact.c.seq)).all()
        columns = {column["name"]: column for column in inspect(connection).get_columns("chip_fact")}
    found = [(row.station, row.seq, row.simulated, row.record) for row in rows]
    assert found == [(station, seq, simulated, after) for station, seq, _, _, simulated, after in OLD]
    assert not columns["simulated"]["nullable"]
    upgrade(engine, None, MIGRATIONS)  # a second start changes nothing
    engine.dispose()


def test_a_centre_without_a_fact_is_upgraded_too(engine: Engine) -> None:
    bring_to(engine, "0010")
    upgrade(engine, None, MIGRATIONS)
    with reading(engine) as connection:
        assert connection.execute(select(chip_fact)).all() == []
    engine.dispose()


def test_events_and_nonces_are_kept_as_they_were_and_stay_facts(engine: Engine) -> None:
    bring_to(engine, "0014")
    broad = text(STATION).bindparams(bindparam("rehearsal", type_=chip_fact.c.simulated.type))
    told = [{"station": "st", "seq": n, "data": bytes([n]) * 1500, "sig": bytes(64)} for n in (1, 2, 3)]
    with transaction(engine) as connection:
        connection.execute(broad, {"id": "st", "key": b"k", "rehearsal": False})
        connection.execute(text(EVENT), told)
        connection.execute(text("INSERT INTO nonce VALUES ('st', 'spent', 9)"))
        before = connection.execute(text("SELECT * FROM event ORDER BY seq")).all()
    upgrade(engine, None, MIGRATIONS)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT * FROM event ORDER BY seq")).all() == before
        assert connection.execute(text("SELECT station, nonce, expires_ms FROM nonce")).all() == [("st", "spent", 9)]
        assert [index["name"] for index in inspect(connection).get_indexes("log_leaf")] == ["log_leaf_place"]
    for change in ("UPDATE event SET kind = 'x'", "DELETE FROM event", "INSERT INTO nonce VALUES ('st', 'spent', 9)"):
        with pytest.raises(DBAPIError), transaction(engine) as connection:
            connection.execute(text(change))
    engine.dispose()


FOLLOWED = [
    ("centre.reference-applied", {"items": [["user", "S1", 3], ["policy", "current", 4]]}, ""),
    ("footage.held", {"recording": "r-1", "reason": "x"}, ""),
    ("footage.held", {"recording": "r-2", "reason": "x"}, ""),
    ("footage.released", {"recording": "r-2", "reason": "x"}, ""),
    ("footage.held", {"recording": "r-3", "reason": "x"}, "not-supervisor"),
    ("centre.reference-applied", {"items": [["user", "S1", 5], ["policy", "current", 10**30], 5]}, ""),
    ("centre.reference-applied", {"items": [["policy", "current", True]]}, ""),
    ("centre.reference-applied", {"items": 5}, ""),
    ("footage.held", {"recording": 5}, ""),
    ("footage.held", {"recording": "r" * 5000}, ""),
]


def test_holds_and_policies_of_before_are_known(engine: Engine) -> None:
    bring_to(engine, "0015")
    broad = text(STATION).bindparams(bindparam("rehearsal", type_=chip_fact.c.simulated.type))
    told = "INSERT INTO event VALUES ('st', :seq, :kind, :data, 'h', :sig, 0, :quarantine)"
    policy = "INSERT INTO reference VALUES ('policy', 'current', 'st', 4, :no, '{}', 0)"
    with transaction(engine) as connection:
        connection.execute(broad, {"id": "st", "key": b"k", "rehearsal": False})
        for seq, (kind, body, quarantine) in enumerate(FOLLOWED, 1):
            row = {"seq": seq, "kind": kind, "data": json.dumps({"body": body}).encode(), "sig": b"s"}
            connection.execute(text(told), {**row, "quarantine": quarantine})
        no = text(policy).bindparams(bindparam("no", type_=chip_fact.c.simulated.type))
        connection.execute(no, {"no": False})
    upgrade(engine, None, MIGRATIONS)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT * FROM footage_hold")).all() == [("st", "r-1", 2)]
        assert connection.execute(text("SELECT * FROM policy_applied")).all() == [("st", 1, 4)]
        assert connection.execute(text("SELECT * FROM policy_told")).all() == [("st", 4, "{}")]
    engine.dispose()


def test_old_cards_are_told_what_they_are_and_how_they_were_decided_on(engine: Engine) -> None:
    bring_to(engine, "0018")
    real = text(STATION).bindparams(bindparam("rehearsal", type_=chip_fact.c.simulated.type))
    kept = text(EVENT.replace("chip.deactivated", "card.kept"))
    card = text(
        "INSERT INTO card (station, id, verdict, event_hash, revision, decided_hash) "
        "VALUES ('st', :id, 'kept', 'h', :n, 'h')"
    )
    told = text("INSERT INTO feed (station, kind, text, sig) VALUES ('st', 'card.decided', :text, :sig)")
    with transaction(engine) as connection:
        connection.execute(real, {"id": "st", "key": b"k", "rehearsal": False})
        for seq, (name, product) in enumerate([("a", "quxi-500"), ("b", None), ("c", 5)], 1):
            data = json.dumps({"body": {"card": name, "product": product}}).encode()
            connection.execute(kept, {"station": "st", "seq": seq, "data": data, "sig": b"s"})
            connection.execute(card, {"id": name, "n": 2 if name == "a" else 0})
        for revision, verdict in ((1, "accepted"), (2, "review")):
            said = {"station": "st", "card_id": "a", "revision": revision, "verdict": verdict}
            connection.execute(told, {"text": json.dumps(said), "sig": b"s"})
    upgrade(engine, None, MIGRATIONS)
    with reading(engine) as connection:
        found = connection.execute(text("SELECT id, product, decided FROM card ORDER BY id")).all()
    assert found == [("a", "quxi-500", "review"), ("b", "", ""), ("c", "", "")]
    engine.dispose()
