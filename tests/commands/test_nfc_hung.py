"""The command itself with a reader that hangs: what it says first, and what it still asks before it says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.nfc import exchange
from hardware.nfc.chips import talk
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_board import Faults
from tests.hardware.nfc.making import used_chip, writes_heard
from ui.texts import say

FAMILY = "MIFARE Ultralight EV1 (MF0UL11)"
LONGEST_S = 1.8

HUNG = {
    # What the board still hears, and what of the driver's waiting lies between that and giving up.
    "silent": (Faults(silent=True), 3, 3 * exchange.ACK_TIMEOUT_S),
    "acknowledges only": (Faults(lose_answers=1000), 4, talk._TIMEOUT_S + exchange._QUIET_S + talk._TIMEOUT_AGAIN_S),
}
"""Questions and calls to stop that are heard after the reader hung; the waits that they stand for, in seconds."""


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize("name", HUNG)
def test_a_hung_reader_is_the_first_word_after_the_last_wait(board: SimulatedBoard, name: str, tmp_path: Path) -> None:
    """Counted, not timed: how long a machine takes for a line is its own affair, how long the driver waits is ours."""
    faults, most_heard, waits_s = HUNG[name]
    chip, struck, heard, words = used_chip(FAMILY), list[int](), [0], tmp_path / "words"
    board.put(chip)

    def watch() -> None:
        if not struck and writes_heard(chip) >= 8:
            struck.append(words.stat().st_size)  # all that it said before: it waits for the answer to this one
            board.break_down(faults)
        heard[0] += bool(struck)

    board.watch(watch)
    argv = [sys.executable, "-m", "app", "nfc", "deactivate", "--port", board.address, "--yes"]
    with words.open("wb") as err:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=err, text=True, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == 4
    assert told["why"] == "reader-silent"
    first = words.read_bytes()[struck[0] :].decode().splitlines()[0].strip()
    assert first in (say("nfc.why.reader-silent", "en"), say("nfc.why.reader-silent", "zh"))
    assert heard[0] == most_heard
    assert waits_s <= LONGEST_S
