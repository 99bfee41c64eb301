"""The vault's signing key gives way to another one; the vault goes on when the centre's does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.core.errors import EvidenceTrouble, Unavailable
from app.keys import Signer, new_seed
from app.server.folder import read_seed
from app.server.log import acts
from app.server.rotate import rotate_server_key
from app.server.routes import make_app
from app.store.db import reading
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.verify import verify_audit
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.vault.keys import Vault, open_vault
from app.vault.run import look_once
from app.vault.speaking import change_key, follow_centre, speaker_of
from app.wire import Centre, sign_statement
from app.wire_vault import KeyChange, KeyChanged
from tests.vault.test_reveals import NOW_MS, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.vault.close()
    made.party.writer.stop()
    made.centre.engine.dispose()


class Lossy(httpx.ASGITransport):
    """A line whose next answer may be lost after the centre has done its part."""

    lose = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if self.lose:
            raise httpx.ReadTimeout("lost")
        return answer


def again(house: House, folder: Path) -> Vault:
    house.vault.close()
    house.vault = open_vault(folder / "v", REHEARSAL_PASSPHRASE)
    return house.vault


def client_of(house: House, *, lose: bool = False) -> CentreClient:
    line = Lossy(make_app(house.centre, now_ms=lambda: NOW_MS))
    line.lose = lose
    client = CentreClient("http://127.0.0.1", line, speaker_of(house.vault), lambda: NOW_MS)

    async def keep(told: Centre) -> None:
        follow_centre(house.vault, told)

    client.on_newer_key = keep
    return client


async def _change(house: House, *, lose: bool = False) -> bytes:
    async with client_of(house, lose=lose) as client:
        return await change_key(house.vault, client)


async def _look(client: CentreClient, vault: Vault) -> int:
    async with client:
        return await look_once(vault, client)


def key_at_centre(house: House) -> bytes:
    with reading(house.centre.engine) as connection:
        query = "SELECT public_key FROM station WHERE id = 'vault-1'"
        return bytes(connection.exec_driver_sql(query).scalar_one())


def test_the_centre_hears_only_the_new_key_and_writes_it_down(house: House, tmp_path: Path) -> None:
    old = house.vault
    stale = Speaker(old.name, old.signer, old.centre)
    new = asyncio.run(_change(house))
    assert key_at_centre(house) == new != old.signer.public_key
    assert again(house, tmp_path).signer.public_key == new
    assert asyncio.run(_look(client_of(house), house.vault)) == 1
    with pytest.raises(CentreRefused, match=r"auth\.signature"):
        asyncio.run(_look(house.line(stale), house.vault))
    with reading(house.centre.engine) as connection:
        [act] = [one for one in acts(connection) if one["act"] == "centre.station-key-rotated"]
    assert (act["station"], act["by"], act["new_key"]) == ("vault-1", "vault-1", new.hex())
    house.centre.engine.dispose()
    assert verify_audit(house.centre.folder.root)["ok"]


def test_a_vault_that_runs_speaks_by_the_key_that_another_process_changed(house: House, tmp_path: Path) -> None:
    """It went on with the old one, was refused each time, and said nothing."""
    beside = open_vault(tmp_path / "v", REHEARSAL_PASSPHRASE)

    async def change() -> bytes:
        async with client_of(house) as client:
            return await change_key(beside, client)

    asyncio.run(change())
    beside.close()
    assert asyncio.run(_look(client_of(house), house.vault)) == 1


def test_a_lost_answer_leaves_a_vault_that_speaks_and_one_key(house: House, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"sync\.offline"):
        asyncio.run(_change(house, lose=True))
    vault = again(house, tmp_path)
    assert key_at_centre(house) != vault.signer.public_key  # the centre is ahead
    assert asyncio.run(_look(client_of(house), vault)) == 1
    new = asyncio.run(_change(house))
    assert key_at_centre(house) == new == again(house, tmp_path).signer.public_key


def test_a_key_that_does_not_sign_too_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_at_centre(house)
    monkeypatch.setattr(Signer, "sign", lambda self, data, sign=Signer.sign: sign(_stranger(self, house), data))
    with pytest.raises(CentreRefused, match=r"key\.change"):
        asyncio.run(_change(house))
    assert key_at_centre(house) == before


def _stranger(signer: Signer, house: House) -> Signer:
    known = (house.vault.signer.public_key, house.centre.signer.public_key)
    return signer if signer.public_key in known else Signer(new_seed())


def test_a_station_may_not_change_its_key_that_way(house: House) -> None:
    signed = sign_statement(
        KeyChange(tenant="t", client="vault-1", old_key="00" * 32, new_key="11" * 32), Signer(new_seed()).sign
    )

    async def ask() -> None:
        async with house.station() as client:
            await client.change_key(KeyChanged.model_construct(change=signed, proof=signed.sig))

    with pytest.raises(CentreRefused, match=r"station\.role"):
        asyncio.run(ask())


def test_the_vault_follows_the_centres_key_by_the_root_alone(house: House, tmp_path: Path) -> None:
    root = Signer(read_seed(house.centre.folder.vault / "root.key"))
    new = rotate_server_key(house.centre, root, NOW_MS, "test", at_once=True)
    assert asyncio.run(_look(client_of(house), house.vault)) == 1
    assert again(house, tmp_path).centre.server_key == new.hex()
    house.party.keep()
    house.party.round()  # the station too
    assert house.party.store.centre.server_key == new.hex()
    rotate_server_key(house.centre, Signer(new_seed()), NOW_MS, "thief")  # somebody without the root
    house.party.keep()
    with pytest.raises(EvidenceTrouble, match="untrusted"):
        house.party.round()
    assert house.party.store.centre.server_key == new.hex()
