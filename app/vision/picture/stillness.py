"""Motion in under a millisecond: the mean change of a small grey picture, and of the part where the card lies."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from app.vision.picture.pixels import Corners, Gray

SMALL_W, SMALL_H = 320, 180
STILL = 3.2
"""Mean change (levels of 255) below which a picture counts as still; camera noise is about 0.5 after shrinking."""


def shrink(y: Gray) -> Gray:
    """The lightness plane of a frame at 320 x 180."""
    small = cv2.resize(y, (SMALL_W, SMALL_H), interpolation=cv2.INTER_AREA)
    return cast(Gray, cv2.GaussianBlur(small, (3, 3), 0))


def motion(now: Gray, before: Gray, corners: Corners | None = None, frame_w: int = 0) -> float:
    """Mean change between two small pictures, levels of 255; within the card's outline when it is given.

    `corners` in pixels of a frame `frame_w` wide. The change of the busiest tenth counts, so that a card sliding over
    a plain mat is not averaged away.
    """
    change = cv2.absdiff(now, before)
    if corners is not None:
        inside = change[_within(corners, frame_w) > 0]
        change = inside if inside.size else change
    busiest = np.partition(change.ravel(), -max(1, change.size // 10))[-max(1, change.size // 10) :]
    return float(busiest.mean()) / 3


def as_lit(before: Gray, now: Gray, corners: Corners, frame_w: int) -> Gray:
    """The small picture `before` in the light of `now`: as bright over all as the card is there. A cloud moves nothing.

    `corners` as for `motion`.
    """
    card = _within(corners, frame_w)
    was, is_now = cv2.mean(before, card)[0], cv2.mean(now, card)[0]
    return cast(Gray, cv2.convertScaleAbs(before, alpha=is_now / max(1.0, was)))


def _within(corners: Corners, frame_w: int) -> Gray:
    """1 where the card lies in a small picture, 0 elsewhere."""
    mask = np.zeros((SMALL_H, SMALL_W), np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners * (SMALL_W / frame_w)).astype(np.int32), 1)
    return mask
