"""The centre's newer key, as the tenant root named it: kept, and told in the chain, in one transaction."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from app.centre_keys import by_any, followed
from app.core.audit import EventKind, Stamp
from app.keys import Verify
from app.store.ledger import Ledger
from app.store.tables import followed_centre
from app.wire import Centre


def follow_centre(ledger: Ledger, told: Centre, stamp: Stamp) -> bool:
    """Pin the newest key that `told` names; False when none there is newer than what is pinned.

    While the chain is frozen (put back from a backup) no event tells of it: the centre has to be understood first.
    Raises EvidenceTrouble("sync.untrusted_answer") when it is not by the pinned root.
    """

    def work(connection: Connection) -> bool:
        ledger.look_at_keys(connection)
        before = ledger.identity.centre
        after = followed(before, told)
        if after is None or after.server is None:
            return False
        seq = None
        if not ledger.frozen:
            body = {"old_key": before.server_key, "new_key": after.server_key}
            body |= {"certificate": after.server.text, "sig": after.server.sig.hex()}
            seq = ledger.append(connection, EventKind.CENTRE_KEY_FOLLOWED, body, stamp, "centre").seq
        connection.execute(insert(followed_centre), {"seq": seq, "centre": after.model_dump_json()})
        return True

    done = ledger.write(work)
    ledger.identity_now()
    return done


def centre_signed(ledger: Ledger) -> Verify:
    """A check for what the centre signed, by whichever of its keys that are known when it is asked."""
    return lambda sig, data: by_any(ledger.identity.centre)(sig, data)
