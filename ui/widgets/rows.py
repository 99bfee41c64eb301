"""What lists and forms share: the chosen line, the frame of a field, the keys at the foot."""

from __future__ import annotations

from PySide6.QtCore import QRectF

from ui.widgets.ink import Ink


def draw_chosen(ink: Ink, line: QRectF) -> None:
    """The ground of a list's chosen line."""
    ink.fill(line, "primaryTint")
    ink.fill(QRectF(line.x(), line.y(), ink.px(4), line.height()), "primary")


def draw_field(ink: Ink, field: QRectF, focus: bool) -> None:
    """The frame around a text field."""
    ink.box(field, fill="panel", line="focus" if focus else "lineStrong", width=2 if focus else 1, radius=6)


def draw_foot(ink: Ink, row: QRectF, caps: tuple[str, ...], words: str) -> None:
    """The foot of a list's panel, as wide as the widget: keys, and what they do."""
    ink.hline(1, row.y(), ink.widget.width() - 2)
    x = row.x()
    for cap in caps:
        x = ink.cap(x, row.center().y(), cap).right() + ink.px(8)
    ink.text(QRectF(x, row.y(), row.right() - x, row.height()), words, 14, colour="text2")
