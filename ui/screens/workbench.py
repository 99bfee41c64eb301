"""The mail-in workbench: one frame, and in it the four bodies (waiting, cards, count, hands stop)."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from ui.screens.framed import Framed
from ui.theme import Look
from ui.widgets.checks import CheckList
from ui.widgets.count import DecisionPanel, FiguresPanel
from ui.widgets.frame import ParcelStrip
from ui.widgets.lastparcel import LastParcelPanel
from ui.widgets.lost import LostTimePanel, TakeOverPanel
from ui.widgets.overlays import RejectDialog, TypeDialog
from ui.widgets.prompt import PromptPanel
from ui.widgets.stage import Stage
from ui.widgets.sync import SyncOverlay
from ui.widgets.table import CardTable
from ui.widgets.tray import Tray
from ui.work_views import CardBody, CountBody, LostBody, WaitBody, WorkView


def _column(*widgets: tuple[QWidget, int], spacing: int) -> QVBoxLayout:
    layout = QVBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for widget, stretch in widgets:
        layout.addWidget(widget, stretch)
    return layout


class Pane(QWidget):
    """Picture left, hands right: the two columns that all bodies share."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def set_columns(self, left: QVBoxLayout, right: QVBoxLayout) -> None:
        column = QWidget()
        column.setFixedWidth(self.look.px(self.look.density.right))
        column.setLayout(right)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(self.look.px(self.look.density.gap))
        layout.addLayout(left, 1)
        layout.addWidget(column)


class WaitPane(Pane):
    """Waiting for a parcel."""

    def __init__(self, look: Look, stage: Stage) -> None:
        super().__init__(look)
        self.stage = stage
        self.prompt, self.checks, self.last = PromptPanel(look), CheckList(look, 112), LastParcelPanel(look)
        gap = look.px(12)
        self.left = _column((stage, 1), spacing=gap)
        rows = [(self.prompt, 1), (self.checks, 0)]
        right = _column(*((w, s) for w, s in rows), spacing=gap)
        if look.density.shows_last:
            right.addWidget(self.last)
        self.last.setVisible(False)
        self.set_columns(self.left, right)

    def show_view(self, body: WaitBody) -> None:
        self.prompt.show_view(body.prompt)
        self.checks.show_view(body.checks, body.checks_title, body.checks_note)
        self.last.show_view(body.last)
        self.last.setVisible(body.last is not None and self.look.density.shows_last)


class CardPane(Pane):
    """Cards under the camera."""

    def __init__(self, look: Look, stage: Stage) -> None:
        super().__init__(look)
        self.prompt, self.checks, self.tray = PromptPanel(look), CheckList(look), Tray(look)
        gap = look.px(12)
        self.left = _column((stage, 1), (self.tray, 0), spacing=gap)
        self.set_columns(self.left, _column((self.prompt, 1), (self.checks, 0), spacing=gap))

    def show_view(self, body: CardBody) -> None:
        self.prompt.show_view(body.now)
        self.checks.show_view(body.checks)
        self.tray.show_view(body.slots)


class CountPane(Pane):
    """Declared against found."""

    def __init__(self, look: Look, stage: Stage) -> None:
        super().__init__(look)
        self.figures, self.table, self.decision = FiguresPanel(look), CardTable(look), DecisionPanel(look)
        gap = look.px(12)
        left = _column((self.figures, 0), (self.table, 1), spacing=gap)
        stage.setFixedHeight(look.px(look.density.small_stage))
        self.set_columns(left, _column((stage, 0), (self.decision, 1), spacing=gap))

    def show_view(self, body: CountBody) -> None:
        self.figures.show_view(body)
        self.table.show_view(body)
        self.decision.show_view(body)


class LostPane(Pane):
    """Hands stop."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.take_over, self.tray = TakeOverPanel(look), Tray(look)
        self.time, self.checks = LostTimePanel(look), CheckList(look, 112)
        gap = look.px(12)
        left = _column((self.take_over, 1), (self.tray, 0), spacing=gap)
        self.set_columns(left, _column((self.time, 1), (self.checks, 0), spacing=gap))

    def show_view(self, body: LostBody) -> None:
        self.take_over.show_view(body.take_over)
        self.tray.show_view(body.slots)
        self.tray.setVisible(bool(body.slots))
        self.time.show_view(body.panel)
        self.checks.show_view(body.checks, body.checks_title)


class Workbench(Framed):
    """`pressed` is "go" too; `digit` a clicked option; `held` the full hold."""

    digit = Signal(int)
    held = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.parcel = ParcelStrip(look)
        self.stages = {kind: Stage(look) for kind in (WaitBody, CardBody, CountBody)}
        self.wait = WaitPane(look, self.stages[WaitBody])
        self.cards = CardPane(look, self.stages[CardBody])
        self.count = CountPane(look, self.stages[CountBody])
        self.lost = LostPane(look)
        self.view: WorkView | None = None
        self._lay_out()
        self.reject = RejectDialog(look, self.below)
        self.typing = TypeDialog(look, self.below)
        self.sync = SyncOverlay(look, self.below)
        self.cover(self.reject, self.typing, self.sync)
        self._join()

    def _lay_out(self) -> None:
        main = QWidget()
        self.panes = QStackedLayout(main)
        self.panes.setContentsMargins(0, 0, 0, 0)
        for pane in (self.wait, self.cards, self.count, self.lost):
            self.panes.addWidget(pane)
        work = QVBoxLayout()
        work.addWidget(main)
        self.enclose(work, self.parcel)

    def _join(self) -> None:
        self.keys.go.fired.connect(lambda: self.pressed.emit("go"))
        self.reject.go.held.connect(self.held)
        self.keys.go.held.connect(self.held)
        self.reject.back.connect(lambda: self.pressed.emit("Esc"))
        self.typing.go.fired.connect(lambda: self.pressed.emit("Enter"))
        for panel in (self.wait.prompt, self.cards.prompt, self.count.decision, self.reject):
            panel.chosen.connect(self.digit)

    def show_view(self, view: WorkView) -> None:
        """Show `view`; only what changed is painted again."""
        if view == self.view:
            return
        self.view = view
        self.show_frame(view.frame, view.keys, view.go)
        self.parcel.show_view(view.parcel)
        self._body(view)
        self.reject.show_view(view.dialog)

    def _body(self, view: WorkView) -> None:
        match view.body:
            case WaitBody() as wait:
                self.stages[WaitBody].show_view(wait.stage)
                self.wait.show_view(wait)
                self.panes.setCurrentWidget(self.wait)
            case CardBody() as cards:
                self.stages[CardBody].show_view(cards.stage)
                self.cards.show_view(cards)
                self.panes.setCurrentWidget(self.cards)
            case CountBody() as count:
                self.stages[CountBody].show_view(count.stage)
                self.count.show_view(count)
                self.panes.setCurrentWidget(self.count)
            case LostBody() as lost:
                self.lost.show_view(lost)
                self.panes.setCurrentWidget(self.lost)

    def show_image(self, image: QImage) -> None:
        """The newest picture for all stages: a screen that comes up next shows it at once."""
        for stage in self.stages.values():
            stage.show_image(image)
