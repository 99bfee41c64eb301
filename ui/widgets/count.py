"""The count: three figures, the decision panel with its evidence and ways out."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Signal
from PySide6.QtGui import QMouseEvent

from ui.theme import Look
from ui.views import Tone
from ui.widgets.ink import RIGHT, Ink, Shown, wrap
from ui.widgets.options import draw_option
from ui.widgets.prompt import draw_notice
from ui.work_views import CountBody, Shot


class FiguresPanel(Shown[CountBody | None]):
    """Declared, found, difference; and what it means."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)
        self.fix(height=look.density.figures)

    def taken(self, view: CountBody | None) -> None:
        self.setAccessibleName(f"{view.headline} {view.subline}" if view else "")

    def draw(self, ink: Ink) -> None:
        view, px = self.view, ink.px
        if view is None:
            return
        rect = QRectF(self.rect())
        ok = view.tone is Tone.OK
        tone = "ok" if ok else "warn"
        ink.box(rect, fill=f"{tone}Tint", line=f"{tone}Line", width=1 if ok else 2, radius=10)
        middle = rect.center().y()
        ink.icon(rect.x() + px(22), middle - px(22), "circle-check" if ok else "triangle-alert", 44, tone, 2)
        x = rect.x() + px(22 + 44 + 28)
        size = self.look.density.figure
        label, figure = px(22), px(size) * 1.1
        top = middle - (label + figure) / 2
        for item in view.figures:
            colour = tone if item.tone is not Tone.PLAIN else "text"
            width = max(self.look.width(item.label, 16), self.look.width(item.value, size, 700, mono=True))
            ink.text(QRectF(x, top, width + 2, label), item.label, 16, colour="text2")
            value = QRectF(x, top + label, width + 4, figure)
            ink.text(value, item.value, size, colour=colour, weight=700, mono=True)
            x += width + px(28)
        ink.vline(x, middle - px(30), px(60), f"{tone}Line")
        x += px(29)
        room = rect.right() - px(16) - x
        size, lines = self._headline(view.headline, room, rect.height() - px(30))
        height = px(size) * 1.35
        block = height * len(lines) + px(26)
        y = middle - block / 2
        self.marks["headline"] = QRectF(x, y, room, block)
        for line in lines:
            ink.text(QRectF(x, y, room + 1, height), line, size, weight=700)
            y += height
        small = 16 if self.look.width(view.subline, 16) <= room else 14
        ink.text(QRectF(x, y + px(4), room, px(22)), view.subline, small, colour="text2")

    def _headline(self, text: str, width: float, height: float) -> tuple[int, list[str]]:
        """Its size and lines: smaller where two large ones do not fit, as of a long name in a low window."""
        made = [(size, wrap(self.look, text, size, width, 700)) for size in (22, 18, 16)]
        fits = (one for one in made if len(one[1]) * self.look.px(one[0]) * 1.35 <= height)
        return next(fits, made[-1])


class DecisionPanel(Shown[CountBody | None]):
    """What to do now: evidence lines, then the ways out. `chosen` follows a click (1-based)."""

    chosen = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)

    def taken(self, view: CountBody | None) -> None:
        self.marks.clear()
        self.setAccessibleName(view.question if view else "")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if name.startswith("option") and rect.contains(event.position()):
                self.chosen.emit(int(name.removeprefix("option")))

    def draw(self, ink: Ink) -> None:
        view, px, density = self.view, ink.px, self.look.density
        if view is None:
            return
        compact = density.name == "compact"
        rect = QRectF(self.rect())
        ink.box(rect, fill="panel", line="line", radius=10)
        side = px(density.panel_pad[0]) + 1
        room = rect.adjusted(side, px(15), -side, -px(10))
        y = room.y()
        size = 26 if self.look.width(view.question, 26, 700) <= room.width() else 22
        ink.text(QRectF(room.x(), y, room.width(), px(26) * 1.25), view.question, size, weight=700)
        self.marks["question"] = QRectF(room.x(), y, room.width(), px(26) * 1.25)
        y += px(26) * 1.25 + px(2 if compact else 8)
        for line in view.lines:
            y += ink.wrapped(QRectF(room.x(), y, room.width(), room.bottom() - y), line, 18, colour="text2")
        for shot in view.shots:
            self._shot(ink, QRectF(room.x(), y, room.width(), px(34)), shot)
            y += px(34)
        y += px(6 if compact else 10)
        below = px(26) if view.notice else 0
        height, gap = self._fitting(len(view.options), room.bottom() - below - y)
        for i, option in enumerate(view.options):
            row = QRectF(room.x(), y, room.width(), height)
            draw_option(ink, row, option, title_size=16 if compact else 18)
            self.marks[f"option{i + 1}"] = row
            y += height + gap
        if view.notice:
            self.marks["notice"] = QRectF(room.x(), y + px(2), room.width(), px(24))
            draw_notice(ink, self.marks["notice"], view.notice)

    def _fitting(self, options: int, room: float) -> tuple[float, float]:
        """Height and gap of the options: the design's, or less where a notice has to stand below them."""
        height, gap = self.look.px(self.look.density.option), self.look.px(8)
        if options and options * (height + gap) > room:
            gap = self.look.px(4)
            return max(self.look.px(40), min(height, room / options - gap)), gap
        return height, gap

    def _shot(self, ink: Ink, row: QRectF, shot: Shot) -> None:
        px = ink.px
        done = shot.tone is Tone.OK
        icon = "circle-check" if done else "circle-dashed"
        ink.icon(row.x(), row.center().y() - px(10), icon, 20, "ok" if done else "text2", 2.4)
        time = self.look.width(shot.time, 16, mono=True)
        x = row.x() + px(20 + 10)
        ink.text(QRectF(x, row.y(), row.right() - x - time - px(8), row.height()), shot.text, 16)
        right = QRectF(row.right() - time - 2, row.y(), time + 3, row.height())
        ink.text(right, shot.time, 16, colour="text2", mono=True, align=RIGHT)
