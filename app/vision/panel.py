"""The scratch panel: where it is on a rectified card, and whether the whole PIN lies open.

Confidence of the characters cannot tell a half-covered panel: the visible half reads cleanly. So the layer itself is
looked for: its straight outer edges, and what its long end beside the text is made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from app.core.cards import PanelState
from app.vision.pixels import Colour, Floats
from app.vision.rectify import PX_PER_MM

_SCALE = 0.5  # worked on at half size: 9.3 pixels a millimetre
_MM = PX_PER_MM * _SCALE
_STEP = 4.0  # levels by which a panel's edge differs at least
_EDGE = 0.55  # share of an edge's length at which the step must be seen
_HIDDEN = 1.7  # characters that fit into the asymmetry beside the text before it counts as covered


@dataclass(frozen=True, slots=True)
class Area:
    """An upright rectangle in pixels of the rectified card."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h

    @property
    def mid_y(self) -> float:
        return self.y + self.h / 2

    def share_of(self, other: Area) -> float:
        """How much of `other` lies inside, 0..1."""
        w = min(self.right, other.right) - max(self.x, other.x)
        h = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(0.0, w) * max(0.0, h) / max(1e-6, other.w * other.h)


@dataclass(frozen=True, slots=True)
class Panel:
    """A scratch panel; `support` 0..1 how clearly its edges are seen."""

    area: Area
    support: float


@dataclass(frozen=True, slots=True)
class _Edge:
    at: float
    support: float
    step: Floats  # mean Lab difference, outside to inside or top to bottom as searched
    at_rims: bool  # seen at both ends of the band too: scratching hardly reaches a panel's corners


def prepare(card: Colour) -> Floats:
    """The rectified card as panels are searched in it: half size, Lab, smoothed."""
    small = cv2.resize(card, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_AREA)
    return cast(Floats, cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), (0, 0), 1.3).astype(np.float32))


def find_panel(lab: Floats, inside: Area) -> Panel | None:
    """The panel around `inside`, a part of it (the PIN's text, a stretch right of its label); None when none is seen.

    `lab` as `prepare` gives it, areas in pixels of the full-size card.
    """
    x0, x1 = inside.x * _SCALE, inside.right * _SCALE
    mid, half = inside.mid_y * _SCALE, max(1.0 * _MM, inside.h * _SCALE * 0.36)
    found: list[Panel] = []
    # Above and below the text itself, and to both sides of it: scratching may have reached the edge in one of them.
    for low, high in ((x0, x1), (x1, x1 + 7 * _MM), (x0 - 5 * _MM, x0), (x0 - 2 * _MM, x1 + 4 * _MM)):
        rows = _across(lab, low, high, upright=False)
        pair = _pair(_edges(rows, mid - 9 * _MM, mid - half), _edges(rows, mid + half, mid + 9 * _MM), mid)
        panel = None if pair is None else _between(lab, pair, x0, x1)
        if panel is not None:
            found.append(panel)
    return max(found, key=lambda p: p.support, default=None)


def _between(lab: Floats, pair: tuple[_Edge, _Edge], x0: float, x1: float) -> Panel | None:
    """The panel whose top and bottom are known: its nearest straight side edges beyond the text."""
    top, bottom = pair
    columns = _across(lab, top.at + 2, bottom.at - 2, upright=True)
    lefts = [
        e
        for e in _edges(columns, x0 - 30 * _MM, x0 + 0.5 * _MM)
        if not _goes_on(lab, top, e.at - 1.1 * _MM, e.at - 0.4 * _MM)
    ]
    rights = [
        e
        for e in _edges(columns, x1 - 0.5 * _MM, x1 + 55 * _MM)
        if not _goes_on(lab, top, e.at + 0.4 * _MM, e.at + 1.1 * _MM)
    ]
    left = _side(lefts, top.step, last=True)
    right = _side(rights, -top.step, last=False)
    if left is None or right is None or not 12 * _MM < right.at - left.at < 80 * _MM:
        return None
    support = (top.support + bottom.support + left.support + right.support) / 4
    area = Area(left.at / _SCALE, top.at / _SCALE, (right.at - left.at) / _SCALE, (bottom.at - top.at) / _SCALE)
    return Panel(area, support)


def _across(lab: Floats, start: float, end: float, upright: bool) -> Floats:
    """Differences of pixels 2 before and 2 behind, over a band: (positions, band, 3). Upright: columns."""
    view = lab.transpose(1, 0, 2) if upright else lab
    low = int(np.clip(start, 0, view.shape[1] - 4))
    high = int(np.clip(end, low + 4, view.shape[1]))
    band = view[:, low:high]
    step = np.zeros_like(band)
    step[2:-2] = band[4:] - band[:-4]
    return step


def _edges(steps: Floats, first: float, last: float) -> list[_Edge]:
    """Positions at which most of the band steps in one direction of colour, strongest of each neighbourhood."""
    low, high = int(max(0, first)), int(min(len(steps), last))
    if high - low < 2:
        return []
    window = steps[low:high]
    mean = np.median(window, axis=1)
    size = np.linalg.norm(mean, axis=1)
    along = np.einsum("pbc,pc->pb", window, mean / np.maximum(size, 1e-3)[:, None])
    seen = along > np.maximum(_STEP / 2, size[:, None] * 0.35)
    support = seen.mean(axis=1)
    rim = max(2, seen.shape[1] // 6)
    rims = np.minimum(seen[:, :rim].mean(axis=1), seen[:, -rim:].mean(axis=1))
    good = (support > _EDGE) & (size > _STEP)
    strength = np.where(good, support * np.minimum(size, 40), 0)
    peaks = [i for i in np.flatnonzero(good) if strength[i] == strength[max(0, i - 4) : i + 5].max()]
    return [_Edge(low + float(i), float(support[i]), mean[i], bool(rims[i] > 0.4)) for i in peaks]


def _pair(tops: list[_Edge], bottoms: list[_Edge], mid: float) -> tuple[_Edge, _Edge] | None:
    """The top and bottom edge that belong together: opposite steps, the text in the middle, a panel's height."""
    best, best_score = None, 0.0
    for top in tops:
        for bottom in bottoms:
            height = bottom.at - top.at
            opposite = -_alike(top.step, bottom.step)
            if not 4 * _MM < height < 15 * _MM or opposite < 0.3:
                continue
            off_centre = abs((top.at + bottom.at) / 2 - mid) / height
            score = top.support + bottom.support + opposite - 2 * off_centre
            if score > best_score:
                best, best_score = (top, bottom), score
    return best


def _goes_on(lab: Floats, top: _Edge, low: float, high: float) -> bool:
    """Whether the panel's top edge runs on over these columns: then a step there is the rim of scratching, no end."""
    first, last = int(max(0, low)), int(min(lab.shape[1], high))
    row = int(top.at)
    if last - first < 4 or row < 3 or row > len(lab) - 4:
        return False
    step = np.median(lab[row + 2, first:last] - lab[row - 2, first:last], axis=0)
    return float(step @ top.step) > 0.5 * float(top.step @ top.step)


def _side(edges: list[_Edge], step: Floats, last: bool) -> _Edge | None:
    """The edge nearest to the text that changes colours as the top does, about as strongly, from rim to rim."""
    size = float(np.linalg.norm(step))
    fitting = [
        e for e in edges if _alike(e.step, step) > 0.5 and float(np.linalg.norm(e.step)) > 0.4 * size and e.at_rims
    ]
    if not fitting:
        return None
    return max(fitting, key=lambda e: e.at) if last else min(fitting, key=lambda e: e.at)


def _alike(one: Floats, other: Floats) -> float:
    sizes = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / sizes if sizes > 0 else 0.0


def judge(lab: Floats, panel: Panel, text: Area | None, pitch: float) -> PanelState:
    """How far the panel is open. `text`: the ink of the PIN as seen, None when none was; `pitch` pixels a character."""
    if text is None:
        return _state_of_share(_open_share(lab, panel.area))
    gaps = (max(0.0, text.x - panel.area.x), max(0.0, panel.area.right - text.right))
    if (max(gaps) - min(gaps)) / max(1.0, pitch) < _HIDDEN:
        return PanelState.OPEN
    long_end = _end_area(panel.area, text, left=gaps[0] > gaps[1], pitch=pitch)
    return PanelState.OPEN if _is_base(lab, panel.area, text, long_end) else PanelState.PARTIAL


def _end_area(panel: Area, text: Area, left: bool, pitch: float) -> Area:
    """The stretch beside the text in which hidden characters would stand."""
    if left:
        return Area(panel.x + 0.3 * pitch, text.y, max(4.0, text.x - panel.x - 0.9 * pitch), text.h)
    start = text.right + 0.6 * pitch
    return Area(start, text.y, max(4.0, panel.right - 0.3 * pitch - start), text.h)


def _is_base(lab: Floats, panel: Area, text: Area, end: Area) -> bool:
    """Whether the end beside the text shows the paper under the layer, as between the characters, not the layer."""
    paper = _paper(_pixels(lab, text))
    layer = np.median(np.concatenate([_pixels(lab, a) for a in _rims(panel)]), axis=0)
    beside = np.median(_pixels(lab, end), axis=0)
    if float(np.linalg.norm(paper - layer)) < 7:
        return False  # paper and layer look alike: nobody can tell, so it counts as covered
    return float(np.linalg.norm(beside - paper)) < 0.6 * float(np.linalg.norm(beside - layer))


def _state_of_share(share: float) -> PanelState:
    if share < 0.08:
        return PanelState.COVERED
    return PanelState.OPEN if share > 0.8 else PanelState.PARTIAL


def _open_share(lab: Floats, panel: Area) -> float:
    """Share of the panel's length in which its middle looks otherwise than its rims: there something was scratched."""
    rim = np.concatenate([_pixels(lab, a) for a in _rims(panel)])
    layer = np.median(rim, axis=0)
    limit = max(9.0, 2.0 * float(np.linalg.norm(rim.std(axis=0))))
    pieces = 24
    width = 0.92 * panel.w / pieces
    starts = [panel.x + 0.04 * panel.w + i * width for i in range(pieces)]
    middles = [_pixels(lab, Area(x, panel.y + 0.32 * panel.h, width, 0.36 * panel.h)) for x in starts]
    return float(np.mean([(np.linalg.norm(m - layer, axis=1) > limit).mean() > 0.5 for m in middles]))


def _rims(panel: Area) -> tuple[Area, Area]:
    inset, thick = 0.5 * PX_PER_MM, 0.5 * PX_PER_MM
    top = Area(panel.x + inset, panel.y + inset, panel.w - 2 * inset, thick)
    return top, Area(top.x, panel.bottom - inset - thick, top.w, thick)


def _pixels(lab: Floats, area: Area) -> Floats:
    """Pixels of an area as (n, 3); at least one."""
    y, x = int(max(0, area.y * _SCALE)), int(max(0, area.x * _SCALE))
    part = lab[y : max(y + 1, int(area.bottom * _SCALE)), x : max(x + 1, int(area.right * _SCALE))]
    return cast(Floats, part.reshape(-1, 3)) if part.size else np.zeros((1, 3), np.float32)


def _paper(pixels: Floats) -> Floats:
    """The colour of the ground between characters: the larger of the two classes of lightness."""
    light = pixels[:, 0]
    level, _ = cv2.threshold(np.clip(light, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    bright = light > level
    chosen = pixels[bright] if bright.mean() >= 0.5 else pixels[~bright]
    return cast(Floats, np.median(chosen if len(chosen) else pixels, axis=0))
