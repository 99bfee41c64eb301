"""Where a panel ends: what the map takes for layer, but looks like the bare card, is none.

The network knows that a PIN goes on below its layer, and layers as pale as their card, so that it sometimes sees layer
go on where a motif touches the panel's edge: up to a quarter of the panel's width too far. What tells it is the layer
around the paper of the same panel: where that differs from the card above and below, so must the rest of it.
"""

from __future__ import annotations

import cv2
import numpy as np

from app.vision.pixels import Colour, Floats

_OPEN = 0.5  # of a column's inner rows that the layer has left, from which the column shows paper
_LAYER = 0.7  # probability from which a cell beside the paper shows what this panel's layer looks like
_LEAST_CELLS = 8  # of it, for it to be known
_LEAST_STEP = 40.0  # levels between layer and card, below which nothing can be told
_BARE, _COATED = 0.35, 0.6  # of the way from card to layer: a column below is bare, one above is coated
_ALIKE = 0.5  # of that step, how far a bare column may be from the card, or the card there from the card elsewhere
_BESIDE = (2, 4)  # cells from the panel's edge in which the card is looked at
_AROUND = 3  # columns to either side that tell what the card is like beside one column

Cells = tuple[int, int, int, int]
"""Top, bottom, left and right cell of a panel (the last ones not included)."""


def bare_columns(picture: Colour, coat: Floats, opened: Floats, panel: Cells) -> list[int]:
    """The columns of cells at a panel's ends that look like the card around it.

    `picture` (2 H, 2 W, 3): the card as the network saw it; `coat`, `opened` (H, W) its map.
    """
    top, bottom, left, right = panel
    seen = cv2.resize(picture, (coat.shape[1], coat.shape[0]), interpolation=cv2.INTER_AREA).astype(np.float32)
    inner = slice(top + 1, max(top + 2, bottom - 1))
    paper = np.flatnonzero(opened[inner, left:right].mean(axis=0) > _OPEN)
    layer = _layer(seen[top:bottom, left:right], coat[top:bottom, left:right], opened[top:bottom, left:right])
    if layer is None or not len(paper):
        return []
    ground = _ground(seen, panel)
    usual = np.median(ground, axis=0)
    step = float(np.linalg.norm(layer - usual))
    if step < _LEAST_STEP:
        return []
    middle = np.median(seen[inner, left:right], axis=0)
    way = np.asarray(((middle - ground) @ (layer - usual)) / step**2, np.float32)
    alike = _ALIKE * step
    near = np.linalg.norm(middle - ground, axis=1) < alike
    plain = np.linalg.norm(ground - usual, axis=1) < alike  # no glare, which makes layer and card alike
    bare = (way < _BARE) & near & plain
    after, before = int(paper[-1]) + 1, int(paper[0]) - 1
    ends = _trailing(bare, way, range(after, right - left)) + _trailing(bare, way, range(before, -1, -1))
    return [left + column for column in ends]


def _layer(seen: Floats, coat: Floats, opened: Floats) -> Floats | None:
    """The colour of the layer right beside the paper; None where too little of it is to be seen."""
    beside = cv2.dilate((opened > _OPEN).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    cells = seen[beside & (coat > _LAYER)]
    return np.median(cells, axis=0) if len(cells) >= _LEAST_CELLS else None


def _ground(seen: Floats, panel: Cells) -> Floats:
    """The card's colour above and below each column of a panel."""
    top, bottom, left, right = panel
    near, far = _BESIDE
    rows = [row for row in (*range(top - far, top - near + 1), *range(bottom + near - 1, bottom + far)) if row >= 0]
    band = seen[[row for row in rows if row < len(seen)]]
    # All columns at once: the median of a window costs less than the call for one. What stands out of the card does
    # not count.
    missing = np.full((len(band), _AROUND, 3), np.nan, np.float32)
    around = np.concatenate([missing, band, missing], axis=1)[:, left : right + 2 * _AROUND]
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * _AROUND + 1, axis=1)  # (rows, columns, 3, window)
    spread = windows.transpose(1, 2, 0, 3).reshape(right - left, 3, -1)
    inner = not np.isnan(spread).any()
    return np.asarray(np.median(spread, axis=2) if inner else np.nanmedian(spread, axis=2), np.float32)


def _trailing(bare: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], way: Floats, outwards: range) -> list[int]:
    """The bare columns after the last coated one, going outwards; none where the layer does not end clearly."""
    columns = list(outwards)
    coated = [at for at, column in enumerate(columns) if not bare[column]]
    last = coated[-1] + 1 if coated else 0
    clear = any(way[column] > _COATED for column in columns[:last]) or last == 0
    return columns[last:] if clear else []
