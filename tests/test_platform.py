"""What the product asks of the operating system."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import platform
from app.paths import StationFolder
from app.server.setup import init


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


DUMPING = 'ulimit -c unlimited; cd "$0"; exec "$@"'
"""A shell whose child may leave as large a dump as it likes, in the folder it is told."""


@pytest.mark.skipif(sys.platform != "linux", reason="dumps are switched off on Linux")
@pytest.mark.parametrize(
    ("program", "deadly"), [("serve", signal.SIGABRT), ("recorder", signal.SIGSEGV), ("eye", signal.SIGABRT)]
)
def test_a_program_that_is_killed_in_the_middle_leaves_no_dump(tmp_path: Path, program: str, deadly: int) -> None:
    cores, folder = tmp_path / "cores", tmp_path / "folder"
    cores.mkdir()
    options = ("--data", str(folder), "--port", "0") if program == "serve" else ("--folder", str(folder))
    init(folder) if program == "serve" else folder.mkdir()
    argv = ["bash", "-c", DUMPING, str(cores), sys.executable, "-m", "app", program, *options]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "XDG_RUNTIME_DIR": str(tmp_path)}
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    limits = Path(f"/proc/{child.pid}/limits")
    for _ in range(1200):
        if re.search(r"Max core file size +0 +0 ", limits.read_text()):
            break
        time.sleep(0.05)
    assert _dumped(child, deadly) == (False, [])


def _dumped(child: subprocess.Popen[bytes], deadly: int) -> tuple[bool, list[str]]:
    """Whether the kernel says that it dumped, and what lies in the folder."""
    cores = Path(os.readlink(f"/proc/{child.pid}/cwd"))
    os.kill(child.pid, deadly)
    _, status = os.waitpid(child.pid, 0)
    child.returncode = -deadly
    for end in (child.stdin, child.stdout):
        if end is not None:
            end.close()
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == deadly
    return os.WCOREDUMP(status), [one.name for one in cores.iterdir()]


@pytest.mark.skipif(sys.platform != "linux", reason="dumps are switched off on Linux")
def test_one_that_does_not_care_would_have_left_one(tmp_path: Path) -> None:
    """Else the test above would hold for nothing. Where the machine itself allows no dump there is nothing to see."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("no process of this machine may dump")
    argv = [
        "bash",
        "-c",
        DUMPING,
        str(tmp_path),
        sys.executable,
        "-c",
        "print(flush=True); import time; time.sleep(60)",
    ]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert _dumped(child, signal.SIGABRT)[0]


HOLDS_WHAT_IT_FREED = """
import os
from pathlib import Path
from app.platform import give_back_free_memory

def held_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

blocks = [b"x" * 60_000 for _ in range(1600)]  # below what malloc maps on its own, and so lets go by itself
most_mb, last = held_mb(), blocks[-1]  # the last one holds the heap's end
blocks.clear()
freed_mb = held_mb()
give_back_free_memory()
print(most_mb - freed_mb, freed_mb - held_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own")
def test_memory_that_was_freed_is_given_back() -> None:
    run = [sys.executable, "-c", HOLDS_WHAT_IT_FREED]
    by_itself_mb, by_us_mb = map(float, subprocess.check_output(run, text=True).split())
    assert by_itself_mb < 10 < 80 < by_us_mb


def test_boot_id_stays() -> None:
    assert platform.boot_id() == platform.boot_id() != ""
    assert platform.free_bytes(Path.cwd()) > 0


def test_a_disk_that_is_full_has_a_word_of_its_own() -> None:
    for full in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        assert platform.disk_trouble(OSError(full, ""), "x", "other").code == "store.disk_full"
    told = [platform.disk_trouble(OSError(errno.EACCES, ""), "x", *other).code for other in ((), ("other",))]
    assert told == ["store.io", "other"]
