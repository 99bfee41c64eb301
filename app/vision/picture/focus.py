"""How sharp and how burnt out the card is: small numbers for guidance and for choosing the best frame."""

from __future__ import annotations

import cv2
import numpy as np

from app.vision.picture.pixels import Colour, Gray, percentiles

BURNT = 251  # levels of 255 in all channels
_SMEARED, _CRISPER = 0.97, 1.55  # of fine to coarse edges: of a smeared card, and by how much more of a crisp one
_EVERY = 3  # rows and columns looked at for the strongest edges: a ninth of the card tells the same share


def sharpness(card: Gray) -> float:
    """0 (smeared) to 1 (crisp), from how much finer the edges of a rectified card are than when it is blurred.

    Relative to the card's own edges, so that a plain card does not count as blurred.
    """
    fine = _edges(cv2.GaussianBlur(card, (0, 0), 1.5))
    half = cv2.resize(card, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    coarse = _edges(cv2.GaussianBlur(half, (0, 0), 1.85)) / 2  # a step is as high, over half the pixels
    return float(np.clip((fine / max(coarse, 1e-3) - _SMEARED) / _CRISPER, 0, 1))


def _edges(picture: cv2.typing.MatLike) -> float:
    """Strength of the strongest two per cent of edges (noise is everywhere, edges are few)."""
    dx = cv2.Sobel(picture, cv2.CV_16S, 1, 0, ksize=3)
    dy = cv2.Sobel(picture, cv2.CV_16S, 0, 1, ksize=3)
    return percentiles(cv2.magnitude(_thinned(dx), _thinned(dy)), 98)[0]


def _thinned(steps: cv2.typing.MatLike) -> cv2.typing.MatLike:
    return np.asarray(steps)[::_EVERY, ::_EVERY].astype(np.float32)


def glare(card: Colour) -> float:
    """Share of the card that is burnt out, 0..1."""
    burnt = cv2.inRange(card, (BURNT,) * 3, (255,) * 3)
    return cv2.countNonZero(burnt) / burnt.size
