"""`cardintake nfc deactivate` off a station: one record tells of all runs on a chip, whatever ended them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hardware.deactivation import verifies
from hardware.nfc.chips.layout import LAYOUTS
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_chip import Tearing
from hardware.sim.nfc_chips import make_chip
from tests.commands.nfc_cli import Cli
from tests.hardware.nfc.making import CLASSIC_UID, CODE, UID, irreversible, is_dead, used_chip, writes_heard

FAMILY = "MIFARE Ultralight EV1 (MF0UL11)"
CLASSIC = "MIFARE Classic 1K"


def killed_at(write: int, board: SimulatedBoard, chip: Any, evidence: Path) -> None:
    """Run the command as a process of its own and kill it right after that write was heard by the chip."""
    argv = [sys.executable, "-m", "app", "nfc", "deactivate", "--port", board.address, "--yes"]
    argv += ["--evidence", str(evidence)]
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    board.watch(
        lambda: os.kill(child.pid, signal.SIGKILL) if not child.poll() and writes_heard(chip) >= write else None
    )
    assert child.wait(60) == -signal.SIGKILL
    board.watch(lambda: None)


def is_of(content: dict[str, Any], held: bytes) -> bool:
    """Whether a slow hash is of these bytes, as somebody finds who has them."""
    _, n, r, p = content["kind"].split("-")
    salt = bytes.fromhex(content["salt"])
    return content["hash"] == hashlib.scrypt(held, salt=salt, n=int(n), r=int(r), p=int(p), dklen=32).hex()


def what_it_held(family: str) -> bytes:
    if family == CLASSIC:
        chip = used_chip(CLASSIC)
        return b"".join(chip.block(block) for block in range(1, 64) if block % 4 != 3)
    layout = next(layout for name, layout in LAYOUTS.items() if name == family)
    return (CODE * 40)[: layout.capacity]


@pytest.mark.parametrize(
    ("family", "write"), [(FAMILY, 1), (FAMILY, 12), (FAMILY, 16), (FAMILY, 22), (CLASSIC, 3), (CLASSIC, 9)]
)
def test_after_a_kill_the_record_tells_what_the_chip_held_and_each_irreversible_write(
    cli: Cli, board: SimulatedBoard, tmp_path: Path, family: str, write: int
) -> None:
    chip, file = used_chip(family), tmp_path / "record.json"
    board.put(chip)
    killed_at(write, board, chip, file)
    obeyed = irreversible(chip)
    assert not file.exists()
    code, told = cli("deactivate", "--yes", "--evidence", str(file))
    record = json.loads(file.read_text())
    assert (code, told["verdict"]) == (0, "deactivated")
    assert verifies(record)
    assert is_dead(chip)
    (killed,) = record["earlier_runs"]
    assert (killed["verdict"], killed["about"]["operator"]) == ("cut-off", record["about"]["operator"])
    assert is_of(killed["before"]["content"], what_it_held(family))
    assert obeyed <= {act["write"] for act in killed["irreversible"]}
    assert irreversible(chip) <= {act["write"] for run in (killed, record) for act in run["irreversible"]}
    assert killed["commands"]


def test_every_run_of_a_card_stands_in_one_record(cli: Cli, board: SimulatedBoard, tmp_path: Path) -> None:
    """Killed, torn, then a look while it lay elsewhere, then finished: four commands, one record."""
    chip, file = used_chip(FAMILY), tmp_path / "record.json"
    board.put(chip)
    killed_at(5, board, chip, file)
    chip.tear(6, Tearing.HALF)
    torn = tmp_path / "torn.json"
    assert cli("deactivate", "--yes", "--wait", "0", "--evidence", str(torn))[0] == 4
    assert [run["verdict"] for run in json.loads(torn.read_text())["earlier_runs"]] == ["cut-off"]
    assert cli("deactivate", "--yes", "--wait", "0", "--uid", UID)[0] == 4
    chip.put_back()
    assert cli("deactivate", "--yes", "--evidence", str(file))[0] == 0
    record = json.loads(file.read_text())
    runs = record["earlier_runs"]
    assert [(run["verdict"], run["why"]) for run in runs] == [("cut-off", ""), ("not-completed", "chip-gone")]
    assert is_of(runs[0]["before"]["content"], what_it_held(FAMILY))
    assert all(run["commands"] for run in runs)
    assert not any(secret in file.read_text() for secret in ("pwd", "pack"))


def test_one_call_gathers_the_runs_in_which_the_card_left(cli: Cli, board: SimulatedBoard, tmp_path: Path) -> None:
    chip, file, looks = used_chip(FAMILY), tmp_path / "record.json", [0]
    board.put(chip)
    chip.tear(9, Tearing.CLEAN)

    def come_back() -> None:
        looks[0] += not chip.in_reach
        if looks[0] == 20:
            chip.put_back()

    board.watch(come_back)
    assert cli("deactivate", "--yes", "--evidence", str(file))[0] == 0
    assert [run["why"] for run in json.loads(file.read_text())["earlier_runs"]] == ["chip-gone"]


def test_a_begun_chip_that_never_answers_again_is_destroyed_after_three_calls(
    cli: Cli, board: SimulatedBoard, tmp_path: Path
) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    chip.tear(9, Tearing.HALF)
    assert cli("deactivate", "--yes", "--wait", "0")[0] == 4
    call = ("deactivate", "--yes", "--wait", "0.2", "--uid", UID, "--evidence")
    again = [cli(*call, str(tmp_path / f"record-{run}.json")) for run in range(3)]
    assert [(code, told["silent"]) for code, told in again] == [(4, 1), (4, 2), (5, 3)]
    told = again[-1][1]
    assert (told["verdict"], told["why"], told["method"]) == ("proof-failed", "stays-silent", "physical")
    assert json.loads((tmp_path / "record-2.json").read_text())["earlier_runs"][0]["commands"]
    assert cli("deactivate", "--yes", "--wait", "0")[0] == 3  # given up: without its UID nobody means it any more
    chip.put_back()
    assert cli("deactivate", "--yes")[0] == 0  # it answers after all
    assert is_dead(chip)


def test_an_answer_in_between_begins_the_count_anew(cli: Cli, board: SimulatedBoard) -> None:
    chip = used_chip(FAMILY)
    for put in (False, False, True, False, False):
        if put:
            chip.tear(0, Tearing.CLEAN)
            board.put(chip)
        assert cli("deactivate", "--yes", "--wait", "0", "--uid", UID)[0] == 4
        board.clear()
    assert cli("deactivate", "--yes", "--wait", "0", "--uid", UID)[0] == 5


def test_a_finished_classic_is_told_from_its_twin_by_the_key_that_was_kept(
    cli: Cli, board: SimulatedBoard, tmp_path: Path
) -> None:
    chip = used_chip(CLASSIC)
    board.put(chip)
    assert cli("deactivate", "--yes")[0] == 0
    (witness,) = (tmp_path / "state").rglob("*.witness")
    assert witness.stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "state").rglob("chips/*.json")) == []
    code, told = cli("deactivate", "--yes")
    assert (code, told["why"], told["not_proved"]) == (0, "proved-before", ["other-sectors"])
    assert all(test["refused"] for test in told["evidence"]["negative_tests"])
    assert "write block 3" in {test["what"] for test in told["evidence"]["negative_tests"]}
    board.clear()
    twin: Any = make_chip(CLASSIC, CLASSIC_UID)
    for sector in range(16):
        twin.set_block(sector * 4 + 3, b"strang" + bytes.fromhex("FF078069") + b"strang")
    board.put(twin)
    code, told = cli("deactivate", "--yes")
    assert (code, told["why"], twin.writes) == (3, "unknown-key", 0)


def test_what_a_second_proof_does_not_say_is_told(cli: Cli, board: SimulatedBoard) -> None:
    board.put(used_chip(FAMILY))
    assert cli("deactivate", "--yes")[1]["not_proved"] == []
    told = cli("deactivate", "--yes")[1]
    assert (told["verdict"], told["why"], told["not_proved"]) == ("already-deactivated", "proved", ["password"])
    assert told["evidence"]["not_proved"] == ["password"]
    board.clear()
    board.put(used_chip("MIFARE Ultralight"))
    cli("deactivate", "--yes")
    assert cli("deactivate", "--yes")[1]["not_proved"] == []
