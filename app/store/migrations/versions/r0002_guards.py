"""Triggers that keep facts from being changed or deleted. They stop accidents; the signed chain stops attackers."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

NEVER_CHANGED = ("outbox", "receipt", "decision", "sealed", "meta")
NEVER_DELETED = ("outbox", "receipt", "decision", "meta", "card", "parcel", "recording")
"""Sealed blobs may be deleted: that shreds a secret, while the chain keeps its hash."""

READ_ONCE = (
    "id, read_id, parcel_id, no, product_id, gtin, last4, dedupe, panel, expiry, face_value_fen, recording_id, "
    "t_video_us, tag, kept_seq, kept_wall_us"
)
"""What was read of a card; its state, reasons and decision may change."""

GUARDS = (
    *(
        f"CREATE TRIGGER {t}_unchanged BEFORE UPDATE ON {t} BEGIN SELECT RAISE(ABORT, '{t} is never changed'); END"
        for t in NEVER_CHANGED
    ),
    *(
        f"CREATE TRIGGER {t}_undeleted BEFORE DELETE ON {t} BEGIN SELECT RAISE(ABORT, '{t} is never deleted'); END"
        for t in NEVER_DELETED
    ),
    f"CREATE TRIGGER card_as_read BEFORE UPDATE OF {READ_ONCE} ON card "
    "BEGIN SELECT RAISE(ABORT, 'what was read of a card is never changed'); END",
    "CREATE TRIGGER outbox_gapless BEFORE INSERT ON outbox "
    "WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM outbox) "
    "BEGIN SELECT RAISE(ABORT, 'the outbox has no gaps'); END",
)


def upgrade() -> None:
    for guard in GUARDS:
        op.execute(guard)
