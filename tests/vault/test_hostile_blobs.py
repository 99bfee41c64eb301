"""What a station calls a sealed number may be anything; it goes to a person, and keeps the vault from nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from app.core.audit import EventKind
from app.core.cards import Secret
from app.core.errors import EvidenceTrouble
from app.keys import Signer, new_seed
from app.server.enrol import admit_station
from app.server.setup import OpenCentre
from app.store.seal import MAGIC, SUITE, Context, VaultKey, info_of, seal
from app.store.store import REHEARSAL_PASSPHRASE
from app.vault.index import look_up
from app.vault.keys import Vault, make_vault, open_vault
from app.wire_vault import Arrival
from tests.server.test_postgres import Station
from tests.vault.test_vault import NOW_MS, Person, look, show


@pytest.fixture
def vault(tmp_path: Path, centre: OpenCentre) -> Iterator[Vault]:
    seed = new_seed()
    admit_station(centre, "vault-1", Signer(seed).public_key, "vault", 0)
    make_vault(tmp_path / "vault", REHEARSAL_PASSPHRASE, "vault-1", centre.centre, seed, centre.folder.vault)
    opened = open_vault(tmp_path / "vault", REHEARSAL_PASSPHRASE)
    yield opened
    opened.close()


def hostile(vault: Vault) -> list[bytes]:
    """Cut at every place that means something, with points that no key has, and noise."""
    stated = vault.centre.vault_certificate()
    name, public = bytes.fromhex(stated.key_id), bytes.fromhex(stated.public_key)
    info = info_of(Context(vault.centre.tenant, "st-1", "c-0", "number"), stated.key_id)
    closed = SUITE.encrypt(b"6222020012349876\x80", X25519PublicKey.from_public_bytes(public), info=info)
    good = MAGIC + name + closed
    cut = [good[:size] for size in (0, 1, 4, 5, 11, 12, 13, 43, 44, 45, 59, 60, 61, len(good) - 1)]
    low_order = [MAGIC + name + bytes(32) + closed[32:], MAGIC + name + b"\x01" + bytes(31) + closed[32:]]
    low_order += [MAGIC + name + b"\xff" * 32 + closed[32:], MAGIC + name + bytes(48)]
    return [
        *cut,
        *low_order,
        os.urandom(300),
        MAGIC + os.urandom(200),
        MAGIC + name + os.urandom(100),
        b"CIS2" + good[4:],
    ]


def test_whatever_it_is_it_goes_to_a_person(vault: Vault) -> None:
    for blob in hostile(vault):
        found = look_up(vault, Arrival.model_construct(station="st-1", card="c-0", number=blob))
        assert found.code == "not-openable", blob[:60].hex()


def keep(station: Station, card: str, blob: bytes) -> None:
    told = {"number": {"sha256": hashlib.sha256(blob).hexdigest(), "key": "k"}}
    station.add(EventKind.CARD_KEPT, {"card": card, "verdict": "kept", "sealed": told})


def findings(centre: OpenCentre) -> dict[str, str]:
    with centre.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT card, code FROM finding").all()
    return {row.card: row.code for row in rows}


def test_the_others_are_looked_at_all_the_same(vault: Vault, centre: OpenCentre) -> None:
    """Through the centre, long ones too: of those the vault gets the beginning, and no answer is longer for them."""
    station = Station(centre, "st-1")
    blobs = [one for one in hostile(vault) if one]
    blobs += [os.urandom(1_400_000) for _ in range(4)]
    for n, blob in enumerate(blobs):
        keep(station, f"bad-{n}", blob)
        station.send(centre, station.chain[-1:], (blob,))
    stated = vault.centre.vault_certificate()
    key = VaultKey(stated.key_id, bytes.fromhex(stated.public_key))
    good = seal(Secret("6222020012349876"), key, Context(vault.centre.tenant, "st-1", "good", "number")).blob
    keep(station, "good", good)
    station.send(centre, station.chain[-1:], (good,))
    assert look(centre, vault) == len(blobs) + 1
    found = findings(centre)
    assert found.pop("good") == ""
    assert set(found.values()) == {"not-openable"}


def test_a_one_time_key_that_is_none_gets_no_answer(vault: Vault) -> None:
    stated = vault.centre.vault_certificate()
    key = VaultKey(stated.key_id, bytes.fromhex(stated.public_key))
    blob = seal(Secret("83749261"), key, Context(vault.centre.tenant, "st-1", "c-1", "pin")).blob
    signed, _ = Person(vault, "周岚").ask(vault, to_key=bytes(32).hex())
    with pytest.raises(EvidenceTrouble, match=r"vault\.not_openable"):
        show(vault, signed, "周岚", blob, NOW_MS)
