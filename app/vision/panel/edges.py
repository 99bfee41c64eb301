"""Where a panel ends: what the map takes for layer, but looks like the bare card, is none.

The network knows that a PIN goes on below its layer, and layers as pale as their card, so that it sometimes sees layer
go on where a motif touches the panel's edge: up to a quarter of the panel's width too far. What tells it is the layer
around the paper of the same panel: where that differs from the card above and below, so must the rest of it. A lamp's
reflection makes both alike, and lies differently on the panel than above it; but it adds white, so that the hue stays.
"""

from __future__ import annotations

import cv2
import numpy as np

from app.vision.picture.pixels import Colour, Flags, Floats

_OPEN = 0.5  # of a column's inner rows that the layer has left, from which the column shows paper
_LAYER = 0.7  # probability from which a cell beside the paper shows what this panel's layer looks like
_LEAST_CELLS = 8  # of it, for it to be known
_LEAST_STEP = 40.0  # levels between layer and card, below which nothing can be told
_LEAST_HUE = 12.0  # the same of what is left of the step when its white is taken away
_SEEN_LAYER = 3  # columns beyond the paper that show the layer's hue: one or two may be tinted by the paper beside them
_EVENED = 3  # columns over which hues are averaged: noise and JPEG move them by some levels
_CLIPPED = 250.0  # levels from which a channel has no more to add, so that the hue pales
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
    middle = np.median(seen[inner, left:right], axis=0)
    outwards = range(int(paper[-1]) + 1, right - left), range(int(paper[0]) - 1, -1, -1)
    by_colour, by_hue = _by_colour(middle, ground, layer - usual), _by_hue(middle, usual, layer - usual)
    if _is_papers_rim(layer, usual, seen[top:bottom, left:right][opened[top:bottom, left:right] > _OPEN]):
        by_hue = _untold(middle)
    found = {
        column for side in outwards for column in (*_trailing(*by_colour, side), *_trailing(*by_hue, side, _SEEN_LAYER))
    }
    return sorted(left + column for column in found)


def _by_colour(middle: Floats, ground: Floats, step: Floats) -> tuple[Floats, Flags]:
    """How far each column is on the way from the card above and below it to the layer, and whether it is bare.

    `step`: from the card to the layer.
    """
    size = float(np.linalg.norm(step))
    if size < _LEAST_STEP:
        return _untold(middle)
    alike = _ALIKE * size
    way = np.asarray(((middle - ground) @ step) / size**2, np.float32)
    near = np.linalg.norm(middle - ground, axis=1) < alike
    plain = np.linalg.norm(ground - np.median(ground, axis=0), axis=1) < alike  # no glare, which makes both alike
    return way, (way < _BARE) & near & plain


def _by_hue(middle: Floats, usual: Floats, step: Floats) -> tuple[Floats, Flags]:
    """The same by what is left of the colours without their white, under glare too; `usual`: what the card is like."""
    hue, beyond = _without_white(step[None])[0], cv2.blur(_without_white(middle - usual), (1, _EVENED))
    size = float(np.linalg.norm(hue))
    if size < _LEAST_HUE:
        return _untold(middle)
    way = np.asarray((beyond @ hue) / size**2, np.float32)
    near = np.linalg.norm(beyond, axis=1) < _ALIKE * size
    white = float(_without_white(-usual[None])[0] @ hue) / size**2  # how far on the way burnt-out columns are
    return way, (way < _BARE) & near & ((middle.max(axis=1) < _CLIPPED) | (white > _COATED))


def _without_white(colours: Floats) -> Floats:
    return np.asarray(colours - colours.mean(axis=1, keepdims=True), np.float32)


def _is_papers_rim(layer: Floats, usual: Floats, paper: Floats) -> bool:
    """Whether what was taken for layer is mostly paper: of a layer as pale as the card little else is seen."""
    return float(np.linalg.norm(layer - np.median(paper, axis=0))) < _ALIKE * float(np.linalg.norm(layer - usual))


def _untold(middle: Floats) -> tuple[Floats, Flags]:
    return np.zeros(len(middle), np.float32), np.zeros(len(middle), np.bool_)


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


def _trailing(way: Floats, bare: Flags, outwards: range, least: int = 0) -> list[int]:
    """The bare columns after the last coated one, going outwards; none where the layer does not end clearly.

    `least`: columns of the layer that must be seen before them; with none, no layer at all will do too.
    """
    columns = list(outwards)
    coated = [at for at, column in enumerate(columns) if not bare[column]]
    last = coated[-1] + 1 if coated else 0
    seen = sum(bool(way[column] > _COATED) for column in columns[:last])
    clear = seen >= max(1, least) or (last == 0 and not least)
    return columns[last:] if clear else []
