"""Controls of a USB camera: layouts are the kernel's; one that answers like a real one is held, or left alone."""

from __future__ import annotations

import errno
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.camera import v4l2
from hardware.camera.locking import NAMES, Wanted, lock, look, steady_exposure, wanted_of
from hardware.camera.v4l2 import ControlFlag, ControlId, ControlRange
from hardware.ports import Control, ControlState

GOLDEN = {
    "VIDIOC_QUERYCTRL": v4l2.QUERYCTRL,
    "VIDIOC_G_CTRL": v4l2.G_CTRL,
    "VIDIOC_S_CTRL": v4l2.S_CTRL,
    "sizeof(struct v4l2_queryctrl)": len(v4l2.pack_query(0)),
    "sizeof(struct v4l2_control)": len(v4l2.pack_control(0)),
    "offsetof(struct v4l2_queryctrl, minimum)": 40,
    "offsetof(struct v4l2_queryctrl, flags)": 56,
    "V4L2_EXPOSURE_MANUAL": v4l2.EXPOSURE_MANUAL,
    "V4L2_CID_POWER_LINE_FREQUENCY_50HZ": v4l2.POWER_LINE_50_HZ,
    "V4L2_CID_POWER_LINE_FREQUENCY_60HZ": v4l2.POWER_LINE_60_HZ,
    **{f"V4L2_CID_{one.name}": one.value for one in ControlId},
    **{f"V4L2_CTRL_FLAG_{one.name}": one.value for one in ControlFlag},
}


def test_numbers_and_layouts_are_those_of_the_kernels_headers(tmp_path: Path) -> None:
    if not shutil.which("gcc") or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("no compiler or no kernel headers on this machine")
    lines = "".join(f'printf("%lu\\n", (unsigned long)({name}));' for name in GOLDEN)
    source = f"#include <stddef.h>\n#include <stdio.h>\n#include <linux/videodev2.h>\nint main(void) {{ {lines} }}\n"
    (tmp_path / "ask.c").write_text(source)
    subprocess.run(["gcc", "-o", str(tmp_path / "ask"), str(tmp_path / "ask.c")], check=True)
    told = subprocess.run([str(tmp_path / "ask")], capture_output=True, text=True, check=True).stdout.split()
    assert dict(zip(GOLDEN, map(int, told), strict=True)) == GOLDEN


def test_what_a_driver_answers_is_understood() -> None:
    answer = bytes.fromhex("02099a00 01000000".replace(" ", "")) + b"Exposure Time, Absolute".ljust(32, b"\0")
    numbers = (3, 2047, 1, 250, 0x10, 0, 0)
    answer += b"".join(number.to_bytes(4, "little", signed=True) for number in numbers)
    assert v4l2.unpack_query(answer) == ControlRange(3, 2047, 1, 250, ControlFlag.INACTIVE)
    assert v4l2.unpack_query(answer[:56] + (1).to_bytes(4, "little") + bytes(8)) is None
    assert v4l2.unpack_control(v4l2.pack_control(ControlId.FOCUS_ABSOLUTE, -7)) == -7


@given(st.integers(-100, 100), st.integers(0, 500), st.integers(0, 60), st.integers(-1000, 1000))
def test_the_nearest_value_can_be_set_and_none_is_nearer(low: int, span: int, step: int, value: int) -> None:
    found = ControlRange(low, low + span, step, low).nearest(value)
    allowed = range(low, low + span + 1, max(1, step))
    assert found in allowed
    assert abs(found - value) == min(abs(one - value) for one in allowed)


@pytest.mark.parametrize(
    ("units", "hertz", "fps", "held"),
    [
        (166, 50, 30, 200),
        (149, 50, 30, 100),
        (500, 50, 30, 300),
        (40, 50, 30, 40),
        (120, 60, 30, 83),
        (95, 50, 120, 95),
    ],
)
def test_an_exposure_of_whole_half_waves(units: int, hertz: int, fps: float, held: int) -> None:
    assert steady_exposure(units, hertz, fps) == held


@dataclass
class Cam:
    """Answers as UVC cameras do: what an automatic moves is not taken while it is on; some things are refused."""

    values: dict[int, int]
    ranges: dict[int, ControlRange]
    refuses: set[int] = field(default_factory=set)  # EIO: the camera stalls the request
    forgets: set[int] = field(default_factory=set)  # takes it and does as it likes
    orders: list[tuple[int, int]] = field(default_factory=list)
    gone: bool = False

    def query(self, control: int) -> ControlRange | None:
        self._is_there()
        return self.ranges.get(control)

    def get(self, control: int) -> int:
        self._is_there()
        if control not in self.ranges:
            raise OSError(errno.EINVAL, "no such control")
        return self.values[control]

    def set(self, control: int, value: int) -> None:
        self._is_there()
        found = self.ranges.get(control)
        if found is None:
            raise OSError(errno.EINVAL, "no such control")
        if control in self.refuses or self._moved_by_itself(control):
            raise OSError(errno.EIO, "Input/output error")
        if not found.minimum <= value <= found.maximum or (value - found.minimum) % max(1, found.step):
            raise OSError(errno.ERANGE, "out of range")
        self.orders.append((control, value))
        if control not in self.forgets:
            self.values[control] = value

    def _moved_by_itself(self, control: int) -> bool:
        owners = {
            ControlId.EXPOSURE_ABSOLUTE: (ControlId.EXPOSURE_AUTO, v4l2.EXPOSURE_MANUAL),
            ControlId.FOCUS_ABSOLUTE: (ControlId.FOCUS_AUTO, 0),
            ControlId.WHITE_BALANCE_TEMPERATURE: (ControlId.AUTO_WHITE_BALANCE, 0),
        }
        owner = owners.get(ControlId(control))
        return owner is not None and owner[0] in self.values and self.values[owner[0]] != owner[1]

    def _is_there(self) -> None:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")


def webcam(**changes: set[int]) -> Cam:
    """Everything on automatic, in some room."""
    ranges = {
        ControlId.POWER_LINE_FREQUENCY: ControlRange(0, 2, 1, 2),
        ControlId.EXPOSURE_AUTO: ControlRange(0, 3, 1, 3),
        ControlId.EXPOSURE_ABSOLUTE: ControlRange(3, 2047, 1, 250),
        ControlId.EXPOSURE_AUTO_PRIORITY: ControlRange(0, 1, 1, 0),
        ControlId.FOCUS_AUTO: ControlRange(0, 1, 1, 1),
        ControlId.FOCUS_ABSOLUTE: ControlRange(0, 250, 5, 0),
        ControlId.AUTO_WHITE_BALANCE: ControlRange(0, 1, 1, 1),
        ControlId.WHITE_BALANCE_TEMPERATURE: ControlRange(2000, 6500, 1, 4000),
    }
    values = (2, 3, 166, 1, 1, 35, 1, 4300)
    return Cam(
        dict(zip(map(int, ranges), values, strict=True)), {int(key): one for key, one in ranges.items()}, **changes
    )


def told(found: tuple[Control, ...]) -> dict[str, tuple[ControlState, int | None]]:
    assert tuple(one.name for one in found) == NAMES
    return {one.name: (one.state, one.value) for one in found}


def test_everything_is_held_where_the_automatics_stood() -> None:
    camera = webcam()
    assert told(lock(camera, Wanted())) == {
        "power_line": (ControlState.LOCKED, 50),
        "exposure": (ControlState.LOCKED, 200),
        "focus": (ControlState.LOCKED, 35),
        "white_balance": (ControlState.LOCKED, 4300),
    }
    assert camera.values[ControlId.EXPOSURE_AUTO] == v4l2.EXPOSURE_MANUAL
    assert camera.values[ControlId.EXPOSURE_AUTO_PRIORITY] == 0
    assert camera.values[ControlId.FOCUS_AUTO] == camera.values[ControlId.AUTO_WHITE_BALANCE] == 0


def test_what_the_settings_say_goes_before_what_the_automatics_found() -> None:
    wanted = wanted_of({"hertz": 60.0, "exposure": 77.0, "focus": 33.0, "white": 9000.0, "fps": None})
    found = told(lock(webcam(), wanted))
    assert found["power_line"] == (ControlState.LOCKED, 60)
    assert found["exposure"] == (ControlState.LOCKED, 77)
    assert found["focus"] == (ControlState.LOCKED, 35)  # its steps are five
    assert found["white_balance"] == (ControlState.LOCKED, 6500)


def test_a_camera_without_any_of_it_is_left_as_it_is() -> None:
    assert {state for state, _ in told(lock(Cam({}, {}), Wanted())).values()} == {ControlState.ABSENT}


def test_a_lens_that_cannot_be_moved_is_no_refusal_and_one_by_hand_is_held() -> None:
    camera = webcam()
    for control in (ControlId.FOCUS_AUTO, ControlId.FOCUS_ABSOLUTE, ControlId.AUTO_WHITE_BALANCE):
        del camera.ranges[control], camera.values[control]
    found = told(lock(camera, Wanted()))
    assert found["focus"] == (ControlState.ABSENT, None)
    assert found["white_balance"] == (ControlState.LOCKED, 4300)


@pytest.mark.parametrize("how", ["refuses", "forgets"])
@pytest.mark.parametrize(
    ("control", "name"),
    [
        (ControlId.POWER_LINE_FREQUENCY, "power_line"),
        (ControlId.EXPOSURE_AUTO, "exposure"),
        (ControlId.EXPOSURE_ABSOLUTE, "exposure"),
        (ControlId.FOCUS_AUTO, "focus"),
        (ControlId.AUTO_WHITE_BALANCE, "white_balance"),
    ],
)
def test_one_refusal_is_told_and_the_others_are_held(how: str, control: int, name: str) -> None:
    found = told(lock(webcam(**{how: {int(control)}}), Wanted()))
    assert {one for one, (state, _) in found.items() if state is ControlState.REFUSED} == {name}


def test_a_camera_that_is_pulled_meanwhile_refuses_everything() -> None:
    camera = webcam()
    camera.gone = True
    assert {state for state, _ in told(lock(camera, Wanted())).values()} == {ControlState.REFUSED}
    assert {state for state, _ in told(look(camera)).values()} == {ControlState.REFUSED}


def test_looking_changes_nothing() -> None:
    camera = webcam()
    found = told(look(camera))
    assert {state for state, _ in found.values()} == {ControlState.OFFERED}
    assert found["exposure"][1] == 166
    assert camera.orders == []


def test_a_file_that_is_no_camera_has_no_controls(tmp_path: Path) -> None:
    """The real ioctl, answered by the kernel itself: ENOTTY."""
    path = tmp_path / "none"
    path.write_bytes(b"")
    device = v4l2.V4l2Device(str(path))
    try:
        assert {state for state, _ in told(lock(device, Wanted())).values()} == {ControlState.ABSENT}
    finally:
        device.close()
