"""Option rows: a digit, a bold title, one line of consequence, a radio mark."""

from __future__ import annotations

from PySide6.QtCore import QRectF

from ui.views import Option
from ui.widgets.ink import Ink


def draw_option(ink: Ink, rect: QRectF, option: Option, *, title_size: float = 18, bold: bool = True) -> None:
    """One row into `rect`; with a detail the title stands above it."""
    px, middle = ink.px, rect.center().y()
    if option.picked:
        ink.box(rect, fill="primaryTint", line="primary", width=2, radius=8)
    else:
        ink.box(rect, fill="panel", line="line", radius=8)
    cap = ink.cap(rect.x() + px(14), middle, option.key)
    mark = px(22 if option.detail else 20)
    right = rect.right() - px(14) - mark
    icon = "circle-dot" if option.picked else "circle"
    ink.icon(right, middle - mark / 2, icon, 22 if option.detail else 20, "text")
    x = cap.right() + px(12)
    room = right - px(8) - x
    weight = 700 if bold or option.picked else 400
    if not option.detail:
        ink.text(QRectF(x, rect.y(), room, rect.height()), option.title, 16, weight=weight)
        return
    upper, lower = px(title_size) * 1.3, px(14) * 1.3
    top = middle - (upper + lower) / 2
    ink.text(QRectF(x, top, room, upper), option.title, title_size, weight=weight)
    ink.text(QRectF(x, top + upper, room, lower), option.detail, 14, colour="text2")
