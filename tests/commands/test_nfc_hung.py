"""The command itself with a reader that hangs: what it says first, and what it still asks before it says so."""

from __future__ import annotations

import json
import subprocess
import sys
import time

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
def test_a_hung_reader_is_the_first_word_after_the_last_wait(board: SimulatedBoard, name: str) -> None:
    """Counted, not timed: how long a machine takes for a line is its own affair, how long the driver waits is ours."""
    faults, most_heard, waits_s = HUNG[name]
    chip, struck_s, heard = used_chip(FAMILY), list[float](), [0]
    board.put(chip)

    def watch() -> None:
        if not struck_s and writes_heard(chip) >= 8:
            struck_s.append(time.monotonic())
            board.break_down(faults)
        heard[0] += bool(struck_s)

    board.watch(watch)
    argv = [sys.executable, "-m", "app", "nfc", "deactivate", "--port", board.address, "--yes"]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stdout is not None
    said = [(time.monotonic(), line.strip()) for line in child.stderr]
    told = json.loads(child.stdout.read())
    assert child.wait(60) == 4
    child.stdout.close()
    child.stderr.close()
    assert told["why"] == "reader-silent"
    first = next(line for at_s, line in said if at_s > struck_s[0])
    assert first in (say("nfc.why.reader-silent", "en"), say("nfc.why.reader-silent", "zh"))
    assert heard[0] == most_heard
    assert waits_s <= LONGEST_S
