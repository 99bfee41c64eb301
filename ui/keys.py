"""The input filter: every key passes here before any widget sees it (design language, sections 7 and 8).

A scanner in keyboard mode types a burst: gaps under 35 ms, six or more characters, ended by Enter or Tab. The whole
burst is consumed, whatever has the focus. What is no burst is replayed after 45 ms: into the focused field, or, alone,
as Space, a digit, a letter or a comma. So a space inside a waybill never presses the blue key and a code is never
lost to focus.

The filter sits on the native windows, not on the application: the same keys pass it, and the many other events of the
application do not have to go through Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QWindow
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

GAP_S = 0.035
FLUSH_MS = 45
MIN_BURST = 6
MAX_BURST = 400
SAME_CODE_S = 0.8

_ENDS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab)
_MODIFIERS = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
    Qt.Key.Key_CapsLock,
    Qt.Key.Key_NumLock,
)
_NAMES = {
    Qt.Key.Key_Escape: "Esc",
    Qt.Key.Key_Left: "←",
    Qt.Key.Key_Right: "→",
    Qt.Key.Key_Up: "↑",
    Qt.Key.Key_Down: "↓",
    Qt.Key.Key_Return: "Enter",
    Qt.Key.Key_Enter: "Enter",
    Qt.Key.Key_Backspace: "⌫",
    **{Qt.Key(Qt.Key.Key_F1.value + n): f"F{n + 1}" for n in range(12)},
}
_SIGNS_OF_A_PERSON = (QEvent.Type.KeyPress, QEvent.Type.MouseButtonPress, QEvent.Type.Wheel)
_FIELD_KEYS = ("←", "→", "↑", "↓", "⌫")
_CTRL = {
    Qt.Key.Key_L: "Ctrl L",
    Qt.Key.Key_D: "Ctrl D",
    Qt.Key.Key_2: "Ctrl 2",
    Qt.Key.Key_4: "Ctrl 4",
    Qt.Key.Key_6: "Ctrl 6",
}
_PUNCTUATION = {",": ",", ".": ".", "，": ",", "。": "."}


@dataclass(frozen=True, slots=True, repr=False)
class _Stroke:
    key: int
    modifiers: Qt.KeyboardModifier
    text: str


class KeyFilter(QObject):
    """Emits `scanned` for a code, `pressed` and `released` for a key by the name printed on it ("Space", "F5"), and
    `touched` for any key or click.

    `clock` gives monotonic seconds; `prefix` is the character a scanner may be set to send first ("" for none).
    """

    scanned = Signal(str)
    pressed = Signal(str)
    released = Signal(str)
    touched = Signal()

    def __init__(
        self, parent: QObject | None = None, *, prefix: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self._prefix, self._clock = prefix, clock
        self._strokes: list[_Stroke] = []
        self._down: set[int] = set()
        self._last = 0.0
        self._held_up = False
        self._last_code = ("", -1e9)
        self._replaying = False
        self._timer = QTimer(self, singleShot=True, interval=FLUSH_MS)
        self._timer.timeout.connect(self._time_is_up)

    def watch(self, window: QWidget) -> None:
        """Filter the keys of a top-level widget. Call once it has a native window (from its showEvent)."""
        handle = window.windowHandle()
        if handle is not None:
            handle.removeEventFilter(self)
            handle.installEventFilter(self)

    @property
    def busy(self) -> bool:
        """A burst or a key is being held back right now."""
        return bool(self._strokes)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _SIGNS_OF_A_PERSON:
            self.touched.emit()
        if self._replaying or not isinstance(watched, QWindow) or not isinstance(event, QKeyEvent):
            return False
        if event.type() == QEvent.Type.KeyPress:
            return self._press(event)
        if event.type() == QEvent.Type.KeyRelease:
            return self._release(event)
        return False

    def _press(self, event: QKeyEvent) -> bool:
        key = _key_of(event)
        if key in _MODIFIERS:
            return False  # a scanner presses Shift in the middle of its burst
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            self._flush()
            return self._with_ctrl(key, event)
        if key in _ENDS:
            return self._end(key, event)
        text = event.text()
        if text and (text.isprintable() or text == self._prefix):
            return self._character(event, text)
        self._flush()
        return self._named(key, event)

    def _character(self, event: QKeyEvent, text: str) -> bool:
        field = focused_field()
        if event.isAutoRepeat():
            # A key held down is no scanner; in a field it repeats as usual, elsewhere it means nothing.
            self._flush()
            return field is None
        if self._strokes and not self._in_burst():
            self._flush()
        self._last, self._held_up = self._clock(), False
        self._down.add(event.key())
        if len(self._strokes) < MAX_BURST:
            self._strokes.append(_Stroke(event.key(), event.modifiers(), text))
        self._timer.start()
        return True

    def _in_burst(self) -> bool:
        if self._prefix and self._strokes and self._strokes[0].text == self._prefix:
            return True
        return self._held_up or self._clock() - self._last < GAP_S

    def _end(self, key: Qt.Key, event: QKeyEvent) -> bool:
        prefixed = bool(self._prefix) and bool(self._strokes) and self._strokes[0].text == self._prefix
        if self._strokes and self._in_burst() and (prefixed or len(self._strokes) >= MIN_BURST):
            self._timer.stop()
            code = "".join(s.text for s in self._strokes).removeprefix(self._prefix)
            self._strokes.clear()
            self._down.add(event.key())
            self._scan(code)
            return True
        self._flush()
        if key == Qt.Key.Key_Tab:
            return False
        return self._named(key, event)

    def _scan(self, code: str) -> None:
        now = self._clock()
        last, at = self._last_code
        self._last_code = (code, now)
        if code != last or now - at >= SAME_CODE_S:
            self.scanned.emit(code)

    def _named(self, key: Qt.Key, event: QKeyEvent) -> bool:
        name = _NAMES.get(key)
        if name is None or (name in _FIELD_KEYS and focused_field() is not None):
            return False
        if not event.isAutoRepeat():
            self._down.add(event.key())
            self.pressed.emit(name)
        return True

    def _with_ctrl(self, key: Qt.Key, event: QKeyEvent) -> bool:
        name = _CTRL.get(key)
        if name is None:
            return False
        if not event.isAutoRepeat():
            self.pressed.emit(name)
        return True

    def _release(self, event: QKeyEvent) -> bool:
        if event.isAutoRepeat():
            return focused_field() is None
        if event.key() not in self._down:
            return False
        self._down.discard(event.key())
        waiting = any(s.key == event.key() for s in self._strokes)
        name = "Space" if event.key() == Qt.Key.Key_Space else _NAMES.get(_key_of(event), "")
        if name and not waiting:
            self.released.emit(name)
        return True

    def _time_is_up(self) -> None:
        """No further key came in time. If this very timer came late, keys may be queued behind it: look once more."""
        since = self._clock() - self._last
        if since < FLUSH_MS / 1000 - 0.002:
            self._timer.start(FLUSH_MS)  # the clock decides, not the timer
            return
        if since > (FLUSH_MS + 30) / 1000 and not self._held_up:
            self._held_up = True
            self._timer.start(15)
            return
        self._flush()

    def _flush(self) -> None:
        """What was held back is no burst: give it to the field that has the focus, or act on a lone key."""
        self._timer.stop()
        self._timer.setInterval(FLUSH_MS)
        self._held_up = False
        strokes, self._strokes = self._strokes, []
        if not strokes:
            return
        field = focused_field()
        if field is not None:
            self._replay(strokes, field)
        elif len(strokes) == 1:
            self._alone(strokes[0])

    def _replay(self, strokes: list[_Stroke], field: QLineEdit) -> None:
        self._replaying = True
        for stroke in strokes:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                QCoreApplication.sendEvent(field, QKeyEvent(kind, stroke.key, stroke.modifiers, stroke.text))
        self._replaying = False

    def _alone(self, stroke: _Stroke) -> None:
        name = "Space" if stroke.key == Qt.Key.Key_Space else _name_of(stroke.text)
        if not name:
            self.pressed.emit("other")
            return
        self.pressed.emit(name)
        if stroke.key not in self._down:
            self.released.emit(name)


def _name_of(text: str) -> str:
    """The name of a lone character key: a digit, a letter of the Latin alphabet, comma or full stop; else ""."""
    if text in "123456789" or (text.isascii() and text.isalpha()):
        return text.upper()
    return _PUNCTUATION.get(text, "")


def _key_of(event: QKeyEvent) -> Qt.Key:
    """The key as a member; keyboards send codes that Qt has no name for."""
    try:
        return Qt.Key(event.key())
    except ValueError:
        return Qt.Key.Key_unknown


def focused_field() -> QLineEdit | None:
    """The text field that has the focus, if one has."""
    widget = QApplication.focusWidget()
    return widget if isinstance(widget, QLineEdit) and widget.isEnabled() else None
