"""Asking the vault for one secret, through the centre: a person's signed request out, the sealed answer back.

The one-time key is made here, lives in this process and opens exactly one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.cards import Secret
from app.core.errors import BadInput, Unavailable
from app.keys import Signer
from app.store.seal import open_answer
from app.sync.client import CentreClient, CentreRefused
from app.wire import Signed, sign_statement
from app.wire_vault import RevealApproval, RevealAsked, RevealRequest, RevealState

LONGEST_S = 240.0
_LOOK_S = 0.5


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

    Raises BadInput with the vault's code (vault.person, vault.reason, vault.stale), reveal.card; Unavailable:
    vault.no_answer in `longest_s`, and as `CentreClient`.
    """
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw().hex()
    stated = RevealRequest(
        tenant=tenant,
        station=wish.station,
        card=wish.card,
        field=wish.field,
        reason=wish.reason,
        to_key=public,
        made_ms=now_ms,
    )
    request = sign_statement(stated, person.signer.sign)
    state = await _asked(client, RevealAsked.model_construct(request=request, who=person.name))
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
    if state.state != "shown":
        raise BadInput(state.code or "vault.stale", person.name)
    return open_answer(state.answer, private, request.text)


async def _asked(client: CentreClient, asked: RevealAsked) -> RevealState:
    try:
        return await client.ask_reveal(asked)
    except CentreRefused as refused:
        if refused.reason.startswith("reveal."):
            raise BadInput(refused.reason) from refused
        raise


async def approve(client: CentreClient, person: Person, request: Signed, name: str) -> RevealState:
    """A second person signs a request. Raises BadInput: reveal.state, reveal.same; as `CentreClient`."""
    sig = person.signer.sign(b"approve " + request.text.encode())
    try:
        return await client.approve_reveal(name, RevealApproval.model_construct(who=person.name, sig=sig))
    except CentreRefused as refused:
        if refused.reason.startswith("reveal."):
            raise BadInput(refused.reason) from refused
        raise
