"""`cardintake nfc deactivate`: what becomes of the record, and that every end is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.errors import StorageTrouble
from app.station.chip_files import FileJournal
from hardware.deactivation import verifies
from hardware.nfc.chips import Family
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_type2 import Quirks, Type2Chip
from tests.commands.nfc_cli import Cli
from tests.hardware.nfc.making import UID, used_chip, writes_heard

FAMILY = "MIFARE Ultralight EV1 (MF0UL11)"


@pytest.mark.parametrize("where", ["a-folder", "a-file/record.json", "/proc/record.json", "n" * 250, "nu\0l"])
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


def test_no_look_says_that_a_chip_is_off(cli: Cli, board: SimulatedBoard, tmp_path: Path) -> None:
    """A copy whose locks do nothing looks the same as a finished chip until it is written."""
    board.put(Type2Chip(Family.NTAG213, bytes.fromhex(UID), Quirks(locks_do_nothing=True)))
    assert cli("deactivate", "--yes")[0] == 5
    shutil.rmtree(tmp_path / "state")
    code, told = cli("deactivate")
    assert (code, told["verdict"], told["done"]) == (0, "looks-switched-off", False)
    assert (told["survey"]["kind"], "sha256" in told["survey"], "evidence" in told) == ("chip.survey", False, False)
    (seen,) = cli("info")[1]["chips"]
    assert (seen["looks_switched_off"], "already_deactivated" in seen) == (True, False)


def test_a_finished_classic_only_looks_finished_until_it_is_proved(cli: Cli, board: SimulatedBoard) -> None:
    board.put(used_chip("MIFARE Classic 1K"))
    assert cli("deactivate", "--yes")[0] == 0
    code, told = cli("deactivate")
    assert (code, told["verdict"], told["done"]) == (0, "looks-switched-off", False)


@pytest.mark.parametrize("kind", ["record", "link", "link to nothing", "fifo", "device"])
def test_what_is_there_already_is_never_written_over(
    cli: Cli, board: SimulatedBoard, tmp_path: Path, kind: str
) -> None:
    """The only proof of an earlier run may lie there."""
    chip, place = used_chip(FAMILY), tmp_path / "record.json"
    board.put(chip)
    proof = tmp_path / "proof.json"
    match kind:
        case "record":
            proof = place
        case "link" | "link to nothing":
            place.symlink_to(proof)
        case "fifo":
            os.mkfifo(place)
        case _:
            place = Path("/dev/null")
    if kind != "link to nothing":
        proof.write_text("the only proof")
    code, told = cli("deactivate", "--yes", "--evidence", str(place))
    assert (code, told["why"], told["done"], chip.writes) == (2, "evidence-exists", False, 0)
    assert not proof.exists() if kind == "link to nothing" else proof.read_text() == "the only proof"


def test_off_a_station_the_record_is_kept_without_being_asked_for(
    cli: Cli, board: SimulatedBoard, tmp_path: Path
) -> None:
    board.put(used_chip(FAMILY))
    told = cli("deactivate", "--yes")[1]
    (kept,) = (tmp_path / "state").rglob("chip-records/*.json")
    assert json.loads(kept.read_text()) == told["evidence"]
    assert told["evidence"]["about"]["no_station_in"]


def test_a_result_that_nobody_heard_does_not_count_and_the_journal_stays(
    cli: Cli, board: SimulatedBoard, tmp_path: Path
) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    with open("/dev/full", "w") as full:
        ended = subprocess.run(argv(board, "--yes"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    (kept,) = (tmp_path / "state").rglob("chip-records/*.json")
    assert (ended.returncode, str(kept) in ended.stderr) == (4, True)
    assert "Traceback" not in ended.stderr
    assert "finished cards" not in ended.stderr
    assert "已停用盒" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert verifies(json.loads(kept.read_text()))
    assert len(list((tmp_path / "state").rglob("chips/*.json"))) == 1
    assert cli("deactivate", "--yes")[1]["verdict"] == "deactivated"
    assert list((tmp_path / "state").rglob("chips/*.json")) == []


def test_a_journal_that_cannot_be_removed_takes_nothing_back(
    cli: Cli, board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is removed last, when the result is out: one answer on stdout, which is true."""

    def stuck(_journal: FileJournal, uid: str, _witness: object = None) -> None:
        raise StorageTrouble("store.io", uid)

    board.put(used_chip(FAMILY))
    monkeypatch.setattr(FileJournal, "erase", stuck)
    code, told = cli("deactivate", "--yes")
    assert (code, told["verdict"], told["done"]) == (0, "deactivated", True)


def test_a_run_goes_on_when_nobody_hears_its_words(cli: Cli, board: SimulatedBoard) -> None:
    del cli  # for its places
    chip = used_chip(FAMILY)
    board.put(chip)
    with open("/dev/full", "w") as full:
        ended = subprocess.run(argv(board, "--yes"), stdout=subprocess.PIPE, stderr=full, text=True, timeout=60)
    assert json.loads(ended.stdout)["verdict"] == "deactivated"


@pytest.mark.parametrize(("number", "write"), [(signal.SIGINT, 3), (signal.SIGTERM, 20), (signal.SIGINT, 20)])
def test_a_run_that_is_called_off_ends_with_its_record(
    cli: Cli, board: SimulatedBoard, tmp_path: Path, number: signal.Signals, write: int
) -> None:
    chip, file, sent = used_chip(FAMILY), tmp_path / "record.json", list[int]()
    board.put(chip)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen(argv(board, "--yes", "--evidence", str(file)), text=True, **pipes)  # type: ignore[call-overload]

    def strike() -> None:
        if not sent and writes_heard(chip) >= write:
            sent.append(write)
            child.send_signal(number)

    board.watch(strike)
    out, err = child.communicate(timeout=60)
    board.watch(lambda: None)
    told = json.loads(out)
    assert (child.returncode, told["verdict"], told["why"], told["done"]) == (4, "not-completed", "cancelled", False)
    assert UID in err
    assert json.loads(file.read_text()) == told["evidence"]
    assert cli("deactivate", "--yes")[1]["verdict"] == "deactivated"


def test_a_wait_that_is_called_off_ends_in_json_too(cli: Cli, board: SimulatedBoard) -> None:
    del cli  # for its places
    looks, sent = [0], list[int]()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(argv(board, "--yes", "--wait", "600"), text=True, **pipes)  # type: ignore[call-overload]

    def strike() -> None:
        looks[0] += 1
        if looks[0] > 20 and not sent:
            sent.append(1)
            child.send_signal(signal.SIGINT)

    board.watch(strike)
    told = json.loads(child.communicate(timeout=60)[0])
    assert (child.returncode, told["why"], told["done"]) == (4, "cancelled", False)


@pytest.mark.parametrize(
    "line", ["key 0102", "password 01", "pin 01020304", "key nothex", "key", "password 0102030405"]
)
def test_a_wrong_line_of_secrets_is_named_and_never_said(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    file = tmp_path / "secrets"
    file.write_text(f"key A0A1A2A3A4A5\n\n{line}\n")
    with pytest.raises(SystemExit) as stopped:
        cli("deactivate", "--secrets", str(file))
    said = capsys.readouterr().err
    assert (stopped.value.code, "line 3" in said, "12 hex digits" in said) == (2, True, True)
    assert line.split()[-1] not in said.replace("`key`", "").replace("`password`", "") or line == "key"


def argv(board: SimulatedBoard, *more: str) -> list[str]:
    """The command as a process of its own."""
    return [sys.executable, "-m", "app", "nfc", "deactivate", "--port", board.address, *more]
