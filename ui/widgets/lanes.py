"""The evidence time line on two levels: this card over the whole unboxing. One paint; a gap can never be left out.

However short a gap, a mask or a clock step is, it is at least some pixels wide; words that would meet give way to those
of gaps and clock steps, which come first.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainterPath, QPen, QPolygonF

from ui.review_views import Block, CardLane, WholeLane
from ui.scene import minutes_seconds
from ui.theme import Look
from ui.views import Tone
from ui.widgets.ink import CENTRE, RIGHT, Ink, Painted

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MOST_TICKS = 7
_BLOCK = {
    Tone.OK: ("okTint", "ok", "ok", 1),
    Tone.WARN: ("warnTint", "warn", "warn", 2),
    Tone.STOP: ("stop", "panel", "panel", 1),
}
_PLAIN = ("infoTint", "info", "info", 1)


class Lanes(Painted):
    """`sought` carries the time (µs) that was clicked."""

    sought = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.card: CardLane | None = None
        self.whole = WholeLane("", (), 0, (), (), (), (), (), ())
        self.at_us = 0
        self.fix(height=240)

    def show_view(self, card: CardLane | None, whole: WholeLane) -> None:
        if (card, whole) != (self.card, self.whole):
            self.card, self.whole = card, whole
            gaps = ", ".join(f"{minutes_seconds(a)}–{minutes_seconds(b)}" for a, b in whole.gaps)
            cuts = f"{whole.legend[1][1]} {gaps}" if gaps else ""
            if whole.beside_gaps:
                theirs = ", ".join(f"{minutes_seconds(a)}–{minutes_seconds(b)}" for a, b in whole.beside_gaps)
                cuts = f"{cuts} {whole.legend[-1][1]}: {whole.legend[1][1]} {theirs}".strip()
            self.setAccessibleName(f"{card.title if card else ''} {whole.title} {cuts}".strip())
            self.update()

    def show_at(self, at_us: int) -> None:
        """Where the play head stands."""
        if at_us != self.at_us:
            self.at_us = at_us
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self.whole.length_us and self._lane().adjusted(0, -20, 0, 60).contains(at):
            self.sought.emit(self._time(at.x(), self._lane(), 0, self.whole.length_us))
        elif self.card and self._rail().adjusted(0, -14, 0, 30).contains(at):
            self.sought.emit(self._time(at.x(), self._inner(), self.card.from_us, self.card.to_us))

    @staticmethod
    def _time(x: float, room: QRectF, from_us: int, to_us: int) -> int:
        share = min(1.0, max(0.0, (x - room.x()) / max(1.0, room.width())))
        return round(from_us + share * (to_us - from_us))

    # Where things stand

    def _rail(self) -> QRectF:
        px = self.look.px
        return QRectF(px(50), px(56), self.width() - px(100), px(10))

    def _inner(self) -> QRectF:
        """The rail between its first and its last stop."""
        return self._rail().adjusted(self.look.px(20), 0, -self.look.px(25), 0)

    def _lane(self) -> QRectF:
        px = self.look.px
        return QRectF(px(55), px(152), self.width() - px(111), px(13))

    def _x(self, at_us: int) -> float:
        lane = self._lane()
        return lane.x() + lane.width() * at_us / max(1, self.whole.length_us)

    # Painting

    def draw(self, ink: Ink) -> None:
        rect, px = QRectF(self.rect()), ink.px
        ink.box(rect, fill="panel", line="line", radius=10)
        row = QRectF(px(15), px(11), rect.width() - px(30), px(26))
        if self.card is not None:
            x = row.x() + ink.text(row, self.card.title, 16, weight=700) + px(10)
            ink.text(QRectF(x, row.y(), row.right() - x, row.height()), self.card.times, 16, colour="text2")
            self._card(ink, self.card)
        ink.hline(row.x(), px(98), row.width())
        self._head(ink, QRectF(row.x(), px(106), row.width(), px(26)))
        if self.whole.length_us:
            self._ticks(ink)
            self._filmed(ink)
            self._beside(ink)
            self._masks(ink)
            for block in self.whole.blocks:
                self._block(ink, block)
            self._notes(ink)
            self._play_head(ink)

    def _card(self, ink: Ink, lane: CardLane) -> None:
        px, rail, inner = ink.px, self._rail(), self._inner()
        self.marks["rail"] = rail
        ink.box(rail, fill="line", radius=5)
        span = max(1, lane.to_us - lane.from_us)
        share = min(1.0, max(0.0, (self.at_us - lane.from_us) / span))
        if self.at_us >= lane.from_us:
            ink.box(
                QRectF(rail.x(), rail.y(), inner.x() - rail.x() + inner.width() * share, rail.height()),
                fill="text2",
                radius=5,
            )
        for start, end in self.whole.gaps:
            if end > lane.from_us and start < lane.to_us:
                x, to = (
                    inner.x() + inner.width() * (min(max(t, lane.from_us), lane.to_us) - lane.from_us) / span
                    for t in (start, end)
                )
                self._stripes(ink, QRectF(x, rail.y() - 1, max(px(6), to - x), rail.height() + 2))
        free_from = 0.0
        for n, stop in enumerate(lane.stops):
            x = inner.x() + inner.width() * (stop.at_us - lane.from_us) / span
            warn, here = stop.tone is Tone.WARN, abs(self.at_us - stop.at_us) < 100_000
            radius, edge = (px(9), 3) if warn or here else (px(6), 2)
            ink.p.setPen(QPen(self.look.colour("warn" if warn else "text2"), edge))
            ink.p.setBrush(self.look.colour("warnTint" if warn else "panel"))
            ink.p.drawEllipse(QPointF(x, rail.center().y()), radius, radius)
            self.marks[f"stop{n}"] = QRectF(x - radius, rail.center().y() - radius, 2 * radius, 2 * radius)
            width = self.look.width(stop.word, 14, 700)
            left = max(x - width / 2, free_from)
            word = QRectF(left, px(72), width + 2, px(20))
            ink.text(
                word,
                stop.word,
                14,
                colour="warn" if warn else "text2",
                weight=700 if warn or here else 400,
                align=CENTRE,
            )
            free_from = left + width + px(6)

    def _head(self, ink: Ink, row: QRectF) -> None:
        px = ink.px
        ink.text(row, self.whole.title, 16, weight=700)
        x = row.right()
        for kind, word in reversed(self.whole.legend):
            width = self.look.width(word, 14)
            ink.text(QRectF(x - width - 1, row.y(), width + 2, row.height()), word, 14, colour="text2", align=RIGHT)
            x -= width + px(6) + px(14)
            sample = QRectF(x, row.center().y() - px(5), px(14), px(10))
            if kind == "rec":
                ink.box(sample, fill="rec", radius=2)
            elif kind == "cut":
                ink.box(sample, fill="cut", line="onCut", radius=0)
            elif kind == "beside":
                ink.box(QRectF(sample.x(), row.center().y() - px(2), px(14), px(4)), fill="rec", radius=1)
            else:
                self._hatch(ink, sample)
            x -= px(12)

    def _ticks(self, ink: Ink) -> None:
        """Times at round distances, at most seven."""
        px, length_s = ink.px, self.whole.length_us / 1e6
        step_s = next((step for step in _STEPS_S if length_s / step <= _MOST_TICKS - 0.5), _STEPS_S[-1])
        at_s = 0
        while at_s <= length_s:
            x = self._x(at_s * 1_000_000)
            ink.vline(round(x), px(146), px(82))
            ink.text(
                QRectF(x - px(40), px(128), px(80), px(18)),
                minutes_seconds(at_s * 1_000_000),
                13,
                colour="text3",
                mono=True,
                align=CENTRE,
            )
            at_s += step_s

    def _filmed(self, ink: Ink) -> None:
        px, lane = ink.px, self._lane()
        self.marks["lane"] = lane
        for start, end in self.whole.filmed:
            ink.box(
                QRectF(self._x(start), lane.y(), max(1.0, self._x(end) - self._x(start)), lane.height()),
                fill="rec",
                radius=3,
            )
        for n, (start, end) in enumerate(self.whole.gaps):
            rect = QRectF(self._x(start), lane.y() - 1, max(px(6), self._x(end) - self._x(start)), lane.height() + 2)
            self._stripes(ink, rect)
            self.marks[f"gap{n}"] = rect
        if self.whole.wrong is not None:
            x = self._x(self.whole.wrong[0])
            rect = QRectF(
                x - px(2), lane.y() - px(4), max(px(6), self._x(self.whole.wrong[1]) - x), lane.height() + px(8)
            )
            ink.box(rect, fill="stop", line="panel", width=2, radius=2)
            self.marks["wrong"] = rect

    def _beside(self, ink: Ink) -> None:
        """The other camera's film: a thin line over the thick one, its gaps on it."""
        px, lane = ink.px, self._lane()
        for start, end in self.whole.beside:
            film = QRectF(self._x(start), lane.y() - px(6), max(1.0, self._x(end) - self._x(start)), px(4))
            ink.box(film, fill="rec", radius=1)
        for n, (start, end) in enumerate(self.whole.beside_gaps):
            rect = QRectF(self._x(start), lane.y() - px(7), max(px(6), self._x(end) - self._x(start)), px(6))
            self._stripes(ink, rect)
            self.marks[f"beside-gap{n}"] = rect

    def _stripes(self, ink: Ink, rect: QRectF) -> None:
        ink.box(rect, fill="cut", line="onCut", width=1.5, radius=0)
        path = QPainterPath()
        path.addRect(rect.adjusted(1, 1, -1, -1))
        ink.p.save()
        ink.p.setClipPath(path, Qt.ClipOperation.IntersectClip)
        ink.p.setPen(QPen(self.look.colour("onCut"), 2.5))
        x = rect.x() - rect.height() + ink.px(3)
        while x < rect.right():
            ink.p.drawLine(QPointF(x, rect.bottom()), QPointF(x + rect.height() * 0.8, rect.y()))
            x += ink.px(9)
        ink.p.restore()

    def _masks(self, ink: Ink) -> None:
        """Where something is painted over: a thin hatched line under the red one."""
        lane = self._lane()
        for n, (start, end) in enumerate(self.whole.masks):
            rect = QRectF(self._x(start), lane.bottom() + 1, max(2.0, self._x(end) - self._x(start)), ink.px(4))
            self._hatch(ink, rect)
            self.marks[f"mask{n}"] = rect

    def _hatch(self, ink: Ink, rect: QRectF) -> None:
        ink.fill(rect, "infoTint")
        path = QPainterPath()
        path.addRect(rect)
        ink.p.save()
        ink.p.setClipPath(path, Qt.ClipOperation.IntersectClip)
        ink.p.setPen(QPen(self.look.colour("info"), 1.2))
        x = rect.x() - rect.height()
        while x < rect.right():
            ink.p.drawLine(QPointF(x, rect.bottom()), QPointF(x + rect.height(), rect.y()))
            x += ink.px(4)
        ink.p.restore()

    def _block(self, ink: Ink, block: Block) -> None:
        px = ink.px
        fill, line, colour, width = _BLOCK.get(block.tone, _PLAIN)
        left, right = self._x(block.from_us), self._x(block.to_us)
        rect = QRectF(left, px(172), max(px(4), right - left), px(31))
        ink.box(rect, fill=fill, line="focus" if block.current else line, width=2 if block.current else width, radius=4)
        text = self.look.width(block.text, 15, 700)
        if block.mark and rect.width() >= text + px(24):
            ink.text(
                QRectF(rect.x() + px(6), rect.y(), text + 2, rect.height()), block.text, 15, colour=colour, weight=700
            )
            self._mark(ink, QPointF(rect.right() - px(14), rect.center().y()), block.mark, colour)
        elif rect.width() >= text + px(4):
            ink.text(rect, block.text, 15, colour=colour, weight=700, align=CENTRE)
        self.marks[f"block{block.text}"] = rect

    def _mark(self, ink: Ink, at: QPointF, mark: str, colour: str) -> None:
        px = ink.px
        pen = QPen(
            self.look.colour(colour), 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
        )
        ink.p.setPen(pen)
        ink.p.setBrush(Qt.BrushStyle.NoBrush)
        shapes: dict[str, list[tuple[tuple[int, int], ...]]] = {
            "check": [((-5, 0), (-1, 4), (6, -4))],
            "triangle": [((0, -6), (7, 6), (-7, 6), (0, -6))],
            "cross": [((-5, -5), (5, 5)), ((5, -5), (-5, 5))],
        }
        for line in shapes[mark]:
            ink.p.drawPolyline(QPolygonF([QPointF(at.x() + px(x), at.y() + px(y)) for x, y in line]))

    def _notes(self, ink: Ink) -> None:
        """Words under the lane; one that would touch an earlier one stays away, its tick does not."""
        px, taken = ink.px, list[QRectF]()
        for clock_us in self.whole.clocks:
            x = self._x(clock_us)
            ink.p.setPen(QPen(self.look.colour("warn"), 2, Qt.PenStyle.DashLine))
            ink.p.drawLine(QPointF(x, px(146)), QPointF(x, px(208)))
        for note in self.whole.notes:
            x = self._x(note.at_us)
            ink.p.setPen(QPen(self.look.colour("text2"), 1.5))
            ink.p.drawLine(QPointF(x, px(207)), QPointF(x, px(212)))
            width = self.look.width(note.text, 14)
            left = min(max(px(8), x - width / 2), self.width() - px(8) - width)
            room = QRectF(left, px(212), width + 2, px(20))
            if not any(room.adjusted(-px(6), 0, px(6), 0).intersects(other) for other in taken):
                ink.text(room, note.text, 14, colour="text2", align=CENTRE)
                taken.append(room)

    def _play_head(self, ink: Ink) -> None:
        px = ink.px
        x = self._x(min(max(0, self.at_us), self.whole.length_us))
        colour = self.look.colour("text")
        ink.p.setPen(QPen(colour, 2.5))
        ink.p.drawLine(QPointF(x, px(146)), QPointF(x, px(207)))
        ink.p.setPen(Qt.PenStyle.NoPen)
        ink.p.setBrush(colour)
        top = px(145)
        ink.p.drawPolygon(QPolygonF([QPointF(x - px(7), top), QPointF(x + px(7), top), QPointF(x, top + px(9))]))
        self.marks["head"] = QRectF(x - px(7), top, px(14), px(62))
