"""Signing keys that followed the first one."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE rotated_key (seq INTEGER NOT NULL, seed BLOB NOT NULL, PRIMARY KEY (seq), "
        "FOREIGN KEY(seq) REFERENCES outbox (seq))"
    )
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER rotated_key_{verb.lower()}_refused BEFORE {verb} ON rotated_key "
            "BEGIN SELECT RAISE(ABORT, 'rotated_key is a fact'); END"
        )
