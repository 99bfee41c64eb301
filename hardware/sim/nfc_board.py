"""What the firmware of a PN532 does with the bytes that reach it, with faults to choose from. No line, no thread.

Source: NXP UM0701-02, chapter 7. Commands that no reader of ours or libnfc's `nfc-list` uses are answered with the
error frame.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hardware.nfc.frames import ACK, CHIP_TO_HOST, ERROR, HOST_TO_CHIP, FrameKind, FrameParser, encode
from hardware.sim.nfc_chip import RefusedError
from hardware.sim.nfc_classic import AUTH_KEY_A, AUTH_KEY_B
from hardware.sim.nfc_field import ChipState, Field, LyingChip

OK = b"\x00"
TIME_OUT = b"\x01"
CRC_ERROR = b"\x02"  # how a four-bit NAK looks through InCommunicateThru
NOT_ACKNOWLEDGED = b"\x13"  # and through InDataExchange
NOT_AUTHENTICATED = b"\x14"
WRONG_CONTEXT = b"\x27"

_WAKE_TIME_S = 0.002
_FOR_EVER = 0xFF
_TYPE_A_106 = 0x00
_LONGEST_LIST = 2
_BAUD_BY_CODE = {0: 9600, 1: 19200, 2: 38400, 3: 57600, 4: 115200, 5: 230400, 6: 460800, 7: 921600, 8: 1288000}
_CASCADE_TAG = 0x88


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a board. The numbers say how often; nothing is wrong by default."""

    needs_wakeup: bool = False  # asleep at power-on: what arrives before 2 ms after the first byte is lost
    long_sam_only: bool = False  # deaf to the short form of SAMConfiguration
    silent: bool = False
    lose_commands: int = 0  # the first so many commands are not heard
    lose_acks: int = 0
    lose_answers: int = 0
    damage_answers: int = 0  # arrive with a wrong checksum
    garble_acks: int = 0  # a chip's four-bit acknowledgements are taken for refusals: a disturbed field
    spoil_answers: int = 0  # a chip's answers do not arrive whole: `spoil_status` is told instead
    spoil_status: int = 0x02
    noise: bool = False  # before every answer, false starts among it
    slow_bytes_s: float = 0.0  # bytes go out one by one with this pause
    miss_every_second: bool = False  # every other look finds no chip
    ic: int = 0x32  # what GetFirmwareVersion says it is
    baud: int = 115200  # the speed it was left at


class Board:
    """A PN532 with a field. Bytes in, pieces of bytes out; one thread."""

    def __init__(self, field: Field, faults: Faults, clock: Callable[[], float]) -> None:
        """`clock` in seconds, monotonic: times the wake-up."""
        self._field = field
        self._clock = clock
        self._parser = FrameParser()
        self._dice = random.Random(532)
        self._deaf_until_s = 0.0
        self.break_down(faults)
        self._last_answer = b""
        self._listed: list[LyingChip] = []
        self._retries = _FOR_EVER
        self._looks = 0
        self._registers: dict[bytes, int] = {}
        self._commands: dict[int, Callable[[bytes], bytes | None]] = {
            0x00: self._diagnose,
            0x02: lambda _: bytes((self.faults.ic, 0x01, 0x06, 0x07)),
            0x04: lambda _: b"\x00\x01\x00\x00",
            0x06: self._read_registers,
            0x08: self._write_registers,
            0x10: self._set_baud,
            0x12: lambda _: b"",
            0x14: self._configure_sam,
            0x16: self._power_down,
            0x32: self._configure_rf,
            0x40: self._exchange_data,
            0x42: self._communicate_through,
            0x44: self._deselect,
            0x4A: self._list_targets,
            0x52: self._release,
            0x54: self._select,
        }

    def break_down(self, faults: Faults) -> None:
        """Have these faults, and no others, from now on."""
        self.faults = faults
        self._strikes: dict[str, int] = {}
        self._asleep = faults.needs_wakeup
        self._baud = self._next_baud = faults.baud

    def take(self, data: bytes, baud: int) -> Iterator[bytes]:
        """What the board sends for bytes that came in at `baud`; at another speed than its own it hears nothing."""
        if self.faults.silent or baud != self._baud or self._still_asleep():
            return
        for frame in self._parser.feed(data):
            if frame.kind is FrameKind.NACK:
                yield self._last_answer
            elif frame.kind is FrameKind.ACK:
                self._baud = self._next_baud
            elif frame.kind is FrameKind.DATA and frame.body[0] == HOST_TO_CHIP and len(frame.body) > 1:
                yield from self._obey(frame.body[1], frame.body[2:])

    def _still_asleep(self) -> bool:
        if self._asleep:
            self._asleep = False
            self._deaf_until_s = self._clock() + _WAKE_TIME_S
        return self._clock() < self._deaf_until_s

    def _obey(self, code: int, data: bytes) -> Iterator[bytes]:
        if self.faults.long_sam_only and code == 0x14 and len(data) == 1:
            return
        if self._happens("lose_commands"):
            return
        if not self._happens("lose_acks"):
            yield ACK
        answer = self._answer(code, data)
        if answer and not self._happens("lose_answers"):
            yield self._noise() + self._damaged(answer)

    def _answer(self, code: int, data: bytes) -> bytes:
        """The frame to answer with, b"" for none."""
        try:
            told = self._commands[code](data)
        except LookupError:  # no such command, or one cut short
            self._last_answer = ERROR
        else:
            self._last_answer = b"" if told is None else encode(bytes((CHIP_TO_HOST, code + 1)) + told)
        return self._last_answer

    def _happens(self, fault: str) -> bool:
        """Whether a counted fault strikes now; counts it down."""
        left: int = self._strikes.get(fault, getattr(self.faults, fault))
        self._strikes[fault] = max(left - 1, 0)
        return left > 0

    def _noise(self) -> bytes:
        if not self.faults.noise:
            return b""
        return b"\x00\x00\xff\x13\x37" + self._dice.randbytes(5) + b"\x00\x00\xff"

    def _damaged(self, frame: bytes) -> bytes:
        if not self._happens("damage_answers"):
            return frame
        return frame[:-2] + bytes((frame[-2] ^ 0x10,)) + frame[-1:]

    def _diagnose(self, data: bytes) -> bytes | None:
        return data if data[:1] == b"\x00" else b"\x00"  # test 0: the line, echoes everything

    def _read_registers(self, data: bytes) -> bytes:
        return bytes(self._registers.get(data[at : at + 2], 0) for at in range(0, len(data), 2))

    def _write_registers(self, data: bytes) -> bytes:
        for at in range(0, len(data) - 2, 3):
            self._registers[data[at : at + 2]] = data[at + 2]
        return b""

    def _set_baud(self, data: bytes) -> bytes:
        self._next_baud = _BAUD_BY_CODE.get(data[0], self._baud)
        return b""

    def _configure_sam(self, data: bytes) -> bytes:
        del data
        return b""

    def _power_down(self, data: bytes) -> bytes:
        del data
        self._field.power(False)
        self._asleep = True
        return OK

    def _configure_rf(self, data: bytes) -> bytes:
        match list(data):
            case [0x01, switch]:
                self._field.power(bool(switch & 1))
            case [0x05, _, _, retries]:
                self._retries = retries
        return b""

    def _list_targets(self, data: bytes) -> bytes | None:
        """InListPassiveTarget; only chips of type A at 106 kbit/s exist here."""
        wanted = _plain_uid(data[2:])
        most = min(data[0], _LONGEST_LIST)
        self._field.power(True)
        self._listed = self._look(most, wanted) if data[1] == _TYPE_A_106 else []
        if not self._listed and self._retries == _FOR_EVER:
            return None  # it goes on looking until the host calls it off
        listed = b"".join(_describe(number, chip) for number, chip in enumerate(self._listed, start=1))
        return bytes((len(self._listed),)) + listed

    def _look(self, most: int, wanted: bytes) -> list[LyingChip]:
        self._looks += 1
        if self.faults.miss_every_second and self._looks % 2:
            return []
        for _ in range(1 + self._retries):
            found = [c for c in self._field.request() if not wanted or c.chip.target.uid == wanted][:most]
            if found:
                for chip in found:
                    self._field.activate(chip)
                return found
        return []

    def _target(self, number: int) -> LyingChip | None:
        return self._listed[number - 1] if 1 <= number <= len(self._listed) else None

    def _exchange_data(self, data: bytes) -> bytes:
        chip = self._target(data[0])
        if chip is None:
            return WRONG_CONTEXT
        if chip is not self._field.active() and chip.state is ChipState.HALTED:
            self._field.activate(chip)
        try:
            answer = chip.ask(data[1:])
        except RefusedError:
            return self._spoilt() or NOT_ACKNOWLEDGED
        if spoilt := self._spoilt():
            return spoilt
        if answer is None:
            return NOT_AUTHENTICATED if data[1] in (AUTH_KEY_A, AUTH_KEY_B) else TIME_OUT
        if not answer and self._happens("garble_acks"):
            return NOT_ACKNOWLEDGED
        return OK + answer

    def _spoilt(self) -> bytes:
        """The status told in place of a chip's answer, b"" when that arrives whole."""
        return bytes((self.faults.spoil_status,)) if self._happens("spoil_answers") else b""

    def _communicate_through(self, data: bytes) -> bytes:
        chip = self._field.active()
        try:
            answer = chip.ask(data) if chip and data else None
        except RefusedError:
            return self._spoilt() or CRC_ERROR
        if spoilt := self._spoilt():
            return spoilt
        return TIME_OUT if answer is None else OK + answer

    def _deselect(self, data: bytes) -> bytes:
        for number, chip in enumerate(self._listed, start=1):
            if data[:1] in (b"\x00", bytes((number,))):
                chip.state = ChipState.HALTED
        return OK

    def _release(self, data: bytes) -> bytes:
        self._deselect(data)
        self._listed = []
        return OK

    def _select(self, data: bytes) -> bytes:
        chip = self._target(data[0])
        if chip is None:
            return WRONG_CONTEXT
        return OK if self._field.activate(chip) else TIME_OUT


def _plain_uid(initiator_data: bytes) -> bytes:
    """A UID without the cascade tags that InListPassiveTarget wants in front of its parts."""
    plain = initiator_data
    if len(plain) in (8, 12) and plain[0] == _CASCADE_TAG:
        plain = plain[1:]
    return plain[:3] + plain[4:] if len(plain) == 11 else plain


def _describe(number: int, lying: LyingChip) -> bytes:
    target = lying.chip.target
    return bytes((number,)) + target.atqa + bytes((target.sak, len(target.uid))) + target.uid + target.ats
