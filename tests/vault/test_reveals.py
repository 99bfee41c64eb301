"""A secret shown over the network: in the log before it is opened, readable for who asked, for nobody in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.core.errors import BadInput, Unavailable
from app.keys import Signer, new_seed
from app.server.enrol import admit_station
from app.server.log import acts
from app.server.routes import make_app
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import reveal as reveal_table
from app.store.db import reading
from app.store.store import REHEARSAL_PASSPHRASE
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.sync.reveal import Person, Wish, approve, reveal
from app.vault.keys import Vault, make_vault, open_vault
from app.vault.reveal import QUOTA_A_DAY, add_person
from app.vault.run import answer_once
from app.wire_vault import RevealState, RevealVerdict
from tests.sync.conftest import NOW_US, Party, new_party

NOW_MS = NOW_US // 1000
REASON = "客户投诉 4711"


class House:
    """A centre, a station that has brought a card, and a vault that lets two people ask."""

    def __init__(self, folder: Path) -> None:
        init(folder / "centre")
        self.centre: OpenCentre = open_centre(folder / "centre")
        self.party: Party = new_party(folder, self.centre)
        self.card = self.party.keep()
        self.party.round()
        seed = new_seed()
        admit_station(self.centre, "vault-1", Signer(seed).public_key, "vault", 0)
        pinned = self.centre.centre
        make_vault(folder / "v", REHEARSAL_PASSPHRASE, "vault-1", pinned, seed, self.centre.folder.vault)
        self.vault: Vault = open_vault(folder / "v", REHEARSAL_PASSPHRASE)
        self.one, self.two = (Person(name, Signer(new_seed())) for name in ("周岚", "陈敏"))
        for person in (self.one, self.two):
            add_person(self.vault, person.name, person.signer.public_key)

    def line(self, speaker: Speaker) -> CentreClient:
        transport = httpx.ASGITransport(make_app(self.centre, now_ms=lambda: NOW_MS))
        return CentreClient("http://127.0.0.1", transport, speaker, lambda: NOW_MS)

    def station(self) -> CentreClient:
        return self.line(Speaker(*self.party.store.speaker()))

    def vault_line(self) -> CentreClient:
        return self.line(Speaker("vault-1", self.vault.signer, self.centre.centre))

    def wish(self, **changes: Any) -> Wish:
        asked: dict[str, Any] = {"station": self.party.store.station, "card": self.card, "field": "pin"}
        return Wish(**{**asked, "reason": REASON, **changes})

    def see(self, person: Person, wish: Wish, second: Person | None = None, seconds: float = 5.0) -> str:
        """What the person sees, with the vault at work beside; `second` signs when somebody has to."""
        states: list[str] = []

        async def both() -> str:
            async with self.station() as desk, self.vault_line() as line:
                asking = asyncio.create_task(
                    reveal(desk, person, wish, self.centre.centre.tenant, NOW_MS, seen.append, longest_s=seconds)
                )
                while not asking.done():
                    await answer_once(self.vault, line, lambda: NOW_MS)
                    if second and seen and seen[-1].state == "needs-second" and not states:
                        states.append("signed")
                        waiting = (await desk.open_reveals()).requests
                        one = next(one for one in waiting if wish.reason in one.request.text)
                        await approve(desk, second, one.request, seen[-1].id)
                    await asyncio.sleep(0.05)
                return (await asking).reveal()

        seen: list[RevealState] = []
        return asyncio.run(both())

    def acts(self) -> list[str]:
        with reading(self.centre.engine) as connection:
            told = acts(connection)
        return [one["act"].removeprefix("centre.reveal-") for one in told if "reveal" in one["act"]]

    def close(self) -> None:
        self.party.writer.stop()
        self.vault.close()
        self.centre.engine.dispose()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_supervisor_sees_a_pin_and_the_centre_never_does(house: House) -> None:
    assert house.see(house.one, house.wish()) == "83749261"
    assert house.acts() == ["asked", "granted", "shown", "taken"]
    assert b"83749261" not in everything_in(house.centre.folder.root)
    with reading(house.centre.engine) as connection:
        row = connection.execute(select(reveal_table)).one()
        told = next(one for one in acts(connection) if one["act"] == "centre.reveal-asked")
    assert (row.state, row.answer) == ("taken", None), "handed out once, and forgotten"
    assert (told["who"], told["reason"], told["card"]) == (house.one.name, REASON, house.card)


def test_it_lies_in_the_log_of_the_centre_before_anything_is_opened(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[list[str]] = []
    opened = Vault.open

    def watch(vault: Vault, *about: Any) -> Any:
        before.append(house.acts())
        return opened(vault, *about)

    monkeypatch.setattr(Vault, "open", watch)
    house.see(house.one, house.wish())
    assert before == [["asked", "granted"]]


def test_a_vault_whose_grant_the_centre_did_not_take_opens_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_client: CentreClient, _name: str, _verdict: RevealVerdict) -> RevealState:
        raise Unavailable("sync.offline")

    opened: list[object] = []
    monkeypatch.setattr(CentreClient, "tell_reveal", lost)
    monkeypatch.setattr(Vault, "open", lambda *about: opened.append(about))
    with pytest.raises(Unavailable):
        house.see(house.one, house.wish())
    assert opened == []


def test_beyond_the_quota_the_second_person_signs_at_a_station(house: House) -> None:
    with house.vault.engine.begin() as connection:
        for _ in range(QUOTA_A_DAY):
            connection.exec_driver_sql(
                "INSERT INTO reveal (at_ms, who, approved_by, station, card, field, reason, request, sig) "
                "VALUES (?, ?, '', 's', 'c', 'pin', 'r', '', x'')",
                (NOW_MS, house.one.name),
            )
    with pytest.raises(Unavailable, match=r"vault\.no_answer"):
        house.see(house.one, house.wish(), seconds=1.0)
    again = house.wish(reason="客户投诉 4712")
    assert house.see(house.one, again, house.two) == "83749261"
    assert house.acts()[2:] == ["asked", "needs-second", "approved", "granted", "shown", "taken"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (lambda house: {"reason": "  "}, "reveal.reason"),
        (lambda house: {"card": "nobody"}, "reveal.card"),
        (lambda house: {"station": "elsewhere"}, "reveal.card"),
    ],
)
def test_without_reason_or_card_nothing_is_asked(
    house: House, changes: Callable[[House], dict[str, Any]], code: str
) -> None:
    with pytest.raises(BadInput, match=code):
        house.see(house.one, house.wish(**changes(house)))
    assert house.acts() == []


def test_who_the_vault_does_not_know_sees_nothing_though_the_centre_helps(house: House) -> None:
    """Whoever holds the centre can bring any request; the vault asks for a person's key that it was given itself."""
    for person in (Person("谁", Signer(new_seed())), Person(house.one.name, Signer(new_seed()))):
        with pytest.raises(BadInput, match=r"vault\.person|sync\.untrusted_answer"):
            house.see(person, house.wish())
    assert house.acts() == ["asked", "refused"] * 2


def test_a_card_of_another_place_does_not_open(house: House) -> None:
    """A centre that puts another card's blob into the task: the seal is bound to station, card and field."""
    other = house.party.keep()
    house.party.round()
    with house.centre.engine.begin() as connection:
        pins = {row.id: row.pin_ref for row in connection.exec_driver_sql("SELECT id, pin_ref FROM card")}
        connection.exec_driver_sql("UPDATE card SET pin_ref = ? WHERE id = ?", (pins[other], house.card))
    with pytest.raises(BadInput, match=r"vault\.not_openable"):
        house.see(house.one, house.wish())


def test_neither_station_nor_vault_does_the_other_ones_part(house: House) -> None:
    async def tell(client: CentreClient) -> None:
        async with client:
            await client.reveal_tasks()

    async def ask(client: CentreClient) -> None:
        async with client:
            await client.open_reveals()

    for wrong in (tell(house.station()), ask(house.vault_line())):
        with pytest.raises(CentreRefused, match=r"station\.role"):
            asyncio.run(wrong)


def test_another_station_does_not_get_the_answer(house: House) -> None:
    house.see(house.one, house.wish())
    signer = Signer(new_seed())
    admit_station(house.centre, "st-x", signer.public_key, "rehearsal", 0)
    with reading(house.centre.engine) as connection:
        name = connection.execute(select(reveal_table.c.id)).scalar_one()

    async def look(client: CentreClient) -> None:
        async with client:
            await client.reveal_state(name)

    with pytest.raises(CentreRefused, match=r"reveal\.unknown"):
        asyncio.run(look(house.line(Speaker("st-x", signer, house.centre.centre))))
    assert json.dumps(house.acts()).count("taken") == 1
