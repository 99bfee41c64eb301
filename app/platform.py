"""The only place that knows the operating system: durable files, locks, priorities, the runtime folder, sockets.

Linux is what the product is proved on. Each function says what it does on Windows; nothing here has been run there
yet, so every Windows branch counts as *unproved* until a test machine says otherwise.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import StorageTrouble

_UNIX_SOCKET_PATH_MAX = 107  # sun_path holds 108 bytes with its closing zero (unix(7))
_ENDS = (signal.SIGINT, signal.SIGTERM)
_PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def runtime_dir() -> Path:
    """A private folder (0700) for sockets, locks and frames; in memory on Linux, gone after a reboot.

    `$XDG_RUNTIME_DIR/cardintake`, else `/dev/shm/cardintake-UID`, else the temporary folder (which may be a disk).
    Windows: `%LOCALAPPDATA%\\cardintake\\runtime`, on disk, protected by the profile's permissions (unproved).
    Raises PermissionError when the folder is there but belongs to somebody else.
    """
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir()))
        return private_folder(root / "cardintake" / "runtime")
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given and os.access(given, os.W_OK | os.X_OK):
        return private_folder(Path(given) / "cardintake")
    memory = Path("/dev/shm")
    root = memory if os.access(memory, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return private_folder(root / f"cardintake-{os.getuid()}")


def private_folder(path: Path) -> Path:
    """Make `path` (0700) if it is missing and give it back. Raises PermissionError if it is a link or not ours.

    Windows: permissions are inherited, the mode is ignored (unproved).
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform != "win32":
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "not a folder of ours", str(path))
        if found.st_mode & 0o077:
            path.chmod(0o700)
    return path


def durable_write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data` so that after a power cut there is either the old or the new content, never half.

    Windows: no folder fsync exists; `os.replace` alone decides (unproved). Raises OSError; `path` is then untouched.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), mode)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def has_no_room(trouble: OSError) -> bool:
    """Whether it says that the disk, the quota or the file is full."""
    return trouble.errno in _NO_ROOM


def disk_trouble(trouble: OSError, detail: str, otherwise: str = "store.io") -> StorageTrouble:
    """What it is called that a disk did not take: store.disk_full where nothing more goes in, `otherwise` else."""
    return StorageTrouble("store.disk_full" if has_no_room(trouble) else otherwise, detail)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte of `data`, looping on short writes. Raises OSError with part of it possibly written."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def fdatasync(fd: int) -> None:
    """Bring a file's bytes (and its length) to the disk. Windows, macOS: `fsync` (unproved)."""
    if sys.platform == "linux":
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def sync_folder(path: Path) -> None:
    """Make names made, renamed or removed in this folder survive a power cut. Nothing to do on Windows (unproved)."""
    if sys.platform == "win32":
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def reserve_bytes(fd: int, size: int) -> None:
    """Give the file `size` bytes of real blocks now, so that no later write into it can meet a full disk.

    Raises OSError(ENOSPC). Windows: the file is only lengthened (unproved whether that reserves blocks).
    """
    if sys.platform == "linux":
        os.posix_fallocate(fd, 0, size)
    else:
        os.ftruncate(fd, size)


def lock_file(fd: int) -> bool:
    """Take the exclusive lock on an open file without waiting; False when another process holds it.

    The lock goes with the process, however it ends. Windows: one byte far behind the end is locked, because locks
    there also forbid reading (unproved).
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415  exists on Windows only

        os.lseek(fd, 0x7FFF0000, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
        return True
    import fcntl  # noqa: PLC0415  exists on POSIX only

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lower_priority(steps: int) -> None:
    """Let others go first: `nice` by `steps` (0..19). Windows: below-normal priority class (unproved)."""
    if sys.platform == "win32":
        below_normal = 0x4000
        ctypes.windll.kernel32.SetPriorityClass(ctypes.windll.kernel32.GetCurrentProcess(), below_normal)
    elif steps > 0:
        os.nice(steps)


def connection_address(folder: Path, name: str) -> str:
    """Where program `name` of the runtime `folder` listens: a Unix socket in it, on Windows a named pipe (unproved).

    Both are understood by `multiprocessing.connection`. Raises OSError(ENAMETOOLONG) for a folder too deep.
    """
    if sys.platform == "win32":
        key = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        return rf"\\.\pipe\cardintake-{key}-{name}"
    path = str(folder / f"{name}.sock")
    if len(os.fsencode(path)) > _UNIX_SOCKET_PATH_MAX:
        raise OSError(errno.ENAMETOOLONG, "runtime folder too deep for a socket", path)
    return path


def break_connection(fd: int) -> None:
    """Wake whoever is blocked on this connection; they see its end. Windows: does nothing (unproved)."""
    if sys.platform == "win32":
        return
    try:
        with socket.socket(fileno=os.dup(fd)) as twin:
            twin.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it had ended by itself


def start_detached(argv: list[str], log: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program that outlives us: own session, no terminal; `log` (a file number) takes its output.

    The caller reaps it (`wait`). Windows: detached process in its own group (unproved). Raises OSError.
    """
    out = subprocess.DEVNULL if log is None else log
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, creationflags=flags)
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)


def kill_process(pid: int) -> None:
    """End a process at once, without asking it. Nothing happens if it is gone. Windows: TerminateProcess (unproved)."""
    try:
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    except ProcessLookupError:
        return


def kill_session(pid: int) -> None:
    """End a program that leads a session of its own, and all that it started. Windows: the program only (unproved)."""
    if sys.platform != "win32":
        try:
            os.killpg(pid, signal.SIGKILL)
            return
        except (ProcessLookupError, PermissionError):
            pass  # its session is no longer, or not yet, there
    kill_process(pid)


def free_bytes(path: Path) -> int:
    """Bytes that an ordinary user may still write on the disk that holds `path`."""
    return shutil.disk_usage(path).free


def process_alive(pid: int) -> bool:
    """Whether a process with this number runs (a zombie does not). Windows: asks for a handle (unproved)."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return after_name.split()[:1] in (["Z"], ["X"])


def keep_memory_private() -> None:
    """No core dumps and no debugger of the same user: keys and pictures of this process stay in it.

    Windows: nothing is done; error reporting may still write dumps (unproved).
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  exists on POSIX only

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def give_back_free_memory() -> None:
    """Return to the system what this process has freed; call it now and then in what runs for days.

    glibc keeps freed memory in an arena per thread, so a burst (a disk that was slow for a minute) would be held for
    good. Takes milliseconds (malloc_trim(3)). Other C libraries, macOS and Windows: nothing is done (unproved).
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def boot_id() -> str:
    """Names this start of the machine; monotonic times compare only within one. Windows: its minute (unproved)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"booted-minute-{int((time.time() - time.monotonic()) // 60)}"


@contextmanager
def interrupts_between_steps() -> Iterator[Callable[[], None]]:
    """Ctrl-C and SIGTERM are KeyboardInterrupt only where the function that this gives is called, and at its end.

    For work in which FFmpeg calls back into Python to read or write: what is raised there is lost, it takes it for the
    end of the file and goes on. In other threads than the main one there are no signals, and this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    said: list[int] = []

    def check() -> None:
        if said:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, lambda one, _: said.append(one)) for number in _ENDS}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    check()
