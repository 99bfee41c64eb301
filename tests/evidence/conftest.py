"""Small recordings without pictures: fragments of made-up bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.evidence.journal import NO_HASH, Signer
from app.evidence.writer import Origin, RecordingKeys, RecordingWriter, create_recording
from app.recorder.sink import Take

KEYS = RecordingKeys(bytes(range(32)), bytes(range(50, 82)))


def content(n: int) -> bytes:
    return bytes((n * 7 + k) % 256 for k in range(100 + 13 * n))


def _record(
    folder: Path,
    fragments: int = 6,
    parts: int = 2,
    previous: str = NO_HASH,
    rehearsal: bool = True,
    write: Callable[[int, bytes], None] | None = None,
) -> RecordingWriter:
    """Parts of a header and their share of fragments, an event between; not closed."""
    origin = Origin("r1", "sim:deck", True, rehearsal, "0.1.0", previous, {"parcel": "P1"})
    writer = create_recording(folder, KEYS, origin) if write is None else create_recording(folder, KEYS, origin, write)
    for n in range(fragments):
        if n % (fragments // parts) == 0:
            writer.begin_part(64, 48, writer.pts(5_000_000 + n * 500_000))
            writer.add_init(b"header" * 20)
        writer.add_fragment(content(n), n * 500_000, n * 500_000 + 466_666, 15, 0)
        if n == 2:
            writer.note("event", event="card.kept", body={"card": "c1", "mask": [1, 2]})
            quad = [1, 2, 3, 4, 5, 6, 7, 8]
            writer.note("mask", reason="pin", from_pts=0, to_pts=10, zones=[{"kind": "pin", "quad": quad}])
    return writer


@pytest.fixture(scope="session")
def record() -> Callable[..., RecordingWriter]:
    return _record


@pytest.fixture(scope="session")
def keys() -> RecordingKeys:
    return KEYS


@pytest.fixture(scope="session")
def public_key() -> str:
    return Signer(KEYS.signing).public_key


@pytest.fixture(scope="session")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed recording of two parts with three fragments each. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("closed") / "r1"
    _record(folder).close("sealed")
    return folder


@pytest.fixture(scope="session")
def quick() -> str | None:
    """Where to put the many small recordings of a search: in memory, where syncing costs nothing."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@pytest.fixture(scope="session")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a minute at 30 pictures a second, 64 x 48, that can be played."""
    folder = tmp_path_factory.mktemp("minute") / "r"
    take = Take("r", create_recording(folder, KEYS, Origin("r", "file:t", True, True, "t")), lambda _told: None)
    dice = np.random.default_rng(1)
    for n in range(60 * 30):
        planes = np.full(64 * 48 * 3 // 2, 16 + n % 200, np.uint8)
        planes[: 64 * 24] = dice.integers(0, 255, 64 * 24)
        take.frame(planes, 1_000_000 + n * 33_333, 64, 48)
    take.close("done")
    return folder
