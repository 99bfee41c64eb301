"""Requests to show a secret, on their way between a station and the vault."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import spelled

revision = "0008"
down_revision = "0007"

TABLE = (
    "CREATE TABLE reveal (id TEXT NOT NULL, station TEXT NOT NULL, who TEXT NOT NULL, request TEXT NOT NULL, "
    "sig BLOB NOT NULL, ref TEXT NOT NULL, approver TEXT NOT NULL, approval BLOB NOT NULL, state TEXT NOT NULL, "
    "code TEXT NOT NULL, answer BLOB, asked_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (id))"
)


def upgrade() -> None:
    op.execute(spelled(TABLE, op.get_bind().dialect.name))
