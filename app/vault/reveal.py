"""Showing one secret to one person: asked for with a reason, written down first, closed again for that person only.

The person's program makes a one-time X25519 key and signs the request with it; the vault writes the reveal into its
log, commits, and only then opens the secret and seals it to that key. Beyond the daily quota a second person has to
sign the same request. For footage always: two people stand at the vault's own machine (`app.vault.footage`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import StringConstraints
from sqlalchemy import Connection, and_, delete, func, insert, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from app.core.errors import BadInput, EvidenceTrouble
from app.keys import verifier
from app.store.db import reading, transaction
from app.store.seal import Context, seal_answer
from app.vault.keys import Vault
from app.vault.tables import nonce, person, person_gone, reveal
from app.wire import Name, Signed, Statement, open_statement
from app.wire_vault import QUOTA_A_DAY, RevealRequest, VaultPerson

FRESH_MS = 5 * 60 * 1000
_DAY_MS = 24 * 3600 * 1000
_SHORTEST_REASON, _LONGEST_NAME = 4, 128


Asked = TypeVar("Asked", bound=Statement)


class FootageWish(Statement):
    """Two people want to see a recording: its film, or the originals of what is covered in it (or was never shown)."""

    TYPE = "footage-opening"
    tenant: Name
    station: str
    recording: Name
    what: Literal["film", "originals"]
    reason: Annotated[str, StringConstraints(max_length=400)]
    made_ms: int


@dataclass(frozen=True, slots=True)
class Approval:
    """A second person's signature over the same text."""

    who: str
    sig: bytes


def add_person(vault: Vault, name: str, public_key: bytes) -> None:
    """Let a person ask (Ed25519 key).

    Raises BadInput("vault.person_key"): the name has another key, the key another name (with two names one person would
    be the second one too), or it was taken back.
    """
    with transaction(vault.engine) as connection:
        gone = connection.execute(select(person_gone.c.name).where(person_gone.c.public_key == public_key)).scalar()
        same = or_(person.c.name == name, person.c.public_key == public_key)
        known = connection.execute(select(person.c.name, person.c.public_key).where(same)).all()
        if gone is not None or any((one.name, bytes(one.public_key)) != (name, public_key) for one in known):
            raise BadInput("vault.person_key", name)
        if not known:
            connection.execute(insert(person), {"name": name, "public_key": public_key})


def take_back_person(vault: Vault, name: str, now_ms: int) -> None:
    """From now on the vault, also one that runs, answers this person's key no more, and never again.

    What was asked before stays in the log. Under another key the name may come back. Raises BadInput("vault.person").
    """
    with transaction(vault.engine) as connection:
        row = {"public_key": _key_of(connection, name), "name": name, "at_ms": now_ms}
        connection.execute(insert(person_gone), row)
        connection.execute(delete(person).where(person.c.name == name))


def people(vault: Vault) -> dict[str, list[dict[str, Any]]]:
    """Who may ask, and whose key was taken back when, by name."""
    with reading(vault.engine) as connection:
        now = connection.execute(select(person).order_by(person.c.name)).all()
        gone = connection.execute(select(person_gone).order_by(person_gone.c.name, person_gone.c.at_ms)).all()
    told = [{"name": one.name, "key": bytes(one.public_key).hex()} for one in now]
    left = [{"name": one.name, "key": bytes(one.public_key).hex(), "taken_back_ms": one.at_ms} for one in gone]
    return {"people": told, "taken_back": left}


def told_of_people(vault: Vault) -> list[VaultPerson]:
    """What the centre's log is to have of them, in an order in which it may have happened."""
    now, gone = people(vault).values()
    let_in = [VaultPerson(name=one["name"][:_LONGEST_NAME], public_key=one["key"]) for one in (*gone, *now)]
    return [*let_in, *(one.model_copy(update={"taken_back": True}) for one in let_in[: len(gone)])]


def reveals(vault: Vault) -> list[dict[str, Any]]:
    """The vault's own log, the earliest first: what the centre's list is held against. `id`: as the centre names it."""
    with reading(vault.engine) as connection:
        rows = connection.execute(select(reveal).order_by(reveal.c.id)).all()
    shown = ("at_ms", "who", "approved_by", "station", "card", "field", "reason")
    return [
        {"id": hashlib.sha256(row.request.encode()).hexdigest(), **{name: getattr(row, name) for name in shown}}
        for row in rows
    ]


def grant(vault: Vault, signed: Signed, who: str, now_ms: int, approval: Approval | None = None) -> RevealRequest:
    """Whether this request may be answered; if so it is in the log when this returns, and nothing was opened yet.

    Raises BadInput: vault.person (unknown, signed by another key, or the approval is not another person's),
    vault.reason, vault.stale (too old, or asked before), vault.quota (a second person is needed).
    """
    with transaction(vault.engine) as connection:
        asked = _opened(RevealRequest, signed, who, _key_of(connection, who))
        _check(vault, connection, asked, signed, now_ms)
        approver = _approver(connection, who, signed, approval)
        if not approver and _today(connection, who, now_ms) >= QUOTA_A_DAY:
            raise BadInput("vault.quota", who)
        named = {"station": asked.station, "card": asked.card, "field": asked.field, "reason": asked.reason}
        _write(connection, named, signed, who, approver, now_ms)
    return asked


def grant_footage(vault: Vault, signed: Signed, who: str, approval: Approval, now_ms: int) -> FootageWish:
    """Whether these two people may see footage; if so it is in the log when this returns, and nothing was opened yet.

    Raises as `grant`, but for the quota.
    """
    with transaction(vault.engine) as connection:
        asked = _opened(FootageWish, signed, who, _key_of(connection, who))
        _check(vault, connection, asked, signed, now_ms)
        approver = _approver(connection, who, signed, approval)
        named = {"station": asked.station, "card": asked.recording, "field": asked.what, "reason": asked.reason}
        _write(connection, named, signed, who, approver, now_ms)
    return asked


def answer(vault: Vault, asked: RevealRequest, signed: Signed, blob: bytes) -> bytes:
    """The secret in `blob`, sealed to the one-time key of a request that was granted (`seal.open_answer`).

    Raises EvidenceTrouble("vault.not_openable"); the log keeps the attempt.
    """
    secret = vault.open(blob, Context(vault.centre.tenant, asked.station, asked.card, asked.field))
    try:
        return seal_answer(secret, bytes.fromhex(asked.to_key), signed.text)
    except ValueError as wrong:  # no key of its kind: nothing can be closed with it
        raise EvidenceTrouble("vault.not_openable", "to_key") from wrong


def _opened(kind: type[Asked], signed: Signed, who: str, public_key: bytes) -> Asked:
    try:
        return open_statement(kind, signed, verifier(public_key))
    except EvidenceTrouble as wrong:  # whoever it was, it is not the person whom the vault knows by this name
        raise BadInput("vault.person", who) from wrong


def _key_of(connection: Connection, who: str) -> bytes:
    found = connection.execute(select(person.c.public_key).where(person.c.name == who)).scalar()
    if found is None:
        raise BadInput("vault.person", who)
    return bytes(found)


def _check(
    vault: Vault, connection: Connection, asked: RevealRequest | FootageWish, signed: Signed, now_ms: int
) -> None:
    if asked.tenant != vault.centre.tenant or len(asked.reason.strip()) < _SHORTEST_REASON:
        raise BadInput("vault.reason")
    once = {"hash": hashlib.sha256(signed.text.encode()).hexdigest()}
    fresh = connection.execute(upsert(nonce).on_conflict_do_nothing(), once).rowcount == 1
    if not fresh or abs(now_ms - asked.made_ms) > FRESH_MS:
        raise BadInput("vault.stale")


def _approver(connection: Connection, who: str, signed: Signed, approval: Approval | None) -> str:
    if approval is None:
        return ""
    key = _key_of(connection, approval.who)
    holds = verifier(key)(approval.sig, b"approve " + signed.text.encode())
    if approval.who == who or key == _key_of(connection, who) or not holds:
        raise BadInput("vault.person", approval.who)
    return approval.who


def _today(connection: Connection, who: str, now_ms: int) -> int:
    recent = and_(reveal.c.who == who, reveal.c.at_ms > now_ms - _DAY_MS, reveal.c.approved_by == "")
    return int(connection.execute(select(func.count()).select_from(reveal).where(recent)).scalar_one())


def _write(
    connection: Connection, named: Mapping[str, str], signed: Signed, who: str, approver: str, now_ms: int
) -> None:
    """`named`: what is seen and why, by the log's columns."""
    row = {"at_ms": now_ms, "who": who, "approved_by": approver, "request": signed.text, "sig": signed.sig}
    connection.execute(insert(reveal), {**row, **named})
