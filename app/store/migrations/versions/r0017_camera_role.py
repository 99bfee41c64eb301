"""Which camera a recording is of: the overhead one, or the one that sees label and seal."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("ALTER TABLE recording ADD COLUMN role TEXT NOT NULL DEFAULT 'overhead'")
