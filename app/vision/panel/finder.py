"""The scratch panel: where it is on a rectified card, and what of it lies open.

A small network (`training/panel.py`) tells for each half millimetre of the card whether it shows the scratch layer, the
paper below it, or anything else. Panels are what hangs together. Whether the whole PIN lies open: `opening`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from app.paths import RESOURCES
from app.vision.models import check_sum, compile_model, load_model
from app.vision.panel.edges import bare_columns
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Flags, Floats, percentiles
from app.vision.picture.rectify import CARD_H, CARD_W, PX_PER_MM

MODEL = "panel.onnx"
WIDTH, HEIGHT = 320, 200
"""Size at which the network sees a card; it answers for every second pixel of it."""

_CELL_W, _CELL_H = CARD_W * 2 / WIDTH, CARD_H * 2 / HEIGHT
"""Pixels of the rectified card a cell of the map covers."""

_LEAST_W_MM, _LEAST_H_MM = 9.0, 2.6
_FILLED = 0.55  # share of its box that a panel fills at least
_LEAST_TEXT_MM = 6.0
_COVERED_GLYPH = 0.5  # share of coat over a character's place from which the character counts as covered


@dataclass(frozen=True, slots=True)
class Panel:
    """A scratch panel; `support` 0..1 how surely it is one."""

    area: Area
    support: float


def panel_of(area: Area, panels: Sequence[Panel]) -> Panel | None:
    """The panel a line of text stands in."""
    core = Area(area.x, area.y + 0.25 * area.h, area.w, 0.5 * area.h)
    return next((p for p in panels if p.area.share_of(core) > 0.6), None)


def fills(line: Area, panel: Area) -> bool:
    """Whether a line is a panel's text: it stands in the panel, or runs through it where only a part of the panel was
    seen. That part's piece of the line must not be taken for the whole.
    """
    through = (
        min(line.right, panel.right) - max(line.x, panel.x) > 0.5 * panel.w and panel.y < line.mid_y < panel.bottom
    )
    return through or (panel.share_of(line) > 0.5 and line.w > 0.3 * panel.w)


@dataclass(frozen=True, slots=True, repr=False)
class PanelMap:
    """Probabilities (HEIGHT / 2, WIDTH / 2) that a cell of the card shows the scratch layer, or paper it has left."""

    coat: Floats
    opened: Floats

    def panels(self) -> tuple[Panel, ...]:
        """The panels on the card, surest first."""
        whole = self.coat + self.opened
        mask = cv2.morphologyEx((whole > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, 7), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 5), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        found = [_as_panel(whole, labels == i, stats[i]) for i in range(1, count)]
        return tuple(sorted((p for p in found if p is not None), key=lambda p: -p.support))

    def coat_along(self, panel: Area, rows: Area) -> Floats:
        """Share 0..1 of coat in each column of cells of the panel, over the height of `rows`."""
        top, bottom = _span(rows.y, rows.bottom, _CELL_H, len(self.coat))
        left, right = _span(panel.x, panel.right, _CELL_W, self.coat.shape[1])
        coat = self.coat[top:bottom, left:right].sum(axis=0)
        return cast(Floats, coat / np.maximum(coat + self.opened[top:bottom, left:right].sum(axis=0), 1e-3))


class PanelFinder:
    """The network; one instance a process. About 3 ms a card on one thread."""

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        path = (folder or RESOURCES / "models") / MODEL
        check_sum(path)
        self._model: Any = compile_model(load_model(path), threads)

    def see(self, card: Colour) -> PanelMap:
        """The map of a rectified card, either way up; of one printed upright its upper and its lower part are seen."""
        if card.shape[0] <= card.shape[1]:
            return self._see(card)
        wide = cv2.copyMakeBorder(card, 0, round(_CELL_H), 0, CARD_W - card.shape[1], cv2.BORDER_REPLICATE)
        rows, columns = round(card.shape[0] / _CELL_H), round(card.shape[1] / _CELL_W)
        lower_from = rows - HEIGHT // 2
        start = round(lower_from * _CELL_H)
        upper, lower = (self._see(np.ascontiguousarray(wide[y : y + CARD_H])) for y in (0, start))
        seam = HEIGHT // 2 - 20
        coat, opened = (
            np.concatenate([one[:seam, :columns], other[seam - lower_from :, :columns]])
            for one, other in ((upper.coat, lower.coat), (upper.opened, lower.opened))
        )
        return PanelMap(coat, opened)

    def _see(self, card: Colour) -> PanelMap:
        small = cv2.resize(card, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        told = cast(Floats, self._model(small.astype(np.float32)[None])[0][0])
        return _ended(cast(Colour, small), PanelMap(told[1].copy(), told[2].copy()))


def _ended(small: Colour, seen: PanelMap) -> PanelMap:
    """The map without layer that was seen beyond a panel's ends."""
    for panel in seen.panels():
        top, bottom = _span(panel.area.y, panel.area.bottom, _CELL_H, len(seen.coat))
        left, right = _span(panel.area.x, panel.area.right, _CELL_W, seen.coat.shape[1])
        bare = bare_columns(small, seen.coat, seen.opened, (top, bottom, left, right))
        rows = slice(max(0, top - 2), bottom + 2)
        for of in (seen.coat, seen.opened):
            of[rows, bare] = 0.0
    return seen


def _as_panel(whole: Floats, mask: Flags, stats: Any) -> Panel | None:
    """A connected piece of the map as a panel, its edges between cells where half of their length belongs to it."""
    x, y, w, h, cells = (int(v) for v in stats)
    if w * _CELL_W < _LEAST_W_MM * PX_PER_MM or h * _CELL_H < _LEAST_H_MM * PX_PER_MM or cells < _FILLED * w * h:
        return None
    inside = np.where(mask, np.maximum(whole, 0.5), whole)[max(0, y - 2) : y + h + 2, max(0, x - 2) : x + w + 2]
    top, bottom = _edges(inside[:, 2:-2].mean(axis=1))
    left, right = _edges(inside[2:-2].mean(axis=0))
    area = Area(
        (max(0, x - 2) + left) * _CELL_W,
        (max(0, y - 2) + top) * _CELL_H,
        (right - left) * _CELL_W,
        (bottom - top) * _CELL_H,
    )
    return Panel(area, float(whole[mask].mean()))


def _edges(profile: Floats) -> tuple[float, float]:
    """Where a profile of shares rises above a half and falls below it again, in cells with fractions."""
    over = np.flatnonzero(profile > 0.5)
    if not len(over):
        return 0.0, float(len(profile))
    first, last = int(over[0]), int(over[-1])
    before = float(profile[first - 1]) if first else 0.0
    after = float(profile[last + 1]) if last + 1 < len(profile) else 0.0
    return first + 0.5 - _step(before, float(profile[first])), last + 0.5 + _step(after, float(profile[last]))


def _step(outside: float, inside: float) -> float:
    """How far beyond the middle of the inner cell the edge lies, -0.5..1 cells, by straight interpolation."""
    return float(np.clip((inside - 0.5) / max(1e-3, inside - outside), 0.0, 1.0))


def _span(low: float, high: float, cell: float, count: int) -> tuple[int, int]:
    """The cells from `low` to `high` pixels, at least one."""
    first = int(np.clip(round(low / cell), 0, count - 1))
    return first, int(np.clip(round(high / cell), first + 1, count))


COAT_CHANGED = 0.06
"""A panel whose share of layer differs by this was scratched meanwhile: one of sixteen characters."""


def coat_share(seen: PanelMap, panel: Area) -> float:
    """How much of the panel's middle rows the layer covers, 0..1."""
    rows = Area(panel.x, panel.y + 0.3 * panel.h, panel.w, 0.4 * panel.h)
    return float(seen.coat_along(panel, rows).mean())


def find_text(card: Colour, panel: Area, seen: PanelMap) -> Area | None:
    """The line of text that ought to stand in a panel that is open, by the ink along its rows; None when there is none.

    For faint or noisy print in which the line finder sees nothing.
    """
    middle = Area(panel.x, panel.y + 0.3 * panel.h, panel.w, 0.4 * panel.h)
    opened = np.flatnonzero(seen.coat_along(panel, middle) < _COVERED_GLYPH)
    if len(opened) * _CELL_W < _LEAST_TEXT_MM * PX_PER_MM:
        return None
    cell = panel.w / len(seen.coat_along(panel, middle))
    left, right = panel.x + float(opened[0]) * cell, panel.x + float(opened[-1] + 1) * cell
    top, bottom = int(panel.y + 0.08 * panel.h), int(panel.bottom - 0.08 * panel.h)
    rows = cv2.GaussianBlur(card[top:bottom, int(left) : int(right)], (0, 0), 2.0)
    energy = np.abs(cv2.Sobel(cv2.cvtColor(rows, cv2.COLOR_BGR2GRAY), cv2.CV_32F, 1, 0, ksize=3)).mean(axis=1)
    inked = np.flatnonzero(energy > (float(energy.max()) + percentiles(energy, 15)[0]) / 2)
    height = float(inked[-1] - inked[0] + 1) if len(inked) else 0.0
    if height < 1.2 * PX_PER_MM:
        return None
    pad = 0.3 * height
    return Area(left, top + float(inked[0]) - pad, right - left, height + 2 * pad)
