"""A serial scanner's codes reach the session from a real pty, also after it was unplugged."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from app.core.events import CodeScanned, Device, DeviceBack, DeviceLost, Event
from app.core.readiness import Level, Surroundings
from app.station.scanning import Scanning
from hardware.catalog import open_scanner
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import Scanner
from hardware.sim.scanner import SimulatedScanner, open_simulated_scanner

Change = Callable[[Surroundings], Surroundings]


class Desk:
    """Collects what the loop says."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.around = Surroundings()
        self.crashes: list[Exception] = []

    def adjust(self, change: Change) -> None:
        self.around = change(self.around)


def test_a_scanned_code_becomes_an_event_and_the_scanner_is_marked_as_simulated() -> None:
    desk, opened = Desk(), threading.Event()
    guns: list[SimulatedScanner] = []

    def open_it() -> Scanner:
        guns.append(open_simulated_scanner())
        opened.set()
        return guns[-1]

    scanning = Scanning(open_it, desk.events.put, desk.adjust, desk.crashes.append)
    scanning.start()
    try:
        assert opened.wait(30)
        guns[0].scan("SF1420773100918")
        assert desk.events.get(timeout=30) == CodeScanned("SF1420773100918")
        assert desk.around.scanner.level is Level.OK
        assert desk.around.simulated_devices == ("scanner",)
    finally:
        scanning.stop()
    assert desk.crashes == []


def test_a_scanner_that_is_away_is_named_and_taken_back_when_it_returns() -> None:
    desk, tries = Desk(), []

    def open_it() -> Scanner:
        tries.append(1)
        if len(tries) == 1:
            raise DeviceError(DeviceReason.MISSING, "serial:/dev/gone/scanner")
        return open_scanner("sim:scanner")

    scanning = Scanning(open_it, desk.events.put, desk.adjust, desk.crashes.append)
    scanning.start()
    try:
        assert desk.events.get(timeout=30) == DeviceLost(Device.SCANNER, "scanner.missing")
        assert desk.events.get(timeout=30) == DeviceBack(Device.SCANNER)
    finally:
        scanning.stop()
    assert desk.crashes == []
