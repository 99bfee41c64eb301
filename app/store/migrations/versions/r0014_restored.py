"""When this database was put back from a backup, and whether the centre has confirmed its chain since."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE restored (id INTEGER NOT NULL, at_wall_us INTEGER NOT NULL, head INTEGER NOT NULL, "
        "settled BOOLEAN NOT NULL, PRIMARY KEY (id))"
    )
