"""What the centre governs a station by: its policy, the vault's keys, and who or what was revoked.

All three come by the feed as references (`store.reference`), signed by the centre; a vault key's certificate besides by
the tenant root, which the centre's machine does not have. What was revoked stays so.
"""

from __future__ import annotations

import json
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Connection, bindparam, delete, select

from app.core.errors import EvidenceTrouble, StorageTrouble
from app.core.policy import Policy
from app.core.sampling import CURRENT, POLICY
from app.keys import Verify
from app.store.ledger import Identity, Ledger
from app.store.seal import VaultKey
from app.store.tables import operator, policy_told, reference
from app.wire import Reference, Signed, VaultKeyTold, open_statement

VAULT_KEY: Final = "vault-key"
REVOCATION: Final = "revocation"

_IN_FORCE = select(reference.c.text, reference.c.sig).where(reference.c.removed.is_(False))
_VAULT_KEYS = _IN_FORCE.where(reference.c.kind == VAULT_KEY)
_NAMED = _IN_FORCE.where(reference.c.kind == bindparam("of_kind"), reference.c.key == bindparam("called"))


def policy_of(connection: Connection) -> Policy:
    """The policy that holds: the centre's latest, or what holds without one."""
    text: str | None = connection.execute(_NAMED, _named(POLICY, CURRENT)).scalar()
    return Policy().changed(json.loads(text)["body"]) if text else Policy()


def policies_told(connection: Connection, verify: Verify) -> dict[int, Policy]:
    """Every policy that was taken over, by revision. Raises EvidenceTrouble for one that the centre did not sign."""
    rows = connection.execute(select(policy_told)).all()
    told = [open_statement(Reference, Signed.model_construct(text=row.text, sig=row.sig), verify) for row in rows]
    return {one.revision: Policy().changed(one.body) for one in told}


def policy_is_understood(told: Reference) -> bool:
    """Whether a policy's fields are within their bounds; one that is not changes nothing."""
    try:
        Policy().changed(told.body)
    except ValueError:
        return False
    return True


def is_revoked(connection: Connection, what: str, name: str) -> bool:
    """Whether the centre took back a vault-key, a user or a station."""
    return connection.execute(_NAMED, _named(REVOCATION, f"{what}/{name}")).scalar() is not None


def revocation_of(connection: Connection, what: str, name: str) -> Signed | None:
    """The centre's signed word that it took this back; None when it did not."""
    row = connection.execute(_NAMED, _named(REVOCATION, f"{what}/{name}")).first()
    return Signed.model_construct(text=row.text, sig=row.sig) if row else None


def revoke(connection: Connection, told: Reference) -> bool:
    """What a revocation leads to at once; False for one that would be taken back: there is no such thing."""
    if told.removed:
        return False
    what, _, name = told.key.partition("/")
    if what == "user":
        connection.execute(delete(operator).where(operator.c.id == name))
    return True


def key_is_certified(ledger: Ledger, told: Reference) -> bool:
    """Whether a vault key comes with the tenant root's word; one that does not is not taken."""
    if told.removed:
        return True
    try:
        stated = ledger.identity.centre.certified(VaultKeyTold.model_validate(told.body).certificate)
    except (ValidationError, EvidenceTrouble):
        return False
    return stated.key_id == told.key


def sealing_key(connection: Connection, identity: Identity) -> VaultKey:
    """The key that secrets are sealed to from now on: the newest by the root's own count that was not revoked.

    Raises StorageTrouble("store.no_vault_key") when all of them were.
    """
    pinned = identity.centre.vault_certificate()
    told = [json.loads(text)["body"] for text in connection.execute(_VAULT_KEYS).scalars()]
    known = [pinned, *(identity.centre.certified(VaultKeyTold.model_validate(one).certificate) for one in told)]
    good = [one for one in known if not is_revoked(connection, VAULT_KEY, one.key_id)]
    if not good:
        raise StorageTrouble("store.no_vault_key", pinned.key_id)
    newest = max(good, key=lambda one: (one.serial, one.key_id))
    return VaultKey(newest.key_id, bytes.fromhex(newest.public_key))


def _named(kind: str, key: str) -> dict[str, str]:
    return {"of_kind": kind, "called": key}
