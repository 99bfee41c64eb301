"""A folder that a document scanner writes into: each finished picture file comes out once, as its bytes.

By looking again and again, not by the system's notices: those do not come from network drives, which is where office
scanners write. A file is finished when size and time of change have stood still and its last bytes are there.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import DeviceError, DeviceReason
from hardware.ports import DeviceInfo, Sheet

SETTLED_S = 0.6
_LOOK_S = 0.15
_MOST_BYTES = 400 << 20
_KINDS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
_UNFINISHED = (".part", ".tmp", ".crdownload", "~")


@dataclass(slots=True)
class _Seen:
    """A file as it was last seen: size, time of change (ns), and since when both stand still."""

    size: int
    changed_ns: int
    since_s: float


class FolderScanner:
    """Reads a folder. Files that were there from the start count; one that was given out is not given out again."""

    def __init__(self, address: str, folder: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        if not folder.is_dir():
            raise DeviceError(DeviceReason.MISSING, address, "no such folder")
        self._address, self._folder, self._clock_s = address, folder, clock_s
        self._seen: dict[Path, _Seen] = {}
        self._given: dict[Path, tuple[int, int]] = {}

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self._address, f"folder {self._folder.name}")

    def read(self, timeout_s: float) -> Sheet | None:
        """The next finished file, the oldest first; None when none came in time. Raises DeviceError(LOST)."""
        until_s = self._clock_s() + timeout_s
        while True:
            sheet = self._look()
            if sheet is not None:
                return sheet
            if self._clock_s() >= until_s:
                return None
            time.sleep(_LOOK_S)

    @property
    def idle(self) -> bool:
        """Whether every file in the folder was given out: nothing is still being written."""
        return all(self._given.get(path) == _state(path) for path in self._files())

    def close(self) -> None:
        """Nothing is held open."""

    def _files(self) -> list[Path]:
        try:
            found = [path for path in self._folder.iterdir() if _is_sheet(path)]
        except OSError as error:
            raise DeviceError(DeviceReason.LOST, self._address, str(error.strerror)) from error
        return sorted(found, key=lambda path: ((_state(path) or (0, 0))[1], path.name))

    def _look(self) -> Sheet | None:
        now_s = self._clock_s()
        for path in self._files():
            state = _state(path)
            if state is None or self._given.get(path) == state:
                continue
            seen = self._seen.get(path)
            if seen is None or (seen.size, seen.changed_ns) != state:
                self._seen[path] = _Seen(*state, now_s)
            elif now_s - seen.since_s >= SETTLED_S and (data := _whole(path, state)) is not None:
                self._given[path] = state
                return Sheet(path.name, data, hashlib.sha256(data).hexdigest())
        return None


def _is_sheet(path: Path) -> bool:
    name = path.name.lower()
    return path.suffix.lower() in _KINDS and not name.startswith(".") and not name.endswith(_UNFINISHED)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _whole(path: Path, state: tuple[int, int]) -> bytes | None:
    """The bytes of a file that is finished; None while its end is missing, or somebody else holds it."""
    if not 0 < state[0] <= _MOST_BYTES:
        return None
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if len(data) == state[0] and _has_end(data) else None


def _has_end(data: bytes) -> bool:
    """Whether a PNG or JPEG has its last mark; other kinds have none that is looked for."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-16:]
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd9" in data[-64:]
    return True
