"""What switching a chip off costs: time and commands, against the least that the protocol allows.

    python -m tests.bench chip

`time_s`     a whole run on the virtual line: bytes at 115200 baud, chip times, the driver's own pauses
`real_s`     the same on a real pty in this process, where line and chip take no time: what the software costs
`least_s`    the least: the writes that are due, the memory read before, after and once more, two attempts to write each
             lockable piece (one refusal could be a disturbed field) with the selection after it, both field restarts;
             frames, acknowledgements and chip times. Of a Classic each block is a piece, written with either key
`commands`   sent to the reader, `least` of them by the same count
Nobody can be faster and prove as much; `time/least` is what we spend beside it.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from typing import Any

from hardware.nfc.chips import Family
from hardware.nfc.chips.access import SECTORS, data_blocks
from hardware.nfc.chips.deactivate import Means, deactivate
from hardware.nfc.chips.layout import LAYOUTS
from hardware.nfc.chips.outcome import Request, Verdict
from hardware.nfc.chips.proof import REFUSALS
from hardware.nfc.frames import ACK, encode
from hardware.nfc.pn532 import open_pn532
from hardware.ports import DeviceInfo
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_virtual import chip_s, line_s
from tests.hardware.nfc.making import TEXT, MemoryJournal, Table, used_chip

FAMILIES = (Family.NTAG213, Family.NTAG216, Family.CLASSIC_1K)
RESTART_S = 0.015  # 10 ms without power, 5 ms with it before the first command


class Least:
    """Adds up commands that cannot be done without."""

    def __init__(self) -> None:
        self.commands = 0
        self.seconds = 0.0

    def add(self, code: int, question: bytes, answer: int, times: int = 1) -> None:
        """`times` commands: the question's frame, the ACK, the chip, the answer's frame of `answer` data bytes."""
        line = len(encode(bytes((0xD4, code)) + question)) + len(ACK) + len(encode(bytes(2 + answer)))
        self.commands += times
        self.seconds += times * (line_s(line) + chip_s(code, question, answer))

    def restart(self) -> None:
        self.add(0x32, b"\x01\x00", 0, 2)
        self.add(0x4A, bytes(10), 13)
        self.seconds += RESTART_S


def least_type_2(family: Family, writes: int) -> Least:
    layout, least = LAYOUTS[family], Least()
    least.restart()
    least.add(0x42, b"\x60", 9)
    size = layout.pages * 4
    for _ in range(3):  # before, as wanted, unchanged after the attempts
        for at in range(0, size, 240):
            least.add(0x42, bytes(3), 1 + min(240, size - at))
    least.add(0x40, b"\x01\xa2" + bytes(5), 1, writes)
    attempts = REFUSALS * (len(layout.granules) + (2 if layout.config is not None else 0))
    least.add(0x40, b"\x01\xa2" + bytes(5), 1, attempts)
    least.add(0x4A, bytes(10), 13, attempts)
    least.restart()
    return least


def least_classic(family: Family, dirty: int) -> Least:
    least, sectors = Least(), SECTORS[family]
    least.restart()
    blocks = sum(len(data_blocks(sector)) for sector in range(sectors))
    auth, read, write = b"\x01\x60" + bytes(11), b"\x01\x30\x00", b"\x01\xa0" + bytes(17)
    least.add(0x40, auth, 1, 2 * sectors)  # before, and to close (reading back shares it)
    least.add(0x40, read, 17, 2 * blocks + sectors)  # before with the access bits, and read back
    least.add(0x40, write, 1, dirty + sectors)
    least.restart()
    reads, writes, old = REFUSALS * blocks, 2 * REFUSALS * (blocks + sectors), 2 * REFUSALS * sectors
    least.add(0x40, auth, 1, reads + writes + old)  # our key for each attempt, A or B; both old ones
    least.add(0x40, auth, 1, sectors)  # to show the trailer
    least.add(0x40, read, 17, sectors)
    least.add(0x40, read, 1, reads)
    least.add(0x40, write, 1, writes)
    least.add(0x4A, bytes(6), 10, reads + writes + old)
    return least


def on_virtual_line(family: Family) -> dict[str, Any]:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    planned = {step.stage.value: step.writes for step in table.plan().plan}
    commands, began_s = table.line.commands, table.line.now_s
    sent, heard = table.line.bytes_sent, table.line.bytes_heard
    assert table.run().verdict is Verdict.DEACTIVATED
    least = least_classic(family, planned["data"]) if family in SECTORS else least_type_2(family, sum(planned.values()))
    time_s, commands = table.line.now_s - began_s, table.line.commands - commands
    return {
        "writes": sum(planned.values()),
        "time_s": round(time_s, 3),
        "least_s": round(least.seconds, 3),
        "time/least": round(time_s / least.seconds, 2),
        "commands": commands,
        "least": least.commands,
        "commands/least": round(commands / least.commands, 2),
        "bytes": table.line.bytes_sent - sent + table.line.bytes_heard - heard,
    }


def on_a_pty(family: Family) -> float:
    board = SimulatedBoard()
    board.start()
    board.put(used_chip(family))
    try:
        with closing(open_pn532(board.address, DeviceInfo(board.address, "board"))) as reader:
            began_s = time.perf_counter()
            outcome = deactivate(reader, Request(None, TEXT), Means(MemoryJournal(), seal=lambda _content: ""))
            assert outcome.verdict is Verdict.DEACTIVATED
            return time.perf_counter() - began_s
    finally:
        board.stop()


def main() -> dict[str, Any]:
    """Measure the three families, print a table on stderr, give the figures."""
    figures = {str(family): {**on_virtual_line(family), "real_s": round(on_a_pty(family), 3)} for family in FAMILIES}
    for family, told in figures.items():
        print(f"{family:20} {json.dumps(told)}", file=sys.stderr)
    return figures


if __name__ == "__main__":
    main()
