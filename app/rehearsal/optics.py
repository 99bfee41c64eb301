"""What lens and sensor add to a scene: vignetting, defocus, gloss, noise, drifting exposure.

Per-frame work stays on the luma plane and uses precomputed tiles, so that a minute of footage takes less than a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.dice import between

Pixels = npt.NDArray[Any]

_TILE_SLACK = 64


def vignette(size: tuple[int, int], depth: float, centre: tuple[float, float] = (0.5, 0.5)) -> Pixels:
    """float32 HxW of 1 in the brightest place falling by `depth` towards the far corners; `centre` in 0..1."""
    width, height = size
    x = (np.arange(width, dtype=np.float32) / width - centre[0])[None, :]
    y = (np.arange(height, dtype=np.float32) / height - centre[1])[:, None]
    return np.asarray(1 - depth * np.clip((x * x + y * y) * 2, 0, 1), np.float32)


def gloss_map(rng: np.random.Generator, size: tuple[int, int], peak: float, at: tuple[float, float]) -> Pixels:
    """uint8 HxW: the reflection of a lamp, a bright slanting spot with a wide halo around `at` (0..1)."""
    width, height = size
    x = (np.arange(width, dtype=np.float32) / width - at[0])[None, :] * (width / height)
    y = (np.arange(height, dtype=np.float32) / height - at[1])[:, None]
    angle = between(rng, 0, np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    long, short = between(rng, 0.10, 0.2), between(rng, 0.025, 0.06)
    spot = np.exp(-((u / long) ** 2) - (v / short) ** 2)
    halo = np.exp(-((u / long / 2.4) ** 2) - (v / short / 3.2) ** 2)
    return np.asarray(np.clip(peak * (0.72 * spot + 0.28 * halo), 0, 255), np.uint8)


@dataclass(frozen=True, eq=False)
class NoiseTiles:
    """Sensor noise as two uint8 tiles, one to add and one to subtract, larger than a plane by a margin to roam in."""

    plus: Pixels
    minus: Pixels

    @classmethod
    def make(cls, rng: np.random.Generator, size: tuple[int, int], sigma: float) -> NoiseTiles:
        """Tiles for planes of `size` (width, height); the noise is slightly smooth as after demosaicing."""
        width, height = size
        raw = rng.standard_normal((height + _TILE_SLACK, width + _TILE_SLACK), dtype=np.float32)
        grain = cv2.GaussianBlur(raw, (0, 0), 0.55)
        rounded = np.round(grain * (sigma / max(float(grain.std()), 1e-6)))
        return cls(np.clip(rounded, 0, 255).astype(np.uint8), np.clip(-rounded, 0, 255).astype(np.uint8))

    def shake(self, rng: np.random.Generator, plane: Pixels) -> Pixels:
        """The plane with noise from a random place of the tiles (another place for each sign)."""
        height, width = plane.shape
        ys, xs = rng.integers(0, _TILE_SLACK, 2), rng.integers(0, _TILE_SLACK, 2)
        plus = self.plus[ys[0] : ys[0] + height, xs[0] : xs[0] + width]
        minus = self.minus[ys[1] : ys[1] + height, xs[1] : xs[1] + width]
        return cv2.subtract(cv2.add(plane, plus), minus)


def defocused(plane: Pixels, sigma: float) -> Pixels:
    """The plane blurred by a small Gaussian; unchanged below a fifth of a pixel."""
    if sigma < 0.2:
        return plane
    side = 3 if sigma < 0.7 else 5 if sigma < 1.2 else 7
    return cv2.GaussianBlur(plane, (side, side), sigma)


def exposed(plane: Pixels, gain: float) -> Pixels:
    """The luma plane (16 = black) brightened by `gain`."""
    return cv2.convertScaleAbs(plane, alpha=gain, beta=16 * (1 - gain))
