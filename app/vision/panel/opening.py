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
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.core.cards import PanelState
from app.paths import RESOURCES
from app.vision.ends.beyond import UNTOLD, Ends, ends_of
from app.vision.models import check_sum, compile_model, load_model
from app.vision.panel.finder import PanelMap, coat_share
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, Flags, Floats, grey, percentiles
from app.vision.picture.rectify import PX_PER_MM

MODEL = "opening.onnx"
WIDTH, HEIGHT = 288, 56
"""Size of the picture of a panel that the network sees."""

STRIDE = 4
"""Pixels of that picture for each of its answers along the panel."""

SCALE = 4.5
"""Pixels a millimetre in that picture; less where a panel is too wide for it."""

_MARGIN_MM = 3.0
_RAISED = (1, 3)  # pixels of that picture
_RIM = 40
"""Pixels of the rectified card around the panel that are looked at."""

WEIGHTS = (-3.481, 0.781, 1.507, 0.98, 1.048, 0.7, 3.739)
"""Log odds that characters are hidden, for `features`."""

DOUBT = 0.4
"""Probability of hidden characters from which a panel counts as partly covered. Of 191 such PINs of 3,000 cards the
lowest had 0.62; of open ones that were called so at 0.25, one in five has less than 0.4."""

DOUBT_ON_PAPER = 0.55
"""The same where bare paper is seen beyond both ends: of 398 hidden PINs one had less than that, with its end at the
layer; the next had 0.62."""

_HARDLY = 0.3
"""What the network says at most of a panel in which bare paper ends the text, however much layer lies beyond it: light
on layer can pass for paper. At a limit of 0.4 a partly covered PIN of which it said 0.35 was stated (12000199 typical).
"""

_BARE_PAPER = 0.55
"""Characters of bare paper beyond each end from which it ends the text: within print there is less between two."""

_UNPARTED = 6
"""Characters without a space from which print has none; of less, another group may follow."""

_LAYER_BEFORE, _LAYER_BEHIND = 3.0, 0.8
"""Characters of layer that hide no group before the text, where groups are full, nor one behind it."""

_COVERED_GLYPH = 0.5  # share of coat over a character's place from which the character counts as covered
_OPEN_SHARE, _COVERED_SHARE = 0.75, 0.3  # of a panel in which no text was read; words on the layer look open
_MOST_BARE, _MOST_LAYER = 2.0, 8.0  # characters; what goes beyond tells nothing more
_ABUTTING = 3.0  # characters of layer beyond an end from which it weighs in full that it begins at a character
_WIDE_PITCH = 1.05  # heights; characters of which the upper or lower half is covered seem wider than print is
_INKED = 0.5  # of the usual depth of ink in a column from which the column belongs to a character
_ROOM, _LEAST_LAYER = 1.0, 0.2  # characters: room for one more that cannot be seen, layer that is no shadow
_CLEAR_STEP = 0.6  # share of the usual step between layer and paper that is no guess below glare
_LEAST_STEP = 12.0  # levels
_CLEAR_LEVELS = 18.0  # between paper and layer, from which what lies between them is told
_FROM, _NEAR_TEXT, _LEAST_MISTAKEN = 0.45, 3.0, 1.5  # characters
_PAPER = 90  # percentile of the columns of a text that shows its paper: those with ink are darker
_AS_LAYER, _UNEVEN = 0.6, 0.35
"""Of the step from paper to layer, how far what was mistaken goes at least, and how uneven it and the paper may be.
What a reflection lights is not even: of seven such layers the worst had 0.22, of 78 open panels the best 1.05.
"""
_SURELY = 0.5  # share of coat in a column of the map from which it shows the layer
_BARE = 0.2  # share of coat in a column up to which it is no edge either
_NEAR = 5  # columns of the map to either side
_LONGEST_BREAK = 0.45  # characters without ink that a character may have inside


EVERYWHERE = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Opening:
    """How far a panel is open: `hidden` characters still fit under the layer beside or between those that were read;
    `bare`: before and behind which pixels of the card the row of the PIN shows nothing but layer.
    """

    state: PanelState
    hidden: int = 0
    ends: Ends = UNTOLD
    bare: tuple[float, float] = EVERYWHERE

    @property
    def framed(self) -> bool:
        """Whether layer, and no doubt about it, is seen on both sides of the row of the PIN."""
        return math.isfinite(self.bare[0]) and math.isfinite(self.bare[1])

    @property
    def beside(self) -> bool:
        """Whether it is seen so on either side."""
        return math.isfinite(self.bare[0]) or math.isfinite(self.bare[1])


Judge = Callable[[Area, Area | None, float, Sequence[int]], Opening]
"""`OpeningJudge.judge` of one card: panel, ink of the PIN, pixels a character, how many characters its groups have."""


@dataclass(frozen=True, slots=True)
class End:
    """What lies beyond one end of the text, in characters.

    `bare`: paper from where the line was read to where the layer begins, less than 0 when the layer begins before;
    `margin`: the same from the last column of ink; `layer`: how much of it there is.
    """

    bare: float
    margin: float
    layer: float

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
    """Judges panels; one instance a process. About 4 ms a panel on one thread."""

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        path = (folder or RESOURCES / "models") / MODEL
        check_sum(path)
        self._model: Any = compile_model(load_model(path), threads, exact=True)  # small: nothing to gain

    def judge(
        self, card: Colour, seen: PanelMap, panel: Area, text: Area | None, pitch: float, groups: Sequence[int] = ()
    ) -> Opening:
        """How far the panel is open. `text`: the ink of the PIN as read, None when none was; `pitch`: pixels a
        character; `groups`: how many characters stand between its spaces.
        """
        if text is None:
            return Opening(_state_of_share(1 - coat_share(seen, panel)), 0)
        cover, hidden = measure_cover(card, seen, panel, text, pitch), self.hidden(card, seen, panel)
        odds = float(np.dot(features(cover, hidden), WEIGHTS))
        row = row_of(card, seen, panel, text)
        bare = bare_between(row, text)
        doubt = DOUBT if min(cover.left.margin, cover.right.margin) < _BARE_PAPER else DOUBT_ON_PAPER
        if odds < math.log(doubt / (1 - doubt)) or (hidden < _HARDLY and is_on_paper(cover, groups)):
            ends = ends_of(card, text, pitch, _closed(cover, row.steps(text)))
            return Opening(PanelState.OPEN, ends=ends, bare=bare)
        # Some layer stays at both ends of an open panel: what is more at one end is what may hide characters.
        beside = abs(cover.left.layer - cover.right.layer)
        return Opening(PanelState.PARTIAL, max(1, round(beside) + round(cover.between)), bare=bare)

    def hidden(self, card: Colour, seen: PanelMap, panel: Area) -> float:
        """The network's probability that characters are hidden: the mean of the log odds of some cut-outs."""
        said = [float(self._model(view[None])[0][0]) for view in _views(strip_of(card, seen, panel).picture)]
        return 1 / (1 + math.exp(-sum(_log_odds(p) for p in said) / len(said)))


def features(cover: Cover, hidden: float) -> tuple[float, ...]:
    """What `WEIGHTS` weigh; `hidden`: what the network says."""
    ends = cover.left, cover.right
    bare = [min(max(end.bare, -0.5), _MOST_BARE) for end in ends]
    return (
        1.0,
        _log_odds(hidden),
        max(end.abutting for end in ends),
        min(max(end.layer for end in ends), _MOST_LAYER),
        abs(bare[0] - bare[1]),
        cover.between,
        max(0.0, cover.pitch - _WIDE_PITCH),
    )


def _log_odds(chance: float) -> float:
    p = min(max(chance, 1e-4), 1 - 1e-4)
    return math.log(p / (1 - p))


def is_on_paper(cover: Cover, groups: Sequence[int]) -> bool:
    """Whether bare paper ends the text on both sides, so that a wide panel's layer beside it hides nothing. Print in
    groups shows bare paper at each space too: there the layer must have no room for another group, or the last one
    be shorter than the first.
    """
    if not groups or min(cover.left.margin, cover.right.margin) < _BARE_PAPER or cover.between >= _COVERED_GLYPH:
        return False
    if len(groups) == 1 and groups[0] > _UNPARTED:
        return True
    ended = groups[-1] < groups[0] or cover.right.layer < _LAYER_BEHIND
    return ended and cover.left.layer < _LAYER_BEFORE


def measure_cover(card: Colour, seen: PanelMap, panel: Area, text: Area, pitch: float) -> Cover:
    """What of the layer lies beside and between the characters that were read."""
    row = row_of(card, seen, panel, text)
    coat, middles = np.where(row.mistaken(text, pitch), np.float32(1), row.coat), row.middles
    cell = panel.w / len(coat)
    bare = (
        _until_layer(coat[::-1], text.x - middles[::-1], cell, text.x - panel.x),
        _until_layer(coat, middles - text.right, cell, panel.right - text.right),
    )
    first, last = _inked(card, text, pitch, text.x - bare[0] + 0.2 * pitch, text.right + bare[1] - 0.2 * pitch)
    inside = coat[(middles >= text.x) & (middles <= text.right)]
    left, right = (float(coat[beyond].sum()) * cell for beyond in (middles < text.x, middles > text.right))
    return Cover(
        End(bare[0] / pitch, (bare[0] - text.x + first) / pitch, left / pitch),
        End(bare[1] / pitch, (bare[1] + text.right - last) / pitch, right / pitch),
        between=_longest(inside > _COVERED_GLYPH) * cell / pitch,
        pitch=pitch / text.h,
    )


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """A panel along the row of its text, a value for each column of the map: `coat` share of layer, `middles` where on
    the card, `light` of its paper or layer, in levels.
    """

    coat: Floats
    middles: Floats
    light: Floats

    def steps(self, text: Area) -> tuple[float, float]:
        """`step` beyond the two ends of a text."""
        return self.step(self.middles < text.x), self.step(self.middles > text.right)

    def step(self, beyond: Flags, most_coat: float = 1 - _SURELY) -> float:
        """How far the layer in some columns stands out from the paper beside it, in shares of the whole panel's step:
        under glare it does not. `most_coat`: share of layer up to which a column is paper.
        """
        layer, paper = self.coat > _SURELY, self.coat < most_coat
        if not layer.any() or not paper.any():
            return 0.0
        usual = float(np.median(self.light[layer]) - np.median(self.light[paper]))
        there = layer & beyond
        near = paper & (cv2.dilate(there.astype(np.uint8)[None], np.ones((1, 2 * _NEAR + 1), np.uint8))[0] > 0)
        clear = abs(usual) > _LEAST_STEP and there.any() and near.any()
        return float(np.median(self.light[there]) - np.median(self.light[near])) / usual if clear else 0.0

    def mistaken(self, text: Area, pitch: float) -> Flags:
        """The columns that the map takes for paper, though they are as light as the layer, evenly so, and the text's
        paper is not, as evenly: that of some layers is seen as paper where the light is poor.
        """
        out = np.zeros(len(self.coat), np.bool_)
        inside, layer = (self.middles > text.x) & (self.middles < text.right), self.coat > _SURELY
        if len(self.coat) < 2 or not layer.any() or not inside.any():
            return out
        cell = float(self.middles[1] - self.middles[0])
        print_paper, usual = percentiles(self.light[inside], _PAPER)[0], float(np.median(self.light[layer]))
        for away in (text.x - self.middles, self.middles - text.right):
            there = (away > _FROM * pitch) & ~layer
            near = inside & (away > -_NEAR_TEXT * pitch)
            if there.sum() * cell < _LEAST_MISTAKEN * pitch or not near.any():
                continue
            paper = percentiles(self.light[near], _PAPER)[0]
            low, light, high = percentiles(self.light[there], 10, 50, 90)
            alike = abs(paper - usual) > _CLEAR_LEVELS and (paper - light) / (paper - usual) > _AS_LAYER
            if alike and max(high - low, abs(print_paper - paper)) < _UNEVEN * abs(paper - light):
                out |= there
        return out


def row_of(card: Colour, seen: PanelMap, panel: Area, text: Area) -> Row:
    """A panel of a card along the row of its text."""
    coat = seen.coat_along(panel, text)
    middles = np.asarray(panel.x + (np.arange(len(coat)) + 0.5) * (panel.w / len(coat)), np.float32)
    rows = grey(card[int(max(0, text.y)) : int(text.bottom) + 1, int(max(0, panel.x)) : int(panel.right)])
    shade = cv2.resize(rows, (len(coat), len(rows)), interpolation=cv2.INTER_AREA)
    return Row(coat, middles, np.percentile(shade, 75, axis=0))  # of a column with ink that of its paper


def bare_between(row: Row, text: Area) -> tuple[float, float]:
    """Before and behind which pixels of the card there is layer up to the panel's end, and no doubt about it."""
    paper = np.flatnonzero(row.coat < 1 - _SURELY)
    if not len(paper) or len(row.coat) < 2:
        return EVERYWHERE
    half = (row.middles[1] - row.middles[0]) / 2
    low, high = float(row.middles[paper[0]] - half), float(row.middles[paper[-1]] + half)
    middle = text.x + text.w / 2
    return (
        low if low < middle and row.step(row.middles < low, _BARE) > _CLEAR_STEP else EVERYWHERE[0],
        high if high > middle and row.step(row.middles > high, _BARE) > _CLEAR_STEP else EVERYWHERE[1],
    )


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
    usual, bare = percentiles(depth[start:end], 70, 8)
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


def _views(strip: Floats) -> tuple[Floats, ...]:
    """A strip raised by some pixels, the second one mirrored: one pixel lower has made a 0.03 a 0.87."""
    low, high = (np.concatenate([strip[up:], np.repeat(strip[-1:], up, axis=0)]) for up in _RAISED)
    return low, np.ascontiguousarray(high[:, ::-1])


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


def _closed(cover: Cover, steps: tuple[float, float]) -> tuple[bool, bool]:
    """Whether layer is seen so close before and behind the text that no character is left out."""
    of_one_kind = min(steps) > -_CLEAR_STEP  # lighter than the paper here and darker there: one is light, and no layer
    return of_one_kind and _is_closed(cover.left, steps[0]), of_one_kind and _is_closed(cover.right, steps[1])


def _is_closed(end: End, step: float) -> bool:
    return min(end.bare, end.margin) < _ROOM and end.layer > _LEAST_LAYER and step > _CLEAR_STEP


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
