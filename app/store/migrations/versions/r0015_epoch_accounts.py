"""What became of the log that the station saw, each time the centre was put back to an earlier state."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE epoch_account (epoch TEXT NOT NULL, kept INTEGER NOT NULL, seen INTEGER NOT NULL, "
        "seq INTEGER NOT NULL, PRIMARY KEY (epoch), FOREIGN KEY(seq) REFERENCES outbox (seq))"
    )
