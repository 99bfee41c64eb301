"""A list of checks in a panel: icon, name, value, chip. Its rows exist before their values do."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF

from ui.theme import Look
from ui.views import CheckRow
from ui.widgets.ink import RIGHT, Ink, Painted
from ui.widgets.rows import draw_chosen


class CheckList(Painted):
    """`name_width` in pixel tokens. With a title the panel has a head."""

    def __init__(self, look: Look, name_width: int = 104) -> None:
        super().__init__(look)
        self._name_width = name_width
        self._title = ""
        self._note = ""
        self.rows: tuple[CheckRow, ...] = ()

    def show_view(self, rows: tuple[CheckRow, ...], title: str = "", note: str = "") -> None:
        if (rows, title, note) == (self.rows, self._title, self._note):
            return
        self.rows, self._title, self._note = rows, title, note
        density = self.look.density
        head = self.look.px(density.head) if title else 0
        self.setFixedHeight(head + len(rows) * self.look.px(density.check) + 2)
        self.setAccessibleDescription("; ".join(f"{r.name} {r.value} {r.chip.text}" for r in rows))
        self.update()

    def draw(self, ink: Ink) -> None:
        rect, px = QRectF(self.rect()), ink.px
        ink.box(rect, fill="panel", line="line", radius=10)
        inner = rect.adjusted(1, 1, -1, -1)
        y = inner.y()
        ink.p.save()
        ink.clip_round(inner, 9)
        if self._title:
            head = QRectF(inner.x(), y, inner.width(), px(self.look.density.head))
            panel_head(ink, head, self._title)
            ink.text(head.adjusted(0, 0, -px(16), -1), self._note, 16, colour="text2", align=RIGHT)
            y += head.height()
        height = px(self.look.density.check)
        for i, row in enumerate(self.rows):
            self._row(ink, QRectF(inner.x(), y, inner.width(), height), row, last=i == len(self.rows) - 1)
            y += height
        ink.p.restore()

    def _row(self, ink: Ink, rect: QRectF, row: CheckRow, *, last: bool) -> None:
        px, compact = ink.px, self.look.density.name == "compact"
        if row.current:
            draw_chosen(ink, rect)
        if not last:
            ink.hline(rect.x(), rect.bottom() - 1, rect.width())
        face = rect.adjusted(0, 0, 0, -1)
        pad = px(12 if compact else 14)
        x = rect.x() + px(4) + pad
        ink.icon(x, face.center().y() - px(10), row.icon, 20, "text3" if row.quiet else "text2")
        x += px(20 + 10)
        quiet = "text3" if row.quiet else "text"
        name = QRectF(x, face.y(), px(self._name_width), face.height())
        ink.text(name, row.name, 16, colour=quiet, weight=400 if row.quiet else 700)
        x = name.right() + px(10)
        chip = ink.chip(QPointF(rect.right() - pad, face.center().y()), row.chip, from_right=True)
        value = QRectF(x, face.y(), chip.x() - px(10) - x, face.height())
        colour = "text3" if row.quiet else "text" if row.current else "text2"
        ink.text(value, row.value, 16, colour=colour, mono=row.mono)


def panel_head(ink: Ink, head: QRectF, title: str) -> float:
    """The head of a panel: a bold line over a hairline; gives where the title ends."""
    ink.hline(head.x(), head.bottom() - 1, head.width())
    x = head.x() + ink.px(16 if head.height() > ink.px(40) else 14)
    return x + ink.text(QRectF(x, head.y(), head.width(), head.height() - 1), title, 16, weight=700)
