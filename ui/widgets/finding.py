"""The search of the product screen: a field, and what it found below it, chosen by ↑ and ↓ from within the field."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from ui.product_views import FindView, FoundView
from ui.theme import Look
from ui.widgets.ink import CENTRE, Ink, Shown
from ui.widgets.rows import draw_chosen, draw_field, draw_foot

_HEAD = 74
_ROW = 62
_FOOT = 48


class SearchField(QLineEdit):
    """A text field that leaves ↑ and ↓ to the list below it. `moved`: by how many lines."""

    moved = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setMaxLength(60)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if by is None:
            super().keyPressEvent(event)
        else:
            self.moved.emit(by)


class FindPanel(Shown[FindView]):
    """`typed` when the words changed, `moved` by how many lines, `chosen` the index of a clicked line."""

    typed = Signal(str)
    moved = Signal(int)
    chosen = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__(look, FindView("", (), -1, "", (), ""))
        self.field = SearchField(self)
        self.field.textEdited.connect(self.typed)
        self.field.moved.connect(self.moved)
        self.field.cursorPositionChanged.connect(self.update)

    def taken(self, view: FindView) -> None:
        self.field.setVisible(bool(view.label))
        self.field.setAccessibleName(view.label)
        self.setAccessibleDescription("; ".join(f"{row.title} {row.sub}" for row in view.found))

    def resizeEvent(self, _event: QResizeEvent) -> None:
        px = self.look.px
        self.field.setGeometry(self._frame().adjusted(px(46), 2, -px(12), -2).toRect())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if name.startswith("found") and rect.contains(event.position()):
                self.chosen.emit(int(name.removeprefix("found")))

    def _frame(self) -> QRectF:
        px = self.look.px
        return QRectF(px(15), px(13), self.width() - px(30), px(48))

    def draw(self, ink: Ink) -> None:
        px, rect, view = ink.px, QRectF(self.rect()), self.view
        self.marks.clear()
        ink.box(rect, fill="panel", line="line", radius=10)
        if not view.label:
            ink.wrapped(rect.adjusted(px(40), rect.height() / 2 - px(30), -px(40), 0), view.empty, 18, colour="text2")
            return
        self._search(ink)
        ink.hline(1, px(_HEAD), rect.width() - 2)
        room = QRectF(1, px(_HEAD), rect.width() - 2, rect.height() - px(_HEAD + _FOOT))
        if not view.found:
            ink.text(room, view.empty, 18, colour="text2", align=CENTRE)
        fit = max(1, int(room.height() / px(_ROW)))
        first = max(0, view.chosen - fit + 1)
        for n, row in enumerate(view.found[first : first + fit]):
            self._row(ink, QRectF(1, room.y() + n * px(_ROW), room.width(), px(_ROW)), row, first + n)
        foot = QRectF(px(15), rect.height() - px(_FOOT), rect.width() - px(30), px(_FOOT) - 1)
        draw_foot(ink, foot, view.caps, view.foot)

    def _search(self, ink: Ink) -> None:
        px, frame = ink.px, self._frame()
        self.marks["field"] = frame
        draw_field(ink, frame, self.field.hasFocus())
        ink.icon(frame.x() + px(14), frame.center().y() - px(10), "search", 20, "text2")
        if not self.field.text():
            room = QRectF(frame.x() + px(50), frame.y(), frame.width() - px(62), frame.height())
            ink.text(room, self.view.label, 16, colour="text3")

    def _row(self, ink: Ink, rect: QRectF, row: FoundView, index: int) -> None:
        px = ink.px
        if index == self.view.chosen:
            draw_chosen(ink, rect)
        ink.hline(rect.x(), rect.bottom() - 1, rect.width())
        self.marks[f"found{index}"] = rect
        x = rect.x() + px(16)
        ink.icon(x, rect.center().y() - px(11), "circle-dot" if row.picked else "circle", 22, "text")
        x += px(36)
        chip = ink.chip(QPointF(rect.right() - px(16), rect.center().y()), row.chip, from_right=True)
        width = self.look.width(row.category, 14)
        kind = QRectF(chip.x() - px(14) - width, rect.y(), width + 2, rect.height())
        ink.text(kind, row.category, 14, colour="text2")
        room = kind.x() - px(14) - x
        title = self.look.metrics(18, 700).elidedText(row.title, Qt.TextElideMode.ElideRight, room)
        ink.text(QRectF(x, rect.y() + px(9), room + 2, px(24)), title, 18, weight=700)
        sub = self.look.metrics(14).elidedText(row.sub, Qt.TextElideMode.ElideRight, room)
        ink.text(QRectF(x, rect.y() + px(34), room + 2, px(20)), sub, 14, colour="text2")
