"""What a command was asked to write somewhere, and cannot: a sentence, not the words of a bug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.platform import disk_trouble


@contextmanager
def written(out: Path) -> Iterator[None]:
    """While `out` is written. Raises StorageTrouble: evidence.cannot_write, store.disk_full."""
    try:
        yield
    except OSError as trouble:
        said = f"{out.name}: {trouble.strerror or trouble}"
        raise disk_trouble(trouble, said, "evidence.cannot_write") from trouble
