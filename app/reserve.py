"""Room kept back on a disk: a file of real blocks, given back when the disk is full, so that the last records fit.

The database has one and the footage has one (a quarter and the rest of `recording.reserve_mb`).
"""

from __future__ import annotations

import os
from pathlib import Path

from app.platform import free_bytes, reserve_bytes

RESERVE_BYTES = 64 << 20
"""The database's, when nothing else is said."""

FOOTAGE_RESERVE = "footage.reserve"
"""Its name in the folder of recordings: one for all of them."""


OWN_RESERVE_BYTES = 4_000_000
"""Of a recording that has one of its own in its folder."""


class Reserve:
    """One file of reserved blocks. With `size` 0 none is laid in; one that lies there can still be spent."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def fill(self) -> bool:
        """Make the reserve whole if the disk has at least twice its size free; True when it is whole."""
        if self.intact:
            return True
        try:
            if self.free_bytes < 2 * self._size:
                return False
            self._allocate()
        except OSError:  # full after all: the few blocks go back, the reserve counts as spent
            self._path.unlink(missing_ok=True)
        return self.intact

    def spend(self) -> bool:
        """Give the blocks back to the disk; False when there were none left to give."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return False
        self._path.unlink(missing_ok=True)
        return size > 0

    @property
    def free_bytes(self) -> int:
        """Of the disk it lies on."""
        return free_bytes(self._path.parent)

    @property
    def intact(self) -> bool:
        return self._size == 0 or (self._path.exists() and self._path.stat().st_size >= self._size)

    def _allocate(self) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            reserve_bytes(fd, self._size)
            os.fsync(fd)
        finally:
            os.close(fd)
