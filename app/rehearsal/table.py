"""What lies under and moves over the cards: the table top, and hands with and without a knife."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.camera import Sprite, premultiplied
from app.rehearsal.dice import between, pick
from app.rehearsal.optics import vignette
from app.rehearsal.panel import cloud

Pixels = npt.NDArray[Any]

TOPS = ("mat", "desk", "cutting", "wood", "felt", "paper")

_TONES = {
    "mat": ((72, 70, 68), (58, 64, 74), (84, 80, 92), (48, 46, 50), (66, 74, 70)),
    "desk": ((118, 116, 112), (112, 122, 116), (126, 116, 112), (104, 108, 114)),
    "cutting": ((70, 92, 58), (96, 74, 50), (62, 62, 62)),
    "wood": ((62, 92, 128), (96, 138, 178), (44, 62, 92), (70, 104, 150)),
    "felt": ((60, 46, 44), (52, 70, 46), (72, 52, 70), (44, 44, 58)),
    "paper": ((196, 198, 200), (178, 182, 186), (168, 160, 164)),
}


def table_top(rng: np.random.Generator, size: tuple[int, int], px_per_mm: float, kind: str) -> Pixels:
    """A lit table top, uint8 HxWx3 BGR, of a kind in TOPS."""
    width, height = size
    shape = (height, width)
    base = np.empty((height, width, 3), np.float32)
    base[...] = pick(rng, _TONES[kind])
    base *= between(rng, 0.85, 1.12)
    fine = 7.0 if kind == "felt" else 3.2
    base += (cloud(rng, shape, max(px_per_mm * 0.25, 1.2)) * fine)[..., None]
    base += (cloud(rng, shape, px_per_mm * 22) * 2.5)[..., None]
    if kind == "wood":
        base += _grain(rng, shape, px_per_mm)[..., None] * np.array((0.8, 0.95, 1.0), np.float32)
    if kind == "cutting":
        _grid(base, px_per_mm)
    base *= vignette(size, between(rng, 0.18, 0.42), (between(rng, 0.35, 0.65), between(rng, 0.3, 0.6)))[..., None]
    return np.clip(base, 0, 255).astype(np.uint8)


def _grain(rng: np.random.Generator, shape: tuple[int, int], px_per_mm: float) -> Pixels:
    """Long bands along x, as planed wood has."""
    height, width = shape
    rows = cloud(rng, (height, 64), px_per_mm * 1.1)
    bands = cv2.resize(rows, (width, height), interpolation=cv2.INTER_CUBIC)
    wave = cloud(rng, shape, px_per_mm * 30) * px_per_mm * 1.2
    columns, lines = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    # Both maps must be float32: OpenCV 5.0 does not check them and never returns from a float64 one.
    lines = np.asarray(lines + wave, np.float32)
    return cv2.remap(bands, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) * 11


def _grid(base: Pixels, px_per_mm: float) -> None:
    """The centimetre lines of a cutting mat."""
    step = px_per_mm * 10
    for axis in (0, 1):
        for position in np.arange(step / 2, base.shape[axis], step):
            index = int(position)
            strip = base[index : index + 1] if axis == 0 else base[:, index : index + 1]
            strip += 16


def _skin(mask: Pixels, tone: Pixels, roundness_px: float) -> Pixels:
    """A rounded limb: the mask's distance to its edge gives a height, lit from the upper left."""
    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    height = np.sqrt(np.clip(depth / roundness_px, 0, 1)) * roundness_px
    height = cv2.GaussianBlur(height, (0, 0), roundness_px * 0.16)
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125) + cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125)
    light = np.clip(0.93 + slope * 0.2, 0.55, 1.12) * (0.84 + 0.16 * np.clip(depth / roundness_px, 0, 1))
    return np.asarray(light[..., None] * tone, np.float32)


def _limb(canvas: Pixels, points: Pixels, widths: tuple[float, float]) -> None:
    """A tapering round-ended bar along a polyline."""
    count = 60
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    along = np.linspace(0, lengths[-1], count)
    xs, ys = np.interp(along, lengths, points[:, 0]), np.interp(along, lengths, points[:, 1])
    for x, y, width in zip(xs, ys, np.linspace(*widths, count), strict=True):
        cv2.circle(canvas, (round(x), round(y)), max(round(width / 2), 1), 255, -1)


# One right hand seen from above, reaching to the left: mm from the fingertips' middle, wrist at the right.
_FINGERS = (
    (((-1, -17), (14, -19), (32, -15)), (12.5, 16)),
    (((-5, -4), (12, -5), (32, -4)), (13, 17)),
    (((-3, 8), (13, 7), (32, 6)), (12.5, 16)),
    (((4, 19), (16, 18), (34, 15)), (10.5, 14)),
)
_CURLED = (
    (((11, -15), (20, -17), (32, -14)), (14, 17)),
    (((8, -3), (18, -4), (32, -3)), (15, 18)),
    (((9, 9), (18, 8), (32, 7)), (14, 17)),
    (((14, 20), (22, 18), (34, 15)), (12, 15)),
)
_THUMB = (((16, -33), (30, -31), (50, -16)), (13, 20))
_PALM = (((38, 1), (62, 1)), (46, 44))
_ARM = (((66, 2), (110, 6), (210, 16)), (38, 62))
_SLEEVE_FROM_MM = 104.0


def hand(rng: np.random.Generator, ppm: float, knife: bool = False) -> Sprite:
    """A right hand reaching to the left, its fingertips at the sprite's middle; with a box cutter when `knife`."""
    origin = np.array((34.0, 62.0))
    size = (round(224 * ppm), round(130 * ppm))
    tone = np.array(pick(rng, ((128, 162, 208), (104, 140, 190), (140, 174, 216), (84, 118, 168))), np.float32)
    colour = np.zeros((size[1], size[0], 3), np.float32)
    alpha = np.zeros((size[1], size[0]), np.float32)
    if knife:
        _knife(colour, alpha, origin, ppm)
    fingers = _CURLED if knife else _FINGERS
    for points, widths in (_ARM, _PALM, _THUMB, *fingers[::-1]):
        mask = np.zeros(alpha.shape, np.uint8)
        _limb(mask, (np.array(points) + origin) * ppm, (widths[0] * ppm, widths[1] * ppm))
        shade = _skin(mask, tone, max(widths) * ppm * 0.42)
        soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), ppm * 0.28)
        colour += (shade - colour) * soft[..., None]
        alpha = np.maximum(alpha, soft)
    if not knife:
        _nails(colour, origin, ppm)
    _sleeve(rng, colour, alpha, origin, ppm)
    return _with_shadow(colour, alpha, ppm, (float(origin[0] * ppm), float(origin[1] * ppm)))


def _nails(colour: Pixels, origin: Pixels, ppm: float) -> None:
    for points, widths in _FINGERS:
        x, y = (np.array(points[0]) + origin + (0.5, 0)) * ppm
        axes = (round(widths[0] * 0.34 * ppm), round(widths[0] * 0.29 * ppm))
        layer = np.zeros(colour.shape[:2], np.uint8)
        cv2.ellipse(layer, (round(x), round(y)), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
        colour += (np.array((176, 190, 226), np.float32) - colour) * (layer.astype(np.float32) / 255 * 0.55)[..., None]


def _sleeve(rng: np.random.Generator, colour: Pixels, alpha: Pixels, origin: Pixels, ppm: float) -> None:
    """Cloth over the forearm."""
    cloth = np.array(pick(rng, ((96, 70, 52), (60, 60, 64), (120, 96, 70), (58, 52, 84))), np.float32)
    start = round((_SLEEVE_FROM_MM + origin[0]) * ppm)
    folds = 1 + 0.10 * cloud(rng, (colour.shape[0], colour.shape[1] - start), ppm * 5)
    shade = colour[:, start:].mean(axis=2, keepdims=True) / 150
    colour[:, start:] = cloth * folds[..., None] * np.clip(shade, 0.5, 1.25)
    grown = cv2.dilate(alpha[:, start:], np.ones((round(ppm * 5) | 1, 1), np.uint8))
    colour[:, start:][alpha[:, start:] < 0.5] = cloth * 0.82
    alpha[:, start:] = grown


def _knife(colour: Pixels, alpha: Pixels, origin: Pixels, ppm: float) -> None:
    """A box cutter: a grey blade and an orange handle that runs under the fingers."""
    blade = np.array(((-20, 2), (4, -6), (10, -6), (10, 4), (-14, 4)), np.float64)
    handle = np.array(((6, -8), (70, -12), (72, 0), (6, 6)), np.float64)
    for shape, tone in ((blade, (196, 198, 200)), (handle, (46, 130, 232))):
        points = np.round((shape + origin) * ppm).astype(np.int32)
        layer = np.zeros(alpha.shape, np.uint8)
        cv2.fillPoly(layer, [points], 255, cv2.LINE_AA)
        soft = layer.astype(np.float32) / 255
        light = np.linspace(1.12, 0.8, colour.shape[0], dtype=np.float32)[:, None, None]
        colour += (np.array(tone, np.float32) * light - colour) * soft[..., None]
        np.maximum(alpha, soft, out=alpha)


def _with_shadow(colour: Pixels, alpha: Pixels, ppm: float, middle: tuple[float, float]) -> Sprite:
    return Sprite(shadowed(colour, alpha, ppm, 3.0), ppm, middle)


def shadowed(colour: Pixels, alpha: Pixels, ppm: float, height_mm: float) -> Pixels:
    """Premultiplied BGRA with a soft shadow to the lower right, as a thing `height_mm` above the table throws."""
    shift = np.array([[1, 0, height_mm * 0.5 * ppm], [0, 1, height_mm * 0.6 * ppm]], np.float32)
    dark = cv2.warpAffine(alpha, shift, (alpha.shape[1], alpha.shape[0]))
    dark = cv2.GaussianBlur(dark, (0, 0), max(height_mm * 0.55 * ppm, 0.8)) * 0.5
    total = alpha + dark * (1 - alpha)
    flat = premultiplied(colour, alpha)
    flat[..., 3] = np.clip(total * 255, 0, 255).astype(np.uint8)
    return flat
