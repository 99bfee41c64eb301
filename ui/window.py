"""The window: shows the state it is given and turns keys into events. It holds no state of the session itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from app.core.effects import Sound
from app.core.events import (
    CodeScanned,
    Event,
    PasscodeEntered,
)
from app.core.footage import ReviewDesk
from app.core.products import Catalogue
from app.core.readiness import RecMode, Surroundings
from app.core.reveals import RevealDesk
from app.core.shelving import CatalogueDesk
from app.core.states import Idle, Locked, SignedOut, State, Waiting
from app.frames import HalfFrame
from ui.bridge import Bridge
from ui.keys import KeyFilter
from ui.picture import Colours
from ui.player import OpenRecording, Player
from ui.present import operator_of, present
from ui.present_frame import may_review
from ui.products import Products
from ui.reveals import Reveals
from ui.review import Review
from ui.scene import Desk, Scene
from ui.screens.products import ProductScreen
from ui.screens.reveal import RevealScreen
from ui.screens.review import ReviewScreen
from ui.screens.signin import SignIn
from ui.screens.workbench import Workbench
from ui.shown import is_paused, recording_of
from ui.sound import Sounds
from ui.texts import language_of, say
from ui.theme import Density, Look, Themes, density_for, dress
from ui.views import SignInView
from ui.work_views import WorkView
from ui.working import Working

FrameSource = Callable[[], HalfFrame | None]
"""Gives a frame newer than the last one it gave, or None."""

MINIMUM = (1280, 680)
_FRAME_MS = 66
_SHOW_SECRET_MS = 10_000

_PLAIN_DESK = Desk()


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """How a window looks, sounds and feels: language "zh"/"en", theme "light"/"dark", volume 0..1; `hold_s`: how long a
    key is held to reject.
    """

    language: str = "zh"
    theme: str = "light"
    volume: float = 0.6
    hold_s: float = 1.0
    full_screen: bool = False
    scanner_prefix: str = ""
    desk: Desk = _PLAIN_DESK


def no_frame() -> HalfFrame | None:
    """No camera."""
    return None


def no_recording(_recording_id: str) -> BinaryIO | None:
    """Nothing to play."""
    return None


class Window(QMainWindow):
    """One station's window. `resources` holds icons, fonts, sounds and tokens."""

    def __init__(
        self,
        bridge: Bridge,
        catalogue: Catalogue,
        resources: Path,
        settings: WindowSettings,
        frame_source: FrameSource = no_frame,
        open_recording: OpenRecording = no_recording,
        review_desk: ReviewDesk | None = None,
        catalogue_desk: CatalogueDesk | None = None,
        reveal_desk: RevealDesk | None = None,
    ) -> None:
        super().__init__()
        self._bridge, self._catalogue, self._settings = bridge, catalogue, settings
        self._frame_source, self._open_recording = frame_source, open_recording
        self.language, self.theme = language_of(settings.language), settings.theme
        self._themes = Themes(resources)
        self._colours = Colours()
        self._sounds = Sounds(resources / "sounds", settings.volume, self)
        self._state: State | None = None
        self._around = Surroundings()
        self._player: Player | None = None
        self._last_recording = ""
        self.working = Working(self._post, self._scene, self)
        self.review = None if review_desk is None else Review(review_desk, self._scene, self)
        self.products = None if catalogue_desk is None else Products(catalogue_desk, self._scene, self)
        self.reveals = None if reveal_desk is None else Reveals(reveal_desk, self._scene, self)
        self.keys = KeyFilter(self, prefix=settings.scanner_prefix)
        self._hide_secret = QTimer(self, singleShot=True, interval=_SHOW_SECRET_MS)
        self._hide_secret.timeout.connect(lambda: self._reveal(False))
        self.setMinimumSize(*MINIMUM)
        self.resize(1440, 900)
        self.density = density_for(self.width(), self.height())
        self._build()
        self._join()

    # --- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """Make all widgets for the present theme and density; about a tenth of a second."""
        self.look: Look = self._themes.look(self.theme, self.density)
        dress(self.look)
        self.sign_in, self.work = SignIn(self.look, self.language), Workbench(self.look)
        self.pages = QStackedWidget()
        self.pages.setObjectName("window")
        self.pages.addWidget(self.sign_in)
        self.pages.addWidget(self.work)
        if self.review is not None:
            self.reviewing = ReviewScreen(self.look)
            self.pages.addWidget(self.reviewing)
            self.review.show_on(self.reviewing)
        if self.products is not None:
            self.choosing = ProductScreen(self.look)
            self.pages.addWidget(self.choosing)
            self.products.show_on(self.choosing)
        if self.reveals is not None:
            self.asking = RevealScreen(self.look)
            self.pages.addWidget(self.asking)
            self.reveals.show_on(self.asking)
        self.setCentralWidget(self.pages)
        self.setWindowTitle(say("product", self.language))
        self.sign_in.submitted.connect(self._submit_passcode)
        self.sign_in.language.connect(self.set_language)
        self.sign_in.demo.connect(self._use_demo_badge)
        self.work.pressed.connect(self._clicked)
        self.work.reject.go.hold_for(self._settings.hold_s)
        self.working.show_on(self.work)

    def _join(self) -> None:
        self._bridge.connect_window(self._take, self._play, self._close, self._learn)
        self.working.asked.connect(self._asked)
        if self.review is not None:
            self.review.left.connect(self._refresh)
            self.review.asked.connect(self._name_product)
            self.review.secret_asked.connect(self._open_reveals)
        if self.products is not None:
            self.products.left.connect(self._refresh)
        if self.reveals is not None:
            self.reveals.left.connect(self._refresh)
            self.reveals.home.connect(self._leave_review)
        self.keys.scanned.connect(self._scanned)
        self.keys.pressed.connect(self._pressed)
        self.keys.released.connect(self._released)
        self.keys.touched.connect(lambda: self._bridge.touched())
        self._frames = QTimer(self, interval=_FRAME_MS)
        self._frames.timeout.connect(self._next_frame)
        self._frames.start()

    def _rebuild(self, density: Density) -> None:
        typed_text = self.sign_in.typed()
        focus = self.sign_in.passcode.hasFocus()
        self.density = density
        self._build()
        self.sign_in.put(*typed_text)
        (self.sign_in.passcode if focus else self.sign_in.number).setFocus()
        self._refresh()
        if self._room is not None:
            self.setFocus()  # Qt gave it to the first field of the new page: there the keys are for the room

    # --- showing --------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        newest = self._bridge.take()
        if newest is not None:
            self.show_state(*newest)

    def show_state(self, state: State, around: Surroundings) -> None:
        """Show this state from now on."""
        if type(state) is not type(self._state):
            self._left_state(state)
        self._state, self._around = state, around
        self._last_recording = recording_of(state) or self._last_recording
        self._sounds.alarm(is_paused(state) and around.rec.mode is RecMode.CUT)
        self._refresh()

    def _left_state(self, state: State) -> None:
        """Another screen: secrets are covered, what was being typed for the old one is dropped."""
        self._reveal(False)
        self.working.close_overlays()
        if isinstance(state, Locked):
            self._forget()
        if away := isinstance(state, SignedOut | Locked):
            self.sign_in.clear()
        (self.sign_in.number if away else self).setFocus()

    def _forget(self) -> None:
        """The desk was left: what the screens held of cards goes with their widgets, and nothing plays on."""
        if self._player is not None:
            self._player.key("Esc")
        self._state = None
        self._rebuild(self.density)

    def _scene(self) -> Scene:
        compact = self.density.name == "compact"
        return Scene(self._around, self._catalogue, self.language, compact, self._settings.desk)

    @property
    def may_review(self) -> bool:
        """Footage is looked at by supervisors, while no parcel is open."""
        return self.review is not None and isinstance(self._state, Idle) and may_review(operator_of(self._state))

    @property
    def may_shelve(self) -> bool:
        """The catalogue is changed by supervisors, while no card is in work."""
        state = self._state
        return self.products is not None and isinstance(state, (Idle, Waiting)) and may_review(operator_of(state))

    def _learn(self, catalogue: Catalogue) -> None:
        """Name products by this catalogue from now on."""
        self._catalogue = catalogue
        self._refresh()

    def _refresh(self) -> None:
        if self._state is None:
            return
        if (room := self._room) is not None:
            may = self.may_shelve if isinstance(room, Products) else self.may_review
            if may:
                room.refresh()
                self.pages.setCurrentWidget(self._page_of(room))
                return
            room.leave()  # comes back here when everything is let go
            return
        compact = self.density.name == "compact"
        view = present(
            self._state, self._around, self._catalogue, self.language, compact=compact, desk=self._settings.desk
        )
        if isinstance(view, SignInView):
            self.sign_in.show_view(view, self.language)
            self.pages.setCurrentWidget(self.sign_in)
        else:
            self.working.show(self._state, view, review=self.may_review, shelve=self.may_shelve)
            self.pages.setCurrentWidget(self.work)

    @property
    def view(self) -> WorkView | None:
        """The workbench view that is shown, None at sign-in."""
        return self.work.view if self.pages.currentWidget() is self.work else None

    def set_language(self, language: str) -> None:
        """Switch the language of everything on the screen, at once."""
        self.language = language_of(language)
        self.setWindowTitle(say("product", self.language))
        self._refresh()

    def set_theme(self, theme: str) -> None:
        """ "light" or "dark", at once; typed text stays."""
        self.theme = theme
        self._rebuild(self.density)

    def show_frame(self, frame: HalfFrame) -> None:
        """Show a camera frame now."""
        self.work.show_image(self._colours.image(frame))

    def _next_frame(self) -> None:
        if self.pages.currentWidget() is self.work and self.isVisible() and not self.isMinimized():
            frame = self._frame_source()
            if frame is not None:
                self.show_frame(frame)

    def _play(self, sound: Sound) -> None:
        self._sounds.play(sound)

    # --- keys -----------------------------------------------------------------------------------------------------

    def _post(self, event: Event) -> None:
        self._bridge.post(event)

    def _taken_over(self) -> bool:
        """While the rehearsal plays by itself any key hands the desk to the person, and does nothing else."""
        if not self._around.autoplay:
            return False
        self._bridge.take_over()
        return True

    @property
    def _room(self) -> Review | Products | Reveals | None:
        """The supervisor's room that is open; one comes back from secrets to the review behind them."""
        rooms = (self.reveals, self.products, self.review)
        return next((room for room in rooms if room is not None and room.open), None)

    def _page_of(self, room: Review | Products | Reveals) -> QWidget:
        if isinstance(room, Reveals):
            return self.asking
        return self.choosing if isinstance(room, Products) else self.reviewing

    def _scanned(self, code: str) -> None:
        if self._room is not None:
            self._room.scanned(code)
        elif not self._taken_over():
            self._post(CodeScanned(code))

    def _clicked(self, name: str) -> None:
        self._pressed("Space" if name == "go" else name)

    def _pressed(self, name: str) -> None:
        if name == "Ctrl L":
            self.set_language("en" if self.language == "zh" else "zh")
        elif name == "Ctrl D":
            self.set_theme("dark" if self.theme == "light" else "light")
        elif name == "F11":
            self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)
        elif self._player is not None:
            self._player.key(name)
        elif name == "F8" and isinstance(self._room, Products):
            self._reveal(True)
        elif self._room is not None:
            self._room.key(name)
        elif not self.working.closes(name) and not self._taken_over():
            self._act(name)

    def press(self, name: str) -> None:
        """As if the key of this name had been pressed."""
        self._pressed(name)

    def _act(self, name: str) -> None:
        if self.view is None:
            self._sign_in_key(name)
        else:
            self.working.key(name)

    def _asked(self, name: str) -> None:
        """A key of the workbench that leads away from it."""
        match name:
            case "Ctrl 4":
                self._open_review()
            case "Ctrl 6":
                self._open_products()
            case "F3":
                self._open_player()
            case "F8":
                self._reveal(True)

    def _released(self, name: str) -> None:
        if name == "F8":
            self._reveal(False)
        elif name == "Space":
            self.working.let_go()

    def _sign_in_key(self, name: str) -> None:
        match name:
            case "Enter":
                self.sign_in.submit()
            case "F8":
                self.sign_in.reveal(True)
            case "F2":
                self._use_demo_badge()
            case _:
                pass

    def _submit_passcode(self, number: str, passcode: str) -> None:
        if not self._taken_over():
            self._post(PasscodeEntered(number, passcode))

    def _use_demo_badge(self) -> None:
        if badge := self._settings.desk.demo_badge:
            self._post(CodeScanned(badge))

    def _reveal(self, on: bool) -> None:
        """Uncover the secret while F8 is down, 10 s at most; uncovering is told to the station."""
        self.sign_in.reveal(False)
        if self.reveals is not None and not on:
            self.reveals.uncover(False)
        learned = self.products is not None and self.products.reveal(on)
        if on and (self.working.has_secret or learned):
            self._bridge.secret_shown("pin")
            self._hide_secret.start()
        self.working.reveal(on)

    # --- what opens over the screen -------------------------------------------------------------------------------

    def _open_player(self) -> None:
        self._player = Player(self.look, self.language, self._open_recording(self._last_recording), self)
        self._player.finished.connect(self._player_closed)
        self._player.show()
        self.keys.watch(self._player)

    def _open_review(self) -> None:
        who = operator_of(self._state) if self._state is not None else None
        if self.review is not None and self.may_review and who is not None:
            self.review.enter(who)
            self._refresh()

    def _open_products(self, gtin: str = "") -> None:
        who = operator_of(self._state) if self._state is not None else None
        if self.products is not None and self.may_shelve and who is not None:
            self.products.enter(who, gtin)
            self._refresh()

    def _name_product(self, gtin: str) -> None:
        """From a card under review: which product has this barcode?"""
        if self.review is not None and self.may_shelve:
            self.review.leave()
            self._open_products(gtin)

    def _open_reveals(self) -> None:
        """From a card under review: its secrets are the vault's to show."""
        if self.reveals is not None and self.review is not None and self.review.looking is not None and self.may_review:
            self.review.reel.stop()
            self.setFocus()  # with it in a field behind, Qt would give it to a field of the new page
            self.reveals.enter(self.review.looking.who, self.review.looking.line)
            self._refresh()

    def _leave_review(self) -> None:
        if self.review is not None:
            self.review.leave()

    def _player_closed(self) -> None:
        if self._player is not None:
            self._player.deleteLater()
            self._player = None

    # --- the window itself ----------------------------------------------------------------------------------------

    def _close(self) -> None:
        self.close()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.keys.watch(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        density = density_for(self.width(), self.height())
        if density is not self.density:
            self._rebuild(density)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._frames.stop()
        self._sounds.alarm(False)
        if self.reveals is not None:
            self.reveals.leave()
        if self.review is not None:
            self.review.leave()
            self.review.reel.finish()
        super().closeEvent(event)
