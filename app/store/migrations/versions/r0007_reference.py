"""What the centre hands out to work by: expected parcels, blocked cards, the catalogue to read by."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    "CREATE TABLE reference (kind TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, "
    "removed BOOLEAN NOT NULL, text TEXT NOT NULL, sig BLOB NOT NULL, PRIMARY KEY (kind, key))",
    "CREATE TABLE centre_key (name TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (name))",
    "CREATE TRIGGER reference_onwards BEFORE UPDATE ON reference WHEN NEW.revision <= OLD.revision "
    "BEGIN SELECT RAISE(ABORT, 'reference goes on only'); END",
    "CREATE TRIGGER reference_undeleted BEFORE DELETE ON reference "
    "BEGIN SELECT RAISE(ABORT, 'reference is never deleted'); END",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
