"""What a time-stamp authority said of checkpoints."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0010"
down_revision = "0009"

TABLE = (
    "CREATE TABLE checkpoint_token (size INTEGER NOT NULL, token BLOB NOT NULL, at_ms INTEGER NOT NULL, "
    "PRIMARY KEY (size))"
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute(spelled(TABLE, dialect))
    for statement in guards(("checkpoint_token",), dialect):
        op.execute(statement)
