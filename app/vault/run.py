"""The vault at work: asks the centre what arrived, looks each number up, says what it found; shows what was asked for.

A reveal has three steps: the vault's own log, the centre's log (`granted`), and only then the secret is opened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from app.core.errors import BadInput, EvidenceTrouble, Unavailable
from app.sync.client import CentreClient, CentreRefused
from app.vault.index import look_up
from app.vault.keys import Vault
from app.vault.reveal import Approval, answer, grant, told_of_people
from app.wire_vault import MOST_PEOPLE, Findings, RevealTask, RevealVerdict, VaultPeople, VaultPerson

_AGAIN_S = (0.2, 1.0, 3.0)
_NO_SUCH_CALL = 404
_OVER = "reveal.state"
"""What the centre says to the vault's word on a request that was taken back or refused meanwhile."""

_log = logging.getLogger(__name__)


async def require_newest_key(vault: Vault, client: CentreClient) -> None:
    """The key that stations are told to seal to, by the root's word, has to be here.

    Where it is not, this is a copy from before `new-key`: it would call good cards unopenable, and for good. Raises
    Unavailable("vault.key_missing"); else as `CentreClient`.
    """
    told = vault.centre.certified((await client.centre()).vault).key_id
    if vault.key_called(told) is None:
        raise Unavailable("vault.key_missing", told)


async def _require_keys_of(vault: Vault, client: CentreClient, blobs: Iterable[bytes]) -> None:
    """A blob may name any key: only where it names one that is not here is the centre asked which counts by now."""
    if not all(vault.holds_key_of(blob) for blob in blobs):
        await require_newest_key(vault, client)


async def look_once(vault: Vault, client: CentreClient) -> int:
    """Everything that waits; the number of cards looked up.

    Raises Unavailable, EvidenceTrouble as `CentreClient`, and as `require_newest_key`: then nothing was said of them.
    """
    done = 0
    while True:
        waiting = (await client.arrivals()).cards
        if not waiting:
            return done
        await _require_keys_of(vault, client, (arrived.number for arrived in waiting))
        found = [await asyncio.to_thread(look_up, vault, arrived) for arrived in waiting]
        await client.tell_findings(Findings(findings=tuple(found)))
        done += len(found)


async def tell_people(vault: Vault, client: CentreClient, told: set[VaultPerson]) -> int:
    """For the centre's log: whom the vault lets ask to see secrets and whose key it took back, but for what was `told`
    before, which grows; how many were new there. A centre of an earlier release has no ear for it: then later.

    Raises Unavailable, EvidenceTrouble as `CentreClient`.
    """
    new = [one for one in await asyncio.to_thread(told_of_people, vault) if one not in told]
    kept = 0
    for some in (new[at : at + MOST_PEOPLE] for at in range(0, len(new), MOST_PEOPLE)):
        try:
            kept += (await client.tell_people(VaultPeople(people=tuple(some)))).kept
        except CentreRefused as refused:
            if refused.status != _NO_SUCH_CALL or refused.reason:
                raise
            return kept
        told.update(some)
    return kept


async def answer_once(vault: Vault, client: CentreClient, now_ms: Callable[[], int]) -> int:
    """Every request to show a secret that waits; how many were answered, refusals too, and not those that were over
    by then: taken back, or refused by the second person.

    Raises Unavailable, EvidenceTrouble as `look_once`.
    """
    done = 0
    tasks = (await client.reveal_tasks()).tasks
    await _require_keys_of(vault, client, (task.blob for task in tasks))
    for task in tasks:
        try:
            await _answer(vault, client, task, now_ms())
            done += 1
        except CentreRefused as refused:
            if refused.reason != _OVER:
                raise
            _log.info("a request was over before it was answered", extra={"detail": task.id})
    return done


async def _answer(vault: Vault, client: CentreClient, task: RevealTask, now_ms: int) -> None:
    approval = Approval(task.approval.who, task.approval.sig) if task.approval else None
    try:
        asked = await asyncio.to_thread(grant, vault, task.request, task.who, now_ms, approval)
    except BadInput as refused:
        second = refused.code == "vault.quota" and approval is None
        await client.tell_reveal(
            task.id, RevealVerdict(state="needs-second" if second else "refused", code=refused.code)
        )
        return
    await _tell(client, task.id, RevealVerdict(state="granted"))
    try:
        sealed = await asyncio.to_thread(answer, vault, asked, task.request, task.blob)
    except EvidenceTrouble as wrong:
        await client.tell_reveal(task.id, RevealVerdict(state="refused", code=wrong.code))
        return
    await _tell(client, task.id, RevealVerdict.model_construct(state="shown", code="", answer=sealed))


async def _tell(client: CentreClient, name: str, verdict: RevealVerdict) -> None:
    """Say it until the centre has answered, for a while: this request is not looked at a second time, and whoever asked
    waits for it. Raises as `CentreClient.tell_reveal`.
    """
    for wait_s in _AGAIN_S:
        try:
            await client.tell_reveal(name, verdict)
            return
        except CentreRefused:
            raise
        except Unavailable:
            await asyncio.sleep(wait_s)
    await client.tell_reveal(name, verdict)
