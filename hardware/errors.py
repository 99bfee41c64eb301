"""What can go wrong with a device, in words that do not depend on the driver."""

from __future__ import annotations

from enum import StrEnum


class DeviceReason(StrEnum):
    """Why a device cannot be used right now."""

    MISSING = "missing"  # nothing answers at this address
    BUSY = "busy"  # somebody else holds it
    DENIED = "denied"  # no permission
    LOST = "lost"  # it was there and went away
    TIMEOUT = "timeout"  # it did not answer in time
    GARBLED = "garbled"  # it answers nonsense
    ENDED = "ended"  # a finite source (a recorded file, a deck) has come to its end


class DeviceError(Exception):
    """A device failed. `reason` is for code, `detail` for the support line, `address` names the device."""

    def __init__(self, reason: DeviceReason, address: str, detail: str = "") -> None:
        super().__init__(f"{address}: {reason.value}{': ' + detail if detail else ''}")
        self.reason = reason
        self.address = address
        self.detail = detail
