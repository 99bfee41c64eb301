"""The centre goes away in the middle of a parcel and comes back: work goes on, each card arrives once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.commands.assembly import Parts, StationPlan, joined_station
from app.core.cards import CardState
from app.core.events import CardWasRead, CodeScanned, Key, KeyPressed
from app.core.parcels import TrayCard
from app.core.readiness import Level, SyncState
from app.core.states import Counting, Idle, Opening, Waiting
from app.paths import StationFolder
from app.server.embedded import start_server_process, stop_server_process
from app.settings import Settings
from app.store.verify import verify_audit
from tests.core.making import BADGE, RULES, WAYBILL, card_read
from tests.station.conftest import make_film, make_store


@pytest.fixture
def folder(private_runtime: Path, tmp_path: Path) -> StationFolder:
    made = StationFolder(tmp_path / "station")
    made.root.mkdir()
    return made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as begun:
        yield begun


def until(parts: Parts, done: Callable[[], bool], timeout_s: float = 60.0) -> None:
    station = parts.station
    assert station.run_until(done, timeout_s), f"waited in vain: {station.state!r} {station.around.sync}"


def tray(parts: Parts) -> tuple[TrayCard, ...]:
    state = parts.station.state
    if isinstance(state, Idle):
        return state.last.cards if state.last else ()
    return state.visit.cards if hasattr(state, "visit") else ()


def keep(parts: Parts, read_id: str) -> None:
    before, now_us = len(tray(parts)), parts.clock.mono_us()
    parts.station.post(CardWasRead(card_read(read_id, first_us=now_us - 100_000, best_us=now_us)))
    until(parts, lambda: len(tray(parts)) == before + 1)


def begin_parcel(parts: Parts, film: Path) -> None:
    parts.cameras.overhead = f"file:{film}?loop=1"
    parts.filming.open_camera(parts.cameras.overhead)
    parts.station.post(CodeScanned(BADGE))
    until(parts, lambda: isinstance(parts.station.state, Idle) and parts.station.around.camera.level is Level.OK)
    parts.station.post(CodeScanned(WAYBILL))
    until(parts, lambda: isinstance(parts.station.state, Opening) and parts.station.state.began)


@pytest.mark.warns
def test_cards_are_kept_while_the_centre_is_away_and_all_arrive_when_it_is_back(
    folder: StationFolder, stack: ExitStack
) -> None:
    store = make_store(folder, WAYBILL)
    centre = folder.root / "centre"
    child, url = start_server_process(centre)
    plan = StationPlan(folder, Settings(), RULES.catalogue, url, rehearsal=True)
    parts = stack.enter_context(joined_station(plan, store, lambda _sound: None))
    begin_parcel(parts, make_film(folder.root / "film.mp4"))
    keep(parts, "read-1")
    until(parts, lambda: tray(parts)[0].state is CardState.ACCEPTED)
    child.kill()
    stop_server_process(child)
    keep(parts, "read-2")
    until(parts, lambda: parts.station.around.sync.state is SyncState.OFFLINE)
    assert parts.station.around.sync.code == "sync.offline"
    until(parts, lambda: parts.station.around.sync.unsent > 0)  # told when the card is kept, which may be later
    until(parts, lambda: isinstance(parts.station.state, Waiting))
    parts.station.post(KeyPressed(Key.SPACE))
    until(parts, lambda: isinstance(parts.station.state, Counting))
    parts.station.post(KeyPressed(Key.SPACE))
    until(parts, lambda: isinstance(parts.station.state, Idle))
    assert [card.state for card in tray(parts)] == [CardState.ACCEPTED, CardState.KEPT]
    again, _ = start_server_process(centre, int(url.rpartition(":")[2]))
    stack.callback(stop_server_process, again)
    until(parts, lambda: all(card.state is CardState.ACCEPTED for card in tray(parts)))
    until(parts, lambda: parts.station.around.sync.unsent == 0)
    until(parts, lambda: parts.station.around.sync.state is SyncState.SYNCED)
    here = parts.store.call(lambda store: (store.high_received(), len(store.outbox_after(0))))
    assert here[0] == here[1]
    report = verify_audit(centre)
    assert report["ok"]
    assert report["chains"][0]["count"] == here[1]
