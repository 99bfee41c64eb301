"""Footage that a supervisor holds: it is not removed, whatever the centre has. The events tell who, when and why."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE hold (recording_id TEXT NOT NULL, reason TEXT NOT NULL, operator_id TEXT NOT NULL, "
        "wall_us INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (recording_id), "
        "FOREIGN KEY(recording_id) REFERENCES recording (id), FOREIGN KEY(seq) REFERENCES outbox (seq))"
    )
    op.execute(
        "CREATE TABLE removed (recording_id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (recording_id), "
        "FOREIGN KEY(recording_id) REFERENCES recording (id), FOREIGN KEY(seq) REFERENCES outbox (seq))"
    )
