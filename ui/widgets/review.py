"""The panels of the review screen beside the time line: the list, the film with its controls, what can be done."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit

from ui.review_views import Controls, FilmBar, ItemView, ListView, SideView, TabView
from ui.scene import minutes_seconds
from ui.theme import Look
from ui.views import CheckRow, Tone
from ui.widgets.ink import CENTRE, RIGHT, TONE_TEXT, Ink, Shown, wrap
from ui.widgets.options import draw_option
from ui.widgets.rows import draw_chosen, draw_field, draw_foot

_ON_STAGE = {Tone.OK: "overlayOk", Tone.WARN: "overlayWarn", Tone.STOP: "overlayStop"}
_ROW = 88.6
_FACT = 40
_FOOT_LEADING = 1.4
_MOST_ROWS = 5
_FIRST_ROW = 3


class ReviewList(Shown[ListView]):
    """What may be looked at. `chosen` carries the index of a clicked line, `tab` the digit of a clicked pile."""

    chosen = Signal(int)
    tab = Signal(str)

    def __init__(self, look: Look) -> None:
        super().__init__(look, ListView((), (), -1, (), "", ""))
        self.fix(width=240 if look.density.name == "compact" else 270)

    def taken(self, view: ListView) -> None:
        self.setAccessibleDescription("; ".join(f"{item.title} {item.sub} {item.note}" for item in view.items[:20]))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if rect.contains(event.position()):
                if name.startswith("item"):
                    self.chosen.emit(int(name.removeprefix("item")))
                elif name.startswith("tab"):
                    self.tab.emit(name.removeprefix("tab"))

    def draw(self, ink: Ink) -> None:
        rect, px = QRectF(self.rect()), ink.px
        self.marks.clear()
        ink.box(rect, fill="panel", line="line", radius=10)
        self._tabs(ink, QRectF(px(11), px(11), rect.width() - px(22), px(40)), self.view.tabs[:_FIRST_ROW])
        ink.hline(1, px(61), rect.width() - 2)
        foot = rect.height() - px(52)
        quiet = self.view.tabs[_FIRST_ROW:]
        end = foot - px(40) if quiet else foot
        self._tabs(ink, QRectF(px(11), end + px(4), rect.width() - px(22), px(28)), quiet, quiet=True)
        room = QRectF(1, px(61), rect.width() - 2, end - px(61))
        if self.view.items:
            self._items(ink, room)
        else:
            ink.text(room, self.view.empty, 16, colour="text2", align=CENTRE)
        row = QRectF(px(15), foot, rect.width() - px(30), px(51))
        draw_foot(ink, row, self.view.caps, self.view.foot)

    def _tabs(self, ink: Ink, seg: QRectF, tabs: Sequence[TabView], quiet: bool = False) -> None:
        """A row of piles; the second one, of what nobody waits for, is `quiet`."""
        if not tabs:
            return
        self.marks["quiet" if quiet else "seg"] = seg
        ink.box(seg, fill="panel", line="line" if quiet else "lineStrong", radius=6)
        size = 14 if quiet else 16
        words = [self.look.width(tab.text, size, 700) for tab in tabs]
        if sum(words) + len(tabs) * ink.px(8) > seg.width():
            size, words = 14, [self.look.width(tab.text, 14, 700) for tab in tabs]
        spare, x = (seg.width() - 2 - sum(words)) / len(tabs), seg.x() + 1
        for n, tab in enumerate(tabs):
            part = QRectF(x, seg.y() + 1, words[n] + spare, seg.height() - 2)
            x = part.right()
            if tab.selected:
                ink.box(part, fill="text", radius=5)
            elif n:
                ink.vline(part.x(), part.y(), part.height())
            colour = "panel" if tab.selected else "text"
            ink.text(part, tab.text, size, colour=colour, weight=700 if tab.selected else 400, align=CENTRE)
            self.marks[f"tab{tab.key}"] = part

    def _items(self, ink: Ink, room: QRectF) -> None:
        """As many lines as fit, the chosen one among them."""
        height = self.look.density.factor * _ROW
        fit = max(1, int(room.height() / height))
        first = max(0, min(self.view.chosen - fit + 2, len(self.view.items) - fit))
        for n, item in enumerate(self.view.items[first : first + fit]):
            self._item(ink, QRectF(room.x(), room.y() + n * height, room.width(), height), item, first + n)

    def _item(self, ink: Ink, rect: QRectF, item: ItemView, index: int) -> None:
        px = ink.px
        if index == self.view.chosen:
            draw_chosen(ink, rect)
        ink.hline(rect.x(), rect.bottom() - 1, rect.width())
        self.marks[f"item{index}"] = rect
        x, width = rect.x() + px(14), rect.width() - px(28)
        age = self.look.width(item.age, 14)
        top = QRectF(x, rect.y() + px(10), width, px(22))
        room = width - age - px(8)
        size = 16 if self.look.width(item.title, 16, 700) <= room else 14
        title = self.look.metrics(size, 700).elidedText(item.title, Qt.TextElideMode.ElideRight, room)
        ink.text(QRectF(x, top.y(), room + 2, top.height()), title, size, weight=700)
        ink.text(
            QRectF(top.right() - age - 1, top.y(), age + 2, top.height()), item.age, 14, colour="text2", align=RIGHT
        )
        ink.text(QRectF(x, rect.y() + px(35), width, px(20)), item.sub, 14, colour="text2")
        colour = TONE_TEXT[item.tone]
        ink.icon(x, rect.y() + px(60), item.icon, 16, colour)
        ink.text(
            QRectF(x + px(22), rect.y() + px(58), width - px(22), px(20)), item.note, 14, colour=colour, weight=700
        )


class Film(Shown[FilmBar]):
    """The picture, letter-boxed under its head. Nothing is drawn over it: what is covered is covered in the film."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, FilmBar("", "", Tone.IDLE, "", ""))
        self._image: QImage | None = None

    def taken(self, view: FilmBar) -> None:
        self.setAccessibleName(f"{view.waybill} {view.words} {view.badge} {view.message}".strip())

    def show_image(self, image: QImage | None) -> None:
        self._image = image
        self.update()

    def draw(self, ink: Ink) -> None:
        px, rect, view = ink.px, QRectF(self.rect()), self.view
        ink.clip_round(rect, 10)
        ink.fill(rect, "stage")
        inner = rect.adjusted(px(4), px(4), -px(4), -px(4))
        bar = QRectF(inner.x(), inner.y(), inner.width(), px(36))
        right = self._badge(ink, bar)
        x = bar.x() + px(12)
        x += ink.text(
            QRectF(x, bar.y(), right - x, bar.height()), view.waybill, 15, colour="onStage", weight=700, mono=True
        )
        x += px(14)
        ink.text(QRectF(x, bar.y(), max(0.0, right - x - px(8)), bar.height()), view.words, 15, colour="onStage2")
        room = inner.adjusted(0, px(36), 0, 0)
        self.marks["picture"] = room
        ink.p.save()
        ink.p.setClipRect(room, Qt.ClipOperation.IntersectClip)
        if self._image is not None and not view.message:
            scale = min(room.width() / self._image.width(), room.height() / self._image.height())
            width, height = self._image.width() * scale, self._image.height() * scale
            centre = room.center()
            ink.p.drawImage(QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height), self._image)
        ink.text(room, view.message, 21, colour="onStage2", align=CENTRE)
        ink.p.restore()

    def _badge(self, ink: Ink, bar: QRectF) -> float:
        """Gives where it begins."""
        px, view = ink.px, self.view
        if not view.badge:
            return bar.right() - px(12)
        width = self.look.width(view.badge, 15)
        x = bar.right() - px(12) - width
        colour = _ON_STAGE.get(view.badge_tone, "onStage2")
        ink.text(
            QRectF(x - 1, bar.y(), width + 2, bar.height()),
            view.badge,
            15,
            colour=colour if view.badge_tone is Tone.STOP else "onStage2",
            align=RIGHT,
        )
        x -= px(14 + 18)
        ink.icon(x, bar.center().y() - px(9), view.badge_icon, 18, colour)
        self.marks["badge"] = QRectF(x, bar.y(), bar.right() - x, bar.height())
        return x


class ControlBar(Shown[Controls]):
    """The player's keys and times. `pressed` carries the name of a clicked key."""

    pressed = Signal(str)

    def __init__(self, look: Look) -> None:
        super().__init__(look, Controls("", (), "", (), "", 0))
        self.playing, self.rate, self.at_us = False, 1.0, 0
        self.fix(height=60)

    def show_at(self, at_us: int, playing: bool, rate: float) -> None:
        """Where the player stands and how it moves; painted anew when a second, or the way, has changed."""
        shown = (self.at_us // 100_000, self.playing, self.rate)
        self.at_us, self.playing, self.rate = at_us, playing, rate
        if shown != (at_us // 100_000, playing, rate):
            self.setAccessibleName(f"{minutes_seconds(at_us)} / {minutes_seconds(self.view.length_us)} {rate:g}×")
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if name.startswith("key") and rect.contains(event.position()):
                self.pressed.emit(name.removeprefix("key"))

    def draw(self, ink: Ink) -> None:
        px, rect, view = ink.px, QRectF(self.rect()), self.view
        ink.box(rect, fill="panel", line="line", radius=10)
        middle = rect.center().y()
        play = QRectF(px(13), px(8), px(20) + self.look.width(view.play_cap, 15, 700, mono=True) + px(56), px(44))
        ink.box(play, line="line", radius=8)
        cap = ink.cap(play.x() + px(12), middle, view.play_cap)
        self._state(ink, QRectF(cap.right() + px(4), play.y(), play.right() - cap.right() - px(8), play.height()))
        self.marks["keySpace"] = play
        left = self._times(ink, rect)
        x = play.right() + px(8)
        for caps, word in ((view.keys, view.keys_word), (view.jumps, view.jumps_word)):
            for name in caps:
                key = ink.cap(x, middle, name)
                self.marks[f"key{name}"] = key
                x = key.right() + px(6)
            x += px(2)
            width = self.look.width(word, 14)
            if x + width <= left - px(6):  # in a small window the caps speak for themselves
                ink.text(QRectF(x, rect.y(), width + 2, rect.height()), word, 14, colour="text2")
                x += width + px(8)

    def _times(self, ink: Ink, rect: QRectF) -> float:
        """Where the player stands and how long it all is; gives where they begin."""
        px = ink.px
        length = f"/ {minutes_seconds(self.view.length_us)}"
        width = self.look.width(length, 16, mono=True)
        ink.text(
            QRectF(rect.right() - px(13) - width, 0, width + 2, rect.height()), length, 16, colour="text2", mono=True
        )
        at = minutes_seconds(self.at_us)
        left = rect.right() - px(13) - width - px(8) - self.look.width(at, 18, 700, mono=True)
        ink.text(QRectF(left, 0, px(120), rect.height()), at, 18, weight=700, mono=True)
        self.marks["time"] = QRectF(left, 0, rect.right() - left - px(13), rect.height())
        return left

    def _state(self, ink: Ink, room: QRectF) -> None:
        """What Space does now; another speed than once is written out."""
        if self.rate != 1.0:
            ink.text(room, f"{self.rate:g}×", 15, weight=700, mono=True, align=CENTRE)
        else:
            name = "pause" if self.playing else "play"
            ink.icon(room.center().x() - ink.px(10), room.center().y() - ink.px(10), name, 20, "text")


class ReviewSide(Shown[SideView]):
    """What the store knows, what can be done, and the field for the reason. `armed` carries a clicked option's key."""

    armed = Signal(str)
    typed = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__(look, SideView(None, "", "", (), (), "", "", ""))
        self.reason = QLineEdit(self)
        self.reason.setMaxLength(120)
        self.reason.textChanged.connect(lambda _text: self.typed.emit())
        self.reason.cursorPositionChanged.connect(self.update)
        self.fix(width=370 if look.density.name == "compact" else 410)

    def taken(self, view: SideView) -> None:
        self.reason.setAccessibleName(view.reason_label)
        self.reason.setVisible(bool(view.reason_label))
        self.setAccessibleDescription(
            f"{view.headline}; " + "; ".join(f"{r.name} {r.value} {r.chip.text}" for r in view.rows)
        )

    def resizeEvent(self, _event: QResizeEvent) -> None:
        field = self._field()
        self.reason.setGeometry(field.adjusted(self.look.px(12), 2, -self.look.px(12), -2).toRect())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for option in self.view.options:
            if self.marks.get(f"option{option.key}", QRectF()).contains(event.position()):
                self.armed.emit(option.key)

    def _tight(self) -> bool:
        return self.height() < self.look.px(640)

    def _row_height(self) -> int:
        return self.look.px(32 if self._tight() else _FACT)

    def _options_top(self) -> float:
        px = self.look.px
        head = px(98) if self._tight() else px(130)
        return head + _MOST_ROWS * self._row_height() + px(6 if self._tight() else 14)

    def _option_height(self) -> int:
        return self.look.px(50 if self._tight() else 65)

    def _field(self) -> QRectF:
        px = self.look.px
        step = self._option_height() + px(5 if self._tight() else 9)
        top = self._options_top() + 3 * step + px(22 if self._tight() else 31)
        return QRectF(px(17), top, self.width() - px(34), px(36 if self._tight() else 40))

    def draw(self, ink: Ink) -> None:
        px, rect, view = ink.px, QRectF(self.rect()), self.view
        ink.box(rect, fill="panel", line="line", radius=10)
        x, width, tight = px(17), rect.width() - px(34), self._tight()
        y = px(8 if tight else 15)
        left: float = x
        if view.chip is not None:
            chip = ink.chip(QPointF(x, y + px(15)), view.chip, 30)
            self.marks["chip"] = chip
            left = chip.right() + px(8)
        ink.text(QRectF(left, y, x + width - left, px(30)), view.line, 16, colour="text2")
        self._headline(ink, QRectF(x, y + px(34 if tight else 38), width, px(52 if tight else 63)), view.headline)
        top = px(98) if tight else px(130)
        ink.hline(1, top, rect.width() - 2)
        for n in range(_MOST_ROWS):
            row = QRectF(1, top + n * self._row_height(), rect.width() - 2, self._row_height())
            ink.hline(row.x(), row.bottom() - 1, row.width())
            if n < len(view.rows):
                self._fact(ink, row, view.rows[n])
                self.marks[f"row{n}"] = row
        self._options(ink, view)
        if view.reason_label:
            field = self._field()
            self.marks["reason"] = field
            ink.text(QRectF(field.x(), field.y() - px(22), width, px(20)), view.reason_label, 15, colour="text2")
            draw_field(ink, field, self.reason.hasFocus())
        self._foot(ink, QRectF(x, rect.height() - px(24 if tight else 36), width, px(20)))

    def _headline(self, ink: Ink, room: QRectF, text: str) -> None:
        """Two lines at most; smaller where they would be more."""
        sizes = (20, 17) if self._tight() else (24, 20, 17)
        size = next((one for one in sizes if len(wrap(self.look, text, one, room.width(), 700)) <= 2), sizes[-1])
        ink.wrapped(room, text, size, leading=1.3, weight=700)

    def _fact(self, ink: Ink, row: QRectF, fact: CheckRow) -> None:
        px = ink.px
        face = row.adjusted(0, 0, 0, -1)
        ink.icon(row.x() + px(18), face.center().y() - px(10), fact.icon, 20, "text2")
        ink.text(QRectF(row.x() + px(48), face.y(), px(84), face.height()), fact.name, 16, weight=700)
        chip = ink.chip(QPointF(row.right() - px(14), face.center().y()), fact.chip, from_right=True)
        x = row.x() + px(142)
        ink.text(
            QRectF(x, face.y(), chip.x() - px(8) - x, face.height()), fact.value, 16, colour="text2", mono=fact.mono
        )

    def _options(self, ink: Ink, view: SideView) -> None:
        px, y, height = ink.px, self._options_top(), self._option_height()
        for option in view.options:
            row = QRectF(px(17), y, self.width() - px(34), height)
            draw_option(ink, row, option)
            self.marks[f"option{option.key}"] = row
            y += height + px(5 if self._tight() else 9)

    def _foot(self, ink: Ink, row: QRectF) -> None:
        """One line at the bottom; what does not fit grows upwards, towards the field, where there is room for it."""
        view, px = self.view, ink.px
        colour = TONE_TEXT[view.foot_tone] if view.foot_tone is not Tone.PLAIN else "text2"
        room = QRectF(row.x() + px(26), row.y(), row.width() - px(26), row.height())
        lines, step = wrap(self.look, view.foot, 14, room.width()), px(14) * _FOOT_LEADING
        height = len(lines) * step
        if len(lines) > 1 and room.bottom() - height > self._field().bottom() + px(6):
            room.setTop(room.bottom() - height)
            ink.icon(row.x(), room.y() + step / 2 - px(9), view.foot_icon, 18, colour)
            ink.wrapped(room, view.foot, 14, colour=colour, leading=_FOOT_LEADING)
            return
        ink.icon(row.x(), row.center().y() - px(9), view.foot_icon, 18, colour)
        text = self.look.metrics(14).elidedText(view.foot, Qt.TextElideMode.ElideMiddle, room.width())
        ink.text(room.adjusted(0, 0, 2, 0), text, 14, colour=colour)
