"""Frames of the PN532 on its high-speed UART: a pure codec, no line and no clock.

Source: NXP UM0701-02 section 6.2.1. A body is what the checksum covers: the direction byte (D4 host to chip, D5 chip to
host), the command code and its data.

The parser takes bytes as they come, one at a time if need be, and finds its way back after noise: it looks for `00 FF`,
so preamble and postamble may be missing or longer; whatever turns out not to be a frame costs one byte and the search
goes on right behind it, so that a false start never swallows the true frame that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

HOST_TO_CHIP = 0xD4
CHIP_TO_HOST = 0xD5
LONGEST_BODY = 265
LONGEST_NORMAL_BODY = 255

ACK = bytes.fromhex("0000FF00FF00")
NACK = bytes.fromhex("0000FFFF0000")
ERROR = bytes.fromhex("0000FF01FF7F8100")

_START = b"\x00\xff"
_ERROR_BODY = b"\x7f"


class FrameKind(Enum):
    """What a frame is for. BROKEN is a frame whose head is sound and whose body fails its checksum."""

    DATA = auto()
    ACK = auto()
    NACK = auto()
    ERROR = auto()
    BROKEN = auto()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `body` is empty unless it is DATA."""

    kind: FrameKind
    body: bytes = b""


def encode(body: bytes) -> bytes:
    """The bytes on the line for a body of 1 to 265 bytes. Bodies over 255 bytes become extended frames."""
    size = len(body)
    if not 1 <= size <= LONGEST_BODY:
        raise ValueError(f"a frame body has 1 to {LONGEST_BODY} bytes, not {size}")
    tail = body + bytes((_complement(sum(body)), 0x00))
    if size <= LONGEST_NORMAL_BODY:
        return b"\x00\x00\xff" + bytes((size, _complement(size))) + tail
    high, low = divmod(size, 256)
    return b"\x00\x00\xff\xff\xff" + bytes((high, low, _complement(high + low))) + tail


class FrameParser:
    """Bytes in, frames out. Keeps at most one unfinished frame."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def unfinished(self) -> bool:
        """Whether the beginning of a frame waits for its rest."""
        return len(self._held) > len(_START)

    def feed(self, data: bytes) -> list[Frame]:
        """Add what arrived; the frames that are complete now, in order."""
        self._held += data
        frames: list[Frame] = []
        while self._find_start():
            taken, frame = _read_frame(self._held)
            if not taken:
                break
            del self._held[:taken]
            if frame is not None:
                frames.append(frame)
        return frames

    def give_up(self) -> list[Frame]:
        """Stop waiting for the rest of an unfinished frame; the frames that stand behind its false start."""
        frames: list[Frame] = []
        while self.unfinished:
            del self._held[0]
            frames += self.feed(b"")
        return frames

    def clear(self) -> None:
        """Forget everything that arrived."""
        self._held.clear()

    def _find_start(self) -> bool:
        """Drop what stands in front of the next `00 FF`; False when there is none yet."""
        at = self._held.find(_START)
        if at >= 0:
            del self._held[:at]
            return True
        keep = 1 if self._held.endswith(_START[:1]) else 0
        del self._held[: len(self._held) - keep]
        return False


def _read_frame(held: bytearray) -> tuple[int, Frame | None]:
    """(bytes used up, frame) for bytes that begin with `00 FF`; (0, None) when more bytes are needed.

    One byte used up and no frame: a false start.
    """
    if len(held) < 4:
        return 0, None
    length, check = held[2], held[3]
    match length, check:
        case 0x00, 0xFF:
            return 4, Frame(FrameKind.ACK)
        case 0xFF, 0x00:
            return 4, Frame(FrameKind.NACK)
        case 0xFF, 0xFF:
            return _read_extended(held)
    if length == 0 or (length + check) & 0xFF:
        return 1, None
    return _read_body(held, 4, length)


def _read_extended(held: bytearray) -> tuple[int, Frame | None]:
    """As `_read_frame`, for the head `00 FF FF FF LENM LENL LCS`."""
    if len(held) < 7:
        return 0, None
    length = held[4] * 256 + held[5]
    if sum(held[4:7]) & 0xFF or not 1 <= length <= LONGEST_BODY:
        return 1, None
    return _read_body(held, 7, length)


def _read_body(held: bytearray, head: int, length: int) -> tuple[int, Frame | None]:
    """As `_read_frame`, once head and length are known to be sound."""
    end = head + length
    if len(held) <= end:
        return 0, None
    body = bytes(held[head:end])
    if (sum(body) + held[end]) & 0xFF:
        return 1, Frame(FrameKind.BROKEN)
    if body == _ERROR_BODY:
        return end + 1, Frame(FrameKind.ERROR)
    return end + 1, Frame(FrameKind.DATA, body)


def _complement(total: int) -> int:
    """The byte that brings `total` to zero modulo 256."""
    return -total & 0xFF
