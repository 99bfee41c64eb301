"""Manifests that add the sealed originals to a recording which an earlier station brought without them."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0014"
down_revision = "0013"

TABLE = (
    "CREATE TABLE video_originals (station TEXT NOT NULL, id TEXT NOT NULL, manifest TEXT NOT NULL, sig BLOB NOT NULL, "
    "bytes BIGINT NOT NULL, added_ms BIGINT NOT NULL, PRIMARY KEY (station, id))"
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute(spelled(TABLE, dialect))
    for statement in guards(("video_originals",), dialect):
        op.execute(statement)
