"""What the centre keeps without having taken it up; which release read the feed; decisions that came too late.

Earlier releases passed over what they did not know without noting where: the feed is read from its start once more.
"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE held (seq INTEGER NOT NULL, code TEXT NOT NULL, revision INTEGER NOT NULL, "
        "card_id TEXT NOT NULL, before TEXT NOT NULL, PRIMARY KEY (seq), FOREIGN KEY (seq) REFERENCES outbox (seq))"
    )
    op.execute("CREATE INDEX held_card ON held (card_id)")
    op.execute(
        "CREATE TABLE expired_decision (card_id TEXT NOT NULL, revision INTEGER NOT NULL, text TEXT NOT NULL, "
        "sig BLOB NOT NULL, PRIMARY KEY (card_id), FOREIGN KEY (card_id) REFERENCES card (id))"
    )
    op.execute("ALTER TABLE feed_state ADD COLUMN reader TEXT NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE feed_state ADD COLUMN unread TEXT")
    op.execute("UPDATE feed_state SET unread = ''")
