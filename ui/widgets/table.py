"""The cards of a parcel as a table: one delegate paints the rows, chips included; no widget per cell."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
)

from ui.theme import Look
from ui.widgets.checks import panel_head
from ui.widgets.ink import LEFT, RIGHT, Ink, Painted, chip_size
from ui.work_views import CountBody, TableRow

_SHARES = (40, 161, 131, 86, 129, 181, 86)
"""Widths of the columns at 814 pixels, as the design draws them; wider tables give the rest to product and reason."""
_RIGHT = (3, 6)
_GIVING = (1, 5)
"""Product and reason: what may lose its end where the window is too small for all."""
_Index = QModelIndex | QPersistentModelIndex


class _Rows(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[TableRow, ...] = ()
        self.columns: tuple[str, ...] = ("",) * len(_SHARES)

    def take(self, columns: tuple[str, ...], rows: tuple[TableRow, ...]) -> None:
        self.beginResetModel()
        self.columns, self.rows = columns, rows
        self.endResetModel()

    def rowCount(self, _parent: _Index | None = None) -> int:
        return len(self.rows)

    def columnCount(self, _parent: _Index | None = None) -> int:
        return len(_SHARES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(RIGHT if section in _RIGHT else LEFT)
        return None

    def data(self, index: _Index, role: int = 0) -> Any:
        """The words of a cell, for screen readers; the delegate paints from the row itself."""
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        row = self.rows[index.row()]
        return (row.no, row.product, row.card, row.value, row.chip.text, row.why, row.video)[index.column()]


class _Painter(QStyledItemDelegate):
    def __init__(self, look: Look, view: QTableView, model: _Rows) -> None:
        super().__init__(view)
        self._look, self._view, self._model = look, view, model

    def sizeHint(self, _option: QStyleOptionViewItem, _index: _Index) -> QSize:
        return QSize(10, self._look.px(self._look.density.row))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row = self._model.rows[index.row()]
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        ink = Ink(self._view, self._look, painter)
        rect = QRectF(option.rect)
        if row.missing:
            ink.fill(rect, "warnTint")
        if index.row() < len(self._model.rows) - 1:
            ink.hline(rect.x(), rect.bottom() - 1, rect.width())
        pad = self._look.px(12)
        self._cell(ink, rect.adjusted(pad, 0, -pad, -1), row, index.column())
        painter.restore()

    def _cell(self, ink: Ink, room: QRectF, row: TableRow, column: int) -> None:
        quiet = "text2" if row.missing else "text"
        match column:
            case 0:
                ink.text(room, row.no, 16, colour="text2")
            case 1:
                ink.text(room, row.product, 16, colour="warn" if row.missing else "text", weight=700)
            case 2:
                ink.text(room, row.card, 16, colour=quiet, mono=True)
            case 3:
                ink.text(room, row.value, 16, colour=quiet, align=RIGHT)
            case 4:
                ink.chip(QPointF(room.x(), room.center().y()), row.chip)
            case 5:
                ink.text(room, row.why, 16, colour="text2")
            case _:
                ink.text(room, row.video, 16, colour="text2", mono=True, align=RIGHT)


class _Head(Painted):
    """Title, and what came of how many cards."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.view: CountBody | None = None
        self.fix(height=look.density.head)

    def draw(self, ink: Ink) -> None:
        if self.view is None:
            return
        rect = QRectF(self.rect())
        panel_head(ink, rect, self.view.table_title)
        x = rect.right() - ink.px(16)
        for chip in reversed(self.view.table_chips):
            x = ink.chip(QPointF(x, rect.center().y()), chip, from_right=True).x() - ink.px(10)


class _Foot(Painted):
    """Sums by where the cards stand; what was declared in all."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.view: CountBody | None = None
        self.fix(height=look.density.footer)

    def draw(self, ink: Ink) -> None:
        if self.view is None:
            return
        rect, px = QRectF(self.rect()), ink.px
        path_bottom = rect.adjusted(0, -px(12), 0, 0)
        ink.p.setClipRect(rect)
        ink.box(path_bottom, fill="sunken", radius=9)
        ink.hline(0, 0, rect.width())
        label, value = self.view.total
        width = self.look.width(label, 16) + px(8) + self.look.width(value, 16, mono=True)
        right = rect.right() - px(16)
        self._pair(ink, QRectF(right - width, 0, width + 2, rect.height()), label, value, 16, 400)
        x: float = px(16)
        sizes = [20 if i == 0 else 16 for i in range(len(self.view.sums))]
        needed = sum(self._wide(*pair, size) for pair, size in zip(self.view.sums, sizes, strict=True))
        gaps = max(1, len(sizes))
        gap = max(px(8), min(px(28), (right - width - x - needed) / gaps))
        for (word, amount), size in zip(self.view.sums, sizes, strict=True):
            room = QRectF(x, 0, max(0.0, right - width - x - px(8)), rect.height())
            x += self._pair(ink, room, word, amount, size, 700) + gap

    def _wide(self, word: str, amount: str, size: int) -> float:
        """What a sum needs."""
        return self.look.width(word, 16) + self.look.px(6) + self.look.width(amount, size, 700, mono=True)

    def _pair(self, ink: Ink, room: QRectF, word: str, amount: str, size: int, weight: int) -> float:
        used = ink.text(room, word, 16, colour="text2") + ink.px(6)
        rest = room.adjusted(used, 0, 0, 0)
        colour = "text" if weight == 700 else "text2"
        return used + ink.text(rest, amount, size, colour=colour, weight=weight, mono=True)


class _Grid(QTableView):
    """Tells when its viewport has got its size: only then the columns can be spread."""

    resized = Signal()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()


class CardTable(QFrame):
    """The panel with head, table and foot."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self.head, self.foot, self._model = _Head(look), _Foot(look), _Rows()
        self.table = _Grid()
        self._set_up_table()
        self.table.resized.connect(self._spread)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.foot)
        self.setObjectName("cardTable")
        panel, line = look.tokens["panel"], look.tokens["line"]
        self.setStyleSheet(
            f"#cardTable {{ background: {panel}; border: 1px solid {line}; border-radius: {look.px(10)}px; }}"
        )

    def _set_up_table(self) -> None:
        table, look = self.table, self._look
        table.setModel(self._model)
        table.setItemDelegate(_Painter(look, table, self._model))
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setFrameShape(QFrame.Shape.NoFrame)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.verticalHeader().hide()
        rows = table.verticalHeader()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(1)
        rows.setDefaultSectionSize(look.px(look.density.row))
        header = table.horizontalHeader()
        header.setFixedHeight(look.px(look.density.table_head))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setMinimumSectionSize(1)
        header.setHighlightSections(False)

    def show_view(self, view: CountBody) -> None:
        if view == self.head.view:
            return
        self.head.view = self.foot.view = view
        self._model.take(view.columns, view.rows)
        self._spread()
        if view.rows:
            self.table.scrollToBottom()
        self.head.update()
        self.foot.update()

    def _spread(self) -> None:
        """The design's shares; a column whose words need more takes it from those with room to spare."""
        shares = [float(self._look.px(share)) for share in _SHARES]
        spare = self.table.viewport().width() - sum(shares)
        shares[1] += spare / 2
        shares[5] += spare / 2
        needs = self._needs()
        left = self.table.viewport().width()
        # A number, a sum or a time cut short tells nothing: names and reasons give way first.
        firm = sum(need for column, need in enumerate(needs) if column not in _GIVING)
        if sum(needs) > left > firm:
            scale = (left - firm) / sum(needs[column] for column in _GIVING)
            shares = needs = [need * scale if column in _GIVING else need for column, need in enumerate(needs)]
        wanted = sum(max(0.0, need - share) for need, share in zip(needs, shares, strict=True))
        slack = sum(max(0.0, share - need) for need, share in zip(needs, shares, strict=True))
        give = min(1.0, wanted / slack) if slack else 0.0
        for column, (need, share) in enumerate(zip(needs, shares, strict=True)):
            width = share - (share - need) * give if share > need else need if wanted <= slack else share
            last = column == len(shares) - 1
            self.table.setColumnWidth(column, left if last else int(width))
            left -= int(width)

    def _needs(self) -> list[float]:
        """What each column's words need, in real pixels."""
        look, pad = self._look, 2 * self._look.px(12) + 2
        needs = [look.width(word, 14) + pad for word in self._model.columns]
        for row in self._model.rows:
            widths = (
                look.width(row.no, 16),
                look.width(row.product, 16, 700),
                look.width(row.card, 16, mono=True),
                look.width(row.value, 16),
                chip_size(look, row.chip).width(),
                look.width(row.why, 16),
                look.width(row.video, 16, mono=True),
            )
            needs = [max(need, width + pad) for need, width in zip(needs, widths, strict=True)]
        return needs
