"""The vault at work: asks the centre what arrived, looks each number up, says what it found; shows what was asked for.

A reveal has three steps: the vault's own log, the centre's log (`granted`), and only then the secret is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.core.errors import BadInput, EvidenceTrouble
from app.sync.client import CentreClient
from app.vault.index import look_up
from app.vault.keys import Vault
from app.vault.reveal import Approval, answer, grant
from app.wire_vault import Findings, RevealTask, RevealVerdict


async def look_once(vault: Vault, client: CentreClient) -> int:
    """Everything that waits; the number of cards looked up. Raises Unavailable, EvidenceTrouble as `CentreClient`."""
    done = 0
    while True:
        waiting = (await client.arrivals()).cards
        if not waiting:
            return done
        found = [await asyncio.to_thread(look_up, vault, arrived) for arrived in waiting]
        await client.tell_findings(Findings(findings=tuple(found)))
        done += len(found)


async def answer_once(vault: Vault, client: CentreClient, now_ms: Callable[[], int]) -> int:
    """Every request to show a secret that waits; how many were answered, refusals too.

    Raises Unavailable, EvidenceTrouble as `CentreClient`.
    """
    tasks = (await client.reveal_tasks()).tasks
    for task in tasks:
        await _answer(vault, client, task, now_ms())
    return len(tasks)


async def _answer(vault: Vault, client: CentreClient, task: RevealTask, now_ms: int) -> None:
    approval = Approval(task.approval.who, task.approval.sig) if task.approval else None
    try:
        asked = await asyncio.to_thread(grant, vault, task.request, task.who, now_ms, approval)
    except (BadInput, EvidenceTrouble) as refused:
        second = refused.code == "vault.quota" and approval is None
        await client.tell_reveal(
            task.id, RevealVerdict(state="needs-second" if second else "refused", code=refused.code)
        )
        return
    await client.tell_reveal(task.id, RevealVerdict(state="granted"))
    try:
        sealed = await asyncio.to_thread(answer, vault, asked, task.request, task.blob)
    except EvidenceTrouble as wrong:
        await client.tell_reveal(task.id, RevealVerdict(state="refused", code=wrong.code))
        return
    await client.tell_reveal(task.id, RevealVerdict.model_construct(state="shown", code="", answer=sealed))
