"""The character strip: one cell per character in printed groups, a bar of confidence at the foot."""

from __future__ import annotations

from PySide6.QtCore import QRectF

from ui.widgets.ink import CENTRE, Ink
from ui.work_views import Cell, CellKind

_GROUP_GAP = 10
_CELL_GAP = 2


def strip_width(ink: Ink, cells: tuple[Cell, ...], groups: tuple[int, ...]) -> float:
    """Width the strip would like, in real pixels."""
    narrow, _, wide = ink.look.density.cell
    total = sum(ink.px(wide if c.kind is CellKind.DOUBT else narrow) for c in cells)
    gaps = max(0, len(groups) - 1)
    return total + gaps * ink.px(_GROUP_GAP) + max(0, len(cells) - 1 - gaps) * ink.px(_CELL_GAP)


def draw_strip(ink: Ink, rect: QRectF, cells: tuple[Cell, ...], groups: tuple[int, ...]) -> None:
    """Paint the strip into `rect`; long numbers get narrower cells so that all of them are seen."""
    if not cells:
        return
    narrow, height, wide = ink.look.density.cell
    squeeze = min(1.0, rect.width() / strip_width(ink, cells, groups))
    ends = _ends(groups, len(cells))
    x = rect.x()
    for i, cell in enumerate(cells):
        width = ink.px(wide if cell.kind is CellKind.DOUBT else narrow) * squeeze
        _cell(ink, QRectF(x, rect.y(), width, ink.px(height)), cell, squeeze)
        x += width + ink.px(_GROUP_GAP if i + 1 in ends else _CELL_GAP) * squeeze


def _ends(groups: tuple[int, ...], count: int) -> set[int]:
    ends, at = set(), 0
    for size in groups:
        at += size
        ends.add(at)
    return ends - {count}


def _cell(ink: Ink, rect: QRectF, cell: Cell, squeeze: float) -> None:
    doubt = cell.kind is CellKind.DOUBT
    width = 2 if doubt else 1
    ink.box(rect, fill="warnTint" if doubt else "sunken", line="warn" if doubt else "line", width=width, radius=4)
    if cell.current:
        ink.box(rect.adjusted(-2, -2, 2, 2), line="primary", width=1.5, radius=6)
    size = ink.look.density.glyph * min(1.0, squeeze + 0.06)
    face = rect.adjusted(-2, 0, 2, -ink.px(5))
    glyph = "●" if cell.kind is CellKind.DOT else cell.glyph
    dot = cell.kind is CellKind.DOT
    ink.text(
        face,
        glyph,
        14 if dot else round(size),
        colour="warn" if doubt else "text",
        weight=600,
        mono=not dot,
        align=CENTRE,
    )
    share, colour = {
        CellKind.SURE: (1.0, "okLine"),
        CellKind.DOT: (1.0, "okLine"),
        CellKind.MID: (0.7, "warnLine"),
        CellKind.DOUBT: (0.45, "warn"),
    }[cell.kind]
    foot = QRectF(rect.x() + width, rect.bottom() - width - ink.px(4), (rect.width() - 2 * width) * share, ink.px(4))
    ink.fill(foot, colour)
