"""What came of chips, and whether the record of each run is here."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import spelled

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    "CREATE TABLE chip_fact (station TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, card TEXT NOT NULL, "
    "uid TEXT NOT NULL, verdict TEXT NOT NULL, decision TEXT NOT NULL, ref TEXT NOT NULL, record TEXT NOT NULL, "
    "PRIMARY KEY (station, seq))",
    "CREATE INDEX chip_record_missing ON chip_fact (station, record)",
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in STATEMENTS:
        op.execute(spelled(statement, dialect))
