"""What the centre said of footage: the statement that lets it be deleted here."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE durable (recording_id TEXT NOT NULL, text TEXT NOT NULL, sig BLOB NOT NULL, "
        "PRIMARY KEY (recording_id), FOREIGN KEY(recording_id) REFERENCES recording (id))"
    )
