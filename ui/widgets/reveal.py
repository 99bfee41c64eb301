"""The panel that shows a secret for as long as a key is held: how the request stands, what to do, and dots.

The characters are painted, never typed: there is nothing to select or to copy, no screen reader is told of them, and a
picture that the program takes of its own window has the dots.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent
from shiboken6 import Shiboken

from app.core.cards import Secret
from ui.reveal_views import CoverView, PanelView, StepView
from ui.theme import Look
from ui.views import Chip, Option, Tone
from ui.widgets.ink import CENTRE, RIGHT, TONE_TEXT, Ink, Shown, wrap
from ui.widgets.options import draw_option

_GROUP = 4
_COLUMNS = 2
_SIZES = (44, 36, 28, 22, 16)


class RevealPanel(Shown[PanelView]):
    """`picked` carries the digit of a clicked reason; `held`: the cover is pressed, or let go."""

    picked = Signal(str)
    held = Signal(bool)

    def __init__(self, look: Look) -> None:
        super().__init__(look, PanelView(Chip(Tone.IDLE, ""), "", ""))
        self._secret: Secret | None = None

    @property
    def uncovered(self) -> bool:
        return self._secret is not None

    def uncover(self, secret: Secret | None) -> None:
        """Show this on the screen until it is called with None."""
        if secret is not self._secret:
            self._secret = secret
            self.update()

    def taken(self, view: PanelView) -> None:
        if view.cover is None:
            self._secret = None
        self.marks.clear()
        steps = "; ".join(step.text for step in view.steps)
        self.setAccessibleName(f"{view.chip.text}: {view.prompt}")
        self.setAccessibleDescription(" ".join(part for part in (view.help, steps) if part))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.marks.get("cover", QRectF()).contains(event.position()):
            self.held.emit(True)
        for n, option in enumerate(self.view.options):
            if self.marks.get(f"option{n}", QRectF()).contains(event.position()):
                self.picked.emit(option.key)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self.held.emit(False)

    def draw(self, ink: Ink) -> None:
        rect, view, px = QRectF(self.rect()), self.view, ink.px
        ink.box(rect, fill="panel", line="line", radius=10)
        side, top = (px(v) + 1 for v in self.look.density.panel_pad)
        room = rect.adjusted(side, top, -side, -top)
        self.marks["chip"] = ink.chip(QPointF(room.x(), room.y() + px(15)), view.chip, 30)
        y = room.y() + px(30 + 14)
        y += self._prompt(ink, QRectF(room.x(), y, room.width(), px(80)), view.prompt) + px(6)
        if view.help:
            y += ink.wrapped(room.adjusted(0, y - room.y(), 0, 0), view.help, 18, colour="text2", leading=1.5)
        body = room.adjusted(0, y + px(20) - room.y(), 0, 0)
        if view.cover is not None:
            self._cover(ink, body, view.cover)
            return
        captions = iter(view.captions)
        if view.options:
            body = self._reasons(ink, self._caption(ink, body, next(captions, "")), view.options)
        if view.steps:
            self._steps(ink, self._caption(ink, body, next(captions, "")), view.steps)

    def _prompt(self, ink: Ink, room: QRectF, text: str) -> float:
        """In one line, or in two of smaller type; gives the height."""
        size = self.look.density.prompt
        if self.look.width(text, size, 700) > room.width():
            size -= 6
        self.marks["prompt"] = room
        lines = len(wrap(self.look, text, size, room.width(), 700))
        ink.wrapped(room, text, size, leading=1.25, weight=700)
        return lines * ink.px(size) * 1.25

    @staticmethod
    def _caption(ink: Ink, room: QRectF, text: str) -> QRectF:
        """A word over what follows, if there is one; gives the room below it."""
        if not text:
            return room
        ink.text(QRectF(room.x(), room.y(), room.width(), ink.px(22)), text, 16, colour="text2", weight=700)
        return room.adjusted(0, ink.px(30), 0, 0)

    def _reasons(self, ink: Ink, room: QRectF, options: tuple[Option, ...]) -> QRectF:
        """In two columns; gives the room below them."""
        gap, height = ink.px(8), ink.px(50)
        width = (room.width() - gap) / _COLUMNS
        for n, option in enumerate(options):
            across, down = n % _COLUMNS, n // _COLUMNS
            row = QRectF(room.x() + across * (width + gap), room.y() + down * (height + gap), width, height)
            draw_option(ink, row, option, bold=False)
            self.marks[f"option{n}"] = row
        lines = -(-len(options) // _COLUMNS)
        return room.adjusted(0, lines * (height + gap) + ink.px(12), 0, 0)

    def _steps(self, ink: Ink, room: QRectF, steps: tuple[StepView, ...]) -> None:
        px, height = ink.px, ink.px(46)
        box = QRectF(room.x(), room.y(), room.width(), height * len(steps) + 2)
        ink.box(box, fill="sunken", line="line", radius=8)
        for n, step in enumerate(steps):
            row = QRectF(box.x(), box.y() + 1 + n * height, box.width(), height)
            if n:
                ink.hline(row.x() + 1, row.y(), row.width() - 2)
            colour = TONE_TEXT[step.tone]
            ink.icon(row.x() + px(14), row.center().y() - px(11), step.icon, 22, colour, 2.25)
            words = QRectF(row.x() + px(48), row.y(), row.width() - px(60), height)
            now = step.tone is Tone.INFO
            ink.text(words, step.text, 16, colour="text" if now else colour, weight=700 if now else 400)
            self.marks[f"step{n}"] = row

    def _cover(self, ink: Ink, room: QRectF, view: CoverView) -> None:
        px = ink.px
        box = QRectF(room.x(), room.y(), room.width(), px(196))
        ink.box(box, fill="sunken", line="lineStrong", width=2, radius=8)
        self.marks["cover"] = box
        inner = box.adjusted(px(16), 0, -px(16), 0)
        middle = box.y() + px(30)
        ink.icon(inner.x(), middle - px(10), "key-round", 20, "text2")
        ink.text(QRectF(inner.x() + px(30), middle - px(14), px(200), px(28)), view.label, 16, weight=700)
        action = self.look.width(view.action, 16)
        words = QRectF(inner.right() - action - 1, middle - px(14), action + 2, px(28))
        ink.text(words, view.action, 16, colour="text2")
        ink.cap(words.x() - px(10 + 34), middle, view.cap)
        line = QRectF(inner.x(), box.y() + px(58), inner.width(), px(70))
        self.marks["secret"] = line
        secret = self._secret if self._for_the_screen(ink) else None
        if secret is not None:
            self._characters(ink, line, secret)
        else:
            self._dots(ink, line, view.length)
        self._countdown(ink, QRectF(inner.x(), box.bottom() - px(52), inner.width(), px(36)), view)

    def _characters(self, ink: Ink, room: QRectF, secret: Secret) -> None:
        """In groups of four, as large as fits; what is cut of it is told to nobody."""
        text = secret.reveal()
        spaced = " ".join(text[n : n + _GROUP] for n in range(0, len(text), _GROUP))
        fits = (size for size in _SIZES if self.look.width(spaced, size, 700, mono=True) <= room.width())
        ink.p.setFont(self.look.font(next(fits, _SIZES[-1]), 700, mono=True))
        ink.p.setPen(ink.colour("text"))
        ink.p.drawText(room, CENTRE | Qt.TextFlag.TextSingleLine, spaced)

    def _dots(self, ink: Ink, room: QRectF, length: int) -> None:
        gaps = max(0, (length - 1) // _GROUP)
        step = min(ink.px(26), room.width() / max(1.0, length + 0.6 * gaps))
        x = room.center().x() - step * (length + 0.6 * gaps) / 2
        ink.p.setPen(Qt.PenStyle.NoPen)
        ink.p.setBrush(ink.colour("text"))
        for n in range(length):
            ink.p.drawEllipse(QRectF(x + step * 0.2, room.center().y() - step * 0.3, step * 0.6, step * 0.6))
            x += step * (1.6 if n % _GROUP == _GROUP - 1 else 1.0)

    def _countdown(self, ink: Ink, row: QRectF, view: CoverView) -> None:
        """How long still: a bar that empties, and the seconds in words."""
        px = ink.px
        width = self.look.width(view.left, 18, 700)
        ink.text(
            QRectF(row.right() - width - 2, row.y(), width + 4, row.height()), view.left, 18, weight=700, align=RIGHT
        )
        bar = QRectF(row.x(), row.center().y() - px(5), row.width() - width - px(18), px(10))
        ink.box(bar, fill="panel", line="lineStrong", radius=5)
        full = bar.adjusted(1, 1, -1, -1)
        full.setWidth(max(0.0, min(1.0, view.share)) * full.width())
        if full.width() > 0:
            ink.box(full, fill="warn" if view.share < 0.26 else "primary", radius=4)
        self.marks["left"] = row

    def _for_the_screen(self, ink: Ink) -> bool:
        """Whether this is painted for the screen, and not into a picture of the window (grab, render, print)."""
        store = self.window().backingStore()
        if not store:
            return False  # it was never shown
        painted = ink.p.paintEngine().paintDevice()  # the painter's own device is the widget in both cases
        return Shiboken.getCppPointer(store.paintDevice()) == Shiboken.getCppPointer(painted)
