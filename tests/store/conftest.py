"""A centre's keys, a cheap station store and cards to put in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core.audit import Stamp
from app.core.cards import CardState, PanelState, Secret, Tag
from app.core.parcels import CardDraft, DeclaredItem, ExpectedParcel, OpenParcel, Operator, Role
from app.keys import Signer, key_id, new_seed
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.wire import Centre, VaultCertificate, sign_statement

CHEAP = IndexCost(memory_kib=8, passes=1)
CLERK = Operator("1001", "林晓", Role.CLERK, rehearsal=True)


@dataclass(frozen=True)
class CentreKeys:
    """Both halves of every key of a centre."""

    centre: Centre
    server: Signer
    root: Signer
    vault: X25519PrivateKey


@pytest.fixture(scope="session")
def keys() -> CentreKeys:
    root, server, vault = Signer(new_seed()), Signer(new_seed()), X25519PrivateKey.generate()
    public = vault.public_key().public_bytes_raw()
    stated = VaultCertificate(tenant="t-1", key_id=key_id(public), public_key=public.hex())
    centre = Centre(
        tenant="t-1",
        salt="ab" * 32,
        root_key=root.public_key.hex(),
        server_key=server.public_key.hex(),
        vault=sign_statement(stated, root.sign),
    )
    return CentreKeys(centre, server, root, vault)


def stamp(wall_us: int = 1_790_000_000_000_000) -> Stamp:
    return Stamp(wall_us=wall_us, mono_us=5_000_000, boot_id="boot-1")


@pytest.fixture
def now() -> Stamp:
    return stamp()


@pytest.fixture
def make_store(keys: CentreKeys) -> Iterator[Callable[..., Store]]:
    """Makes a rehearsal store at a path; closed at the end."""
    made: list[Store] = []

    def make(path: Path, **options: Any) -> Store:
        given = {"station_id": "st-1", "centre": keys.centre, "rehearsal": True}
        given |= {"index_cost": CHEAP, "reserve_bytes": 0, **options}
        passphrase = given.pop("passphrase", REHEARSAL_PASSPHRASE)
        store = Store.create(path, passphrase, **given)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., Store], tmp_path: Path) -> Store:
    return make_store(tmp_path / "station.db")


def draft(no: int = 1, number: str | None = "6222020012345678", **changes: Any) -> CardDraft:
    fields: dict[str, Any] = {
        "card_id": str(uuid.uuid4()),
        "read_id": str(uuid.uuid4()),
        "parcel_id": "p-1",
        "no": no,
        "product_id": "quxi-500",
        "gtin": "06901234567892",
        "number": Secret(number) if number else None,
        "pin": Secret("83749261"),
        "panel": PanelState.OPEN,
        "expiry": date(2028, 12, 31),
        "face_value_fen": 50_000,
        "recording_id": "r-1",
        "t_video_us": 4_200_000,
        "verdict": CardState.KEPT,
        "tag": Tag(f"04{uuid.uuid4().hex[:12].upper()}", "0044", "00", "NTAG213", simulated=True),
    }
    return CardDraft(**{**fields, **changes})


@pytest.fixture
def make_draft() -> Callable[..., CardDraft]:
    return draft


def opened(parcel_id: str = "p-1", waybill: str = "SF1234567890123") -> OpenParcel:
    items = (DeclaredItem("quxi-500", "趣玺", "Quxi", 50_000, 10),)
    return OpenParcel(parcel_id, ExpectedParcel(waybill, "O-77", 10, items), "r-1", CLERK)


@pytest.fixture
def make_parcel() -> Callable[..., OpenParcel]:
    return opened


@pytest.fixture
def working(store: Store, now: Stamp) -> Store:
    """A store with parcel p-1 in work."""
    store.open_parcel(opened(), now)
    return store
