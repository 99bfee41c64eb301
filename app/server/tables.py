"""The centre's tables. What stations reported is only added; triggers (migrations/versions) guard it."""

from __future__ import annotations

from sqlalchemy import BLOB, Boolean, Column, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table, Text

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("epoch", Text, nullable=False),  # renewed when the database is put back to an earlier state
    Column("log_size", Integer, nullable=False),
    Column("log_peaks", BLOB, nullable=False),  # store.merkle.CompactTree
)

station = Table(
    "station",
    metadata,
    Column("id", Text, primary_key=True),
    Column("public_key", BLOB, nullable=False),
    Column("rehearsal", Boolean, nullable=False),
    Column("registered_ms", Integer, nullable=False),
    Column("high", Integer, nullable=False),
    Column("head_hash", Text, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("station", Text, ForeignKey("station.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", BLOB, nullable=False),
    Column("hash", Text, nullable=False),
    Column("sig", BLOB, nullable=False),
    Column("received_ms", Integer, nullable=False),
    Column("quarantine", Text, nullable=False),  # why it is not acted on, "" when it is
    PrimaryKeyConstraint("station", "seq"),
    sqlite_with_rowid=False,
)

log_leaf = Table(
    "log_leaf",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),  # from 0
    Column("station", Text, nullable=False),
    Column("seq", Integer, nullable=False),
)

alarm = Table(
    "alarm",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("data", BLOB, nullable=False),
    Column("hash", Text, nullable=False),
    Column("sig", BLOB, nullable=False),
    Column("at_ms", Integer, nullable=False),
)

sealed = Table(
    "sealed",
    metadata,
    Column("ref", Text, primary_key=True),  # SHA-256 of the blob
    Column("blob", BLOB, nullable=False),
    Column("received_ms", Integer, nullable=False),
)

card = Table(
    "card",
    metadata,
    Column("station", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("verdict", Text, nullable=False),  # the station's latest: kept, review, rejected, withdrawn
    Column("event_hash", Text, nullable=False),  # of the event that said so
    Column("number_ref", Text, index=True),
    Column("pin_ref", Text, index=True),
    Column("revision", Integer, nullable=False),  # of the latest decision, 0 before any
    Column("decided_hash", Text, nullable=False),  # event_hash that the latest decision spoke of
    PrimaryKeyConstraint("station", "id"),
)

feed = Table(
    "feed",
    metadata,
    Column("id", Integer, primary_key=True),  # one writer at a time, so ids appear in the order of commits
    Column("station", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),  # exactly as signed
    Column("sig", BLOB, nullable=False),
)
