"""Straighten the card: one warp of the full picture to a fixed size in millimetres, and back."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from app.vision.pixels import CARD_H_MM, CARD_W_MM, Colour, Corners, Floats

CARD_W = 1600
CARD_H = round(CARD_W * CARD_H_MM / CARD_W_MM)
PX_PER_MM = CARD_W / CARD_W_MM


def rectify(picture: Colour, corners: Corners) -> Colour:
    """The card as a picture of CARD_W x CARD_H pixels, its first corner at the top left."""
    return cast(Colour, cv2.warpPerspective(picture, _homography(corners), (CARD_W, CARD_H), flags=cv2.INTER_CUBIC))


def turn(card: Colour) -> Colour:
    """A rectified card the other way up."""
    return cast(Colour, cv2.rotate(card, cv2.ROTATE_180))


def turn_corners(corners: Corners) -> Corners:
    """The corners of the card the other way up."""
    return np.roll(corners, 2, axis=0)


def to_frame(corners: Corners, points: Floats) -> Floats:
    """Points (n, 2) on the rectified card as points of the frame it was taken from."""
    back = np.linalg.inv(_homography(corners)).astype(np.float32)
    return cast(Floats, cv2.perspectiveTransform(points.reshape(-1, 1, 2).astype(np.float32), back).reshape(-1, 2))


def _homography(corners: Corners) -> Floats:
    target = np.array([[0, 0], [CARD_W, 0], [CARD_W, CARD_H], [0, CARD_H]], np.float32)
    return cast(Floats, cv2.getPerspectiveTransform(corners.astype(np.float32), target).astype(np.float32))
