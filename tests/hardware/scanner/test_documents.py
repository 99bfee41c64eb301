"""Sheets from a folder and from SANE: finished ones only, each once, trouble by its reason."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.catalog import open_documents
from hardware.errors import DeviceError, DeviceReason
from hardware.ports import LEFT_S, SheetFault
from hardware.scanner.folder import SETTLED_S, FolderScanner

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 40 + b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG = b"\xff\xd8" + b"y" * 40 + b"\xff\xd9"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scanner(tmp_path: Path, clock: Clock) -> FolderScanner:
    return FolderScanner("folder:x", tmp_path, clock)


def looked(scanner: FolderScanner, clock: Clock) -> str | None:
    """What comes out when the folder is looked at, and again after the settling time."""
    first = scanner.read(0)
    clock.now_s += SETTLED_S + 0.05
    sheet = first or scanner.read(0)
    return None if sheet is None else sheet.name


def test_a_file_comes_out_once_with_its_bytes(scanner: FolderScanner, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    assert scanner.read(0) is None, "not before it has stood still"
    clock.now_s += SETTLED_S + 0.05
    sheet = scanner.read(0)
    assert sheet is not None
    assert (sheet.name, sheet.data, sheet.sha256) == ("a.png", PNG, hashlib.sha256(PNG).hexdigest())
    assert scanner.idle
    assert looked(scanner, clock) is None
    assert "x" * 20 not in repr(sheet)


def test_a_half_written_file_is_waited_for(scanner: FolderScanner, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for end in range(8, len(PNG), 16):
        path.write_bytes(PNG[:end])
        assert looked(scanner, clock) is None
        assert not scanner.idle
    path.write_bytes(PNG)
    assert scanner.read(0) is None, "it has just changed"
    assert looked(scanner, clock) == "a.png"


@pytest.mark.parametrize(("name", "data"), [("a.jpg", JPEG[:-2]), ("a.png", b""), ("b.png", PNG[:20])])
def test_a_file_that_stands_still_without_its_end_comes_out_as_it_is_in_the_end(
    scanner: FolderScanner, clock: Clock, tmp_path: Path, name: str, data: bytes
) -> None:
    """It was waited for without end, and without a word."""
    (tmp_path / name).write_bytes(data)
    for _ in range(5):
        assert looked(scanner, clock) is None
    assert not scanner.idle
    clock.now_s += LEFT_S
    sheet = scanner.read(0)
    assert sheet is not None
    assert (sheet.name, sheet.data, sheet.fault) == (name, data, None)
    assert scanner.idle
    assert looked(scanner, clock) is None
    (tmp_path / name).write_bytes(PNG)
    assert scanner.read(0) is None, "it has just changed"
    assert looked(scanner, clock) == name, "somebody went on writing it after all"


def test_what_stands_still_without_its_end_is_not_read_again_and_again(
    scanner: FolderScanner, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one on a slow network was read whole seven times a second."""
    whole, reads = Path.read_bytes, list[Path]()

    def counted(path: Path) -> bytes:
        reads.append(path)
        return whole(path)

    (tmp_path / "a.png").write_bytes(PNG[:20])
    monkeypatch.setattr(Path, "read_bytes", counted)
    for _ in range(8):
        assert looked(scanner, clock) is None
    assert len(reads) == 1
    (tmp_path / "a.png").write_bytes(PNG)
    assert scanner.read(0) is None, "it has just changed"
    assert looked(scanner, clock) == "a.png"


def test_what_cannot_be_opened_is_told_after_the_same_time(
    scanner: FolderScanner, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "held.png").write_bytes(PNG)
    (tmp_path / "vast.tif").touch()
    os.truncate(tmp_path / "vast.tif", 500_000_000)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert looked(scanner, clock) is None
    clock.now_s += LEFT_S
    sheets = [scanner.read(0), scanner.read(0)]
    told = {sheet.name: sheet.fault for sheet in sheets if sheet is not None}
    assert told == {"held.png": SheetFault.DENIED, "vast.tif": SheetFault.TOO_LARGE}
    assert scanner.idle


@pytest.mark.parametrize("name", ["f.pdf", "notes.txt", "scan", "F.PDF"])
def test_what_is_no_picture_is_told_once(scanner: FolderScanner, clock: Clock, tmp_path: Path, name: str) -> None:
    """A scanner that writes PDF, as most do, was passed over in silence."""
    (tmp_path / name).write_bytes(b"%PDF-1.4")
    assert scanner.read(0) is None
    assert not scanner.idle
    clock.now_s += SETTLED_S + 0.05
    sheet = scanner.read(0)
    assert sheet is not None
    assert (sheet.name, sheet.data, sheet.fault) == (name, b"", SheetFault.NO_PICTURE)
    (tmp_path / name).write_bytes(b"%PDF-1.4 and more")
    assert looked(scanner, clock) is None
    assert scanner.idle


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.png", "a.png.part", "a.tmp", "scan.png~", "a.pdf.crdownload", "b.PARTIAL", "~$x.docx"),
        *("Thumbs.db", ".DS_Store", "desktop.ini"),
    ],
)
def test_what_is_no_sheet_is_left_alone(scanner: FolderScanner, clock: Clock, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PNG)
    assert looked(scanner, clock) is None
    assert scanner.idle


def test_a_folder_in_the_folder_is_left_alone(scanner: FolderScanner, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "old.png").mkdir()
    (tmp_path / "done").mkdir()
    clock.now_s += LEFT_S
    assert looked(scanner, clock) is None
    assert scanner.idle


def test_the_oldest_first_and_a_rewritten_one_again(scanner: FolderScanner, clock: Clock, tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(PNG)
    names = [looked(scanner, clock), looked(scanner, clock)]
    assert sorted(filter(None, names)) == ["a.png", "b.png"]
    (tmp_path / "a.png").write_bytes(PNG[:20] + b"other" + PNG[20:])
    looked(scanner, clock)
    assert scanner.idle or looked(scanner, clock) == "a.png"


def test_a_folder_that_goes_away(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "in"
    with pytest.raises(DeviceError) as missing:
        open_documents(f"folder:{folder}")
    assert missing.value.reason is DeviceReason.MISSING
    folder.mkdir()
    scanner = FolderScanner("folder:in", folder, clock)
    folder.rmdir()
    with pytest.raises(DeviceError) as lost:
        scanner.read(0)
    assert lost.value.reason is DeviceReason.LOST


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
@settings(max_examples=30)
def test_however_it_is_written_it_comes_out_whole(pieces: list[int]) -> None:
    folder, clock = Path(tempfile.mkdtemp()), Clock()
    scanner = FolderScanner("folder:x", folder, clock)
    written = b""
    try:
        for piece in pieces:
            written = PNG[: len(written) + piece]
            (folder / "a.png").write_bytes(written)
            sheet = scanner.read(0)
            assert sheet is None or sheet.data == PNG
            clock.now_s += SETTLED_S + 0.05
        (folder / "a.png").write_bytes(PNG)
        assert {looked(scanner, clock), looked(scanner, clock), written == PNG and "a.png"} & {"a.png"}
    finally:
        shutil.rmtree(folder)


def fake_scanimage(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A scanimage of our own in front of the path: a program that does what a broken device does."""
    program = folder / "scanimage"
    program.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit('scanimage: sane_start: Document feeder out of documents')", DeviceReason.ENDED),
        ("sys.exit('scanimage: open of device x failed: Device busy')", DeviceReason.BUSY),
        ("sys.exit('scanimage: open of device x failed: Access to resource has been denied')", DeviceReason.DENIED),
        ("sys.exit('scanimage: open of device x failed: Invalid argument')", DeviceReason.MISSING),
        ("sys.exit(7)", DeviceReason.GARBLED),
        ("print('no picture')", DeviceReason.GARBLED),
        ("sys.stdout.buffer.write(b'\\x89PNG half')", DeviceReason.GARBLED),
        ("time.sleep(60)", DeviceReason.TIMEOUT),
    ],
)
def test_trouble_of_a_sane_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: DeviceReason
) -> None:
    fake_scanimage(tmp_path, monkeypatch, body)
    scanner = open_documents("sane:x")
    with pytest.raises(DeviceError) as caught:
        scanner.read(1.0 if reason is DeviceReason.TIMEOUT else 60.0)
    assert caught.value.reason is reason


def test_without_scanimage_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="sane-utils"):
        open_documents("sane:test")


@pytest.mark.parametrize("address", ["sane:test?dpi=9", "sane:test?dpi=x", "sane:test?speed=9", "sane:", "tape:x"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(DeviceError):
        open_documents(address)


def test_sanes_own_test_device() -> None:
    if shutil.which("scanimage") is None:
        pytest.skip("scanimage is not installed (package sane-utils)")
    scanner = open_documents("sane:test?dpi=75&test-picture=Grid")
    sheet = scanner.read(60.0)
    assert sheet is not None
    assert sheet.data.startswith(b"\x89PNG")
    assert scanner.info.simulated
