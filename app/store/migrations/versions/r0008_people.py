"""Users by the centre's word, when it was heard last, and passcodes that were wrong."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    "ALTER TABLE operator ADD COLUMN central BOOLEAN NOT NULL DEFAULT 0",
    "ALTER TABLE feed_state ADD COLUMN heard_us INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE wrong_passcode (operator_id TEXT NOT NULL, times INTEGER NOT NULL, until_us INTEGER NOT NULL, "
    "PRIMARY KEY (operator_id))",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
