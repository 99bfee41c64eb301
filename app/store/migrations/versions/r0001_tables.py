"""The tables of the first release."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE expected_parcel (
        waybill TEXT NOT NULL,
        order_no TEXT NOT NULL,
        declared INTEGER NOT NULL,
        items TEXT NOT NULL,
        PRIMARY KEY (waybill)
    )""",
    """CREATE TABLE feed_state (
        stream TEXT NOT NULL,
        cursor TEXT NOT NULL,
        PRIMARY KEY (stream)
    )""",
    """CREATE TABLE meta (
        id INTEGER NOT NULL,
        station TEXT NOT NULL,
        rehearsal BOOLEAN NOT NULL,
        centre TEXT NOT NULL,
        signing_seed BLOB NOT NULL,
        index_key BLOB NOT NULL,
        index_memory_kib INTEGER NOT NULL,
        index_passes INTEGER NOT NULL,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE operator (
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        badge_index BLOB,
        verifier TEXT NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (badge_index)
    )""",
    """CREATE TABLE outbox (
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        at_wall_us INTEGER NOT NULL,
        data BLOB NOT NULL,
        hash TEXT NOT NULL,
        sig BLOB NOT NULL,
        prev TEXT NOT NULL,
        PRIMARY KEY (seq),
        UNIQUE (id)
    )""",
    """CREATE TABLE parcel (
        id TEXT NOT NULL,
        waybill TEXT NOT NULL,
        expected TEXT NOT NULL,
        recording_id TEXT NOT NULL,
        operator_id TEXT NOT NULL,
        operator_name TEXT NOT NULL,
        operator_role TEXT NOT NULL,
        opened_seq INTEGER NOT NULL,
        state TEXT NOT NULL,
        shots TEXT NOT NULL,
        way_out TEXT,
        closed_wall_us INTEGER,
        PRIMARY KEY (id)
    )""",
    "CREATE INDEX ix_parcel_state ON parcel (state)",
    "CREATE INDEX ix_parcel_waybill ON parcel (waybill)",
    """CREATE TABLE receipt (
        id INTEGER NOT NULL,
        epoch TEXT NOT NULL,
        high INTEGER NOT NULL,
        head_hash TEXT NOT NULL,
        server_time_ms INTEGER NOT NULL,
        text TEXT NOT NULL,
        sig BLOB NOT NULL,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE recording (
        id TEXT NOT NULL,
        parcel_id TEXT NOT NULL,
        "key" BLOB NOT NULL,
        state TEXT NOT NULL,
        final_hash TEXT NOT NULL,
        closed_seq INTEGER,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE retry (
        lane TEXT NOT NULL,
        next_try_ms INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        PRIMARY KEY (lane)
    )""",
    """CREATE TABLE card (
        id TEXT NOT NULL,
        read_id TEXT NOT NULL,
        parcel_id TEXT NOT NULL,
        no INTEGER NOT NULL,
        product_id TEXT,
        gtin TEXT,
        last4 TEXT NOT NULL,
        dedupe BLOB,
        claims BOOLEAN NOT NULL,
        panel TEXT NOT NULL,
        expiry TEXT,
        face_value_fen INTEGER,
        recording_id TEXT NOT NULL,
        t_video_us INTEGER NOT NULL,
        tag TEXT,
        kept_seq INTEGER NOT NULL,
        kept_wall_us INTEGER NOT NULL,
        state TEXT NOT NULL,
        reasons TEXT NOT NULL,
        event_hash TEXT NOT NULL,
        revision INTEGER NOT NULL,
        withdrawn BOOLEAN NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (read_id),
        FOREIGN KEY(parcel_id) REFERENCES parcel (id),
        FOREIGN KEY(kept_seq) REFERENCES outbox (seq)
    )""",
    "CREATE UNIQUE INDEX card_number_once ON card (dedupe) WHERE claims",
    "CREATE INDEX ix_card_kept_seq ON card (kept_seq)",
    "CREATE INDEX ix_card_parcel_id ON card (parcel_id)",
    "CREATE INDEX ix_card_state ON card (state)",
    """CREATE TABLE sealed (
        ref TEXT NOT NULL,
        seq INTEGER NOT NULL,
        card_id TEXT NOT NULL,
        field TEXT NOT NULL,
        key_id TEXT NOT NULL,
        blob BLOB NOT NULL,
        PRIMARY KEY (ref),
        FOREIGN KEY(seq) REFERENCES outbox (seq)
    )""",
    "CREATE INDEX ix_sealed_seq ON sealed (seq)",
    """CREATE TABLE decision (
        card_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        text TEXT NOT NULL,
        sig BLOB NOT NULL,
        PRIMARY KEY (card_id, revision),
        FOREIGN KEY(card_id) REFERENCES card (id)
    )""",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
