"""Windows without a screen, and quiet as the product: both are chosen before Qt is imported."""

import os

from app.logs import QT_RULES

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_LOGGING_RULES"] = QT_RULES

import pytest
from PySide6.QtWidgets import QApplication

from tests.station.review_desk import parcel  # noqa: F401  a fixture
from tests.station.test_cataloguing import asked as asked
from tests.ui.review_seat import desk, seat  # noqa: F401  fixtures
from ui.run import application


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """The application of all tests here, styled as the product's."""
    return application(headless=True)


@pytest.fixture(autouse=True)
def _application(qapp: QApplication) -> None:
    """Fonts and widgets need it everywhere."""
