"""Showing one secret to one person: asked for with a reason, written down first, closed again for that person only.

The person's program makes a one-time X25519 key and signs the request with it; the vault writes the reveal into its
log, commits, and only then opens the secret and seals it to that key. Beyond the daily quota a second person has to
sign the same request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from app.core.errors import BadInput
from app.keys import verifier
from app.store.db import transaction
from app.store.seal import Context, seal_answer
from app.vault.keys import Vault
from app.vault.tables import nonce, person, reveal
from app.wire import Signed, open_statement
from app.wire_vault import RevealRequest

QUOTA_A_DAY = 20
FRESH_MS = 5 * 60 * 1000
_DAY_MS = 24 * 3600 * 1000
_SHORTEST_REASON = 4


@dataclass(frozen=True, slots=True)
class Approval:
    """A second person's signature over the same text."""

    who: str
    sig: bytes


def add_person(vault: Vault, name: str, public_key: bytes) -> None:
    """Let a person ask (Ed25519 key). Raises BadInput("vault.person") when the name is taken by another key."""
    with transaction(vault.engine) as connection:
        connection.execute(upsert(person).on_conflict_do_nothing(), {"name": name, "public_key": public_key})
        if connection.execute(select(person.c.public_key).where(person.c.name == name)).scalar_one() != public_key:
            raise BadInput("vault.person", name)


def grant(vault: Vault, signed: Signed, who: str, now_ms: int, approval: Approval | None = None) -> RevealRequest:
    """Whether this request may be answered; if so it is in the log when this returns, and nothing was opened yet.

    Raises BadInput: vault.person (unknown, or the approval is not another person's), vault.reason, vault.stale (too
    old, or asked before), vault.quota (a second person is needed). EvidenceTrouble("sync.untrusted_answer").
    """
    with transaction(vault.engine) as connection:
        asked = open_statement(RevealRequest, signed, verifier(_key_of(connection, who)))
        _check(vault, connection, asked, signed, now_ms)
        approver = _approver(connection, who, signed, approval)
        if not approver and _today(connection, who, now_ms) >= QUOTA_A_DAY:
            raise BadInput("vault.quota", who)
        _write(connection, asked, signed, who, approver, now_ms)
    return asked


def answer(vault: Vault, asked: RevealRequest, signed: Signed, blob: bytes) -> bytes:
    """The secret in `blob`, sealed to the one-time key of a request that was granted (`seal.open_answer`).

    Raises EvidenceTrouble("vault.not_openable"); the log keeps the attempt.
    """
    secret = vault.open(blob, Context(vault.centre.tenant, asked.station, asked.card, asked.field))
    return seal_answer(secret, bytes.fromhex(asked.to_key), signed.text)


def _key_of(connection: Connection, who: str) -> bytes:
    found = connection.execute(select(person.c.public_key).where(person.c.name == who)).scalar()
    if found is None:
        raise BadInput("vault.person", who)
    return bytes(found)


def _check(vault: Vault, connection: Connection, asked: RevealRequest, signed: Signed, now_ms: int) -> None:
    if asked.tenant != vault.centre.tenant or len(asked.reason.strip()) < _SHORTEST_REASON:
        raise BadInput("vault.reason")
    once = {"hash": hashlib.sha256(signed.text.encode()).hexdigest()}
    fresh = connection.execute(upsert(nonce).on_conflict_do_nothing(), once).rowcount == 1
    if not fresh or abs(now_ms - asked.made_ms) > FRESH_MS:
        raise BadInput("vault.stale")


def _approver(connection: Connection, who: str, signed: Signed, approval: Approval | None) -> str:
    if approval is None:
        return ""
    holds = verifier(_key_of(connection, approval.who))(approval.sig, b"approve " + signed.text.encode())
    if approval.who == who or not holds:
        raise BadInput("vault.person", approval.who)
    return approval.who


def _today(connection: Connection, who: str, now_ms: int) -> int:
    recent = and_(reveal.c.who == who, reveal.c.at_ms > now_ms - _DAY_MS, reveal.c.approved_by == "")
    return int(connection.execute(select(func.count()).select_from(reveal).where(recent)).scalar_one())


def _write(connection: Connection, asked: RevealRequest, signed: Signed, who: str, approver: str, now_ms: int) -> None:
    row = {"at_ms": now_ms, "who": who, "approved_by": approver, "station": asked.station, "card": asked.card}
    row |= {"field": asked.field, "reason": asked.reason, "request": signed.text, "sig": signed.sig}
    connection.execute(insert(reveal), row)
