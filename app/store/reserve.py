"""A file of real blocks beside the database, given back when the disk is full, so that the last record still fits."""

from __future__ import annotations

import os
from pathlib import Path

from app.platform import free_bytes, reserve_bytes
from app.store.results import Room

RESERVE_BYTES = 64 << 20


class Reserve:
    """The reserve of one database. With `size` 0 there is none."""

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size

    def fill(self) -> bool:
        """Make the reserve whole if the disk has at least twice its size free; True when it is whole."""
        if self._intact():
            return True
        if free_bytes(self._path.parent) < 2 * self._size:
            return False
        try:
            self._allocate()
        except OSError:  # full after all: the few blocks go back, the reserve counts as spent
            self._path.unlink(missing_ok=True)
        return self._intact()

    def spend(self) -> bool:
        """Give the blocks back to the disk; False when there were none left to give."""
        if not self._path.exists() or self._path.stat().st_size == 0:
            return False
        self._path.unlink()
        return True

    def room(self) -> Room:
        return Room(free_bytes(self._path.parent), self._intact())

    def _intact(self) -> bool:
        return self._size == 0 or (self._path.exists() and self._path.stat().st_size >= self._size)

    def _allocate(self) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            reserve_bytes(fd, self._size)
            os.fsync(fd)
        finally:
            os.close(fd)
