"""A barcode scanner on a serial line: each code it reads becomes an event, whatever the screen shows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from app.core.events import CodeScanned, Device, DeviceBack, DeviceLost
from app.core.readiness import DeviceFacts, Level
from app.station.plugged import Plugged, Use
from app.station.station import Adjust, Post
from hardware.errors import DeviceError
from hardware.ports import Scanner

_WAIT_S = 0.3


class Scanning:
    """Reads the scanner in a thread of its own and reopens it when it was unplugged."""

    def __init__(
        self, open_scanner: Callable[[], Scanner], post: Post, adjust: Adjust, crashed: Callable[[Exception], None]
    ) -> None:
        """`crashed` is told of a bug in the thread."""
        self._post, self._adjust = post, adjust
        use = Use(open_scanner, self._tell_ready, self._listen, self._tell_lost)
        self._plugged: Plugged[Scanner] = Plugged("scanner", use, crashed)

    def start(self) -> None:
        self._plugged.start()

    def stop(self) -> None:
        self._plugged.stop()

    def _listen(self, scanner: Scanner, stopping: threading.Event) -> None:
        while not stopping.is_set():
            code = scanner.read(_WAIT_S)
            if code:
                self._post(CodeScanned(code))

    def _tell_ready(self, scanner: Scanner, was_lost: bool) -> None:
        info = scanner.info
        facts = DeviceFacts(Level.OK, info.name, info.address, "", info.simulated)
        self._adjust(lambda around: replace(around, scanner=facts))
        if was_lost:
            self._post(DeviceBack(Device.SCANNER))

    def _tell_lost(self, trouble: DeviceError) -> None:
        code = f"scanner.{trouble.reason.value}"
        self._adjust(lambda around: replace(around, scanner=replace(around.scanner, level=Level.DOWN, code=code)))
        self._post(DeviceLost(Device.SCANNER, code))
