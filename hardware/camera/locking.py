"""Takes a camera's automatics away once they have found their values, so that no picture changes by itself.

Exposure, focus and white balance stay where they stood; 50 Hz light and an exposure of whole half-waves of it (10 ms)
leave no stripes. What a camera refuses is told and left as it is: it films all the same. *Unproved*: no real camera has
been asked yet; other systems than Linux are not asked at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from hardware.camera.v4l2 import (
    EXPOSURE_MANUAL,
    POWER_LINE_50_HZ,
    POWER_LINE_60_HZ,
    ControlDevice,
    ControlFlag,
    ControlId,
    ControlRange,
)
from hardware.ports import Control, ControlState

NAMES = ("power_line", "exposure", "focus", "white_balance")
_HERTZ = {50: POWER_LINE_50_HZ, 60: POWER_LINE_60_HZ}
_UNITS_A_SECOND = 10_000  # of exposure: 100 us each


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings ask for; None: where the automatic stood. Exposure in 100 us, white balance in kelvin."""

    hertz: int = 50
    fps: float = 30.0
    exposure: int | None = None
    focus: int | None = None
    white_balance: int | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """An automatic and what it moves: `off` is the value that leaves the moving to us."""

    name: str
    automatic: ControlId
    off: int
    value: ControlId


_EXPOSURE = _Pair("exposure", ControlId.EXPOSURE_AUTO, EXPOSURE_MANUAL, ControlId.EXPOSURE_ABSOLUTE)
_FOCUS = _Pair("focus", ControlId.FOCUS_AUTO, 0, ControlId.FOCUS_ABSOLUTE)
_WHITE = _Pair("white_balance", ControlId.AUTO_WHITE_BALANCE, 0, ControlId.WHITE_BALANCE_TEMPERATURE)


def lock(camera: ControlDevice, wanted: Wanted) -> tuple[Control, ...]:
    """Fix what can be fixed; tells of each what became of it and its value as the camera now reads it."""
    power_line = _power_line(camera, wanted.hertz)
    with suppress(OSError):  # where there is no such control the rate of frames is fixed anyway
        camera.set(ControlId.EXPOSURE_AUTO_PRIORITY, 0)
    return (
        power_line,
        _fix(camera, _EXPOSURE, wanted.exposure, wanted),
        _fix(camera, _FOCUS, wanted.focus, wanted),
        _fix(camera, _WHITE, wanted.white_balance, wanted),
    )


def look(camera: ControlDevice) -> tuple[Control, ...]:
    """What the camera offers of it and where it stands; changes nothing."""
    line = _Pair("power_line", ControlId.POWER_LINE_FREQUENCY, 0, ControlId.POWER_LINE_FREQUENCY)
    return tuple(_seen(camera, pair) for pair in (line, _EXPOSURE, _FOCUS, _WHITE))


def steady_exposure(units: int, hertz: int, fps: float) -> int:
    """The exposure of whole half-waves of the light nearest to this one, within a frame; shorter ones stay."""
    half_wave = _UNITS_A_SECOND // (2 * hertz)
    longest = int(_UNITS_A_SECOND / fps) // half_wave * half_wave
    if units < half_wave or longest < half_wave:
        return units
    return min((units + half_wave // 2) // half_wave * half_wave, longest)


def _power_line(camera: ControlDevice, hertz: int) -> Control:
    try:
        if camera.query(ControlId.POWER_LINE_FREQUENCY) is None:
            return Control("power_line", ControlState.ABSENT)
        code = _HERTZ[hertz]
        camera.set(ControlId.POWER_LINE_FREQUENCY, code)
        kept = camera.get(ControlId.POWER_LINE_FREQUENCY) == code
        return Control("power_line", ControlState.LOCKED, hertz) if kept else _refused("power_line", None)
    except OSError:
        return _refused("power_line", None)


def _fix(camera: ControlDevice, pair: _Pair, asked: int | None, wanted: Wanted) -> Control:
    now: int | None = None
    try:
        automatic, moved = _offered(camera, pair.automatic), _offered(camera, pair.value)
        if automatic is None and moved is None:
            return Control(pair.name, ControlState.ABSENT)
        now = None if moved is None else camera.get(pair.value)  # before it is ours: where the automatic put it
        if automatic is not None:
            camera.set(pair.automatic, pair.off)
        if moved is not None and now is not None:
            aim = asked if asked is not None else now
            if pair is _EXPOSURE and asked is None:
                aim = steady_exposure(now, wanted.hertz, wanted.fps)
            camera.set(pair.value, moved.nearest(aim))
            now = camera.get(pair.value)
            if now != moved.nearest(aim):
                return _refused(pair.name, now)
        if automatic is not None and camera.get(pair.automatic) != pair.off:
            return _refused(pair.name, now)
    except OSError:
        return _refused(pair.name, now)
    return Control(pair.name, ControlState.LOCKED, now)


def _offered(camera: ControlDevice, control: ControlId) -> ControlRange | None:
    """None for one that is not there, or is only there to be read."""
    found = camera.query(control)
    return None if found is None or found.flags & ControlFlag.READ_ONLY else found


def _refused(name: str, value: int | None) -> Control:
    return Control(name, ControlState.REFUSED, value)


def _seen(camera: ControlDevice, pair: _Pair) -> Control:
    try:
        if _offered(camera, pair.automatic) is None and _offered(camera, pair.value) is None:
            return Control(pair.name, ControlState.ABSENT)
        value = None if camera.query(pair.value) is None else camera.get(pair.value)
        return Control(pair.name, ControlState.OFFERED, value)
    except OSError:
        return _refused(pair.name, None)


def wanted_of(options: Mapping[str, float | None]) -> Wanted:
    """What an address's options ask for: `exposure`, `focus`, `white`, `hertz`, `fps`."""
    whole = {name: None if value is None else round(value) for name, value in options.items()}
    return Wanted(
        hertz=whole.get("hertz") or 50,
        fps=options.get("fps") or 30.0,
        exposure=whole.get("exposure"),
        focus=whole.get("focus"),
        white_balance=whole.get("white"),
    )
