"""From an address to an open device: the only list of schemes, and the only door to drivers and simulators.

NFC reader   `serial:PORT/pn532` · `sim:nfc` (empty field) · `sim:DECK.toml[?epoch_us=N&keep=1]` · `pcsc:NAME` · `none:`
scanner      `serial:PORT/scanner[?baud=N&prefix=TEXT]` · `sim:scanner[?prefix=TEXT]` · `none:`
documents    `folder:PATH` · `sane:DEVICE[?dpi=300&source=NAME&mode=Color]` · `none:`
camera       `uvc:by-id/NAME` · `http://HOST/PATH` (MJPEG) · `rtsp://HOST/PATH` (hardware.camera.packets)
             `file:PATH[?…]` · `sim:PATH[?…]` (options: hardware.camera.file, hardware.sim.camera) · `none:`

PORT is a path ("/dev/ttyUSB0", "/dev/serial/by-id/…"), a Windows name ("COM12"), or "usb:VID:PID:SERIAL" (hex; the
serial number may be empty), which finds an adapter again whatever its port is called after replugging. `epoch_us` is
the monotonic microsecond at which a deck began; without it, it begins when it is opened. With `keep` a deck's chips
keep what is written to them, in a folder beside it (`DECK.chips`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import serial
from serial.tools import list_ports

from hardware.camera.address import CameraAddress, parse_address, without_password
from hardware.camera.file import FileCamera
from hardware.camera.http_mjpeg import HttpCamera
from hardware.camera.packets import list_uvc, look_at_uvc, open_rtsp, open_uvc
from hardware.errors import DeviceError, DeviceReason
from hardware.nfc.acr122u import open_acr122u
from hardware.nfc.lasting import LastingReader
from hardware.nfc.link import DEFAULT_BAUD
from hardware.nfc.pn532 import open_pn532
from hardware.ports import LEFT_S, Camera, Control, DeviceInfo, DocumentScanner, NfcReader, Scanner
from hardware.scanner.folder import FolderScanner
from hardware.scanner.sane import SaneScanner
from hardware.scanner.serial import open_serial_scanner
from hardware.sim.camera import SimCamera
from hardware.sim.deck import DeckFile, read_chip_visits
from hardware.sim.nfc import open_simulated_reader
from hardware.sim.scanner import open_simulated_scanner

_Device = TypeVar("_Device")

_NFC_OPTIONS = frozenset({"epoch_us", "keep"})
_PSEUDO_TERMINALS = "/dev/pts/"
_BY_USB = "usb:"
_SANE_OPTIONS = frozenset({"dpi", "source", "mode", "test-picture"})
_SANE_DPI = 300
_SCANNER_OPTIONS = frozenset({"baud", "prefix"})

_CAMERAS: Mapping[str, Callable[[str], Camera]] = {
    **{"uvc": open_uvc, "http": HttpCamera, "rtsp": open_rtsp},
    **{"file": FileCamera, "sim": SimCamera},
}


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port of this machine. `usb_id` is "VID:PID" in hex and `serial_number` the adapter's, "" when unknown:
    together they find a device again after the port's name changed."""

    device: str
    description: str
    usb_id: str
    serial_number: str


def open_nfc(address: str) -> NfcReader:
    """The NFC reader at an address, awake. Raises DeviceError."""
    return _open(address, {"serial": _open_pn532, "sim": _open_simulated_nfc, "pcsc": _open_acr122u})


def open_lasting_nfc(address: str) -> NfcReader:
    """As `open_nfc`; when it is pulled out, each further question looks for it again. Raises DeviceError."""
    return LastingReader(lambda: open_nfc(address))


def open_scanner(address: str) -> Scanner:
    """The barcode scanner at an address. Raises DeviceError."""
    return _open(address, {"serial": _open_serial_scanner, "sim": _open_simulated_scanner})


def open_documents(address: str, left_s: float = LEFT_S) -> DocumentScanner:
    """The document scanner at an address; a folder's file without an end is given `left_s`. Raises DeviceError."""
    openers: dict[str, Callable[[str], DocumentScanner]] = {
        "folder": partial(_open_folder, left_s=left_s),
        "sane": _open_sane,
    }
    return _open(address, openers)


def open_camera(address: str) -> Camera:
    """The camera at an address. Raises DeviceError."""
    return _open(address, _CAMERAS)


def is_camera(address: str) -> bool:
    """Whether an address names a camera of a kind that there is; whether it is plugged in is another question."""
    return address.partition(":")[0] in _CAMERAS


def shown_address(address: str) -> str:
    """An address as it may be shown and recorded: without a camera's name and password."""
    return without_password(address)


def list_cameras() -> list[DeviceInfo]:
    """The cameras that are plugged in now, each with the address that opens it and goes on naming it."""
    return list_uvc()


def look_at_controls(address: str) -> tuple[Control, ...]:
    """What a camera offers to be held at (exposure and so on); empty for one that has nothing of the kind, or where the
    system is not asked for it. Changes nothing. Raises DeviceError.
    """
    return look_at_uvc(address) if address.startswith("uvc:") else ()


def list_serial_ports() -> list[SerialPort]:
    """The serial ports there are now, by name."""
    ports = [
        SerialPort(port.device, port.description or "", _usb_id(port.vid, port.pid), port.serial_number or "")
        for port in list_ports.comports()
    ]
    return sorted(ports, key=lambda port: port.device)


def _open(address: str, openers: Mapping[str, Callable[[str], _Device]]) -> _Device:
    scheme = address.partition(":")[0]
    if scheme == "none":
        raise DeviceError(DeviceReason.MISSING, address, "none is set up")
    if scheme not in openers:
        known = ", ".join(f"{name}:" for name in (*openers, "none"))
        raise DeviceError(DeviceReason.MISSING, address, f"unknown scheme; known are {known}")
    return openers[scheme](address)


def _open_pn532(address: str) -> NfcReader:
    port = _port_in(parse_address(address, frozenset()), "pn532")
    return open_pn532(port, _serial_info(address, port, "PN532"))


def _open_acr122u(address: str) -> NfcReader:
    return open_acr122u(address, address.partition(":")[2])


def _open_simulated_nfc(address: str) -> NfcReader:
    parsed = parse_address(address, _NFC_OPTIONS)
    epoch_us = parsed.number("epoch_us")
    epoch_s = None if epoch_us is None else epoch_us / 1e6
    if parsed.path == "nfc":
        return open_simulated_reader((), address, epoch_s)
    path = Path(parsed.path)
    deck = DeckFile(path, address)
    visits = read_chip_visits(path, address)
    kept = path.with_suffix(".chips") if parsed.flag("keep", default=False) else None
    return open_simulated_reader(visits, address, epoch_s, reread=deck.reread, kept=kept)


def _open_serial_scanner(address: str) -> Scanner:
    parsed = parse_address(address, _SCANNER_OPTIONS)
    port = _port_in(parsed, "scanner")
    baud = parsed.number("baud") or DEFAULT_BAUD
    if baud not in serial.Serial.BAUDRATES:
        raise DeviceError(DeviceReason.GARBLED, address, "no such line speed")
    info = _serial_info(address, port, "Scanner")
    return open_serial_scanner(port, info, int(baud), parsed.options.get("prefix", ""))


def _open_folder(address: str, left_s: float) -> DocumentScanner:
    return FolderScanner(address, Path(parse_address(address, frozenset()).path), left_s=left_s)


def _open_sane(address: str) -> DocumentScanner:
    parsed = parse_address(address, _SANE_OPTIONS)
    dpi = parsed.number("dpi") or _SANE_DPI
    if not 75 <= dpi <= 1200:
        raise DeviceError(DeviceReason.GARBLED, address, "dpi from 75 to 1200")
    options = {"mode": "Color"} | {name: value for name, value in parsed.options.items() if name != "dpi"}
    return SaneScanner(address, parsed.path, int(dpi), options)


def _open_simulated_scanner(address: str) -> Scanner:
    parsed = parse_address(address, _SCANNER_OPTIONS)
    if parsed.path != "scanner":
        raise DeviceError(DeviceReason.MISSING, address, "the simulated scanner is sim:scanner")
    return open_simulated_scanner(address, parsed.options.get("prefix", ""))


def _port_in(address: CameraAddress, kind: str) -> str:
    """The port in `serial:PORT/kind`. Raises DeviceError(MISSING) when the address names another kind of device."""
    port, _, named = address.path.rpartition("/")
    if named != kind or not port:
        raise DeviceError(DeviceReason.MISSING, address.text, f"the form is serial:PORT/{kind}")
    return _port_by_usb(port, address.text) if port.startswith(_BY_USB) else port


def _port_by_usb(wanted: str, address: str) -> str:
    """The port of the adapter "usb:VID:PID:SERIAL". Raises DeviceError(MISSING) when it is not plugged in."""
    usb_id, _, serial_number = wanted.removeprefix(_BY_USB).upper().rpartition(":")
    for port in list_serial_ports():
        if port.usb_id == usb_id and port.serial_number.upper() == serial_number:
            return port.device
    raise DeviceError(DeviceReason.MISSING, address, "no such USB adapter")


def _serial_info(address: str, port: str, kind: str) -> DeviceInfo:
    """Who the device on a port is: name and serial number of its USB adapter where there is one.

    Behind a pseudo-terminal there is a program, so whatever it says it is, it is marked as simulated.
    """
    real = os.path.realpath(port)
    if real.startswith(_PSEUDO_TERMINALS):
        return DeviceInfo(address, f"{kind} (pseudo-terminal)", simulated=True)
    found = next((listed for listed in list_serial_ports() if os.path.realpath(listed.device) == real), None)
    if found is None or not found.usb_id:
        return DeviceInfo(address, kind)
    return DeviceInfo(address, f"{kind} ({found.description})", f"{found.usb_id}:{found.serial_number}")


def _usb_id(vendor: int | None, product: int | None) -> str:
    return "" if vendor is None or product is None else f"{vendor:04X}:{product:04X}"
