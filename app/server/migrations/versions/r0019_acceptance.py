"""What each card is, how it was decided on last, and by which rules the centre accepts without asking anybody."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from app.server.migrations.dialect import spelled

revision = "0019"
down_revision = "0018"

_RULE = (
    "CREATE TABLE accept_rule (product TEXT NOT NULL, up_to_fen INTEGER NOT NULL, at_ms INTEGER NOT NULL, "
    "PRIMARY KEY (product))"
)
_INDEXES = (
    "CREATE INDEX card_undecided ON card (station, id) "
    "WHERE decided_hash <> event_hash AND verdict IN ('kept', 'review')",
    "CREATE INDEX finding_twins ON finding (duplicate_of) WHERE duplicate_of <> ''",
)
_KEPT = sa.text("SELECT station, data FROM event WHERE kind = 'card.kept' AND quarantine = ''")
_IS = sa.text("UPDATE card SET product = :product WHERE station = :station AND id = :id")
_DECIDED = sa.text("SELECT text FROM feed WHERE kind = 'card.decided'")
_BECAME = sa.text(
    "UPDATE card SET decided = :verdict WHERE station = :station AND id = :card_id AND revision = :revision"
)


def upgrade() -> None:
    connection = op.get_bind()
    for name in ("product", "decided"):
        op.add_column("card", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.execute(spelled(_RULE, connection.dialect.name))
    for index in _INDEXES:
        op.execute(index)
    for rows in connection.execute(_KEPT).partitions(1000):
        bodies = [(station, json.loads(bytes(data))["body"]) for station, data in rows]
        told = [
            {"station": station, "id": body["card"], "product": body["product"]}
            for station, body in bodies
            if isinstance(body.get("product"), str)
        ]
        if told:
            connection.execute(_IS, told)
    for rows in connection.execute(_DECIDED).partitions(1000):
        stated = [json.loads(text) for (text,) in rows]
        names = ("station", "card_id", "revision", "verdict")
        connection.execute(_BECAME, [{name: one[name] for name in names} for one in stated])
