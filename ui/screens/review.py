"""The review screen: what there is to see at the left, the film with its time line, what can be done at the right."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from ui.review_views import ReviewView
from ui.screens.framed import Framed
from ui.theme import Look
from ui.widgets.lanes import Lanes
from ui.widgets.overlays import TypeDialog
from ui.widgets.review import ControlBar, Film, ReviewList, ReviewSide


class ReviewScreen(Framed):
    """`chosen` is the index of a clicked line; `sought` a time (µs)."""

    chosen = Signal(int)
    sought = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.list, self.side = ReviewList(look), ReviewSide(look)
        self.film, self.controls, self.lanes = Film(look), ControlBar(look), Lanes(look)
        self.view: ReviewView | None = None
        self._lay_out()
        self.typing = TypeDialog(look, self.below)
        self.cover(self.typing)
        self._join()

    def _lay_out(self) -> None:
        middle = QVBoxLayout()
        middle.setSpacing(self.look.px(12))
        middle.addWidget(self.film, 1)
        middle.addWidget(self.controls)
        middle.addWidget(self.lanes)
        main = QHBoxLayout()
        main.setSpacing(self.look.px(self.look.density.gap))
        main.addWidget(self.list)
        main.addLayout(middle, 1)
        main.addWidget(self.side)
        self.enclose(main)

    def _join(self) -> None:
        self.keys.go.fired.connect(lambda: self.pressed.emit("Enter"))
        self.controls.pressed.connect(self.pressed)
        self.side.armed.connect(self.pressed)
        self.list.tab.connect(self.pressed)
        self.list.chosen.connect(self.chosen)
        self.lanes.sought.connect(self.sought)
        self.typing.go.fired.connect(lambda: self.pressed.emit("Enter"))

    def show_view(self, view: ReviewView) -> None:
        """Show `view`; only what changed is painted again."""
        if view == self.view:
            return
        self.view = view
        self.show_frame(view.frame, view.keys, view.go)
        self.list.show_view(view.list)
        self.film.show_view(view.film)
        self.controls.show_view(view.controls)
        self.lanes.show_view(view.card, view.whole)
        self.side.show_view(view.side)

    def show_at(self, at_us: int, playing: bool, rate: float) -> None:
        """Where the player stands."""
        self.controls.show_at(at_us, playing, rate)
        self.lanes.show_at(at_us)
