"""The camera's newest frames for other programs: YUV 4:2:0 planes in one memory-mapped private file.

The recorder owns the file: creates it (0600, in the runtime folder), wipes it with zeros and removes it. Readers
(the window's preview, the eye) map it read-only, copy the newest slot and never hold anybody up.

    header   16 words of 64 bit: magic, version, width, height, slots, newest seq        (one page)
    slot     8 words: lock, seq, mono_us, then the planes Y, U, V without padding        (whole pages)

`lock` is a sequence lock: odd while the slot is written; a reader whose copy saw two different or odd values throws
it away and tries again. Words are aligned and written as one store. The order of stores is what x86-64 gives by
itself; on ARM a torn picture is unlikely but not ruled out, which a preview bears.

Frame numbers start at the monotonic microsecond at which the writer was made, so a restarted recorder's numbers
are above those of the one before it, and a reader's "newer than" stays true across the restart.
"""

from __future__ import annotations

import mmap
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.platform import private_folder, reserve_bytes

Plane = NDArray[np.uint8]
_Words = NDArray[np.uint64]

_MAGIC = int.from_bytes(b"CIFRAMES", "little")
_VERSION = 1
_PAGE = 4096
_TRIES = 8
_SLOT_WORDS = 8
_WIPE_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """A copy of one frame: `y` (height, width), `u` and `v` (height/2, width/2), uint8; `mono_us` its arrival."""

    seq: int
    mono_us: int
    y: Plane
    u: Plane
    v: Plane


@dataclass(frozen=True, slots=True)
class HalfFrame:
    """Half the size, all three planes (height/2, width/2) uint8, so colours need no resampling."""

    seq: int
    mono_us: int
    y: Plane
    u: Plane
    v: Plane


@dataclass(frozen=True, slots=True)
class _Layout:
    width: int
    height: int
    slots: int

    @property
    def frame_bytes(self) -> int:
        return self.width * self.height * 3 // 2

    @property
    def slot_bytes(self) -> int:
        whole = _SLOT_WORDS * 8 + self.frame_bytes
        return (whole + _PAGE - 1) // _PAGE * _PAGE

    @property
    def file_bytes(self) -> int:
        return _PAGE + self.slots * self.slot_bytes

    def at(self, index: int) -> int:
        return _PAGE + index * self.slot_bytes


class FrameWriter:
    """The recorder's side. Width and height are even and stay for the file's life: another size, another writer."""

    def __init__(self, path: Path, width: int, height: int, slots: int = 4) -> None:
        """Create the file, wiping and replacing one left by a killed recorder. Raises OSError (ENOSPC: no memory)."""
        if width % 2 or height % 2 or slots < 2:
            raise ValueError(f"cannot share {width}x{height} in {slots} slots")
        private_folder(path.parent)
        wipe_file(path)
        self._path = path
        self._layout = _Layout(width, height, slots)
        self._map = _create(path, self._layout.file_bytes)
        self._header: _Words = np.frombuffer(self._map, np.uint64, 16)
        self._header[1:6] = (_VERSION, width, height, slots, 0)
        self._seq = time.monotonic_ns() // 1000
        self._header[0] = _MAGIC  # last: from here on readers may look

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self._layout.width, self._layout.height

    def put(self, mono_us: int, planes: Plane) -> int:
        """Publish one frame, give its number. `planes`: Y, U, V one after another, flat, width*height*3/2 bytes."""
        self._seq += 1
        start = self._layout.at(self._seq % self._layout.slots)
        words: _Words = np.frombuffer(self._map, np.uint64, _SLOT_WORDS, start)
        pixels: Plane = np.frombuffer(self._map, np.uint8, self._layout.frame_bytes, start + _SLOT_WORDS * 8)
        words[0] += np.uint64(1)
        words[1], words[2] = self._seq, mono_us
        np.copyto(pixels, planes)
        words[0] += np.uint64(1)
        self._header[5] = self._seq
        return self._seq

    def close(self) -> None:
        """Wipe every picture with zeros and remove the file. Readers see that it has gone."""
        self._header[0] = 0
        del self._header
        self._map[:] = bytes(len(self._map))
        self._map.close()
        self._path.unlink(missing_ok=True)


class FrameReader:
    """A reader's side. Made before, during or after the recorder's life; opens by itself what is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | None = None
        self._layout = _Layout(0, 0, 0)
        self._identity = (0, 0)

    def newest(self, after_seq: int = 0) -> Frame | None:
        """A copy of the newest frame if its number is above `after_seq`, else None (no recorder, no frame yet)."""
        found = self._copy(after_seq, 1)
        return None if found is None else Frame(*found)

    def newest_half(self, after_seq: int = 0) -> HalfFrame | None:
        """Like `newest`, at half size: every second pixel of every second row of `y`, and `u`, `v` as they are."""
        found = self._copy(after_seq, 2)
        return None if found is None else HalfFrame(*found)

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def _copy(self, after_seq: int, step: int) -> tuple[int, int, Plane, Plane, Plane] | None:
        for _ in range(_TRIES):
            if not self._is_current() and not self._open():
                return None
            newest = self._word(5)
            if newest == 0 or newest <= after_seq:
                return None
            found = self._copy_slot(newest, step)
            if found is not None:
                return found
        return None

    def _copy_slot(self, seq: int, step: int) -> tuple[int, int, Plane, Plane, Plane] | None:
        assert self._map is not None
        layout = self._layout
        start = layout.at(seq % layout.slots)
        words: _Words = np.frombuffer(self._map, np.uint64, _SLOT_WORDS, start)
        before, found_seq, mono_us = int(words[0]), int(words[1]), int(words[2])
        pixels: Plane = np.frombuffer(self._map, np.uint8, layout.frame_bytes, start + _SLOT_WORDS * 8)
        y, u, v = split_planes(pixels, layout.width, layout.height)
        copies = y[::step, ::step].copy(), u.copy(), v.copy()
        torn = before % 2 == 1 or int(words[0]) != before or found_seq != seq
        return None if torn else (seq, mono_us, *copies)

    def _word(self, index: int) -> int:
        assert self._map is not None
        return int.from_bytes(self._map[index * 8 : index * 8 + 8], "little")

    def _is_current(self) -> bool:
        if self._map is None or self._word(0) != _MAGIC:
            return False
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False  # the recorder was killed and its successor wiped the file, or is about to make a new one
        return (found.st_dev, found.st_ino) == self._identity

    def _open(self) -> bool:
        self.close()
        try:
            fd = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            found = os.fstat(fd)
            if found.st_size < _PAGE:
                return False
            self._map = mmap.mmap(fd, found.st_size, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        self._identity = (found.st_dev, found.st_ino)
        self._layout = _Layout(self._word(2), self._word(3), self._word(4))
        if self._word(0) == _MAGIC and self._word(1) == _VERSION and self._layout.file_bytes == found.st_size:
            return True
        self.close()
        return False


def split_planes(pixels: Plane, width: int, height: int) -> tuple[Plane, Plane, Plane]:
    """Views of the planes Y, U, V in a flat array of width*height*3/2 bytes."""
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    y = pixels[:luma].reshape(height, width)
    return y, pixels[luma : luma + chroma].reshape(half), pixels[luma + chroma :].reshape(half)


def join_planes(y: Plane, u: Plane, v: Plane) -> Plane:
    """One new flat array with the planes one after another, as `FrameWriter.put` wants them."""
    return np.concatenate((y.reshape(-1), u.reshape(-1), v.reshape(-1)))


def wipe_file(path: Path) -> None:
    """Overwrite a file with zeros and remove it; nothing happens if there is none. Raises OSError."""
    try:
        fd = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return
    try:
        left = os.fstat(fd).st_size
        while left > 0:
            left -= os.write(fd, bytes(min(left, _WIPE_CHUNK)))
    finally:
        os.close(fd)
    path.unlink(missing_ok=True)


def _create(path: Path, size: int) -> mmap.mmap:
    """Appears under its name only when it is whole; its blocks are reserved, or a full /dev/shm would kill us later."""
    partial = path.with_name(path.name + ".new")
    wipe_file(partial)
    fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        reserve_bytes(fd, size)
        mapped = mmap.mmap(fd, size)
        os.replace(partial, path)
        return mapped
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
