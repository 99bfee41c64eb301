"""Keys one can also click: the F-keys of the key bar and the blue key with its hold."""

from __future__ import annotations

from PySide6.QtCore import QAbstractAnimation, QRectF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QPainterPath, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QWidget

from ui.theme import Look
from ui.views import GoKey, GoState, KeyLabel
from ui.widgets.ink import Ink, cap_size

HOLD_MS = 1000


class KeyButton(QAbstractButton):
    """A key of the key bar: its cap and a verb. Never takes the focus; Space and Enter go through the input filter."""

    def __init__(self, look: Look, label: KeyLabel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self.label = label
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(f"{label.label} {label.key}")
        self.resize(self.sizeHint())

    def sizeHint(self) -> QSize:
        look, density = self._look, self._look.density
        left, right = density.key_pad
        cap = cap_size(look, self.label.key).width()
        text = look.width(self.label.label, 16)
        return QSize(int(look.px(left + right + self._gap() + 2) + cap + text + 0.999), look.px(density.key))

    def _gap(self) -> int:
        return 9 if self._look.density.key_pad[0] > 8 else 8

    def paintEvent(self, _event: QPaintEvent) -> None:
        ink = Ink(self, self._look)
        rect = QRectF(self.rect())
        fill = "raised" if self.underMouse() and self.isEnabled() else "panel"
        ink.box(rect, fill=fill, line="" if self.label.bare else "line", radius=8)
        left = self._look.px(self._look.density.key_pad[0]) + 1
        cap = ink.cap(left, rect.center().y(), self.label.key)
        room = QRectF(cap.right() + self._look.px(self._gap()), 0, rect.width(), rect.height())
        ink.text(room, self.label.label, 16)
        ink.end()


class BlueKey(QAbstractButton):
    """The one filled blue control, or the dashed slot that says what is waited for. `fired` follows a click or hold.

    In the state HOLD it is red and must be held for a second; letting go earlier takes it back.
    """

    fired = Signal()
    held = Signal()

    def __init__(self, look: Look, parent: QWidget | None = None, *, wide: bool = True) -> None:
        super().__init__(parent)
        self._look = look
        self._wide = wide
        self._view = GoKey(GoState.BUSY, "", "")
        self._fill = 0.0
        self._hold = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=HOLD_MS)
        self._hold.valueChanged.connect(self._filled)
        self._hold.finished.connect(self._hold_over)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.pressed.connect(self.begin_hold)
        self.released.connect(self.end_hold)
        self.clicked.connect(self._clicked)

    @property
    def view(self) -> GoKey:
        return self._view

    def show_view(self, view: GoKey) -> None:
        if view == self._view:
            return
        if view.state is not GoState.HOLD:
            self._hold.stop()
            self._fill = 0.0
        self._view = view
        self.setAccessibleName(f"{view.label} {view.cap}")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width, height = self._look.density.go
        return QSize(max(self._look.px(width) if self._wide else 0, self.least), self._look.px(height))

    @property
    def least(self) -> int:
        """The width its words need."""
        look, view = self._look, self._view
        edge = 2 if self._dashed() else 0
        needed = (
            look.px(16 + 16 + 20) + 2 * edge + cap_size(look, view.cap, 40).width() + look.width(view.label, 22, 700)
        )
        if view.icon:
            needed += look.px(26 + 16)
        return int(needed + 1)

    def hold_for(self, hold_s: float) -> None:
        """From now on a hold takes this long, not a second."""
        self._hold.setDuration(round(hold_s * 1000))

    def begin_hold(self) -> None:
        """The key went down. Only the state HOLD cares."""
        if self._view.state is GoState.HOLD and self._hold.state() != QAbstractAnimation.State.Running:
            self._hold.start()

    def end_hold(self) -> None:
        """The key came up: a hold that was not full is taken back."""
        self._hold.stop()
        self._fill = 0.0
        self.update()

    def _filled(self, value: float) -> None:
        self._fill = float(value)
        self.update()

    def _hold_over(self) -> None:
        if self._fill >= 1.0 and self._view.state is GoState.HOLD:
            self._fill = 0.0
            self.held.emit()

    def _clicked(self) -> None:
        if self._view.state is GoState.READY:
            self.fired.emit()

    def _dashed(self) -> bool:
        return self._view.state in (GoState.WAITING, GoState.BLOCKED)

    def _style(self) -> tuple[str, str, str, str]:
        """(fill, border, text, cap style)"""
        match self._view.state:
            case GoState.READY:
                fill = "primaryHover" if self.underMouse() else "primary"
                return fill, "", "onPrimary", "go"
            case GoState.HOLD:
                return "stop", "", "panel", "stop"
            case GoState.WAITING:
                return "primaryTint", "primary", "primary", "go-wait"
            case GoState.BUSY:
                return "infoTint", "infoLine", "info", "idle"
            case GoState.BLOCKED:
                return "sunken", "lineStrong", "text2", "idle"

    def paintEvent(self, _event: QPaintEvent) -> None:
        ink, look, view = Ink(self, self._look), self._look, self._view
        fill, line, colour, cap_style = self._style()
        rect = QRectF(self.rect())
        dashed = self._dashed()
        ink.box(rect, fill=fill, line=line, width=2 if dashed else 1, radius=10, dashed=dashed)
        if self._fill > 0:
            self._paint_fill(ink, rect)
        edge = 2 if dashed else 0
        cap = ink.cap(look.px(16) + edge, rect.center().y(), view.cap, 40, cap_style)
        right = rect.right() - look.px(20) - edge
        if view.icon:
            ink.icon(right - look.px(26), rect.center().y() - look.px(13), view.icon, 26, colour)
            right -= look.px(26 + 16)
        room = QRectF(cap.right() + look.px(16), 0, right - cap.right() - look.px(16) + 1, rect.height())
        ink.text(room, view.label, 22, colour=colour, weight=700)
        ink.end()

    def _paint_fill(self, ink: Ink, rect: QRectF) -> None:
        path = QPainterPath()
        path.addRoundedRect(rect, self._look.px(10), self._look.px(10))
        ink.p.save()
        ink.p.setClipPath(path)
        ink.p.fillRect(QRectF(0, 0, rect.width() * self._fill, rect.height()), self._look.colour("stopLine"))
        ink.p.restore()
