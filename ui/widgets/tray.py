"""The card tray: one slot per card; what does not fit moves aside so that the card in hand is always seen."""

from __future__ import annotations

from PySide6.QtCore import QRectF

from ui.theme import Look
from ui.widgets.ink import CENTRE, RIGHT, Ink, Painted
from ui.work_views import Slot, SlotState

_MIN_SLOT = 84
_MOST = 12
"""So many slots at most are shown at once; further ones are told by a number at the end."""

_STYLE: dict[SlotState, tuple[str, str, float, bool, str]] = {
    # fill, border, width, dashed, word
    SlotState.OK: ("panel", "line", 1, False, "ok"),
    SlotState.INFO: ("panel", "line", 1, False, "info"),
    SlotState.WARN: ("warnTint", "warnLine", 1, False, "warn"),
    SlotState.STOP: ("panel", "stop", 2, False, "stop"),
    SlotState.CURRENT: ("primaryTint", "primary", 2, False, "text"),
    SlotState.TODO: ("", "lineStrong", 1, True, "text3"),
    SlotState.MISSING: ("warnTint", "warnLine", 2, True, "warn"),
}


class Tray(Painted):
    """Slots in a row; small marks at the ends tell how many more there are."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.slots: tuple[Slot, ...] = ()
        self.fix(height=look.density.tray)

    def show_view(self, slots: tuple[Slot, ...]) -> None:
        if slots != self.slots:
            self.slots = slots
            self.setAccessibleName(", ".join(f"{s.no} {s.word}" for s in slots))
            self.update()

    def draw(self, ink: Ink) -> None:
        rect, px = QRectF(self.rect()), ink.px
        ink.box(rect, fill="panel", line="line", radius=10)
        pad = px(self.look.density.tray_pad) + 1
        room = rect.adjusted(pad, pad, -pad, -pad)
        wide = px(8 if self.look.density.tray_pad > 6 else 6)
        narrow = len(self.slots) * (px(_MIN_SLOT) + wide) - wide > room.width()
        gap = px(4) if narrow else wide
        least, ends = self._least(narrow), self._end_width() + gap
        shown, first = self._visible(room.width(), gap, least)
        if not shown:
            return
        if len(shown) < len(self.slots):  # the marks of what is hidden stand beside the slots and cover none
            shown, first = self._visible(room.width() - 2 * ends, gap, least)
            self._ends(ink, room, first, len(self.slots) - first - len(shown))
            room = room.adjusted(ends if first else 0, 0, -ends if first + len(shown) < len(self.slots) else 0, 0)
        width = (room.width() - gap * (len(shown) - 1)) / len(shown)
        for i, slot in enumerate(shown):
            self._slot(ink, QRectF(room.x() + i * (width + gap), room.y(), width, room.height()), slot, narrow)

    def _least(self, narrow: bool) -> float:
        """The narrowest slot: with number and last four, or just wide enough for its word."""
        if not narrow:
            return self.look.px(_MIN_SLOT)
        words = max((self.look.width(s.word, 14, 700) for s in self.slots), default=0.0)
        return max(words, self.look.px(18 + 4 + 18)) + self.look.px(12)

    def _visible(self, width: float, gap: int, least: float) -> tuple[tuple[Slot, ...], int]:
        fits = max(1, min(_MOST, int((width + gap) // (least + gap))))
        if len(self.slots) <= fits:
            return self.slots, 0
        at = next((i for i, s in enumerate(self.slots) if s.state is SlotState.CURRENT), None)
        if at is None:
            at = max((i for i, s in enumerate(self.slots) if s.state is not SlotState.TODO), default=0)
        first = max(0, min(at - fits + 2, len(self.slots) - fits))
        return self.slots[first : first + fits], first

    def _slot(self, ink: Ink, rect: QRectF, slot: Slot, narrow: bool) -> None:
        px = ink.px
        fill, line, width, dashed, colour = _STYLE[slot.state]
        ink.box(rect, fill=fill, line=line, width=width, radius=8, dashed=dashed)
        self.marks[f"slot{slot.no}"] = rect
        side, top = px(6 if narrow else 10), px(self.look.density.slot_pad) + 1
        row = QRectF(rect.x() + side, rect.y() + top, rect.width() - 2 * side, px(20))
        x = row.x()
        if slot.icon:
            ink.icon(x, row.center().y() - px(9), slot.icon, 18, colour, 2.4)
            x += px(18 + (4 if narrow else 5))
        x += ink.text(QRectF(x, row.y(), px(30), row.height()), str(slot.no), 14, weight=700)
        if slot.last4 and not narrow:
            room = QRectF(x, row.y(), row.right() - x + 1, row.height())
            ink.text(room, slot.last4, 14, colour="text2", mono=True, align=RIGHT)
        word = QRectF(row.x(), rect.bottom() - top - px(23), row.width() + px(4), px(23))
        weight = 400 if slot.state is SlotState.TODO else 700
        ink.text(word, slot.word, 14 if narrow else 16, colour=colour, weight=weight)

    def _end_width(self) -> float:
        """Of the marks at the ends: wide enough for every number of slots."""
        return max(self.look.px(34), self.look.width(f"‹ {len(self.slots)}", 14, 700) + self.look.px(10))

    def _ends(self, ink: Ink, room: QRectF, before: int, after: int) -> None:
        width = self._end_width()
        for name, count, x, mark in (
            ("before", before, room.x(), "‹ {}"),
            ("after", after, room.right() - width, "{} ›"),
        ):
            self.marks.pop(name, None)
            if count:
                tag = self.marks[name] = QRectF(x, room.center().y() - ink.px(11), width, ink.px(22))
                ink.box(tag, fill="text", radius=4)
                ink.text(tag, mark.format(count), 14, colour="panel", weight=700, align=CENTRE)
