"""The clerk's hands at the workbench: keys and clicks become events, and what lies over the screen opens and closes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.core.cards import typed
from app.core.events import Event, FieldTyped, Key, KeyHeld, KeyPressed, WaybillTyped
from app.core.states import State
from ui.present_sync import opens_sheet, sync_sheet
from ui.scene import Scene
from ui.screens.workbench import Workbench
from ui.shown import asks_one_character, help_words, tidy_text, type_words
from ui.views import GoState
from ui.widgets.overlays import TypeWords
from ui.work_views import WorkView

_EVENT_KEYS = {
    "Space": Key.SPACE,
    "Enter": Key.ENTER,
    "Esc": Key.ESC,
    "F2": Key.F2,
    "F4": Key.F4,
    "F5": Key.F5,
    "F7": Key.F7,
    "F9": Key.F9,
    "F12": Key.F12,
    "←": Key.LEFT,
    "→": Key.RIGHT,
    "↑": Key.UP,
    "↓": Key.DOWN,
    "⌫": Key.BACKSPACE,
}
_LEAD_AWAY = ("Ctrl 4", "Ctrl 6", "F8")


class Working(QObject):
    """`post` hands an event to the session. `asked` carries the name of a key that is not answered here: another room,
    the video, a secret that shall be shown.
    """

    asked = Signal(str)

    def __init__(
        self, post: Callable[[Event], None], scene: Callable[[], Scene], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._post, self._scene = post, scene
        self._screen: Workbench | None = None
        self._state: State | None = None
        self._ways: tuple[bool, bool] = (False, False)

    def show_on(self, screen: Workbench) -> None:
        """Show everything on this screen from now on (another theme, another size)."""
        self._screen = screen
        screen.digit.connect(lambda n: self._post(KeyPressed(Key.DIGIT, n)))
        screen.held.connect(lambda: self._post(KeyHeld(Key.SPACE)))

    def show(self, state: State, view: WorkView, *, review: bool, shelve: bool) -> None:
        """Show this; `review`, `shelve`: whether the ways to the supervisors' rooms are open."""
        self._state, self._ways = state, (review, shelve)
        screen = self._screen
        if screen is not None:
            screen.show_view(view)
            if screen.sync.isVisible():
                screen.sync.show_view(sync_sheet(self._scene(), leaving=screen.sync.leaving))

    @property
    def has_secret(self) -> bool:
        """Whether there is something to be uncovered."""
        return self._screen is not None and self._screen.cards.prompt.has_secret

    def reveal(self, on: bool) -> None:
        """Uncover what is secret, or cover it."""
        if self._screen is not None:
            self._screen.cards.prompt.reveal(on and self.has_secret)

    # Keys

    def closes(self, name: str) -> bool:
        """Whether this key did nothing but close what lay over the screen."""
        screen = self._screen
        if screen is not None and screen.help.isVisible():
            screen.help.hide()
            return True
        if screen is not None and screen.sync.isVisible() and not (name == "F12" and screen.sync.leaving):
            screen.sync.hide()
            return True
        return False

    def key(self, name: str) -> None:
        """A key by the name printed on it."""
        screen = self._screen
        if screen is None or screen.view is None:
            return
        view = screen.view
        if screen.typing.isVisible():
            self._typing_key(screen, name)
        elif name in _LEAD_AWAY or (name == "F3" and any(k.key == "F3" for k in view.keys)):
            self.asked.emit(name)
        elif name == "F1":
            self._help(screen, view)
        elif opens_sheet(name, self._state, self._scene().around, screen.sync.leaving):
            screen.sync.open(sync_sheet(self._scene(), leaving=name == "F12"))
        elif name == "F6" and view.typing and view.dialog is None:
            self._type(screen, view)
        elif name == "Space" and view.dialog is not None:
            screen.reject.go.begin_hold()
        elif name == "Space" and view.go.state is GoState.HOLD:
            screen.keys.go.begin_hold()
        elif name in "123456789":
            self._post(KeyPressed(Key.DIGIT, int(name)))
        elif name in _EVENT_KEYS and not (name == "Space" and view.go.state is GoState.BUSY):
            self._post(KeyPressed(_EVENT_KEYS[name]))

    def let_go(self) -> None:
        """Space is up again: no hold goes on."""
        if self._screen is not None:
            self._screen.reject.go.end_hold()
            self._screen.keys.go.end_hold()

    def _typing_key(self, screen: Workbench, name: str) -> None:
        if name not in ("Enter", "Esc"):
            return
        kind = screen.typing.kind
        text = screen.typing.close_and_forget()
        screen.window().setFocus()
        if name == "Enter" and text:
            self._post(WaybillTyped(text) if kind == "waybill" else FieldTyped(kind, typed(tidy_text(text))))

    # What opens over the screen

    def _help(self, screen: Workbench, view: WorkView) -> None:
        say, (review, shelve) = self._scene().say, self._ways
        language = self._scene().language
        words = help_words(view, self._state, language, secret=self.has_secret, review=review, shelve=shelve)
        screen.help.open(say("keys.title"), say("keys.close"), words)

    def _type(self, screen: Workbench, view: WorkView) -> None:
        one = asks_one_character(view.body)
        screen.typing.open(view.typing, TypeWords(*type_words(view.typing, one, self._scene().language)))

    def close_overlays(self) -> None:
        """Close what lies over the screen; typed text is forgotten."""
        screen = self._screen
        if screen is not None:
            screen.help.hide()
            screen.sync.hide()
            if screen.typing.isVisible():
                screen.typing.close_and_forget()
