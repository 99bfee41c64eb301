"""The parcel before this one, in two lines."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF

from ui.theme import Look
from ui.widgets.checks import panel_head
from ui.widgets.ink import RIGHT, Ink, Shown
from ui.work_views import LastParcelView


class LastParcelPanel(Shown[LastParcelView | None]):
    """Its height is fixed, so that nothing moves when the first parcel is done."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, None)
        self.fix(height=104)

    def draw(self, ink: Ink) -> None:
        rect, px, view = QRectF(self.rect()), ink.px, self.view
        if view is None:
            return
        ink.box(rect, fill="panel", line="line", radius=10)
        head = QRectF(rect.x() + 1, rect.y() + 1, rect.width() - 2, px(44))
        x = panel_head(ink, head, view.title) + px(10)
        ink.text(QRectF(x, head.y(), px(200), head.height() - 1), view.waybill, 16, colour="text2", mono=True)
        ink.text(head.adjusted(0, 0, -px(16), -1), view.time, 16, colour="text2", align=RIGHT)
        middle = head.bottom() + (rect.bottom() - 1 - head.bottom()) / 2
        sync = ink.chip(QPointF(rect.right() - px(17), middle), view.sync, from_right=True)
        left = rect.x() + px(17)
        for chip in view.chips:
            left = ink.chip(QPointF(left, middle), chip, 30).right() + px(8)
        ink.text(QRectF(left, middle - px(15), sync.x() - left - px(4), px(30)), view.plain, 16, colour="text2")
