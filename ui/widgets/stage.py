"""The camera stage: the newest frame, letter-boxed, with boxes drawn on top.

Nothing here is burned into the recording. A place where a PIN may stand is covered solid before anything is read.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainterPath, QPen, QPolygonF

from app.core.cards import Quad
from app.core.readiness import RecMode
from ui.theme import Look
from ui.views import Tone
from ui.widgets.ink import CENTRE, CHIP_ICON, LEFT, RIGHT, Ink, Shown
from ui.work_views import Box, StageView

_OVERLAY = {Tone.OK: "overlayOk", Tone.WARN: "overlayWarn", Tone.STOP: "overlayStop", Tone.INFO: "onStage2"}
_SURROUND = {RecMode.OFF: "stage", RecMode.ON: "rec", RecMode.CUT: "cut", RecMode.TRAINING: "train"}
_PLACE = QRectF(250 / 1280, 110 / 720, 780 / 1280, 500 / 720)
"""Where a parcel goes, as shares of the picture."""


class Stage(Shown[StageView]):
    """`look.density` decides the height of its header; its own size is up to the layout."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, StageView(RecMode.OFF, "", "", ""))
        self._image: QImage | None = None
        self._full = (1280, 720)

    def taken(self, view: StageView) -> None:
        self.setAccessibleName(f"{view.name} {view.mode} {view.no_picture}")

    def show_image(self, image: QImage) -> None:
        """Paint this half-size picture from now on."""
        self._image = image
        self._full = (image.width() * 2, image.height() * 2)
        self.update()

    def draw(self, ink: Ink) -> None:
        rect = QRectF(self.rect())
        edge = ink.px(4)
        ink.clip_round(rect, 10)
        ink.fill(rect, _SURROUND[self.view.rec])
        inner = rect.adjusted(edge, edge, -edge, -edge)
        ink.clip_round(inner, 6)
        ink.fill(inner, "stage")
        bar = ink.px(self.look.density.stage_bar)
        self._header(ink, QRectF(inner.x(), inner.y(), inner.width(), bar))
        room = inner.adjusted(0, bar, 0, 0)
        self.marks["picture"] = self._picture(ink, room)

    def _header(self, ink: Ink, bar: QRectF) -> None:
        px, view = ink.px, self.view
        x = bar.x() + px(12)
        if view.tag:
            x = self._tag(ink, bar, x) + px(14)
        ink.icon(x, bar.center().y() - px(9), "camera-off" if view.no_picture else "camera", 18, "onStage2")
        x += px(18 + 14)
        right = self._notes(ink, bar) - px(14)
        x += ink.text(QRectF(x, bar.y(), right - x, bar.height()), view.name, 15, colour="onStage", weight=700)
        x += px(14)
        mode = view.no_picture or view.mode
        if self.look.width(mode, 15) <= right - x:  # in a narrow stage the notes matter more than the mode
            ink.text(QRectF(x, bar.y(), right - x, bar.height()), mode, 15, colour="onStage2")

    def _tag(self, ink: Ink, bar: QRectF, x: float) -> float:
        px, view = ink.px, self.view
        text = self.look.width(view.tag, 15, 700)
        rect = QRectF(x, bar.center().y() - px(12.5), px(8 + 10 + 6 + 8) + text, px(25))
        train = view.rec is RecMode.TRAINING
        ink.box(rect, fill="train" if train else "rec", radius=4)
        colour = "panel" if train else "onRec"
        ink.p.setPen(Qt.PenStyle.NoPen)
        ink.p.setBrush(self.look.colour(colour))
        ink.p.drawEllipse(QRectF(rect.x() + px(8), bar.center().y() - px(5), px(10), px(10)))
        room = QRectF(rect.x() + px(24), rect.y(), text + 2, rect.height())
        ink.text(room, view.tag, 15, colour=colour, weight=700)
        return rect.right()

    def _notes(self, ink: Ink, bar: QRectF) -> float:
        px = ink.px
        x = bar.right() - px(12)
        for note in reversed(self.view.notes):
            width = self.look.width(note.text, 15, mono=note.mono)
            x -= width
            room = QRectF(x - 1, bar.y(), width + 3, bar.height())
            ink.text(room, note.text, 15, colour="onStage2", mono=note.mono, align=RIGHT)
            if note.icon:
                x -= px(14 + 18)
                ink.icon(x, bar.center().y() - px(9), note.icon, 18, "onStage2")
            x -= px(14)
        return x

    def _picture(self, ink: Ink, room: QRectF) -> QRectF:
        """Letter-box the frame into `room`; gives its rectangle."""
        scale = min(room.width() / self._full[0], room.height() / self._full[1])
        width, height = self._full[0] * scale, self._full[1] * scale
        rect = QRectF(room.center().x() - width / 2, room.center().y() - height / 2, width, height)
        ink.p.save()
        ink.p.setClipRect(room, Qt.ClipOperation.IntersectClip)
        if self._image is not None:
            ink.p.drawImage(rect, self._image)
        if self.view.no_picture and self._image is None:
            ink.text(rect, self.view.no_picture, 21, colour="onStage2", align=CENTRE)
        if self.view.frame_hint:
            self._hint(ink, rect, self.view.frame_hint)
        for box in self.view.boxes:
            self._box(ink, rect, scale, box)
        ink.p.restore()
        return rect

    def _hint(self, ink: Ink, picture: QRectF, words: tuple[str, str]) -> None:
        place = QRectF(
            picture.x() + _PLACE.x() * picture.width(),
            picture.y() + _PLACE.y() * picture.height(),
            _PLACE.width() * picture.width(),
            _PLACE.height() * picture.height(),
        )
        pen = QPen(self.look.colour("onStage2"), 2.5)
        pen.setDashPattern([5, 3.5])
        ink.p.setPen(pen)
        ink.p.setBrush(Qt.BrushStyle.NoBrush)
        ink.p.drawRoundedRect(place, 9, 9)
        line = ink.px(34)
        middle = picture.center().y()
        ink.text(
            QRectF(place.x(), middle - line, place.width(), line),
            words[0],
            22,
            colour="onStage",
            weight=700,
            align=CENTRE,
        )
        ink.text(QRectF(place.x(), middle, place.width(), line), words[1], 17, colour="onStage2", align=CENTRE)

    def _box(self, ink: Ink, picture: QRectF, scale: float, box: Box) -> None:
        shape = _polygon(box.quad, picture.topLeft(), scale)
        colour = self.look.colour(_OVERLAY.get(box.tone, "onStage2"))
        if box.hatched:
            self._hatch(ink, shape)
        pen = QPen(colour, 2.5)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        ink.p.setPen(pen)
        ink.p.setBrush(Qt.BrushStyle.NoBrush)
        ink.p.drawPolygon(shape)
        if box.label:
            self._label(ink, shape, picture, box)

    def _hatch(self, ink: Ink, shape: QPolygonF) -> None:
        """A solid cover first: hatching alone would leave the characters legible between its lines."""
        ink.p.setPen(Qt.PenStyle.NoPen)
        ink.p.setBrush(self.look.colour("stage"))
        ink.p.drawPolygon(shape)
        path = QPainterPath()
        path.addPolygon(shape)
        ink.p.save()
        ink.p.setClipPath(path, Qt.ClipOperation.IntersectClip)
        ink.p.setPen(QPen(self.look.colour("hatch"), 2))
        bounds = shape.boundingRect()
        step, x = 24, bounds.left() - bounds.height()
        while x < bounds.right():
            ink.p.drawLine(QPointF(x, bounds.bottom()), QPointF(x + bounds.height(), bounds.top()))
            x += step
        ink.p.restore()

    def _label(self, ink: Ink, shape: QPolygonF, picture: QRectF, box: Box) -> None:
        px, bounds = ink.px, shape.boundingRect()
        text = self.look.width(box.label, 16, 700)
        width, height = text + px(8 + 18 + 6 + 8), px(25)
        corner = shape.at(3) if box.below else shape.at(0)
        y = bounds.bottom() + px(4) if box.below else bounds.top() - height - px(4)
        x = min(max(picture.left(), corner.x() - 1), picture.right() - width)
        y = min(max(picture.top(), y), picture.bottom() - height)
        rect = QRectF(x, y, width, height)
        ink.box(rect, fill=_OVERLAY.get(box.tone, "onStage2"), radius=4)
        icon = CHIP_ICON.get(box.tone, "circle")
        ink.icon(rect.x() + px(8), rect.center().y() - px(9), icon, 18, "onOverlay", 2.4)
        room = QRectF(rect.x() + px(8 + 18 + 6), rect.y(), text + 2, rect.height())
        ink.text(room, box.label, 16, colour="onOverlay", weight=700, align=LEFT)


def _polygon(quad: Quad, origin: QPointF, scale: float) -> QPolygonF:
    return QPolygonF([QPointF(origin.x() + x * scale, origin.y() + y * scale) for x, y in quad])
