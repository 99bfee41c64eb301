"""Sign-in: the station's self-check at the left, badge or number and passcode at the right."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit

from ui.theme import Look
from ui.views import CheckRow, SignInView
from ui.widgets.buttons import BlueKey
from ui.widgets.frame import BannerStrip, RecBlock
from ui.widgets.ink import CENTRE, Ink, Painted, cap_size
from ui.widgets.kept import KeptLine
from ui.widgets.prompt import draw_notice
from ui.widgets.rows import draw_field

_CARD = (520, 582)


class SignIn(Painted):
    """`submitted` carries number and passcode, `language` the one clicked; `demo` follows the rehearsal badge."""

    submitted = Signal(str, str)
    language = Signal(str)
    demo = Signal()

    def __init__(self, look: Look, language: str) -> None:
        super().__init__(look)
        self.view: SignInView | None = None
        self._language = language
        self.number, self.passcode = KeptLine(self), KeptLine(self)
        self.passcode.setEchoMode(QLineEdit.EchoMode.Password)
        for field in (self.number, self.passcode):
            field.setMaxLength(40)
            field.cursorPositionChanged.connect(self.update)
        self.go = BlueKey(look, self, wide=False)
        self.go.fired.connect(self.submit)
        self.banner = BannerStrip(look)
        self.banner.setParent(self)
        self.rec = RecBlock(look, self)
        self.rec.hide()
        self.setTabOrder(self.number, self.passcode)

    def show_view(self, view: SignInView, language: str) -> None:
        if view == self.view and language == self._language:
            return
        self.view, self._language = view, language
        self.go.show_view(view.go)
        self.banner.show_view(view.banner)
        for field in (self.number, self.passcode):
            field.setVisible(view.typing)
        self.rec.setVisible(view.rec is not None)
        if view.rec is not None:
            self.rec.show_view(view.rec)
        self.number.setAccessibleName(view.number_label)
        self.passcode.setAccessibleName(view.passcode_label)
        self._place()
        self.update()

    def typed(self) -> tuple[str, str]:
        """What stands in the two fields; carried over when the theme changes."""
        return self.number.text(), self.passcode.text()

    def put(self, number: str, passcode: str) -> None:
        self.number.setText(number)
        self.passcode.setText(passcode)

    def submit(self) -> None:
        """Enter: go on to the passcode, or sign in. The passcode leaves the field either way."""
        if self.view is None or not self.view.go.fires:
            return
        number, passcode = self.typed()
        if not number:
            self.number.setFocus()
        elif not passcode:
            self.passcode.setFocus()
        else:
            self.passcode.forget()
            self.submitted.emit(number.strip(), passcode)

    def reveal(self, on: bool) -> None:
        """F8 held: show the passcode."""
        self.passcode.setEchoMode(QLineEdit.EchoMode.Normal if on else QLineEdit.EchoMode.Password)

    def clear(self) -> None:
        self.put("", "")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if rect.contains(event.position()):
                if name in ("zh", "en"):
                    self.language.emit(name)
                elif name == "demo":
                    self.demo.emit()

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._place()

    @property
    def _left(self) -> int:
        return self.look.px(600) if self.width() >= self.look.px(1240) else self.look.px(560)

    @property
    def card(self) -> QRectF:
        """The panel at the right."""
        px = self.look.px
        width, height = px(_CARD[0]), px(_CARD[1]) - self._tight
        left = self._left
        extra = px(22 + 30)  # the line under the card keeps its place whether it is there or not
        middle = left + (self.width() - left) / 2
        top = max(px(66 if self._tight else 70) + self._above, (self.height() - height - extra) / 2)
        return QRectF(round(middle - width / 2), round(top), width, height)

    @property
    def _tight(self) -> int:
        """By how much the card gives up of its edges, so that the line under it is seen in the smallest window."""
        px = self.look.px
        return max(0, min(px(44), px(70 + _CARD[1] + 8 + 30) + self._above - self.height()))

    @property
    def _inside(self) -> QRectF:
        """The card as its content is measured from: what it gives up above lifts everything in it."""
        return self.card.translated(0, -min(self._tight, self.look.px(20)))

    @property
    def _above(self) -> int:
        return self.banner.height() if self.view and self.view.banner else 0

    def _inputs(self) -> tuple[QRectF, QRectF]:
        px, card = self.look.px, self._inside
        x, width = card.x() + px(41), card.width() - px(82)
        return QRectF(x, card.y() + px(314), width, px(48)), QRectF(x, card.y() + px(411), width, px(48))

    def _place(self) -> None:
        px, card = self.look.px, self._inside
        for field, rect in zip((self.number, self.passcode), self._inputs(), strict=True):
            right = px(120) if field is self.passcode and self.view else 0
            if field is self.passcode and self.view:
                right = round(self.look.width(self.view.show_label, 16)) + px(80)
            field.setGeometry(
                round(rect.x() + px(44)), round(rect.y() + 2), round(rect.width() - px(56) - right), px(48) - 4
            )
        self.go.setGeometry(round(card.x() + px(41)), round(card.y() + px(481)), round(card.width() - px(82)), px(64))
        self.banner.setGeometry(0, 0, self.width(), self.banner.height())
        self.rec.move(px(56), self._above + px(12))

    def draw(self, ink: Ink) -> None:
        if self.view is None:
            return
        ink.fill(QRectF(self.rect()), "window")
        left = QRectF(0, 0, self._left, self.height())
        ink.fill(left, "panel")
        ink.vline(left.right() - 1, 0, left.height())
        self._station(ink, left.adjusted(ink.px(56), 0, -ink.px(57), 0), self.view)
        self._languages(ink, self.view)
        self._card(ink, self.card, self.view)

    def _station(self, ink: Ink, room: QRectF, view: SignInView) -> None:
        px = ink.px
        top = px(48) + self._above + (self.rec.height() - px(16) if view.rec else 0)
        ink.icon(room.x(), top + px(6), "scan-barcode", 52, "primary", 2)
        x = room.x() + px(52 + 16)
        ink.text(QRectF(x, top, px(360), px(39)), view.product, 34, weight=700)
        ink.text(QRectF(x, top + px(40), px(360), px(25)), view.product_sub, 18, colour="text2")
        block = px(22 + 4 + 48 + 4 + 28 + 28) + px(44) * len(view.checks) + 1
        y = top + px(64) + (self.height() - top - px(64) - px(48 + 20) - block) / 2
        ink.text(QRectF(room.x(), y, room.width(), px(22)), view.station_label, 16, colour="text2")
        y += px(26)
        size = next((s for s in (40, 32, 26) if self.look.width(view.station, s, 700) <= room.width()), 22)
        ink.text(QRectF(room.x(), y, room.width(), px(48)), view.station, size, weight=700)
        y += px(52)
        ink.text(QRectF(room.x(), y, room.width(), px(28)), view.place, 20, colour="text2")
        y += px(28 + 28)
        ink.hline(room.x(), y, room.width())
        y += 1
        self.marks["checks"] = QRectF(room.x(), y, room.width(), px(44) * len(view.checks))
        for row in view.checks:
            self._check(ink, QRectF(room.x(), y, room.width(), px(44)), row)
            y += px(44)
        x = room.x()
        for text in view.foot:
            x += ink.text(QRectF(x, self.height() - px(68), px(300), px(20)), text, 14, colour="text2") + px(16)

    def _check(self, ink: Ink, row: QRectF, check: CheckRow) -> None:
        px = ink.px
        ink.hline(row.x(), row.bottom() - 1, row.width())
        face = row.adjusted(0, 0, 0, -1)
        ink.icon(face.x(), face.center().y() - px(10), check.icon, 20, "text2")
        x = face.x() + px(20 + 12)
        ink.text(QRectF(x, face.y(), px(110), face.height()), check.name, 16, weight=700)
        x += px(108 + 12)
        chip = ink.chip(QPointF(face.right(), face.center().y()), check.chip, from_right=True)
        ink.text(QRectF(x, face.y(), chip.x() - x - px(8), face.height()), check.value, 16, colour="text2")

    def _languages(self, ink: Ink, view: SignInView) -> None:
        px = ink.px
        widths = [self.look.width(word, 16, 700) + px(28) for _, word in view.languages]
        whole = QRectF(self.width() - px(24) - sum(widths) - 2, px(22), sum(widths) + 2, px(40))
        if view.banner:
            whole.translate(0, self.banner.height())
        self.marks["languages"] = whole
        ink.box(whole, fill="panel", line="lineStrong", radius=6)
        x = whole.x() + 1
        for (code, word), width in zip(view.languages, widths, strict=True):
            rect = QRectF(x, whole.y() + 1, width, px(40) - 2)
            chosen = code == self._language
            if chosen:
                ink.box(rect, fill="text", radius=5)
            ink.text(rect, word, 16, colour="panel" if chosen else "text", weight=700 if chosen else 400, align=CENTRE)
            self.marks[code] = rect
            x += width

    def _card(self, ink: Ink, card: QRectF, view: SignInView) -> None:
        px = ink.px
        ink.box(card, fill="panel", line="line", radius=10)
        self._demo(ink, card, view)
        card = self._inside
        x, width = card.x() + px(41), card.width() - px(82)
        ink.text(QRectF(x, card.y() + px(37), width, px(40)), view.title, 32, weight=700)
        sub = QRectF(x, card.y() + px(83), width, px(25))
        if view.notice:
            draw_notice(ink, QRectF(x, card.y() + px(80), width, px(46)), view.notice)
        else:
            ink.text(sub, view.sub, 18, colour="text2")
        self._badge(ink, QRectF(x, card.y() + px(130), width, px(91)), view)
        if view.typing:
            self._fields(ink, card, view)

    def _fields(self, ink: Ink, card: QRectF, view: SignInView) -> None:
        px = ink.px
        x, width = card.x() + px(41), card.width() - px(82)
        self._divider(ink, QRectF(x, card.y() + px(243), width, px(22)), view.divider)
        inputs = self._inputs()
        fields = (self.number, self.passcode)
        words = ((view.number_label, "user"), (view.passcode_label, "lock"))
        for rect, field, (label, icon) in zip(inputs, fields, words, strict=True):
            above = QRectF(x, rect.y() - px(27), width, px(21))
            ink.text(above, label, 15, colour="text2")
            draw_field(ink, rect, field.hasFocus())
            ink.icon(rect.x() + px(15), rect.center().y() - px(10), icon, 20, "text")
        self._show(ink, inputs[1], view)

    def _badge(self, ink: Ink, rect: QRectF, view: SignInView) -> None:
        px = ink.px
        ink.box(rect, fill="primaryTint", line="primary", width=2, radius=10, dashed=True)
        ink.icon(rect.x() + px(22), rect.center().y() - px(22), "id-card", 44, "primary", 1.75)
        x = rect.x() + px(22 + 44 + 16)
        first = QRectF(x, rect.y() + px(20), rect.right() - x - px(8), px(28))
        ink.text(first, view.badge_title, 20, colour="primary", weight=700)
        second = QRectF(x, rect.y() + px(48), rect.right() - x - px(8), px(23))
        ink.text(second, view.badge_sub, 16, colour="text2")
        self.marks["badge"] = rect

    def _divider(self, ink: Ink, row: QRectF, word: str) -> None:
        width = self.look.width(word, 16)
        side = (row.width() - width) / 2 - ink.px(12)
        ink.hline(row.x(), row.center().y(), side)
        ink.hline(row.right() - side, row.center().y(), side)
        ink.text(QRectF(row.center().x() - width / 2, row.y(), width + 2, row.height()), word, 16, colour="text3")

    def _show(self, ink: Ink, rect: QRectF, view: SignInView) -> None:
        px = ink.px
        cap = cap_size(self.look, "F8").width()
        x = rect.right() - px(15) - cap
        ink.cap(x, rect.center().y(), "F8")
        width = self.look.width(view.show_label, 16)
        ink.text(QRectF(x - px(8) - width, rect.y(), width + 1, rect.height()), view.show_label, 16, colour="text2")

    def _demo(self, ink: Ink, card: QRectF, view: SignInView) -> None:
        if not view.demo:
            return
        px = ink.px
        cap = cap_size(self.look, view.demo_key).width()
        text = self.look.width(view.demo, 18)
        x = card.center().x() - (px(22 + 10 + 10) + text + cap) / 2
        row = QRectF(x, min(card.bottom() + px(22), self.height() - px(34)), px(42) + text + cap, px(30))
        self.marks["demo"] = row
        ink.icon(x, row.center().y() - px(11), "graduation-cap", 22, "train")
        x += px(22 + 10)
        ink.text(QRectF(x, row.y(), text + 1, row.height()), view.demo, 18, colour="train")
        ink.cap(x + text + px(10), row.center().y(), view.demo_key)
