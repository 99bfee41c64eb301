"""A centre of our own, on SQLite in an empty folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server.setup import OpenCentre, init, open_centre


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[OpenCentre]:
    init(tmp_path / "centre")
    opened = open_centre(tmp_path / "centre")
    yield opened
    opened.engine.dispose()
