"""The station's tables. Facts are only added: triggers (migrations/versions/0002) refuse to change or delete them."""

from __future__ import annotations

from sqlalchemy import BLOB, Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text, literal_column, text

metadata = MetaData()

# An index on what stands inside a column serves only a query that says it to the letter, without a bound parameter.
# What is no JSON (somebody bent it) has no place in it and keeps no database from being upgraded.
CHIP_UID = literal_column("CASE WHEN json_valid(tag) THEN json_extract(tag, '$.uid') END", Text)  # of a card
CENTRE_MS = literal_column(  # the centre's time at an event, as far as the station knew it
    "CASE WHEN json_valid(CAST(data AS TEXT)) "
    "THEN at_wall_us / 1000 + json_extract(CAST(data AS TEXT), '$.clock_offset') END",
    Integer,
)

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("station", Text, nullable=False),
    Column("rehearsal", Boolean, nullable=False),
    Column("centre", Text, nullable=False),  # wire.Centre as JSON, pinned
    Column("signing_seed", BLOB, nullable=False),  # the first; later ones in rotated_key
    Column("index_key", BLOB, nullable=False),  # K_station of the duplicate index
    Column("index_memory_kib", Integer, nullable=False),
    Column("index_passes", Integer, nullable=False),
)

rotated_key = Table(
    "rotated_key",
    metadata,
    Column("seq", Integer, ForeignKey("outbox.seq"), primary_key=True),  # of the event that names it; it signs the next
    Column("seed", BLOB, nullable=False),
)

followed_centre = Table(
    "followed_centre",
    metadata,
    Column("id", Integer, primary_key=True),
    # Of the event that tells of it; None where the chain was frozen (put back from a backup) when it was heard.
    Column("seq", Integer, ForeignKey("outbox.seq")),
    Column("centre", Text, nullable=False),  # wire.Centre as JSON: what was pinned, with the centre's newer key
)

operator = Table(
    "operator",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("badge_index", BLOB, unique=True),
    Column("verifier", Text, nullable=False),  # argon2id, encoded
    Column("central", Boolean, nullable=False, default=False),  # by the centre's word
)

wrong_passcode = Table(
    "wrong_passcode",
    metadata,
    Column("operator_id", Text, primary_key=True),  # as it was typed, known or not
    Column("times", Integer, nullable=False),  # since the last right one
    Column("until_us", Integer, nullable=False),  # wall clock; before it no passcode is looked at
)

expected_parcel = Table(
    "expected_parcel",
    metadata,
    Column("waybill", Text, primary_key=True),
    Column("order_no", Text, nullable=False),
    Column("declared", Integer, nullable=False),
    Column("items", Text, nullable=False),  # JSON
)

parcel = Table(
    "parcel",
    metadata,
    Column("id", Text, primary_key=True),
    Column("waybill", Text, nullable=False, index=True),
    Column("expected", Text, nullable=False),  # JSON, as it was announced when the parcel was opened
    Column("recording_id", Text, nullable=False),
    Column("operator_id", Text, nullable=False),
    Column("operator_name", Text, nullable=False),
    Column("operator_role", Text, nullable=False),
    Column("opened_seq", Integer, nullable=False),
    Column("state", Text, nullable=False, index=True),  # open, sealed, stopped
    Column("shots", Text, nullable=False),  # JSON: times in the recording, µs
    Column("way_out", Text),
    Column("closed_wall_us", Integer),
)

card = Table(
    "card",
    metadata,
    Column("id", Text, primary_key=True),
    Column("read_id", Text, nullable=False, unique=True),
    Column("parcel_id", Text, ForeignKey("parcel.id"), nullable=False, index=True),
    Column("no", Integer, nullable=False),
    Column("product_id", Text),
    Column("gtin", Text),
    Column("last4", Text, nullable=False),
    Column("dedupe", BLOB),  # keyed slow hash of the number; None when it could not be read
    Column("claims", Boolean, nullable=False),  # holds its number against later cards
    Column("panel", Text, nullable=False),
    Column("expiry", Text),
    Column("face_value_fen", Integer),
    Column("recording_id", Text, nullable=False),
    Column("t_video_us", Integer, nullable=False),
    Column("tag", Text),  # JSON
    Column("kept_seq", Integer, ForeignKey("outbox.seq"), nullable=False, index=True),
    Column("kept_wall_us", Integer, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("reasons", Text, nullable=False),  # JSON
    Column("event_hash", Text, nullable=False),  # of the station's latest event on this card
    Column("revision", Integer, nullable=False),  # of the centre's latest decision, 0 before any
    Column("withdrawn", Boolean, nullable=False),
    Column("chip", Text),  # what came of its chip
    Column("chip_evidence", Text),  # SHA-256 of the record that says so
    Column("batch", Text),
    Column("region", Text),  # ISO 3166
    Index("card_chip_uid", CHIP_UID),
)
Index("card_number_once", card.c.dedupe, unique=True, sqlite_where=card.c.claims)

# What events name by its SHA-256: sealed secrets, and the records of runs on chips (what those held is sealed in them).
sealed = Table(
    "sealed",
    metadata,
    Column("ref", Text, primary_key=True),  # SHA-256 of the blob
    Column("seq", Integer, ForeignKey("outbox.seq"), nullable=False, index=True),
    Column("card_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("key_id", Text, nullable=False),  # of the vault key that the blob is sealed to, "" for a record
    Column("blob", BLOB, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("at_wall_us", Integer, nullable=False),
    Column("data", BLOB, nullable=False),
    Column("hash", Text, nullable=False),
    Column("sig", BLOB, nullable=False),
    Column("prev", Text, nullable=False),
    Index("outbox_centre_ms", CENTRE_MS),
)

receipt = Table(
    "receipt",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", Text, nullable=False),
    Column("high", Integer, nullable=False),
    Column("head_hash", Text, nullable=False),
    Column("server_time_ms", Integer, nullable=False),
    Column("text", Text, nullable=False),  # exactly as it was signed
    Column("sig", BLOB, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("card_id", Text, ForeignKey("card.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("sig", BLOB, nullable=False),
)

feed_state = Table(
    "feed_state",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("heard_us", Integer, nullable=False, default=0),  # wall clock of the latest page
    Column("reader", Text, nullable=False, default=""),  # which release read up to there
    Column("unread", Text),  # cursor before the first item that it did not understand; None: there was none
)

held = Table(
    "held",
    metadata,
    Column("seq", Integer, ForeignKey("outbox.seq"), primary_key=True),  # of an event in the centre's quarantine
    Column("code", Text, nullable=False),  # why, "" when it was taken up after all
    Column("revision", Integer, nullable=False),
    Column("card_id", Text, nullable=False),  # which it speaks of, "" for none
    Column("before", Text, nullable=False),  # how the card stood when it was stopped by this, "" when it was not
    Index("held_card", "card_id"),
)

expired_decision = Table(
    "expired_decision",
    metadata,
    Column("card_id", Text, ForeignKey("card.id"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("sig", BLOB, nullable=False),
)

retry = Table(
    "retry",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("next_try_ms", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
)

recording = Table(
    "recording",
    metadata,
    Column("id", Text, primary_key=True),
    Column("parcel_id", Text, nullable=False),
    Column("key", BLOB, nullable=False),
    Column("state", Text, nullable=False),  # recording, recorded
    Column("final_hash", Text, nullable=False),
    Column("closed_seq", Integer),
    Column("role", Text, nullable=False, server_default=text("'overhead'")),  # overhead, label
)

durable = Table(
    "durable",
    metadata,
    Column("recording_id", Text, ForeignKey("recording.id"), primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("sig", BLOB, nullable=False),
)

hold = Table(
    "hold",
    metadata,
    Column("recording_id", Text, ForeignKey("recording.id"), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("operator_id", Text, nullable=False),
    Column("wall_us", Integer, nullable=False),
    Column("seq", Integer, ForeignKey("outbox.seq"), nullable=False),
)

removed = Table(
    "removed",
    metadata,
    Column("recording_id", Text, ForeignKey("recording.id"), primary_key=True),
    Column("seq", Integer, ForeignKey("outbox.seq"), nullable=False),
)

leak_check = Table(
    "leak_check",
    metadata,
    Column("recording_id", Text, ForeignKey("recording.id"), primary_key=True),
    Column("to_us", Integer, nullable=False),  # read up to here
    Column("frames", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("sights", Text, nullable=False),  # JSON: times, engines and how, never characters
    Column("result", Text, nullable=False),  # "" while it goes on, clear, found, unreadable
    Column("seq", Integer, ForeignKey("outbox.seq")),
    Column("judged_seq", Integer, ForeignKey("outbox.seq")),
)

time_token = Table(
    "time_token",
    metadata,
    Column("recording_id", Text, ForeignKey("recording.id"), primary_key=True),
    Column("stamped_us", Integer, nullable=False),  # by the authority's clock
    Column("seq", Integer, ForeignKey("outbox.seq"), nullable=False),
)

recording_head = Table(
    "recording_head",
    metadata,
    Column("recording_id", Text, ForeignKey("recording.id"), primary_key=True),
    Column("n", Integer, primary_key=True),  # of the record whose hash it is
    Column("seq", Integer, ForeignKey("outbox.seq"), nullable=False),
)

witnessed = Table(
    "witnessed",
    metadata,
    Column("recording_id", Text, ForeignKey("recording.id"), primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("bundle", Text, nullable=False),  # JSON: the centre's word with what it is checked by
)

ruling = Table(
    "ruling",
    metadata,
    Column("seq", Integer, ForeignKey("outbox.seq"), primary_key=True),
    Column("card_id", Text, ForeignKey("card.id"), nullable=False, index=True),
    Column("ruling", Text, nullable=False),  # accept, reject, hold
    Column("operator_id", Text, nullable=False),
    Column("wall_us", Integer, nullable=False),
    Column("before", Text, nullable=False),  # the card's reasons before it, JSON
    Column("claimed", Boolean, nullable=False),  # whether it held its number before
    Column("undone_seq", Integer, ForeignKey("outbox.seq")),
)

sample = Table(
    "sample",
    metadata,
    Column("card_id", Text, ForeignKey("card.id"), primary_key=True),
    Column("drawn_seq", Integer, ForeignKey("outbox.seq")),  # None: the lot did not fall on it
    Column("wall_us", Integer, nullable=False),
    Column("judged_seq", Integer, ForeignKey("outbox.seq")),
)

station_key = Table(
    "station_key",
    metadata,
    Column("name", Text, primary_key=True),  # sample
    Column("key", BLOB, nullable=False),
)

dispute = Table(
    "dispute",
    metadata,
    Column("id", Text, primary_key=True),
    Column("recording_id", Text, ForeignKey("recording.id"), nullable=False),
    Column("card_id", Text, nullable=False),  # "": the whole parcel
    Column("reason", Text, nullable=False),
    Column("opened_us", Integer, nullable=False),
    Column("opened_seq", Integer, ForeignKey("outbox.seq"), nullable=False),
    Column("settled_seq", Integer, ForeignKey("outbox.seq")),
    Column("upheld", Boolean),
)

dispute_evidence = Table(
    "dispute_evidence",
    metadata,
    Column("dispute_id", Text, ForeignKey("dispute.id"), primary_key=True),
    Column("seq", Integer, ForeignKey("outbox.seq"), primary_key=True),
    Column("of_seq", Integer, ForeignKey("outbox.seq"), nullable=False),  # the export that it is
    Column("sha256", Text, nullable=False),
)

restored = Table(
    "restored",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_wall_us", Integer, nullable=False),  # when this database was put back from a backup
    Column("head", Integer, nullable=False),  # the number of its last event then
    Column("settled", Boolean, nullable=False),  # the centre said that the chain goes on there
)

tree_head = Table(
    "tree_head",
    metadata,
    Column("size", Integer, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("root", BLOB, nullable=False),
    Column("note", Text, nullable=False),  # the checkpoint as the centre signed it
)

other_station = Table(
    "other_station",
    metadata,
    Column("station", Text, primary_key=True),
    Column("public_key", BLOB, nullable=False),  # by which it spoke last; no other speaks for it but one that it names
    Column("size", Integer, nullable=False),  # of the checkpoint that it countersigned last, as far as was shown
    Column("at_s", Integer, nullable=False),  # and when, by its own clock
)

epoch_account = Table(
    "epoch_account",
    metadata,
    Column("epoch", Text, primary_key=True),  # of the centre, over
    Column("kept", Integer, nullable=False),  # so many of its entries are still there
    Column("seen", Integer, nullable=False),  # so many we had seen
    Column("seq", Integer, ForeignKey("outbox.seq"), nullable=False),  # the event that says so
)

reference = Table(
    "reference",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("text", Text, nullable=False),  # wire.Reference exactly as it was signed
    Column("sig", BLOB, nullable=False),
)

revoked = Table(
    "revoked",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1: once is for good
    Column("at_wall_us", Integer, nullable=False),  # when the centre's word was heard
    Column("proof", Text, nullable=False),  # JSON: the centre's word exactly as it was signed
    Column("public_keys", Text, nullable=False),  # JSON, hex, the oldest first; "" while the seeds are here
    Column("shredded", Boolean, nullable=False),  # all that the centre holds is shredded here
)

policy_told = Table(
    "policy_told",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("text", Text, nullable=False),  # wire.Reference exactly as it was signed; reference has the latest only
    Column("sig", BLOB, nullable=False),
)

centre_key = Table(
    "centre_key",
    metadata,
    Column("name", Text, primary_key=True),  # lists
    Column("key", BLOB, nullable=False),
)
