"""What the product asks of a device: narrow, blocking, each call with a time-out.

Every driver and every simulator keeps one of these protocols; opening goes through `hardware.catalog`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Who a device is. `simulated` devices are marked on the screen, in the audit log and on the wire."""

    address: str
    name: str
    serial: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame as the camera compressed it. `codec`: "mjpeg" (a whole JPEG), "h264" or "hevc" (an Annex B access unit).

    `key`: it needs none of those before it; one that is not needs all of them back to the last that is, without a gap.
    Key frames carry their parameter sets.
    """

    data: bytes = field(repr=False)
    codec: str = "mjpeg"
    key: bool = True


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """One picture as YUV 4:2:0 planes: `y` (height, width), `u` and `v` (height/2, width/2), all uint8.

    `mono_us` is the monotonic clock (microseconds) when the frame arrived, `packet` what the camera sent, else None.
    """

    mono_us: int
    y: Plane
    u: Plane
    v: Plane
    packet: Packet | None = None

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])


class ControlState(StrEnum):
    """What became of one of a camera's automatics."""

    LOCKED = "locked"  # it is off, and the value stays
    REFUSED = "refused"  # the camera would not have it
    ABSENT = "absent"  # the camera has no such thing
    OFFERED = "offered"  # only looked at


@dataclass(frozen=True, slots=True)
class Control:
    """One of "power_line" (Hz), "exposure" (100 us), "focus" (the camera's own units), "white_balance" (K).

    `value` as the camera reads it, None when it does not say.
    """

    name: str
    state: ControlState
    value: int | None = None


@runtime_checkable
class LocksControls(Protocol):
    """A camera whose automatics are taken away soon after it opened; `controls` is empty until that is done."""

    @property
    def controls(self) -> tuple[Control, ...]: ...


class Camera(Protocol):
    """A source of pictures."""

    @property
    def info(self) -> DeviceInfo: ...

    def read(self, timeout_s: float) -> CameraFrame:
        """Next frame, at the time it happens. Raises DeviceError (TIMEOUT, LOST, GARBLED, ENDED)."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Thinned(Protocol):
    """A camera that passes over pictures without looking into them: those that come sooner than `least_apart_us`
    after the one before are not given out, nor counted as skipped.
    """

    least_apart_us: int


class Pace:
    """Which pictures are taken where fewer are wanted than come. Pure."""

    def __init__(self) -> None:
        self._due_us = 0

    def is_due(self, at_us: int, apart_us: int) -> bool:
        """Whether the picture of this time is taken: on the average one each `apart_us`, all of them when that is 0.

        One that is early by less than a quarter is taken too: cameras are never exactly on time.
        """
        if apart_us and at_us + apart_us // 4 < self._due_us:
            return False
        on_time = at_us - self._due_us < apart_us
        self._due_us = (self._due_us if on_time else at_us) + apart_us
        return True


class Link(Protocol):
    """A byte pipe to a serial device (8N1, no flow control)."""

    @property
    def address(self) -> str: ...

    def write(self, data: bytes) -> None:
        """Send all bytes. Raises DeviceError(LOST)."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, waiting at most `timeout_s` for a first byte; b"" on time-out. Raises DeviceError(LOST)."""
        ...

    def flush_input(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class NfcTarget:
    """One ISO 14443 A chip in the field. `atqa` most significant byte first (an NTAG is 00 44)."""

    uid: bytes
    atqa: bytes
    sak: int
    ats: bytes = b""


@dataclass(frozen=True, slots=True)
class NfcSighting:
    """A target with what it is: `family` as in hardware.nfc.chips ("NTAG213", "MIFARE Classic 1K", "unknown" ...).

    `version`: its answer to GET_VERSION, b"" where it was not asked or gave none.
    """

    target: NfcTarget
    family: str
    version: bytes = b""


class NfcReader(Protocol):
    """An NFC reader: lists what lies in its field, which never writes; `command` does what it is told."""

    @property
    def info(self) -> DeviceInfo: ...

    @property
    def firmware(self) -> str: ...

    def poll(self, timeout_s: float) -> list[NfcSighting]:
        """Up to two targets now in the field, [] when none. Raises DeviceError."""
        ...

    def command(self, code: int, data: bytes, timeout_s: float) -> bytes:
        """One command of the reader's chip; the answer's data after its code. Raises DeviceError."""
        ...

    def cancel(self) -> None:
        """End the command now running, or else the next one, with a DeviceError. May come from another thread."""
        ...

    def close(self) -> None: ...


class Scanner(Protocol):
    """A barcode scanner that is read by the product (not a keyboard)."""

    @property
    def info(self) -> DeviceInfo: ...

    def read(self, timeout_s: float) -> str | None:
        """One whole code, or None when none came in time. Raises DeviceError."""
        ...

    def close(self) -> None: ...


LEFT_S = 60.0
"""After which a file that stands still and has no end, or cannot be opened, comes out as it is; a network may stall."""


class SheetFault(StrEnum):
    """Why a file that lies where scans are awaited has no bytes."""

    TOO_LARGE = "too-large"
    DENIED = "denied"
    NO_PICTURE = "no-picture"


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """One scanned sheet: the bytes of its picture file and their SHA-256 (hex), by which a repetition is known.

    `fault`: why there are none.
    """

    name: str
    data: bytes
    sha256: str
    fault: SheetFault | None = None

    def __repr__(self) -> str:
        return f"Sheet({self.name}, {len(self.data)} bytes)"


class DocumentScanner(Protocol):
    """A document scanner, or the folder that one writes into."""

    @property
    def info(self) -> DeviceInfo: ...

    @property
    def idle(self) -> bool:
        """Whether nothing is half there."""
        ...

    def read(self, timeout_s: float) -> Sheet | None:
        """The next sheet, None when none came in time. Raises DeviceError; ENDED when the feeder is empty."""
        ...

    def close(self) -> None: ...
