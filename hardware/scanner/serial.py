"""A barcode scanner on a serial port (USB CDC or RS-232): bytes in, whole codes out.

Scanners are set up to end a code with CR, LF or both. Some put a mark in front: STX, the AIM identifier of the
symbology (`]E0`, ISO/IEC 15424), or a prefix of the shop's choice; none of these belongs to the code.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.link import SerialLink
from hardware.ports import DeviceInfo, Link

SAME_CODE_S = 0.8  # a scanner held over a card reads it again and again
_UNFINISHED_S = 0.5  # a code's bytes follow each other closely; what stands still is the remains of one
_LONGEST_CODE = 4096  # a QR code holds 2953 bytes
_ENDS = re.compile(rb"[\r\n]+")
_AIM_IDENTIFIER = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_FRAMING = "\x02\x03"  # STX, ETX


class CodeSplitter:
    """Cuts the stream of bytes into codes. Time comes with each call, in seconds of one monotonic clock."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._held = b""
        self._held_at_s = 0.0
        self._last = ""
        self._last_at_s = float("-inf")

    def feed(self, data: bytes, now_s: float) -> list[str]:
        """The codes that are complete now, a repeated one left out. Raises ValueError for bytes that are no text."""
        if now_s - self._held_at_s > _UNFINISHED_S:
            self._held = b""
        *whole, self._held = _ENDS.split(self._held + data)
        self._held_at_s = now_s
        if len(self._held) > _LONGEST_CODE:
            self._held = b""
            raise ValueError("no end of code")
        codes = [self._bare(code.decode("utf-8")) for code in whole]
        return [code for code in codes if code and self._is_new(code, now_s)]

    def _bare(self, text: str) -> str:
        text = text.strip(_FRAMING).removeprefix(self._prefix)
        identifier = _AIM_IDENTIFIER.match(text)
        return text[identifier.end() :] if identifier else text

    def _is_new(self, code: str, now_s: float) -> bool:
        """Whether this is not the code just seen; every sight of it prolongs the wait."""
        repeated = code == self._last and now_s - self._last_at_s < SAME_CODE_S
        self._last, self._last_at_s = code, now_s
        return not repeated


class SerialScanner:
    """A scanner over a link, as a `Scanner`. One thread reads; close() may come from another."""

    def __init__(
        self,
        link: Link,
        info: DeviceInfo,
        prefix: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._info = info
        self._clock = clock
        self._splitter = CodeSplitter(prefix)
        self._ready: deque[str] = deque()

    @property
    def info(self) -> DeviceInfo:
        return self._info

    def read(self, timeout_s: float) -> str | None:
        """One whole code, or None when none came in time.

        Raises DeviceError: LOST; GARBLED when bytes come that are no text (wrong line speed), reading may go on then.
        """
        until_s = self._clock() + timeout_s
        while not self._ready:
            data = self._link.read(max(until_s - self._clock(), 0.0))
            if not data:
                return None
            self._take(data)
        return self._ready.popleft()

    def close(self) -> None:
        self._link.close()

    def _take(self, data: bytes) -> None:
        try:
            self._ready += self._splitter.feed(data, self._clock())
        except ValueError:  # says nothing of what was read: it may be a card number
            raise DeviceError(DeviceReason.GARBLED, self._info.address, "bytes that are no text") from None


def open_serial_scanner(port: str, info: DeviceInfo, baud: int, prefix: str = "") -> SerialScanner:
    """The scanner on a serial port. Raises DeviceError(MISSING, BUSY, DENIED)."""
    return SerialScanner(SerialLink(port, info.address, baud), info, prefix)
