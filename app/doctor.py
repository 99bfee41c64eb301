"""Examines a station's machine and changes nothing: `look` asks, `judge` (pure) says what is wrong and what to do."""

from __future__ import annotations

import ctypes.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Protocol, TextIO

from app.core.readiness import LOW_DISK_BYTES
from app.paths import StationFolder
from app.platform import free_bytes
from app.settings import Settings
from hardware.catalog import list_cameras, list_serial_ports, look_at_controls, open_camera, open_nfc, open_scanner
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import Control, ControlState

DISTRIBUTION = "cardintake"
_FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
_CHINESE_FONTS = ("*CJK*", "*SourceHan*", "*wqy*")
_EARLIEST_YEAR = 2026


_CALLED = {
    "overhead": ("俯拍相机", "the overhead camera"),
    "label": ("面单相机", "the label camera"),
    "spare": ("备用相机", "the spare camera"),
    "nfc": ("读写器", "the NFC reader"),
    "scanner": ("扫描枪", "the scanner"),
}


class Grade(StrEnum):
    """How bad it is: fine, work goes on with less, or work is not possible."""

    OK = "ok"
    WARN = "warn"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined: `code` names it, `detail` what was found, `do_*` what to do ("" when it is well)."""

    code: str
    grade: Grade
    detail: str
    do_zh: str = ""
    do_en: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine answered.

    `cameras`: those on USB; `devices`: role -> address and trouble ("" when it opened); `packages`: name ->
    version ("" when missing); `clock_synced` is None when nobody can tell; `controls`: of USB cameras that opened, role
    -> what they offer to be held at, nothing where the system is not asked.
    """

    year: int
    clock_synced: bool | None
    free_bytes: int
    python: tuple[int, int]
    tesseract: str
    zbar: str
    chinese_font: bool
    packages: Mapping[str, str] = field(default_factory=dict)
    cameras: tuple[str, ...] = ()
    serial_ports: tuple[str, ...] = ()
    devices: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    controls: Mapping[str, tuple[Control, ...]] = field(default_factory=dict)


def examine(folder: StationFolder, settings: Settings) -> list[Finding]:
    """Look at this machine and judge it; opens and closes the devices that the settings name."""
    return judge(look(folder, settings))


def judge(machine: Machine) -> list[Finding]:
    """What to say of the machine, in the order of the questions."""
    return [
        _python(machine.python),
        *_packages(machine.packages),
        _need("tesseract", machine.tesseract, Grade.WARN, "安装 tesseract-ocr", "Install tesseract-ocr"),
        _need("zbar", machine.zbar, Grade.WARN, "安装 libzbar0", "Install libzbar0"),
        _need(
            "font", "found" if machine.chinese_font else "", Grade.WARN, "安装 fonts-noto-cjk", "Install fonts-noto-cjk"
        ),
        _disk(machine.free_bytes),
        _clock(machine.year, machine.clock_synced),
        Finding("cameras", Grade.OK, ", ".join(machine.cameras) or "no USB cameras"),
        Finding("ports", Grade.OK, ", ".join(machine.serial_ports) or "no serial ports"),
        *(_device(role, address, trouble) for role, (address, trouble) in machine.devices.items()),
        *(_held(role, controls) for role, controls in machine.controls.items()),
    ]


def _python(version: tuple[int, int]) -> Finding:
    found = ".".join(map(str, version))
    if version < (3, 11):
        return Finding("python", Grade.STOP, found, "安装 Python 3.11 或更新的版本", "Install Python 3.11 or newer")
    return Finding("python", Grade.OK, found)


def _packages(packages: Mapping[str, str]) -> Iterable[Finding]:
    missing = sorted(name for name, version in packages.items() if not version and name != "opencv-python-headless")
    if missing:
        yield Finding("packages", Grade.STOP, f"missing: {', '.join(missing)}", "运行 make run 补装", "Run make run")
    else:
        yield Finding("packages", Grade.OK, f"{len(packages)} looked at")
    if packages.get("opencv-python-headless"):
        do = (
            "卸载 opencv-python-headless，再装 opencv-python",
            "Remove opencv-python-headless, reinstall opencv-python",
        )
        yield Finding("opencv-twice", Grade.STOP, "opencv-python-headless", *do)


def _need(code: str, found: str, grade: Grade, do_zh: str, do_en: str) -> Finding:
    return Finding(code, Grade.OK, found) if found else Finding(code, grade, "missing", do_zh, do_en)


def _disk(free: int) -> Finding:
    detail = f"{free // 1_000_000} MB free"
    if free < LOW_DISK_BYTES:
        return Finding("disk", Grade.STOP, detail, "腾出磁盘空间，至少 600 MB", "Free at least 600 MB on the disk")
    return Finding("disk", Grade.OK, detail)


def _clock(year: int, synced: bool | None) -> Finding:
    if year < _EARLIEST_YEAR:
        return Finding("clock", Grade.STOP, f"the year is {year}", "校准电脑时间", "Set the computer's clock")
    if synced is False:
        return Finding("clock", Grade.WARN, "not synchronised", "打开自动对时（NTP）", "Switch on network time (NTP)")
    return Finding("clock", Grade.OK, "synchronised" if synced else f"the year is {year}; nobody tells of NTP here")


def _device(role: str, address: str, trouble: str) -> Finding:
    code, (zh, en) = f"device.{role}", _CALLED.get(role, ("设备", "the device"))
    if address.partition(":")[0] == "none":
        if role == "label":  # work goes on with one camera
            return Finding(code, Grade.OK, "none set up: nothing films the parcel's label")
        return Finding(
            code, Grade.WARN, "none set up", f"在设置里填写{zh}的地址", f"Give {en}'s address in the settings"
        )
    if trouble:
        do = (
            f"插好{zh}，核对设置里的地址，关掉占用它的程序",
            f"Plug in {en}, check its address, close what else uses it",
        )
        needed = role == "overhead" and not trouble.startswith(DeviceReason.BUSY)
        return Finding(code, Grade.STOP if needed else Grade.WARN, f"{address}: {trouble}", *do)
    return Finding(code, Grade.OK, address)


def _held(role: str, controls: tuple[Control, ...]) -> Finding:
    """What a USB camera can be held at while it films. Nobody has proved it on a real one yet, and that is said."""
    code = f"controls.{role}"
    do = ("调好灯光，录一段看画面是否忽明忽暗", "Set the light, film a minute, look whether brightness wanders")
    if not controls:
        return Finding(code, Grade.WARN, "not held on this system: exposure, focus, white balance stay automatic", *do)
    told = ", ".join(f"{one.name} {'-' if one.value is None else one.value} ({one.state})" for one in controls)
    if any(one.state is ControlState.REFUSED for one in controls):
        return Finding(code, Grade.WARN, told, *do)
    return Finding(code, Grade.OK, f"{told}; held from two seconds after opening (unproved on a real camera)")


class _Closes(Protocol):
    def close(self) -> None: ...


def look(folder: StationFolder, settings: Settings) -> Machine:
    """Ask the machine. Takes as long as its devices take to open."""
    tesseract = shutil.which("tesseract") or ""
    devices = _devices(settings)
    return Machine(
        year=datetime.now(UTC).year,
        clock_synced=_clock_synced(),
        free_bytes=free_bytes(_existing(folder.root)),
        python=(sys.version_info.major, sys.version_info.minor),
        tesseract=tesseract,
        zbar=ctypes.util.find_library("zbar") or "",
        chinese_font=sys.platform != "linux" or _has_chinese_font(),
        packages={name: _version(name) for name in (*_required(), "opencv-python-headless")},
        cameras=tuple(camera.address for camera in list_cameras()),
        serial_ports=tuple(port.device for port in list_serial_ports()),
        devices=devices,
        controls=_controls(devices),
    )


def _controls(devices: Mapping[str, tuple[str, str]]) -> dict[str, tuple[Control, ...]]:
    """Of the USB cameras that opened."""
    found: dict[str, tuple[Control, ...]] = {}
    for role, (address, trouble) in devices.items():
        if address.startswith("uvc:") and not trouble:
            with suppress(DeviceError):  # pulled between the two questions
                found[role] = look_at_controls(address)
    return found


def _devices(settings: Settings) -> dict[str, tuple[str, str]]:
    camera, nfc, scanner = settings.camera, settings.nfc.address, settings.scanner.address
    found = {
        "overhead": (camera.overhead, _opens(open_camera, camera.overhead)),
        "nfc": (nfc, _opens(open_nfc, nfc)),
    }
    if not scanner.startswith("wedge:"):
        found["scanner"] = (scanner, _opens(open_scanner, scanner))
    for role, address in (("spare", camera.spare), ("label", camera.label)):
        if address != "none:":
            found[role] = (address, _opens(open_camera, address))
        elif role == "label":
            found[role] = (address, "")
    return found


def _opens(open_device: Callable[[str], _Closes], address: str) -> str:
    """What keeps a device from being opened; "" when nothing does."""
    try:
        open_device(address).close()
    except DeviceError as trouble:
        return " ".join(filter(None, (trouble.reason.value, trouble.detail)))
    return ""


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


def _clock_synced() -> bool | None:
    """What systemd says of network time; None where it is not there."""
    if shutil.which("timedatectl") is None:
        return None
    asked = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    with suppress(OSError, subprocess.TimeoutExpired):
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
        return {"yes": True, "no": False}.get(answer)
    return None


def _has_chinese_font() -> bool:
    return any(next(folder.rglob(name), None) for folder in _FONT_FOLDERS if folder.is_dir() for name in _CHINESE_FONTS)


def _required() -> list[str]:
    """Names of the packages that the product asks for."""
    with suppress(metadata.PackageNotFoundError):
        asked = metadata.requires(DISTRIBUTION) or []
        names = (re.match(r"[A-Za-z0-9._-]+", line) for line in asked if "extra ==" not in line)
        return [match.group() for match in names if match]
    return [DISTRIBUTION]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def run_doctor(folder: StationFolder, settings: Settings, out: TextIO, err: TextIO) -> int:
    """`cardintake doctor`: JSON on `out`, one line a finding on `err`; 0, or 3 when something stops the work."""
    findings = examine(folder, settings)
    marks = {Grade.OK: "✓", Grade.WARN: "△", Grade.STOP: "✗"}
    for finding in findings:
        err.write(f"{marks[finding.grade]} {finding.code}: {finding.detail}\n")
        if finding.do_zh:
            err.write(f"    → {finding.do_zh} / {finding.do_en}\n")
    stopped = any(finding.grade is Grade.STOP for finding in findings)
    out.write(json.dumps({"ok": not stopped, "findings": [asdict(f) for f in findings]}, ensure_ascii=False) + "\n")
    return 3 if stopped else 0
