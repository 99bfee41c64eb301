"""Another signing key for this station: made, named by an event and kept, all in one transaction.

The first key's seed stays where it was (`meta`), and with it what is derived from it; so do the others: a centre that
was put back to a state before the change knows only them, and their recordings are still to be exported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput
from app.keys import Signer, Verify, by_any_key, new_seed
from app.rotation import rotation_body
from app.store.ledger import Identity, Ledger, head_of
from app.store.recordings import unclosed
from app.store.tables import recording, rotated_key


@dataclass(frozen=True, slots=True)
class Rotated:
    """The event's number and both public keys (32 bytes)."""

    seq: int
    old_key: bytes
    new_key: bytes


def rotate(ledger: Ledger, stamp: Stamp, actor: str, seed: Callable[[], bytes] = new_seed) -> Rotated:
    """Let a fresh key sign from the next event on. When it returns, key and event are durable, or neither is.

    Raises BadInput("station.recording_open") while a recording is not closed: its journal is signed by the old key to
    its end. StorageTrouble as every write.
    """
    fresh = seed()
    new = Signer(fresh)

    def work(connection: Connection) -> Rotated:
        if unclosed(connection):
            raise BadInput("station.recording_open", ledger.identity.station)
        ledger.look_at_keys(connection)
        identity = ledger.identity
        last, prev = head_of(connection)
        old_key = identity.signer.public_key
        body = rotation_body(identity.station, last + 1, prev, old_key, new)
        event = ledger.append(connection, EventKind.KEY_ROTATED, body, stamp, actor)
        connection.execute(insert(rotated_key), {"seq": event.seq, "seed": fresh})
        return Rotated(event.seq, old_key, new.public_key)

    done = ledger.write(work)
    ledger.identity_now()
    return done


def key_at(ledger: Ledger, seq: int) -> bytes:
    """The public key (32 bytes) that signed event number `seq`."""
    identity = ledger.identity_now()
    return identity.signers[_place_of(identity, seq)].public_key


def recording_seed(ledger: Ledger, recording_id: str) -> bytes:
    """The seed that signed a recording's journal: of its closing event's place. One that is not closed is signed by the
    key of now, which does not change before its end.
    """
    return ledger.identity.seeds[_signed_by(ledger, recording_id)]


def recording_key(ledger: Ledger, recording_id: str) -> str:
    """The public key (hex) of the same."""
    place = _signed_by(ledger, recording_id)
    return ledger.identity.signers[place].public_key.hex()


def _signed_by(ledger: Ledger, recording_id: str) -> int:
    """The place (from the newest) of the key that signed a recording's journal."""
    with ledger.reading() as connection:
        ledger.look_at_keys(connection)
        closed = connection.execute(select(recording.c.closed_seq).where(recording.c.id == recording_id)).scalar()
    return 0 if closed is None else _place_of(ledger.identity, closed)


def _place_of(identity: Identity, seq: int) -> int:
    """`key_seqs` name the last event of the key before, the newest first."""
    return sum(seq <= last for last in identity.key_seqs)


def any_key(identity: Identity) -> Verify:
    """A check for what one of the station's keys signed, of now or of before."""
    return by_any_key(one.public_key for one in identity.signers)
