"""A centre in this process, a station that speaks with it, and a line that can be cut, slowed and bent."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.audit import Stamp
from app.core.cards import CardState, PanelState, Secret, Tag
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Reason, Role, TrayCard
from app.server.enrol import admit_station
from app.server.routes import make_app
from app.server.setup import OpenCentre
from app.store.results import QueueFacts
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.writer import StoreWriter
from app.sync.client import CentreClient, Speaker
from app.sync.exchange import Exchange
from tests.centre import centre as centre

NOW_US = 1_790_000_000_000_000


def stamp() -> Stamp:
    return Stamp(NOW_US, 5, "boot")


class Line(httpx.AsyncBaseTransport):
    """A line to a centre in this process. `fate(request)` says what happens to a request:

    "" all well; "cut" never arrives; "lost" arrives, the answer does not; "twice" arrives twice; "flip" a bit of the
    body changes on the way; "busy" 503 with Retry-After 7.
    """

    def __init__(self, centre: OpenCentre, fate: Callable[[httpx.Request], str] = lambda _request: "") -> None:
        self.centre = centre
        self.fate = fate
        self.ahead_ms = 0  # of the centre's clock
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()  # as it goes out, in pieces or not
        self.requests.append(request)
        fate = self.fate(request)
        if fate == "cut":
            raise httpx.ConnectError("cut")
        if fate == "busy":
            return httpx.Response(503, headers={"Retry-After": "7"}, json={"code": "store.disk_full"})
        if fate == "flip" and request.content:
            content = bytearray(request.content)
            content[len(content) // 2] ^= 4
            request = httpx.Request(request.method, request.url, headers=request.headers, content=bytes(content))
        inner = httpx.ASGITransport(make_app(self.centre, now_ms=lambda: NOW_US // 1000 + self.ahead_ms))
        answer = await inner.handle_async_request(request)
        if fate == "twice":
            answer = await inner.handle_async_request(request)
        if fate == "lost":
            raise httpx.ReadTimeout("lost")
        return answer


@dataclass
class Party:
    """A station with its store, and what it heard from its sync."""

    store: Store
    writer: StoreWriter
    line: Line
    cards: list[TrayCard] = field(default_factory=list)
    queues: list[QueueFacts] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def keep(
        self,
        verdict: CardState = CardState.KEPT,
        reasons: tuple[Reason, ...] = (),
        tag: Tag | None = None,
        face_value_fen: int | None = 50_000,
    ) -> str:
        """Keep one more card; its id."""
        no = len(self.kept) + 1
        card = CardDraft(
            card_id=str(uuid.uuid4()),
            read_id=f"read-{no}",
            parcel_id="p-1",
            no=no,
            product_id="quxi-500",
            gtin=None,
            number=Secret(f"{6222020012340000 + no}"),
            pin=Secret("83749261"),
            panel=PanelState.OPEN,
            expiry=date(2028, 12, 31),
            face_value_fen=face_value_fen,
            recording_id="r-1",
            t_video_us=no * 1_000_000,
            verdict=verdict,
            reasons=reasons,
            tag=tag,
        )
        self.writer.call(lambda store: store.keep_card(card, stamp(), "1001"))
        self.kept.append(card.card_id)
        return card.card_id

    def exchange(self) -> Any:
        """A fresh exchange over the line, as after a restart: run it with `round`."""
        client = CentreClient("http://127.0.0.1", self.line, Speaker.of(self.store), lambda: NOW_US // 1000)
        return Exchange(client, self.writer, stamp, self.cards.extend, self.queues.append)

    def round(self) -> bool:
        async def run() -> bool:
            exchange = self.exchange()
            async with exchange.client:
                return bool(await exchange.round())

        return asyncio.run(run())

    def state_of(self, card_id: str) -> CardState:
        tray = self.writer.call(lambda store: store.tray("p-1"))
        return next(card.state for card in tray if card.card_id == card_id)


def new_party(
    folder: Path,
    centre: OpenCentre,
    cost: IndexCost = IndexCost(8, 1),  # noqa: B008  frozen
    *,
    rehearsal: bool = True,
) -> Party:
    """`rehearsal` False: a station that takes in real cards."""
    store = Store.create(
        folder / "station.db",
        REHEARSAL_PASSPHRASE if rehearsal else "of its own",
        station_id=f"st-{uuid.uuid4().hex[:6]}",
        centre=centre.centre,
        rehearsal=rehearsal,
        index_cost=cost,
        reserve_bytes=0,
    )
    admit_station(centre, store.station, store.public_key, "rehearsal" if rehearsal else "store", 0)
    operator = Operator("1001", "林晓", Role.CLERK, rehearsal=rehearsal)
    store.open_parcel(OpenParcel("p-1", ExpectedParcel("SF1234567890123", "", 9), "r-1", operator), stamp())
    party = Party(store, StoreWriter(store, lambda bug: party.crashes.append(bug)), Line(centre))
    party.writer.start()
    return party


@pytest.fixture
def party(tmp_path: Path, centre: OpenCentre) -> Iterator[Party]:
    made = new_party(tmp_path, centre)
    yield made
    assert made.writer.stop()
    assert made.crashes == []


@pytest.fixture(name="make_party")
def _make_party() -> Callable[..., Party]:
    return new_party
