"""Where linear symbols may stand in a picture, and the profile of lightness across their bars.

Bars are the one print in which every edge of a whole area runs the same way: the structure tensor of such an area has
one direction only (coherence near 1). Found at two sizes, so that wide and narrow bars both fill the window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.picture.pixels import Corners, Floats, Gray, percentiles, smaller

_SIZES = (720, 360)  # longer side at which stripes are looked for
_WINDOW = 13  # pixels of the small picture over which edges must agree
_COHERENT = 0.72  # 1 = all edges run one way, text and wood stay below 0.6
_LEAST_ENERGY = 60.0  # squared grey levels a pixel
_LEAST_ACROSS, _LEAST_ALONG = 34.0, 5.0  # pixels of the small picture
_MOST = 5
_LONGEST = 2.0  # widths of a symbol that its bars are long at most: what is longer is the rim of a card or table
_STRENGTHS = (
    0.2,
    0.05,
)  # of the energy of the strongest tenth: strict loses faint ends of bars, lax takes neighbours in
_ONE_WAY = 0.75  # cosine of twice the angle: 20 degrees, for bars that fan out
_MARGIN = 0.14  # of the width, at either side: bars at the rim have half a window only, and quiet zones belong to it
MARGINS = 1 + 2 * _MARGIN
"""Width of a straightened profile in widths of its strip."""
_ROWS = 48
_LEAN, _GAP, _OVERLAP, _ABREAST = 0.06, 1.25, 0.1, 0.7
"""Of two halves of a symbol: how far they may lean against each other, how far apart they may stand or overlap (widths
of the narrower), and how much of their length they share at least."""
_SHEAR = np.linspace(-0.15, 0.15, 21)


@dataclass(frozen=True, slots=True)
class Strip:
    """An area of parallel bars. `corners` (4, 2): the first side runs across the bars; `weight` its edge energy."""

    corners: Corners
    weight: float

    @property
    def across(self) -> float:
        """Pixels from the first bar to the last."""
        return float(np.linalg.norm(self.corners[1] - self.corners[0]))

    @property
    def along(self) -> float:
        """Length of the bars in pixels."""
        return float(np.linalg.norm(self.corners[3] - self.corners[0]))


_RIM = 6  # pixels around an area, as much as closing it reaches


def find_strips(picture: Gray) -> tuple[Strip, ...]:
    """The strongest areas of parallel bars in a grey picture, at most five, strongest first."""
    found: list[Strip] = []
    for size in _SIZES:
        scale = min(1.0, size / max(picture.shape))
        small = smaller(picture, scale)
        found += (Strip(s.corners / np.float32(scale), s.weight) for s in _strips(small))
        if scale == 1.0 and max(picture.shape) <= _SIZES[-1]:
            break
    kept: list[Strip] = []
    for strip in sorted(found, key=lambda s: -s.weight):
        if not any(_same(strip, other) for other in kept):
            kept.append(strip)
    return tuple(kept[:_MOST])


def _strips(small: Gray) -> Iterator[Strip]:
    dx = cv2.Scharr(small, cv2.CV_32F, 1, 0) / 16
    dy = cv2.Scharr(small, cv2.CV_32F, 0, 1) / 16
    window = (_WINDOW, _WINDOW)
    xx, yy, xy = (cast(Floats, cv2.boxFilter(p, cv2.CV_32F, window)) for p in (dx * dx, dy * dy, dx * dy))
    energy, cosines, sines = xx + yy, xx - yy, 2 * xy
    strength = cast(Floats, cv2.magnitude(cosines, sines))
    clear = ((strength > _COHERENT * (energy + 20.0)) & (energy > _LEAST_ENERGY)).astype(np.uint8)
    mask = cv2.morphologyEx(clear, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    for label in range(1, count):
        left, top, w, h, size = (int(v) for v in stats[label])
        if size < 300 or np.hypot(w + 2 * _RIM, h + 2 * _RIM) < _LEAST_ACROSS:
            continue
        x, y = max(0, left - _RIM), max(0, top - _RIM)
        part = np.s_[y : top + h + _RIM, x : left + w + _RIM]  # only where the area lies: most are small
        norm = np.maximum(strength[part], np.float32(1e-6))
        turned = (cast(Floats, cosines[part] / norm), cast(Floats, sines[part] / norm))
        for least in _STRENGTHS:
            inside, angle = _core(labels[part] == label, energy[part], turned, least)
            strip = _box(inside, angle, float(energy[part][inside].sum()))
            if strip is not None and strip.along <= _LONGEST * strip.across:
                yield Strip(strip.corners + np.array([x, y], np.float32), strip.weight)


def _core(
    inside: NDArray[Any], energy: Floats, turned: tuple[Floats, Floats], strength: float
) -> tuple[NDArray[Any], float]:
    """The largest piece of an area that is strong and runs one way, and the direction of its gradient in radians.

    What only touches the bars (the rim of their plate, a shadow) is weaker or runs another way. `turned`:
    cosine and sine of twice the angle at each pixel.
    """
    strong = inside & (energy > strength * percentiles(energy[inside], 90)[0])
    weights = energy[strong]
    cosine, sine = (float(np.vdot(t[strong], weights)) for t in turned)
    angle = math.atan2(sine, cosine)
    one_way = strong & (turned[0] * math.cos(angle) + turned[1] * math.sin(angle) > _ONE_WAY)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cv2.morphologyEx(one_way.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    )
    if count < 2:
        return inside, angle / 2
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), angle / 2


def _box(inside: NDArray[Any], angle: float, weight: float) -> Strip | None:
    """The box around a component, its first side in the direction of the gradient."""
    y, x = np.nonzero(inside)
    across, along = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    u, v = x * across[0] + y * across[1], x * along[0] + y * along[1]
    (left, right), (top, bottom) = percentiles(u, 0.5, 99.5), percentiles(v, 4, 96)
    if right - left < _LEAST_ACROSS or bottom - top < _LEAST_ALONG:
        return None
    points = [left * across + top * along, right * across + top * along]
    points += [right * across + bottom * along, left * across + bottom * along]
    return Strip(np.array(points, np.float32), weight)


def _same(one: Strip, other: Strip) -> bool:
    """Whether two strips are the same area found at two sizes."""
    apart = float(np.linalg.norm(one.corners.mean(0) - other.corners.mean(0)))
    return apart < 0.1 * max(one.across, other.across) and 0.88 < one.across / other.across < 1.14


def joined(strips: Sequence[Strip]) -> tuple[Strip, ...]:
    """Strips that two of these, one behind the other, are the halves of: the middle guard of a retail symbol has hardly
    any edges when blurred, and glare may hide more of the middle.
    """
    found: list[Strip] = []
    for one, other in combinations(strips, 2):
        whole = _together(one, other)
        if whole is not None and not any(_same(whole, known) for known in (*strips, *found)):
            found.append(whole)
    return tuple(found)


def _together(one: Strip, other: Strip) -> Strip | None:
    """The strip from the first bar of one to the last of the other; None where they are no halves of one symbol."""
    a, b, _, d = one.corners
    across, along = (b - a) / max(1e-6, one.across), (d - a) / max(1e-6, one.along)
    points = other.corners - a
    u, v = points @ across, points @ along
    level = abs(float((other.corners[1] - other.corners[0]) @ along)) < _LEAN * other.across
    gap = max(float(u.min()) - one.across, -float(u.max()))
    shared = min(one.along, float(v.max())) - max(0.0, float(v.min()))
    near = -_OVERLAP < gap / min(one.across, other.across) < _GAP
    if not level or not near or shared < _ABREAST * max(one.along, other.along):
        return None
    left, right = min(0.0, float(u.min())), max(one.across, float(u.max()))
    top, bottom = float(v.min()) / 2, (one.along + float(v.max())) / 2
    ends = [a + across * np.float32(x) + along * np.float32(y) for x, y in _corners(left, right, top, bottom)]
    return Strip(np.array(ends, np.float32), one.weight + other.weight)


def _corners(left: float, right: float, top: float, bottom: float) -> tuple[tuple[float, float], ...]:
    return (left, top), (right, top), (right, bottom), (left, bottom)


def straighten(picture: Gray, strip: Strip, width: int, part: tuple[float, float] = (0.1, 0.9)) -> Floats:
    """The profile (width,) of lightness across a strip with its margins, averaged along the bars between two shares
    of their length, as upright as their lean can be told there.
    """
    a, b, _, d = strip.corners
    across, along = (b - a) * np.float32(_MARGIN), d - a
    left = a - across + along * np.float32(part[0])
    right = b + across + along * np.float32(part[0])
    down = along * np.float32(part[1] - part[0])
    size = (width, max(4, round(_ROWS * (part[1] - part[0]))))
    profiles = {at: _sheared(picture, left, right, down, float(_SHEAR[at]), size) for at in range(0, len(_SHEAR), 2)}
    best = max(profiles, key=lambda at: _crispness(profiles[at]))
    for at in (best - 1, best + 1):
        if 0 <= at < len(_SHEAR):
            profiles[at] = _sheared(picture, left, right, down, float(_SHEAR[at]), size)
    return max(profiles.values(), key=_crispness)


def _sheared(picture: Gray, left: Floats, right: Floats, along: Floats, shear: float, size: tuple[int, int]) -> Floats:
    """The profile of the parallelogram whose rows begin at `left` and `right` and whose columns lean by `shear`."""
    across = (right - left) / np.linalg.norm(right - left)
    down = along + across * np.float32(shear * np.linalg.norm(along))
    shift = (down - along) / 2
    source = np.array([left - shift, right - shift, left - shift + down], np.float32)
    target = np.array([[0, 0], [size[0] - 1, 0], [0, size[1] - 1]], np.float32)
    warp = cv2.getAffineTransform(source, target)
    straight = cv2.warpAffine(picture, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cast(Floats, straight.astype(np.float32).mean(axis=0))


def _crispness(profile: Floats) -> float:
    """How much of the edges survives averaging down the columns."""
    return float(np.square(np.diff(profile)).sum())
