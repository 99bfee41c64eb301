"""The product screen: what nobody knows at the left, the search in the middle, what will be done at the right."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget

from ui.product_views import ProductsView
from ui.screens.framed import Framed
from ui.theme import Look
from ui.widgets.finding import FindPanel
from ui.widgets.regions import RegionPanel
from ui.widgets.review import ReviewList, ReviewSide


class ProductScreen(Framed):
    """`chosen` is the index of a clicked line of the list."""

    chosen = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.list, self.search, self.side = ReviewList(look), FindPanel(look), ReviewSide(look)
        self.regions = RegionPanel(look)
        self.middle = QStackedWidget()
        for panel in (self.search, self.regions):
            self.middle.addWidget(panel)
        self.view: ProductsView | None = None
        self._lay_out()
        self.cover()
        self._join()

    def _lay_out(self) -> None:
        main = QHBoxLayout()
        main.setSpacing(self.look.px(self.look.density.gap))
        main.addWidget(self.list)
        main.addWidget(self.middle, 1)
        main.addWidget(self.side)
        self.enclose(main)

    def _join(self) -> None:
        self.keys.go.fired.connect(lambda: self.pressed.emit("Enter"))
        self.side.armed.connect(self.pressed)
        self.list.tab.connect(self.pressed)
        self.list.chosen.connect(self.chosen)

    def show_view(self, view: ProductsView) -> None:
        """Show `view`; only what changed is painted again."""
        if view == self.view:
            return
        self.view = view
        self.show_frame(view.frame, view.keys, view.go)
        self.list.show_view(view.list)
        self.search.show_view(view.find)
        self.regions.show_view(view.lesson)
        self.middle.setCurrentWidget(self.search if view.lesson is None else self.regions)
        self.side.show_view(view.side)
