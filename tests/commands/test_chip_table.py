"""The rehearsal's hand: what it lays on the simulated reader lies there, alone, and is the same chip as before."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.commands.rehearsal_folder import ChipTable
from app.core.states import Idle, LastParcel
from app.station.autoplay import Autoplay, Script
from app.station.chip_files import FileJournal
from app.station.clock import system_clock
from hardware.catalog import open_nfc
from hardware.deactivation import Means, Request, Verdict, deactivate, survey
from hardware.errors import DeviceError
from hardware.ports import NfcReader
from tests.hardware.nfc.making import OTHER_UID, UID
from tests.station.chip_table import CLERK, FAMILY, Table, make_station

FIRST, SECOND = "04A1B2C3D4E580", "04A1B2C3D4E581"


def card(uid: str, begin_s: float, end_s: float) -> dict[str, Any]:
    return {"chip_uid": uid, "chip_family": "NTAG213", "still_start_s": begin_s, "still_end_s": end_s}


LABELS = {"seconds": 100.0, "cards": [card(FIRST, 0.0, 50.0), {"chip_uid": ""}, card(SECOND, 60.0, 70.0)]}


class Clock:
    """The time that the table is written by; the reader goes by the true one."""

    def __init__(self) -> None:
        self.now_us = 0

    def __call__(self) -> int:
        return self.now_us


def lying(reader: NfcReader) -> list[str]:
    return sorted(sighting.target.uid.hex().upper() for sighting in reader.poll(0.1))


def test_the_hand_lays_one_card_after_the_other_and_each_keeps_what_was_written(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "chips.toml"
    table = ChipTable(LABELS, path, 0, clock)
    with closing(open_nfc(f"sim:{path}")) as reader:
        assert lying(reader) == [FIRST]
        assert reader.command(0x40, bytes.fromhex("01A20801020304"), 1.0) == b"\x00"
        clock.now_us = -1_000_000  # so that what is laid now lies there at once
        table.lay(SECOND)
        assert lying(reader) == [SECOND]
        table.lay(FIRST)
        assert lying(reader) == [FIRST]
        assert reader.command(0x40, bytes.fromhex("013008"), 1.0)[1:5] == bytes.fromhex("01020304")
        table.lay("04FFFFFFFFFF80")  # no card of this deck
        assert lying(reader) == [FIRST]


def test_chips_come_again_with_the_footage(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "chips.toml"
    ChipTable(LABELS, path, 0, clock, rounds=3)
    text = path.read_text()
    assert text.count(FIRST) == text.count(SECOND) == 3
    assert "at_s = 260.000" in text


def test_a_deck_that_is_damaged_while_it_is_played_goes_on_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "chips.toml"
    ChipTable(LABELS, path, 0, Clock())
    with closing(open_nfc(f"sim:{path}")) as reader:
        assert lying(reader) == [FIRST]
        path.write_text("[[chip]]\nuid = 3\n")
        assert lying(reader) == [FIRST]
        path.unlink()
        assert lying(reader) == [FIRST]


def test_a_chip_stays_switched_off_when_the_table_is_set_up_anew(tmp_path: Path) -> None:
    path = tmp_path / "chips.toml"
    ChipTable(LABELS, path, 0, Clock())
    with closing(open_nfc(f"sim:{path}?keep=1")) as reader:
        means = Means(FileJournal(tmp_path / "journal"))
        assert deactivate(reader, Request(bytes.fromhex(FIRST), "VOID kept"), means).verdict is Verdict.DEACTIVATED
    with closing(open_nfc(f"sim:{path}?keep=1")) as reader:
        assert deactivate(reader, Request(bytes.fromhex(FIRST), "VOID kept"), means).verdict is Verdict.DEACTIVATED
    FileJournal(tmp_path / "journal").erase(FIRST)
    with closing(open_nfc(f"sim:{path}?keep=1")) as reader:
        assert deactivate(reader, Request(bytes.fromhex(FIRST), "VOID other"), means).verdict is Verdict.ALREADY
    with closing(open_nfc(f"sim:{path}")) as reader:  # without, it is fresh from the factory
        assert survey(reader, Request(bytes.fromhex(FIRST), "VOID"), means).verdict is Verdict.NOT_COMPLETED


def test_a_chip_whose_memory_cannot_be_kept_is_not_answered_for(tmp_path: Path) -> None:
    path = tmp_path / "chips.toml"
    ChipTable(LABELS, path, 0, Clock())
    (tmp_path / "chips.chips").write_text("no folder")
    with closing(open_nfc(f"sim:{path}?keep=1")) as reader:
        assert lying(reader) == [FIRST]
        with pytest.raises(DeviceError):
            reader.command(0x40, bytes.fromhex("01A20801020304"), 0.3)


class RehearsalTable(Table):
    """The same station, its reader a rehearsal's."""

    def __post_init__(self) -> None:
        path, clock = self.folder.root / "chips.toml", system_clock()
        epoch_us = clock.mono_us()
        cards = [{**card(uid, 0.0, 0.01), "chip_family": FAMILY} for uid in (UID, OTHER_UID)]
        table = ChipTable({"seconds": 1.0, "cards": cards}, path, epoch_us, clock.mono_us)
        self.address = f"sim:{path}?epoch_us={epoch_us}"
        super().__post_init__()
        self.work.on_lay(table.lay)

    def plug_in(self) -> Any:
        """Its board comes with the reader."""

    def open(self) -> NfcReader:
        return open_nfc(self.address)


def test_the_autopilot_switches_all_waiting_chips_off_by_the_keys_of_a_clerk(tmp_path: Path) -> None:
    table = RehearsalTable(make_station(tmp_path / "station"))
    autoplay = Autoplay(Script("", "", ()), table.post, lambda: True)
    table.station.on_show(autoplay.show)
    table.station.state = Idle(CLERK, last=LastParcel("SF1234567890123", 1, ()))
    table.work.count()
    table.until(lambda: isinstance(table.station.state, Idle) and len(table.facts()) == 3)
    table.until(lambda: table.station.around.chips == 0)
    assert [fact["kind"] for fact in table.facts()] == ["chip.reader-armed", "chip.deactivated", "chip.deactivated"]
    assert not autoplay.left_chips
    records = [json.loads(path.read_text()) for path in table.folder.chips.glob("*.json")]
    assert {record["chip"]["uid"] for record in records} == {UID, OTHER_UID}
    assert all(record["reader"]["simulated"] for record in records)
    table.close()
