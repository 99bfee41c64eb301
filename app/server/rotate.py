"""The centre's own key gives way to another one, named by the tenant root; and the vault's, by its own word.

The centre's chain says it first: `centre.key-rotated` is signed by the old key and countersigned by the new one, in the
form in which a station's key changes (app.rotation), and holds the root's certificate. Servers that run go on with the
new key by themselves. What lists are keyed from stays (`lists.key`): hashes that stations hold were made with it.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from sqlalchemy import Connection, and_, insert, select, update
from starlette.concurrency import run_in_threadpool

from app.centre_keys import OVERLAP_MS, certified
from app.core.audit import CENTRE, GENESIS, CentreAct
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.keys import Signer, new_seed, verifier
from app.platform import disk_trouble, durable_write
from app.rotation import rotation_body
from app.server.admit import KNOWN_STATION, Caller, spend_nonce
from app.server.answers import Desk
from app.server.checkpoints import publish
from app.server.db import locked
from app.server.entering import read_tree
from app.server.folder import CentreFolder, in_place, own_key, read_seed, write_centre
from app.server.log import Deciding, note_act
from app.server.refusal import Refusal
from app.server.setup import OpenCentre
from app.server.tables import station, station_rotation
from app.server.vault_door import only_vault
from app.store.db import reading, transaction
from app.wire import Centre, ServerCertificate, open_statement, sign_statement
from app.wire_vault import KeyChange, KeyChanged, KeyKept


def rotate_server_key(centre: OpenCentre, root: Signer, now_ms: int, by: str, *, at_once: bool = False) -> bytes:
    """Another key signs for the centre from now on; its public half (32 bytes).

    `at_once`: answers by the old key are believed no more by whoever hears of the new one (it was stolen); else for a
    day yet. After a crash: either the old key holds, or the new one, whatever was written to the folder.
    Raises BadInput("serve.pending_stations") while a station waits for its words to be compared, which speak of the
    key; StorageTrouble.
    """
    folder, old, pinned = centre.folder, centre.signer, centre.centre
    fresh = new_seed()
    new = Signer(fresh)
    after = _pinned_after(pinned, new, root, now_ms, 0 if at_once else OVERLAP_MS)
    with transaction(centre.engine) as connection:
        read_tree(connection, to_write=True)  # locked: nobody else changes it, no event comes between
        if own_key(connection) not in (None, old.public_key):
            raise StorageTrouble("serve.key_behind")
        if connection.execute(select(station.c.id).where(station.c.state == "pending").limit(1)).scalar() is not None:
            raise BadInput("serve.pending_stations")
        _lay_down(folder, fresh, after)
        _say(connection, Deciding.of(centre, now_ms, by), old, new, after)
    with reading(centre.engine) as connection:
        in_place(folder, connection)
    publish(centre, now_ms)
    return new.public_key


def _lay_down(folder: CentreFolder, seed: bytes, after: Centre) -> None:
    """The new key beside the old one, before anything speaks of it."""
    try:
        if not folder.lists_key.exists():
            durable_write(folder.lists_key, read_seed(folder.server_key).hex().encode())
        folder.next_centre.unlink(missing_ok=True)
        durable_write(folder.next_key, seed.hex().encode())
        write_centre(folder.next_centre, after)
    except OSError as trouble:
        raise disk_trouble(trouble, "server.key") from trouble


def _pinned_after(pinned: Centre, new: Signer, root: Signer, now_ms: int, overlap_ms: int) -> Centre:
    """What stations pin from now on: the new key with its certificate, and those before."""
    before = pinned.server or sign_statement(
        ServerCertificate(tenant=pinned.tenant, public_key=pinned.server_key), root.sign
    )
    from_ms = max(now_ms, certified(before, pinned).from_ms + 1)
    stated = ServerCertificate(
        tenant=pinned.tenant, public_key=new.public_key.hex(), from_ms=from_ms, alone_ms=from_ms + overlap_ms
    )
    told = {"server_key": stated.public_key, "server": sign_statement(stated, root.sign)}
    return pinned.model_copy(update={**told, "earlier": (before, *pinned.earlier)})


def _say(connection: Connection, deciding: Deciding, old: Signer, new: Signer, after: Centre) -> None:
    """The change as the next event of the centre's chain."""
    own = station.c.id == CENTRE
    head = connection.execute(select(station.c.high, station.c.head_hash).where(own)).first()
    last, prev = (head.high, head.head_hash) if head else (0, GENESIS)
    body = rotation_body(CENTRE, last + 1, prev, old.public_key, new)
    if after.server is not None:
        body["certificate"] = {"text": after.server.text, "sig": after.server.sig.hex()}
    note_act(connection, deciding, CentreAct.KEY_ROTATED, body)
    row = {"station": CENTRE, "seq": last + 1, "old_key": old.public_key, "new_key": new.public_key}
    connection.execute(insert(station_rotation), {**row, "at_ms": deciding.now_ms})
    connection.execute(update(station).where(own).values(public_key=new.public_key))


def add_key_routes(app: FastAPI, desk: Desk) -> None:
    """Add `POST /v1/vault/key`: the vault's signing key gives way to another one."""

    @app.post("/v1/vault/key")
    async def change(request: Request) -> Response:
        caller, told = await desk.signed_body(request, KeyChanged)
        return desk.reply(request, await run_in_threadpool(change_vault_key, desk.centre, told, caller, desk.now_ms()))


def change_vault_key(centre: OpenCentre, told: KeyChanged, caller: Caller, now_ms: int) -> KeyKept:
    """The vault's client speaks by another key from now on. Again: the same. Raises Refusal as `admit`, key.change."""
    known = only_vault(centre, caller, now_ms)
    stated = _agreed(told, centre.centre.tenant, caller.station)
    with transaction(centre.engine) as connection:
        spend_nonce(connection, caller, now_ms)
        now = connection.execute(locked(connection, KNOWN_STATION), {"name": caller.station}).one().public_key
        if bytes(now) != bytes(known.public_key):
            raise Refusal("auth.signature", 401)
        if bytes(now).hex() == stated.new_key:
            return KeyKept(public_key=stated.new_key)
        if bytes(now).hex() != stated.old_key:
            raise Refusal("key.change", 409)
        _follow(connection, Deciding.of(centre, now_ms, caller.station), stated, told)
    return KeyKept(public_key=stated.new_key)


def _agreed(told: KeyChanged, tenant: str, name: str) -> KeyChange:
    """What both keys signed."""
    try:
        claimed = KeyChange.model_validate_json(told.change.text)
        stated = open_statement(KeyChange, told.change, verifier(bytes.fromhex(claimed.old_key)))
        countersigned = verifier(bytes.fromhex(claimed.new_key))(told.proof, told.change.text.encode())
    except (ValueError, EvidenceTrouble) as wrong:
        raise Refusal("key.change") from wrong
    if not countersigned or (stated.tenant, stated.client) != (tenant, name) or stated.old_key == stated.new_key:
        raise Refusal("key.change")
    return stated


def _follow(connection: Connection, deciding: Deciding, stated: KeyChange, told: KeyChanged) -> None:
    """It has no chain of its own in which to say so: its word and the proof stand in the centre's."""
    mine = station_rotation.c.station == stated.client
    number = 1 + len(connection.execute(select(station_rotation.c.seq).where(mine)).all())
    old, new = bytes.fromhex(stated.old_key), bytes.fromhex(stated.new_key)
    row = {"station": stated.client, "seq": number, "old_key": old, "new_key": new, "at_ms": deciding.now_ms}
    connection.execute(insert(station_rotation), row)
    own = and_(station.c.id == stated.client, station.c.public_key == old)
    connection.execute(update(station).where(own).values(public_key=new))
    body = {"station": stated.client, "old_key": stated.old_key, "new_key": stated.new_key}
    signed = {"text": told.change.text, "sig": told.change.sig.hex(), "proof": told.proof.hex()}
    note_act(connection, deciding, CentreAct.STATION_KEY_ROTATED, {**body, "change": signed})
