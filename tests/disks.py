"""Small real disks, where the system lets us mount them, and how they get full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.platform import free_bytes, reserve_bytes


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """`mounted`; skips the test where that is not allowed."""
    with mounted(at, size) as disk:
        if disk is None:
            pytest.skip("mounting a small disk is not allowed here")
        yield disk


@contextmanager
def mounted(at: Path, size: str) -> Iterator[Path | None]:
    """A file system of that size (as mount takes it: "6m") in a new folder; None when that is not allowed.

    Whoever writes there has to be gone at the end.
    """
    at.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Take all of the disk but so many bytes; the file that does it."""
    filler = disk / "filler"
    with filler.open("wb") as out:
        reserve_bytes(out.fileno(), free_bytes(disk) - left)
    return filler
