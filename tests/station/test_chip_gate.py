"""A gate that closes in the middle of the work at the chips, seen from the tray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.events import ChipStageBegan
from app.core.products import Catalogue
from tests.station.chip_table import STAMP, Table, chips, make_station
from ui.present_chips import chip_tray
from ui.scene import Scene
from ui.texts import say
from ui.work_views import BigPrompt, CardBody


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table(make_station(tmp_path / "station"))
    yield made
    made.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_gate_that_closes_before_the_first_write_is_named_in_the_tray(table: Table, language: str) -> None:
    """The card is taken back while its chip is being looked at: the gate had let the run begin."""
    first, _ = chips()
    table.open_tray()
    table.hold()
    taken: list[bool] = []

    def take_back() -> None:
        if not taken and any(isinstance(event, ChipStageBegan) for event in table.heard):
            taken.append(True)
            table.writer.call(lambda store: store.withdraw_card("card-1", (), STAMP, "1001"))

    assert table.board is not None
    table.board.watch(take_back)
    table.board.put(first)
    table.until(lambda: table.tray.ended is not None)
    (end,) = table.ends
    assert (end.verdict, end.why, end.begun) == ("refused", "gate.withdrawn", False)
    part = chip_tray(Scene(table.station.around, Catalogue(), language), table.tray)
    assert isinstance(part.body, CardBody)
    assert isinstance(part.body.now, BigPrompt)
    assert say("nfc.gate.withdrawn", language) in part.body.now.lines
    assert first.writes == 0
    assert [fact["kind"] for fact in table.facts()] == ["chip.reader-armed"]
    assert table.journal() == []
