"""Speaking to one selected chip: read, write, authenticate, and select it again after whatever went wrong.

Any status but zero means "not done", and a chip that refused is idle: it is selected again by its UID. An answer that
was lost on the line leaves open whether the command was obeyed; whoever wrote then decides from the content.
Every command is written down with its status and time; passwords and keys are masked.

Source: NXP UM0701-02 section 7.3.5 and 7.3.8, NTAG213/215/216 section 10, MF1S50YYX_V1 section 12.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.chips.outcome import StopError, Why
from hardware.nfc.exchange import NOT_HEARD, CancelledError
from hardware.nfc.pn532 import IN_LIST_PASSIVE_TARGET, RF_CONFIGURATION, parse_targets
from hardware.ports import NfcReader

IN_DATA_EXCHANGE = 0x40
IN_COMMUNICATE_THRU = 0x42
PAGE = 4
BLOCK = 16
_READ, _WRITE_PAGE, _WRITE_BLOCK, _FAST_READ = 0x30, 0xA2, 0xA0, 0x3A
_PWD_AUTH, _READ_SIG, _READ_CNT = 0x1B, 0x3C, 0x39
_CASCADE_TAG = b"\x88"
_STATUS_BITS = 0x3F
# Time-out, CRC, parity, framing, collision: the answer did not arrive whole. What the chip meant, nobody knows.
_LINE_TROUBLE = frozenset({0x01, 0x02, 0x03, 0x05, 0x06})
_TIME_OUT = 0x01
_RF_OFF, _RF_ON = b"\x01\x00", b"\x01\x01"
_RF_PAUSE_S = 0.012  # without power at least 10 ms; with power at least 5 ms before the first command
_TIMEOUT_S = 1.0
_TIMEOUT_AGAIN_S = 0.45  # an answer that is lost and one that is not given after it name a hung reader
_MOST_LOST = 2
_ROOM_S = 1.1  # a loss that took longer (the question had to be sent again) leaves no time for another within 2 s
_SELECTS = 4  # a board may miss every second look
_TRIES = 5
REFUSALS = 2
"""A refusal counts when it was heard so often: in a disturbed field one acknowledgement can look like one."""
_FAST_PAGES = 60  # answers of up to 240 bytes, which fit a normal frame


class Reply(Enum):
    """What became of a command."""

    DONE = auto()
    REFUSED = auto()
    UNKNOWN = auto()  # no answer: obeyed or not


@dataclass(frozen=True, slots=True)
class Spoken:
    """One command as the evidence tells it: hex with secrets as `**`, status in hex or a word, start and duration."""

    command: str
    status: str
    at_ms: int
    took_ms: int
    answer_bytes: int


class ChipTalk:
    """One chip, by its UID, on one reader. `password` is presented after each selection while it is set."""

    def __init__(
        self,
        reader: NfcReader,
        uid: bytes,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reader = reader
        self._uid = uid
        self._clock = clock
        self._pause = pause
        self._began_s = clock()
        self.password: bytes | None = None
        self.spoken: list[Spoken] = []
        self.writes = 0
        self.selections = 0
        self._fast_read_works = True
        self._lost_in_a_row = 0

    # The field

    def restart(self) -> None:
        """Take all power from the chip, give it back, select it. Raises StopError(CHIP_GONE), DeviceError."""
        self.restart_field()
        self.select()

    def restart_field(self) -> None:
        """Field off and on. Raises DeviceError."""
        for state in (_RF_OFF, _RF_ON):
            self._reader.command(RF_CONFIGURATION, state, _TIMEOUT_S)
            self._pause(_RF_PAUSE_S)

    def select(self) -> None:
        """Select the chip. Raises StopError(CHIP_GONE) when it does not answer, DeviceError when the reader is lost."""
        wanted = (_CASCADE_TAG + self._uid) if len(self._uid) == 7 else self._uid
        self.selections += 1
        seen = False
        for _ in range(_SELECTS):
            answer = self._ask(IN_LIST_PASSIVE_TARGET, b"\x01\x00" + wanted, "")
            if answer and any(t.uid == self._uid for t in parse_targets(answer, self._reader.info.address)):
                opened = Reply.DONE if self.password is None else self._present(self.password)[0]
                if opened is Reply.DONE:
                    return
                seen = True
        # Only a password that opened this chip before is presented here, so a refusal is a disturbed field.
        raise StopError(Why.READER_SILENT, "password") if seen else StopError(Why.CHIP_GONE)

    # Type 2 chips

    def read(self, page: int) -> bytes | None:
        """Four pages from `page` on; None when the chip itself refused twice, selected anew in between.

        Raises StopError(READER_SILENT) when neither became clear: an answer that is lost or damaged refuses nothing.
        """
        refusals = 0
        for _ in range(_TRIES):
            reply, data = self._exchange(bytes((_READ, page)))
            if reply is Reply.DONE and len(data) == BLOCK:
                return data
            self.select()
            refusals += reply is Reply.REFUSED
            if refusals == REFUSALS:
                return None
        raise StopError(Why.READER_SILENT, f"page {page:02X}")

    def read_pages(self, count: int) -> bytes | None:
        """The first `count` pages; None when one cannot be read."""
        content = b""
        while len(content) < count * PAGE:
            at = len(content) // PAGE
            piece = self._fast_read(at, min(at + _FAST_PAGES, count) - 1) or self.read(at)
            if piece is None:
                return None
            content += piece
        return content[: count * PAGE]

    def write(self, page: int, data: bytes, secret: bool = False) -> Reply:
        """Write one page. After anything but DONE the chip is selected again. Raises StopError, DeviceError."""
        self.writes += 1
        return self._write(bytes((_WRITE_PAGE, page)) + data, write_told(page, data, secret))

    def present(self, password: bytes) -> bytes | None:
        """PACK (2 bytes) when the password (4 bytes) is right; None when not: the chip is idle then, not selected.

        Raises StopError(READER_SILENT) when the answer was lost: asking again could count as a second wrong one.
        """
        reply, pack = self._present(password)
        if reply is Reply.UNKNOWN:
            raise StopError(Why.READER_SILENT, "password")
        return pack if reply is Reply.DONE and len(pack) == 2 else None

    def present_again(self, password: bytes) -> bytes | None:
        """As `present`, to a chip that does not count wrong passwords: None only after it said no three times.

        A NAK cannot be told from a damaged answer here, and a lost answer is asked for again. The chip is idle when
        the password was wrong. Raises StopError(READER_SILENT) when it never became clear.
        """
        refusals = 0
        for _ in range(_TRIES):
            reply, pack = self._present(password)
            if reply is Reply.DONE and len(pack) == 2:
                return pack
            refusals += reply is Reply.REFUSED
            if refusals > REFUSALS:
                return None
            self.select()
        raise StopError(Why.READER_SILENT, "password")

    def _present(self, password: bytes) -> tuple[Reply, bytes]:
        command = bytes((_PWD_AUTH,)) + password
        return self._through(command, _masked(command, 1))

    def signature(self) -> bytes | None:
        """READ_SIG: 32 bytes, None when the chip has none."""
        return self._optional(bytes((_READ_SIG, 0)))

    def counter(self, number: int) -> bytes | None:
        """READ_CNT: 3 bytes, least significant first; None when the chip does not tell."""
        return self._optional(bytes((_READ_CNT, number)))

    # MIFARE Classic

    def authenticate(self, kind: str, block: int, key: bytes) -> bool:
        """Open a sector with key "A" or "B" of 6 bytes; False when the chip said no twice: it is selected again then.

        Raises StopError(READER_SILENT) when it never became clear, and what `select` raises.
        """
        refusals = 0
        for _ in range(_TRIES):
            reply = self.try_key(kind, block, key)
            if reply is Reply.DONE:
                return True
            refusals += reply is Reply.REFUSED
            if refusals == REFUSALS:
                return False
        raise StopError(Why.READER_SILENT, f"block {block}")

    def try_key(self, kind: str, block: int, key: bytes) -> Reply:
        """One try to open a sector. After anything but DONE the chip is selected again."""
        head = bytes((0x60 if kind == "A" else 0x61, block))
        reply, _ = self._exchange(head + key + self._uid[-4:], f"{head.hex()}{'**' * 6}{self._uid[-4:].hex()}")
        if reply is not Reply.DONE:
            self.select()
        return reply

    def read_block(self, block: int) -> tuple[Reply, bytes]:
        """One block of the open sector. After anything but DONE: selected again, no sector open."""
        reply, data = self._exchange(bytes((_READ, block)))
        if reply is Reply.DONE and len(data) == BLOCK:
            return reply, data
        self.select()
        return (Reply.UNKNOWN if reply is Reply.DONE else reply), b""

    def write_block(self, block: int, data: bytes, secret: bool = False) -> Reply:
        """Write one block of the open sector. After anything but DONE: selected again, no sector open."""
        command = bytes((_WRITE_BLOCK, block)) + data
        self.writes += 1
        return self._write(command, trailer_told(block, data) if secret else command.hex())

    # The line

    def _write(self, command: bytes, told: str) -> Reply:
        reply, _ = self._exchange(command, told)
        if reply is not Reply.DONE:
            self.select()
        return reply

    def _optional(self, command: bytes) -> bytes | None:
        reply, data = self._through(command, command.hex())
        if reply is Reply.DONE:
            return data
        self.select()
        return None

    def _fast_read(self, first: int, last: int) -> bytes | None:
        if not self._fast_read_works:
            return None
        command = bytes((_FAST_READ, first, last))
        reply, data = self._through(command, command.hex())
        if reply is Reply.DONE and len(data) == (last - first + 1) * PAGE:
            return data
        self._fast_read_works = False
        self.select()
        return None

    def _exchange(self, command: bytes, told: str = "") -> tuple[Reply, bytes]:
        return _reply(self._ask(IN_DATA_EXCHANGE, b"\x01" + command, told or command.hex()))

    def _through(self, command: bytes, told: str) -> tuple[Reply, bytes]:
        """A NAK looks like a damaged answer here (status 02), so one REFUSED says little."""
        return _reply(self._ask(IN_COMMUNICATE_THRU, command, told), frozenset({_TIME_OUT}))

    def _ask(self, code: int, data: bytes, told: str) -> bytes | None:
        """The reader's answer, None when it was lost.

        Raises DeviceError when the reader is, or hangs (no answer twice in a row), or when cancelled.
        """
        began_s = self._clock()
        try:
            timeout_s = _TIMEOUT_AGAIN_S if self._lost_in_a_row else _TIMEOUT_S
            answer = self._reader.command(code, data, timeout_s)
        except DeviceError as trouble:
            self._note(code, told or data.hex(), trouble.reason.value, began_s, 0)
            self._lost_in_a_row += 1
            hangs = trouble.detail == NOT_HEARD or self._lost_in_a_row >= _MOST_LOST
            hangs = hangs or (trouble.reason is DeviceReason.TIMEOUT and self._clock() - began_s > _ROOM_S)
            if hangs or trouble.reason is DeviceReason.LOST or isinstance(trouble, CancelledError):
                raise
            return None
        self._lost_in_a_row = 0
        status = "" if code == IN_LIST_PASSIVE_TARGET else answer[:1].hex().upper()
        self._note(code, told or data.hex(), status, began_s, len(answer))
        return answer

    def _note(self, code: int, told: str, status: str, began_s: float, size: int) -> None:
        at_ms, took_ms = (round(1000 * s) for s in (began_s - self._began_s, self._clock() - began_s))
        self.spoken.append(Spoken(f"{code:02X} {told.upper()}".strip(), status, at_ms, took_ms, size))


def _reply(answer: bytes | None, unclear: frozenset[int] = _LINE_TROUBLE) -> tuple[Reply, bytes]:
    if not answer:
        return Reply.UNKNOWN, b""
    status = answer[0] & _STATUS_BITS
    if status == 0:
        return Reply.DONE, answer[1:]
    return (Reply.UNKNOWN if status in unclear else Reply.REFUSED), b""


def write_told(page: int, data: bytes, secret: bool = False) -> str:
    """The writing of a page as the evidence tells it, in hex; the data of a secret one masked."""
    command = bytes((_WRITE_PAGE, page)) + data
    return (_masked(command, 2) if secret else command.hex()).upper()


def trailer_told(block: int, trailer: bytes) -> str:
    """The writing of a sector trailer (16 bytes) as the evidence tells it, in hex: both keys masked."""
    head = bytes((_WRITE_BLOCK, block)).hex()
    return f"{head}{'**' * 6}{trailer[6:10].hex()}{'**' * 6}".upper()


def _masked(command: bytes, shown: int) -> str:
    return command[:shown].hex() + "**" * (len(command) - shown)
