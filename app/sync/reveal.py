"""Asking the vault for one secret, through the centre: a person's signed request out, the sealed answer back.

The one-time key is made here, lives in this process and opens exactly one answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.audit import digest
from app.core.cards import Secret
from app.core.errors import BadInput, EvidenceTrouble, Unavailable
from app.keys import Signer
from app.store.seal import open_answer
from app.sync.client import CentreClient, CentreRefused
from app.wire import Signed, sign_statement
from app.wire_vault import RevealApproval, RevealAsked, RevealRequest, RevealState

T = TypeVar("T")

_log = logging.getLogger(__name__)

LONGEST_S = 240.0
_LOOK_S = 0.5
_WITHDRAW_S = 2.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to see, and why. `station`: that took the card."""

    station: str
    card: str
    field: Literal["number", "pin"]
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Who asks: the name that the vault knows, and the key. Holds a key, so it does not print."""

    name: str
    signer: Signer


async def reveal(
    client: CentreClient,
    person: Person,
    wish: Wish,
    tenant: str,
    now_ms: int,
    on_state: Callable[[RevealState], None] = lambda _state: None,
    longest_s: float = LONGEST_S,
) -> Secret:
    """The secret. `on_state` hears how the request stands (needs-second: another person has to sign).

    `now_ms`: this machine's clock. The request tells the centre's time, as its signed answers say how far that is from
    here: the vault refuses what seems old.

    Raises BadInput with the vault's code (vault.person, vault.reason, vault.stale), reveal.card, reveal.second_refused;
    Unavailable: vault.no_answer in `longest_s`, and as `CentreClient`. Whoever gives up waiting, or is cancelled, takes
    the request back.
    """
    if client.offset.known_ms() is None:
        await _plainly(client.reveal_log(person.name))
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw().hex()
    stated = RevealRequest(
        tenant=tenant,
        station=wish.station,
        card=wish.card,
        field=wish.field,
        reason=wish.reason,
        to_key=public,
        made_ms=now_ms + client.offset.ms,
    )
    request = sign_statement(stated, person.signer.sign)
    asked = client.ask_reveal(RevealAsked.model_construct(request=request, who=person.name))
    name = digest(request.text.encode())
    try:
        state = await _answered(client, await _plainly(asked), on_state, longest_s)
    except (asyncio.CancelledError, Unavailable):
        await _withdraw(client, name)
        raise
    if state.state != "shown":
        raise BadInput(state.code or "vault.stale", person.name)
    return open_answer(state.answer, private, request.text)


async def _answered(
    client: CentreClient, state: RevealState, on_state: Callable[[RevealState], None], longest_s: float
) -> RevealState:
    """How the request ended."""
    waited_s, told = 0.0, ""
    while state.state not in ("shown", "refused", "taken"):
        if state.state != told:
            told = state.state
            on_state(state)
        if waited_s >= longest_s:
            raise Unavailable("vault.no_answer", state.state)
        await asyncio.sleep(_LOOK_S)
        waited_s += _LOOK_S
        state = await client.reveal_state(state.id)
    return state


async def _withdraw(client: CentreClient, name: str) -> None:
    """As far as it can be done quickly: a request that nobody takes back is over after five minutes."""
    try:
        async with asyncio.timeout(_WITHDRAW_S):
            await client.withdraw_reveal(name)
    except (Unavailable, EvidenceTrouble, TimeoutError):
        _log.info("a request to reveal was not taken back")


async def _plainly(answer: Awaitable[T]) -> T:
    """The answer, or the centre's own word on why not. Raises BadInput("reveal.…"), and as `CentreClient`."""
    try:
        return await answer
    except CentreRefused as refused:
        if refused.reason.startswith("reveal."):
            raise BadInput(refused.reason) from refused
        raise


async def approve(client: CentreClient, person: Person, request: Signed, name: str) -> RevealState:
    """A second person signs a request. Raises BadInput: reveal.state, reveal.same; as `CentreClient`."""
    sig = person.signer.sign(b"approve " + request.text.encode())
    told = RevealApproval.model_construct(who=person.name, sig=sig)
    return await _plainly(client.approve_reveal(name, told))


async def refuse(client: CentreClient, person: Person, request: Signed, name: str) -> RevealState:
    """A second person signs that a request is refused. Raises as `approve`."""
    sig = person.signer.sign(b"refuse " + request.text.encode())
    return await _plainly(client.refuse_reveal(name, RevealApproval.model_construct(who=person.name, sig=sig)))
