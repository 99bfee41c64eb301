"""What is quarantined is found without reading every event: the operator's page and Prometheus ask often."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("CREATE INDEX event_held ON event (station, seq) WHERE quarantine <> ''")
