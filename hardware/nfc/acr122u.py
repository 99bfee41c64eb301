"""The ACR122U: a PN532 behind a smart-card reader, reached by APDUs through PC/SC (pyscard, an optional extra).

The reader's pseudo-APDU `FF 00 00 00 Lc D4 …` carries what the serial line carries in frames, so here it is one more
`Link`: frames in, frames out, and the driver above is the same. The chip needs no waking and no SAM configuration;
these are answered here. Quirks: without a card only a direct connection with the escape code gets through; its own
polling has to be switched off (`FF 00 51 00 00`); the kernel's pn533 modules must not have grabbed it.

Source: ACS, ACR122U application programming interface V2.04, sections 5 and 6.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections import deque
from typing import Any, Protocol

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.frames import ACK, CHIP_TO_HOST, ERROR, HOST_TO_CHIP, FrameKind, FrameParser, encode
from hardware.nfc.pn532 import SAM_CONFIGURATION, SET_SERIAL_BAUD_RATE, Pn532
from hardware.ports import DeviceInfo

_DIRECT = bytes.fromhex("FF000000")
_NO_POLLING = bytes.fromhex("FF00510000")
_DONE = b"\x90\x00"
_ANSWERED_HERE = frozenset({SAM_CONFIGURATION, SET_SERIAL_BAUD_RATE})
# SCARD_CTL_CODE(3500) of the CCID driver; Windows counts its control codes differently.
_ESCAPE = (0x31 << 16 | 3500 << 2) if sys.platform == "win32" else 0x42000000 + 3500
_NAME = "ACR122"


class Apdus(Protocol):
    """Something that takes an APDU to the reader and brings its answer with the two status bytes."""

    def transmit(self, apdu: bytes) -> bytes:
        """Raises OSError when the reader is gone."""
        ...

    def close(self) -> None: ...


class ApduLink:
    """APDUs as a `Link`: what the driver writes is asked at once, what it reads is the answer."""

    def __init__(self, apdus: Apdus, address: str) -> None:
        self._apdus = apdus
        self._address = address
        self._parser = FrameParser()
        self._coming: deque[bytes] = deque()
        self._last = b""

    @property
    def address(self) -> str:
        return self._address

    def start(self) -> None:
        """Stop the reader's own polling, which would take our chip away. Raises DeviceError(LOST)."""
        self._transmit(_NO_POLLING)

    def write(self, data: bytes) -> None:
        """Carry the frames in `data` over. Raises DeviceError(LOST)."""
        for frame in self._parser.feed(data):
            if frame.kind is FrameKind.NACK:
                self._coming.append(self._last)
            elif frame.kind is FrameKind.DATA and frame.body[0] == HOST_TO_CHIP and len(frame.body) > 1:
                self._last = self._ask(frame.body)
                self._coming += (ACK, self._last)

    def read(self, timeout_s: float) -> bytes:
        """The next answer; b"" after `timeout_s` when there is none: an APDU is answered when it returns."""
        if self._coming:
            return self._coming.popleft()
        time.sleep(timeout_s)
        return b""

    def flush_input(self) -> None:
        self._coming.clear()

    def close(self) -> None:
        self._apdus.close()

    def _ask(self, body: bytes) -> bytes:
        if body[1] in _ANSWERED_HERE:
            return encode(bytes((CHIP_TO_HOST, body[1] + 1)))
        answer = self._transmit(_DIRECT + bytes((len(body),)) + body)
        if not answer.endswith(_DONE) or len(answer) < 4:
            return ERROR  # 63 00: the chip did not answer the reader
        return encode(answer[: -len(_DONE)])

    def _transmit(self, apdu: bytes) -> bytes:
        try:
            return self._apdus.transmit(apdu)
        except OSError as trouble:
            raise DeviceError(DeviceReason.LOST, self._address, str(trouble)) from trouble


class _PcscReader:
    """One reader through pyscard. Its exceptions, which are no OSErrors, become ones."""

    def __init__(self, connection: Any, trouble: type[Exception]) -> None:
        self._connection = connection
        self._trouble = trouble

    def transmit(self, apdu: bytes) -> bytes:
        try:
            return bytes(self._connection.control(_ESCAPE, list(apdu)))
        except self._trouble as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        try:
            self._connection.disconnect()
        except self._trouble:
            return  # it is gone already


def open_acr122u(address: str, wanted: str = "") -> Pn532:
    """The ACR122U whose PC/SC name contains `wanted` ("" for the first one).

    Raises DeviceError: MISSING (no such reader, no pyscard, no PC/SC service), BUSY, LOST, GARBLED.
    """
    try:
        # Optional: it needs the PC/SC service, and most stations have a serial reader.
        system = importlib.import_module("smartcard.System")
        scard = importlib.import_module("smartcard.scard")
        trouble: type[Exception] = importlib.import_module("smartcard.Exceptions").SmartcardException
    except ImportError as error:
        raise DeviceError(DeviceReason.MISSING, address, "needs the package pyscard") from error
    try:
        found = [reader for reader in system.readers() if _NAME in str(reader) and wanted in str(reader)]
    except trouble as error:
        raise DeviceError(DeviceReason.MISSING, address, f"no PC/SC service: {error}") from error
    if not found:
        raise DeviceError(DeviceReason.MISSING, address, "no ACR122U")
    try:
        connection = found[0].createConnection()
        connection.connect(mode=scard.SCARD_SHARE_DIRECT, disposition=scard.SCARD_LEAVE_CARD)
    except trouble as error:
        raise DeviceError(DeviceReason.BUSY, address, str(error)) from error
    return reader_over(_PcscReader(connection, trouble), DeviceInfo(address, str(found[0])))


def reader_over(apdus: Apdus, info: DeviceInfo) -> Pn532:
    """The driver over APDUs, started. Raises DeviceError; the APDU layer is closed then."""
    link = ApduLink(apdus, info.address)
    try:
        link.start()
        reader = Pn532(link, info)
        reader.set_up()
    except BaseException:
        apdus.close()
        raise
    return reader
