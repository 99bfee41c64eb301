"""What an administrator governs the stations by: policy, the vault's keys, revocations; all of it through the feed.

A vault key goes out with the tenant root's certificate. The root's key is needed for that moment only and lies
elsewhere: without it nobody at the centre can make stations seal to another key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select

from app.core.errors import BadInput
from app.core.policy import Policy
from app.core.sampling import CURRENT, POLICY
from app.keys import Signer, key_id
from app.server.enrol import revoke_station
from app.server.folder import write_centre
from app.server.reference import Item, hand_out
from app.server.setup import OpenCentre
from app.server.tables import reference
from app.store.db import reading
from app.store.governing import REVOCATION, VAULT_KEY
from app.wire import Centre, Revoked, Signed, VaultCertificate, VaultKeyTold, sign_statement

REVOCABLE = ("vault-key", "user", "station")


def policy_told(centre: OpenCentre, station: str) -> Policy:
    """The policy that was handed out to a station ("": to all that take in real cards)."""
    wanted = and_(reference.c.kind == POLICY, reference.c.station == station, reference.c.removed.is_(False))
    with reading(centre.engine) as connection:
        body = connection.execute(select(reference.c.body).where(wanted)).scalar()
    return Policy().changed(json.loads(body)) if body else Policy()


def set_policy(centre: OpenCentre, changes: Mapping[str, Any], station: str, now_ms: int, by: str) -> Policy:
    """Change some fields of a station's policy ("": of all that take in real cards); all of it goes out.

    Raises BadInput("centre.bad_policy"): no such field, or outside its bounds.
    """
    before = policy_told(centre, station)
    if strange := set(changes) - set(before.as_fields()):
        raise BadInput("centre.bad_policy", min(strange))
    try:
        after = before.changed(changes)
    except ValueError as wrong:
        raise BadInput("centre.bad_policy", str(wrong)) from wrong
    hand_out(centre, [Item(POLICY, CURRENT, after.as_fields())], station, now_ms, by)
    return after


def read_root(path: Path, centre: Centre) -> Signer:
    """The tenant root's key. Raises BadInput: input.missing, centre.bad_root (another key, or none)."""
    try:
        root = Signer(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except OSError as missing:
        raise BadInput("input.missing", path.name) from missing
    except ValueError as wrong:
        raise BadInput("centre.bad_root", path.name) from wrong
    if root.public_key.hex() != centre.root_key:
        raise BadInput("centre.bad_root", path.name)
    return root


def add_vault_key(centre: OpenCentre, public_key: bytes, root: Signer, station: str, now_ms: int, by: str) -> str:
    """Certify a key that the vault made, and hand it out: from then on stations seal to it; its key id.

    What was sealed before stays as it is, and the vault keeps the key that opens it. Stations that join later pin the
    new one. Raises BadInput("centre.bad_key") when it was revoked.
    """
    name = key_id(public_key)
    if name in _revoked(centre, VAULT_KEY):
        raise BadInput("centre.bad_key", name)
    given = _certificates(centre)
    told = [one for one, _ in given]
    known = next((one for one in told if one.key_id == name), None)
    serial = known.serial if known else max(one.serial for one in told) + 1
    stated = VaultCertificate(tenant=centre.centre.tenant, key_id=name, public_key=public_key.hex(), serial=serial)
    certificate = sign_statement(stated, root.sign)
    # The pinned one too: it is pinned no longer, and stations that join later fall back on it when this one is revoked.
    pinned = Item(VAULT_KEY, centre.centre.vault_certificate().key_id, VaultKeyTold(certificate=centre.centre.vault))
    items = [pinned] if len(given) == 1 and pinned.key != name else []
    hand_out(centre, [*items, Item(VAULT_KEY, name, VaultKeyTold(certificate=certificate))], station, now_ms, by)
    _pin(centre, certificate)
    return name


def _pin(centre: OpenCentre, certificate: Signed) -> None:
    """What stations that join from now on seal to first."""
    write_centre(centre.folder.centre, centre.centre.model_copy(update={"vault": certificate}))


def _certificates(centre: OpenCentre) -> list[tuple[VaultCertificate, Signed]]:
    """Each vault key once, the pinned one first, as certified."""
    with reading(centre.engine) as connection:
        wanted = select(reference.c.body).where(and_(reference.c.kind == VAULT_KEY, reference.c.removed.is_(False)))
        bodies = [json.loads(body) for body in connection.execute(wanted).scalars()]
    given: list[Signed] = [VaultKeyTold.model_validate(body).certificate for body in bodies]
    opened = [(centre.centre.certified(one), one) for one in (centre.centre.vault, *given)]
    return list({one.key_id: (one, signed) for one, signed in opened}.values())


def _revoked(centre: OpenCentre, what: str) -> set[str]:
    wanted = select(reference.c.key).where(reference.c.kind == REVOCATION)
    with reading(centre.engine) as connection:
        keys = connection.execute(wanted).scalars().all()
    return {name for kind, _, name in (key.partition("/") for key in keys) if kind == what}


def revoke(centre: OpenCentre, what: str, name: str, reason: str, to: str, now_ms: int, by: str) -> None:
    """Take back a vault key, a user or a station for good. `to`: the station that hears of it, "" for all real ones.

    Raises BadInput: centre.bad_key (no such vault key, or it is the only one left), station.state.
    """
    if what == VAULT_KEY:
        left = _left_without(centre, name)
        if name == centre.centre.vault_certificate().key_id:  # first: cut off here, the same call can be made again
            _pin(centre, max(left, key=lambda one: one[0].serial)[1])
    if what == "station":
        revoke_station(centre, name, now_ms, by)
    hand_out(centre, [Item(REVOCATION, f"{what}/{name}", Revoked(reason=reason))], to, now_ms, by)


def _left_without(centre: OpenCentre, name: str) -> list[tuple[VaultCertificate, Signed]]:
    """The vault keys that are in force once this one is taken back. Raises BadInput("centre.bad_key") as `revoke`."""
    revoked = _revoked(centre, VAULT_KEY)
    held = [one for one in _certificates(centre) if one[0].key_id not in revoked]
    left = [one for one in held if one[0].key_id != name]
    if not left or len(left) == len(held):
        raise BadInput("centre.bad_key", name)
    return left
