"""Which closed recordings have a time-stamp token; the token itself lies beside the journal."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from app.core.audit import EventKind, Stamp
from app.store.ledger import Ledger
from app.store.tables import recording, time_token


@dataclass(frozen=True, slots=True)
class Unstamped:
    """A closed recording without a token, and the hash that closes its chain (hex)."""

    recording_id: str
    final_hash: str


def unstamped(ledger: Ledger) -> tuple[Unstamped, ...]:
    """Closed recordings for which no token was kept, the oldest first."""
    done = select(time_token.c.recording_id)
    wanted = select(recording).where(recording.c.state == "recorded", recording.c.id.not_in(done))
    with ledger.reading() as connection:
        rows = connection.execute(wanted.order_by(recording.c.closed_seq))
        return tuple(Unstamped(row.id, row.final_hash) for row in rows)


def note_token(ledger: Ledger, recording_id: str, stamped_us: int, sha256: str, stamp: Stamp) -> None:
    """Record that a token lies beside a recording: `stamped_us` by the authority's clock, the SHA-256 of its bytes.

    A second token changes nothing.
    """

    def work(connection: Connection) -> None:
        if stamped_at(connection, recording_id) is not None:
            return
        body = {"recording": recording_id, "stamped_us": stamped_us, "sha256": sha256}
        event = ledger.append(connection, EventKind.RECORDING_TIME_STAMPED, body, stamp, "")
        row = {"recording_id": recording_id, "stamped_us": stamped_us, "seq": event.seq}
        connection.execute(insert(time_token), row)

    ledger.write(work)


def stamped_at(connection: Connection, recording_id: str) -> int | None:
    """When the authority saw a recording closed (µs since 1970), None without a token."""
    wanted = select(time_token.c.stamped_us).where(time_token.c.recording_id == recording_id)
    found: int | None = connection.execute(wanted).scalar()
    return found
