"""By which key the vault speaks with the centre, and by which the centre with the vault; how either gives way.

The new key is kept before the centre hears of it: whatever answer is lost, the vault has the key that the centre knows.
"""

from __future__ import annotations

from sqlalchemy import select, update

from app.centre_keys import followed
from app.core.errors import Unavailable
from app.keys import Signer, new_seed
from app.store.db import reading, transaction
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.vault.keys import Vault
from app.vault.tables import meta
from app.wire import Centre, sign_statement
from app.wire_vault import KeyChange, KeyChanged


def speaker_of(vault: Vault) -> Speaker:
    """Who speaks: with the key of now, or else the one that is about to follow. By the database: another process may
    have changed the key, or pinned a newer one of the centre's.
    """
    with reading(vault.engine) as connection:
        row = connection.execute(select(meta.c.signing_seed, meta.c.next_seed, meta.c.centre)).one()
    pending = (Signer(bytes(row.next_seed)),) if row.next_seed else ()
    return Speaker(vault.name, Signer(bytes(row.signing_seed)), Centre.model_validate_json(row.centre), pending)


def _pending(vault: Vault) -> Signer | None:
    with reading(vault.engine) as connection:
        seed = connection.execute(select(meta.c.next_seed)).scalar()
    return Signer(bytes(seed)) if seed else None


async def change_key(vault: Vault, client: CentreClient) -> bytes:
    """Another signing key from now on; its public half. One that was under way before is finished first and is it.

    Raises Unavailable, EvidenceTrouble as `CentreClient`; then either key may be known there, and both are here.
    """
    new = _pending(vault) or _made(vault)
    stated = KeyChange(
        tenant=vault.centre.tenant,
        client=vault.name,
        old_key=vault.signer.public_key.hex(),
        new_key=new.public_key.hex(),
    )
    signed = sign_statement(stated, vault.signer.sign)
    client.speak_as(speaker_of(vault))
    proof = new.sign(signed.text.encode())
    await client.change_key(KeyChanged.model_construct(change=signed, proof=proof))
    with transaction(vault.engine) as connection:
        connection.execute(update(meta).values(signing_seed=meta.c.next_seed, next_seed=None))
    return new.public_key


def _made(vault: Vault) -> Signer:
    seed = new_seed()
    with transaction(vault.engine) as connection:
        connection.execute(update(meta).values(next_seed=seed))
    return Signer(seed)


def told_of_vault(trouble: Unavailable) -> Unavailable:
    """The same, but for a centre that knows this vault by another key: then this is a copy from before the change."""
    if isinstance(trouble, CentreRefused) and trouble.reason == "auth.signature":
        return Unavailable("vault.key_behind", trouble.detail)
    return trouble


def follow_centre(vault: Vault, told: Centre) -> None:
    """Pin the centre's newer key, as the pinned root names it. Raises EvidenceTrouble("sync.untrusted_answer")."""
    with transaction(vault.engine) as connection:
        pinned = Centre.model_validate_json(connection.execute(select(meta.c.centre)).scalar_one())
        after = followed(pinned, told)
        if after is not None:
            connection.execute(update(meta).values(centre=after.model_dump_json()))
