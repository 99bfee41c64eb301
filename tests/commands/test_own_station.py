"""A machine that has a station finds it, and switches no chip off without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.commands import nfc
from app.commands import own_station as own_station_module
from app.commands.own_station import own_station, remember_station
from app.paths import StationFolder
from hardware.sim.nfc import SimulatedBoard
from tests.commands.nfc_cli import Cli
from tests.commands.nfc_station import FAMILY, Station
from tests.hardware.nfc.making import used_chip


def test_a_machine_with_a_station_wants_the_card_before_anything_is_opened(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = Station(tmp_path / "station")
    monkeypatch.setattr(nfc, "open_lasting_nfc", pytest.fail)
    remember_station(station.folder)
    assert own_station() is None  # a rehearsal is nobody's
    station.folder.rehearsal_mark.unlink()
    remember_station(station.folder)
    assert own_station() == station.folder.root
    code, told = cli("deactivate", "--yes")
    assert (code, told["why"]) == (3, "card-needed")
    monkeypatch.setenv("CARDINTAKE_STATION", str(station.folder.root.parent))
    assert cli("deactivate", "--yes")[1]["why"] == "not-a-station"


def test_a_station_whose_folder_is_away_lets_nothing_be_switched_off(
    cli: Cli, board: SimulatedBoard, tmp_path: Path
) -> None:
    """An unplugged disk does not make the machine one without a station."""
    chip = used_chip(FAMILY)
    board.put(chip)
    remember_station(StationFolder(tmp_path / "unplugged"))
    code, told = cli("deactivate", "--yes")
    assert (code, told["why"], chip.writes) == (2, "not-a-station", 0)


def test_where_the_machines_folder_may_not_be_written_the_users_own_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setattr(own_station_module, "_MACHINE", tmp_path / "a-file" / "cardintake")
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "a-file"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    remember_station(StationFolder(tmp_path / "station"))
    assert own_station() == tmp_path / "station"
    remember_station(StationFolder(tmp_path / "another"))
    assert own_station() == tmp_path / "another"


@pytest.mark.parametrize("place", ["not text", "a folder", "a loop"])
def test_a_machine_whose_station_cannot_be_read_switches_nothing_off(
    cli: Cli, board: SimulatedBoard, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """That a file is there and cannot be read is not the same as none."""
    chip, marker = used_chip(FAMILY), tmp_path / "machine" / "cardintake" / "station"
    board.put(chip)
    marker.parent.mkdir(parents=True)
    match place:
        case "not text":
            marker.write_bytes(b"\xff\xfe/station")
        case "a folder":
            marker.mkdir()
        case _:
            marker.symlink_to(marker)
    code, told = cli("deactivate", "--yes")
    assert (code, told["why"], told["done"], chip.writes) == (2, "station-unreadable", False, 0)
    with pytest.raises(SystemExit) as stopped:
        cli("deactivate", "--help")
    assert stopped.value.code == 0
    assert "--card" in capsys.readouterr().out


def test_the_machines_own_place_is_read_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_station_module, "_MACHINE", tmp_path / "etc")
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere-else"))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "station").write_text(str(tmp_path / "station"))
    assert own_station() == tmp_path / "station"
