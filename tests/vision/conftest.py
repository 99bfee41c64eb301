"""The text models, loaded once for all tests of this folder."""

from __future__ import annotations

import pytest

from app.core.products import Catalogue
from app.eye.oneshot import make_looker
from app.vision.look import Looker


@pytest.fixture(scope="session")
def looker() -> Looker:
    return make_looker(Catalogue(), threads=1)
