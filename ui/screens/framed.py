"""What every screen but sign-in is laid out in: rail, top bar, banner, the room for the work, the keys."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget

from ui.theme import Look
from ui.views import FrameView, GoKey, KeyLabel
from ui.widgets.frame import BannerStrip, KeyStrip, Rail, TopStrip
from ui.widgets.overlays import Fitted, KeysOverlay, Overlay


class Framed(QWidget):
    """`pressed` is the name on a clicked key or option. Overlays lie over `below`, which is all under the banner."""

    pressed = Signal(str)

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.rail, self.top, self.banner, self.keys = Rail(look), TopStrip(look), BannerStrip(look), KeyStrip(look)
        self.below = QWidget()
        self._room = QVBoxLayout()
        self.keys.pressed.connect(self.pressed)

    def enclose(self, work: QBoxLayout, strip: QWidget | None = None) -> None:
        """Put the work into its room; `strip` lies above it, without margins."""
        self._room.addLayout(work)
        under = _tight(QVBoxLayout(self.below))
        if strip is not None:
            under.addWidget(strip)
        under.addLayout(self._room, 1)
        under.addWidget(self.keys)
        body = _tight(QVBoxLayout())
        for widget, stretch in ((self.top, 0), (self.banner, 0), (self.below, 1)):
            body.addWidget(widget, stretch)
        whole = _tight(QHBoxLayout(self))
        whole.addWidget(self.rail)
        whole.addLayout(body, 1)

    def cover(self, *overlays: Overlay) -> None:
        """Keep these as large as what they lie over, the drawn keyboard besides."""
        self.help = KeysOverlay(self.look, self.below)
        self.help.closed.connect(self.help.hide)
        Fitted(self.below, (*overlays, self.help))

    def show_frame(self, view: FrameView, keys: tuple[KeyLabel, ...], go: GoKey) -> None:
        """Show what stands around the work."""
        self.rail.show_view(view.nav, view.train)
        self.top.show_view(view.top)
        self.banner.show_view(view.banner)
        self.keys.show_view(keys, go)
        side, top = self.look.density.margin
        # With a banner the work gives up half of its margins, so that the panels keep their size as far as possible.
        vertical = top // 2 if view.banner else top
        self._room.setContentsMargins(*(self.look.px(v) for v in (side, vertical, side, vertical)))


def _tight(layout: QBoxLayout) -> QBoxLayout:
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    return layout
