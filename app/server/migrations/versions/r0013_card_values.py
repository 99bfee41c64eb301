"""What a card is worth, as the station told: above some value two supervisors sign what becomes of it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_KEPT = sa.text("SELECT station, data FROM event WHERE kind = 'card.kept' AND quarantine = ''")
_SAID = sa.text("UPDATE card SET face_value_fen = :fen WHERE station = :station AND id = :id")


def upgrade() -> None:
    op.add_column("card", sa.Column("face_value_fen", sa.BigInteger))
    connection = op.get_bind()
    for rows in connection.execute(_KEPT).partitions(1000):
        bodies = [(station, json.loads(bytes(data))["body"]) for station, data in rows]
        told = [
            {"station": station, "id": body["card"], "fen": body.get("face_value_fen")}
            for station, body in bodies
            if isinstance(body.get("face_value_fen"), int)
        ]
        if told:
            connection.execute(_SAID, told)
