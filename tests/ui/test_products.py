"""The product screen with the real desk: a barcode bound by keys alone, known at once, taken back in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from app.catalog.shelf import shipped
from app.core.parcels import Operator
from app.core.readiness import RecMode
from app.core.states import Idle, Reading, Waiting
from app.paths import RESOURCES
from tests.station.filmed import CLERK, SUPERVISOR
from tests.station.test_cataloguing import LONELY, Asked
from ui import samples, samples_products, shots
from ui.bridge import Bridge
from ui.present_products import Choosing, Task, products
from ui.products import Products
from ui.scene import Scene
from ui.views import GoState
from ui.window import Window, WindowSettings
from ui.work_views import WorkView

OFF = samples.around(RecMode.OFF)


class Seat:
    """Somebody before the window of a station with unknown barcodes."""

    def __init__(self, qtbot: QtBot, asked: Asked, who: Operator) -> None:
        self.qtbot, self.asked = qtbot, asked
        bridge = Bridge(lambda _event: None)
        asked.adopting.add(lambda _sources, catalogue: bridge.learn(catalogue))  # as assembly joins them
        self.window = Window(bridge, shipped(), RESOURCES, WindowSettings(volume=0.0), catalogue_desk=asked.desk)
        self.window.resize(1440, 900)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.window.show_state(Idle(who), OFF)
        assert self.window.products is not None
        self.products: Products = self.window.products

    def key(self, name: str) -> None:
        self.window.press(name)

    def type(self, text: str) -> None:
        field = self.window.focusWidget()
        assert isinstance(field, QLineEdit)
        if text.isascii():
            QTest.keyClicks(field, text)
        else:  # as an input method does
            committed = QInputMethodEvent()
            committed.setCommitString(text)
            QCoreApplication.sendEvent(field, committed)

    def until(self, good: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(good, timeout=60_000)

    def enter(self) -> None:
        self.key("Ctrl 6")
        self.until(lambda: self.choosing.standing is not None)

    @property
    def choosing(self) -> Choosing:
        assert self.products.choosing is not None
        return self.products.choosing

    @property
    def go(self) -> Any:
        return self.window.choosing.keys.go.view


@pytest.fixture
def seat(qtbot: QtBot, asked: Asked) -> Iterator[Seat]:
    one = Seat(qtbot, asked, SUPERVISOR)
    yield one
    one.window.close()


def test_a_clerk_does_not_get_in(qtbot: QtBot, asked: Asked) -> None:
    seat = Seat(qtbot, asked, CLERK)
    seat.key("Ctrl 6")
    assert not seat.products.open
    assert seat.window.pages.currentWidget() is seat.window.work
    assert isinstance(seat.window.view, WorkView)
    assert "credit-card" not in {item.icon for item in seat.window.view.frame.nav}
    seat.window.close()


def test_bound_by_keys_alone_and_taken_back(seat: Seat) -> None:
    seat.enter()
    assert seat.choosing.gtin is not None
    assert seat.choosing.gtin.gtin == LONELY
    assert seat.go.state is GoState.BLOCKED
    seat.key("F3")
    seat.type("jdek")
    assert seat.choosing.found[0].id == "jd-e-card"
    QTest.keyClick(seat.window.focusWidget(), Qt.Key.Key_Down)
    QTest.keyClick(seat.window.focusWidget(), Qt.Key.Key_Up)
    seat.key("Enter")
    assert seat.choosing.picked is not None
    assert seat.go.state is GoState.BLOCKED, "not without a reason"
    seat.type("new shelf")
    assert seat.go.state is GoState.READY
    seat.key("Enter")
    seat.until(lambda: bool(seat.choosing.done))
    assert [one.gtin for one in seat.choosing.unknown] != [LONELY]
    product = seat.window._catalogue.by_gtin(LONELY)
    assert product is not None
    assert product.id == "jd-e-card", "the screen names it at once"
    seat.key("3")
    assert seat.choosing.task is Task.CHANGES
    assert seat.choosing.change is not None
    seat.key("F6")
    seat.type("wrong")
    seat.key("Enter")
    seat.until(lambda: seat.choosing.changes == ())
    assert seat.window._catalogue.by_gtin(LONELY) is None
    seat.key("Esc")
    assert not seat.products.open
    assert seat.window.pages.currentWidget() is seat.window.work


def test_a_scanned_code_is_the_one_to_bind_unless_it_is_known(seat: Seat) -> None:
    seat.enter()
    seat.window._scanned("6901234099997")
    assert seat.choosing.gtin is not None
    assert seat.choosing.gtin.gtin == "06901234099997"
    assert seat.choosing.gtin.cards == 0
    known = next(gtin for product in shipped().products for gtin in sorted(product.gtins))
    seat.window._scanned(known)
    assert seat.choosing.trouble == "catalog.gtin_known"
    seat.window._scanned("SF1420773191834")
    assert seat.choosing.trouble == "catalog.bad_binding"


def test_between_two_cards_it_may_be_open_but_a_card_closes_it(seat: Seat) -> None:
    visit = samples.visit()
    seat.window.show_state(Waiting(replace(visit, operator=SUPERVISOR)), samples.around(RecMode.ON))
    seat.enter()
    assert seat.window.pages.currentWidget() is seat.window.choosing
    assert seat.window.choosing.top.rec.isVisible(), "the REC block stays while a parcel is filmed"
    seat.window.show_state(Reading(replace(visit, operator=SUPERVISOR)), samples.around(RecMode.ON))
    assert not seat.products.open
    assert seat.window.pages.currentWidget() is seat.window.work


def test_esc_goes_back_one_level_at_a_time(seat: Seat) -> None:
    seat.enter()
    seat.key("F3")
    seat.type("jdek")
    seat.key("Enter")
    seat.key("Esc")
    assert seat.choosing.picked is None
    assert seat.window.choosing.search.field.hasFocus()
    seat.key("Esc")
    assert seat.products.open
    seat.key("Esc")
    assert not seat.products.open


@pytest.mark.parametrize("name", sorted(shots.PRODUCTS))
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [(1440, 900), (1366, 768)])
def test_no_word_is_cut(name: str, language: str, size: tuple[int, int]) -> None:
    cut: list[str] = []
    screen = shots.product_screen(shots.PRODUCTS[name](), size, "light", language)
    screen.look.on_cut = lambda text, _widget: cut.append(text)
    screen.grab()
    screen.close()
    assert cut == []


def test_cards_of_one_name_are_told_apart_by_what_stands_first() -> None:
    """A line too long loses its end: there stood the face value, the one thing in which the two differ."""
    scene = Scene(samples.around(RecMode.OFF), samples.catalogue(), "en")
    rows = products(scene, samples_products.searching()).find.found
    assert [row.sub.split("  ·  ")[0] for row in rows[:2]] == ["¥500", "¥200"]
    assert rows[0].title == rows[1].title
