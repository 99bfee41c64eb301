"""Stations like those of the sync tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.centre import centre as centre
from tests.sync.conftest import new_party


@pytest.fixture(name="make_party")
def _make_party() -> Any:
    return new_party
