"""The vault's first tables."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    "CREATE TABLE meta (id INTEGER NOT NULL, name TEXT NOT NULL, centre TEXT NOT NULL, signing_seed BLOB NOT NULL, "
    "index_key BLOB NOT NULL, PRIMARY KEY (id))",
    "CREATE TABLE vault_key (id TEXT NOT NULL, private BLOB NOT NULL, PRIMARY KEY (id))",
    "CREATE TABLE claim (number BLOB NOT NULL, station TEXT NOT NULL, card TEXT NOT NULL, PRIMARY KEY (number))",
    "CREATE TABLE person (name TEXT NOT NULL, public_key BLOB NOT NULL, PRIMARY KEY (name))",
    "CREATE TABLE reveal (id INTEGER NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL, approved_by TEXT NOT NULL, "
    "station TEXT NOT NULL, card TEXT NOT NULL, field TEXT NOT NULL, reason TEXT NOT NULL, request TEXT NOT NULL, "
    "sig BLOB NOT NULL, PRIMARY KEY (id))",
    "CREATE TABLE nonce (hash TEXT NOT NULL, PRIMARY KEY (hash))",
    "CREATE TRIGGER reveal_update_refused BEFORE UPDATE ON reveal BEGIN SELECT RAISE(ABORT, 'reveal is a fact'); END",
    "CREATE TRIGGER reveal_delete_refused BEFORE DELETE ON reveal BEGIN SELECT RAISE(ABORT, 'reveal is a fact'); END",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
