"""The key that follows, while the centre may or may not have heard of it."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE meta ADD COLUMN next_seed BLOB")
