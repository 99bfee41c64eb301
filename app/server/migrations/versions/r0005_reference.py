"""What stations work by: expected parcels, blocked cards, the catalogue; and the catalogues themselves."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    "CREATE TABLE reference (kind TEXT NOT NULL, key TEXT NOT NULL, station TEXT NOT NULL, revision INTEGER NOT NULL, "
    "removed BOOLEAN NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (kind, key, station))",
    "CREATE TABLE catalogue (serial INTEGER NOT NULL, version TEXT NOT NULL, bundle BLOB NOT NULL, "
    "PRIMARY KEY (serial))",
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in STATEMENTS:
        op.execute(spelled(statement, dialect))
    for statement in guards(("catalogue",), dialect):
        op.execute(statement)
