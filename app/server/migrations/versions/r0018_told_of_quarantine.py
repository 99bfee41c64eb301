"""What a station was told of its events in the quarantine, and how they stand: a later release may take them up."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import spelled

revision = "0018"
down_revision = "0017"

_HELD = (
    "CREATE TABLE held_event (station TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, code TEXT NOT NULL, "
    "revision INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (station, seq))"
)


def upgrade() -> None:
    op.execute(spelled(_HELD, op.get_bind().dialect.name))
