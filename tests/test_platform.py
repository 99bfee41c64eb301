"""What the product asks of the operating system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import platform
from app.paths import StationFolder


def test_runtime_dir_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = platform.runtime_dir()
    assert folder == tmp_path / "cardintake"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert platform.runtime_dir().stat().st_mode & 0o777 == 0o700


def test_linked_runtime_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cardintake").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        platform.runtime_dir()


def test_station_folders_have_each_their_own_runtime_folder(tmp_path: Path) -> None:
    one, two = StationFolder(tmp_path / "one"), StationFolder(tmp_path / "two")
    assert one.runtime != two.runtime
    assert one.runtime == StationFolder(tmp_path / "one" / ".." / "one").runtime
    assert len(platform.connection_address(one.runtime, "recorder")) < 108


def test_durable_write_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "note"
    platform.durable_write(path, b"old")
    platform.durable_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o077 == 0
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        platform.durable_write(tmp_path / "folder", b"cannot replace a folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "note"]


def test_a_zombie_does_not_count_as_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not platform.process_alive(child.pid)
    child.wait()
    assert platform.process_alive(os.getpid())
    assert not platform.process_alive(0)


def test_lock_goes_with_its_holder(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert platform.lock_file(first)
    assert not platform.lock_file(second)
    os.close(first)
    assert platform.lock_file(second)
    os.close(second)


def test_memory_is_kept_private() -> None:
    check = (
        "from app.platform import keep_memory_private as keep\n"
        "import resource, ctypes\n"
        "keep()\n"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\n"
        "assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0\n"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_boot_id_stays() -> None:
    assert platform.boot_id() == platform.boot_id() != ""
    assert platform.free_bytes(Path.cwd()) > 0
