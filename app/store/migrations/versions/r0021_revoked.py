"""The centre's word that this station counts no more. Once it is there, and never before, keys and people may go."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"

_SHREDDED_ONLY_THEN = (
    ("meta_unchanged", "UPDATE OF signing_seed, index_key ON meta", "meta is never changed"),
    ("rotated_key_update_refused", "UPDATE OF seed ON rotated_key", "rotated_key is a fact"),
    ("reference_undeleted", "DELETE ON reference", "reference is never deleted"),
)


def upgrade() -> None:
    op.execute(
        "CREATE TABLE revoked (id INTEGER NOT NULL, at_wall_us INTEGER NOT NULL, proof TEXT NOT NULL, "
        "public_keys TEXT NOT NULL, shredded BOOLEAN NOT NULL, PRIMARY KEY (id), CHECK (id = 1))"
    )
    op.execute(
        "CREATE TRIGGER revoked_undeleted BEFORE DELETE ON revoked "
        "BEGIN SELECT RAISE(ABORT, 'a revocation is for good'); END"
    )
    for name, what, why in _SHREDDED_ONLY_THEN:
        op.execute(f"DROP TRIGGER {name}")
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {what} WHEN NOT EXISTS (SELECT 1 FROM revoked) "
            f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
        )
    others = "id, station, rehearsal, centre, index_memory_kib, index_passes"
    op.execute(
        f"CREATE TRIGGER meta_others_unchanged BEFORE UPDATE OF {others} ON meta "
        "BEGIN SELECT RAISE(ABORT, 'meta is never changed'); END"
    )
    op.execute(
        "CREATE TRIGGER rotated_key_seq_unchanged BEFORE UPDATE OF seq ON rotated_key "
        "BEGIN SELECT RAISE(ABORT, 'rotated_key is a fact'); END"
    )
