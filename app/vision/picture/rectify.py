"""Straighten the card: one warp of the full picture to a fixed size in millimetres, and back."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from app.vision.picture.pixels import CARD_H_MM, CARD_W_MM, Colour, Corners, Floats

CARD_W = 1600
CARD_H = round(CARD_W * CARD_H_MM / CARD_W_MM)
PX_PER_MM = CARD_W / CARD_W_MM


def rectify(picture: Colour, corners: Corners) -> Colour:
    """The card, its first corner at the top left: CARD_W x CARD_H pixels, the other way round when printed upright.

    Straight interpolation, and of four channels: as much is read as with cubic, which takes four times as long.
    """
    filled = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
    card = cv2.warpPerspective(filled, _homography(corners), size_of(corners), flags=cv2.INTER_LINEAR)
    return cast(Colour, cv2.cvtColor(card, cv2.COLOR_BGRA2BGR))


def size_of(corners: Corners) -> tuple[int, int]:
    """Width and height in pixels of the rectified card: one printed upright has its short side on top."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return (CARD_W, CARD_H) if sides[0] + sides[2] >= sides[1] + sides[3] else (CARD_H, CARD_W)


_TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


def turn(card: Colour, quarters: int) -> Colour:
    """A rectified card turned clockwise by so many quarters (0..3)."""
    code = _TURNS[quarters]
    return card if code is None else cast(Colour, cv2.rotate(card, code))


def turn_corners(corners: Corners, quarters: int) -> Corners:
    """The corners of a card whose rectified picture is turned clockwise by so many quarters."""
    return np.roll(corners, quarters, axis=0)


def unturned(point: tuple[float, float], quarters: int, size: tuple[int, int]) -> tuple[float, float]:
    """A point of a picture turned clockwise by so many quarters, in the picture of that size before it was turned."""
    x, y = point
    width, height = size
    return ((x, y), (y, height - x), (width - x, height - y), (width - y, x))[quarters]


def to_card(corners: Corners, points: Floats) -> Floats:
    """Points (n, 2) of the frame as points on the rectified card."""
    return cast(Floats, cv2.perspectiveTransform(points.reshape(-1, 1, 2), _homography(corners)).reshape(-1, 2))


def to_frame(corners: Corners, points: Floats) -> Floats:
    """Points (n, 2) on the rectified card as points of the frame it was taken from."""
    back = np.linalg.inv(_homography(corners)).astype(np.float32)
    return cast(Floats, cv2.perspectiveTransform(points.reshape(-1, 1, 2).astype(np.float32), back).reshape(-1, 2))


def _homography(corners: Corners) -> Floats:
    width, height = size_of(corners)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return cast(Floats, cv2.getPerspectiveTransform(corners.astype(np.float32), target).astype(np.float32))
