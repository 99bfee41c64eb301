"""Where in the log a station's event is, found without reading the log."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("CREATE INDEX log_leaf_place ON log_leaf (station, seq)")
