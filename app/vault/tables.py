"""The vault's tables, all in one encrypted file. Reveals are facts: triggers keep them as they are."""

from __future__ import annotations

from sqlalchemy import BLOB, BigInteger, Column, Integer, MetaData, PrimaryKeyConstraint, Table, Text

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),  # what the centre calls this vault
    Column("centre", Text, nullable=False),
    Column("signing_seed", BLOB, nullable=False),
    Column("index_key", BLOB, nullable=False),  # never leaves this file
    Column("next_seed", BLOB),  # of a key that the centre may know already; None: no change is under way
)

vault_key = Table(
    "vault_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("private", BLOB, nullable=False),  # X25519; old ones stay, or what they sealed could not be read any more
)

claim = Table(
    "claim",
    metadata,
    Column("number", BLOB, primary_key=True),  # HMAC of the card number
    Column("station", Text, nullable=False),
    Column("card", Text, nullable=False),
)

person = Table(
    "person",
    metadata,
    Column("name", Text, primary_key=True),
    Column("public_key", BLOB, nullable=False),  # Ed25519
)

person_gone = Table(
    "person_gone",
    metadata,
    Column("public_key", BLOB, primary_key=True),
    Column("name", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

reveal = Table(
    "reveal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("approved_by", Text, nullable=False),  # "" within the quota
    Column("station", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("request", Text, nullable=False),  # exactly as it was signed
    Column("sig", BLOB, nullable=False),
)

nonce = Table("nonce", metadata, Column("hash", Text, nullable=False), PrimaryKeyConstraint("hash"))
