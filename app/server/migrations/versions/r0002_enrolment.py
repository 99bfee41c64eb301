"""Enrolment, nonces, objects and checkpoints; the feed learns which transaction wrote a row."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "ALTER TABLE station ADD COLUMN state TEXT NOT NULL DEFAULT 'active'",
    "ALTER TABLE station ADD COLUMN role TEXT NOT NULL DEFAULT 'rehearsal'",
    "ALTER TABLE station ADD COLUMN revoked_ms INTEGER",
    "ALTER TABLE station ADD COLUMN seen_ms INTEGER",
    "CREATE TABLE code (key BLOB NOT NULL, station TEXT NOT NULL, role TEXT NOT NULL, confirm BOOLEAN NOT NULL, "
    "expires_ms INTEGER NOT NULL, used_by BLOB, PRIMARY KEY (key))",
    "CREATE TABLE nonce (station TEXT NOT NULL, nonce TEXT NOT NULL, expires_ms INTEGER NOT NULL, "
    "PRIMARY KEY (station, nonce))",
    "CREATE INDEX ix_nonce_expires_ms ON nonce (expires_ms)",
    "CREATE TABLE chunk (oid TEXT NOT NULL, size INTEGER NOT NULL, verified_ms INTEGER NOT NULL, PRIMARY KEY (oid))",
    "CREATE TABLE video (station TEXT NOT NULL, id TEXT NOT NULL, manifest TEXT NOT NULL, sig BLOB NOT NULL, "
    "bytes INTEGER NOT NULL, durable_ms INTEGER NOT NULL, PRIMARY KEY (station, id))",
    "CREATE TABLE checkpoint (size INTEGER NOT NULL, note TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (size))",
    "CREATE INDEX ix_log_leaf_event ON log_leaf (station, seq)",
)

FACTS = ("chunk", "video", "checkpoint")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in STATEMENTS:
        op.execute(spelled(statement, dialect))
    # Only PostgreSQL has several writers; there the database itself notes the transaction.
    default = "(pg_current_xact_id()::text::bigint)" if dialect == "postgresql" else "0"
    op.execute(spelled(f"ALTER TABLE feed ADD COLUMN xid INTEGER NOT NULL DEFAULT {default}", dialect))
    for statement in guards(FACTS, dialect):
        op.execute(statement)
