"""A simulated barcode scanner on a real pseudo-terminal, read by the product's own driver."""

from __future__ import annotations

from hardware.nfc.link import DEFAULT_BAUD
from hardware.ports import DeviceInfo
from hardware.scanner.serial import SerialScanner, open_serial_scanner
from hardware.sim.link import PtyPort


class SimulatedGun:
    """The scanner plugged into this machine: `scan` is somebody pulling the trigger."""

    def __init__(self, name: str = "sim-scanner") -> None:
        """Raises DeviceError(MISSING) where there are no pseudo-terminals."""
        self._port = PtyPort(name, on_bytes=lambda _: None)

    @property
    def address(self) -> str:
        """The path of its serial port."""
        return self._port.address

    def start(self) -> None:
        self._port.start()

    def stop(self) -> None:
        """Unplug it. Within 3 s; twice is harmless."""
        self._port.stop()

    def scan(self, text: str, end: str = "\r") -> None:
        """Send one code and what ends it, from any thread."""
        self.send((text + end).encode("utf-8"))

    def send(self, data: bytes) -> None:
        """Send bytes as they are, for what a broken or wrongly set scanner does."""
        self._port.write(data)


class SimulatedScanner:
    """Scanner, line and driver in one, as a `Scanner`; closing it unplugs the scanner."""

    def __init__(self, gun: SimulatedGun, reader: SerialScanner) -> None:
        self.gun = gun
        self._reader = reader

    @property
    def info(self) -> DeviceInfo:
        return self._reader.info

    def scan(self, text: str) -> None:
        """Scan a code, from any thread."""
        self.gun.scan(text)

    def read(self, timeout_s: float) -> str | None:
        """As `SerialScanner.read`."""
        return self._reader.read(timeout_s)

    def close(self) -> None:
        self._reader.close()
        self.gun.stop()


def open_simulated_scanner(address: str = "sim:scanner", prefix: str = "") -> SimulatedScanner:
    """A scanner nobody pulls the trigger of but `scan`. Raises DeviceError(MISSING) where there are no ptys."""
    gun = SimulatedGun()
    gun.start()
    try:
        info = DeviceInfo(address, "Simulated scanner", simulated=True)
        reader = open_serial_scanner(gun.address, info, DEFAULT_BAUD, prefix)
    except BaseException:
        gun.stop()
        raise
    return SimulatedScanner(gun, reader)
