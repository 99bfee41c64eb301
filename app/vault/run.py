"""The vault at work: asks the centre what arrived, looks each number up, says what it found; again and again."""

from __future__ import annotations

import asyncio

from app.sync.client import CentreClient
from app.vault.index import look_up
from app.vault.keys import Vault
from app.wire_vault import Findings


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
