"""Keys of the centre that followed the pinned one."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE followed_centre (id INTEGER NOT NULL, seq INTEGER, centre TEXT NOT NULL, PRIMARY KEY (id), "
        "FOREIGN KEY(seq) REFERENCES outbox (seq))"
    )
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER followed_centre_{verb.lower()}_refused BEFORE {verb} ON followed_centre "
            "BEGIN SELECT RAISE(ABORT, 'followed_centre is a fact'); END"
        )
