"""What lies over the screen below the top bar: the reject dialog, the keys of the screen, typing by hand.

A scrim darkens what is behind; the top bar with the REC block is never covered.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QRectF, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from ui.theme import Look
from ui.views import GoKey, GoState, KeyLabel
from ui.widgets.buttons import BlueKey, KeyButton
from ui.widgets.ink import Ink, Painted
from ui.widgets.kept import KeptLine
from ui.widgets.options import draw_option
from ui.work_views import DialogView


class Overlay(Painted):
    """Fills its parent below `top`; the card is centred."""

    def __init__(self, look: Look, parent: QWidget, width: int, height: int) -> None:
        super().__init__(look, parent)
        self._card_size = (look.px(width), look.px(height))
        self.hide()

    @property
    def card(self) -> QRectF:
        width, height = self._card_size
        return QRectF((self.width() - width) // 2, (self.height() - height) // 2, width, height)

    def size_card(self, width: int, height: int) -> None:
        """Card size in pixel tokens."""
        self._card_size = (self.look.px(width), self.look.px(height))
        self.place()

    def draw(self, ink: Ink) -> None:
        ink.fill(QRectF(self.rect()), "scrim")
        ink.box(self.card, fill="panel", line="lineStrong", radius=12)
        self.draw_card(ink, self.card)

    def draw_card(self, ink: Ink, card: QRectF) -> None:
        """Paint the card's content."""

    def place(self) -> None:
        """Put child widgets where the card is."""

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self.place()


class RejectDialog(Overlay):
    """A decision that cannot be undone: six reasons on digits, then a key held for a second."""

    chosen = Signal(int)
    back = Signal()

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(look, parent, 720, 474)
        self.view: DialogView | None = None
        self.go = BlueKey(look, self, wide=False)
        self._back: KeyButton | None = None

    def show_view(self, view: DialogView | None) -> None:
        if view == self.view:
            return
        self.view = view
        if view is None:
            self.hide()
            return
        self.go.show_view(view.go)
        if self._back is None or self._back.label != view.back:
            self._new_back(view.back)
        self.setAccessibleName(f"{view.title} {view.sub}")
        self.place()
        self.show()
        self.raise_()
        self.update()

    def _new_back(self, label: KeyLabel) -> None:
        if self._back is not None:
            self._back.deleteLater()
        self._back = KeyButton(self.look, label, self)
        self._back.clicked.connect(lambda: self.back.emit())
        self._back.show()

    def place(self) -> None:
        px, card = self.look.px, self.card
        foot = card.bottom() - px(92)
        width = max(px(360), self.go.sizeHint().width())
        self.go.setGeometry(round(card.right() - px(27) - width), round(foot + px(16)), width, px(60))
        if self._back is not None:
            hint = self._back.sizeHint()
            middle = foot + px(16 + 30)
            self._back.setGeometry(
                round(card.x() + px(27)), round(middle - hint.height() / 2), hint.width(), hint.height()
            )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if name.startswith("option") and rect.contains(event.position()):
                self.chosen.emit(int(name.removeprefix("option")))

    def draw_card(self, ink: Ink, card: QRectF) -> None:
        view, px = self.view, ink.px
        if view is None:
            return
        x = card.x() + px(27)
        top = card.y() + px(23)
        ink.icon(x, top + px(8), view.icon, 44, "stop", 2)
        text = QRectF(x + px(60), top, card.width() - px(60 + 54), px(35))
        ink.text(text, view.title, 28, weight=700)
        ink.text(text.translated(0, px(36)), view.sub, 18, colour="text2")
        width = (card.width() - px(54) - px(8)) / 2
        for i, option in enumerate(view.options):
            row = QRectF(x + (i % 2) * (width + px(8)), card.y() + px(99) + (i // 2) * px(58), width, px(50))
            draw_option(ink, row, option, bold=False)
            self.marks[f"option{i + 1}"] = row
        y = card.y() + px(99 + 3 * 58 + 10)
        for icon, line in view.notes:
            ink.icon(x, y + px(1), icon, 20, "text2")
            ink.text(QRectF(x + px(30), y, card.width() - px(84), px(22)), line, 16)
            y += px(28)
        foot = QRectF(card.x() + 1, card.bottom() - px(92), card.width() - 2, px(92) - 1)
        ink.p.save()
        ink.clip_round(card.adjusted(1, 1, -1, -1), 11)
        ink.fill(foot, "sunken")
        ink.hline(foot.x(), foot.y(), foot.width())
        ink.p.restore()


Board = tuple[tuple[tuple[str, ...], ...], ...]
"""Rows of groups of keys, by the names printed on them."""

_BOARD: Board = (
    (("Esc",), ("F1", "F2", "F3", "F4"), ("F5", "F6", "F7", "F8"), ("F9", "F10", "F11", "F12")),
    (("1", "2", "3", "4", "5", "6", "7", "8", "9"), ("←", "→", "↑", "↓", "⌫")),
    (("Ctrl L", "Ctrl D", "Ctrl 4", "Ctrl 6"), ("Space",), ("Enter",)),
)
REVIEW_BOARD: Board = (
    _BOARD[0],
    (("1", "2", "3", "4", "5"), ("J", "K", "L"), (",", "."), ("←", "→", "↑", "↓")),
    (("A", "R", "H"), ("E", "S", "P", "D"), ("B", "T")),
    (("Ctrl L", "Ctrl D", "Ctrl 2"), ("Space",), ("Enter",)),
)
REVEAL_BOARD: Board = (
    _BOARD[0],
    (("1", "2", "3", "4", "5", "6"), ("P", "N"), ("A", "R"), ("↑", "↓")),
    (("Ctrl L", "Ctrl D", "Ctrl 2"), ("Space",), ("Enter",)),
)


class KeysOverlay(Overlay):
    """All live keys of the screen on a drawn keyboard; any key closes it."""

    closed = Signal()

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(look, parent, 1060, 88 + 104 * len(_BOARD))
        self._title = ""
        self._close = ""
        self._words: dict[str, str] = {}
        self._board = _BOARD

    def open(self, title: str, close: str, words: dict[str, str], board: Board = _BOARD) -> None:
        """`words`: what each live key does, by the name printed on the key."""
        self._board = board
        self.size_card(1060, 88 + 104 * len(board))
        self._title, self._close, self._words = title, close, words
        self.setAccessibleName(title + ": " + ", ".join(f"{k} {v}" for k, v in words.items()))
        self.show()
        self.raise_()

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.closed.emit()

    def draw_card(self, ink: Ink, card: QRectF) -> None:
        px = ink.px
        ink.text(QRectF(card.x() + px(28), card.y() + px(18), px(600), px(36)), self._title, 28, weight=700)
        right = QRectF(card.x(), card.y() + px(18), card.width() - px(28), px(36))
        width = self.look.width(self._close, 16)
        ink.text(QRectF(right.right() - width - 1, right.y(), width + 2, px(36)), self._close, 16, colour="text2")
        y = card.y() + px(74)
        for groups in self._board:
            self._row(ink, QRectF(card.x() + px(28), y, card.width() - px(56), px(92)), groups)
            y += px(104)

    def _row(self, ink: Ink, row: QRectF, groups: tuple[tuple[str, ...], ...]) -> None:
        gap, wide = ink.px(6), ink.px(18)
        weights = [[self._weight(key) for key in group] for group in groups]
        total = sum(sum(group) for group in weights)
        gaps = wide * (len(groups) - 1) + gap * sum(len(group) - 1 for group in groups)
        unit = (row.width() - gaps) / total
        x = row.x()
        for group, group_weights in zip(groups, weights, strict=True):
            for key, weight in zip(group, group_weights, strict=True):
                self._key(ink, QRectF(x, row.y(), unit * weight, row.height()), key)
                x += unit * weight + gap
            x += wide - gap

    @staticmethod
    def _weight(key: str) -> float:
        return {"Space": 4.0, "Enter": 2.2}.get(key, 1.6 if key.startswith("Ctrl") else 1.0)

    def _key(self, ink: Ink, rect: QRectF, key: str) -> None:
        px = ink.px
        word = self._words.get(key, "")
        live = bool(word)
        ink.box(rect, fill="primaryTint" if live else "sunken", line="primary" if live else "line", radius=6)
        colour = "primary" if live else "text3"
        name = QRectF(rect.x() + px(8), rect.y() + px(6), rect.width() - px(12), px(24))
        ink.text(name, key, 15, colour=colour, weight=700, mono=True)
        if live:
            room = QRectF(rect.x() + px(8), name.bottom() + px(2), rect.width() - px(12), rect.bottom() - name.bottom())
            ink.wrapped(room, word, 14, colour="text", leading=1.25)


@dataclass(frozen=True, slots=True)
class TypeWords:
    """The words of the typing dialog: title, note, label and cap of the blue key, what Esc does."""

    title: str
    note: str
    go: str
    cap: str
    back: str


class TypeDialog(Overlay):
    """Typing by hand (F6). The text goes out on Enter; Esc closes and forgets it."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(look, parent, 560, 250)
        self.kind = ""
        self._words = TypeWords("", "", "", "", "")
        self.field = KeptLine(self)
        self.go = BlueKey(look, self, wide=False)

    def open(self, kind: str, words: TypeWords, hidden: bool = False, longest: int = 40) -> None:
        """Ask for `kind` ("waybill", "number", "pin"); the field is empty and has the focus. `hidden`: a passcode."""
        self.field.setEchoMode(QLineEdit.EchoMode.Password if hidden else QLineEdit.EchoMode.Normal)
        self.kind, self._words = kind, words
        self.go.show_view(GoKey(GoState.READY, words.cap, words.go, "arrow-right", enter=True))
        self.field.forget()
        self.field.setMaxLength(longest)
        self.field.setAccessibleName(words.title)
        self.place()
        self.show()
        self.raise_()
        self.field.setFocus()

    def close_and_forget(self) -> str:
        """Hide the dialog; gives what was typed."""
        text = self.field.text().strip()
        self.field.forget()
        self.kind = ""
        self.hide()
        return text

    def place(self) -> None:
        px, card = self.look.px, self.card
        self.field.setGeometry(round(card.x() + px(44)), round(card.y() + px(72)), round(card.width() - px(88)), px(48))
        width = max(px(260), self.go.sizeHint().width())
        self.go.setGeometry(round(card.right() - px(28) - width), round(card.bottom() - px(76)), width, px(56))

    def draw_card(self, ink: Ink, card: QRectF) -> None:
        px = ink.px
        head = QRectF(card.x() + px(28), card.y() + px(20), card.width() - px(56), px(36))
        ink.text(head, self._words.title, 26, weight=700)
        frame = QRectF(card.x() + px(28), card.y() + px(72), card.width() - px(56), px(48))
        ink.box(frame, fill="panel", line="focus", width=2, radius=6)
        ink.text(QRectF(frame.x(), frame.bottom() + px(8), frame.width(), px(22)), self._words.note, 16, colour="text2")
        cap = ink.cap(card.x() + px(28), card.bottom() - px(48), "Esc")
        back = QRectF(cap.right() + px(10), card.bottom() - px(63), px(120), px(30))
        ink.text(back, self._words.back, 16)


class Fitted(QObject):
    """Keeps overlays as large as the room they cover."""

    def __init__(self, room: QWidget, overlays: tuple[Overlay, ...]) -> None:
        super().__init__(room)
        self._room, self._overlays = room, overlays
        room.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            for overlay in self._overlays:
                overlay.setGeometry(self._room.rect())
        return False
