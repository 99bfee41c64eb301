"""A folder that a document scanner writes into: each finished picture file comes out once, as its bytes.

By looking again and again, not by the system's notices: those do not come from network drives, which is where office
scanners write. A file is finished when size and time of change have stood still and its last bytes are there. One that
stands still for longer without them comes out as it is: nobody goes on writing it, and whoever decodes it says so.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import DeviceError, DeviceReason
from hardware.ports import LEFT_S, DeviceInfo, Sheet, SheetFault

SETTLED_S = 0.6
PNG_END = b"IEND\xaeB`\x82"
"""The last chunk of every PNG with its checksum."""

_LOOK_S = 0.15
_MOST_BYTES = 400_000_000
_KINDS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".opdownload", ".swp", "~")
_CLUTTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})


@dataclass(slots=True)
class _Seen:
    """A file as it was last seen: size, time of change (ns), and since when both stand still."""

    size: int
    changed_ns: int
    since_s: float
    endless: bool = False  # read whole as it stands now, and its end was missing


class FolderScanner:
    """Reads a folder. Files that were there from the start count; one that was given out is not given out again."""

    def __init__(
        self, address: str, folder: Path, clock_s: Callable[[], float] = time.monotonic, left_s: float = LEFT_S
    ) -> None:
        """`left_s`: how long a file without an end is waited for."""
        if not os.path.isdir(folder):
            raise DeviceError(DeviceReason.MISSING, address, "no such folder")
        self._address, self._folder, self._clock_s, self._left_s = address, folder, clock_s, left_s
        self._seen: dict[Path, _Seen] = {}
        self._given: dict[Path, tuple[int, int]] = {}
        self._refused: set[Path] = set()

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
        """Whether every file in the folder was given out, or went away: nothing is still being written."""
        return all(self._is_done(path, _state(path)) for path in self._files())

    def close(self) -> None:
        """Nothing is held open."""

    def _is_done(self, path: Path, state: tuple[int, int] | None) -> bool:
        return state is None or path in self._refused or self._given.get(path) == state

    def _files(self) -> list[Path]:
        try:
            found = [path for path in self._folder.iterdir() if _is_meant(path)]
        except OSError as error:
            raise DeviceError(DeviceReason.LOST, self._address, str(error.strerror)) from error
        return sorted(found, key=lambda path: ((_state(path) or (0, 0))[1], path.name))

    def _look(self) -> Sheet | None:
        now_s = self._clock_s()
        for path in self._files():
            state = _state(path)
            if state is None or self._is_done(path, state):
                continue
            seen = self._seen.get(path)
            if seen is None or (seen.size, seen.changed_ns) != state:
                self._seen[path] = _Seen(*state, now_s)
            elif now_s - seen.since_s >= SETTLED_S:
                is_left = now_s - seen.since_s >= self._left_s
                if seen.endless and not is_left:
                    continue  # nothing has changed in it: reading it again would say the same
                sheet = self._taken(path, seen, is_left)
                if sheet is not None:
                    return sheet
        return None

    def _taken(self, path: Path, seen: _Seen, is_left: bool) -> Sheet | None:
        """A file that stands still as a sheet; None while it is worth waiting for its end."""
        if path.suffix.lower() not in _KINDS:
            self._refused.add(path)  # told once, however often it changes: a log, a table that somebody works on
            return _sheet(path, b"", SheetFault.NO_PICTURE)
        state = seen.size, seen.changed_ns
        data, fault = _read(path, state)
        if data is None or not (is_left or (data and not fault and _has_end(data))):
            seen.endless = data is not None and fault is None
            return None
        self._given[path] = state
        return _sheet(path, data, fault)


def _sheet(path: Path, data: bytes, fault: SheetFault | None) -> Sheet:
    return Sheet(path.name, data, hashlib.sha256(data).hexdigest(), fault)


def _is_meant(path: Path) -> bool:
    """Whether somebody put it there to be read: neither hidden, nor half there, nor what systems leave in folders."""
    name = path.name.lower()
    return not name.startswith((".", "~$")) and not name.endswith(_UNFINISHED) and name not in _CLUTTER


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change of a plain file; None for what is none, or went away."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _read(path: Path, state: tuple[int, int]) -> tuple[bytes | None, SheetFault | None]:
    """The bytes of a file, or why there are none; None while it is growing."""
    if state[0] > _MOST_BYTES:
        return b"", SheetFault.TOO_LARGE
    try:
        data = path.read_bytes()
    except OSError:
        return b"", SheetFault.DENIED
    return (data if len(data) == state[0] else None), None


def _has_end(data: bytes) -> bool:
    """Whether a PNG or JPEG has its last mark; other kinds have none that is looked for."""
    if data.startswith(b"\x89PNG"):
        return data.rstrip(b"\0").endswith(PNG_END)
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd9" in data[-64:]
    return True
