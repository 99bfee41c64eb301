"""What lies beyond the ends of a PIN in an open panel: whether light may have taken more of it, or cannot have."""

from __future__ import annotations

from enum import Enum, auto
from itertools import pairwise

import cv2
import numpy as np

from app.vision.picture.area import Area
from app.vision.picture.focus import BURNT
from app.vision.picture.pixels import Colour, Floats, percentiles

_BURNT_SHARE = 0.85
"""Of both halves of the place where a next character would stand. A PIN that glare had cut short had 0.96; of 166 that
were right, the highest had 0.72."""
_BRIGHTEST = 99.5  # percentile of the card's lightness: what a lamp's reflection reaches, also in a dark picture
_AS_BRIGHT, _BRIGHTER = 0.97, 1.08
"""Of the brightest there is, from where on paper may be burnt out; and of the paper around the print, from where on it
is so surely: white paper that is lit well is as bright everywhere."""

_GRAIN = 9  # pixels over which lightness is averaged, so that noise burns out nothing
_EVERY = 5  # rows and columns of the card that are looked at for its brightest


class Beyond(Enum):
    """What lies beyond an end of the PIN: nothing that tells; layer, so close that no character is left out; paper as
    bright as the picture gets, as is that around the print; or paper brighter than that, burnt out by a lamp's
    reflection, on which nobody would see a character.
    """

    UNTOLD = auto()
    CLOSED = auto()
    WHITE = auto()
    BURNT = auto()


Ends = tuple[Beyond, Beyond]
"""Before the first and behind the last character."""

UNTOLD: Ends = (Beyond.UNTOLD, Beyond.UNTOLD)


def ends_of(card: Colour, text: Area, pitch: float, closed: tuple[bool, bool]) -> Ends:
    """What lies beyond both ends of a text (its ink) in an open panel.

    `closed`: at which of them layer is seen to begin; `pitch`: pixels a character.
    """
    if all(closed):
        return Beyond.CLOSED, Beyond.CLOSED
    lit = _lightness(card[int(max(0, text.y)) : int(text.bottom)])
    brightest = percentiles(_lightness(np.ascontiguousarray(card[::_EVERY, ::_EVERY]), 3), _BRIGHTEST)[0]
    burnt = min(BURNT, _AS_BRIGHT * brightest)
    usual = _BRIGHTER * _paper_of(lit, text, pitch)

    def beyond(low: float, high: float) -> Beyond:
        edges = np.linspace(np.clip(low, 0, lit.shape[1]), np.clip(high, 0, lit.shape[1]), 3).astype(int)
        parts = [lit[:, a:b] for a, b in pairwise(edges) if b > a]
        if len(parts) < 2 or min(float((part >= burnt).mean()) for part in parts) <= _BURNT_SHARE:
            return Beyond.UNTOLD
        return Beyond.BURNT if min(float(np.median(part)) for part in parts) > usual else Beyond.WHITE

    left, right = text.x - 1.5 * pitch, text.right + 1.5 * pitch
    return (
        Beyond.CLOSED if closed[0] else beyond(left, left + pitch),
        Beyond.CLOSED if closed[1] else beyond(right - pitch, right),
    )


def _lightness(part: Colour, grain: int = _GRAIN) -> Floats:
    """The darkest channel of each pixel, without grain: burnt out is what is so in all of them."""
    blue, green, red = cv2.split(cv2.blur(part, (grain, grain)))
    return np.asarray(cv2.min(cv2.min(blue, green), red), np.float32)


def _paper_of(lit: Floats, text: Area, pitch: float) -> float:
    """How light the paper is around most characters of a text."""
    edges = np.clip(np.arange(text.x, text.right + pitch / 2, pitch), 0, lit.shape[1]).astype(int)
    papers = [percentiles(lit[:, a:b], 97)[0] for a, b in pairwise(edges) if b > a]
    return float(np.median(papers or [255.0]))
