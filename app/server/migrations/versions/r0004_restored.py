"""How often the database was put back to an earlier state; the log's hashes in tiles, and who countersigned it."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "ALTER TABLE meta ADD COLUMN restored INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE log_tile (level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, n))",
    "CREATE TABLE cosignature (size INTEGER NOT NULL, station TEXT NOT NULL, line TEXT NOT NULL, "
    "at_ms INTEGER NOT NULL, PRIMARY KEY (size, station))",
)
FACTS = ("log_tile", "cosignature")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in STATEMENTS:
        op.execute(spelled(statement, dialect))
    for statement in guards(FACTS, dialect):
        op.execute(statement)
