"""Whether the reader of a chip's fact was simulated; and what a wrong kind of reader says is no proof."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TOLD = """SELECT f.station, f.seq, e.data, s.rehearsal FROM chip_fact f
    JOIN event e ON e.station = f.station AND e.seq = f.seq JOIN station s ON s.id = f.station"""
_SAID = sa.text("UPDATE chip_fact SET simulated = :simulated WHERE station = :station AND seq = :seq")
_CONTRADICTS = sa.text("UPDATE chip_fact SET record = 'contradicts' WHERE station = :station AND seq = :seq")


def upgrade() -> None:
    op.add_column("chip_fact", sa.Column("simulated", sa.Boolean, nullable=False, server_default=sa.false()))
    connection = op.get_bind()
    for station, seq, data, rehearsal in connection.execute(sa.text(_TOLD)).all():
        simulated = json.loads(bytes(data))["body"].get("simulated") is True
        which = {"station": station, "seq": seq}
        connection.execute(_SAID, {**which, "simulated": simulated})
        if simulated != bool(rehearsal):
            connection.execute(_CONTRADICTS, which)
