"""A secret shown over the network: in the log before it is opened, readable for who asked, for nobody in between."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import select

from app.commands import station_reveal
from app.core.audit import digest
from app.core.errors import BadInput, Unavailable
from app.keys import Signer, new_seed
from app.paths import StationFolder
from app.server.enrol import admit_station
from app.server.log import acts
from app.server.page import page_of
from app.server.report import report
from app.server.routes import make_app
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import reveal as reveal_table
from app.store.db import reading
from app.store.store import REHEARSAL_PASSPHRASE
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.sync.reveal import Person, Wish, approve, reveal
from app.vault import run as vault_run
from app.vault.keys import Vault, make_vault, open_vault
from app.vault.reveal import QUOTA_A_DAY, add_person
from app.vault.run import answer_once
from app.wire import Signed, sign_statement
from app.wire_vault import RevealAsked, RevealLog, RevealRequest, RevealState, RevealVerdict
from tests.sync.conftest import NOW_US, Party, new_party

NOW_MS = NOW_US // 1000
REASON = "客户投诉 4711"
KEY = X25519PrivateKey.generate().public_key().public_bytes_raw().hex()


class House:
    """A centre, a station that has brought a card, and a vault that lets two people ask.

    `behind_ms`: how far the station's clock is behind.
    """

    behind_ms = 0

    def __init__(self, folder: Path) -> None:
        init(folder / "centre")
        self.centre: OpenCentre = open_centre(folder / "centre")
        self.party: Party = new_party(folder, self.centre)
        self.app = make_app(self.centre, now_ms=lambda: NOW_MS)
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

    def line(self, speaker: Speaker, behind_ms: int = 0) -> CentreClient:
        transport = httpx.ASGITransport(self.app)
        return CentreClient("http://127.0.0.1", transport, speaker, lambda: NOW_MS - behind_ms)

    def station(self) -> CentreClient:
        return self.line(Speaker(*self.party.store.speaker()), self.behind_ms)

    def vault_line(self) -> CentreClient:
        return self.line(Speaker("vault-1", self.vault.signer, self.centre.centre))

    def wish(self, **changes: Any) -> Wish:
        asked: dict[str, Any] = {"station": self.party.store.station, "card": self.card, "field": "pin"}
        return Wish(**{**asked, "reason": REASON, **changes})

    def see(self, person: Person, wish: Wish, second: Person | None = None, seconds: float = 60.0) -> str:
        """What the person sees, with the vault at work beside; `second` signs when somebody has to."""
        states: list[str] = []

        async def both() -> str:
            async with self.station() as desk, self.vault_line() as line:
                now_ms, tenant = NOW_MS - self.behind_ms, self.centre.centre.tenant
                asking = asyncio.create_task(reveal(desk, person, wish, tenant, now_ms, seen.append, longest_s=seconds))
                try:
                    while not asking.done():
                        await answer_once(self.vault, line, lambda: NOW_MS)
                        if second and seen and seen[-1].state == "needs-second" and not states:
                            states.append("signed")
                            waiting = (await desk.open_reveals()).requests
                            one = next(one for one in waiting if wish.reason in one.request.text)
                            await approve(desk, second, one.request, seen[-1].id)
                        await asyncio.sleep(0.05)
                    return (await asking).reveal()
                finally:
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)

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


@pytest.mark.parametrize("days", [-3, 3])
def test_a_clock_that_is_days_off_does_not_make_a_request_too_old(house: House, days: int) -> None:
    """The request told this machine's time, and the vault refused it: all else works by the centre's."""
    house.behind_ms = days * 86_400_000
    assert house.see(house.one, house.wish()) == "83749261"


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


@pytest.mark.parametrize("which", ["granted", "shown"])
def test_a_word_of_the_vault_whose_answer_was_lost_is_said_again(
    house: House, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """The centre has written it down, the vault does not know: nothing came of the request, and it had been counted."""
    tell, lost = CentreClient.tell_reveal, [which]

    async def losing(client: CentreClient, name: str, verdict: RevealVerdict) -> RevealState:
        told = await tell(client, name, verdict)
        if verdict.state in lost:
            lost.remove(verdict.state)
            raise Unavailable("sync.offline")
        return told

    monkeypatch.setattr(CentreClient, "tell_reveal", losing)
    assert house.see(house.one, house.wish()) == "83749261"
    assert lost == []
    assert house.acts() == ["asked", "granted", "shown", "taken"]


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
    assert house.acts()[:3] == ["asked", "needs-second", "refused"], "who gave up waiting took it back"
    assert house.acts()[3:] == ["asked", "needs-second", "approved", "granted", "shown", "taken"]


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


@pytest.mark.parametrize("when", ["before it is granted", "while it is refused"])
def test_a_request_that_is_over_by_then_holds_no_other_up(
    house: House, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Taken back after the vault was handed it: the centre's no ended the round, who came next got no answer."""
    real, opened = vault_run.grant, Vault.open
    seen: list[str] = []

    def grant(vault: Vault, signed: Signed, who: str, now_ms: int, approval: Any) -> RevealRequest:
        if not seen:
            with house.centre.engine.begin() as connection:
                over = "UPDATE reveal SET state = 'refused', code = 'reveal.withdrawn' WHERE id = ?"
                connection.exec_driver_sql(over, (digest(signed.text.encode()),))
        seen.append(signed.text)
        asked = real(vault, signed, who, now_ms, approval)
        if len(seen) == 1 and when != "before it is granted":
            raise BadInput("vault.reason")
        return asked

    def count(vault: Vault, *about: Any) -> Any:
        counted.append(1)
        return opened(vault, *about)

    counted: list[int] = []
    monkeypatch.setattr(vault_run, "grant", grant)
    monkeypatch.setattr(Vault, "open", count)

    async def both() -> int:
        async with house.station() as desk, house.vault_line() as line:
            for n in range(2):
                wish = house.wish(reason=f"{REASON} {n}")
                stated = RevealRequest(**asdict(wish), tenant=house.centre.centre.tenant, to_key=KEY, made_ms=NOW_MS)
                signed = sign_statement(stated, house.one.signer.sign)
                await desk.ask_reveal(RevealAsked.model_construct(request=signed, who=house.one.name))
            return await answer_once(house.vault, line, lambda: NOW_MS)

    assert asyncio.run(both()) == 1
    assert (len(seen), len(counted)) == (2, 1), "what was taken back is not opened"
    with reading(house.centre.engine) as connection:
        assert sorted(connection.execute(select(reveal_table.c.state)).scalars()) == ["refused", "shown"]


def test_who_the_vault_does_not_know_sees_nothing_though_the_centre_helps(house: House) -> None:
    """Whoever holds the centre can bring any request; the vault asks for a person's key that it was given itself."""
    for person in (Person("谁", Signer(new_seed())), Person(house.one.name, Signer(new_seed()))):
        with pytest.raises(BadInput, match=r"vault\.person"):
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


def test_only_the_station_that_asked_takes_a_request_back_and_only_in_time(house: House) -> None:
    signer = Signer(new_seed())
    admit_station(house.centre, "st-x", signer.public_key, "rehearsal", 0)
    house.see(house.one, house.wish())
    with reading(house.centre.engine) as connection:
        name = connection.execute(select(reveal_table.c.id)).scalar_one()

    async def withdraw(client: CentreClient) -> None:
        async with client:
            await client.withdraw_reveal(name)

    stranger = house.line(Speaker("st-x", signer, house.centre.centre))
    for line, code in ((stranger, r"reveal\.unknown"), (house.station(), r"reveal\.state")):
        with pytest.raises(CentreRefused, match=code):
            asyncio.run(withdraw(line))
    assert house.acts()[-1] == "taken"


def test_the_log_of_reveals_is_told_to_whom_it_concerns(house: House) -> None:
    """To the station that asked or that took the card; another one sees what it may sign, and no more."""
    house.see(house.one, house.wish())
    signer = Signer(new_seed())
    admit_station(house.centre, "st-x", signer.public_key, "rehearsal", 0)

    async def look(client: CentreClient) -> RevealLog:
        async with client:
            return await client.reveal_log(house.one.name)

    own = asyncio.run(look(house.station()))
    assert [(one.who, one.reason, one.state) for one in own.entries] == [(house.one.name, REASON, "taken")]
    assert own.left == QUOTA_A_DAY - 1
    assert asyncio.run(look(house.line(Speaker("st-x", signer, house.centre.centre)))).entries == ()
    with pytest.raises(CentreRefused, match=r"station\.role"):
        asyncio.run(look(house.vault_line()))


def test_the_centres_operator_sees_who_asked_and_why(house: House) -> None:
    house.see(house.one, house.wish(reason="客户 <b>投诉</b> 4711"))
    (row,) = report(house.centre.engine, "reveals")
    assert (row["who"], row["card"], row["field"], row["state"]) == (house.one.name, house.card, "pin", "taken")
    page = page_of([], [], NOW_MS, [row])
    assert "客户 &lt;b&gt;投诉&lt;/b&gt; 4711" in page
    assert "83749261" not in page


@pytest.mark.parametrize("refused", [False, True])
def test_the_command_of_the_second_person_lists_signs_and_refuses(
    house: House, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station_reveal, "_client", lambda *_about: house.station())
    with pytest.raises(Unavailable):
        house.see(house.one, house.wish(), seconds=0.0)
    with house.centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE reveal SET state = 'needs-second', code = ''")
    folder, store = StationFolder(house.centre.folder.root), house.party.store

    def say(name: str) -> list[dict[str, Any]]:
        args = argparse.Namespace(id=name, refuse=refused)
        return asyncio.run(station_reveal._second(args, folder, store, house.two))

    (one,) = say("")
    assert (one["who"], one["reason"]) == (house.one.name, REASON)
    (told,) = say(one["reveal"])
    assert told["state"] == ("refused" if refused else "needs-second")
    assert house.acts()[-1] == ("refused" if refused else "approved")
    with pytest.raises(BadInput, match=r"reveal\.state"):
        say(one["reveal"])
