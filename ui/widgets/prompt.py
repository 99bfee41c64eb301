"""The panel that says what to do with the hands: the prompt alone, or the prompt about one card."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent

from ui.theme import Look
from ui.views import Line, Tip, Tone
from ui.widgets.ink import CENTRE, CHIP_ICON, LEFT, RIGHT, TONE_TEXT, Ink, Painted, cap_size, wrap
from ui.widgets.strip import draw_strip
from ui.widgets.wholes import draw_wholes
from ui.work_views import Alternative, BigPrompt, CardPrompt, SecretRow

_LOW = 276
"""Below this height a question, its alternatives and a notice do not stand under one another with the card's name."""


class PromptPanel(Painted):
    """Shows a BigPrompt or a CardPrompt. `chosen` follows a click on an alternative (1-based)."""

    chosen = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.view: BigPrompt | CardPrompt | None = None
        self.revealed = False

    def show_view(self, view: BigPrompt | CardPrompt) -> None:
        if view == self.view:
            return
        self.view = view
        self.revealed = False
        self.setAccessibleName(view.title if isinstance(view, BigPrompt) else view.prompt)
        self.marks.clear()
        self.update()

    def reveal(self, on: bool) -> None:
        """Show the secret (F8 is down) or cover it again."""
        if on != self.revealed:
            self.revealed = on
            self.update()

    @property
    def has_secret(self) -> bool:
        view = self.view
        return isinstance(view, CardPrompt) and (view.secret is not None or any(row.covered for row in view.wholes))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for name, rect in self.marks.items():
            if name.startswith("alternative") and rect.contains(event.position()):
                self.chosen.emit(int(name.removeprefix("alternative")))

    def draw(self, ink: Ink) -> None:
        rect = QRectF(self.rect())
        ink.box(rect, fill="panel", line="line", radius=10)
        side, top = (ink.px(v) + 1 for v in self.look.density.panel_pad)
        room = rect.adjusted(side, top, -side, -top)
        if isinstance(self.view, BigPrompt):
            self._big(ink, room, self.view)
        elif self.view is not None:
            self._card(ink, room, self.view)

    def _big(self, ink: Ink, room: QRectF, view: BigPrompt) -> None:
        px, density = ink.px, self.look.density
        ink.icon(room.x(), room.y(), view.icon, 52, "primary", 1.75)
        x = room.x() + px(52 + 16)
        width = room.right() - x
        size = next((s for s in (density.prompt_alone, 30, 26) if self.look.width(view.title, s, 700) <= width), 26)
        lines = wrap(self.look, view.title, size, width, 700)
        step = px(size) * 1.25
        y = room.y() + max(0.0, (px(52) - step * len(lines)) / 2)
        for i, line in enumerate(lines):
            ink.text(QRectF(x, y + i * step, width + 1, step), line, size, weight=700)
        y = room.y() + max(px(52), step * len(lines)) + px(16)
        bottom = self._tip(ink, room, view.tip)
        size, leading = self._help(view, room.width(), bottom - y)
        for text in view.lines:
            left = QRectF(room.x(), y, room.width(), bottom - y)
            y += ink.wrapped(left, text, size, colour="text2", leading=leading)
        if view.notice:
            draw_notice(ink, QRectF(room.x(), y + px(8), room.width(), bottom - y - px(8)), view.notice)

    def _help(self, view: BigPrompt, width: float, room: float) -> tuple[int, float]:
        """Size and leading of the lines: the design's, or the small ones where they and the notice would not fit."""
        look, size = self.look, self.look.density.help
        lines = sum(len(wrap(look, text, size, width)) for text in view.lines)
        told = len(wrap(look, view.notice.text, 16, width - look.px(28), 700)) if view.notice else 0
        needed = lines * look.px(size) * 1.6 + (told * look.px(16) * 1.4 + look.px(10) if told else 0)
        return (size, 1.6) if needed <= room else (16, 1.35)

    def _tip(self, ink: Ink, room: QRectF, tip: Tip | None) -> float:
        """The quiet line with a key at the foot of the panel; gives where the room above it ends."""
        if tip is None:
            return room.bottom()
        px = ink.px
        box = QRectF(room.x(), room.bottom() - px(56), room.width(), px(56))
        ink.box(box, fill="sunken", line="line", radius=8)
        x, middle = box.x() + px(15), box.center().y()
        ink.icon(x, middle - px(11), tip.icon, 22, "text2")
        x += px(22 + 10)
        x += ink.text(QRectF(x, box.y(), box.width(), box.height()), tip.lead, 16, colour="text2") + px(10)
        x = ink.cap(x, middle, tip.key).right() + px(10)
        ink.text(QRectF(x, box.y(), box.right() - x - px(8), box.height()), tip.action, 16)
        self.marks["tip"] = box
        return box.y() - px(8)

    def _card(self, ink: Ink, room: QRectF, view: CardPrompt) -> None:
        px, density = ink.px, self.look.density
        compact = density.name == "compact"
        y = room.y() + self._head(ink, room, view)
        y += self._headline(ink, QRectF(room.x(), y, room.width(), room.height()), view.prompt)
        bottom = self._secret(ink, room, view.secret, compact)
        if view.cells:
            y += px(8 if compact else 12)
            strip = QRectF(room.x(), y, room.width(), px(density.cell[1]))
            draw_strip(ink, strip, view.cells, view.groups)
            self.marks["strip"] = strip
            y = strip.bottom() + px(8 if compact else 14)
        if view.alternatives:
            least = px(25) if view.notice else 0
            height = min(px(density.crop[1]), max(px(76), bottom - y - least))
            y = self._alternatives(ink, QRectF(room.x(), y, room.width(), height), view)
        if view.wholes:
            y = self._wholes(ink, QRectF(room.x(), y + px(8), room.width(), bottom - y), view)
        free = QRectF(room.x(), y + px(4), room.width(), bottom - y - px(6))
        if view.notice:
            self.marks["notice"] = QRectF(free.x(), free.y(), free.width(), draw_notice(ink, free, view.notice))
        elif view.help and (not (view.alternatives or view.wholes) or free.height() >= px(24)):
            # Beside alternatives the chips say the same: in the smallest window the line may go.
            ink.wrapped(free, view.help, 16 if view.cells else 18, colour="text2", leading=1.5)

    def _head(self, ink: Ink, room: QRectF, view: CardPrompt) -> float:
        """Which card of how many, and what card; gives its height. In the lowest window a notice takes its room."""
        px = ink.px
        low = _LOW if view.secret else _LOW - 46
        if view.notice and view.alternatives and room.height() < px(low):
            return 0
        chip = ink.chip(QPointF(room.x(), room.y() + px(15)), view.chip, 30)
        self.marks["chip"] = chip
        name = QRectF(chip.right() + px(10), room.y(), room.right() - chip.right() - px(10), px(30))
        ink.text(name, view.product, 16, weight=700)
        return px(30) + px(8 if self.look.density.name == "compact" else 14)

    def _headline(self, ink: Ink, room: QRectF, text: str) -> float:
        """The prompt in one line; a long one in smaller type, at last in two lines. Gives the height."""
        size = self.look.density.prompt
        one = ink.px(size) * 1.25
        for smaller in (size, size - 3, size - 6):
            if self.look.width(text, smaller, 700) <= room.width():
                ink.text(QRectF(room.x(), room.y(), room.width() + 1, one), text, smaller, weight=700)
                self.marks["prompt"] = QRectF(room.x(), room.y(), room.width(), one)
                return one
        used = ink.wrapped(room, text, size - 6, weight=700, leading=1.25)
        self.marks["prompt"] = QRectF(room.x(), room.y(), room.width(), used)
        return used

    def _alternatives(self, ink: Ink, area: QRectF, view: CardPrompt) -> float:
        px, density = ink.px, self.look.density
        crop = QRectF(area.x(), area.y(), px(density.crop[0]), area.height())
        self._crop(ink, crop, view.crop)
        x = crop.right() + px(12)
        few = len(view.alternatives) <= 2
        gap = px(8 if few else 4)
        height = (area.height() - gap) / 2 if few else (area.height() - 2 * gap) / 3
        for i, alternative in enumerate(view.alternatives):
            rect = QRectF(x, area.y() + i * (height + gap), area.right() - x, height)
            self._alternative(ink, rect, alternative)
            self.marks[f"alternative{i + 1}"] = rect
        return area.bottom()

    def _wholes(self, ink: Ink, area: QRectF, view: CardPrompt) -> float:
        line, *rows = draw_wholes(ink, area, view.wholes, view.crop, revealed=self.revealed)
        self.marks["crop"] = line
        self.marks |= {f"alternative{i + 1}": rect for i, rect in enumerate(rows)}
        return rows[-1].bottom()

    def _crop(self, ink: Ink, rect: QRectF, png: bytes) -> None:
        self.marks["crop"] = rect
        ink.box(rect, fill="stage", radius=6)
        image = QImage.fromData(png) if png else QImage()
        if image.isNull():
            ink.icon(rect.center().x() - ink.px(15), rect.center().y() - ink.px(15), "eye-off", 30, "onStage2")
            return
        ink.p.save()
        ink.clip_round(rect, 6)
        # A slightly wider crop loses a little of the neighbours at its sides; a very different one keeps its shape.
        wider = (image.width() / image.height()) / (rect.width() / rect.height())
        mode = Qt.AspectRatioMode.KeepAspectRatio
        if 1.0 <= wider < 1.6:
            mode = Qt.AspectRatioMode.KeepAspectRatioByExpanding
        scaled = image.scaled(rect.size().toSize(), mode, Qt.TransformationMode.SmoothTransformation)
        ink.p.drawImage(
            QPointF(rect.center().x() - scaled.width() / 2, rect.center().y() - scaled.height() / 2), scaled
        )
        ink.p.restore()

    def _alternative(self, ink: Ink, rect: QRectF, view: Alternative) -> None:
        px = ink.px
        if view.picked:
            ink.box(rect, fill="primaryTint", line="primary", width=2, radius=8)
        else:
            ink.box(rect, fill="panel" if view.open else "", line="line", radius=8, dashed=not view.open)
        x, middle = rect.x() + px(13), rect.center().y()
        x = ink.cap(x, middle, view.key).right() + px(12)
        colour = "text" if view.open else "text3"
        glyph = QRectF(x, rect.y(), px(26), rect.height())
        ink.text(glyph, view.glyph, 30, colour=colour, weight=700, mono=True, align=CENTRE, strike=not view.open)
        x = glyph.right() + px(12)
        percent = self.look.width(view.percent, 16, mono=True)
        right = rect.right() - px(13)
        room = QRectF(right - percent - 1, rect.y(), percent + 2, rect.height())
        ink.text(room, view.percent, 16, colour="text2" if view.open else "text3", mono=True, align=RIGHT)
        if view.chip.tone is Tone.PLAIN:
            ink.icon(x, middle - px(9), view.chip.icon, 18, "text3")
            left = x + px(18 + 6)
            ink.text(QRectF(left, rect.y(), room.x() - left - px(6), rect.height()), view.chip.text, 16, colour="text3")
        else:
            ink.chip(QPointF(x, middle), view.chip)

    def _secret(self, ink: Ink, room: QRectF, view: SecretRow | None, compact: bool) -> float:
        if view is None:
            return room.bottom()
        px = ink.px
        height = px(44 if compact else 52)
        box = QRectF(room.x(), room.bottom() - height, room.width(), height)
        ink.box(box, fill="sunken", line="line", radius=8)
        x, middle = box.x() + px(15), box.center().y()
        ink.icon(x, middle - px(10), "key-round", 20, "text2")
        x += px(20 + 10)
        x += ink.text(QRectF(x, box.y(), box.width(), height), view.label, 16) + px(10)
        right = box.right() - px(15) - cap_size(self.look, view.key).width()
        ink.cap(right, middle, view.key)
        action = self.look.width(view.action, 16)
        right -= px(10) + action
        ink.text(QRectF(right, box.y(), action + 1, height), view.action, 16, colour="text2")
        shown = view.text if self.revealed else view.dots
        self._dots(ink, QRectF(x, box.y(), right - x - px(8), height), shown)
        self.marks["secret"] = box
        return box.y() - px(2)

    def _dots(self, ink: Ink, room: QRectF, text: str) -> None:
        """Dots are drawn, not typed: fonts disagree about their size."""
        if self.revealed:
            ink.text(room, text, 20, weight=700, mono=True, align=LEFT)
            return
        x, step = room.x(), min(ink.px(14), room.width() / max(1, len(text)))
        ink.p.setPen(Qt.PenStyle.NoPen)
        ink.p.setBrush(self.look.colour("text"))
        for char in text:
            if char != " ":
                ink.p.drawEllipse(QRectF(x + 1, room.center().y() - step * 0.4, step * 0.8, step * 0.8))
            x += step


def draw_notice(ink: Ink, room: QRectF, line: Line) -> float:
    """One inline line with the icon of its tone, over as many lines as it needs; gives the height."""
    px, colour = ink.px, TONE_TEXT[line.tone]
    icon = "info" if line.tone in (Tone.INFO, Tone.PLAIN) else CHIP_ICON[line.tone]
    lines = wrap(ink.look, line.text, 16, room.width() - px(28), 700)
    step = px(16) * 1.4
    ink.icon(room.x(), room.y() + (step - px(18)) / 2, icon, 18, colour, 2.3)
    text = QRectF(room.x() + px(26), room.y(), room.width() - px(26), max(room.height(), step))
    ink.wrapped(text, line.text, 16, colour=colour, leading=1.4, weight=700)
    return len(lines) * step
