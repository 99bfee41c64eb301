"""Other stations' words on the centre's log, by which key each spoke; and every policy that this station was told."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE other_station (station TEXT NOT NULL, public_key BLOB NOT NULL, size INTEGER NOT NULL, "
        "at_s INTEGER NOT NULL, PRIMARY KEY (station))"
    )
    op.execute(
        "CREATE TABLE policy_told (revision INTEGER NOT NULL, text TEXT NOT NULL, sig BLOB NOT NULL, "
        "PRIMARY KEY (revision))"
    )
    op.execute("INSERT INTO policy_told SELECT revision, text, sig FROM reference WHERE kind = 'policy'")
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER policy_told_{verb.lower()}_refused BEFORE {verb} ON policy_told "
            "BEGIN SELECT RAISE(ABORT, 'policy_told is a fact'); END"
        )
