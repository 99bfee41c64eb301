"""Answers of a later release, of somebody in between, without end; and an address at which somebody else lives."""

from __future__ import annotations

import asyncio
import gzip
import json
import queue
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from app.core.audit import CentreAct, canonical, digest
from app.core.cards import CardState
from app.core.errors import EvidenceTrouble, Unavailable
from app.core.parcels import ExpectedParcel
from app.core.readiness import SyncState
from app.keys import verifier
from app.server.reference import expected_parcels, hand_out
from app.server.report import report
from app.server.setup import OpenCentre
from app.server.tables import feed
from app.store import exchange, reference
from app.store.db import transaction
from app.store.store import Store
from app.sync.body import MOST_ANSWER
from app.sync.client import CentreClient, Speaker
from app.sync.pace import BatchSize
from app.sync.worker import SyncListeners, SyncPlan, SyncReport, SyncWorker
from tests.sync.conftest import NOW_US, Line, Party, stamp

NOW_MS = NOW_US // 1000


def put_in_feed(centre: OpenCentre, station: str, told: dict[str, Any]) -> None:
    """An item as a later release of the centre would sign it."""
    text = canonical(told)
    row = {"station": station, "kind": told["type"], "text": text.decode(), "sig": centre.signer.sign(text)}
    with centre.engine.begin() as connection:
        connection.execute(insert(feed), row)


def decision(centre: OpenCentre, party: Party, card: str, **more: Any) -> dict[str, Any]:
    told = {"type": "card.decided", "tenant": centre.centre.tenant, "station": party.store.station, "card_id": card}
    return {**told, "event_hash": "ab" * 32, "verdict": "accepted", "revision": 9, "expires_ms": NOW_MS * 2, **more}


@pytest.mark.parametrize(
    "later",
    [
        {"verdict": "paid-out"},
        {"revision": "ninth"},
        {"event_hash": {"sha3": "ab"}},
        {"type": "reference", "kind": "expected-parcel", "key": "SF9", "revision": "2"},
        {"type": "reference", "kind": "expected-parcel", "key": "SF9", "revision": 2, "body": ["no", "dictionary"]},
        {"type": "reference", "kind": "expected-parcel", "key": "SF9", "revision": 2, "body": {"declared": 10**30}},
        {"type": "reference", "kind": "user", "key": "9", "revision": 2, "body": {"role": "ghost"}},
        {"type": "reference", "kind": "of-a-later-release", "key": "9", "revision": 2, "body": {}},
        {"type": "card.sold"},
    ],
)
def test_what_is_not_understood_holds_nothing_up(centre: OpenCentre, party: Party, later: dict[str, Any]) -> None:
    card = party.keep()
    put_in_feed(centre, party.store.station, decision(centre, party, card, **later))
    party.round()
    hand_out(centre, expected_parcels([{"waybill": "SF7", "declared": 2}]), party.store.station, NOW_MS)
    party.round()
    assert party.state_of(card) is CardState.ACCEPTED
    assert party.writer.call(lambda store: store.find_parcel("SF7")) == ExpectedParcel("SF7", "", 2)
    assert party.writer.call(lambda store: store.find_parcel("SF9")) is None


@pytest.mark.parametrize("way", ["kind", "type"])
def test_a_later_release_reads_again_what_an_earlier_one_passed_over(
    centre: OpenCentre, party: Party, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, and from there on only; what was applied is not applied twice."""
    card = party.keep()
    party.round()
    with monkeypatch.context() as older:
        older.setattr(exchange, "READER", "an earlier release")
        if way == "kind":
            older.setattr(reference, "KINDS", ())
            hand_out(centre, expected_parcels([{"waybill": "SF7", "declared": 2}]), party.store.station, NOW_MS)
        else:
            older.setattr(exchange, "_TYPES", {})
            doubtful = party.keep()
        party.round()
        hand_out(centre, expected_parcels([{"waybill": "SF8", "declared": 1}]), party.store.station, NOW_MS)
        party.round()
    asked = len(party.line.requests)
    party.round()
    if way == "kind":
        assert party.writer.call(lambda store: store.find_parcel("SF7")) == ExpectedParcel("SF7", "", 2)
    else:
        assert party.state_of(doubtful) is CardState.ACCEPTED
    assert party.state_of(card) is CardState.ACCEPTED
    party.round()
    party.round()
    cursors = [one.url.params["cursor"] for one in party.line.requests[asked:] if one.url.path == "/v1/feed"]
    assert cursors[0] != ""
    assert len(set(cursors)) == 2
    decided = [kept.card_id for kept in party.cards if kept.state is CardState.ACCEPTED]
    assert sorted(decided) == sorted(party.kept)


def test_a_station_of_a_release_that_noted_nothing_reads_from_the_start(centre: OpenCentre, party: Party) -> None:
    party.keep()
    party.round()

    def as_upgraded(store: Store) -> None:
        with transaction(store.ledger.engine) as connection:
            connection.exec_driver_sql("UPDATE feed_state SET reader = '', unread = ''")  # migration 0022

    party.writer.call(as_upgraded)
    party.line.requests.clear()
    party.round()
    party.round()
    cursors = [one.url.params["cursor"] for one in party.line.requests if one.url.path == "/v1/feed"]
    assert [one == "" for one in cursors] == [True, False]


def test_what_is_not_signed_is_still_refused(centre: OpenCentre, party: Party) -> None:
    put_in_feed(centre, party.store.station, decision(centre, party, "c"))
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER feed_update_refused")
        connection.exec_driver_sql("UPDATE feed SET sig = zeroblob(64)")
    with pytest.raises(EvidenceTrouble, match=r"sync\.untrusted_answer"):
        party.round()


@pytest.mark.parametrize(
    "stray",
    [
        {"tenant": "another"},
        {"station": "another"},
        {"type": "event.held", "tenant": "another", "seq": 1, "code": "body"},
        {"type": "reference", "tenant": "another", "kind": "expected-parcel", "key": "SF9", "body": {"declared": 2}},
        {"type": "reference", "station": "another", "kind": "user", "key": "9", "removed": True},
    ],
)
def test_what_the_centre_signed_for_somebody_else_is_not_used_and_told(
    centre: OpenCentre, party: Party, stray: dict[str, Any]
) -> None:
    """It was passed over without a word. What came with it counts; read twice, it is told once."""
    card = party.keep()
    told = {**decision(centre, party, card), **stray}
    put_in_feed(centre, party.store.station, told)
    party.round()
    party.writer.call(lambda store: store.forget_cursor())
    party.round()
    party.round()
    assert party.state_of(card) is CardState.ACCEPTED
    assert party.writer.call(lambda store: store.find_parcel("SF9")) is None
    events = [json.loads(one.data) for one in party.writer.call(lambda store: store.outbox_after(0))]
    [named] = [one["body"]["items"] for one in events if one["kind"] == "centre.item-misdirected"]
    assert [(one["type"], one["tenant"], one["station"]) for one in named] == [
        (told["type"], told["tenant"], told["station"])
    ]
    assert verifier(centre.signer.public_key)(bytes.fromhex(named[0]["sig"]), canonical(told))
    assert named[0]["sha256"] == digest(canonical(told))
    [alarm] = [row for row in report(centre.engine, "quarantine") if "alarm" in row]
    assert (alarm["alarm"], alarm["station"]) == ("feed.misdirected", party.store.station)
    [act] = [row for row in report(centre.engine, "acts") if row["act"] == CentreAct.ALARM]
    assert (act["code"], act["seq"]) == ("feed.misdirected", alarm["seq"])


def test_the_sync_says_that_something_was_for_somebody_else(centre: OpenCentre, party: Party) -> None:
    put_in_feed(centre, party.store.station, decision(centre, party, "c", tenant="another"))
    told: queue.Queue[SyncReport] = queue.Queue()
    listeners = SyncListeners(told.put, lambda _cards: None, party.crashes.append)
    worker = SyncWorker(SyncPlan("http://127.0.0.1", 0.01), party.writer, stamp, listeners, transport=party.line)
    worker.start()
    try:
        while not (heard := told.get(timeout=60)).misdirected or heard.state is not SyncState.SYNCED:
            pass
    finally:
        assert worker.stop()
    assert (heard.misdirected, heard.code) == (1, "")


def test_a_parcel_of_more_cards_than_there_are_numbers_is_not_announced() -> None:
    with pytest.raises(ValueError, match="declared"):
        expected_parcels([{"waybill": "SF1", "declared": 10**30}])


class TwoAddresses(httpx.AsyncBaseTransport):
    """At the first address lives somebody else, at the second the centre."""

    def __init__(self, line: Line, other: Callable[[httpx.Request], httpx.Response]) -> None:
        self._line, self._other = line, other
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        if request.url.host == "first":
            return self._other(request)
        return await self._line.handle_async_request(request)


@pytest.mark.parametrize("status", [200, 204, 302, 401, 403, 404, 405, 500, 502])
def test_who_is_not_the_centre_does_not_keep_us_from_asking_where_it_is(party: Party, status: int) -> None:
    """A portal, a proxy, a process with keys that count no more: what it says is not signed by the centre."""
    transport = TwoAddresses(party.line, lambda _request: httpx.Response(status, json={"code": "x", "hello": "you"}))
    speaker = Speaker.of(party.store)

    async def ask() -> None:
        async with CentreClient("http://first", transport, speaker, lambda: NOW_MS, ["http://second"]) as client:
            await client.feed("")
            await client.feed("")

    asyncio.run(ask())
    assert transport.asked == ["first", "second", "second"]


def test_a_wish_to_be_waited_for_is_kept(party: Party) -> None:
    transport = TwoAddresses(party.line, lambda _request: httpx.Response(503, headers={"Retry-After": "9"}))

    async def ask() -> None:
        speaker = Speaker.of(party.store)
        async with CentreClient("http://first", transport, speaker, lambda: NOW_MS, ["http://second"]) as client:
            await client.feed("")

    with pytest.raises(Unavailable):
        asyncio.run(ask())
    assert transport.asked == ["first"]


def test_a_proxy_that_takes_less_than_the_centre_gets_smaller_batches(party: Party) -> None:
    """Its 413 is not signed, and not the centre's word: it was sent the same again, for ever."""
    cards = [party.keep() for _ in range(6)]
    carried = party.line.handle_async_request

    async def narrow(request: httpx.Request) -> httpx.Response:
        if len(await request.aread()) > 8_000:
            return httpx.Response(413, text="<html>413 Request Entity Too Large</html>")
        return await carried(request)

    party.line.handle_async_request = narrow  # type: ignore[method-assign]

    async def rounds() -> None:
        exchange = party.exchange()
        exchange.size = BatchSize(50)
        async with exchange.client:
            for _ in range(9):
                try:
                    if not await exchange.round():
                        return
                except Unavailable:
                    pass

    asyncio.run(rounds())
    assert [party.state_of(card) for card in cards] == [CardState.ACCEPTED] * 6


class Endless(httpx.AsyncByteStream):
    """A body that goes on; counts what was taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1 << 20
            yield bytes(1 << 20)


def test_an_answer_without_end_is_left(party: Party) -> None:
    body = Endless()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, stream=body))

    async def ask() -> None:
        async with CentreClient("http://centre", transport, Speaker.of(party.store), lambda: NOW_MS) as client:
            await client.feed("")

    with pytest.raises(Unavailable, match=r"sync\.offline"):
        asyncio.run(ask())
    assert body.taken <= MOST_ANSWER + (2 << 20)


def test_an_answer_in_a_code_is_not_unpacked(party: Party) -> None:
    """Sixty-four kilobytes that would become sixty-four megabytes; nobody was told that it may be sent so."""
    bomb = gzip.compress(bytes(64 << 20))
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Accept-Encoding"])
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(bomb))

    async def ask() -> None:
        transport = httpx.MockTransport(answer)
        async with CentreClient("http://centre", transport, Speaker.of(party.store), lambda: NOW_MS) as client:
            await client.feed("")

    with pytest.raises(Unavailable, match=r"sync\.offline"):
        asyncio.run(ask())
    assert asked == ["identity"]
