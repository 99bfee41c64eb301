"""A station's key changes while the line does what it likes; afterwards only the new one speaks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.audit import EventKind
from app.core.cards import CardState
from app.core.errors import EvidenceTrouble, Unavailable
from app.server import copying
from app.server.copying import Places
from app.server.enrol import release_station
from app.server.export import export_log
from app.server.folder import CentreFolder
from app.server.log import acts
from app.server.report import report
from app.server.setup import OpenCentre, init, open_centre
from app.store.backup import back_up
from app.store.db import reading
from app.store.rotating import rotate
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit
from app.store.writer import StoreWriter
from app.sync.client import CentreRefused
from app.sync.halt import Halt
from app.wire import EventBatch
from tests.sync.conftest import Party, stamp
from tests.sync.test_exchange import FATES, at_centre, ours, rounds_until_calm
from tests.sync.test_restored import NOW, backed_up, put_back_from_backup


def changed(party: Any) -> Any:
    return party.writer.call(lambda store: rotate(store.ledger, stamp(), "os:anna"))


def key_at_centre(centre: OpenCentre) -> bytes:
    with centre.engine.connect() as connection:
        return bytes(connection.exec_driver_sql("SELECT public_key FROM station WHERE id <> '@centre'").scalar_one())


def log_holds(centre: OpenCentre, path: Path) -> bool:
    export_log(centre.engine, centre.centre, path)
    return bool(verify_audit(path, every=True)["ok"])


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_the_line_does_the_key_of_each_place_holds(
    data: st.DataObject, tmp_path_factory: Any, make_party: Any
) -> None:
    folder = tmp_path_factory.mktemp("line")
    init(folder / "centre")
    centre = open_centre(folder / "centre")
    party = make_party(folder, centre)
    party.line.fate = lambda _request: data.draw(st.sampled_from(FATES))
    steps = data.draw(st.lists(st.sampled_from(["keep", "sync", "rotate"]), min_size=3, max_size=12))
    try:
        for step in steps:
            if step == "keep":
                party.keep()
                continue
            if step == "rotate":
                changed(party)
                continue
            try:
                party.round()
            except Unavailable:
                continue
        party.line.fate = lambda _request: ""
        rounds_until_calm(party)
        party.keep()
        rounds_until_calm(party)
        assert at_centre(centre) == ours(party)
        assert all(party.state_of(card) is CardState.ACCEPTED for card in party.kept)
        assert key_at_centre(centre) == party.writer.call(lambda store: store.public_key)
        with reading(centre.engine) as connection:
            told = [act for act in acts(connection) if act["act"] == "centre.station-key-rotated"]
        assert len(told) == steps.count("rotate")
        assert report(centre.engine, "quarantine") == []
        assert log_holds(centre, folder / "log.jsonl")
    finally:
        party.writer.stop()
        centre.engine.dispose()
    assert verify_audit(folder / "centre")["ok"]
    assert verify_audit(folder, "rehearsal")["ok"]


def twin_of(party: Any, folder: Path) -> Party:
    """A copy of the station's disk, at work on its own."""
    copy = party.writer.call(lambda store: back_up(store, folder / "station.db", folder / "twin", NOW, 1))
    store = Store.open(copy.folder / "station.db", REHEARSAL_PASSPHRASE, reserve_bytes=0)
    twin = Party(store, StoreWriter(store, party.crashes.append), party.line, kept=["earlier"] * 5)
    twin.writer.start()
    return twin


def refused_by_key(party: Any) -> None:
    with pytest.raises(CentreRefused) as refused:
        party.round()
    assert refused.value.reason == "auth.signature"


def standing(centre: OpenCentre) -> tuple[str, int]:
    [row] = report(centre.engine, "stations")
    return row["state"], row["alarms"]


def test_a_copy_with_the_old_key_neither_speaks_nor_changes_the_key(
    party: Any, centre: OpenCentre, tmp_path: Path
) -> None:
    party.keep()
    rounds_until_calm(party)
    twin = twin_of(party, tmp_path)
    new = changed(party).new_key
    rounds_until_calm(party)
    refused_by_key(twin)  # it brings nothing that is not here
    assert standing(centre) == ("active", 0)
    twin.keep()
    refused_by_key(twin)
    assert standing(centre) == ("locked", 1)
    release_station(centre, party.store.station, 0)
    changed(twin)
    refused_by_key(twin)
    assert standing(centre)[0] == "active"  # a person has decided once
    assert key_at_centre(centre) == new
    party.keep()
    rounds_until_calm(party)
    assert at_centre(centre) == ours(party)
    twin.writer.stop()


def test_a_copy_that_changed_the_key_first_is_stopped_by_the_rightful_station(
    party: Any, centre: OpenCentre, tmp_path: Path
) -> None:
    party.keep()
    rounds_until_calm(party)
    twin = twin_of(party, tmp_path)
    changed(twin)
    rounds_until_calm(twin)
    party.keep()
    refused_by_key(party)
    assert standing(centre) == ("locked", 1)
    twin.keep()
    with pytest.raises(Halt, match=r"sync\.fork"):
        twin.round()
    twin.writer.stop()


def test_a_change_of_key_in_another_history_is_a_fork(party: Any, centre: OpenCentre) -> None:
    rounds_until_calm(party)
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE station SET head_hash = ?", ("ab" * 32,))
    before = key_at_centre(centre)
    changed(party)
    with pytest.raises(EvidenceTrouble, match=r"sync\.fork"):
        party.round()
    assert key_at_centre(centre) == before
    assert [row["state"] for row in report(centre.engine, "stations")] == ["locked"]


def test_a_centre_put_back_to_before_the_change_hears_of_it_again(
    party: Any, centre: OpenCentre, tmp_path: Path
) -> None:
    party.keep()
    rounds_until_calm(party)
    copying.back_up(Places(CentreFolder(tmp_path / "centre")), tmp_path / "kept", NOW)
    changed(party)
    party.keep()
    changed(party)
    rounds_until_calm(party)
    copying.restore(tmp_path / "kept", Places(CentreFolder(tmp_path / "again")))
    restored = open_centre(tmp_path / "again")
    party.line.centre = restored
    party.keep()
    rounds_until_calm(party)
    assert at_centre(restored) == ours(party)
    assert key_at_centre(restored) == party.writer.call(lambda store: store.public_key)
    restored.engine.dispose()


def test_a_backup_from_before_the_change_stays_frozen(party: Any, centre: OpenCentre, tmp_path: Path) -> None:
    party.keep()
    rounds_until_calm(party)
    backed_up(party, tmp_path)
    changed(party)
    rounds_until_calm(party)
    back = put_back_from_backup(party, tmp_path)
    with pytest.raises(Halt, match=r"store\.restored_behind"):
        back.round()
    back.writer.stop()


@pytest.mark.parametrize("place", [0, 1, 3, 4])
def test_where_the_key_changes_no_signature_is_taken_on_anothers_word(
    party: Any, centre: OpenCentre, place: int
) -> None:
    rounds_until_calm(party)
    before = at_centre(centre)
    for step in ("keep", "keep", "rotate", "keep", "keep", "keep"):
        party.keep() if step == "keep" else changed(party)
    sent: list[Any] = []

    async def send() -> None:
        exchange = party.exchange()
        async with exchange.client:
            events = list(party.store.outbox_after(len(before)))
            one = events[place]
            events[place] = type(one)(one.seq, one.data, one.hash, events[-1].sig)
            sent.append(await exchange.client.send(EventBatch.of(party.store.station, events, [])))

    asyncio.run(send())
    told = [(one.result, one.code) for one in sent[0].results]
    assert told[place] == ("refused", "signature")
    assert len(told) == place + 1
    rounds_until_calm(party)
    assert at_centre(centre) == ours(party)


def test_what_the_old_key_signs_after_the_change_is_refused(party: Any, centre: OpenCentre) -> None:
    """By whoever holds both keys: events are held to the key of their place, not to who signed the request."""
    old = party.store.ledger.identity.signer
    changed(party)
    rounds_until_calm(party)
    party.keep()
    sent: list[Any] = []

    async def send() -> None:
        exchange = party.exchange()
        async with exchange.client:
            events = party.store.outbox_after(party.store.high_received())
            forged = [type(one)(one.seq, one.data, one.hash, old.sign(one.data)) for one in events]
            sent.append(await exchange.client.send(EventBatch.of(party.store.station, forged, [])))

    asyncio.run(send())
    assert [(one.result, one.code) for one in sent[0].results] == [("refused", "signature")]
    rounds_until_calm(party)
    assert at_centre(centre) == ours(party)
    kinds = [json.loads(one.data)["kind"] for one in party.writer.call(lambda store: store.outbox_after(0))]
    assert kinds.count(EventKind.KEY_ROTATED.value) == 1
