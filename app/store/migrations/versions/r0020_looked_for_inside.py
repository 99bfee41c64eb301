"""Indexes for what is looked for inside a column: a chip's UID at each save, the chain's latest time at each chip."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("CREATE INDEX card_chip_uid ON card (CASE WHEN json_valid(tag) THEN json_extract(tag, '$.uid') END)")
    op.execute(
        "CREATE INDEX outbox_centre_ms ON outbox (CASE WHEN json_valid(CAST(data AS TEXT)) "
        "THEN at_wall_us / 1000 + json_extract(CAST(data AS TEXT), '$.clock_offset') END)"
    )
