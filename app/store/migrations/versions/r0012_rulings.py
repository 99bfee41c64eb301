"""What supervisors decide: rulings on cards, the sample, disputes with their evidence."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = (
    "CREATE TABLE ruling (seq INTEGER NOT NULL, card_id TEXT NOT NULL, ruling TEXT NOT NULL, "
    "operator_id TEXT NOT NULL, "
    "wall_us INTEGER NOT NULL, before TEXT NOT NULL, claimed BOOLEAN NOT NULL, undone_seq INTEGER, PRIMARY KEY (seq), "
    "FOREIGN KEY(seq) REFERENCES outbox (seq), FOREIGN KEY(card_id) REFERENCES card (id), "
    "FOREIGN KEY(undone_seq) REFERENCES outbox (seq))",
    "CREATE INDEX ix_ruling_card_id ON ruling (card_id)",
    "CREATE TABLE sample (card_id TEXT NOT NULL, drawn_seq INTEGER, wall_us INTEGER NOT NULL, judged_seq INTEGER, "
    "PRIMARY KEY (card_id), FOREIGN KEY(card_id) REFERENCES card (id), "
    "FOREIGN KEY(drawn_seq) REFERENCES outbox (seq), FOREIGN KEY(judged_seq) REFERENCES outbox (seq))",
    "CREATE TABLE station_key (name TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (name))",
    "CREATE TABLE dispute (id TEXT NOT NULL, recording_id TEXT NOT NULL, card_id TEXT NOT NULL, reason TEXT NOT NULL, "
    "opened_us INTEGER NOT NULL, opened_seq INTEGER NOT NULL, settled_seq INTEGER, upheld BOOLEAN, PRIMARY KEY (id), "
    "FOREIGN KEY(recording_id) REFERENCES recording (id), FOREIGN KEY(opened_seq) REFERENCES outbox (seq), "
    "FOREIGN KEY(settled_seq) REFERENCES outbox (seq))",
    "CREATE TABLE dispute_evidence (dispute_id TEXT NOT NULL, seq INTEGER NOT NULL, of_seq INTEGER NOT NULL, "
    "sha256 TEXT NOT NULL, PRIMARY KEY (dispute_id, seq), FOREIGN KEY(dispute_id) REFERENCES dispute (id), "
    "FOREIGN KEY(seq) REFERENCES outbox (seq), FOREIGN KEY(of_seq) REFERENCES outbox (seq))",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
