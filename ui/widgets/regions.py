"""The card of a lesson, upright, with the places of its fields as frames that are picked, moved and drawn.

What stands under a scratch panel is covered solid until the key for secrets is held.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPen, QPolygonF, QResizeEvent, QTransform
from PySide6.QtWidgets import QLineEdit

from app.core.lessons import CARD_MM, Size, drawn_between
from app.core.products import Box
from ui.product_views import LessonView, RegionView
from ui.theme import Look
from ui.widgets.ink import CENTRE, Ink, Painted
from ui.widgets.rows import draw_field

_HEAD = 74
_FOOT = 84
_HANDLE = 7
_STRIP = 100
_EMPTY = LessonView(("", ""), (), (), (), "", "")

Photograph = tuple[QImage, tuple[tuple[float, float], ...]]
"""A photograph, and the card's corners in it from 0 to 1."""


class RegionPanel(Painted):
    """`picked` a field's name, `shaped` its name and new box (mm), `turned` a clicked photograph (from 0),
    `typed` when a name was changed.
    """

    picked = Signal(str)
    turned = Signal(int)
    shaped = Signal(str, object)
    typed = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.view = _EMPTY
        self.names = (QLineEdit(self), QLineEdit(self))
        for field in self.names:
            field.setMaxLength(60)
            field.textEdited.connect(lambda _text: self.typed.emit())
            field.cursorPositionChanged.connect(self.update)
        self._card: QImage | None = None
        self._photographs: tuple[Photograph, ...] = ()
        self._at = 0
        self._size: Size = CARD_MM
        self._uncovered = False
        self._grip: tuple[str, QPointF, Box | None, bool] | None = None  # name, where (mm), box moved, by its corner

    def show_view(self, view: LessonView | None) -> None:
        view = view or _EMPTY
        if view != self.view:
            self.view = view
            for field, label in zip(self.names, view.name_labels, strict=True):
                field.setAccessibleName(label)
            self.setAccessibleDescription("; ".join(f"{r.label} {r.box.x} {r.box.y} mm" for r in view.regions))
            self.update()

    def show_card(
        self, card: QImage | None, photographs: tuple[Photograph, ...] = (), at: int = 0, size_mm: Size = CARD_MM
    ) -> None:
        """The upright card that is shown from now on, the photographs, which of them it is of, and the card's size."""
        self._card, self._photographs, self._at, self._size = card, photographs, at, size_mm
        self.update()

    def reveal(self, on: bool) -> None:
        """Uncover what must not be seen, or cover it again."""
        if on != self._uncovered:
            self._uncovered = on
            self.update()

    def resizeEvent(self, _event: QResizeEvent) -> None:
        px = self.look.px
        for frame, field in zip(self._frames(), self.names, strict=True):
            field.setGeometry(frame.adjusted(px(12), 2, -px(12), -2).toRect())

    def _frames(self) -> tuple[QRectF, QRectF]:
        px = self.look.px
        width = (self.width() - px(30 + 10)) / 2
        return QRectF(px(15), px(13), width, px(48)), QRectF(px(25) + width, px(13), width, px(48))

    def card_rect(self) -> QRectF:
        """Where the card is drawn, in pixels of the widget."""
        px = self.look.px
        room = QRectF(px(16), px(_HEAD + 24), self.width() - px(32), self.height() - px(_HEAD + _FOOT + _STRIP + 38))
        scale = min(room.width() / self._size[0], room.height() / self._size[1])
        width, height = self._size[0] * scale, self._size[1] * scale
        return QRectF(room.center().x() - width / 2, room.center().y() - height / 2, width, height)

    # The mouse

    def _mm(self, point: QPointF) -> QPointF:
        card = self.card_rect()
        scale = self._size[0] / card.width()
        return QPointF((point.x() - card.x()) * scale, (point.y() - card.y()) * scale)

    def _pixels(self, box: Box) -> QRectF:
        card = self.card_rect()
        scale = card.width() / self._size[0]
        return QRectF(card.x() + box.x * scale, card.y() + box.y * scale, box.w * scale, box.h * scale)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if name.startswith("legend") and rect.contains(event.position()):
                self.picked.emit(name.removeprefix("legend"))
                return
        for n in range(len(self._photographs)):
            if self.marks.get(f"photograph{n}", QRectF()).contains(event.position()):
                self.turned.emit(n)
                return
        if self._card is None or not self.card_rect().contains(event.position()):
            return
        hit = self._hit(event.position())
        if hit is None:
            chosen = next((one.name for one in self.view.legend if one.picked), "")
            self._grip = (chosen, self._mm(event.position()), None, False) if chosen else None
            return
        corner = self._pixels(hit.box).bottomRight()
        reach = self.look.px(_HANDLE * 2)
        by_corner = (corner - event.position()).manhattanLength() < reach
        self._grip = (hit.name, self._mm(event.position()), hit.box, by_corner)
        self.picked.emit(hit.name)

    def _hit(self, at: QPointF) -> RegionView | None:
        """The region under the pointer, the picked one first, then the smallest."""
        reach = self.look.px(_HANDLE)
        wide = [r for r in self.view.regions if self._pixels(r.box).adjusted(-1, -1, reach, reach).contains(at)]
        return min(wide, key=lambda r: (not r.picked, r.box.w * r.box.h), default=None)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is None:
            return
        name, start, box, by_corner = self._grip
        at = self._mm(event.position())
        if box is None:
            self.shaped.emit(name, drawn_between(start.x(), start.y(), at.x(), at.y(), self._size))
        elif by_corner:
            self.shaped.emit(name, drawn_between(box.x, box.y, max(box.x, at.x()), max(box.y, at.y()), self._size))
        else:
            x = min(max(0.0, box.x + at.x() - start.x()), self._size[0] - box.w)
            y = min(max(0.0, box.y + at.y() - start.y()), self._size[1] - box.h)
            self.shaped.emit(name, drawn_between(x, y, x + box.w, y + box.h, self._size))

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._grip = None

    # Painting

    def draw(self, ink: Ink) -> None:
        px, rect, view = ink.px, QRectF(self.rect()), self.view
        self.marks.clear()
        ink.box(rect, fill="panel", line="line", radius=10)
        self._name_fields(ink)
        stage = QRectF(1, px(_HEAD), rect.width() - 2, rect.height() - px(_HEAD + _FOOT))
        ink.fill(stage, "stage")
        self.marks["stage"] = stage
        if self._card is None or view.message:
            ink.text(stage, view.message, 21, colour="onStage2", align=CENTRE)
        else:
            ink.p.drawImage(self.card_rect(), self._card)
            labels: list[QRectF] = []
            for region in sorted(view.regions, key=lambda one: one.picked):
                labels.append(self._region(ink, region, labels))
            strip = QRectF(px(16), stage.bottom() - px(_STRIP + 10), rect.width() - px(32), px(_STRIP))
            for n, photograph in enumerate(self._photographs):
                self._photograph(ink, strip, n, photograph)
        self._legend(ink, QRectF(px(15), stage.bottom(), rect.width() - px(30), px(_FOOT / 2)))
        self._keys(ink, QRectF(px(15), rect.height() - px(_FOOT / 2), rect.width() - px(30), px(_FOOT / 2) - 1))

    def _name_fields(self, ink: Ink) -> None:
        px = ink.px
        for frame, field, label in zip(self._frames(), self.names, self.view.name_labels, strict=True):
            draw_field(ink, frame, field.hasFocus())
            if not field.text():
                room = frame.adjusted(px(16), 0, -px(12), 0)
                ink.text(room, label, 16, colour="text3")

    def _region(self, ink: Ink, region: RegionView, labels: list[QRectF]) -> QRectF:
        """Its frame and its label, which gives way to `labels`; gives where that is."""
        px, rect = ink.px, self._pixels(region.box)
        self.marks[f"region{region.name}"] = rect
        if region.covered and not self._uncovered:
            self._cover(ink, rect)
        token = "overlayWarn" if region.picked else "overlayOk"
        pen = QPen(self.look.colour(token), 3 if region.picked else 2)
        if region.drawn:
            pen.setStyle(Qt.PenStyle.DashLine)
        ink.p.setPen(pen)
        ink.p.setBrush(Qt.BrushStyle.NoBrush)
        ink.p.drawRect(rect)
        width, height = self.look.width(region.label, 14, 700) + px(12), px(20)
        corners = [(rect.x(), rect.y() - px(22)), (rect.right() - width, rect.y() - px(22))]
        corners += [(rect.right() - width, rect.bottom() + 2), (rect.x(), rect.bottom() + 2)]
        places = [self._on_card(QRectF(x, y, width, height)) for x, y in corners]
        label = next((one for one in places if not any(one.intersects(other) for other in labels)), places[0])
        ink.box(label, fill=token, radius=3)
        ink.text(label, region.label, 14, colour="onOverlay", weight=700, align=CENTRE)
        if region.picked:
            corner, size = rect.bottomRight(), px(_HANDLE)
            ink.fill(QRectF(corner.x() - size / 2, corner.y() - size / 2, size, size), token)
        return label

    def _on_card(self, rect: QRectF) -> QRectF:
        """A rectangle moved as far as it must be to lie on the card."""
        card = self.card_rect()
        x = min(max(rect.x(), card.x()), card.right() - rect.width())
        y = min(max(rect.y(), card.y()), card.bottom() - rect.height())
        return QRectF(x, y, rect.width(), rect.height())

    def _photograph(self, ink: Ink, strip: QRectF, n: int, photograph: Photograph) -> None:
        """A photograph as it was taken, with the card and its regions where they lie in it."""
        px, (image, quad) = ink.px, photograph
        width = (strip.width() - px(20)) / 3
        room = QRectF(strip.x() + n * (width + px(10)), strip.y(), width, strip.height())
        scale = min(room.width() / image.width(), room.height() / image.height())
        wide, high = image.width() * scale, image.height() * scale
        place = QRectF(room.center().x() - wide / 2, room.center().y() - high / 2, wide, high)
        self.marks[f"photograph{n}"] = place
        ink.p.drawImage(place, image)
        corners = QPolygonF([QPointF(place.x() + x * wide, place.y() + y * high) for x, y in quad])
        ink.p.setBrush(Qt.BrushStyle.NoBrush)
        to_photograph = _onto(corners, self._size)
        if to_photograph is not None:
            for region in self.view.regions:
                shape = to_photograph.map(QPolygonF(QRectF(region.box.x, region.box.y, region.box.w, region.box.h)))
                hidden = region.covered and not self._uncovered
                ink.p.setBrush(self.look.colour("stage") if hidden else Qt.BrushStyle.NoBrush)
                ink.p.setPen(QPen(self.look.colour("overlayWarn" if region.picked else "overlayOk"), 1.5))
                ink.p.drawPolygon(shape)
        ink.p.setBrush(Qt.BrushStyle.NoBrush)
        ink.p.setPen(QPen(self.look.colour("onStage2"), 1.5))
        ink.p.drawPolygon(corners)
        if n == self._at:
            ink.box(place.adjusted(-3, -3, 3, 3), line="primary", width=3, radius=2)

    def _cover(self, ink: Ink, rect: QRectF) -> None:
        ink.fill(rect, "stage")
        ink.p.save()
        ink.p.setClipRect(rect, Qt.ClipOperation.IntersectClip)
        ink.p.setPen(QPen(self.look.colour("hatch"), 2))
        step, x = 16, rect.left() - rect.height()
        while x < rect.right():
            ink.p.drawLine(QPointF(x, rect.bottom()), QPointF(x + rect.height(), rect.top()))
            x += step
        ink.p.restore()

    def _legend(self, ink: Ink, row: QRectF) -> None:
        px = ink.px
        x = row.x()
        for one in self.view.legend:
            icon = "circle-dot" if one.picked else "circle-check" if one.there else "circle-dashed"
            colour = "primary" if one.picked else "text" if one.there else "text3"
            width = px(24) + self.look.width(one.label, 14, 700 if one.picked else 400)
            mark = QRectF(x, row.y(), width, row.height())
            ink.icon(x, row.center().y() - px(9), icon, 18, colour)
            room = QRectF(x + px(24), row.y(), width - px(24) + 2, row.height())
            ink.text(room, one.label, 14, colour=colour, weight=700 if one.picked else 400)
            self.marks[f"legend{one.name}"] = mark
            x += width + px(16)

    def _keys(self, ink: Ink, row: QRectF) -> None:
        ink.hline(1, row.y(), self.width() - 2)
        x = row.x()
        for cap in self.view.caps:
            x = ink.cap(x, row.center().y(), cap).right() + ink.px(6)
        ink.text(QRectF(x + 2, row.y(), row.right() - x, row.height()), self.view.foot, 14, colour="text2")


def _onto(corners: QPolygonF, size_mm: Size) -> QTransform | None:
    """From millimetres on a card of this size to where it lies in the photograph."""
    width, height = size_mm
    card = QPolygonF([QPointF(0, 0), QPointF(width, 0), QPointF(width, height), QPointF(0, height)])
    made = QTransform()
    return made if QTransform.quadToQuad(card, corners, made) else None
