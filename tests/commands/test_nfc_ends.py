"""`cardintake nfc deactivate`: what becomes of the record, and that every end is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hardware.deactivation import verifies
from hardware.sim.nfc import SimulatedBoard
from tests.commands.nfc_cli import Cli
from tests.hardware.nfc.making import used_chip

FAMILY = "MIFARE Ultralight EV1 (MF0UL11)"


@pytest.mark.parametrize("where", ["a-folder", "a-file/record.json", "/proc/record.json"])
def test_a_place_for_the_record_that_cannot_be_written_is_found_before_the_first_write(
    cli: Cli, board: SimulatedBoard, tmp_path: Path, where: str
) -> None:
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "a-file").touch()
    chip = used_chip(FAMILY)
    board.put(chip)
    code, told = cli("deactivate", "--yes", "--evidence", str(tmp_path / where))
    assert (code, told["why"], told["done"]) == (2, "evidence-unwritable", False)
    assert chip.writes == 0


def test_a_record_that_is_lost_at_the_end_is_told_and_the_next_run_proves_the_chip_again(
    cli: Cli, board: SimulatedBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chip, record = used_chip(FAMILY), tmp_path / "there" / "record.json"
    board.put(chip)
    board.watch(lambda: shutil.rmtree(record.parent, ignore_errors=True) if chip.writes else None)
    board.watch(lambda: record.parent.write_text("") if chip.writes and not record.parent.exists() else None)
    code, told = cli("deactivate", "--yes", "--evidence", str(record))
    assert (code, told["verdict"], told["why"], told["done"]) == (4, "not-completed", "not-kept", False)
    assert verifies(told["evidence"])
    monkeypatch.setenv("CARDINTAKE_LANG", "en")
    code, told = cli("deactivate", "--yes", "--evidence", str(tmp_path / "record.json"))
    assert (code, told["verdict"]) == (0, "deactivated")
    assert verifies(json.loads((tmp_path / "record.json").read_text()))


def test_an_end_without_a_reader_is_told_in_json_too(cli: Cli, tmp_path: Path) -> None:
    code, told = cli("deactivate", "--yes", "--port", str(tmp_path / "no-such-port"))
    assert (code, told["verdict"], told["why"], told["done"]) == (3, "refused", "nfc.missing", False)
