"""Chance for the studio: independent random streams that depend on a seed and a path of names only.

Drawing one part more or less of a scene never changes the other parts, because each part has a stream of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """A generator fixed by `seed` and `path`, the same on every machine and Python version."""
    name = "/".join([str(seed), *map(str, path)])
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of `options`, each equally likely."""
    return options[int(rng.integers(len(options)))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability (0..1)."""
    return bool(rng.random() < probability)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number spread evenly over [low, high)."""
    return float(rng.uniform(low, high))
