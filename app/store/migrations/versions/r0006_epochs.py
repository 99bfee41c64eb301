"""What the centre said of footage holds for the epoch it was said in; which of its checkpoints were seen."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    "CREATE TABLE durable_by_epoch (recording_id TEXT NOT NULL, epoch TEXT NOT NULL, text TEXT NOT NULL, "
    "sig BLOB NOT NULL, PRIMARY KEY (recording_id, epoch), FOREIGN KEY(recording_id) REFERENCES recording (id))",
    "INSERT INTO durable_by_epoch SELECT recording_id, json_extract(text, '$.epoch'), text, sig FROM durable",
    "DROP TABLE durable",
    "ALTER TABLE durable_by_epoch RENAME TO durable",
    "CREATE TABLE tree_head (size INTEGER NOT NULL, epoch TEXT NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, "
    "PRIMARY KEY (size, epoch))",
    "CREATE TRIGGER tree_head_unchanged BEFORE UPDATE ON tree_head "
    "BEGIN SELECT RAISE(ABORT, 'tree_head is never changed'); END",
    "CREATE TRIGGER tree_head_undeleted BEFORE DELETE ON tree_head "
    "BEGIN SELECT RAISE(ABORT, 'tree_head is never deleted'); END",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
