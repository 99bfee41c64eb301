"""A supervisor before the window, on what the real recorder filmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.core.parcels import Operator
from app.core.readiness import RecMode
from app.core.states import Idle
from app.paths import RESOURCES
from app.station.clock import system_clock
from app.station.reviewing import Reviewing
from app.store.writer import StoreWriter
from tests.station.filmed import SUPERVISOR, FilmedParcel, number_in
from ui import samples
from ui.bridge import Bridge
from ui.present_review import Looking
from ui.review import Review
from ui.window import Window, WindowSettings

OFF = samples.around(RecMode.OFF)


class Seat:
    """A supervisor before the window."""

    def __init__(self, qtbot: QtBot, desk: Reviewing, who: Operator = SUPERVISOR) -> None:
        self.qtbot, self.events = qtbot, list[Any]()
        self.window = Window(
            Bridge(self.events.append), samples.catalogue(), RESOURCES, WindowSettings(volume=0.0), review_desk=desk
        )
        self.window.resize(1440, 900)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.window.show_state(Idle(who), OFF)
        assert self.window.review is not None
        self.review: Review = self.window.review
        self.pictures: list[QImage] = []
        self.review.reel.framed.connect(self.pictures.append)

    def key(self, name: str) -> None:
        self.window.press(name)

    def until(self, good: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(good, timeout=60_000)

    def enter(self) -> None:
        self.key("Ctrl 4")
        self.until(lambda: self.looking.footage is not None and bool(self.pictures))

    @property
    def looking(self) -> Looking:
        assert self.review.looking is not None
        return self.review.looking

    def shown(self, at_us: int) -> int:
        """Go there, wait for the picture, and read the frame's number off it."""
        self.pictures.clear()
        self.review.reel.seek(at_us)
        return self.next_number()

    def still(self) -> None:
        """Wait until pictures stopped coming."""
        seen = -1
        while seen != len(self.pictures):
            seen = len(self.pictures)
            QTest.qWait(150)

    @property
    def number(self) -> int:
        """Of the last picture; -1 when none came."""
        return number_in(_luma(self.pictures[-1])) if self.pictures else -1

    def next_number(self) -> int:
        self.until(lambda: bool(self.pictures))
        QTest.qWait(1)
        return number_in(_luma(self.pictures[-1]))


def _luma(image: QImage) -> np.ndarray[Any, Any]:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return rows[:, : grey.width()]


@pytest.fixture(scope="module")
def desk(parcel: FilmedParcel) -> Iterator[Reviewing]:
    bugs: list[Exception] = []
    store = StoreWriter(parcel.store(), bugs.append)
    store.start()
    one = Reviewing(store, parcel.folder.recordings, parcel.folder.exports, system_clock(), bugs.append)
    one.start()
    yield one
    one.stop()
    store.stop()
    assert bugs == []


@pytest.fixture
def seat(qtbot: QtBot, desk: Reviewing) -> Iterator[Seat]:
    one = Seat(qtbot, desk)
    yield one
    one.window.close()
