"""A real centre and a real vault behind a station's desk for seeing secrets; the line and the vault can be cut off."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import httpx
from sqlalchemy import Connection, insert

from app.core.cards import CardState, Secret
from app.core.footage import Line, Pile
from app.core.parcels import Operator, Reason, Role
from app.core.reveals import Field, Overview, RevealWish, Stage, Why, reason_of
from app.keys import Signer
from app.platform import boot_id
from app.station.clock import Clock
from app.station.revealing import Revealing, RevealPlan
from app.store.keyfile import make_key
from app.store.tables import operator
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.vault.reveal import QUOTA_A_DAY, add_person
from app.vault.run import answer_once
from tests.sync.conftest import NOW_US
from tests.vault.test_reveals import NOW_MS, House

PIN = "83749261"
PASSPHRASE = "own words 17"
FIRST = Operator("S20018", "周岚", Role.SUPERVISOR, rehearsal=True)
SECOND = Operator("S20019", "林远", Role.ADMIN, rehearsal=True)
CLERK = Operator("E10327", "陈敏", Role.CLERK, rehearsal=True)
ASTRAY = Operator("../people/S20018", "路远", Role.SUPERVISOR, rehearsal=True)
"""Whose staff number leads to another place."""

NO_KEY = Operator("S20020", "何一", Role.SUPERVISOR, rehearsal=True)


class StillClock(Clock):
    """The time of the tests' centre."""

    def wall_us(self) -> int:
        return NOW_US


class VaultAtWork:
    """The vault's process as a thread: asks the centre for requests until it is killed."""

    def __init__(self, house: House) -> None:
        self._house, self._killed = house, threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def killed(self) -> bool:
        return self._killed.is_set()

    def kill(self) -> None:
        self._killed.set()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        async with self._house.vault_line() as line:
            while not self._killed.is_set():
                with suppress(CentreRefused):  # one was taken back meanwhile: the real one goes on as well
                    await answer_once(self._house.vault, line, lambda: NOW_MS)
                await asyncio.sleep(0.02)


class RevealHouse:
    """`house` has the centre, the station that brought the card and the vault; `desk` is what the screen asks.

    `away`: the line is cut.
    """

    def __init__(self, folder: Path, longest_s: float = 30.0) -> None:
        self.house = House(folder)
        self.party = self.house.party
        self.keys = folder / "people"
        self.keys.mkdir()
        self.away = False
        self.bugs: list[Exception] = []
        self.party.writer.call(lambda store: store.ledger.write(_let_in))
        for who in (FIRST, SECOND, CLERK):
            seed = make_key(self.keys / f"{who.id}.key", PASSPHRASE, published=True)
            add_person(self.house.vault, who.id, Signer(seed).public_key)
        self.card_id = self.party.keep(CardState.REVIEW, (Reason.OPERATOR_REVIEW,))
        self.party.round()
        self.posted: list[Any] = []
        plan = RevealPlan(self.line, self.keys, longest_s)
        clock = StillClock(boot_id())
        self.desk = Revealing(plan, self.party.writer, clock, self.bugs.append, self.posted.append)
        self.desk.start()
        self.vault: VaultAtWork | None = None

    def line(self, speaker: Speaker) -> CentreClient:
        return CentreClient("http://127.0.0.1", _Cut(), speaker) if self.away else self.house.line(speaker)

    def open_vault(self) -> VaultAtWork:
        """The vault is at work."""
        if self.vault is None or self.vault.killed:
            self.vault = VaultAtWork(self.house)
            self.vault.start()
        return self.vault

    def wish(self, field: Field = "pin", card_id: str = "", words: str = "来电 4711") -> RevealWish:
        return RevealWish(card_id or self.card_id, field, reason_of(Why.COMPLAINT, words))

    def ask(
        self, who: Operator = FIRST, wish: RevealWish | None = None, passphrase: str = PASSPHRASE
    ) -> SimpleQueue[Any]:
        """Ask; what the screen would hear comes out of the queue."""
        heard: SimpleQueue[Any] = SimpleQueue()
        self.desk.ask(who, wish or self.wish(), Secret(passphrase), heard.put)
        return heard

    def answer(self, heard: SimpleQueue[Any]) -> tuple[list[Stage], Any]:
        """The stages, and what came in the end."""
        stages: list[Stage] = []
        while isinstance(news := heard.get(timeout=30), Stage):
            stages.append(news)
        return stages, news

    def overview(self, who: Operator = FIRST) -> Any:
        heard: SimpleQueue[Any] = SimpleQueue()
        self.desk.overview(who, heard.put)
        return heard.get(timeout=30)

    def sign(self, who: Operator, agree: bool, passphrase: str = PASSPHRASE) -> Any:
        """The second person's word on the first request that waits."""
        seen = self.overview(who)
        assert isinstance(seen, Overview)
        heard: SimpleQueue[Any] = SimpleQueue()
        self.desk.sign(who, next(one for one in seen.asked if one.waits), agree, Secret(passphrase), heard.put)
        return heard.get(timeout=30)

    def use_up(self, who: Operator = FIRST) -> None:
        """This person has seen as many secrets as one may alone."""
        with self.house.vault.engine.begin() as connection:
            for _ in range(QUOTA_A_DAY):
                connection.exec_driver_sql(
                    "INSERT INTO reveal (at_ms, who, approved_by, station, card, field, reason, request, sig) "
                    "VALUES (?, ?, '', 's', 'c', 'pin', 'r', '', x'')",
                    (NOW_MS, who.id),
                )

    def until(self, heard: SimpleQueue[Any], stage: Stage) -> None:
        while heard.get(timeout=30) is not stage:
            pass

    def lines(self) -> tuple[Line, ...]:
        return self.party.writer.call(lambda store: store.footage_lines(Pile.ALL, "", NOW_US)).lines

    def close(self) -> None:
        self.desk.stop()
        if self.vault is not None:
            self.vault.kill()
        self.house.close()
        assert self.bugs == []


def _let_in(connection: Connection) -> None:
    """Everybody's row. Nobody signs in by a passcode here, so none is hashed."""
    for who in (FIRST, SECOND, CLERK, NO_KEY, ASTRAY):
        row = {"id": who.id, "name": who.name, "role": who.role.value, "verifier": "", "central": False}
        connection.execute(insert(operator).values(**row, badge_index=None))


class _Cut(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("cut", request=request)
