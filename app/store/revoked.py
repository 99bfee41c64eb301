"""A station that the centre revoked: the centre's signed word is kept, and what may be shredded is shredded.

At once, with the word itself, goes what a thief could use and nobody needs to see what was taken in here: the key of
the duplicate index, the people's verifiers and badges, the block list with its key. When the centre has acknowledged
every event, the sealed secrets, the copies of the database and the station's signing keys go too. What no receipt
speaks of stays, so do the chain, its receipts and the footage: they are evidence, and may lie nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from app.centre_keys import by_any
from app.core.audit import EventKind, Stamp
from app.core.errors import EvidenceTrouble
from app.keys import Verify
from app.platform import disk_trouble
from app.signing import SignedAnswer
from app.store.backup import copies
from app.store.chips import keep_journal_key
from app.store.db import checkpoint
from app.store.exchange import high_received
from app.store.keyfile import key_path
from app.store.ledger import Identity, Ledger, head_of
from app.store.recordings import unclosed
from app.store.tables import (
    centre_key,
    meta,
    operator,
    reference,
    revoked,
    rotated_key,
    sealed,
    wrong_passcode,
)
from app.wire import Reference, Signed, content_digest, open_statement

_SAID = "station.revoked"
_OF_PEOPLE = ("user", "blocked-card")
_SHREDDED_AT_ONCE = ["index-key", "list-key", "people", "block-list"]


def by_answer(answer: SignedAnswer) -> str:
    """The centre's word by an answer that it signed, as it is kept."""
    fields = {"status": answer.status, "content_type": answer.content_type, "body": answer.body.decode()}
    return json.dumps({**fields, "params": answer.params, "signature": answer.signature}, sort_keys=True)


def by_feed(told: Signed) -> str:
    """The centre's word by a revocation in its feed, as it is kept."""
    return json.dumps({"text": told.text, "sig": told.sig.hex()}, sort_keys=True)


def is_ended(ledger: Ledger) -> bool:
    """Whether the centre revoked this station, by its word that lies here."""
    with ledger.reading() as connection:
        return ledger.revoked(connection) is not None


def is_shredded(ledger: Ledger) -> bool:
    """Whether all went that may go: nothing is left to be brought to the centre."""
    with ledger.reading() as connection:
        row = ledger.revoked(connection)
        return row is not None and bool(row.shredded)


def hear(ledger: Ledger, proof: str, stamp: Stamp) -> bool:
    """Keep the centre's word and shred at once what nobody needs any more; False when it lay here already.

    Raises EvidenceTrouble("sync.untrusted_answer") when the word is not by the pinned centre; then nothing was done.
    """
    require_word(ledger.identity_now(), proof)

    def work(connection: Connection) -> bool:
        if ledger.revoked(connection) is not None:
            return False
        row = {"id": 1, "at_wall_us": stamp.wall_us, "proof": proof, "public_keys": "", "shredded": False}
        connection.execute(insert(revoked), row)
        connection.execute(update(meta).values(index_key=bytes(32)))
        for gone in (operator, wrong_passcode, centre_key):
            connection.execute(delete(gone))
        connection.execute(delete(reference).where(reference.c.kind.in_(_OF_PEOPLE)))
        if not ledger.frozen:
            body = {"word": hashlib.sha256(proof.encode()).hexdigest(), "shredded": _SHREDDED_AT_ONCE}
            ledger.append(connection, EventKind.STATION_REVOKED, body, stamp, "centre")
        return True

    done = ledger.write(work)
    ledger.identity_now()
    checkpoint(ledger.engine)
    return done


def require_word(identity: Identity, proof: str) -> None:
    """Raises EvidenceTrouble("sync.untrusted_answer") unless the pinned centre says there that it revoked this one."""
    verify = by_any(identity.centre)
    try:
        told = json.loads(proof)
        good = _feed_says(identity, told, verify) if "text" in told else _answer_says(told, verify)
    except (ValueError, KeyError, TypeError) as wrong:
        raise EvidenceTrouble("sync.untrusted_answer", "revocation: form") from wrong
    if not good:
        raise EvidenceTrouble("sync.untrusted_answer", "revocation")


def _feed_says(identity: Identity, told: dict[str, Any], verify: Verify) -> bool:
    signed = Signed.model_construct(text=str(told["text"]), sig=bytes.fromhex(told["sig"]))
    stated = open_statement(Reference, signed, verify)
    mine = (identity.centre.tenant, "revocation", f"station/{identity.station}", False)
    return (stated.tenant, stated.kind, stated.key, stated.removed) == mine


def _answer_says(told: dict[str, Any], verify: Verify) -> bool:
    """The client held it against the nonce of this station's own request before it came here."""
    body = str(told["body"]).encode()
    answer = SignedAnswer(int(told["status"]), told["content_type"], body, told["params"], told["signature"])
    says = answer.status == 403 and json.loads(body)["code"] == _SAID
    return says and answer.holds(verify, content_digest(body))


def shred(ledger: Ledger, backups: Path | None, lacking: Collection[str] = ()) -> bool:
    """Shred what the centre holds; True when nothing is left to be brought or closed here.

    While an event waits for its receipt, or the centre lacks a blob (`lacking`: by SHA-256), nothing goes; while a
    recording is open, the keys stay that sign its journal.
    Copies of this database in `backups` go too: the keys are in them. Raises StorageTrouble.
    """

    def work(connection: Connection) -> bool:
        row = ledger.revoked(connection)
        if row is None or lacking or head_of(connection)[0] > high_received(connection):
            return False
        connection.execute(delete(sealed).where(sealed.c.seq <= high_received(connection)))
        if row.shredded or unclosed(connection):
            return bool(row.shredded)
        _forget_seeds(ledger, connection)
        return True

    done = ledger.write(work)
    if is_ended(ledger):
        ledger.identity_now()
        checkpoint(ledger.engine)
        if done:
            _drop_copies(_file_of(ledger), backups)
    return done


def _forget_seeds(ledger: Ledger, connection: Connection) -> None:
    """The public halves stay: the chain is checked by them. So does the key of the chip journal, which is evidence."""
    identity = ledger.identity
    keep_journal_key(ledger, connection)
    public = [one.public_key.hex() for one in reversed(identity.signers)]
    connection.execute(update(revoked).values(public_keys=json.dumps(public), shredded=True))
    connection.execute(update(meta).values(signing_seed=b""))
    connection.execute(update(rotated_key).values(seed=b""))


def _file_of(ledger: Ledger) -> Path:
    with ledger.reading() as connection:
        wanted = "SELECT file FROM pragma_database_list WHERE name = 'main'"
        return Path(str(connection.exec_driver_sql(wanted).scalar_one()))


def _drop_copies(database: Path, backups: Path | None) -> None:
    """Copies under the same key only: another station's may lie beside them."""
    mine = key_path(database).read_bytes()
    try:
        for one in copies(backups) if backups is not None else ():
            wrapped = key_path(one / database.name)
            if wrapped.is_file() and wrapped.read_bytes() == mine:
                shutil.rmtree(one)
        for one in database.parent.glob(f"{database.name}.before-*"):
            one.unlink()
    except OSError as trouble:
        raise disk_trouble(trouble, "backup") from trouble
