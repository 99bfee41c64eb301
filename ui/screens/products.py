"""The product screen: what nobody knows at the left, the search in the middle, what will be done at the right."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from ui.product_views import ProductsView
from ui.theme import Look
from ui.widgets.finding import FindPanel
from ui.widgets.frame import BannerStrip, KeyStrip, Rail, TopStrip
from ui.widgets.overlays import Fitted, KeysOverlay
from ui.widgets.regions import RegionPanel
from ui.widgets.review import ReviewList, ReviewSide


class ProductScreen(QWidget):
    """`pressed` is the name on a clicked key or option; `chosen` the index of a clicked line of the list."""

    pressed = Signal(str)
    chosen = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.rail, self.top, self.banner, self.keys = Rail(look), TopStrip(look), BannerStrip(look), KeyStrip(look)
        self.list, self.search, self.side = ReviewList(look), FindPanel(look), ReviewSide(look)
        self.regions = RegionPanel(look)
        self.middle = QStackedWidget()
        for panel in (self.search, self.regions):
            self.middle.addWidget(panel)
        self.view: ProductsView | None = None
        self._lay_out()
        self.help = KeysOverlay(look, self.below)
        Fitted(self.below, (self.help,))
        self._join()

    def _lay_out(self) -> None:
        self.main = QHBoxLayout()
        self.main.setSpacing(self.look.px(self.look.density.gap))
        self.main.addWidget(self.list)
        self.main.addWidget(self.middle, 1)
        self.main.addWidget(self.side)
        self.below = QWidget()
        under = QVBoxLayout(self.below)
        under.setContentsMargins(0, 0, 0, 0)
        under.setSpacing(0)
        under.addLayout(self.main, 1)
        under.addWidget(self.keys)
        body = QVBoxLayout()
        body.setSpacing(0)
        for widget, stretch in ((self.top, 0), (self.banner, 0), (self.below, 1)):
            body.addWidget(widget, stretch)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.rail)
        whole.addLayout(body, 1)

    def _join(self) -> None:
        self.keys.pressed.connect(self.pressed)
        self.keys.go.fired.connect(lambda: self.pressed.emit("Enter"))
        self.side.armed.connect(self.pressed)
        self.list.tab.connect(self.pressed)
        self.list.chosen.connect(self.chosen)
        self.help.closed.connect(self.help.hide)

    def show_view(self, view: ProductsView) -> None:
        """Show `view`; only what changed is painted again."""
        if view == self.view:
            return
        self.view = view
        self.rail.show_view(view.nav, view.train)
        self.top.show_view(view.top)
        self.banner.show_view(view.banner)
        self.list.show_view(view.list)
        self.search.show_view(view.find)
        self.regions.show_view(view.lesson)
        self.middle.setCurrentWidget(self.search if view.lesson is None else self.regions)
        self.side.show_view(view.side)
        self.keys.show_view(view.keys, view.go)
        side, top = self.look.density.margin
        vertical = top // 2 if view.banner else top
        self.main.setContentsMargins(*(self.look.px(v) for v in (side, vertical, side, vertical)))
