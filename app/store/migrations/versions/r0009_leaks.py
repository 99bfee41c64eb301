"""How far each recording was read for PINs that were left in it, and what came of that."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE leak_check (recording_id TEXT NOT NULL, to_us INTEGER NOT NULL, frames INTEGER NOT NULL, "
        "failures INTEGER NOT NULL, sights TEXT NOT NULL, result TEXT NOT NULL, seq INTEGER, judged_seq INTEGER, "
        "PRIMARY KEY (recording_id), FOREIGN KEY(recording_id) REFERENCES recording (id), "
        "FOREIGN KEY(seq) REFERENCES outbox (seq), FOREIGN KEY(judged_seq) REFERENCES outbox (seq))"
    )
