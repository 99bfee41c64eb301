"""The rehearsal's hand: what it lays on the simulated reader lies there, alone, and is the same chip as before."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from app.commands.rehearsal_folder import ChipTable
from hardware.catalog import open_nfc
from hardware.ports import NfcReader

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
