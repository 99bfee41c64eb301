"""A camera for rehearsals: a film with faults on a timetable.

`sim:PATH?epoch_us=N&lose_at_s=20&back_at_s=25&…` takes the options of `file:` and these, in seconds of the film:

`lose_at_s`, `back_at_s`     the camera is pulled: `read` says LOST, opening MISSING, until it is back (or for ever)
`stall_at_s`, `go_on_at_s`   the camera is there and sends nothing
`freeze_at_s`, `thaw_at_s`   the camera sends the same picture again and again

`lose_at_s` needs `epoch_us`: without it the film would begin again with each opening, and be lost again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hardware.camera.address import CameraAddress, make_address, parse_address
from hardware.camera.file import OPTIONS, Clock, FileCamera
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import CameraFrame, DeviceInfo

FAULTS = frozenset({"lose_at_s", "back_at_s", "stall_at_s", "go_on_at_s", "freeze_at_s", "thaw_at_s"})


@dataclass(frozen=True, slots=True)
class _Span:
    """Film time, microseconds, while a fault lasts; without an end it lasts."""

    from_us: float
    to_us: float

    def __contains__(self, at_us: int) -> bool:
        return self.from_us <= at_us < self.to_us


class SimCamera:
    """Plays a film like `FileCamera` and has its faults when the timetable says so."""

    def __init__(self, address: str, clock: Clock | None = None) -> None:
        """Raises DeviceError as `FileCamera` does, and MISSING while the camera is pulled."""
        parsed = parse_address(address, OPTIONS | FAULTS)
        self._address = address
        self._clock = clock or Clock()
        self._lost = _span(parsed, "lose_at_s", "back_at_s")
        self._stalled = _span(parsed, "stall_at_s", "go_on_at_s")
        self._frozen = _span(parsed, "freeze_at_s", "thaw_at_s")
        epoch_us = parsed.number("epoch_us")
        if epoch_us is None and "lose_at_s" in parsed.options:
            raise DeviceError(DeviceReason.GARBLED, address, "lose_at_s needs epoch_us")
        self._epoch_us = self._clock.now_us() if epoch_us is None else int(epoch_us)
        if self._film_us() in self._lost:
            raise DeviceError(DeviceReason.MISSING, address)
        self._source = FileCamera(_plain(parsed, self._epoch_us), self._clock)
        self._still: CameraFrame | None = None

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self._address, "simulated camera", simulated=True)

    @property
    def skipped(self) -> int:
        """Frames that came too late to be given out."""
        return self._source.skipped

    def read(self, timeout_s: float) -> CameraFrame:
        """As `FileCamera.read`; also raises DeviceError(LOST)."""
        self._check_plugged()
        frame = self._read_source(timeout_s)
        self._check_plugged()
        if self._film_us() in self._stalled:
            raise DeviceError(DeviceReason.TIMEOUT, self._address)
        if self._film_us() not in self._frozen or self._still is None:
            self._still = frame
        return replace(self._still, mono_us=frame.mono_us)

    def close(self) -> None:
        self._source.close()

    def _check_plugged(self) -> None:
        if self._film_us() in self._lost:
            raise DeviceError(DeviceReason.LOST, self._address)

    def _read_source(self, timeout_s: float) -> CameraFrame:
        try:
            return self._source.read(timeout_s)
        except DeviceError as error:
            raise DeviceError(error.reason, self._address, error.detail) from error

    def _film_us(self) -> int:
        return self._clock.now_us() - self._epoch_us


def _span(address: CameraAddress, start: str, end: str) -> _Span:
    from_s, to_s = address.number(start), address.number(end)
    if from_s is None:
        return _Span(float("inf"), float("inf"))
    return _Span(from_s * 1e6, float("inf") if to_s is None else to_s * 1e6)


def _plain(address: CameraAddress, epoch_us: int) -> str:
    kept: dict[str, int | float | str] = {k: v for k, v in address.options.items() if k in OPTIONS}
    return make_address("file", address.path, **(kept | {"epoch_us": epoch_us}))
