"""What every save and every chip asks for is looked up by an index, in an old database too; a big one stays quick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, Engine, event

from app.core.audit import EventKind, Stamp
from app.core.cards import Tag
from app.store.centre_time import centre_now_ms
from app.store.chip_twins import cards_with
from app.store.db import reading
from app.store.migrations.versions import r0020_looked_for_inside as this_step
from app.store.store import REHEARSAL_PASSPHRASE, Store

Make = Callable[..., Any]
UID = "04A1B2C3D4E5F6"


def plan_of(engine: Engine, work: Callable[[Connection], Any]) -> list[str]:
    """How SQLite goes about the SELECTs of `work`."""
    said: list[tuple[str, Any]] = []

    def note(*told: Any) -> None:
        if told[2].startswith("SELECT"):
            said.append((told[2], told[3]))

    event.listen(engine, "before_cursor_execute", note)
    with reading(engine) as connection:
        work(connection)
    event.remove(engine, "before_cursor_execute", note)
    with reading(engine) as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", given).all() for one, given in said]
    return [row.detail for plan in plans for row in plan]


@pytest.fixture(params=["fresh", "of the release before", "with an event that somebody bent"])
def filled(
    request: pytest.FixtureRequest, working: Store, now: Stamp, make_draft: Make, tmp_path: Path
) -> tuple[Store, list[str]]:
    """A store with two cards of one chip and one of another; the ids of the two."""
    tag = Tag(UID, "0044", "00", "NTAG213", simulated=True)
    drafts = [make_draft(no, f"{6222020012340000 + no}", tag=tag) for no in (1, 2)]
    for draft in (*drafts, make_draft(3, "6222020012349999")):
        working.keep_card(draft, now, "1001")
    later = replace(now, wall_us=now.wall_us + 7_000_000, clock_offset_ms=300)
    working.record(EventKind.UNEXPECTED, {}, later, "")
    working.record(EventKind.UNEXPECTED, {}, now, "")
    ids = [draft.card_id for draft in drafts]
    if request.param == "fresh":
        return working, ids
    with working._engine.begin() as connection:
        for name in ("card_chip_uid", "outbox_centre_ms"):
            connection.exec_driver_sql(f"DROP INDEX {name}")
        if request.param != "of the release before":
            connection.exec_driver_sql("DROP TRIGGER outbox_unchanged")
            connection.exec_driver_sql("UPDATE outbox SET data = CAST('{\"v\":' AS BLOB) WHERE seq = 2")
        with Operations.context(MigrationContext.configure(connection)):
            this_step.upgrade()  # alone: what later releases added is there already
    working.close()
    return Store.open(tmp_path / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0), ids


def test_a_chip_and_the_centres_time_are_looked_up_by_an_index(filled: tuple[Store, list[str]], now: Stamp) -> None:
    store, ids = filled
    with reading(store._engine) as connection:
        assert cards_with(connection, (UID, "00")) == {UID: set(ids), "00": set()}
        highest = now.wall_us // 1000 + 7_000 + 300
        assert centre_now_ms(connection, 3, now) == highest, "the clock was set back"
        assert centre_now_ms(connection, 6, now) == now.wall_us // 1000, "it was set back before that card"
    [chip] = plan_of(store._engine, lambda connection: cards_with(connection, (UID,)))
    assert "USING INDEX card_chip_uid" in chip
    measured = replace(now, clock_offset_ms=5)
    [centre] = plan_of(store._engine, lambda connection: centre_now_ms(connection, 1, measured))
    assert "outbox_centre_ms" in centre
    store.close()
