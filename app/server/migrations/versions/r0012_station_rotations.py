"""Which signing keys of a station were followed by another, and from which of its events on."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0012"
down_revision = "0011"

TABLE = (
    "CREATE TABLE station_rotation (station TEXT NOT NULL, seq INTEGER NOT NULL, old_key BLOB NOT NULL, "
    "new_key BLOB NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (station, seq))"
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute(spelled(TABLE, dialect))
    for statement in guards(("station_rotation",), dialect):
        op.execute(statement)
