"""A serial port as a `Link`: opened exclusively, 8N1, no flow control, its troubles in the words of `DeviceError`.

pyserial reports an unplugged adapter as SerialException, OSError, TypeError or termios.error, depending on the moment;
here all four are LOST.
"""

from __future__ import annotations

import errno
import sys
import threading
import time

import serial

from hardware.errors import DeviceError, DeviceReason

DEFAULT_BAUD = 115200
_WRITE_TIMEOUT_S = 1.0
# A read waits in slices this long, so that close() from another thread never pulls the port from under it.
_SLICE_S = 0.05

_TROUBLE: tuple[type[BaseException], ...] = (serial.SerialException, OSError, TypeError)
if sys.platform != "win32":
    import termios

    _TROUBLE = (*_TROUBLE, termios.error)

_REASON_BY_ERRNO = {
    errno.ENOENT: DeviceReason.MISSING,
    errno.ENODEV: DeviceReason.MISSING,
    errno.ENXIO: DeviceReason.MISSING,
    errno.ENOTTY: DeviceReason.MISSING,  # something is there, but it is no serial port
    errno.EISDIR: DeviceReason.MISSING,
    errno.EINVAL: DeviceReason.MISSING,
    errno.EBUSY: DeviceReason.BUSY,
    errno.EAGAIN: DeviceReason.BUSY,  # the exclusive lock is taken
    errno.EACCES: DeviceReason.DENIED,
    errno.EPERM: DeviceReason.DENIED,
}


class SerialLink:
    """One open serial port. One thread reads and writes; close() may come from another."""

    def __init__(self, port: str, address: str = "", baud: int = DEFAULT_BAUD) -> None:
        """Open `port` ("/dev/ttyUSB0", "COM12"). Raises DeviceError(MISSING, BUSY, DENIED) under `address`."""
        self._address = address or port
        self._port = serial.Serial()
        self._port.port = port
        self._port.baudrate = baud
        self._port.exclusive = True
        self._port.write_timeout = _WRITE_TIMEOUT_S
        # Some boards are reset or muted by these two lines.
        self._port.dtr = False
        self._port.rts = False
        self._in_use = threading.Lock()
        try:
            self._port.open()
        except _TROUBLE as error:
            raise DeviceError(_why_not_opened(error), self._address, str(error)) from error

    @property
    def address(self) -> str:
        return self._address

    def write(self, data: bytes) -> None:
        """Send all bytes. Raises DeviceError(LOST)."""
        try:
            self._port.write(data)
        except _TROUBLE as error:
            raise self._lost(error) from error

    def read(self, timeout_s: float) -> bytes:
        """Whatever has arrived, waiting at most `timeout_s` for the first byte; b"" on time-out.

        Raises DeviceError(LOST).
        """
        until_s = time.monotonic() + timeout_s
        while True:
            left_s = until_s - time.monotonic()
            data = self._read_slice(min(max(left_s, 0.0), _SLICE_S))
            if data or left_s <= _SLICE_S:
                return data

    def flush_input(self) -> None:
        """Drop what has arrived and was not read. Raises DeviceError(LOST)."""
        try:
            self._port.reset_input_buffer()
        except _TROUBLE as error:
            raise self._lost(error) from error

    def set_baud(self, baud: int) -> None:
        """Change the speed of the open port (bits per second). Raises DeviceError(LOST)."""
        try:
            self._port.baudrate = baud
        except _TROUBLE as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Give the port back; twice is harmless."""
        with self._in_use:
            self._port.close()

    def _read_slice(self, wait_s: float) -> bytes:
        try:
            with self._in_use:
                self._port.timeout = wait_s
                first: bytes = self._port.read(1)
                waiting = self._port.in_waiting if first else 0
                return first + (self._port.read(waiting) if waiting else b"")
        except _TROUBLE as error:
            raise self._lost(error) from error

    def _lost(self, error: BaseException) -> DeviceError:
        return DeviceError(DeviceReason.LOST, self._address, str(error) or type(error).__name__)


def _why_not_opened(error: BaseException) -> DeviceReason:
    """The reason behind a failed open. Windows tells it in words only, and says "denied" when the port is in use."""
    code = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    if isinstance(code, int) and code in _REASON_BY_ERRNO:
        return _REASON_BY_ERRNO[code]
    if "PermissionError" in str(error):
        return DeviceReason.BUSY
    return DeviceReason.MISSING
