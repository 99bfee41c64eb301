"""The station's users: who may sign in, by number and passcode or by badge."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, delete, select
from sqlalchemy.dialects.sqlite import insert

from app.core.audit import EventKind
from app.core.cards import Secret
from app.core.codes import tidy
from app.core.parcels import Operator, Role
from app.store.exchange import heard_us, high_received
from app.store.governing import policy_of
from app.store.ledger import Ledger
from app.store.reference import list_key
from app.store.seal import passcode_fits, passcode_verifier
from app.store.tables import operator, outbox, wrong_passcode

_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$aMk4PxZtrdYvh87J0Zxa+w$u0UrfOFM1t3SesaV3tfiE9K9k8aOej3WTyp+E4QJhrA"
"""Of a passcode nobody knows: checked for an unknown number, which so takes as long as a wrong passcode."""


_CLOCK_SLACK_US = 3600 * 1_000_000
"""How far the wall clock may have been put back since."""

LONGEST_WAIT_US = 4 * 3600 * 1_000_000
"""The policy says from which wrong passcode on there is a wait, and how long the first is; twice as long each time."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Too many wrong passcodes for this staff number: none is looked at for `wait_us`."""

    wait_us: int


def add(ledger: Ledger, operator_id: str, name: str, role: Role, badge: str, passcode: Secret) -> None:
    """Add a user, or replace what is known of this one. `badge` "" for none."""
    row = {
        "id": operator_id,
        "name": name,
        "role": role.value,
        "badge_index": _badge_index(ledger, badge) if badge else None,
        "verifier": passcode_verifier(passcode),
        "central": False,
    }
    statement = insert(operator).values(row).on_conflict_do_update(index_elements=["id"], set_=row)

    def work(connection: Connection) -> None:
        ledger.must_count(connection)
        connection.execute(statement)

    ledger.write(work)


def sign_in(ledger: Ledger, operator_id: str, passcode: Secret, now_us: int) -> Operator | Locked | None:
    """The user, when number and passcode belong together; else how long this number has to wait, if it has to.

    What was wrong is counted in the database: another start of the program does not shorten the wait.
    """
    with ledger.reading() as connection:
        wait_us = _wait_us(connection, operator_id, now_us)
        row = connection.execute(select(operator).where(operator.c.id == operator_id)).first()
        word = _word(connection)
    if wait_us:
        return Locked(wait_us)
    fits = passcode_fits(row.verifier if row else _NOBODY, passcode)
    wait_us = ledger.write(lambda connection: _count(connection, operator_id, now_us, right=bool(row and fits)))
    if row and fits:
        return _operator(ledger, row, word, now_us)
    return Locked(wait_us) if wait_us else None


def _wait_us(connection: Connection, operator_id: str, now_us: int) -> int:
    wanted = select(wrong_passcode.c.until_us).where(wrong_passcode.c.operator_id == operator_id)
    left_us = (connection.execute(wanted).scalar() or 0) - now_us
    # More than the longest wait: the wall clock was put back. Nobody is shut out for longer than that.
    return min(max(left_us, 0), LONGEST_WAIT_US)


def _count(connection: Connection, operator_id: str, now_us: int, right: bool) -> int:
    """Note a right or a wrong passcode; how long (µs) this number has to wait now."""
    mine = wrong_passcode.c.operator_id == operator_id
    times = connection.execute(select(wrong_passcode.c.times).where(mine)).scalar()
    if right:
        if times is not None:
            connection.execute(delete(wrong_passcode).where(mine))
        return 0
    times, policy = (times or 0) + 1, policy_of(connection)
    over = times - policy.wrong_passcodes
    wait_us = min(policy.passcode_wait_s * 1_000_000 << min(over, 20), LONGEST_WAIT_US) if over >= 0 else 0
    row = {"operator_id": operator_id, "times": times, "until_us": now_us + wait_us if wait_us else 0}
    statement = insert(wrong_passcode).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["operator_id"], set_=row))
    return wait_us


def by_badge(ledger: Ledger, connection: Connection, code: str, now_us: int) -> Operator | None:
    """The user of a badge; None when nobody has it."""
    indexes = [_badge_index(ledger, code)]
    if key := list_key(connection):
        indexes.append(badge_index(key, code))
    row = connection.execute(select(operator).where(operator.c.badge_index.in_(indexes))).first()
    return _operator(ledger, row, _word(connection), now_us) if row else None


def rights(ledger: Ledger, operator_id: str, now_us: int) -> Operator | None:
    """What this person may do now; None when nobody has this staff number (any more)."""
    with ledger.reading() as connection:
        row = connection.execute(select(operator).where(operator.c.id == operator_id)).first()
        return _operator(ledger, row, _word(connection), now_us) if row else None


def _badge_index(ledger: Ledger, code: str) -> bytes:
    return badge_index(ledger.identity.index_key, code)


def badge_index(key: bytes, code: str) -> bytes:
    """What stands for a badge, 32 bytes."""
    return hmac.digest(key, b"badge " + tidy(code).encode(), "sha256")


def _word(connection: Connection) -> tuple[int, int]:
    """When the centre's last word came, by the wall clock as it stands now (µs), and how long it holds (µs)."""
    return heard_us(connection) - _put_back_us(connection), policy_of(connection).rights_hours * 3600 * 1_000_000


def _put_back_us(connection: Connection) -> int:
    """How far the wall clock was put back, in all, since the centre heard from us last: by the steps in the chain,
    which hold it against the monotonic clock. Who sets the clock back does not get that time again.
    """
    since = and_(outbox.c.seq > high_received(connection), outbox.c.kind == EventKind.CLOCK_STEPPED.value)
    bodies = (json.loads(data)["body"] for data in connection.execute(select(outbox.c.data).where(since)).scalars())
    return sum(int(body["expected_wall_us"]) - int(body["wall_us"]) for body in bodies)


def _operator(ledger: Ledger, row: Row[tuple[object, ...]], word: tuple[int, int], now_us: int) -> Operator:
    """The person, with the rights that hold now: what the centre said of a person is good for a while only."""
    role = Role(row.role)
    heard, holds_us = word
    age_us = now_us - heard
    lapsed = row.central and not -_CLOCK_SLACK_US <= age_us <= holds_us
    return Operator(row.id, row.name, Role.CLERK if lapsed else role, ledger.identity.rehearsal, lapsed=lapsed)
