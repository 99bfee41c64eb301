"""The station's users: who may sign in, by number and passcode or by badge."""

from __future__ import annotations

import hmac

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.sqlite import insert

from app.core.cards import Secret
from app.core.codes import tidy
from app.core.parcels import Operator, Role
from app.store.ledger import Ledger
from app.store.seal import passcode_fits, passcode_verifier
from app.store.tables import operator

_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$aMk4PxZtrdYvh87J0Zxa+w$u0UrfOFM1t3SesaV3tfiE9K9k8aOej3WTyp+E4QJhrA"
"""Of a passcode nobody knows: checked for an unknown number, which so takes as long as a wrong passcode."""


def add(ledger: Ledger, operator_id: str, name: str, role: Role, badge: str, passcode: Secret) -> None:
    """Add a user, or replace what is known of this one. `badge` "" for none."""
    row = {
        "id": operator_id,
        "name": name,
        "role": role.value,
        "badge_index": _badge_index(ledger, badge) if badge else None,
        "verifier": passcode_verifier(passcode),
    }
    statement = insert(operator).values(row).on_conflict_do_update(index_elements=["id"], set_=row)
    ledger.write(lambda connection: connection.execute(statement))


def sign_in(ledger: Ledger, connection: Connection, operator_id: str, passcode: Secret) -> Operator | None:
    """The user, when number and passcode belong together."""
    row = connection.execute(select(operator).where(operator.c.id == operator_id)).first()
    fits = passcode_fits(row.verifier if row else _NOBODY, passcode)
    return _operator(ledger, row) if row and fits else None


def by_badge(ledger: Ledger, connection: Connection, code: str) -> Operator | None:
    """The user of a badge; None when nobody has it."""
    wanted = operator.c.badge_index == _badge_index(ledger, code)
    row = connection.execute(select(operator).where(wanted)).first()
    return _operator(ledger, row) if row else None


def _badge_index(ledger: Ledger, code: str) -> bytes:
    return hmac.digest(ledger.identity.index_key, b"badge " + tidy(code).encode(), "sha256")


def _operator(ledger: Ledger, row: Row[tuple[object, ...]]) -> Operator:
    return Operator(row.id, row.name, Role(row.role), ledger.identity.rehearsal)
