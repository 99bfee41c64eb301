"""The input filter: scanner bursts are never lost and never leak, a lone key acts, a held key is a hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QWindow
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from ui.keys import FLUSH_MS, KeyFilter

CODE = "6901234567892"
WAYBILL = "SF1420 7731918"


class Clock:
    """Time that the test moves: bursts and typing differ by it alone."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A window with a button and a field, its filter, and everything that came through."""

    def __init__(self, qtbot: QtBot, prefix: str = "") -> None:
        self.window = QWidget()
        qtbot.addWidget(self.window)
        layout = QVBoxLayout(self.window)
        self.button, self.field = QPushButton("go"), QLineEdit()
        layout.addWidget(self.button)
        layout.addWidget(self.field)
        self.clock = Clock()
        self.filter = KeyFilter(self.window, prefix=prefix, clock=self.clock)
        self.clicks: list[int] = []
        self.codes: list[str] = []
        self.keys: list[str] = []
        self.let_go: list[str] = []
        self.button.clicked.connect(lambda: self.clicks.append(1))
        self.filter.scanned.connect(self.codes.append)
        self.filter.pressed.connect(self.keys.append)
        self.filter.released.connect(self.let_go.append)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.window.activateWindow()
        self.filter.watch(self.window)
        self.qtbot = qtbot

    @property
    def handle(self) -> QWindow:
        handle = self.window.windowHandle()
        assert handle is not None
        return handle

    def press(self, text: str, gap_s: float = 0.008) -> None:
        for char in text:
            self.clock.now += gap_s
            QTest.keyClick(self.handle, char)

    def burst(self, text: str, gap_s: float = 0.008, end: Qt.Key = Qt.Key.Key_Return) -> None:
        self.press(text, gap_s)
        self.clock.now += gap_s
        QTest.keyClick(self.handle, end)

    def settle(self) -> None:
        """Let the filter give back what it holds."""
        self.clock.now += FLUSH_MS / 1000
        self.qtbot.waitUntil(lambda: not self.filter.busy)


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    made = Desk(qtbot)
    yield made
    made.window.close()


@pytest.mark.parametrize("focus", ["button", "field", "nothing"])
@pytest.mark.parametrize("code", [CODE, WAYBILL, "CIB-DEMO01"])
@pytest.mark.parametrize("gap_s", [0.001, 0.008, 0.03])
def test_burst_is_taken_whole_whatever_has_the_focus(desk: Desk, focus: str, code: str, gap_s: float) -> None:
    if focus != "nothing":
        getattr(desk, focus).setFocus()
    desk.burst(code, gap_s)
    assert desk.codes == [code]
    assert desk.keys == []
    assert desk.clicks == []
    assert desk.field.text() == ""


def test_burst_may_end_with_tab_and_does_not_move_the_focus(desk: Desk) -> None:
    desk.field.setFocus()
    desk.burst(CODE, end=Qt.Key.Key_Tab)
    assert desk.codes == [CODE]
    assert desk.field.hasFocus()


def test_shift_in_a_burst_does_not_break_it(desk: Desk) -> None:
    for char in "SF1420":
        desk.clock.now += 0.008
        if char.isalpha():
            QTest.keyPress(desk.handle, Qt.Key.Key_Shift)
        QTest.keyClick(desk.handle, char)
        if char.isalpha():
            QTest.keyRelease(desk.handle, Qt.Key.Key_Shift)
    desk.clock.now += 0.008
    QTest.keyClick(desk.handle, Qt.Key.Key_Return)
    assert [c.upper() for c in desk.codes] == ["SF1420"]


def test_many_bursts_in_a_row_all_arrive(desk: Desk) -> None:
    desk.field.setFocus()
    codes = [f"SF1420773{n:04d}" for n in range(40)]
    for code in codes:
        desk.burst(code)
        desk.clock.now += 0.2
    assert desk.codes == codes
    assert desk.field.text() == ""


def test_same_code_within_800_ms_counts_once(desk: Desk) -> None:
    desk.burst(CODE)
    desk.clock.now += 0.3
    desk.burst(CODE)
    assert desk.codes == [CODE]
    desk.clock.now += 0.9
    desk.burst(CODE)
    assert desk.codes == [CODE, CODE]


def test_typing_reaches_the_field_in_order(desk: Desk) -> None:
    desk.field.setFocus()
    desk.press("wang 8", gap_s=0.12)
    desk.settle()
    assert desk.field.text() == "wang 8"
    assert desk.codes == []
    assert desk.keys == []


def test_fast_typing_of_a_short_word_is_no_code(desk: Desk) -> None:
    desk.field.setFocus()
    desk.burst("E103", 0.02)
    desk.settle()
    assert desk.field.text() == "E103"
    assert desk.codes == []
    assert desk.keys == ["Enter"]


@pytest.mark.parametrize(("char", "name"), [(" ", "Space"), ("1", "1"), ("9", "9")])
def test_a_lone_key_acts_and_clicks_nothing(desk: Desk, char: str, name: str) -> None:
    desk.button.setFocus()
    desk.press(char)
    desk.settle()
    assert desk.keys == [name]
    assert desk.let_go == [name]
    assert desk.clicks == []


def test_function_keys_act_at_once(desk: Desk) -> None:
    desk.field.setFocus()
    for key in (Qt.Key.Key_F5, Qt.Key.Key_Escape, Qt.Key.Key_F12):
        QTest.keyClick(desk.handle, key)
    assert desk.keys == ["F5", "Esc", "F12"]


def test_held_space_is_pressed_once_and_released_once(desk: Desk) -> None:
    QTest.keyPress(desk.handle, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier)
    desk.settle()
    assert desk.keys == ["Space"]
    assert desk.let_go == []
    QTest.keyRelease(desk.handle, Qt.Key.Key_Space)
    assert desk.let_go == ["Space"]


def test_language_and_theme_are_chords(desk: Desk) -> None:
    QTest.keyClick(desk.handle, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(desk.handle, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert desk.keys == ["Ctrl L", "Ctrl D"]


def test_prefix_makes_a_slow_scanner_whole(qtbot: QtBot) -> None:
    desk = Desk(qtbot, prefix="~")
    desk.field.setFocus()
    desk.burst("~" + CODE, gap_s=0.03)
    desk.clock.now += 1
    for char in "~" + "12345":
        desk.clock.now += 0.04
        QTest.keyClick(desk.handle, char)
    QTest.keyClick(desk.handle, Qt.Key.Key_Return)
    assert desk.codes == [CODE, "12345"]
    assert desk.field.text() == ""


def test_arrows_and_backspace_still_work_in_a_field(desk: Desk) -> None:
    desk.field.setFocus()
    desk.press("ab", gap_s=0.1)
    desk.settle()
    QTest.keyClick(desk.handle, Qt.Key.Key_Left)
    QTest.keyClick(desk.handle, Qt.Key.Key_Backspace)
    assert desk.field.text() == "b"
    assert desk.keys == []
