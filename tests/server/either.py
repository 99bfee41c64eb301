"""A centre of its own for a test, once over SQLite and once over PostgreSQL: import `where` and `centre`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.server.setup import OpenCentre, init, open_centre


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest) -> str:
    """The address of its database, "" for the file in the folder."""
    if request.param == "sqlite":
        return ""
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()


@pytest.fixture
def centre(tmp_path: Path, where: str) -> Iterator[OpenCentre]:
    init(tmp_path / "centre", where)
    opened = open_centre(tmp_path / "centre", where)
    yield opened
    opened.engine.dispose()
