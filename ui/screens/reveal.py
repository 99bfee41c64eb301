"""The screen for seeing secrets: who asked at the left, how it stands in the middle, what can be done at the right."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout

from ui.reveal_views import RevealView
from ui.screens.framed import Framed
from ui.theme import Look
from ui.widgets.overlays import TypeDialog
from ui.widgets.reveal import RevealPanel
from ui.widgets.review import ReviewList, ReviewSide


class RevealScreen(Framed):
    """`chosen` is the index of a clicked line."""

    chosen = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.list, self.panel, self.side = ReviewList(look), RevealPanel(look), ReviewSide(look)
        self.view: RevealView | None = None
        main = QHBoxLayout()
        main.setSpacing(look.px(look.density.gap))
        main.addWidget(self.list)
        main.addWidget(self.panel, 1)
        main.addWidget(self.side)
        self.enclose(main)
        self.typing = TypeDialog(look, self.below)
        self.cover(self.typing)
        self._join()

    def _join(self) -> None:
        self.keys.go.fired.connect(lambda: self.pressed.emit("Enter"))
        self.typing.go.fired.connect(lambda: self.pressed.emit("Enter"))
        self.panel.picked.connect(self.pressed)
        self.side.armed.connect(self.pressed)
        self.list.chosen.connect(self.chosen)

    def show_view(self, view: RevealView) -> None:
        """Show `view`; only what changed is painted again."""
        if view == self.view:
            return
        self.view = view
        self.show_frame(view.frame, view.keys, view.go)
        self.list.show_view(view.list)
        self.panel.show_view(view.panel)
        self.side.show_view(view.side)
