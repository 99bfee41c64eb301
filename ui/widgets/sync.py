"""The sheet that tells what is still only here; it lies over the screen like the keys."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QWidget

from ui.theme import Look
from ui.widgets.checks import CheckList
from ui.widgets.ink import RIGHT, Ink
from ui.widgets.overlays import Overlay
from ui.work_views import SyncSheet

_WIDTH, _HEAD, _PAD = 900, 74, 28


class SyncOverlay(Overlay):
    """Title, the rows, and what a key does now. `leaving`: F12 once more signs out, any other key stays."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        super().__init__(look, parent, _WIDTH, 520)
        self.view: SyncSheet | None = None
        self.rows = CheckList(look, 180)
        self.rows.setParent(self)

    @property
    def leaving(self) -> bool:
        return self.isVisible() and self.view is not None and self.view.leaving

    def open(self, view: SyncSheet) -> None:
        self.show_view(view)
        self.show()
        self.raise_()

    def show_view(self, view: SyncSheet) -> None:
        if view == self.view:
            return
        self.view = view
        self.rows.show_view(view.rows)
        self.setAccessibleName(view.title)
        height = _HEAD + _PAD + round(self.rows.height() / max(self.look.px(100), 1) * 100)
        self.size_card(_WIDTH, height)
        self.update()

    def place(self) -> None:
        px, card = self.look.px, self.card
        self.rows.setGeometry(
            round(card.x() + px(_PAD)),
            round(card.y() + px(_HEAD)),
            round(card.width() - px(2 * _PAD)),
            self.rows.height(),
        )

    def draw_card(self, ink: Ink, card: QRectF) -> None:
        if self.view is None:
            return
        px = ink.px
        head = QRectF(card.x() + px(_PAD), card.y() + px(18), card.width() - px(2 * _PAD), px(36))
        ink.text(head, self.view.title, 26, weight=700)
        ink.text(head, self.view.foot, 16, colour="text2", align=RIGHT)
