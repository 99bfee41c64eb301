"""A supervisor before a window, at the screen for seeing secrets, with a real centre and a real vault behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from app.core.cards import Secret
from app.core.parcels import Operator
from app.core.readiness import RecMode
from app.core.states import Idle, State
from app.paths import RESOURCES
from app.station.clock import system_clock
from app.station.reviewing import Reviewing
from tests.station.reveal_house import FIRST, PASSPHRASE, RevealHouse
from ui import samples
from ui.bridge import Bridge
from ui.present_reveal import Seeing
from ui.screens.reveal import RevealScreen
from ui.window import Window, WindowSettings

OFF = samples.around(RecMode.OFF)


class Chair:
    """A supervisor before a window of the house's station."""

    def __init__(self, qtbot: QtBot, house: RevealHouse, who: Operator = FIRST) -> None:
        self.qtbot, self.house, self.who = qtbot, house, who
        store, nowhere = house.party.writer, Path("nowhere")
        self.review_desk = Reviewing(store, nowhere, nowhere, system_clock(), house.bugs.append)
        self.review_desk.start()
        self.window = Window(
            Bridge(lambda _event: None),
            samples.catalogue(),
            RESOURCES,
            WindowSettings(volume=0.0),
            review_desk=self.review_desk,
            reveal_desk=house.desk,
        )
        self.window.resize(1440, 900)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.show(Idle(who))
        assert self.window.reveals is not None
        self.reveals = self.window.reveals

    def show(self, state: State) -> None:
        self.window.show_state(state, OFF)

    def key(self, *names: str) -> None:
        for name in names:
            self.window.press(name)

    def until(self, good: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(good, timeout=60_000)

    @property
    def seeing(self) -> Seeing:
        assert self.reveals.seeing is not None
        return self.reveals.seeing

    @property
    def screen(self) -> RevealScreen:
        return self.window.asking

    def enter(self) -> None:
        """From the review of the card to its secrets."""
        review = self.window.review
        assert review is not None
        self.key("Ctrl 4")
        self.until(lambda: review.looking is not None and review.looking.line is not None)
        self.key("F8")
        self.until(lambda: self.seeing.overview is not None or bool(self.seeing.away))

    def ask(self, passphrase: str = PASSPHRASE) -> None:
        self.key("1", "Enter")
        self.give(passphrase)

    def give(self, passphrase: str) -> None:
        assert self.screen.typing.isVisible()
        assert self.screen.typing.field.echoMode() is QLineEdit.EchoMode.Password
        self.screen.typing.field.setText(passphrase)
        self.key("Enter")
        assert self.screen.typing.field.text() == ""

    def see(self) -> Secret:
        """Ask, and wait for the secret to be there."""
        self.house.open_vault()
        self.enter()
        self.ask()
        self.until(lambda: self.seeing.length > 0)
        assert self.reveals._secret is not None
        return self.reveals._secret

    def on_screen(self) -> QImage:
        """What lies before a person's eyes where the secret stands."""
        QTest.qWait(30)
        mark = self.screen.panel.marks["secret"].toRect()
        at = self.screen.panel.mapTo(self.window, mark.topLeft())
        whole = self.window.screen().grabWindow(self.window.winId())
        return whole.toImage().copy(QRect(at, mark.size()))

    def in_a_picture(self) -> QImage:
        """The same place in a picture that the program makes of itself."""
        mark = self.screen.panel.marks["secret"].toRect()
        at = self.screen.panel.mapTo(self.window, mark.topLeft())
        return self.window.grab().toImage().copy(QRect(at, mark.size()))

    def close(self) -> None:
        self.window.close()
        self.review_desk.stop()
