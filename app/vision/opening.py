"""Whether the whole PIN lies open, and how many characters are hidden where it does not.

Confidence of the characters cannot tell a half-covered panel: the visible half reads cleanly. What a careful person
looks for is how the layer ends: bare paper all round the line means that nothing is left below it; a layer that ends at
a character, cuts through one, or lies between two means that something is. That is measured along the row of the PIN,
and a small network (`opening.onnx`, `training/opening.py`) sees the panel and the map of its layer as a whole. Seven
weights (`training/opening_weights.py`) make one probability of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.core.cards import PanelState
from app.paths import RESOURCES
from app.vision.codes import check_sum
from app.vision.focus import BURNT
from app.vision.models import compile_model, load_model
from app.vision.panel import Area, PanelMap, coat_share
from app.vision.pixels import Colour, Floats, grey
from app.vision.rectify import PX_PER_MM

Flags = np.ndarray[Any, np.dtype[np.bool_]]

MODEL = "opening.onnx"
WIDTH, HEIGHT = 288, 56
"""Size of the picture of a panel that the network sees."""

STRIDE = 4
"""Pixels of that picture for each of its answers along the panel."""

SCALE = 4.5
"""Pixels a millimetre in that picture; less where a panel is too wide for it."""

_MARGIN_MM = 3.0
_RIM = 40
"""Pixels of the rectified card around the panel that are looked at."""

WEIGHTS = (-3.481, 0.781, 1.507, 0.98, 1.048, 0.7, 3.739)
"""Log odds that characters are hidden, for `features`."""

DOUBT = 0.25
"""Probability of hidden characters from which a panel counts as partly covered."""

_COVERED_GLYPH = 0.5  # share of coat over a character's place from which the character counts as covered
_OPEN_SHARE, _COVERED_SHARE = 0.75, 0.3  # of a panel in which no text was read; words on the layer look open
_MOST_BARE, _MOST_LAYER = 2.0, 8.0  # characters; what goes beyond tells nothing more
_ABUTTING = 3.0  # characters of layer beyond an end from which it weighs in full that it begins at a character
_WIDE_PITCH = 1.05  # heights; characters of which the upper or lower half is covered seem wider than print is
_INKED = 0.5  # of the usual depth of ink in a column from which the column belongs to a character
_ROOM, _LEAST_LAYER = 1.0, 0.2  # characters: room for one more that cannot be seen, layer that is no shadow
_CLEAR_STEP = 0.6  # share of the usual step between layer and paper that is no guess below glare
_LEAST_STEP = 12.0  # levels
_SURELY = 0.5  # share of coat in a column of the map from which it shows the layer
_NEAR = 5  # columns of the map to either side
_BURNT_SHARE = 0.85
"""Of both halves of the place where a next character would stand. A PIN that glare had cut short had 0.96; of 166 that
were right, the highest had 0.72."""
_LONGEST_BREAK = 0.45  # characters without ink that a character may have inside


class Beyond(Enum):
    """What lies beyond an end of the PIN: nothing that tells; layer, so close that no character is left out; or paper
    burnt out by glare, on which nobody would see one.
    """

    UNTOLD = auto()
    CLOSED = auto()
    BURNT = auto()


Ends = tuple[Beyond, Beyond]
"""Before the first and behind the last character."""

UNTOLD: Ends = (Beyond.UNTOLD, Beyond.UNTOLD)


@dataclass(frozen=True, slots=True)
class Opening:
    """How far a panel is open: `hidden` characters still fit under the layer beside or between those that were read."""

    state: PanelState
    hidden: int = 0
    ends: Ends = UNTOLD


Judge = Callable[[Area, Area | None, float], Opening]
"""`OpeningJudge.judge` of one card: panel, ink of the PIN, pixels a character."""


@dataclass(frozen=True, slots=True)
class End:
    """What lies beyond one end of the text, in characters.

    `bare`: paper from where the line was read to where the layer begins, less than 0 when the layer begins before;
    `margin`: the same from the last column of ink; `layer`: how much of it there is; `step`: how far that stands out
    from the paper there, in shares of what is usual on this panel (under glare it does not).
    """

    bare: float
    margin: float
    layer: float
    step: float = 0.0

    @property
    def abutting(self) -> float:
        """How closely layer follows the last character, 0..3."""
        return max(0.0, 1.0 - self.margin) * min(self.layer, _ABUTTING)


@dataclass(frozen=True, slots=True)
class Cover:
    """The layer along the row of the PIN.

    `between`: the longest stretch of it between characters that were read, in characters; `pitch`: heights of the text
    that a character takes.
    """

    left: End
    right: End
    between: float
    pitch: float


@dataclass(frozen=True, slots=True, repr=False)
class Strip:
    """A panel as the network sees it: (HEIGHT, WIDTH, 5) blue, green, red 0..255, layer and opened paper 0..255; `zoom`
    pixels of it per pixel of the card, `left` and `top` of the card at its first pixel.
    """

    picture: Floats
    zoom: float
    left: float
    top: float


class OpeningJudge:
    """Judges panels; one instance a process. About 3 ms a panel on one thread."""

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        path = (folder or RESOURCES / "models") / MODEL
        check_sum(path)
        self._model: Any = compile_model(load_model(path), threads, exact=True)  # small: nothing to gain

    def judge(self, card: Colour, seen: PanelMap, panel: Area, text: Area | None, pitch: float) -> Opening:
        """How far the panel is open. `text`: the ink of the PIN as read, None when none was; `pitch`: pixels a
        character.
        """
        if text is None:
            return Opening(_state_of_share(1 - coat_share(seen, panel)), 0)
        cover = measure_cover(card, seen, panel, text, pitch)
        odds = float(np.dot(features(cover, self.hidden(card, seen, panel)), WEIGHTS))
        if odds < math.log(DOUBT / (1 - DOUBT)):
            return Opening(PanelState.OPEN, ends=_ends(card, cover, text, pitch))
        # Some layer stays at both ends of an open panel: what is more at one end is what may hide characters.
        beside = abs(cover.left.layer - cover.right.layer)
        return Opening(PanelState.PARTIAL, max(1, round(beside) + round(cover.between)))

    def hidden(self, card: Colour, seen: PanelMap, panel: Area) -> float:
        """The network's probability that characters are hidden."""
        return float(self._model(strip_of(card, seen, panel).picture[None])[0][0])


def features(cover: Cover, hidden: float) -> tuple[float, ...]:
    """What `WEIGHTS` weigh; `hidden`: what the network says."""
    p = min(max(hidden, 1e-4), 1 - 1e-4)
    ends = cover.left, cover.right
    bare = [min(max(end.bare, -0.5), _MOST_BARE) for end in ends]
    return (
        1.0,
        math.log(p / (1 - p)),
        max(end.abutting for end in ends),
        min(max(end.layer for end in ends), _MOST_LAYER),
        abs(bare[0] - bare[1]),
        cover.between,
        max(0.0, cover.pitch - _WIDE_PITCH),
    )


def measure_cover(card: Colour, seen: PanelMap, panel: Area, text: Area, pitch: float) -> Cover:
    """What of the layer lies beside and between the characters that were read."""
    coat = seen.coat_along(panel, text)
    cell = panel.w / len(coat)
    middles = panel.x + (np.arange(len(coat)) + 0.5) * cell
    bare = (
        _until_layer(coat[::-1], text.x - middles[::-1], cell, text.x - panel.x),
        _until_layer(coat, middles - text.right, cell, panel.right - text.right),
    )
    first, last = _inked(card, text, pitch, text.x - bare[0] + 0.2 * pitch, text.right + bare[1] - 0.2 * pitch)
    inside = coat[(middles >= text.x) & (middles <= text.right)]
    left, right = (float(coat[beyond].sum()) * cell for beyond in (middles < text.x, middles > text.right))
    steps = _steps(card, panel, text, coat, (middles < text.x, middles > text.right))
    return Cover(
        End(bare[0] / pitch, (bare[0] - text.x + first) / pitch, left / pitch, steps[0]),
        End(bare[1] / pitch, (bare[1] + text.right - last) / pitch, right / pitch, steps[1]),
        between=_longest(inside > _COVERED_GLYPH) * cell / pitch,
        pitch=pitch / text.h,
    )


def _steps(card: Colour, panel: Area, text: Area, coat: Floats, beyond: Sequence[Flags]) -> tuple[float, ...]:
    """How far the layer beyond each end stands out from the paper beside it, in shares of the whole panel's step."""
    rows = grey(card)[int(max(0, text.y)) : int(text.bottom) + 1, int(max(0, panel.x)) : int(panel.right)]
    shade = cv2.resize(rows, (len(coat), len(rows)), interpolation=cv2.INTER_AREA)
    light = np.percentile(shade, 75, axis=0)  # of a column with ink that of its paper
    layer, paper = coat > _SURELY, coat < 1 - _SURELY
    if not layer.any() or not paper.any():
        return tuple(0.0 for _ in beyond)
    usual = float(np.median(light[layer]) - np.median(light[paper]))
    steps = []
    for side in beyond:
        there = layer & side
        near = paper & (cv2.dilate(there.astype(np.uint8)[None], np.ones((1, 2 * _NEAR + 1), np.uint8))[0] > 0)
        clear = abs(usual) > _LEAST_STEP and there.any() and near.any()
        steps.append(float(np.median(light[there]) - np.median(light[near])) / usual if clear else 0.0)
    return tuple(steps)


def _until_layer(coat: Floats, beyond: Floats, cell: float, edge: float) -> float:
    """Pixels from an end of the text to where the layer begins, or to the panel's edge; columns going outwards.

    `beyond`: how far the middle of each column lies beyond the end.
    """
    before = 0.0
    for share, at in zip(coat, beyond, strict=True):
        if at >= -cell / 2 and share > _COVERED_GLYPH:
            part = (share - _COVERED_GLYPH) / max(1e-3, share - before) if before < _COVERED_GLYPH else 1.0
            return float(at - part * cell)
        before = float(share)
    return float(edge)


def _inked(card: Colour, text: Area, pitch: float, low: float, high: float) -> tuple[float, float]:
    """The first and the last column of ink of the line, looked for up to `low` and `high`: where characters were read
    is only known to half a character.
    """
    left, right = int(max(0, text.x - 2 * pitch)), int(min(card.shape[1], text.right + 2 * pitch))
    rows = grey(card[int(max(0, text.y - 6)) : int(text.bottom + 6), left:right])
    smooth = cv2.GaussianBlur(rows, (0, 0), max(0.8, 0.03 * text.h)).astype(np.float32)[6:-6]
    if smooth.shape[0] < 4:
        return text.x, text.right
    paper = cv2.dilate(np.percentile(smooth, 85, axis=0)[None], np.ones((1, max(3, int(0.8 * pitch) | 1))))
    depth = cv2.blur(paper, (int(2 * pitch) | 1, 1))[0] - np.percentile(smooth, 12, axis=0)
    start, end = int(max(0, text.x - left)), int(min(len(depth), text.right - left))
    if end - start < 8:
        return text.x, text.right
    usual, bare = np.percentile(depth[start:end], (70, 8))
    inked = depth > bare + _INKED * (usual - bare)
    most = _LONGEST_BREAK * pitch
    last = _follow(inked, int(text.right - pitch / 2 - left), high - left, most)
    first = _follow(inked[::-1], len(inked) - 1 - int(text.x + pitch / 2 - left), len(inked) - 1 - low + left, most)
    return float(left + len(inked) - 1 - first), float(left + last)


def _follow(inked: Any, at: int, until: float, longest_break: float) -> int:
    """The last column of ink going on from `at`, without a break longer than a character has inside."""
    at = min(max(0, at), len(inked) - 1)
    last, missing = at, 0
    for column in range(at, len(inked)):
        if column > until or missing > longest_break:
            break
        last, missing = (column, 0) if inked[column] else (last, missing + 1)
    return last


def strip_of(card: Colour, seen: PanelMap, panel: Area, shrunk: float = 1.0) -> Strip:
    """The picture of a panel of the rectified card, the panel in its middle.

    `shrunk`: how many pixels of the rectified card a pixel of `card` is wide (practice pictures are drawn smaller).
    """
    zoom = min(SCALE / PX_PER_MM, WIDTH / (panel.w + 2 * _MARGIN_MM * PX_PER_MM))
    left = panel.x + panel.w / 2 - WIDTH / 2 / zoom
    top = panel.mid_y - HEIGHT / 2 / zoom
    picture = np.empty((HEIGHT, WIDTH, 5), np.float32)
    # Averaged first: single pixels of a picture four times as fine would be all noise. What lies further off is no
    # business of the judge: the rim of the cut-out goes on there.
    x, right = _within(panel.x, panel.right, shrunk, card.shape[1])
    y, bottom = _within(panel.y, panel.bottom, shrunk, len(card))
    reach = max(1, round(1 / zoom / shrunk))
    fine = cv2.blur(np.ascontiguousarray(card[y:bottom, x:right]), (reach, reach))
    picture[..., :3] = _cut(fine, zoom, left - x * shrunk, top - y * shrunk, shrunk, shrunk)
    cells = (card.shape[1] * shrunk / seen.coat.shape[1], card.shape[0] * shrunk / seen.coat.shape[0])
    picture[..., 3] = _cut(seen.coat, zoom, left, top, *cells) * 255
    picture[..., 4] = _cut(seen.opened, zoom, left, top, *cells) * 255
    return Strip(picture, zoom, left, top)


def _within(low: float, high: float, shrunk: float, most: int) -> tuple[int, int]:
    """The pixels of the card from one to the other edge of the panel and a rim around it."""
    first = int(np.clip(round((low - _RIM) / shrunk), 0, most - 2))
    return first, int(np.clip(round((high + _RIM) / shrunk), first + 2, most))


def _cut(of: Any, zoom: float, left: float, top: float, cell_w: float, cell_h: float) -> cv2.typing.MatLike:
    """A picture whose pixels are `cell_w` by `cell_h` pixels of the card, cut out and scaled."""
    move = np.array(
        [
            [1 / zoom / cell_w, 0, (left + 0.5 / zoom) / cell_w - 0.5],
            [0, 1 / zoom / cell_h, (top + 0.5 / zoom) / cell_h - 0.5],
        ],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(of, move, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _ends(card: Colour, cover: Cover, text: Area, pitch: float) -> Ends:
    """What lies beyond the ends of a text in an open panel."""
    burnt = cv2.inRange(card[int(max(0, text.y)) : int(text.bottom)], (BURNT,) * 3, (255,) * 3)

    def beyond(end: End, low: float, high: float) -> Beyond:
        if _is_closed(end):
            return Beyond.CLOSED
        parts = np.linspace(np.clip(low, 0, burnt.shape[1]), np.clip(high, 0, burnt.shape[1]), 3).astype(int)
        shares = [float(burnt[:, a:b].mean()) / 255 if b > a else 0.0 for a, b in pairwise(parts)]
        return Beyond.BURNT if min(shares) > _BURNT_SHARE else Beyond.UNTOLD

    left, right = text.x - 1.5 * pitch, text.right + 1.5 * pitch
    return beyond(cover.left, left, left + pitch), beyond(cover.right, right - pitch, right)


def _is_closed(end: End) -> bool:
    return min(end.bare, end.margin) < _ROOM and end.layer > _LEAST_LAYER and end.step > _CLEAR_STEP


def _longest(flags: Flags) -> int:
    """The length of the longest run of True."""
    best = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        best = max(best, run)
    return best


def _state_of_share(share: float) -> PanelState:
    if share < _COVERED_SHARE:
        return PanelState.COVERED
    return PanelState.OPEN if share > _OPEN_SHARE else PanelState.PARTIAL
