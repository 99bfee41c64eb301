"""The overhead camera: where a place on the table lands in the picture, and how flat sprites get into a frame.

World: millimetres, origin below the middle of the picture, x right, y down in the picture, z up towards the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]

CAMERA_HEIGHT_MM = 480.0


@dataclass(frozen=True)
class Camera:
    """A fixed pinhole camera looking down. `lean_x`, `lean_y` are how fast scale falls off per mm (a slight tilt)."""

    width: int
    height: int
    px_per_mm: float
    lean_x: float = 0.0
    lean_y: float = 0.0

    def project(self, points_mm: Pixels) -> Pixels:
        """Nx3 world points to Nx2 picture points in pixels."""
        x, y, z = np.asarray(points_mm, np.float64).T
        grow = CAMERA_HEIGHT_MM / (CAMERA_HEIGHT_MM - z)
        x, y = x * grow, y * grow
        depth = 1 + self.lean_x * x + self.lean_y * y
        return np.stack(
            [self.width / 2 + self.px_per_mm * x / depth, self.height / 2 + self.px_per_mm * y / depth], axis=1
        )


@dataclass(frozen=True)
class Pose:
    """Where a flat thing lies: its middle in mm, its turn in radians (clockwise in the picture), its height in mm."""

    x: float
    y: float
    turn: float = 0.0
    z: float = 0.0

    def place(self, points_mm: Pixels) -> Pixels:
        """Nx2 points of the thing (mm from its middle) to Nx3 world points."""
        points = np.asarray(points_mm, np.float64)
        c, s = np.cos(self.turn), np.sin(self.turn)
        flat = points @ np.array([[c, s], [-s, c]]) + (self.x, self.y)
        return np.column_stack([flat, np.full(len(flat), self.z)])


@dataclass(frozen=True, eq=False)
class Sprite:
    """A flat picture: uint8 HxWx4, colour premultiplied by alpha, at `ppm` pixels per mm, with its middle in pixels."""

    pixels: Pixels
    ppm: float
    middle: tuple[float, float]

    def corners_mm(self) -> Pixels:
        """The four corners in mm from the middle, clockwise from the top-left (4x2)."""
        height, width = self.pixels.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        return (corners - self.middle) / self.ppm

    def flipped(self) -> Sprite:
        """The sprite seen in a mirror that swaps left and right."""
        mirrored = np.ascontiguousarray(self.pixels[:, ::-1])
        return Sprite(mirrored, self.ppm, (self.pixels.shape[1] - self.middle[0], self.middle[1]))


@dataclass(frozen=True, eq=False)
class Layer:
    """A sprite in the picture: its four corners in pixels, how far it moves while the shutter is open, its gloss.

    `gloss` is an optional uint8 frame-sized map of reflected light, added where the sprite is.
    """

    sprite: Sprite
    corners: Pixels
    smear: tuple[float, float] = (0.0, 0.0)
    gloss: Pixels | None = None

    def same_as(self, other: Layer) -> bool:
        """True when both would draw the same pixels."""
        return (
            self.sprite is other.sprite
            and self.smear == other.smear
            and self.gloss is other.gloss
            and bool(np.array_equal(self.corners, other.corners))
        )


def premultiplied(colour: Pixels, alpha: Pixels) -> Pixels:
    """uint8 HxWx4 from BGR (0..255) and alpha (float 0..1)."""
    solid = np.asarray(colour, np.float32) * alpha[..., None]
    return np.dstack([solid, alpha * 255]).round().clip(0, 255).astype(np.uint8)


def compose(frame: Pixels, layers: Sequence[Layer]) -> None:
    """Draws the layers onto `frame` (uint8 HxWx3 BGR) in order, in place."""
    for layer in layers:
        _draw(frame, layer)


def _draw(frame: Pixels, layer: Layer) -> None:
    height, width = frame.shape[:2]
    pad = int(max(abs(layer.smear[0]), abs(layer.smear[1])) / 2) + 2
    low, high = np.floor(layer.corners.min(axis=0)) - pad, np.ceil(layer.corners.max(axis=0)) + pad
    x0, y0 = int(max(low[0], 0)), int(max(low[1], 0))
    x1, y1 = int(min(high[0], width)), int(min(high[1], height))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    patch = _warp(layer, (x0 - pad, y0 - pad, x1 + pad, y1 + pad))
    patch = _smeared(patch, layer.smear)[pad:-pad, pad:-pad]
    view = frame[y0:y1, x0:x1]
    alpha = patch[..., 3]
    below = cv2.multiply(view, cv2.merge([255 - alpha] * 3), scale=1 / 255)
    mixed = cv2.add(below, np.ascontiguousarray(patch[..., :3]))
    if layer.gloss is not None:
        shine = cv2.multiply(layer.gloss[y0:y1, x0:x1], np.ascontiguousarray(alpha), scale=1 / 255)
        mixed = cv2.add(mixed, cv2.merge([shine] * 3))
    view[...] = mixed


def _warp(layer: Layer, window: tuple[int, int, int, int]) -> Pixels:
    height, width = layer.sprite.pixels.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    target = (layer.corners - window[:2]).astype(np.float32)
    # Corners are edges of pixels, OpenCV's coordinates are their middles.
    matrix = cv2.getPerspectiveTransform(source - 0.5, target - 0.5)
    size = (window[2] - window[0], window[3] - window[1])
    return cv2.warpPerspective(layer.sprite.pixels, matrix, size, flags=cv2.INTER_LINEAR)


def _smeared(patch: Pixels, smear: tuple[float, float]) -> Pixels:
    """Averages the patch along `smear` by halving shifts: 2, 4, 8, 16 copies at the cost of four additions."""
    length = float(np.hypot(*smear))
    steps = int(np.clip(np.ceil(np.log2(max(length, 1.0) / 1.5)), 0, 5))
    for step in range(steps):
        share = 2.0**step / 2.0**steps
        half = (smear[0] * share / 2, smear[1] * share / 2)
        ahead = _shifted(patch, round(half[0]), round(half[1]))
        behind = _shifted(patch, round(half[0] - smear[0] * share), round(half[1] - smear[1] * share))
        patch = cv2.addWeighted(ahead, 0.5, behind, 0.5, 0)
    return patch


def _shifted(patch: Pixels, dx: int, dy: int) -> Pixels:
    """The patch moved by whole pixels, with transparent rows and columns moving in."""
    if dx == 0 and dy == 0:
        return patch
    height, width = patch.shape[:2]
    moved = np.zeros_like(patch)
    x0, x1, y0, y1 = max(dx, 0), min(width, width + dx), max(dy, 0), min(height, height + dy)
    if x1 > x0 and y1 > y0:
        moved[y0:y1, x0:x1] = patch[y0 - dy : y1 - dy, x0 - dx : x1 - dx]
    return moved
