"""How sharp and how burnt out the card is: small numbers for guidance and for choosing the best frame."""

from __future__ import annotations

import cv2
import numpy as np

from app.vision.pixels import Colour, Gray

BURNT = 251  # levels of 255 in all channels


def sharpness(card: Gray) -> float:
    """0 (smeared) to 1 (crisp), from how much finer the edges of a rectified card are than when it is blurred.

    Relative to the card's own edges, so that a plain card does not count as blurred.
    """
    fine = _edges(cv2.GaussianBlur(card, (0, 0), 1.5))
    coarse = _edges(cv2.GaussianBlur(card, (0, 0), 4.0))
    return float(np.clip((fine / max(coarse, 1e-3) - 1.0) / 1.6, 0, 1))


def _edges(picture: cv2.typing.MatLike) -> float:
    """Strength of the strongest two per cent of edges (noise is everywhere, edges are few)."""
    dx = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3)
    return float(np.percentile(cv2.magnitude(dx, dy), 98))


def glare(card: Colour) -> float:
    """Share of the card that is burnt out, 0..1."""
    return float((card.min(axis=2) >= BURNT).mean())
