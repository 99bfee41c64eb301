"""The tables of the first release, and the triggers that keep facts from being changed or deleted."""

from __future__ import annotations

from alembic import op

from app.server.migrations.dialect import guards, spelled

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE alarm (
        id INTEGER NOT NULL,
        station TEXT NOT NULL,
        code TEXT NOT NULL,
        seq INTEGER NOT NULL,
        data BLOB NOT NULL,
        hash TEXT NOT NULL,
        sig BLOB NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE card (
        station TEXT NOT NULL,
        id TEXT NOT NULL,
        verdict TEXT NOT NULL,
        event_hash TEXT NOT NULL,
        number_ref TEXT,
        pin_ref TEXT,
        revision INTEGER NOT NULL,
        decided_hash TEXT NOT NULL,
        PRIMARY KEY (station, id)
    )""",
    "CREATE INDEX ix_card_number_ref ON card (number_ref)",
    "CREATE INDEX ix_card_pin_ref ON card (pin_ref)",
    """CREATE TABLE feed (
        id INTEGER NOT NULL,
        station TEXT NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        sig BLOB NOT NULL,
        PRIMARY KEY (id)
    )""",
    "CREATE INDEX ix_feed_station ON feed (station)",
    """CREATE TABLE log_leaf (
        n INTEGER NOT NULL,
        station TEXT NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (n)
    )""",
    """CREATE TABLE meta (
        id INTEGER NOT NULL,
        epoch TEXT NOT NULL,
        log_size INTEGER NOT NULL,
        log_peaks BLOB NOT NULL,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE sealed (
        ref TEXT NOT NULL,
        blob BLOB NOT NULL,
        received_ms INTEGER NOT NULL,
        PRIMARY KEY (ref)
    )""",
    """CREATE TABLE station (
        id TEXT NOT NULL,
        public_key BLOB NOT NULL,
        rehearsal BOOLEAN NOT NULL,
        registered_ms INTEGER NOT NULL,
        high INTEGER NOT NULL,
        head_hash TEXT NOT NULL,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE event (
        station TEXT NOT NULL,
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        data BLOB NOT NULL,
        hash TEXT NOT NULL,
        sig BLOB NOT NULL,
        received_ms INTEGER NOT NULL,
        quarantine TEXT NOT NULL,
        PRIMARY KEY (station, seq),
        FOREIGN KEY(station) REFERENCES station (id)
    )
     WITHOUT ROWID""",
)

FACTS = ("event", "log_leaf", "alarm", "feed")


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in TABLES:
        op.execute(spelled(statement, dialect))
    for statement in guards(FACTS, dialect):
        op.execute(statement)
