"""V4L2 controls of a camera by ioctl: what it offers, reads and takes. Linux only.

Numbers and layouts are those of <linux/videodev2.h> and <linux/v4l2-controls.h> (Linux's stable interface); a test
compares them with the headers of the machine it runs on. Any descriptor of the device may ask, also while another one
streams.
"""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Protocol

if sys.platform != "win32":
    import fcntl

QUERYCTRL = 0xC0445624  # _IOWR('V', 36, struct v4l2_queryctrl)
G_CTRL = 0xC008561B  # _IOWR('V', 27, struct v4l2_control)
S_CTRL = 0xC008561C  # _IOWR('V', 28, struct v4l2_control)

_QUERY = struct.Struct("=II32siiiiI8x")  # id, type, name, minimum, maximum, step, default, flags, reserved[2]
_CONTROL = struct.Struct("=Ii")  # id, value


class ControlId(IntEnum):
    """Controls by their names in the kernel's headers, V4L2_CID_…"""

    AUTO_WHITE_BALANCE = 0x0098090C
    POWER_LINE_FREQUENCY = 0x00980918
    WHITE_BALANCE_TEMPERATURE = 0x0098091A  # kelvin
    EXPOSURE_AUTO = 0x009A0901
    EXPOSURE_ABSOLUTE = 0x009A0902  # 100 us
    EXPOSURE_AUTO_PRIORITY = 0x009A0903  # may the rate of frames fall for it
    FOCUS_ABSOLUTE = 0x009A090A
    FOCUS_AUTO = 0x009A090C


EXPOSURE_MANUAL = 1  # V4L2_EXPOSURE_MANUAL; 0 all automatic, 2 shutter priority, 3 aperture priority
POWER_LINE_50_HZ, POWER_LINE_60_HZ = 1, 2  # V4L2_CID_POWER_LINE_FREQUENCY_…


class ControlFlag(IntFlag):
    """V4L2_CTRL_FLAG_…"""

    DISABLED = 0x0001
    GRABBED = 0x0002
    READ_ONLY = 0x0004
    INACTIVE = 0x0010


@dataclass(frozen=True, slots=True)
class ControlRange:
    """What a control takes: whole numbers from `minimum` to `maximum` in steps."""

    minimum: int
    maximum: int
    step: int
    default: int
    flags: int = 0

    def nearest(self, value: int) -> int:
        """The value that can be set and is nearest to this one."""
        step = max(1, self.step)
        inside = min(max(value, self.minimum), self.maximum)
        steps = (inside - self.minimum + step // 2) // step
        return min(self.minimum + steps * step, self.minimum + (self.maximum - self.minimum) // step * step)


class ControlDevice(Protocol):
    """A camera whose controls can be asked for."""

    def query(self, control: int) -> ControlRange | None:
        """None where the camera has no such control. Raises OSError when it does not answer."""
        ...

    def get(self, control: int) -> int:
        """Raises OSError."""
        ...

    def set(self, control: int, value: int) -> None:
        """Raises OSError: what the camera will not have."""
        ...


def pack_query(control: int) -> bytes:
    """A question for QUERYCTRL."""
    return _QUERY.pack(control, 0, b"", 0, 0, 0, 0, 0)


def unpack_query(answer: bytes) -> ControlRange | None:
    """What QUERYCTRL answered; None for a control that is there but switched off for good."""
    _id, _type, _name, minimum, maximum, step, default, flags = _QUERY.unpack(answer)
    found = ControlRange(minimum, maximum, step, default, flags)
    return None if found.flags & ControlFlag.DISABLED else found


def pack_control(control: int, value: int = 0) -> bytes:
    """A question for G_CTRL, an order for S_CTRL."""
    return _CONTROL.pack(control, value)


def unpack_control(answer: bytes) -> int:
    """The value that G_CTRL answered."""
    value: int = _CONTROL.unpack(answer)[1]
    return value


class V4l2Device:
    """A camera's device file, opened for its controls only."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._fd = os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))

    def close(self) -> None:
        os.close(self._fd)

    def query(self, control: int) -> ControlRange | None:
        try:
            return unpack_query(self._ask(QUERYCTRL, pack_query(control)))
        except OSError as wrong:
            if wrong.errno in _NO_SUCH:
                return None
            raise

    def get(self, control: int) -> int:
        return unpack_control(self._ask(G_CTRL, pack_control(control)))

    def set(self, control: int, value: int) -> None:
        self._ask(S_CTRL, pack_control(control, value))

    def _ask(self, request: int, question: bytes) -> bytes:
        if sys.platform == "win32":
            raise OSError("V4L2 is Linux's")
        return fcntl.ioctl(self._fd, request, question)


_NO_SUCH = (22, 25)  # EINVAL: no such control; ENOTTY: a device without controls
