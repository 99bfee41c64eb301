"""The pen of all painted widgets: text, icons, boxes and chips in tokens of the look, never in raw colours.

Every text that does not fit is told to the look's `cut` listener, so that a test can find it.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QWidget

from ui.theme import Look
from ui.views import Chip, Tone

V = TypeVar("V")

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter

CHIP_ICON = {
    Tone.OK: "circle-check",
    Tone.WARN: "triangle-alert",
    Tone.STOP: "octagon-x",
    Tone.INFO: "loader-circle",
    Tone.IDLE: "circle-dashed",
    Tone.TRAIN: "graduation-cap",
}

TONE_TEXT = {
    Tone.OK: "ok",
    Tone.WARN: "warn",
    Tone.STOP: "stop",
    Tone.INFO: "info",
    Tone.IDLE: "text2",
    Tone.TRAIN: "train",
    Tone.PLAIN: "text",
}

_CHIP_STYLE: dict[Tone, tuple[str, str, str, float, bool]] = {
    # fill, text, border, width, dashed
    Tone.OK: ("okTint", "ok", "okLine", 1, False),
    Tone.WARN: ("warnTint", "warn", "warnLine", 2, False),
    Tone.STOP: ("stop", "panel", "stop", 1, False),
    Tone.INFO: ("infoTint", "info", "infoLine", 1, False),
    Tone.IDLE: ("", "text2", "lineStrong", 1, True),
    Tone.TRAIN: ("trainTint", "train", "trainLine", 1, False),
    Tone.PLAIN: ("", "text3", "", 0, False),
}

# per chip height: icon, text size, padding, gap
_CHIP_SIZES = {26: (16, 14, 8, 6), 30: (18, 16, 10, 6), 40: (24, 20, 14, 8)}


class Painted(QWidget):
    """A widget that paints itself with an `Ink`. Subclasses define `draw`."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.look = look
        self.marks: dict[str, QRectF] = {}
        """Where parts were painted, by name; for hit tests and for the geometry test."""

    def paintEvent(self, _event: object) -> None:
        ink = Ink(self, self.look)
        self.draw(ink)
        ink.end()

    def draw(self, ink: Ink) -> None:
        """Paint everything. Called for each repaint."""

    def fix(self, width: int | None = None, height: int | None = None) -> None:
        """Fixed size in pixel tokens."""
        if width is not None:
            self.setFixedWidth(self.look.px(width))
        if height is not None:
            self.setFixedHeight(self.look.px(height))


class Shown(Painted, Generic[V]):
    """A painted widget that shows one view, plain data, and is painted anew when it is given another."""

    def __init__(self, look: Look, view: V) -> None:
        super().__init__(look)
        self.view = view

    def show_view(self, view: V) -> None:
        """Show this from now on."""
        if view != self.view:
            self.view = view
            self.taken(view)
            self.update()

    def taken(self, view: V) -> None:
        """What follows from another view besides the picture: what a screen reader says, which fields are there."""


class Ink:
    """A painter on a widget. Rectangles are in real pixels; sizes of text, icons and lines are pixel tokens."""

    def __init__(self, widget: QWidget, look: Look, painter: QPainter | None = None) -> None:
        self.widget = widget
        self.look = look
        self.p = painter or QPainter(widget)
        self.p.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        self._ratio = widget.devicePixelRatioF()

    def end(self) -> None:
        self.p.end()

    def px(self, size: float) -> int:
        return self.look.px(size)

    def colour(self, token: str) -> QColor:
        return self.look.colour(token)

    def _cut(self, text: str) -> None:
        if self.look.on_cut is not None:
            self.look.on_cut(text, self.widget)

    def text(
        self,
        rect: QRectF,
        text: str,
        size: float = 16,
        *,
        colour: str = "text",
        weight: int = 400,
        mono: bool = False,
        align: Qt.AlignmentFlag = LEFT,
        strike: bool = False,
    ) -> float:
        """One line, elided at the end where it does not fit; gives its width."""
        font = self.look.font(size, weight, mono)
        metrics = self.look.metrics(size, weight, mono)
        width = metrics.horizontalAdvance(text)
        if width > rect.width() + 0.75:
            self._cut(text)
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
            width = metrics.horizontalAdvance(text)
        if strike:
            font = type(font)(font)
            font.setStrikeOut(True)
        self.p.setFont(font)
        self.p.setPen(self.colour(colour))
        # A bold title's line is lower than its font's own height: a clip would take the feet off g, p and y.
        self.p.drawText(rect, align | Qt.TextFlag.TextSingleLine | Qt.TextFlag.TextDontClip, text)
        return width

    def wrapped(
        self, rect: QRectF, text: str, size: float, *, colour: str = "text", leading: float = 1.6, weight: int = 400
    ) -> float:
        """Text over several lines; gives the height used. Breaks between words, or anywhere in Chinese."""
        step = self.px(size) * leading
        lines = wrap(self.look, text, size, rect.width(), weight)
        for i, line in enumerate(lines):
            bottom = (i + 1) * step
            if bottom > rect.height() + 1:
                self._cut(text)
            line_rect = QRectF(rect.x(), rect.y() + i * step, rect.width() + 2, step)
            self.text(line_rect, line, size, colour=colour, weight=weight)
        return len(lines) * step

    def rich(self, rect: QRectF, text: str, size: float, *, colour: str, max_lines: int = 2) -> float:
        """Text with `**bold**` parts over at most `max_lines` lines; gives the height used."""
        step = self.px(size) * 1.4
        x, y, line = rect.x(), rect.y(), 0
        for i, part in enumerate(text.split("**")):
            weight = 700 if i % 2 else 400
            for word in pieces(part):
                width = self.look.width(word, size, weight)
                if x + width > rect.right() + 1 and x > rect.x():
                    line += 1
                    x, y = rect.x(), y + step
                    word = word.lstrip()
                    width = self.look.width(word, size, weight)
                    if line >= max_lines:
                        self._cut(text)
                self.text(QRectF(x, y, width + 2, step), word, size, colour=colour, weight=weight)
                x += width
        return (line + 1) * step

    def icon(self, x: float, y: float, name: str, size: float, colour: str, stroke: float | None = None) -> None:
        """`x`, `y` is the top-left corner in real pixels."""
        if not name:
            return
        px = self.px(size)
        pixmap = self.look.icons.pixmap(name, px, self.colour(colour).name(), self._ratio, stroke)
        self.p.drawPixmap(QPointF(round(x), round(y)), pixmap)

    def box(
        self,
        rect: QRectF,
        *,
        fill: str = "",
        line: str = "",
        width: float = 1,
        radius: float = 8,
        dashed: bool = False,
    ) -> None:
        """A rounded rectangle with its border inside `rect`."""
        pen = Qt.PenStyle.NoPen if not line else QPen(self.colour(line), width)
        if isinstance(pen, QPen) and dashed:
            pen.setDashPattern([3.0, 2.0] if width < 2 else [3.0, 2.2])
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        self.p.setPen(pen)
        self.p.setBrush(self.colour(fill) if fill else QBrush(Qt.BrushStyle.NoBrush))
        inset = width / 2 if line else 0
        self.p.drawRoundedRect(rect.adjusted(inset, inset, -inset, -inset), self.px(radius), self.px(radius))

    def fill(self, rect: QRectF, token: str) -> None:
        self.p.fillRect(rect, self.colour(token))

    def hline(self, x: float, y: float, width: float, token: str = "line") -> None:
        self.p.fillRect(QRectF(x, y, width, 1), self.colour(token))

    def vline(self, x: float, y: float, height: float, token: str = "line") -> None:
        self.p.fillRect(QRectF(x, y, 1, height), self.colour(token))

    def clip_round(self, rect: QRectF, radius: float) -> None:
        path = QPainterPath()
        path.addRoundedRect(rect, self.px(radius), self.px(radius))
        self.p.setClipPath(path)

    def chip(self, right_or_left: QPointF, chip: Chip, height: int = 26, *, from_right: bool = False) -> QRectF:
        """A chip whose left (or right) middle point is given; gives its rectangle."""
        size = chip_size(self.look, chip, height)
        x = right_or_left.x() - size.width() if from_right else right_or_left.x()
        rect = QRectF(x, round(right_or_left.y() - size.height() / 2), size.width(), size.height())
        self.chip_in(rect, chip, height)
        return rect

    def chip_in(self, rect: QRectF, chip: Chip, height: int = 26) -> None:
        fill, colour, line, width, dashed = _CHIP_STYLE[chip.tone]
        self.box(rect, fill=fill, line=line, width=width, radius=6, dashed=dashed)
        icon, size, pad, gap = _CHIP_SIZES[height]
        edge = width if line else 0
        x = rect.x() + self.px(pad) + edge
        name = chip.icon or CHIP_ICON.get(chip.tone, "")
        if name:
            self.icon(x, rect.center().y() - self.px(icon) / 2, name, icon, colour, 2.25)
            x += self.px(icon) + self.px(gap)
        weight = 400 if chip.tone in (Tone.IDLE, Tone.PLAIN) else 700
        room = QRectF(x, rect.y(), rect.right() - x - self.px(pad) - edge + 1, rect.height())
        self.text(room, chip.text, size, colour=colour, weight=weight)

    def cap(self, x: float, middle: float, text: str, height: int = 30, style: str = "plain") -> QRectF:
        """A key cap; `style` plain, go, go-wait, stop. Gives its rectangle."""
        size = cap_size(self.look, text, height)
        rect = QRectF(x, round(middle - size.height() / 2), size.width(), size.height())
        fill, line, colour = {
            "plain": ("sunken", "lineStrong", "text"),
            "go": ("onPrimary", "onPrimary", "primary"),
            "go-wait": ("panel", "primary", "primary"),
            "stop": ("panel", "panel", "stop"),
            "idle": ("sunken", "line", "text3"),
        }[style]
        foot = self.px(3)
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(self.colour(line))
        self.p.drawRoundedRect(rect, self.px(5), self.px(5))
        self.p.setBrush(self.colour(fill))
        self.p.drawRoundedRect(rect.adjusted(1, 1, -1, -foot), self.px(4), self.px(4))
        text_size = 20 if height >= 40 else 15
        face = rect.adjusted(0, 0, 0, -foot + 1)
        self.text(face, text, text_size, colour=colour, weight=700, mono=True, align=CENTRE)
        return rect


def chip_size(look: Look, chip: Chip, height: int = 26) -> QSize:
    """The size a chip takes, in real pixels."""
    icon, size, pad, gap = _CHIP_SIZES[height]
    edge = _CHIP_STYLE[chip.tone][3]
    weight = 400 if chip.tone in (Tone.IDLE, Tone.PLAIN) else 700
    width = look.width(chip.text, size, weight) + 2 * look.px(pad) + 2 * edge
    if chip.icon or chip.tone in CHIP_ICON:
        width += look.px(icon) + look.px(gap)
    return QSize(int(width + 0.999), look.px(height))


def cap_size(look: Look, text: str, height: int = 30) -> QSize:
    """The size of a key cap, in real pixels."""
    large = height >= 40
    width = look.width(text, 20 if large else 15, 700, mono=True) + 2 * look.px(7) + 2
    return QSize(max(look.px(64 if large else 34), int(width + 0.999)), look.px(height))


def pieces(text: str) -> list[str]:
    """Where a line may break: after each word in Latin script, after each character in Chinese.

    Closing punctuation stays with what stands before it.
    """
    made: list[str] = []
    for char in text:
        latin = char.isascii() and char != " "
        joins = made and (
            (latin and made[-1][-1:].isascii() and made[-1][-1:] != " ") or char in " ，。：；？！、）」·…%"
        )
        if joins:
            made[-1] += char
        else:
            made.append(char)
    return made


def wrap(look: Look, text: str, size: float, width: float, weight: int = 400) -> list[str]:
    """Break `text` into lines no wider than `width` real pixels."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in pieces(paragraph):
            if line and look.width((line + piece).rstrip(), size, weight) > width:
                lines.append(line.rstrip())
                line = piece.lstrip()
            else:
                line += piece
        lines.append(line.rstrip())
    return lines
