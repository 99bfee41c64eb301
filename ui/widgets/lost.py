"""Hands must stop: the take-over in place of the picture, and the clock of the unrecorded time."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPen

from ui.theme import Look
from ui.views import Tip
from ui.widgets.ink import CENTRE, RIGHT, Ink, Shown, cap_size, wrap
from ui.work_views import LostPanel, TakeOver

_NOTE_COLOUR = {"circle-check": "overlayOk", "rotate-ccw": "cut"}


class TakeOverPanel(Shown[TakeOver | None]):
    """What happened, what to do 1-2-3, what was kept; dashed yellow around when the recording is cut."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)

    def taken(self, view: TakeOver | None) -> None:
        self.setAccessibleName(f"{view.title}. {view.sub}" if view else "")

    def draw(self, ink: Ink) -> None:
        view, px = self.view, ink.px
        if view is None:
            return
        rect = QRectF(self.rect())
        ink.box(rect, fill="stage", radius=10)
        edge = px(4)
        if view.cut:
            pen = QPen(self.look.colour("cut"), edge)
            pen.setDashPattern([2, 1])
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            ink.p.setPen(pen)
            ink.p.setBrush(Qt.BrushStyle.NoBrush)
            ink.p.drawRoundedRect(rect.adjusted(edge / 2, edge / 2, -edge / 2, -edge / 2), px(9), px(9))
        inner = rect.adjusted(edge, edge, -edge, -edge)
        bar = QRectF(inner.x(), inner.y(), inner.width(), px(self.look.density.stage_bar))
        self._header(ink, bar, view)
        room = inner.adjusted(0, bar.height(), 0, 0)
        ink.fill(room, "stagePanel")
        self._content(ink, room, view)

    def _header(self, ink: Ink, bar: QRectF, view: TakeOver) -> None:
        px = ink.px
        x, middle = bar.x() + px(12), bar.center().y()
        ink.icon(x, middle - px(9), "camera-off" if view.state else "camera", 18, "onStage2")
        x += px(18 + 14)
        x += ink.text(QRectF(x, bar.y(), bar.width(), bar.height()), view.camera, 15, colour="onStage", weight=700)
        x += px(14)
        ink.text(QRectF(x, bar.y(), bar.width() / 3, bar.height()), view.state, 15, colour="onStage2")
        ink.text(bar.adjusted(0, 0, -px(12), 0), view.last_frame, 15, colour="onStage2", align=RIGHT)

    def _content(self, ink: Ink, room: QRectF, view: TakeOver) -> None:
        px = ink.px
        compact = self.look.density.name == "compact"
        side = px(24 if compact else 34)
        area = room.adjusted(side, px(16 if compact else 26), -side, -px(12 if compact else 30))
        y = self._title(ink, area, view) + px(14 if compact else 22)
        ink.hline(area.x(), y, area.width(), "stageLine")
        y += px(14 if compact else 23)
        left = QRectF(area.x(), y, area.width() * 0.4916, area.bottom() - y)
        middle = left.right() + px(36)
        ink.vline(middle, y, area.bottom() - y, "stageLine")
        right = QRectF(middle + px(37), y, area.right() - middle - px(37), area.bottom() - y)
        self._do(ink, left, view)
        self._kept(ink, right, view)
        self.marks["do"], self.marks["kept"] = left, right

    def _title(self, ink: Ink, area: QRectF, view: TakeOver) -> float:
        px = ink.px
        x = area.x() + px(56 + 20)
        width = area.right() - x
        size = next((s for s in (38, 32, 28) if self.look.width(view.title, s, 700) <= width), 28)
        lines = wrap(self.look, view.title, size, width, 700)
        step = px(size) * 1.2
        y = area.y()
        for line in lines:
            ink.text(QRectF(x, y, width + 1, step), line, size, colour="onStage", weight=700)
            y += step
        self.marks["title"] = QRectF(x, area.y(), width, step)
        used = ink.wrapped(QRectF(x, y + px(4), width, px(90)), view.sub, 21, colour="onStage2", leading=1.4)
        bottom = y + px(4) + used
        ink.icon(area.x(), (area.y() + bottom) / 2 - px(28), view.icon, 56, "cut", 1.75)
        return bottom

    def _do(self, ink: Ink, room: QRectF, view: TakeOver) -> None:
        px = ink.px
        gap = px(12 if self.look.density.name == "compact" else 18)
        ink.text(QRectF(room.x(), room.y(), room.width(), px(31)), view.do_title, 22, colour="cut", weight=700)
        y = room.y() + px(31) + gap
        for i, act in enumerate(view.do, 1):
            circle = QRectF(room.x(), y, px(34), px(34))
            ink.box(circle, fill="onStage", radius=17)
            ink.p.setPen(Qt.PenStyle.NoPen)
            ink.text(circle, str(i), 21, colour="stage", weight=700, mono=True, align=CENTRE)
            text = QRectF(circle.right() + px(12), y + px(2), room.width() - px(46), px(30) * 3)
            used = ink.rich(text, act, 21, colour="onStage", max_lines=3)
            y += max(px(34), used + px(4)) + gap
        if view.more:
            self._more(ink, QRectF(room.x(), y + px(2), room.width(), px(32)), view.more)

    def _more(self, ink: Ink, row: QRectF, tip: Tip) -> None:
        px = ink.px
        x = row.x()
        size = 18
        needed = self.look.width(tip.lead + tip.action, size) + cap_size(self.look, tip.key).width() + px(16)
        if needed > row.width():
            size = 16
        x += ink.text(QRectF(x, row.y(), row.width(), row.height()), tip.lead, size, colour="onStage2") + px(8)
        x = ink.cap(x, row.center().y(), tip.key).right() + px(8)
        ink.text(QRectF(x, row.y(), row.right() - x + px(20), row.height()), tip.action, size, colour="onStage2")

    def _kept(self, ink: Ink, room: QRectF, view: TakeOver) -> None:
        px = ink.px
        gap = px(12 if self.look.density.name == "compact" else 18)
        ink.text(QRectF(room.x(), room.y(), room.width(), px(31)), view.kept_title, 22, colour="overlayOk", weight=700)
        y = room.y() + px(31) + gap
        for note in view.kept:
            ink.icon(room.x(), y + px(3), note.icon, 20, _NOTE_COLOUR.get(note.icon, "onStage2"), 2.4)
            text = QRectF(room.x() + px(30), y, room.width() - px(30), px(26) * 4)
            y += max(px(25), ink.wrapped(text, note.text, 18, colour="onStage", leading=1.4)) + gap


class LostTimePanel(Shown[LostPanel | None]):
    """How long nothing was recorded, what follows from it, and the line for support."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)

    def taken(self, view: LostPanel | None) -> None:
        self.setAccessibleName(f"{view.chip.text} {view.timer}" if view else "")

    def draw(self, ink: Ink) -> None:
        view, px = self.view, ink.px
        if view is None:
            return
        rect = QRectF(self.rect())
        ink.box(rect, fill="panel", line="line", radius=10)
        side, top = (px(v) + 1 for v in self.look.density.panel_pad)
        room = rect.adjusted(side, top, -side, -top)
        tight = room.height() < px(300)
        chip = ink.chip(QPointF(room.x(), room.y() + px(15)), view.chip, 30)
        since = QRectF(chip.right() + px(10), room.y(), room.right() - chip.right() - px(10), px(30))
        ink.text(since, view.since, 16, colour="text2")
        y = room.y() + px(30)
        if view.timer:
            y = self._clock(ink, room, y, view, 44 if tight else 72)
        bottom = self._support(ink, room, view, px(40 if tight else 56))
        gap = px(2 if tight else 12)
        for text, colour in (*((line, "text") for line in view.lines), (view.quiet, "text2")):
            if text:
                size = 16 if self.look.density.name == "compact" else 18
                y += gap
                line = QRectF(room.x(), y, room.width(), bottom - y)
                y += ink.wrapped(line, text, size, colour=colour, leading=1.4 if tight else 1.5)
                gap = 0

    def _clock(self, ink: Ink, room: QRectF, y: float, view: LostPanel, size: int) -> float:
        px = ink.px
        compact = self.look.density.name == "compact"
        y += px(4 if compact else 10)
        timer = QRectF(room.x(), y, room.width(), px(size) * 1.15)
        ink.text(timer, view.timer, size, weight=700, mono=True)
        self.marks["timer"] = timer
        y = timer.bottom()
        ink.text(QRectF(room.x(), y, room.width(), px(25)), view.label, 18, colour="text2")
        y += px(25) + px(8 if compact else 16)
        bar = QRectF(room.x(), y, room.width(), px(12))
        ink.box(bar, fill="line", radius=4)
        ink.p.save()
        ink.clip_round(bar, 4)
        ink.fill(QRectF(bar.x(), bar.y(), bar.width() * view.share, bar.height()), "warn")
        ink.p.restore()
        self.marks["bar"] = bar
        y = bar.bottom() + px(6 if compact else 8)
        scale = QRectF(room.x(), y, room.width(), px(22))
        ink.text(scale, view.scale[0], 16, colour="text2")
        ink.text(scale, view.scale[1], 16, colour="text2", align=RIGHT)
        return y + px(22)

    def _support(self, ink: Ink, room: QRectF, view: LostPanel, height: int) -> float:
        """The quiet line for support at the foot; gives where the room above it ends."""
        px = ink.px
        lead = self.look.width(view.support, 16)
        box = QRectF(room.x(), room.bottom() - height, room.width(), height)
        ink.box(box, fill="sunken", line="line", radius=8)
        x, middle = box.x() + px(15), box.center().y()
        ink.icon(x, middle - px(11), "info", 22, "text2")
        x += px(22 + 10)
        ink.text(QRectF(x, box.y(), lead + 1, box.height()), view.support, 16, colour="text2")
        x += lead + px(10)
        self._code(ink, QRectF(x, box.y(), box.right() - px(12) - x, box.height()), view.support_code)
        return box.y() - px(4)

    def _code(self, ink: Ink, room: QRectF, code: str) -> None:
        """One mono line; a long one in two smaller lines."""
        if self.look.width(code, 16, mono=True) <= room.width():
            ink.text(room, code, 16, mono=True)
            return
        upper, _, lower = code.partition(" · ")
        half = room.height() / 2
        ink.text(QRectF(room.x(), room.y() + 4, room.width(), half - 4), upper, 14, mono=True)
        ink.text(QRectF(room.x(), room.y() + half, room.width(), half - 4), lower, 14, mono=True)
