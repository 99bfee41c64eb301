"""Heads of recordings that were told to the centre, and its word on them."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE recording_head (recording_id TEXT NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL, "
        "PRIMARY KEY (recording_id, n), FOREIGN KEY(recording_id) REFERENCES recording (id), "
        "FOREIGN KEY(seq) REFERENCES outbox (seq))"
    )
    op.execute(
        "CREATE TABLE witnessed (recording_id TEXT NOT NULL, epoch TEXT NOT NULL, bundle TEXT NOT NULL, "
        "PRIMARY KEY (recording_id, epoch), FOREIGN KEY(recording_id) REFERENCES recording (id))"
    )
