"""What the centre handed out to work by, each item signed, the latest of its kind and key.

expected-parcel   known at the desk until the waybill is removed
blocked-card      its number makes a card go to review
user              may sign in, until removed
catalogue         which version is to be installed (by the sync, which fetches it)
policy vault-key revocation       app.store.governing
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from pydantic import ValidationError
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState
from app.core.parcels import CardDraft, DeclaredItem, ExpectedParcel, Reason
from app.core.sampling import POLICY
from app.keys import Verify
from app.store.governing import (
    REVOCATION,
    VAULT_KEY,
    is_revoked,
    key_is_certified,
    policy_is_understood,
    policy_of,
    revoke,
)
from app.store.ledger import Ledger
from app.store.misdirected import Misdirected, for_others
from app.store.seal import keyed
from app.store.tables import centre_key, expected_parcel, operator, policy_told, reference
from app.wire import CatalogueOffer, Expected, Reference, Signed, User, understood

KINDS = ("expected-parcel", "blocked-card", "catalogue", "user", POLICY, VAULT_KEY, REVOCATION)
"""What this release knows. An item of another kind is left for a later one, which reads it again."""

_LISTS = "lists"
_LIST_KEY = select(centre_key.c.key).where(centre_key.c.name == _LISTS)


def announce(connection: Connection, expected: ExpectedParcel) -> None:
    """Learn of a parcel to come; a waybill told again replaces what was known."""
    row = {"waybill": expected.waybill, "order_no": expected.order_no, "declared": expected.declared}
    row["items"] = json.dumps([asdict(item) for item in expected.items])
    statement = insert(expected_parcel).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["waybill"], set_=row))


def apply_references(
    ledger: Ledger, connection: Connection, items: Sequence[Signed], verify: Verify, stamp: Stamp
) -> tuple[int, bool, list[Misdirected]]:
    """Take over those of the items that are newer than what is known; one event tells of all. How many they were,
    whether any was written in a way that this release does not know, and those that are for somebody else.
    """
    found = [understood(Reference, item, verify) for item in items]
    read = [(told, item) for told, item in zip(found, items, strict=True) if told]
    strays = [stray for told, item in read if (stray := for_others(ledger, told, item))]
    ours = [(told, item) for told, item in read if _is_ours(ledger, told)]
    known = [(told, item) for told, item in ours if told.kind in KINDS]
    effects = [(told, _apply(ledger, connection, told, item)) for told, item in known]
    taken = [[told.kind, told.key, told.revision] for told, effect in effects if effect]
    if taken:
        ledger.append(connection, EventKind.REFERENCE_APPLIED, {"items": taken}, stamp, "centre")
    unread = None in found or len(known) < len(ours) or any(effect is None for _, effect in effects)
    return len(taken), unread, strays


def _is_ours(ledger: Ledger, told: Reference) -> bool:
    """What is for all is meant for real cards."""
    identity = ledger.identity
    whose = (identity.station,) if identity.rehearsal else ("", identity.station)
    return told.tenant == identity.centre.tenant and told.station in whose


def _apply(ledger: Ledger, connection: Connection, told: Reference, item: Signed) -> bool | None:
    """Whether the item was news; None when it has no effect here, because of its body or of what was revoked."""
    same = (reference.c.kind == told.kind) & (reference.c.key == told.key)
    known = connection.execute(select(reference.c.revision).where(same)).scalar()
    if known is not None and known >= told.revision:
        return False
    effect = _EFFECTS.get(told.kind)
    if effect is not None and not effect(ledger, connection, told):
        return None
    row = {"kind": told.kind, "key": told.key, "revision": told.revision, "removed": told.removed}
    row |= {"text": item.text, "sig": item.sig}
    statement = insert(reference).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["kind", "key"], set_=row))
    if told.kind == POLICY:  # what is done under it is held against it, also when another one holds
        connection.execute(insert(policy_told), {"revision": told.revision, "text": item.text, "sig": item.sig})
    return True


def _expect(_ledger: Ledger, connection: Connection, told: Reference) -> bool:
    """A parcel that the desk will know, or no longer; False when the item is not understood."""
    if told.removed:
        connection.execute(delete(expected_parcel).where(expected_parcel.c.waybill == told.key))
        return True
    try:
        body = Expected.model_validate(told.body)
    except ValidationError:
        return False
    items = tuple(DeclaredItem(**item.model_dump()) for item in body.items)
    announce(connection, ExpectedParcel(told.key, body.order_no, body.declared, items))
    return True


def _admit(_ledger: Ledger, connection: Connection, told: Reference) -> bool:
    """A person who may sign in from now on, or no longer; False when the item is not understood."""
    if not told.removed and is_revoked(connection, "user", told.key):
        return False
    if told.removed:
        connection.execute(delete(operator).where(operator.c.id == told.key))
        return True
    try:
        body = User.model_validate(told.body)
    except ValidationError:
        return False
    badge = bytes.fromhex(body.badge) or None
    if badge:  # a badge that was handed on belongs to who has it now
        connection.execute(update(operator).where(operator.c.badge_index == badge).values(badge_index=None))
    row: dict[str, object] = {"id": told.key, "name": body.name, "role": body.role.value, "badge_index": badge}
    row |= {"verifier": body.verifier, "central": True}
    connection.execute(insert(operator).values(row).on_conflict_do_update(index_elements=["id"], set_=row))
    return True


_EFFECTS: dict[str, Callable[[Ledger, Connection, Reference], bool]] = {
    "expected-parcel": _expect,
    "user": _admit,
    POLICY: lambda _ledger, _connection, told: told.removed or policy_is_understood(told),
    VAULT_KEY: lambda ledger, _connection, told: key_is_certified(ledger, told),
    REVOCATION: lambda _ledger, connection, told: revoke(connection, told),
}


def list_key(connection: Connection) -> bytes | None:
    """The key that block list and badges are hashed with; None before the centre named any."""
    return connection.execute(_LIST_KEY).scalar()


def keep_list_key(connection: Connection, key: bytes) -> None:
    """Keep the key that block list and badges are hashed with; it comes with the pages that name any."""
    row = {"name": _LISTS, "key": key}
    connection.execute(insert(centre_key).values(row).on_conflict_do_update(index_elements=["name"], set_=row))


def judged(connection: Connection, draft: CardDraft, slow: bytes | None) -> CardDraft:
    """The draft, sent to review when its number is on the centre's list, or it is worth so much that the policy wants
    a second person. `slow`: the number's slow hash.
    """
    if draft.verdict is CardState.REJECTED:
        return draft
    if slow is not None and _is_blocked(connection, slow):
        draft = draft.to_review(Reason.BLOCKED)
    least_fen = policy_of(connection).second_signature_fen
    if least_fen and (draft.face_value_fen or 0) >= least_fen:
        draft = draft.to_review(Reason.SECOND_SIGNATURE)
    return draft


def _is_blocked(connection: Connection, slow: bytes) -> bool:
    key = list_key(connection)
    if key is None:
        return False
    listed = (reference.c.kind == "blocked-card") & (reference.c.key == keyed(slow, key).hex())
    return connection.execute(select(reference.c.removed).where(listed)).scalar() is False


def catalogue_offer(connection: Connection) -> CatalogueOffer | None:
    """The catalogue that the centre wants this station to read by; None when it named none."""
    wanted = (reference.c.kind == "catalogue") & (reference.c.key == "current") & reference.c.removed.is_(False)
    text = connection.execute(select(reference.c.text).where(wanted)).scalar()
    try:
        return CatalogueOffer.model_validate(json.loads(text)["body"]) if text else None
    except ValidationError:
        return None
