"""How well a quadrilateral fits the edges of a card, and its sides pulled onto those edges to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.picture.pixels import RATIO, Colour, Corners, Floats, Gray

_STEP = 3.0  # levels by which the two sides of a card edge differ at least, of 255
_FAR = 40.0  # levels from the mat's colours at which a pixel is surely no mat
_POINTS = 48
_OUTSIDE = 0.7
"""What a side beyond the picture counts for at most: neither proof nor disproof."""
_CLEAR = 0.85  # share of a step along the seen sides that makes one beyond the picture believable
_APART = 0.08  # overlap below which two outlines are two cards
_ROWS = 16_000  # OpenCV maps fewer than 32,768 at once
_SEEN = 0.3  # share of a side inside the picture from which that part speaks for all of it


@dataclass(frozen=True, slots=True)
class Scene:
    """A small picture as outlines are judged in it: `smooth` (h, w, 3) Lab, `unlike` (h, w) levels from the mat."""

    lab: Gray
    smooth: Gray
    unlike: Floats

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.lab.shape[1], self.lab.shape[0]


def area(corners: Corners) -> float:
    return float(abs(cv2.contourArea(corners)))


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union of two convex quadrilaterals, 0..1."""
    # Coinciding sides make OpenCV's intersection miss the whole area: a hair's breadth keeps them apart.
    middle = one.mean(axis=0)
    apart = middle + (one - middle) * np.float32(0.9997)
    shared = max(cv2.intersectConvexConvex(o, other)[0] for o in (one, apart))
    return _ratio(shared, one, other)


def lies_apart(one: Corners, other: Corners) -> bool:
    """Whether two convex quadrilaterals hardly overlap: two cards side by side."""
    known = _ratio(cv2.intersectConvexConvex(one, other)[0], one, other)
    return known < _APART and overlap(one, other) < _APART


def _ratio(shared: float, one: Corners, other: Corners) -> float:
    both = area(one) + area(other) - shared
    return float(shared / both) if both > 0 else 0.0


def supports(quads: Floats, scene: Scene) -> Floats:
    """How much of each outline (n, 4, 2) lies on steps of one direction that end the mat: (n,) of at most 1.3.

    Proportion and size count too: a card has a known ratio, and what is printed on it is smaller than the card.
    """
    if not len(quads):
        return np.zeros(0, np.float32)
    shares, outer = _shares(quads, scene)
    sides = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=2)
    ratio = (sides[:, 0] + sides[:, 2]) / (sides[:, 1] + sides[:, 3])
    width, height = scene.size
    size = np.minimum(1.0, _areas(quads) / (height * width) / 0.25)
    # One side may be under a hand, so the worst counts no more than the second worst.
    weakest = np.sort(shares, axis=1)[:, :2]
    fit = 0.6 * shares.mean(axis=1) + 0.4 * weakest.mean(axis=1)
    return cast(Floats, fit - 1.2 * np.abs(ratio / RATIO - 1) + 0.3 * size - 0.25 * outer)


def _areas(quads: Floats) -> Floats:
    x, y = quads[..., 0], quads[..., 1]
    return cast(Floats, np.abs((x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1)) / 2)


def _shares(quads: Floats, scene: Scene) -> tuple[Floats, Floats]:
    """Per side the share 0..1 with a step (n, 4); per outline how unlike the mat it is just outside, 0..1 (n,)."""
    starts, ends = quads, np.roll(quads, -1, axis=1)
    along = ends - starts
    along = along / np.maximum(1e-6, np.linalg.norm(along, axis=2, keepdims=True))
    normal = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    at = np.linspace(0.08, 0.92, _POINTS, dtype=np.float32)
    places = [starts[..., i, None] + (ends - starts)[..., i, None] * at for i in (0, 1)]  # x and y, (n, 4, points)
    inner, outer, beyond = (
        [place + np.float32(d) * normal[..., i, None] for i, place in enumerate(places)] for d in (1.8, -1.8, -5.0)
    )
    inside = np.ones(places[0].shape, np.bool_)
    for one, other, limit in zip(inner, outer, scene.size, strict=True):
        inside &= (np.minimum(one, other) >= 0) & (np.maximum(one, other) <= limit - 1)
    steps = _steps(_sample(scene.smooth, inner), _sample(scene.smooth, outer), inside)
    seen = _count(inside)
    known = seen / _POINTS
    share = np.where(known > _SEEN, steps / np.maximum(1, seen), 1.0)
    # A side beyond the picture is believed as far as the worst of those that are seen.
    least = share.min(axis=1, keepdims=True)
    share = np.where(known > _SEEN, share, np.where(least > _CLEAR, _OUTSIDE * least, 0.0))
    unlike = np.clip(_sample(scene.unlike, beyond) / _FAR, 0, 1) * inside
    strange = unlike.sum(axis=2) / np.maximum(1, seen)
    mostly_seen = known.mean(axis=1) > 0.5
    return cast(Floats, share * mostly_seen[:, None]), cast(Floats, strange.mean(axis=1))


def _steps(inner: Gray, outer: Gray, inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How many points of each side (n, 4) lie on a step of one direction, in the channel that shows it best.

    `inner`, `outer` (n, 4, points, 3) levels on either side; `inside`: the points that count.
    """
    best = np.zeros(inside.shape[:2], np.int32)
    for one, other in zip(*(cv2.split(part.reshape(-1, _POINTS, 3)) for part in (inner, outer)), strict=True):
        for up, down in ((one, other), (other, one)):
            steep = np.asarray(cv2.subtract(up, down) > _STEP).reshape(inside.shape)  # never below nought
            np.maximum(best, _count(steep & inside), out=best)
    return best


def _count(points: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How many of the points of each side (n, 4, points) are so."""
    rows = points.reshape(-1, points.shape[-1]).view(np.uint8)
    return np.asarray(cv2.reduce(rows, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S), np.int32).reshape(points.shape[:-1])


def _sample(values: Gray | Floats, points: Sequence[Floats]) -> NDArray[Any]:
    """Values at the nearest pixels of points, given as x and y (n, sides, points); beyond the picture, at its rim."""
    x, y = (place.reshape(len(place), -1) for place in points)
    parts = [
        cv2.remap(values, x[at : at + _ROWS], y[at : at + _ROWS], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        for at in range(0, len(x), _ROWS)
    ]
    return np.concatenate(parts).reshape(*points[0].shape, *values.shape[2:])


def pull(picture: Colour | Gray, quads: Floats, reach: float, samples: int = 32) -> Floats:
    """Each outline (n, 4, 2) with its sides moved onto the strongest edge within `reach` pixels across them.

    A side is fitted to `samples` places along it, robust to a thumb over some. Unchanged where that makes no sense.
    """
    if not len(quads):
        return quads
    starts, ends = quads.reshape(-1, 2), np.roll(quads, -1, axis=1).reshape(-1, 2)
    shift, slope, normal = _fit(picture, starts, ends, reach, samples)
    firsts = (starts + normal * shift[:, None]).reshape(-1, 4, 2)
    lasts = (ends + normal * (shift + slope)[:, None]).reshape(-1, 4, 2)
    moved = _crossings(firsts, lasts)
    fine = np.isfinite(moved).all(axis=(1, 2)) & (np.abs(moved - quads).max(axis=(1, 2)) < 3 * reach)
    return cast(Floats, np.where(fine[:, None, None], moved, quads).astype(np.float32))


def _crossings(firsts: Floats, lasts: Floats) -> Floats:
    """Corners (n, 4, 2): where each side, from first to last, crosses the one before it; not finite when parallel."""
    d, before = lasts - firsts, np.roll(firsts, 1, axis=1)
    e = np.roll(lasts, 1, axis=1) - before
    cross = d[..., 0] * e[..., 1] - d[..., 1] * e[..., 0]
    cross = np.where(np.abs(cross) < 0.17 * np.linalg.norm(d, axis=2) * np.linalg.norm(e, axis=2), np.nan, cross)
    gap = before - firsts
    t = (gap[..., 0] * e[..., 1] - gap[..., 1] * e[..., 0]) / cross
    return cast(Floats, firsts + t[..., None] * d)


def _fit(
    picture: Colour | Gray, starts: Floats, ends: Floats, reach: float, samples: int
) -> tuple[Floats, Floats, Floats]:
    """Per side (m,) the shift at its start, the growth of the shift to its end, and the direction (m, 2) of both."""
    along = ends - starts
    along = along / np.maximum(1e-6, np.linalg.norm(along, axis=1, keepdims=True))
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1).astype(np.float32)
    at = np.linspace(0.07, 0.93, samples, dtype=np.float32)
    across = np.arange(-reach, reach + 0.5, 0.5, dtype=np.float32)
    middle = starts[:, None] + (ends - starts)[:, None] * at[:, None]  # (m, samples, 2)
    points = (middle[:, :, None] + normal[:, None, None] * across[:, None]).astype(np.float32)
    x, y = (points[..., i].reshape(-1, len(across)) for i in (0, 1))
    patch = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    smooth = cv2.GaussianBlur(patch, (0, 0), sigmaX=1.5, sigmaY=0.3).reshape(len(starts), samples, len(across), -1)
    smooth[:, 1:-1] = (smooth[:, :-2] + smooth[:, 2:]) * 0.25 + smooth[:, 1:-1] * 0.5
    strength = _strength(cast(Floats, smooth))
    best, weight = across[strength.argmax(axis=2)], strength.max(axis=2)
    keep = weight > 0.35 * np.median(weight, axis=1, keepdims=True)
    shift, slope = _robust_lines(at, best, keep)
    return shift, slope, normal


def _strength(smooth: Floats) -> Floats:
    """How steep lines of levels (m, samples, places, channels) are at each place, over all channels."""
    steps = np.empty_like(smooth)
    np.subtract(smooth[:, :, 2:], smooth[:, :, :-2], out=steps[:, :, 1:-1])
    steps[:, :, 1:-1] *= 0.5
    steps[:, :, 0], steps[:, :, -1] = smooth[:, :, 1] - smooth[:, :, 0], smooth[:, :, -1] - smooth[:, :, -2]
    np.abs(steps, out=steps)
    strength = steps[..., 0].copy()
    for channel in range(1, steps.shape[3]):  # numpy's sum along so short an axis takes five times as long
        strength += steps[..., channel]
    return strength


def _robust_lines(at: Floats, values: Floats, keep: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Intercepts and slopes of lines of values (m, n) over `at` (n,).

    Of each row the pair of points with most followers, then least squares over those. `keep`: the points that count.
    """
    rows, columns = np.triu_indices(len(at), k=len(at) // 4)
    slopes = (values[:, columns] - values[:, rows]) / (at[columns] - at[rows])
    starts = values[:, rows] - slopes * at[rows]
    cost = np.stack([_missed(*one, at) for one in zip(values, keep, starts, slopes, strict=True)])
    cost += 99.0 * ~(keep[:, rows] & keep[:, columns])
    each = np.arange(len(values))
    chosen = cost.argmin(axis=1)
    misses = np.abs(values - starts[each, chosen][:, None] - slopes[each, chosen][:, None] * at)
    near = ((misses < 1.5) & keep).astype(np.float64)
    count = np.maximum(1.0, near.sum(axis=1))
    mean_x, mean_y = (near * at).sum(axis=1) / count, (near * values).sum(axis=1) / count
    off = at - mean_x[:, None]
    spread = (near * off * off).sum(axis=1)
    slope = (near * off * (values - mean_y[:, None])).sum(axis=1) / np.maximum(1e-9, spread)
    weak = near.sum(axis=1) < 4
    slope = np.where(weak, slopes[each, chosen], slope)
    start = np.where(weak, starts[each, chosen], mean_y - slope * mean_x)
    return cast(Floats, start.astype(np.float32)), cast(Floats, slope.astype(np.float32))


def _missed(values: Floats, keep: NDArray[np.bool_], starts: Floats, slopes: Floats, at: Floats) -> Floats:
    """By how much lines (pairs,) miss the values (n,) that count, each by 1.5 at most: one side at a time, whose table
    stays in the cache, and in place.
    """
    misses = values[keep][:, None] - starts
    misses -= at[keep][:, None] * slopes
    np.abs(misses, out=misses)
    np.minimum(misses, 1.5, out=misses)
    return cast(Floats, misses.sum(axis=0))
