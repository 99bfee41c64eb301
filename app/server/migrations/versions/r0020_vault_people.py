"""Whom the vault lets ask to see secrets, and whose key it took back: each is told to the log once."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0020"
down_revision = "0019"

TABLE = (
    "CREATE TABLE vault_person (vault TEXT NOT NULL, public_key TEXT NOT NULL, taken_back BOOLEAN NOT NULL, "
    "name TEXT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (vault, public_key, taken_back))"
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute(spelled(TABLE, dialect))
    for statement in guards(("vault_person",), dialect):
        op.execute(statement)
