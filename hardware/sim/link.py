"""The device's end of a real serial line: a pseudo-terminal served by a thread.

What opens the other end cannot tell it from a serial port: real bytes, a real line speed, exclusive opening, and it
goes away when the simulator stops. Unix only.
"""

from __future__ import annotations

import os
import selectors
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from hardware.errors import DeviceError, DeviceReason

if sys.platform != "win32":
    import termios
    import tty

    _BAUD_BY_CONSTANT = {
        termios.B9600: 9600,
        termios.B38400: 38400,
        termios.B115200: 115200,
        **{getattr(termios, f"B{baud}"): baud for baud in (230400, 460800, 921600) if hasattr(termios, f"B{baud}")},
    }

_CHUNK = 4096
_STOP_TIMEOUT_S = 3.0


class PtyPort:
    """One pseudo-terminal. `on_bytes` is called in the port's own thread with what the other side sent."""

    def __init__(self, name: str, on_bytes: Callable[[bytes], None]) -> None:
        """Raises DeviceError(MISSING) where there are no pseudo-terminals."""
        if sys.platform == "win32":
            raise DeviceError(DeviceReason.MISSING, name, "needs a pty")
        self._on_bytes = on_bytes
        # Our own hold on the far end keeps the line up while programs come and go.
        self._near, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self._near, False)
        self._address = os.ttyname(self._far)
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._wake_out, self._wake_in = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    @property
    def address(self) -> str:
        """The path to open, such as "/dev/pts/5"."""
        return self._address

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Hang up: whoever has the port open loses it. Within 3 s; twice is harmless."""
        with self._guard:
            if self._stopping.is_set():
                return
            self._stopping.set()
        os.write(self._wake_in, b"x")
        if self._thread.ident is not None:
            self._thread.join(_STOP_TIMEOUT_S)
        for descriptor in (self._near, self._far, self._wake_in, self._wake_out):
            os.close(descriptor)

    def write(self, data: bytes) -> None:
        """Send to the other side, from any thread. Bytes that nobody takes are lost, as on a real line."""
        with self._guard, suppress(BlockingIOError):
            while data and not self._stopping.is_set():
                data = data[os.write(self._near, data) :]

    def pause(self, duration_s: float) -> None:
        """Wait, but not longer than until `stop`."""
        self._stopping.wait(duration_s)

    def baud(self) -> int:
        """The speed the other side has set, 0 for one we do not know."""
        return _BAUD_BY_CONSTANT.get(termios.tcgetattr(self._far)[4], 0)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._near, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if not self._stopping.is_set():
                    self._take()

    def _take(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._near, _CHUNK)
            self._on_bytes(data)
