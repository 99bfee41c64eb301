"""What the centre said each time it was put back: how much of the log before is still there."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0009"
down_revision = "0008"

TABLE = (
    "CREATE TABLE restoration (epoch TEXT NOT NULL, text TEXT NOT NULL, sig BLOB NOT NULL, at_ms INTEGER NOT NULL, "
    "PRIMARY KEY (epoch))"
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute(spelled(TABLE, dialect))
    for statement in guards(("restoration",), dialect):
        op.execute(statement)
