"""What the centre hands out: known and in effect at the station, once each, and only what is meant for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.catalog.bundle import make_bundle
from app.catalog.own import sign_own
from app.catalog.shelf import Shelf, Sources, Standing
from app.core.audit import EventKind
from app.core.cards import CardState, Secret
from app.core.errors import EvidenceTrouble
from app.core.parcels import DeclaredItem, ExpectedParcel, Reason
from app.core.products import Catalogue
from app.keys import Signer, new_seed, verifier
from app.paths import StationFolder
from app.server.decide import LISTS
from app.server.reference import Item, blocked_cards, expected_parcels, hand_out, offer_catalogue
from app.server.setup import OpenCentre
from app.server.tables import feed
from app.station.adopting import Adopting
from app.station.shelving import station_sources
from app.store.db import reading
from app.store.seal import IndexCost
from app.wire import Expected
from tests.sync.conftest import NOW_US, Party

NOW_MS = NOW_US // 1000
WAYBILL = "YT7700112233445"
PARCEL = {
    "waybill": WAYBILL,
    "declared": 2,
    "order_no": "O-5",
    "items": [{"product_id": "quxi-500", "name_zh": "趣玺", "name_en": "Quxi", "face_value_fen": 50_000, "count": 2}],
}
FIRST_NUMBER = "6222020012340001"
"""Of the first card that a party keeps."""

TEMPLATES = tuple((Path(__file__).resolve().parents[2] / "resources" / "templates").glob("*.toml"))


def found(party: Party, waybill: str = WAYBILL) -> Any:
    return party.writer.call(lambda store: store.find_parcel(waybill))


def applied(party: Party) -> list[Any]:
    """What the chain tells of references taken over."""
    events = party.writer.call(lambda store: store.outbox_after(0))
    told = [json.loads(event.data) for event in events]
    return [one["body"]["items"] for one in told if one["kind"] == EventKind.REFERENCE_APPLIED.value]


def test_an_expected_parcel_is_known_at_the_desk_until_it_is_taken_back(centre: OpenCentre, party: Party) -> None:
    assert hand_out(centre, expected_parcels([PARCEL]), party.store.station, NOW_MS) == 1
    party.round()
    item = DeclaredItem("quxi-500", "趣玺", "Quxi", 50_000, 2)
    assert found(party) == ExpectedParcel(WAYBILL, "O-5", 2, (item,))
    hand_out(centre, expected_parcels([{"waybill": WAYBILL, "declared": None}]), party.store.station, NOW_MS)
    party.round()
    assert found(party) is None
    assert applied(party) == [[["expected-parcel", WAYBILL, 1]], [["expected-parcel", WAYBILL, 2]]]


def test_the_same_again_is_no_news_and_a_feed_read_twice_changes_nothing(centre: OpenCentre, party: Party) -> None:
    assert hand_out(centre, expected_parcels([PARCEL]), party.store.station, NOW_MS) == 1
    assert hand_out(centre, expected_parcels([PARCEL]), party.store.station, NOW_MS) == 0
    party.round()
    party.writer.call(lambda store: store.forget_cursor())
    party.round()
    assert len(applied(party)) == 1


def test_an_older_word_of_the_same_waybill_does_not_come_back(centre: OpenCentre, party: Party) -> None:
    name = party.store.station
    for declared in (2, 7):
        hand_out(centre, [Item("expected-parcel", WAYBILL, Expected(declared=declared))], name, NOW_MS)
    party.round()
    assert found(party).declared == 7
    party.writer.call(lambda store: store.forget_cursor())
    party.round()
    assert found(party).declared == 7


def test_what_is_for_real_cards_does_not_reach_a_rehearsal(
    centre: OpenCentre, party: Party, make_party: Callable[..., Party], tmp_path: Path
) -> None:
    hand_out(centre, expected_parcels([PARCEL]), "", NOW_MS)
    other = make_party(tmp_path / "other", centre)
    hand_out(centre, expected_parcels([{**PARCEL, "waybill": "ZT1"}]), other.store.station, NOW_MS)
    party.round()
    assert found(party) is None
    assert found(party, "ZT1") is None
    assert other.writer.stop()


def test_a_blocked_number_goes_to_review_with_the_reason(
    centre: OpenCentre, make_party: Callable[..., Party], tmp_path: Path
) -> None:
    party = make_party(tmp_path, centre, IndexCost())
    listed = [Secret(FIRST_NUMBER)]
    hand_out(centre, blocked_cards(centre, listed, "stolen", blocked=True), party.store.station, NOW_MS)
    party.round()
    stopped, clean = party.keep(reasons=(Reason.NUMBER_CONFIRMED,)), party.keep()
    tray = {card.card_id: card for card in party.writer.call(lambda store: store.tray("p-1"))}
    assert tray[stopped].state is CardState.REVIEW
    assert tray[stopped].reasons == (Reason.NUMBER_CONFIRMED, Reason.BLOCKED)
    assert tray[clean].state is CardState.KEPT
    party.round()
    assert party.state_of(stopped) is CardState.REVIEW
    assert party.state_of(clean) is CardState.ACCEPTED
    with reading(centre.engine) as connection:  # neither number nor the key of the list lies in the database
        texts = "".join(connection.execute(select(feed.c.text)).scalars())
    assert FIRST_NUMBER not in texts
    assert centre.derived(LISTS).hex() not in texts
    assert party.writer.stop()


def test_a_number_that_was_taken_off_the_list_is_simply_taken(
    centre: OpenCentre, make_party: Callable[..., Party], tmp_path: Path
) -> None:
    party = make_party(tmp_path, centre, IndexCost())
    for blocked in (True, False):
        items = blocked_cards(centre, [Secret(FIRST_NUMBER)], "", blocked=blocked)
        assert hand_out(centre, items, party.store.station, NOW_MS) == 1
    party.round()
    assert party.state_of(party.keep()) is CardState.KEPT
    assert party.writer.stop()


def bundle_of(centre: OpenCentre, serial: int, signer: Signer | None = None, change: int = 0) -> bytes:
    files = {path.name: path.read_bytes() + b"\n# %d" % change for path in TEMPLATES}
    return make_bundle(files, centre.centre.tenant, serial, NOW_MS, (signer or centre.signer).sign).to_bytes()


def round_with(party: Party, shelf: Shelf, on_catalogue: Callable[[], None] = lambda: None) -> None:
    async def run() -> None:
        exchange = party.exchange()
        exchange.shelf, exchange.on_catalogue = shelf, on_catalogue
        async with exchange.client:
            await exchange.round()

    asyncio.run(run())


@pytest.fixture
def shelf(centre: OpenCentre, tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "catalogue", centre.centre.tenant, verifier(centre.signer.public_key))


def test_a_catalogue_is_installed_once_and_not_again_after_going_back(
    centre: OpenCentre, party: Party, shelf: Shelf
) -> None:
    name = party.store.station
    offers = [offer_catalogue(centre, bundle_of(centre, n, change=n), name, NOW_MS) for n in (1, 2)]
    round_with(party, shelf)
    assert shelf.standing == Standing(offers[1].version, ("",), 2)
    shelf.roll_back()
    round_with(party, shelf)
    assert shelf.standing.current == ""
    events = party.writer.call(lambda store: store.outbox_after(0))
    kinds = [json.loads(event.data)["kind"] for event in events]
    assert kinds.count(EventKind.CATALOGUE_INSTALLED.value) == 1


def test_a_catalogue_of_the_centre_is_read_by_at_once(
    centre: OpenCentre, party: Party, shelf: Shelf, tmp_path: Path
) -> None:
    """It used to be read by from the next start on only."""
    folder = StationFolder(tmp_path)
    adopting, told = Adopting(party.writer, folder), list[tuple[Sources, Catalogue]]()
    adopting.add(lambda *new: told.append(new))
    before = party.writer.call(lambda store: station_sources(folder, store)).version
    offer_catalogue(centre, bundle_of(centre, 1, change=1), party.store.station, NOW_MS)
    round_with(party, shelf, adopting.take_up)
    [(sources, catalogue)] = told
    assert sources.version == catalogue.version
    assert catalogue.version.startswith(shelf.standing.current)
    assert sources.version != before
    round_with(party, shelf, adopting.take_up)
    assert len(told) == 1, "nothing new, nobody is told"


@pytest.mark.warns
def test_a_catalogue_that_cannot_be_read_here_leaves_everybody_with_the_one_before(
    centre: OpenCentre, party: Party, shelf: Shelf, tmp_path: Path
) -> None:
    folder = StationFolder(tmp_path)
    adopting, told = Adopting(party.writer, folder), list[Catalogue]()
    adopting.add(lambda _sources, catalogue: told.append(catalogue))
    folder.catalogue.mkdir()
    (folder.catalogue / "own.json").write_bytes(sign_own(party.store.station, [], Signer(new_seed()).sign))
    offer_catalogue(centre, bundle_of(centre, 1), party.store.station, NOW_MS)
    kept = party.keep()
    round_with(party, shelf, adopting.take_up)
    assert told == []
    assert party.state_of(kept) is CardState.ACCEPTED


def test_the_same_catalogue_published_again_is_fetched_once(centre: OpenCentre, party: Party, shelf: Shelf) -> None:
    for serial in (1, 2):
        offer_catalogue(centre, bundle_of(centre, serial), party.store.station, NOW_MS)
        round_with(party, shelf)
    asked = len(party.line.requests)
    round_with(party, shelf)
    assert not [one for one in party.line.requests[asked:] if "/v1/catalogue" in str(one.url)]


def test_the_centre_does_not_offer_what_it_did_not_sign(centre: OpenCentre, party: Party) -> None:
    with pytest.raises(EvidenceTrouble, match="catalog"):
        offer_catalogue(centre, bundle_of(centre, 1, Signer(new_seed())), party.store.station, NOW_MS)


@pytest.mark.warns
def test_a_catalogue_that_cannot_be_fetched_waits_alone(centre: OpenCentre, party: Party, shelf: Shelf) -> None:
    offer_catalogue(centre, bundle_of(centre, 1), party.store.station, NOW_MS)
    party.line.fate = lambda request: "busy" if "/v1/catalogue" in str(request.url) else ""
    kept = party.keep()
    round_with(party, shelf)
    assert party.state_of(kept) is CardState.ACCEPTED
    assert party.writer.call(lambda store: store.retry_state("catalogue")).failures == 1
    asked = len(party.line.requests)
    round_with(party, shelf)
    assert not [one for one in party.line.requests[asked:] if "/v1/catalogue" in str(one.url)]


@pytest.mark.warns
def test_a_damaged_shelf_does_not_stop_the_cards(
    centre: OpenCentre, party: Party, shelf: Shelf, tmp_path: Path
) -> None:
    offer_catalogue(centre, bundle_of(centre, 1), party.store.station, NOW_MS)
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "shelf.json").write_text("{")
    kept = party.keep()
    round_with(party, shelf)
    assert party.state_of(kept) is CardState.ACCEPTED


def test_a_parcel_file_that_is_wrong_is_refused() -> None:
    for wrong in ({}, [1], [{"declared": 1}], [{"waybill": "x", "declared": -1}], [{"waybill": "x"}]):
        with pytest.raises(ValueError, match=r"."):
            expected_parcels(wrong)


def test_a_key_is_derived_for_one_purpose_only(centre: OpenCentre) -> None:
    assert centre.derived(LISTS) == centre.derived(LISTS)
    assert centre.derived(LISTS) != centre.derived("anything else")
