"""The record of a run on a chip reaches the centre, whole, and is held there against the fact that names it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.core.audit import EventKind
from app.core.cards import Tag
from app.core.chips import ChipStand
from app.paths import StationFolder
from app.server.report import chip_record, report
from app.server.setup import OpenCentre
from app.server.tables import station
from app.station.switching import Intake, Switching
from app.store.chips import ChipFact
from app.store.db import transaction
from app.wire import MOST_BLOBS
from hardware.deactivation import Request, deactivate, hashed_bytes, verifies
from hardware.sim.nfc_chip import Tearing
from hardware.sim.nfc_virtual import VirtualLine, virtual_reader
from tests.hardware.nfc.making import CODE, UID, used_chip
from tests.sync.conftest import stamp

FAMILY = "NTAG213"
CHIP = Tag(UID, "0044", "00", FAMILY, True)


@pytest.fixture
def accepted(party: Any, tmp_path: Path) -> tuple[str, Switching]:
    """A card with a chip that the centre accepted."""
    card_id = party.keep(tag=CHIP)
    while party.round():
        pass
    return card_id, Switching(party.writer.call, StationFolder(tmp_path / "station"))


def run(switching: Switching, card_id: str, chip: Any) -> dict[str, Any]:
    """One run as a station does it; its record."""
    line = VirtualLine()
    reader = virtual_reader(line)
    line.put(chip)
    intake = switching.let_through(card_id, stamp(), simulated=True)
    assert isinstance(intake, Intake)
    about = tuple({**intake.about(), "operator": "1001"}.items())
    means = dataclasses.replace(
        switching.means(intake, lambda _stage, _number, _of: None, stamp), clock=line.clock, pause=line.pause
    )
    outcome = deactivate(reader, Request(bytes.fromhex(UID), "VOID", about=about), means)
    switching.keep(outcome, intake, stamp(), "1001")
    return dict(outcome.evidence)


def test_the_record_arrives_with_its_fact_and_what_the_chip_held_stays_sealed(
    party: Any, centre: OpenCentre, accepted: tuple[str, Switching], tmp_path: Path
) -> None:
    card_id, switching = accepted
    chip = used_chip(FAMILY)
    chip.tear(20, Tearing.CLEAN)
    torn = run(switching, card_id, chip)
    chip.put_back()
    done = run(switching, card_id, chip)
    party.round()
    told = report(centre.engine, "chips")
    assert [(row["verdict"], row["record"]) for row in told] == [("not-completed", "held"), ("deactivated", "held")]
    assert [row["evidence"] for row in told] == [torn["sha256"], done["sha256"]]
    at_centre = chip_record(centre.engine, done["sha256"])
    assert at_centre == done
    assert verifies(at_centre)
    assert at_centre["before"]["content"].keys() == {"sealed"}
    for secret in (CODE, CODE.hex().encode(), CODE.hex().upper().encode()):
        assert secret[:16] not in hashed_bytes(at_centre)
    assert chip_record(centre.engine, "00" * 32) is None


def test_a_record_that_the_centre_lost_or_never_got_is_asked_for_again(
    party: Any, centre: OpenCentre, accepted: tuple[str, Switching]
) -> None:
    card_id, switching = accepted
    record = run(switching, card_id, used_chip(FAMILY))
    party.writer.call(_without_blobs)
    party.round()
    assert [row["record"] for row in report(centre.engine, "chips")] == ["missing"]
    party.writer.call(_with_blobs)
    party.writer.call(lambda store: store.record(EventKind.SIGNED_OUT, {}, stamp(), "1001"))
    party.round()  # whatever is said next, the answer names what is missing
    assert [row["record"] for row in report(centre.engine, "chips")] == ["held"]
    assert chip_record(centre.engine, record["sha256"]) == record


def _without_blobs(store: Any) -> None:
    store.blobs_between = lambda _first, _last: []
    store.blobs_named = lambda _refs, _limit: []


def _with_blobs(store: Any) -> None:
    del store.blobs_between, store.blobs_named


@pytest.mark.parametrize(
    "changed",
    [{"verdict": "proof-failed"}, {"chip": {"uid": "04FFFFFFFFFF80"}}, {"about": {"intake": "none"}}, {"kind": "x"}],
)
def test_a_record_that_tells_another_story_is_kept_and_marked(
    party: Any, centre: OpenCentre, accepted: tuple[str, Switching], changed: dict[str, Any]
) -> None:
    card_id, switching = accepted
    record = run(switching, card_id, used_chip(FAMILY)) | changed
    del record["sha256"]
    _keep(party, card_id, hashed_bytes(record))
    _keep(party, card_id, b"no record at all")
    party.round()
    assert [row["record"] for row in report(centre.engine, "chips")] == ["held", "contradicts", "contradicts"]


def _keep(party: Any, card_id: str, record: bytes, *, simulated: bool = True) -> None:
    gate = party.writer.call(lambda store: store.chip_gate(card_id, stamp()))
    body = {"card": card_id, "uid": UID, "verdict": "deactivated", "decision": gate.decision, "simulated": simulated}
    fact = ChipFact(card_id, ChipStand.OFF, EventKind.CHIP_DEACTIVATED, body, record)
    party.writer.call(lambda store: store.keep_chip_fact(fact, stamp(), "1001"))


@pytest.mark.parametrize("with_record", [True, False])
def test_what_a_simulated_reader_says_of_a_real_card_contradicts(
    party: Any, centre: OpenCentre, accepted: tuple[str, Switching], with_record: bool
) -> None:
    card_id, switching = accepted
    with transaction(centre.engine) as connection:
        connection.execute(update(station).where(station.c.role == "rehearsal").values(rehearsal=False))
    if not with_record:
        party.writer.call(_without_blobs)
    record = run(switching, card_id, used_chip(FAMILY))
    party.round()
    (told,) = report(centre.engine, "chips")
    assert (told["simulated"], told["record"]) == (True, "contradicts")
    if not with_record:
        party.writer.call(_with_blobs)
        party.writer.call(lambda store: store.record(EventKind.SIGNED_OUT, {}, stamp(), "1001"))
        party.round()
    assert chip_record(centre.engine, record["sha256"]) == record  # kept: it is evidence, too
    assert [row["record"] for row in report(centre.engine, "chips")] == ["contradicts"]


def test_a_record_of_another_kind_of_reader_than_its_fact_contradicts(
    party: Any, centre: OpenCentre, accepted: tuple[str, Switching]
) -> None:
    card_id, switching = accepted
    record = run(switching, card_id, used_chip(FAMILY))
    del record["sha256"]
    _keep(party, card_id, hashed_bytes(record | {"reader": record["reader"] | {"simulated": False}}))
    _keep(party, card_id, hashed_bytes(record | {"remarks": ["x"]}), simulated=False)
    party.round()
    told = [(row["simulated"], row["record"]) for row in report(centre.engine, "chips")]
    assert told == [(True, "held"), (True, "contradicts"), (False, "contradicts")]


def test_many_long_records_go_in_several_requests(
    party: Any, centre: OpenCentre, accepted: tuple[str, Switching]
) -> None:
    card_id, switching = accepted
    record = run(switching, card_id, used_chip(FAMILY))
    for number in range(12):
        _keep(party, card_id, hashed_bytes(record | {"remarks": [f"{number}" + "x" * (MOST_BLOBS // 5)]}))
    party.line.requests.clear()
    party.round()
    assert {row["record"] for row in report(centre.engine, "chips")} == {"held"}
    assert max(len(request.content) for request in party.line.requests) < 4 << 20
