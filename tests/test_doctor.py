"""The doctor: what is judged, and that looking at this machine changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from app.doctor import Finding, Grade, Machine, examine, judge, look, run_doctor
from app.paths import StationFolder
from app.settings import CameraSettings, NfcSettings, ScannerSettings, Settings
from hardware.ports import Control, ControlState

WELL = Machine(
    year=2026,
    clock_synced=True,
    free_bytes=50_000_000_000,
    python=(3, 12),
    tesseract="tesseract",
    zbar="libzbar.so.0",
    chinese_font=True,
    packages={"numpy": "2.0", "opencv-python-headless": ""},
    cameras=("uvc:by-id/cam",),
    serial_ports=("/dev/ttyUSB0",),
    devices={"overhead": ("uvc:by-id/cam", ""), "nfc": ("serial:/dev/ttyUSB0/pn532", "")},
)


def found(machine: Machine, code: str) -> Finding:
    (finding,) = [f for f in judge(machine) if f.code == code]
    return finding


def test_a_well_machine_has_nothing_to_do() -> None:
    assert all(f.grade is Grade.OK and not f.do_zh and not f.do_en for f in judge(WELL))


def test_what_a_camera_offers_to_be_held_at_is_shown_and_called_unproved() -> None:
    controls = (Control("exposure", ControlState.OFFERED, 166), Control("focus", ControlState.ABSENT))
    finding = found(replace(WELL, controls={"overhead": controls}), "controls.overhead")
    assert finding.grade is Grade.OK
    assert "exposure 166 (offered), focus - (absent)" in finding.detail
    assert "unproved" in finding.detail


@pytest.mark.parametrize(
    ("machine", "code", "grade"),
    [
        (replace(WELL, python=(3, 10)), "python", Grade.STOP),
        (replace(WELL, packages={"numpy": ""}), "packages", Grade.STOP),
        (replace(WELL, packages={"opencv-python-headless": "5.0"}), "opencv-twice", Grade.STOP),
        (replace(WELL, tesseract=""), "tesseract", Grade.WARN),
        (replace(WELL, zbar=""), "zbar", Grade.WARN),
        (replace(WELL, chinese_font=False), "font", Grade.WARN),
        (replace(WELL, free_bytes=599_999_999), "disk", Grade.STOP),
        (replace(WELL, year=1970), "clock", Grade.STOP),
        (replace(WELL, clock_synced=False), "clock", Grade.WARN),
        (replace(WELL, devices={"overhead": ("uvc:x", "missing")}), "device.overhead", Grade.STOP),
        (replace(WELL, devices={"overhead": ("uvc:x", "busy")}), "device.overhead", Grade.WARN),
        (replace(WELL, devices={"nfc": ("serial:x/pn532", "denied")}), "device.nfc", Grade.WARN),
        (replace(WELL, devices={"overhead": ("none:", "missing")}), "device.overhead", Grade.WARN),
        (replace(WELL, controls={"overhead": ()}), "controls.overhead", Grade.WARN),
        (
            replace(WELL, controls={"overhead": (Control("focus", ControlState.REFUSED),)}),
            "controls.overhead",
            Grade.WARN,
        ),
    ],
)
def test_each_trouble_is_graded_and_says_what_to_do(machine: Machine, code: str, grade: Grade) -> None:
    finding = found(machine, code)
    assert finding.grade is grade
    assert finding.detail
    assert any("一" <= c <= "鿿" for c in finding.do_zh)
    assert finding.do_en


def test_the_addresses_of_what_is_plugged_in_are_told_as_the_settings_want_them() -> None:
    assert found(WELL, "cameras").detail == "uvc:by-id/cam"
    assert found(replace(WELL, cameras=()), "cameras").grade is Grade.OK


def test_nobody_tells_of_the_clock_is_no_trouble() -> None:
    assert found(replace(WELL, clock_synced=None), "clock").grade is Grade.OK


def test_devices_of_the_settings_are_opened(tmp_path: Path) -> None:
    settings = Settings(
        camera=CameraSettings(overhead=f"file:{tmp_path / 'none.mp4'}", label="none:"),
        nfc=NfcSettings(address="none:"),
        scanner=ScannerSettings(address="serial:/dev/does-not-exist/scanner"),
    )
    devices = look(StationFolder(tmp_path), settings).devices
    assert set(devices) == {"overhead", "label", "nfc", "scanner"}
    assert devices["overhead"][1].startswith("missing")
    assert devices["scanner"][1].startswith("missing")


def test_both_cameras_are_named_and_the_one_that_is_missing(tmp_path: Path) -> None:
    """The label camera stops nobody; the overhead one does."""
    for missing, grade in (("overhead", Grade.STOP), ("label", Grade.WARN)):
        cameras = {"overhead": "uvc:by-id/a", "label": "uvc:by-id/b"}
        devices = {role: (at, "missing" if role == missing else "") for role, at in cameras.items()}
        machine = replace(WELL, devices=devices)
        lost, other = (found(machine, f"device.{role}") for role in (missing, ({*cameras} - {missing}).pop()))
        assert (lost.grade, other.grade) == (grade, Grade.OK)
        assert f"the {missing} camera" in lost.do_en
    none = found(replace(WELL, devices={"label": ("none:", "")}), "device.label")
    assert none.grade is Grade.OK
    assert "none set up" in none.detail
    settings = Settings(camera=CameraSettings(overhead="none:", label=f"file:{tmp_path / 'none.mp4'}"))
    address, trouble = look(StationFolder(tmp_path), settings).devices["label"]
    assert address.startswith("file:")
    assert trouble.startswith("missing")


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    folder = StationFolder(tmp_path / "a" / "b")
    assert found(look(folder, Settings()), "disk").detail.endswith("MB free")
    assert not folder.root.exists()


def test_the_command_answers_in_json_and_tells_a_person(tmp_path: Path) -> None:
    out, err = StringIO(), StringIO()
    settings = Settings(camera=CameraSettings(overhead="file:nowhere.mp4"))
    assert run_doctor(StationFolder(tmp_path), settings, out, err) == 3
    told = json.loads(out.getvalue())
    assert told["ok"] is False
    assert [f["code"] for f in told["findings"]] == [f.code for f in examine(StationFolder(tmp_path), settings)]
    assert "✗ device.overhead" in err.getvalue()
