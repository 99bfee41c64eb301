"""Pictures that stand in for the camera in screenshots: a mat, a card on it, an empty parcel. Drawn, not filmed."""

from __future__ import annotations

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen, QPolygonF

from ui.samples import NUMBER

SIZE = (960, 540)
_UPRIGHT = (856, 540)
_SANS, _MONO = "Noto Sans CJK SC", "JetBrains Mono"


def picture(kind: str) -> QImage | None:
    """ "mat", "card" or "parcel" as a half-size frame (960x540), "upright" the card alone; None for ""."""
    if not kind:
        return None
    image = QImage(*(_UPRIGHT if kind == "upright" else SIZE), QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    if kind == "upright":
        painter.fillRect(image.rect(), QColor("#2C353C"))
        painter.scale(_UPRIGHT[0] / 640, _UPRIGHT[1] / 400)
        _face(painter)
        painter.end()
        return image
    painter.scale(0.75, 0.75)
    _mat(painter)
    if kind == "card":
        _card(painter)
    elif kind == "parcel":
        _parcel(painter)
    painter.end()
    return image


def crop() -> bytes:
    """The enlarged doubtful character with its neighbours, as PNG."""
    image = QImage(300, 224, QImage.Format.Format_RGB32)
    image.fill(QColor("#1F6F5C"))
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing)
    painter.scale(2, 2)
    _text(painter, QPointF(-22, 84), "7", 76, "#F3F7F5", _MONO, 600)
    _text(painter, QPointF(52, 84), "8", 76, "#F3F7F5", _MONO, 600)
    _text(painter, QPointF(126, 84), "2", 76, "#F3F7F5", _MONO, 600)
    painter.setPen(QPen(QColor("#1F6F5C"), 7))
    for a, b in (((50, 34), (72, 46)), ((56, 76), (82, 60)), ((64, 20), (74, 28))):
        painter.drawLine(QPointF(*a), QPointF(*b))
    painter.setPen(QPen(QColor("#FFCB57"), 4))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(47, 14, 56, 84), 4, 4)
    painter.end()
    return _png(image)


def line() -> bytes:
    """The line of a number of which the end is blurred, as PNG."""
    image = QImage(900, 96, QImage.Format.Format_RGB32)
    image.fill(QColor("#1F6F5C"))
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing)
    shown = f"{NUMBER[:4]} {NUMBER[4:8]} {NUMBER[8:12]} {NUMBER[12:]}"
    _text(painter, QPointF(40, 72), shown, 70, "#F3F7F5", _MONO, 600)
    painter.fillRect(QRectF(790, 0, 60, 96), QColor(243, 247, 245, 150))
    painter.end()
    return _png(image)


def _png(image: QImage) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stub forgets QIODevice
    return bytes(data.data())


def _text(
    painter: QPainter, at: QPointF, text: str, size: int, colour: str, family: str = _SANS, weight: int = 400
) -> None:
    font = QFont(family)
    font.setPixelSize(size)
    font.setWeight(QFont.Weight(weight))
    painter.setFont(font)
    painter.setPen(QColor(colour))
    painter.drawText(at, text)


def _mat(painter: QPainter) -> None:
    painter.fillRect(QRectF(0, 0, 1280, 720), QColor("#2C353C"))
    for x in range(0, 1281, 80):
        painter.setPen(QPen(QColor("#39434B"), 2 if x % 320 == 0 else 1))
        painter.drawLine(x, 0, x, 720)
    for y in range(40, 721, 80):
        painter.setPen(QPen(QColor("#39434B"), 2 if y % 320 == 40 else 1))
        painter.drawLine(0, y, 1280, y)


def _card(painter: QPainter) -> None:
    painter.save()
    painter.translate(238, 128)
    painter.rotate(-1.6)
    painter.scale(1.2, 1.2)
    _face(painter)
    painter.restore()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#4F7FB5"))
    painter.drawEllipse(QRectF(1150, 660, 300, 300))


def _face(painter: QPainter) -> None:
    """The card, 640x400."""
    painter.setPen(Qt.PenStyle.NoPen)
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, 640, 400), 24, 24)
    painter.fillPath(path, QColor("#1F6F5C"))
    painter.setClipPath(path)
    painter.setBrush(QColor("#2F8B74"))
    painter.drawPolygon(QPolygonF([QPointF(640, 120), QPointF(640, 400), QPointF(300, 400)]))
    _text(painter, QPointF(40, 66), "云杉超市 礼品卡", 34, "#FFFFFF", weight=700)
    _text(painter, QPointF(500, 68), "¥500", 40, "#FFFFFF", weight=700)
    shown = " ".join(NUMBER[i : i + 4] for i in range(0, 16, 4))
    _text(painter, QPointF(40, 206), shown, 48, "#F3F7F5", _MONO, 600)
    _text(painter, QPointF(40, 250), "有效期至 2027-12-31 · 不记名不挂失", 20, "#CFE5DD")
    painter.setPen(QPen(QColor("#1F6F5C"), 5))
    for a, b in (((426, 178), (446, 187)), ((428, 202), (452, 188)), ((436, 170), (446, 176))):
        painter.drawLine(QPointF(*a), QPointF(*b))
    painter.fillRect(QRectF(34, 288, 290, 86), QColor("#FFFFFF"))
    _bars(painter)
    painter.fillRect(QRectF(356, 296, 250, 62), QColor("#B9BDC1"))


def _bars(painter: QPainter) -> None:
    """Something that looks like a barcode and is none."""
    value, x = 11, 44.0
    for i in range(44):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        width = 2.6 * (1 + (value >> 9) % 3)
        if i % 2 == 0 and x + width < 316:
            painter.fillRect(QRectF(x, 300, width, 62), QColor("#111111"))
        x += width


def _parcel(painter: QPainter) -> None:
    painter.translate(210, 120)
    painter.rotate(2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#B98B57"))
    painter.drawRoundedRect(QRectF(0, 0, 860, 470), 10, 10)
    painter.setPen(QPen(QColor("#8F6738"), 6))
    painter.drawLine(0, 120, 860, 120)
    painter.drawLine(0, 350, 860, 350)
    painter.fillRect(QRectF(300, 130, 260, 200), QColor("#E9E4DA"))
