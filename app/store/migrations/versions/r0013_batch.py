"""Batch number and region of a card."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("ALTER TABLE card ADD COLUMN batch TEXT")
    op.execute("ALTER TABLE card ADD COLUMN region TEXT")
