"""Seeing a secret with the real programs: a centre that serves, a vault in a process of its own, which is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from app.commands.demo_vault import join_vault, let_ask, start_vault, stop_vault
from app.core.cards import Secret
from app.core.errors import Trouble
from app.core.parcels import Operator, Role
from app.core.reveals import Overview, RevealWish, Stage
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import make_code
from app.server.report import report
from app.server.setup import init, open_centre
from app.station.clock import system_clock
from app.station.revealing import Revealing, RevealPlan
from app.store.store import REHEARSAL_PASSPHRASE
from app.sync.client import CentreClient, Speaker
from app.sync.exchange import Exchange
from tests.sync.conftest import Party, new_party

WHO = Operator("S20018", "周岚", Role.SUPERVISOR, rehearsal=True)


def _ended(heard: SimpleQueue[Any]) -> Any:
    while isinstance(news := heard.get(timeout=60), Stage):
        pass
    return news


@pytest.fixture
def party(tmp_path: Path) -> Any:
    """A station that has brought one card to a server process, with a vault's code beside it."""
    init(tmp_path / "centre")
    centre = open_centre(tmp_path / "centre")
    child, url = start_server_process(tmp_path / "centre", timeout_s=120)
    made = new_party(tmp_path, centre)
    yield made, url, centre
    made.writer.stop()
    stop_server_process(child)
    centre.engine.dispose()


def test_a_vault_that_is_killed_and_started_again(party: tuple[Party, str, Any], tmp_path: Path) -> None:
    station, url, centre = party
    clock, bugs = system_clock(), list[Exception]()
    card = station.keep()
    _bring(station, url)
    code = make_code(centre, "vault-1", "vault", clock.wall_us() // 1000, confirm=False)
    join_vault(tmp_path / "vault", tmp_path / "centre", url, code)
    let_ask(tmp_path / "vault", tmp_path / "people", WHO.id)
    let_ask(tmp_path / "vault", tmp_path / "people", WHO.id)  # a second start finds it
    station.writer.call(lambda store: store.add_operator(WHO.id, WHO.name, WHO.role, "", Secret("135790")))
    plan = RevealPlan(lambda speaker: CentreClient(url, None, speaker), tmp_path / "people", longest_s=20.0)
    desk = Revealing(plan, station.writer, clock, bugs.append)
    short = Revealing(RevealPlan(plan.line, plan.keys, longest_s=1.0), station.writer, clock, bugs.append)
    desk.start()
    short.start()
    vault = start_vault(tmp_path / "vault", url)
    try:
        assert _ended(_ask(desk, card)) == Secret("83749261")
        vault.kill()
        stop_vault(vault)
        trouble = _ended(_ask(short, card))
        assert isinstance(trouble, Trouble)
        assert trouble.code == "vault.no_answer"
        vault = start_vault(tmp_path / "vault", url)
        assert _ended(_ask(desk, card)) == Secret("83749261")
        heard: SimpleQueue[Any] = SimpleQueue()
        desk.overview(WHO, heard.put)
        seen = heard.get(timeout=60)
        assert isinstance(seen, Overview)
        assert sorted(one.state for one in seen.asked) == ["refused", "taken", "taken"]
        assert seen.left == seen.a_day - 2
    finally:
        short.stop()
        desk.stop()
        stop_vault(vault)
    assert bugs == []
    told = [one["act"] for one in report(centre.engine, "acts") if "person" in one or one["act"].endswith("-granted")]
    assert told == ["centre.person-let-in", *["centre.reveal-granted"] * 2], "by two vault processes, once"
    everything = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
    assert b"83749261" not in everything, "in no file of station, centre and vault"


def _ask(desk: Revealing, card: str) -> SimpleQueue[Any]:
    heard: SimpleQueue[Any] = SimpleQueue()
    desk.ask(WHO, RevealWish(card, "pin", "audit"), Secret(REHEARSAL_PASSPHRASE), heard.put)
    return heard


def _bring(station: Party, url: str) -> None:
    """Have the card at the centre, by the machine's own clock."""

    async def run() -> None:
        client = CentreClient(url, None, station.writer.call(Speaker.of))
        exchange = Exchange(client, station.writer, system_clock().stamp, station.cards.extend, station.queues.append)
        async with client:
            await exchange.round()

    asyncio.run(run())
