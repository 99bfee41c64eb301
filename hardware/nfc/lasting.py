"""A reader that outlives its cable: pulled out it says so, and with the next question it is looked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.exchange import CancelledError
from hardware.ports import DeviceInfo, NfcReader, NfcSighting

T = TypeVar("T")


class LastingReader:
    """An `NfcReader` at one address. After a LOST each call tries to open it anew, and raises LOST while it cannot.

    Who a reader is and what it runs is told as it was when it was last open.
    """

    def __init__(self, open_reader: Callable[[], NfcReader]) -> None:
        """Opens it. Raises DeviceError as the opener does."""
        self._open = open_reader
        self._reader: NfcReader | None = open_reader()
        self._info, self._firmware = self._reader.info, self._reader.firmware
        self._cancelled = False  # and nothing was ended by it so far: the reader it was told to may be lost with it

    @property
    def info(self) -> DeviceInfo:
        return self._info

    @property
    def firmware(self) -> str:
        return self._firmware

    def poll(self, timeout_s: float) -> list[NfcSighting]:
        """As the reader's own. Raises DeviceError."""
        return self._with_reader(lambda reader: reader.poll(timeout_s))

    def command(self, code: int, data: bytes, timeout_s: float) -> bytes:
        """As the reader's own. Raises DeviceError."""
        return self._with_reader(lambda reader: reader.command(code, data, timeout_s))

    def cancel(self) -> None:
        """End the command now running, or else the next one."""
        self._cancelled = True
        reader = self._reader
        if reader is not None:
            reader.cancel()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _with_reader(self, work: Callable[[NfcReader], T]) -> T:
        if self._reader is None and self._cancelled:
            self._cancelled = False
            raise CancelledError(self._info.address)
        if self._reader is None:
            self._reader = self._opened_again()
            self._info, self._firmware = self._reader.info, self._reader.firmware
        try:
            return work(self._reader)
        except DeviceError as trouble:
            if isinstance(trouble, CancelledError):
                self._cancelled = False
            if trouble.reason is DeviceReason.LOST:
                self.close()
            raise

    def _opened_again(self) -> NfcReader:
        try:
            return self._open()
        except DeviceError as trouble:
            raise DeviceError(DeviceReason.LOST, trouble.address, trouble.detail) from trouble
