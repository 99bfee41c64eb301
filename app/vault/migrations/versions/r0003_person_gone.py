"""People whose keys were taken back: facts, so that no such key is let in again."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "CREATE TABLE person_gone (public_key BLOB NOT NULL, name TEXT NOT NULL, at_ms INTEGER NOT NULL, "
    "PRIMARY KEY (public_key))",
    *(
        f"CREATE TRIGGER person_gone_{verb.lower()}_refused BEFORE {verb} ON person_gone "
        "BEGIN SELECT RAISE(ABORT, 'person_gone is a fact'); END"
        for verb in ("UPDATE", "DELETE")
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
