"""What the vault found of each card."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    table = (
        "CREATE TABLE finding (station TEXT NOT NULL, card TEXT NOT NULL, code TEXT NOT NULL, "
        "duplicate_of TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (station, card))"
    )
    op.execute(spelled(table, dialect))
    for statement in guards(("finding",), dialect):
        op.execute(statement)
