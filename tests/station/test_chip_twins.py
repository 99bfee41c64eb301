"""Two cards with one chip's number at the tray: no chip clears two cards, and what is kept of one tells no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.chips import ChipStand
from app.station.clock import system_clock
from app.station.switching import Intake, Switching
from hardware.deactivation import Witness
from tests.hardware.nfc.making import UID, used_chip
from tests.station.chip_table import FAMILY, HOLD, Table, chips, make_station


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table(make_station(tmp_path / "station"))
    yield made
    made.close()


def test_one_chip_does_not_clear_two_cards(tmp_path: Path) -> None:
    """Two cards were taken in with the same UID: nothing is written, both are punched, and only the first one's hole
    makes the other chip anybody's again."""
    table = Table(make_station(tmp_path / "twins", uids=(UID, UID)))
    chip = used_chip(FAMILY)
    table.open_tray()
    assert table.stands() == [ChipStand.DESTROY, ChipStand.DESTROY]
    assert {card.why for card in table.tray.cards} == {"gate.uid-used-twice"}
    table.post(HOLD)
    card = table.tray.cards[0]
    assert table.board is not None
    table.board.put(chip)
    table.work.switch_off(card, "1001")  # as a wrong session would
    table.until(lambda: bool(table.ends))
    assert (table.ends[0].why, chip.writes, table.facts()) == ("gate.uid-used-twice", 0, [])
    table.board.clear()
    table.work.prove_destroyed(card, "rec", (10, 20), "1001")
    table.until(lambda: len(table.ends) == 2 and table.stands() == [ChipStand.DESTROYED, ChipStand.WAITING])
    table.hold()
    table.tap(chip)
    assert table.stands() == [ChipStand.DESTROYED, ChipStand.OFF]
    table.close()


def test_one_cards_record_proves_nothing_of_another_card_with_the_same_uid(table: Table) -> None:
    """What is left of a proved Classic tells that chip for its own card alone."""
    switching = Switching(table.writer.call, table.folder)
    switching.journal.erase(UID, Witness(3, bytes(6), "of another card"))
    intake = switching.let_through("card-1", system_clock().stamp(), simulated=True)
    assert isinstance(intake, Intake)
    assert switching.journal.witnesses(UID) != ()
    assert switching.means(intake, lambda *_: None, system_clock().stamp).journal.witnesses(UID) == ()


def test_a_second_tap_of_a_finished_chip_goes_to_no_other_card(table: Table) -> None:
    chip, _ = chips()
    table.open_tray()
    table.hold()
    table.tap(chip)
    other = replace(table.tray.cards[1], uid=UID)
    assert replace(table.tray, cards=(table.tray.cards[0], other)).with_uid(UID) == table.tray.cards[0]
    assert replace(table.tray, cards=(other, table.tray.cards[0])).with_uid(UID) == table.tray.cards[0]
