"""What a person who is signed in may do now: rights are looked up at each act, not remembered from the sign-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.errors import BadInput
from app.core.events import Event, RightsChanged
from app.core.parcels import Operator, Role
from app.store import people
from app.store.writer import StoreWriter


def as_of_now(store: StoreWriter, who: Operator, now_us: int, post: Callable[[Event], None]) -> Operator:
    """The person as known at this moment; `post` hears of a supervisor who is none any more.

    The centre's word that made somebody a supervisor may have run out since the sign-in, or was taken back. Somebody
    whom nobody knows (any more) is a clerk.
    """
    now = store.call(lambda opened: people.rights(opened.ledger, who.id, now_us)) or replace(who, role=Role.CLERK)
    if who.supervises and not now.supervises:
        post(RightsChanged(now))
    return now


def must_be_supervisor(person: Operator | None, refusal: str) -> Operator:
    """The person, if a supervisor. Raises BadInput: "people.lapsed" of one who was, else the code `refusal`."""
    if person is None:
        raise BadInput(refusal)
    if not person.supervises:
        raise BadInput("people.lapsed" if person.lapsed else refusal, person.id)
    return person
