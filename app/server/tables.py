"""The centre's tables. What stations reported is only added; triggers (migrations/versions) guard it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("id", BigInteger, primary_key=True),  # always 1
    Column("epoch", Text, nullable=False),  # renewed when the database is put back to an earlier state
    Column("log_size", BigInteger, nullable=False),
    Column("log_peaks", LargeBinary, nullable=False),  # core.merkle.CompactTree
    Column("restored", BigInteger, nullable=False),  # how often that happened
)

station = Table(
    "station",
    metadata,
    Column("id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),  # of now; those before in station_rotation
    Column("rehearsal", Boolean, nullable=False),
    Column("registered_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # pending, active, locked (a fork), revoked
    Column("role", Text, nullable=False),
    Column("revoked_ms", BigInteger),
    Column("seen_ms", BigInteger),
    Column("high", BigInteger, nullable=False),
    Column("head_hash", Text, nullable=False),
)

station_rotation = Table(
    "station_rotation",
    metadata,
    Column("station", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the event; the last that the old key signed
    Column("old_key", LargeBinary, nullable=False),
    Column("new_key", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "seq"),
)

code = Table(
    "code",
    metadata,
    Column("key", LargeBinary, primary_key=True),  # what the enrolment code stands for
    Column("station", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("confirm", Boolean, nullable=False),  # somebody has to compare the words
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_by", LargeBinary),  # the public key that it was used for
)

nonce = Table(
    "nonce",
    metadata,
    Column("station", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
    PrimaryKeyConstraint("station", "nonce"),
    sqlite_with_rowid=False,  # narrow rows; an event is too broad for that
)

event = Table(
    "event",
    metadata,
    Column("station", Text, ForeignKey("station.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("hash", Text, nullable=False),
    Column("sig", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("quarantine", Text, nullable=False),  # why it was not acted on when it came, "" when it was
    PrimaryKeyConstraint("station", "seq"),
)

held_event = Table(  # how an event of the quarantine stands by now; no row: nobody told the station yet
    "held_event",
    metadata,
    Column("station", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("code", Text, nullable=False),  # "" when it was taken up after all
    Column("revision", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "seq"),
)

log_leaf = Table(
    "log_leaf",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),  # from 0
    Column("station", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("log_leaf_place", "station", "seq"),
)

alarm = Table(
    "alarm",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("station", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("hash", Text, nullable=False),
    Column("sig", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# What events name by its SHA-256: sealed secrets, and the records of runs on chips.
sealed = Table(
    "sealed",
    metadata,
    Column("ref", Text, primary_key=True),  # SHA-256 of the blob
    Column("blob", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

chip_fact = Table(
    "chip_fact",
    metadata,
    Column("station", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the event
    Column("kind", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("decision", Text, nullable=False),  # SHA-256 of the decision that opened the gate
    Column("ref", Text, nullable=False),  # SHA-256 of the record, which lies with the sealed blobs
    Column("record", Text, nullable=False),  # missing, held, contradicts
    Column("simulated", Boolean, nullable=False),  # the reader was
    PrimaryKeyConstraint("station", "seq"),
)
Index("chip_record_missing", chip_fact.c.station, chip_fact.c.record)

card = Table(
    "card",
    metadata,
    Column("station", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("verdict", Text, nullable=False),  # the station's latest: kept, review, rejected, withdrawn
    Column("event_hash", Text, nullable=False),  # of the event that said so
    Column("number_ref", Text, index=True),
    Column("pin_ref", Text, index=True),
    Column("revision", BigInteger, nullable=False),  # of the latest decision, 0 before any
    Column("decided_hash", Text, nullable=False),  # event_hash that the latest decision spoke of
    Column("face_value_fen", BigInteger),  # None: nobody knows
    Column("product", Text, nullable=False, server_default=""),  # "": the station did not say
    Column("decided", Text, nullable=False, server_default=""),  # what the latest decision was
    PrimaryKeyConstraint("station", "id"),
)

accept_rule = Table(
    "accept_rule",
    metadata,
    Column("product", Text, primary_key=True),  # "*": all that have no rule of their own
    Column("up_to_fen", BigInteger, nullable=False),  # 0: never
    Column("at_ms", BigInteger, nullable=False),
)

feed = Table(
    "feed",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("xid", BigInteger, nullable=False),  # PostgreSQL: the transaction that wrote it; SQLite: 0
    Column("station", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),  # exactly as signed
    Column("sig", LargeBinary, nullable=False),
)

chunk = Table(
    "chunk",
    metadata,
    Column("oid", Text, primary_key=True),  # SHA-256 of the encrypted bytes
    Column("size", BigInteger, nullable=False),
    Column("verified_ms", BigInteger, nullable=False),
)

video = Table(
    "video",
    metadata,
    Column("station", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("manifest", Text, nullable=False),  # exactly as the station signed it
    Column("sig", LargeBinary, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("durable_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "id"),
)

video_originals = Table(  # the manifest of now, where the first one left out the sealed originals
    "video_originals",
    metadata,
    Column("station", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("sig", LargeBinary, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "id"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),  # C2SP tlog-checkpoint
    Column("at_ms", BigInteger, nullable=False),
)

log_tile = Table(
    "log_tile",
    metadata,
    Column("level", BigInteger, nullable=False),  # its hashes are roots of 256**level leaves each
    Column("n", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),  # 256 of them
    PrimaryKeyConstraint("level", "n"),
)

cosignature = Table(
    "cosignature",
    metadata,
    Column("size", BigInteger, nullable=False),
    Column("station", Text, nullable=False),
    Column("line", Text, nullable=False),  # C2SP tlog-cosignature
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("size", "station"),
    Index("cosignature_of_station", "station", "size"),
)

finding = Table(
    "finding",
    metadata,
    Column("station", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("duplicate_of", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "card"),
)

reference = Table(
    "reference",
    metadata,
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("station", Text, nullable=False),  # whom it is for; "": all that take in real cards
    Column("revision", BigInteger, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "key", "station"),
)

policy_told = Table(
    "policy_told",
    metadata,
    Column("station", Text, nullable=False),  # as in reference
    Column("revision", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # JSON, as it was handed out
    PrimaryKeyConstraint("station", "revision"),
)

policy_applied = Table(
    "policy_applied",
    metadata,
    Column("station", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the event by which the station took it over
    Column("revision", BigInteger, nullable=False),
    PrimaryKeyConstraint("station", "seq"),
)

footage_hold = Table(
    "footage_hold",
    metadata,
    Column("station", Text, nullable=False),
    Column("recording", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the event that holds it
    PrimaryKeyConstraint("station", "recording"),
)

reveal = Table(
    "reveal",
    metadata,
    Column("id", Text, primary_key=True),  # SHA-256 of the request
    Column("station", Text, nullable=False),  # where it was asked, and the answer goes
    Column("who", Text, nullable=False),
    Column("request", Text, nullable=False),  # exactly as the person signed it
    Column("sig", LargeBinary, nullable=False),
    Column("ref", Text, nullable=False),  # of the sealed field
    Column("approver", Text, nullable=False),
    Column("approval", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("answer", LargeBinary),  # sealed to the one-time key of who asked; gone once it was fetched
    Column("asked_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

vault_person = Table(  # told by the vault, for the log
    "vault_person",
    metadata,
    Column("vault", Text, nullable=False),
    Column("public_key", Text, nullable=False),  # Ed25519, in hex
    Column("taken_back", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("vault", "public_key", "taken_back"),
)

restoration = Table(
    "restoration",
    metadata,
    Column("epoch", Text, primary_key=True),  # that began with it
    Column("text", Text, nullable=False),  # wire.Restored exactly as it was signed
    Column("sig", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

checkpoint_token = Table(
    "checkpoint_token",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),  # of the checkpoint
    Column("token", LargeBinary, nullable=False),  # RFC 3161, over the note's exact bytes
    Column("at_ms", BigInteger, nullable=False),
)

catalogue = Table(
    "catalogue",
    metadata,
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Text, nullable=False),
    Column("bundle", LargeBinary, nullable=False),  # app.catalog.bundle, signed inside
)
