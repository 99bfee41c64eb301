"""The gate of a chip: only the centre's own word on this very card opens it, for as long as it holds at the centre."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from app.core.audit import EventKind, Stamp
from app.core.cards import CardState
from app.keys import Signer, new_seed
from app.store.chips import ChipGate, Closed
from app.store.db import transaction
from app.store.store import Store
from app.store.tables import card, decision
from app.wire import Decision, Signed, sign_statement
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_chip import Tearing
from tests.commands.nfc_cli import Cli
from tests.commands.nfc_station import FAMILY, STAMP, Station
from tests.hardware.nfc.making import used_chip

DAY_MS = 86_400_000


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path / "station")


@pytest.fixture
def store(station: Station) -> Iterator[Store]:
    opened = Store.open(station.folder.database, station.passphrase, reserve_bytes=0)
    yield opened
    opened.close()


def plant(store: Store, make: Callable[[dict[str, Any]], Signed]) -> None:
    """Put a decision straight into the table, as who has the database open could, and the card to accepted."""
    with transaction(store._ledger.engine) as connection:
        event_hash = connection.execute(select(card.c.event_hash)).scalar()
        told = {"tenant": "t", "station": "st", "card_id": "card-1", "event_hash": event_hash}
        signed = make(told | {"verdict": CardState.ACCEPTED, "revision": 1, "expires_ms": 1 << 52})
        row = {"card_id": "card-1", "revision": 1, "verdict": "accepted", "text": signed.text, "sig": signed.sig}
        connection.execute(insert(decision), row)
        connection.execute(update(card).values(state="accepted", revision=1))


def test_the_centres_own_word_opens(store: Store, station: Station) -> None:
    plant(store, lambda told: sign_statement(Decision(**told), station.server.sign))
    assert isinstance(store.chip_gate("card-1", STAMP), ChipGate)


@pytest.mark.parametrize(
    "changed",
    [
        {"event_hash": "0" * 64},  # the card as it was before the station changed it
        {"card_id": "card-2"},
        {"revision": 2},
        {"verdict": CardState.REVIEW},
        {"verdict": CardState.REJECTED},
        {"tenant": "other"},
        {"station": "other"},
    ],
)
def test_the_centres_word_on_anything_else_opens_nothing(
    store: Store, station: Station, changed: dict[str, Any]
) -> None:
    plant(store, lambda told: sign_statement(Decision(**told | changed), station.server.sign))
    assert store.chip_gate("card-1", STAMP) is Closed.DECISION_INVALID


@pytest.mark.parametrize("fault", ["another key", "no signature", "one bit", "another text"])
def test_a_word_that_the_centre_did_not_sign_opens_nothing(store: Store, station: Station, fault: str) -> None:
    def forged(told: dict[str, Any]) -> Signed:
        good = sign_statement(Decision(**told), station.server.sign)
        match fault:
            case "another key":
                return sign_statement(Decision(**told), Signer(new_seed()).sign)
            case "no signature":
                return Signed.model_construct(text=good.text, sig=b"")
            case "one bit":
                return Signed.model_construct(text=good.text, sig=bytes((good.sig[0] ^ 1,)) + good.sig[1:])
            case _:
                other = sign_statement(Decision(**told | {"expires_ms": 1}), station.server.sign)
                return Signed.model_construct(text=good.text, sig=other.sig)

    plant(store, forged)
    assert store.chip_gate("card-1", STAMP) is Closed.DECISION_INVALID


def test_a_clock_that_is_put_back_opens_nothing_again(store: Store, station: Station) -> None:
    station.decide(expires_ms=STAMP.wall_us // 1000 + DAY_MS)
    assert isinstance(store.chip_gate("card-1", STAMP), ChipGate)
    store.record(EventKind.SIGNED_OUT, {}, Stamp(STAMP.wall_us + 2 * DAY_MS * 1000, 6, "boot"), "1001")
    assert store.chip_gate("card-1", STAMP) is Closed.DECISION_EXPIRED


def test_a_clock_that_goes_slow_is_held_against_the_centres(store: Store, station: Station) -> None:
    """Measured once, and known to a program that does not ask the centre."""
    station.decide(expires_ms=STAMP.wall_us // 1000 + DAY_MS)
    early = replace(STAMP, wall_us=STAMP.wall_us - 10 * DAY_MS * 1000, clock_offset_ms=10 * DAY_MS)
    store.record(EventKind.SIGNED_OUT, {}, early, "1001")
    assert isinstance(store.chip_gate("card-1", early), ChipGate)
    later = replace(early, wall_us=early.wall_us + 2 * DAY_MS * 1000, clock_offset_ms=0)
    assert store.chip_gate("card-1", later) is Closed.DECISION_EXPIRED


def taken_back_while_awaited(board: SimulatedBoard, station: Station, chip: Any) -> None:
    """After some looks at an empty reader the clerk takes the card back, and only then its chip is laid down."""
    looks = [0]

    def meanwhile() -> None:
        looks[0] += 1
        if looks[0] == 15:
            opened = Store.open(station.folder.database, station.passphrase, reserve_bytes=0)
            opened.withdraw_card("card-1", (), STAMP, "1001")
            opened.close()
            chip.put_back()
            board.put(chip)

    board.watch(meanwhile)


def test_the_gate_is_asked_again_right_before_the_first_write(
    cli: Cli, board: SimulatedBoard, station: Station
) -> None:
    """The card was taken back while its chip was awaited."""
    station.decide()
    chip = used_chip(FAMILY)
    taken_back_while_awaited(board, station, chip)
    folder = str(station.folder.root)
    code, told = cli("deactivate", "--yes", "--wait", "60", "--data", folder, "--card", "card-1")
    assert (code, told["verdict"], told["why"], told["details"]) == (3, "refused", "gate-closed", {"gate": "withdrawn"})
    assert chip.writes == 0
    assert station.facts() == []


def test_a_begun_chip_whose_gate_closes_is_not_called_refused(
    cli: Cli, board: SimulatedBoard, station: Station
) -> None:
    station.decide()
    chip = used_chip(FAMILY)
    board.put(chip)
    chip.tear(15, Tearing.HALF)
    on = ("--data", str(station.folder.root), "--card", "card-1")
    assert cli("deactivate", "--yes", "--wait", "0", *on)[0] == 4
    board.clear()
    taken_back_while_awaited(board, station, chip)
    code, told = cli("deactivate", "--yes", "--wait", "60", *on)
    assert (code, told["verdict"], told["why"]) == (4, "not-completed", "gate-closed")
