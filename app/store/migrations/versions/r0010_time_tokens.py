"""Which recordings have a time-stamp token, and what time it tells."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE time_token (recording_id TEXT NOT NULL, stamped_us INTEGER NOT NULL, seq INTEGER NOT NULL, "
        "PRIMARY KEY (recording_id), FOREIGN KEY(recording_id) REFERENCES recording (id), "
        "FOREIGN KEY(seq) REFERENCES outbox (seq))"
    )
