"""What came of a card's chip, beside its fact in the chain; NULL while nothing did."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE card ADD COLUMN chip TEXT")
    op.execute("ALTER TABLE card ADD COLUMN chip_evidence TEXT")
