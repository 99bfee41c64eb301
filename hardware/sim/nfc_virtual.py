"""A simulated PN532 on a line that takes no time: time is counted instead of spent.

The product's own driver talks to it as to any other board. What the line and the chip would take is added to the clock
that the driver sees, so a run tells how long it would last on a real board, and every run is the same.
Trouble is planned by the number of the command that it strikes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.frames import HOST_TO_CHIP, FrameKind, FrameParser
from hardware.nfc.pn532 import Pn532
from hardware.ports import DeviceInfo
from hardware.sim.nfc_board import Board, Faults
from hardware.sim.nfc_chip import SimulatedChip
from hardware.sim.nfc_field import Field

BAUD = 115200
_BITS_A_BYTE = 10  # 8N1
# ISO 14443-3 type A at 106 kbit/s: nine bits of 9.44 µs a byte, and the pause before an answer.
_RF_BYTE_S, _RF_TURN_S = 85e-6, 91e-6
_SELECT_S = 0.003  # REQA, two cascade levels, each with its answer
_WRITE_S = 0.0041  # NTAG21x section 10.4, MF1S50 section 12.5: programming
_IN_DATA_EXCHANGE, _IN_COMMUNICATE_THRU, _IN_LIST = 0x40, 0x42, 0x4A


def line_s(size: int) -> float:
    """Seconds that `size` bytes take on the line."""
    return size * _BITS_A_BYTE / BAUD


def chip_s(code: int, question: bytes, answer_bytes: int) -> float:
    """Seconds that the chip takes for one command of the reader."""
    if code == _IN_LIST:
        return _SELECT_S
    if code not in (_IN_DATA_EXCHANGE, _IN_COMMUNICATE_THRU):
        return 0.0
    told = question[1:] if code == _IN_DATA_EXCHANGE else question
    writes = told[:1] in (b"\xa2", b"\xa0")
    return (len(told) + 2 + answer_bytes) * _RF_BYTE_S + _RF_TURN_S + (_WRITE_S if writes else 0.0)


class VirtualLine:
    """The line and the board behind it, as a `Link`. `before` is called with each command's number and code."""

    address = "sim:virtual"

    def __init__(self, faults: Faults = Faults()) -> None:  # noqa: B008  frozen
        self.field = Field()
        self.now_s = 0.0
        self.commands = 0
        self.bytes_sent = self.bytes_heard = 0
        self.chip_s = 0.0
        self.before: Callable[[int, int], None] = lambda _number, _code: None
        self.unplugged = False
        self._board = Board(self.field, faults, self.clock)
        self._parser = FrameParser()
        self._coming = bytearray()

    def clock(self) -> float:
        return self.now_s

    def pause(self, duration_s: float) -> None:
        self.now_s += duration_s

    def break_down(self, faults: Faults) -> None:
        """Have these faults, and no others, from now on."""
        self._board.break_down(faults)

    def write(self, data: bytes) -> None:
        """Send; the answer is there at once, at the time it would be. Raises DeviceError(LOST) when unplugged."""
        self._refuse_when_unplugged()
        self.bytes_sent += len(data)
        self.now_s += line_s(len(data))
        question = self._question(data)
        if question is not None:
            self.commands += 1
            self.before(self.commands, question[0])
            self._refuse_when_unplugged()
        heard = b"".join(self._board.take(data, BAUD))
        if question is not None:
            took_s = chip_s(question[0], question[1:], max(len(heard) - 16, 0))
            self.chip_s += took_s
            self.now_s += took_s
        self._coming += heard

    def read(self, timeout_s: float) -> bytes:
        """What has arrived; with nothing to come the time passes. Raises DeviceError(LOST) when unplugged."""
        self._refuse_when_unplugged()
        if not self._coming:
            self.now_s += timeout_s
            return b""
        data = bytes(self._coming)
        self._coming.clear()
        self.bytes_heard += len(data)
        self.now_s += line_s(len(data))
        return data

    def flush_input(self) -> None:
        self._coming.clear()

    def close(self) -> None:
        self._coming.clear()

    def put(self, chip: SimulatedChip) -> None:
        """Lay a chip down. Raises ValueError when one with this UID lies there already."""
        self.field.put(chip)

    def take(self, chip: SimulatedChip) -> None:
        """Take a chip away; twice is harmless."""
        with suppress(KeyError):
            self.field.remove(chip.target.uid)

    def _question(self, data: bytes) -> bytes | None:
        """Code and data of the command in what is sent, None for anything else."""
        for frame in self._parser.feed(data):
            if frame.kind is FrameKind.DATA and frame.body[0] == HOST_TO_CHIP and len(frame.body) > 1:
                return frame.body[1:]
        return None

    def _refuse_when_unplugged(self) -> None:
        if self.unplugged:
            raise DeviceError(DeviceReason.LOST, self.address, "unplugged")


def virtual_reader(line: VirtualLine) -> Pn532:
    """The product's driver on a virtual line, started. Raises DeviceError as the line's faults bring about."""
    info = DeviceInfo(line.address, "Simulated PN532", simulated=True)
    reader = Pn532(line, info, line.clock, line.pause)
    reader.start()
    return reader
