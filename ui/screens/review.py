"""The review screen: what there is to see at the left, the film with its time line, what can be done at the right."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ui.review_views import ReviewView
from ui.theme import Look
from ui.widgets.frame import BannerStrip, KeyStrip, Rail, TopStrip
from ui.widgets.lanes import Lanes
from ui.widgets.overlays import Fitted, KeysOverlay, TypeDialog
from ui.widgets.review import ControlBar, Film, ReviewList, ReviewSide


class ReviewScreen(QWidget):
    """`pressed` is the name on a clicked key or "go"; `chosen` the index of a clicked line; `sought` a time (µs)."""

    pressed = Signal(str)
    chosen = Signal(int)
    sought = Signal(int)

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.rail, self.top, self.banner, self.keys = Rail(look), TopStrip(look), BannerStrip(look), KeyStrip(look)
        self.list, self.side = ReviewList(look), ReviewSide(look)
        self.film, self.controls, self.lanes = Film(look), ControlBar(look), Lanes(look)
        self.view: ReviewView | None = None
        self._lay_out()
        self.help = KeysOverlay(look, self.below)
        self.typing = TypeDialog(look, self.below)
        Fitted(self.below, (self.help, self.typing))
        self._join()

    def _lay_out(self) -> None:
        middle = QVBoxLayout()
        middle.setSpacing(self.look.px(12))
        middle.addWidget(self.film, 1)
        middle.addWidget(self.controls)
        middle.addWidget(self.lanes)
        self.main = QHBoxLayout()
        self.main.setSpacing(self.look.px(self.look.density.gap))
        self.main.addWidget(self.list)
        self.main.addLayout(middle, 1)
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
        self.controls.pressed.connect(self.pressed)
        self.side.armed.connect(self.pressed)
        self.list.tab.connect(self.pressed)
        self.list.chosen.connect(self.chosen)
        self.lanes.sought.connect(self.sought)
        self.help.closed.connect(self.help.hide)
        self.typing.go.fired.connect(lambda: self.pressed.emit("Enter"))

    def show_view(self, view: ReviewView) -> None:
        """Show `view`; only what changed is painted again."""
        if view == self.view:
            return
        self.view = view
        self.rail.show_view(view.nav, view.train)
        self.top.show_view(view.top)
        self.banner.show_view(view.banner)
        self.list.show_view(view.list)
        self.film.show_view(view.film)
        self.controls.show_view(view.controls)
        self.lanes.show_view(view.card, view.whole)
        self.side.show_view(view.side)
        self.keys.show_view(view.keys, view.go)
        side, top = self.look.density.margin
        vertical = top // 2 if view.banner else top
        self.main.setContentsMargins(*(self.look.px(v) for v in (side, vertical, side, vertical)))

    def show_at(self, at_us: int, playing: bool, rate: float) -> None:
        """Where the player stands."""
        self.controls.show_at(at_us, playing, rate)
        self.lanes.show_at(at_us)
