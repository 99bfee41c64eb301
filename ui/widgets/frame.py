"""The frame around the work: rail, top bar with the REC block, banner, parcel bar with its steps, key bar."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from app.core.readiness import RecMode
from ui.theme import Look
from ui.views import Banner, GoKey, KeyLabel, NavItem, RecView, TopBar
from ui.widgets.buttons import BlueKey, KeyButton
from ui.widgets.ink import CENTRE, RIGHT, TONE_TEXT, Ink, Painted, Shown, chip_size
from ui.work_views import ParcelBar, StepMark, StepState


class Rail(Painted):
    """The rooms of the application; those that are not in this version are quiet."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.items: tuple[NavItem, ...] = ()
        self.train = NavItem("graduation-cap", "")
        self.fix(width=look.density.rail)

    def show_view(self, items: tuple[NavItem, ...], train: NavItem) -> None:
        if (items, train) != (self.items, self.train):
            self.items, self.train = items, train
            self.setAccessibleDescription(", ".join(i.text for i in items))
            self.update()

    def draw(self, ink: Ink) -> None:
        px, rect = ink.px, QRectF(self.rect())
        ink.fill(rect, "panel")
        ink.vline(rect.right() - 1, 0, rect.height())
        ink.icon((rect.width() - 1 - px(30)) / 2, px(13), "scan-barcode", 30, "primary", 2.25)
        width, height = (px(v) for v in self.look.density.nav)
        x = (rect.width() - 1 - width) / 2
        for i, item in enumerate(self.items):
            self._item(ink, QRectF(x, px(60) + i * (height + px(4)), width, height), item)
        self._item(ink, QRectF(x, rect.height() - height - px(8), width, height), self.train, train=True)

    def _item(self, ink: Ink, rect: QRectF, item: NavItem, train: bool = False) -> None:
        if item.selected:
            ink.box(rect, fill="primaryTint", radius=8)
        colour = "primary" if item.selected else "text3" if not item.live else "train" if train else "text2"
        top = rect.y() + (rect.height() - ink.px(24 + 4 + 20)) / 2
        ink.icon(rect.center().x() - ink.px(12), top, item.icon, 24, colour)
        word = QRectF(rect.x(), top + ink.px(28), rect.width(), ink.px(20))
        ink.text(word, item.text, 14, colour=colour, weight=700 if item.selected else 400, align=CENTRE)
        self.marks[item.icon] = rect


class RecBlock(Painted):
    """The one home of the recording's state. The dot blinks at half a hertz."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(look, parent)
        self.view = RecView(RecMode.OFF, "")
        self._dot = True
        self.setFixedSize(look.px(look.density.rec[0]), look.px(look.density.rec[1]))
        self._blink = QTimer(self, interval=1000)
        self._blink.timeout.connect(self._toggle)

    def show_view(self, view: RecView) -> None:
        if view == self.view:
            return
        if view.mode is not self.view.mode:
            self._dot = True
            (self._blink.start if view.mode is RecMode.ON else self._blink.stop)()
        self.view = view
        self.setAccessibleName(f"{view.word} {view.clock}")
        self.update()

    def _toggle(self) -> None:
        self._dot = not self._dot
        self.update()

    def draw(self, ink: Ink) -> None:
        rect = QRectF(self.rect())
        match self.view.mode:
            case RecMode.OFF:
                ink.box(rect, fill="panel", line="lineStrong", width=2, radius=6)
                self._content(ink, rect, 2, "text2", "video-off")
            case RecMode.ON:
                ink.box(rect, fill="rec", radius=6)
                self._content(ink, rect, 0, "onRec", "")
            case RecMode.CUT:
                ink.box(rect, fill="cut", line="onCut", width=3, radius=6)
                self._content(ink, rect, 3, "onCut", "triangle-alert")
            case RecMode.TRAINING:
                ink.box(rect, fill="trainTint", line="train", width=1, radius=6)
                ink.box(rect.adjusted(2, 2, -2, -2), line="train", width=1, radius=4)
                self._content(ink, rect, 3, "train", "graduation-cap")

    def _content(self, ink: Ink, rect: QRectF, edge: int, colour: str, icon: str) -> None:
        px = ink.px
        pad = px(14 if edge < 3 or self.look.density.rec[0] > 240 else 10)
        x: float = pad + edge
        middle = rect.center().y()
        if icon:
            size = 22 if icon == "triangle-alert" else 20
            ink.icon(x, middle - px(size) / 2, icon, size, colour, 2.5 if size == 22 else None)
            x += px(size + 10)
        else:
            ink.p.setPen(self.look.colour(colour))
            if self._dot:
                ink.p.setBrush(self.look.colour(colour))
            ink.p.drawEllipse(QRectF(x + 0.5, middle - px(7) + 0.5, px(14) - 1, px(14) - 1))
            x += px(14 + 10)
        right = rect.right() - pad - edge
        clock = self.look.width(self.view.clock, 20, 700, mono=True) if self.view.clock else 0
        ink.text(QRectF(x, 0, right - clock - x, rect.height()), self.view.word, 18, colour=colour, weight=700)
        room = QRectF(right - clock - 2, 0, clock + 2, rect.height())
        ink.text(room, self.view.clock, 20, colour=colour, weight=700, mono=True, align=RIGHT)


class TopStrip(Shown[TopBar | None]):
    """REC block, screen name, place, at most two chips, person, clock."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)
        self.fix(height=look.density.top)
        self.rec = RecBlock(look, self)
        self.rec.move(look.px(12), (self.height() - 1 - self.rec.height()) // 2)

    def taken(self, view: TopBar | None) -> None:
        rec = view.rec if view else None
        self.rec.setVisible(rec is not None)
        if rec is not None:
            self.rec.show_view(rec)

    def draw(self, ink: Ink) -> None:
        rect, px = QRectF(self.rect()), ink.px
        ink.fill(rect, "panel")
        ink.hline(0, rect.height() - 1, rect.width())
        if self.view is None:
            return
        row = rect.adjusted(0, 0, 0, -1)
        left = self._right_side(ink, row)
        x: float = px(12) if self.view.rec is None else self.rec.geometry().right() + 1 + px(16)
        width = self.look.width(self.view.title, 18, 700)
        ink.text(QRectF(x, 0, width + 2, row.height()), self.view.title, 18, weight=700)
        self.marks["title"] = QRectF(x, 0, width, row.height())
        x += width + px(16)
        ink.text(QRectF(x, 0, max(0.0, left - x - px(16)), row.height()), self.view.place, 16, colour="text2")

    def _right_side(self, ink: Ink, row: QRectF) -> float:
        assert self.view is not None
        px = ink.px
        clock = self.look.width(self.view.clock, 18, 700, mono=True)
        x = row.right() - px(16) - clock
        clock_rect = QRectF(x, 0, clock + 2, row.height())
        ink.text(clock_rect, self.view.clock, 18, weight=700, mono=True)
        self.marks["clock"] = clock_rect
        if self.view.person:
            x -= px(16) + self.look.width(self.view.person, 16)
            ink.text(QRectF(x, 0, row.width(), row.height()), self.view.person, 16, colour="text2")
            x -= px(18 + 8)
            ink.icon(x, row.center().y() - px(9), "user", 18, "text2")
        for i, chip in enumerate(reversed(self.view.chips)):
            size = chip_size(self.look, chip)
            x -= px(16) + size.width()
            rect = QRectF(x, round(row.center().y() - size.height() / 2), size.width(), size.height())
            ink.chip_in(rect, chip)
            self.marks[f"chip{len(self.view.chips) - 1 - i}"] = rect
        return x


class BannerStrip(Shown[Banner | None]):
    """One condition that lasts, or the mark of simulated devices. Hidden when there is none."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)
        self.fix(height=look.density.banner)
        self.hide()

    def taken(self, view: Banner | None) -> None:
        self.setVisible(view is not None)
        self.setAccessibleName(f"{view.text} {view.detail}" if view else "")

    def draw(self, ink: Ink) -> None:
        view = self.view
        if view is None:
            return
        rect, px = QRectF(self.rect()), ink.px
        colour = TONE_TEXT[view.tone]
        ink.fill(rect, f"{colour}Tint")
        ink.fill(QRectF(0, rect.height() - 2, rect.width(), 2), colour)
        row = rect.adjusted(0, 0, 0, -2)
        right = self._action(ink, row, colour)
        x: float = px(16)
        ink.icon(x, row.center().y() - px(10), view.icon, 20, colour)
        x += px(20 + 12)
        width = min(self.look.width(view.text, 16, 700), right - x)
        ink.text(QRectF(x, 0, width + 1, row.height()), view.text, 16, colour=colour, weight=700)
        x += width + px(12)
        room = right - x - px(12)
        if view.detail and room > px(40):
            ink.text(QRectF(x, 0, room, row.height()), view.detail, 16, colour=colour)

    def _action(self, ink: Ink, row: QRectF, colour: str) -> float:
        view, px = self.view, ink.px
        assert view is not None
        right = row.right() - px(16)
        if not view.cap:
            return right
        action = self.look.width(view.action, 16)
        ink.text(QRectF(right - action - 1, 0, action + 2, row.height()), view.action, 16, colour=colour)
        cap_width = self.look.width(view.cap, 15, 700, mono=True) + px(16)
        x = right - action - px(10) - cap_width
        ink.cap(x, row.center().y(), view.cap, 26)
        return x


class ParcelStrip(Shown[ParcelBar | None]):
    """Waybill and declaration at the left, the five steps at the right."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)
        self.fix(height=look.density.parcel_bar)

    def taken(self, view: ParcelBar | None) -> None:
        self.setAccessibleDescription(" ".join(f"{s.text} {s.state.value}" for s in view.steps) if view else "")

    def draw(self, ink: Ink) -> None:
        rect, px = QRectF(self.rect()), ink.px
        ink.fill(rect, "panel")
        ink.hline(0, rect.height() - 1, rect.width())
        if self.view is None:
            return
        row = rect.adjusted(0, 0, 0, -1)
        left = self._steps(ink, row)
        x: float = px(16)
        for text, size, weight, mono, colour in (
            (self.view.waybill, 20, 700, True, "text"),
            (self.view.words, 16, 400, False, "text2"),
            (self.view.quiet, 16, 400, False, "text3"),
        ):
            room = max(0.0, left - x - px(8))
            if text and (text != self.view.quiet or self.look.width(text, size) <= room):  # the quiet words give way
                used = ink.text(QRectF(x, 0, room, row.height()), text, size, colour=colour, weight=weight, mono=mono)
                x += used + px(20)

    def _steps(self, ink: Ink, row: QRectF) -> float:
        assert self.view is not None
        density, px = self.look.density, ink.px
        pad, line = px(density.step_pad), px(density.step_line)
        x = row.right() - px(16 if density.step_pad == 8 else 12)
        for i in reversed(range(len(self.view.steps))):
            step = self.view.steps[i]
            width = 2 * pad + px(26 + 8) + self.look.width(step.text, 16, self._weight(step))
            x -= width
            self._step(ink, QRectF(x, row.center().y() - px(13), width, px(26)), i + 1, step)
            if i:
                ink.fill(QRectF(x - line, row.center().y() - 1, line, 2), "line")
                x -= line
        return x

    @staticmethod
    def _weight(step: StepMark) -> int:
        return 700 if step.state in (StepState.NOW, StepState.BAD) else 400

    def _step(self, ink: Ink, rect: QRectF, number: int, step: StepMark) -> None:
        px = ink.px
        fill, line, text = {
            StepState.DONE: ("okTint", "ok", "ok"),
            StepState.NOW: ("text", "text", "text"),
            StepState.BAD: ("warnTint", "warn", "warn"),
            StepState.NEXT: ("", "lineStrong", "text3"),
        }[step.state]
        circle = QRectF(rect.x() + px(self.look.density.step_pad), rect.y(), px(26), px(26))
        ink.box(circle, fill=fill, line=line, width=2, radius=13)
        middle = circle.center()
        if step.state is StepState.DONE:
            ink.icon(middle.x() - px(8), middle.y() - px(8), "check", 16, "ok", 3)
        elif step.state is StepState.BAD:
            ink.icon(middle.x() - px(7), middle.y() - px(7), "triangle-alert", 14, "warn", 3)
        else:
            colour = "panel" if step.state is StepState.NOW else "text3"
            ink.text(circle, str(number), 14, colour=colour, weight=700, align=CENTRE)
        word = QRectF(circle.right() + px(8), rect.y(), rect.width(), rect.height())
        ink.text(word, step.text, 16, colour=text, weight=self._weight(step))
        self.marks[f"step{number}"] = rect


class KeyStrip(Painted):
    """F1 first, then the keys in F-order, then the blue key at the right."""

    pressed = Signal(str)

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.fix(height=look.density.key_bar)
        self.keys: tuple[KeyLabel, ...] = ()
        self.buttons: list[KeyButton] = []
        self.go = BlueKey(look, self)

    def show_view(self, keys: tuple[KeyLabel, ...], go: GoKey) -> None:
        if keys != self.keys:
            self.keys = keys
            self._rebuild()
        self.go.show_view(go)
        self._arrange()

    def _rebuild(self) -> None:
        for button in self.buttons:
            button.hide()
            button.deleteLater()
        self.buttons = []
        for label in self.keys:
            button = KeyButton(self.look, label, self)
            button.clicked.connect(lambda _checked=False, key=label.key: self.pressed.emit(key))
            button.show()
            self.buttons.append(button)

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._arrange()

    def _arrange(self) -> None:
        margin, gap = self.look.px(self.look.density.margin[0]), self.look.px(8)
        middle = (self.height() + 1) / 2
        hint, hints = self.go.sizeHint(), [button.sizeHint() for button in self.buttons]
        room = self.width() - 2 * margin - sum(one.width() for one in hints)
        if room < hint.width() + gap * len(hints):  # in the smallest window the blue key gives way, it covers nothing
            hint.setWidth(max(self.go.least, min(hint.width(), room - gap * len(hints))))
            gap = max(self.look.px(2), min(gap, (room - hint.width()) // max(1, len(hints))))
        x = margin
        for button, one in zip(self.buttons, hints, strict=True):
            button.setGeometry(x, round(middle - one.height() / 2), one.width(), one.height())
            x += one.width() + gap
        left = self.width() - margin - hint.width()
        self.go.setGeometry(left, round(middle - hint.height() / 2), hint.width(), hint.height())

    def draw(self, ink: Ink) -> None:
        if self.buttons and self.buttons[-1].geometry().right() >= self.go.x() and self.look.on_cut is not None:
            self.look.on_cut(self.buttons[-1].label.label, self)
        ink.fill(QRectF(self.rect()), "panel")
        ink.hline(0, 0, self.width())
