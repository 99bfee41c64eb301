"""Find the card on any mat: an ID-1 rectangle, turned, tilted, partly under a thumb, dark on dark.

Several cheap strategies propose quadrilaterals on a small picture; each is held against the edges it claims to have;
the best is refined to a fraction of a pixel on the full picture. About 20 ms at 1080p.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.pixels import RATIO, Colour, Corners, Floats, Gray

SMALL_W = 480
"""Width at which quadrilaterals are proposed."""

MIN_AREA = 0.035
"""Share of the picture below which a card is too far away to be read (under 5 pixels a millimetre at 1080p)."""

_LEAST_AREA, _MOST_AREA = 0.012, 0.98
_LEAST_SUPPORT = 0.62
_STEP = 3.0  # levels by which the two sides of a card edge differ at least, of 255


class Found(StrEnum):
    """What lies on the mat."""

    NONE = "none"
    ONE = "one"
    TWO = "two"
    CUT_OFF = "cut-off"
    TOO_FAR = "too-far"


@dataclass(frozen=True, slots=True)
class Located:
    """`corners` (4, 2) in frame pixels, clockwise, first side long; `support` 0..1.3: how well the edges are seen."""

    found: Found
    corners: Corners | None = None
    support: float = 0.0


@dataclass(frozen=True, slots=True)
class _Proposal:
    corners: Corners
    score: float


def locate(picture: Colour) -> Located:
    """Where the card lies in a colour picture of any size."""
    scale = SMALL_W / picture.shape[1]
    small = cv2.resize(picture, (SMALL_W, max(16, round(picture.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    lab = cast(Gray, cv2.cvtColor(small, cv2.COLOR_BGR2LAB))
    gradient = _gradient(lab)
    proposals = sorted(_scored(_quads(lab, gradient), lab), key=lambda p: -p.score)
    if not proposals or proposals[0].score < _LEAST_SUPPORT:
        return Located(Found.NONE)
    best = _grown(proposals[0], lab)
    corners = refine(picture, best.corners / np.float32(scale))
    return Located(_judge(corners, picture.shape, proposals), corners, best.score)


def _judge(corners: Corners, shape: tuple[int, ...], proposals: list[_Proposal]) -> Found:
    height, width = shape[:2]
    if _second_card(proposals):
        return Found.TWO
    if area(corners) < MIN_AREA * height * width:
        return Found.TOO_FAR
    margin = 0.02 * width
    outside = (corners[:, 0] < -margin) | (corners[:, 0] > width + margin)
    outside |= (corners[:, 1] < -margin) | (corners[:, 1] > height + margin)
    return Found.CUT_OFF if bool(outside.any()) else Found.ONE


def _second_card(proposals: list[_Proposal]) -> bool:
    """A second rectangle of the same size, clearly apart and nearly as well supported."""
    best = proposals[0]
    for other in proposals[1:]:
        alike = 0.6 < area(other.corners) / area(best.corners) < 1.67
        if other.score > max(0.8, best.score - 0.1) and alike and overlap(best.corners, other.corners) < 0.08:
            return True
    return False


def area(corners: Corners) -> float:
    return float(abs(cv2.contourArea(corners)))


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union of two convex quadrilaterals, 0..1."""
    shared, _ = cv2.intersectConvexConvex(one.astype(np.float32), other.astype(np.float32))
    both = area(one) + area(other) - shared
    return float(shared / both) if both > 0 else 0.0


def _gradient(lab: Gray) -> Floats:
    """Strength of the strongest edge over lightness and colour (colour edges count double: less noise)."""
    strengths = []
    for channel, weight in zip(cv2.split(cv2.GaussianBlur(lab, (0, 0), 1.2)), (1.0, 2.0, 2.0), strict=True):
        dx = cv2.Sobel(channel, cv2.CV_32F, 1, 0, ksize=3)
        dy = cv2.Sobel(channel, cv2.CV_32F, 0, 1, ksize=3)
        strengths.append(cv2.magnitude(dx, dy) * weight)
    return cast(Floats, np.maximum.reduce(strengths))


def _quads(lab: Gray, gradient: Floats) -> Iterator[Corners]:
    for mask in _masks(lab, gradient):
        yield from _quads_of_mask(mask)
    yield from _quads_of_lines(lab)


def _masks(lab: Gray, gradient: Floats) -> Iterator[Gray]:
    """Binary pictures in which the card may be a filled blob."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    difference = _difference_to_mat(lab)
    for share in (0.7, 1.0, 1.4):
        level = max(6.0, share * _otsu(difference))
        mask = (difference > level).astype(np.uint8) * 255
        yield cast(Gray, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=2))
    for percentile in (86, 92, 96):
        edges = (gradient > np.percentile(gradient, percentile)).astype(np.uint8) * 255
        yield cast(Gray, cv2.morphologyEx(edges, cv2.MORPH_CLOSE, kernel))
    for channel in cv2.split(lab):
        _, otsu = cv2.threshold(cv2.GaussianBlur(channel, (5, 5), 0), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        mask = otsu.astype(np.uint8)
        yield mask
        yield 255 - mask


def _difference_to_mat(lab: Gray) -> Floats:
    """Distance of each pixel to the nearest of three colours that fill the border of the picture."""
    smooth = cv2.GaussianBlur(lab, (0, 0), 2.0).astype(np.float32)
    ring = np.concatenate(
        [
            smooth[:8].reshape(-1, 3),
            smooth[-8:].reshape(-1, 3),
            smooth[:, :8].reshape(-1, 3),
            smooth[:, -8:].reshape(-1, 3),
        ]
    )
    cv2.setRNGSeed(1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    start = np.zeros((0, 1), np.int32)
    _, labels, centres = cv2.kmeans(ring, 3, start, criteria, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels.ravel(), minlength=3) / len(ring)
    used = centres[shares > 0.15]
    return cast(Floats, np.min([np.linalg.norm(smooth - c, axis=2) for c in used], axis=0).astype(np.float32))


def _otsu(values: Floats) -> float:
    top = float(np.percentile(values, 99.5)) or 1.0
    level, _ = cv2.threshold(np.clip(values * (255 / top), 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return float(level) * top / 255


def _quads_of_mask(mask: Gray) -> Iterator[Corners]:
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    whole = mask.shape[0] * mask.shape[1]
    for contour in contours:
        if len(contour) < 8:
            continue
        hull = cv2.convexHull(contour)
        size = cv2.contourArea(hull)
        if not _LEAST_AREA * whole < size < _MOST_AREA * whole:
            continue
        rectangle = cv2.boxPoints(cv2.minAreaRect(hull)).astype(np.float32)
        if size > 0.8 * area(rectangle):
            yield rectangle
        polygon = cv2.approxPolyDP(hull, 0.04 * cv2.arcLength(hull, True), True)
        if len(polygon) == 4:
            yield polygon.reshape(4, 2).astype(np.float32)


def _segments(lab: Gray) -> Floats:
    """Straight edge segments (n, 4) x1 y1 x2 y2 of lightness and colour; faint ones too."""
    detector = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD)
    stretch = cv2.createCLAHE(2.0, (4, 3))
    found = [detector.detect(stretch.apply(cv2.GaussianBlur(c, (0, 0), 1.0)))[0] for c in cv2.split(lab)]
    parts = [f.reshape(-1, 4) for f in found if f is not None]
    return cast(Floats, np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 4), np.float32))


def _quads_of_lines(lab: Gray) -> Iterator[Corners]:
    """Rectangles from pairs of parallel long lines, for cards whose outline is broken or faint."""
    segments = _segments(lab)
    if not len(segments):
        return
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    lines = _distinct(segments[np.argsort(-lengths)])[:14]
    pairs = [p for p in combinations(lines, 2) if _parallel(*p)]
    for one, other in combinations(pairs, 2):
        quad = _cross(one, other)
        if quad is not None:
            yield quad


@dataclass(frozen=True, slots=True)
class _Line:
    angle: float  # 0..pi
    offset: float  # signed distance of the origin


def _distinct(segments: Floats) -> list[_Line]:
    """Infinite lines of the segments, longest first, near repeats left out."""
    lines: list[_Line] = []
    for x1, y1, x2, y2 in segments[:80]:
        angle = float(np.arctan2(y2 - y1, x2 - x1)) % np.pi
        offset = float(-np.sin(angle) * x1 + np.cos(angle) * y1)
        if all(_turn(angle, known.angle) > 0.06 or abs(abs(offset) - abs(known.offset)) > 6 for known in lines):
            lines.append(_Line(angle, offset))
    return lines


def _turn(one: float, other: float) -> float:
    turn = abs(one - other) % np.pi
    return float(min(turn, np.pi - turn))


def _parallel(one: _Line, other: _Line) -> bool:
    return _turn(one.angle, other.angle) < 0.17


def _cross(one: tuple[_Line, _Line], other: tuple[_Line, _Line]) -> Corners | None:
    """The quadrilateral of two pairs of lines that stand nearly square to each other."""
    if abs(_turn(one[0].angle, other[0].angle) - np.pi / 2) > 0.25:
        return None
    corners = [_meet(a, b) for a, b in ((one[0], other[0]), (one[0], other[1]), (one[1], other[1]), (one[1], other[0]))]
    return np.array(corners, np.float32)


def _meet(one: _Line, other: _Line) -> tuple[float, float]:
    normals = np.array([[-np.sin(one.angle), np.cos(one.angle)], [-np.sin(other.angle), np.cos(other.angle)]])
    x, y = np.linalg.solve(normals, np.array([one.offset, other.offset]))
    return float(x), float(y)


def arrange(corners: NDArray[Any]) -> Corners | None:
    """Corners clockwise, the first side a long one and as upright as can be; None when no card has this shape."""
    if not cv2.isContourConvex(corners.astype(np.float32)):
        return None
    ordered = corners.astype(np.float32)
    if cv2.contourArea(ordered, oriented=True) < 0:
        ordered = ordered[::-1]
    sides = np.linalg.norm(np.roll(ordered, -1, 0) - ordered, axis=1)
    if (
        sides.min() < 8
        or not 1.25 < (long := max(sides[0] + sides[2], sides[1] + sides[3])) / (sides.sum() - long) < 2.0
    ):
        return None
    if (
        max(sides[0], sides[2]) / min(sides[0], sides[2]) > 1.4
        or max(sides[1], sides[3]) / min(sides[1], sides[3]) > 1.4
    ):
        return None
    if sides[0] + sides[2] < sides[1] + sides[3]:
        ordered = np.roll(ordered, -1, 0)
    return _upright(ordered)


def _upright(ordered: Corners) -> Corners:
    """Of the two ways round, the one whose first side runs to the right."""
    return np.roll(ordered, 2, 0) if ordered[1, 0] < ordered[0, 0] else ordered


def _scored(quads: Iterator[Corners], lab: Gray) -> Iterator[_Proposal]:
    """Each plausible quadrilateral, pulled onto the nearest edges of the small picture, with its score; no repeats."""
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0).astype(np.float32)
    whole = lab.shape[0] * lab.shape[1]
    kept: list[Corners] = []
    for quad in quads:
        corners = arrange(quad)
        if corners is None or not _LEAST_AREA < area(corners) / whole < _MOST_AREA:
            continue
        if any(float(np.abs(corners - known).max()) < 4 for known in kept):
            continue
        kept.append(corners)
        pulled = arrange(_pull(lab, corners, 7.0))
        for choice in (corners, pulled):
            if choice is not None and _LEAST_AREA < area(choice) / whole < _MOST_AREA:
                yield _Proposal(choice, _support(choice, smooth))


def _grown(best: _Proposal, lab: Gray) -> _Proposal:
    """The proposal with one side moved to where the proportions are right, if that fits better (magnetic stripes)."""
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0).astype(np.float32)
    choices = [best]
    c = best.corners
    wide = float(np.linalg.norm(c[1] - c[0]) + np.linalg.norm(c[2] - c[3])) / 2
    high = float(np.linalg.norm(c[3] - c[0]) + np.linalg.norm(c[2] - c[1])) / 2
    for side in range(4):
        factor = wide / RATIO / high if side % 2 == 0 else high * RATIO / wide
        moved = c.copy()
        one, two = side, (side + 1) % 4
        moved[one] = c[side - 1] + (c[one] - c[side - 1]) * factor
        moved[two] = c[(side + 2) % 4] + (c[two] - c[(side + 2) % 4]) * factor
        pulled = _pull(lab, moved, 5.0)
        choices.append(_Proposal(pulled, _support(pulled, smooth)))
    return max(choices, key=lambda p: p.score)


def _support(corners: Corners, smooth: Floats) -> float:
    """How much of the outline lies on steps of one direction, 0..1.3; proportion and size count too."""
    height, width = smooth.shape[:2]
    shares = [_side_support(smooth, a, b) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    ratio = float((sides[0] + sides[2]) / (sides[1] + sides[3]))
    size = min(1.0, area(corners) / (height * width) / 0.25)
    return float(0.6 * np.mean(shares) + 0.4 * min(shares) - 1.0 * abs(ratio / RATIO - 1) + 0.3 * size)


def _side_support(smooth: Floats, start: Corners, end: Corners) -> float:
    """Share of a side at which the picture steps, in the same direction along the side, in its best channel."""
    height, width = smooth.shape[:2]
    along = (end - start) / max(1e-6, float(np.linalg.norm(end - start)))
    normal = np.array([-along[1], along[0]], np.float32)
    points = start + (end - start) * np.linspace(0.08, 0.92, 48, dtype=np.float32)[:, None]
    inner, outer = points + 1.8 * normal, points - 1.8 * normal
    inside = (np.minimum(inner, outer) >= 0).all(1) & (np.maximum(inner, outer) < (width - 1, height - 1)).all(1)
    # A side outside the picture is neither proof nor disproof.
    benefit = 0.6 * float((~inside).mean())
    if not inside.any():
        return benefit
    a, b = inner[inside].round().astype(int), outer[inside].round().astype(int)
    step = smooth[a[:, 1], a[:, 0]] - smooth[b[:, 1], b[:, 0]]
    best = max(float((step * sign > _STEP).mean(axis=0).max()) for sign in (1, -1))
    return benefit + best * float(inside.mean())


def refine(picture: Colour, corners: Corners) -> Corners:
    """Corners to a fraction of a pixel: each side is fitted to the strongest edge across it, then sides are crossed."""
    reach = max(4.0, 0.012 * float(np.linalg.norm(corners[1] - corners[0])))
    for pull in (reach, reach / 3):
        corners = _pull(picture, corners, pull)
    return corners


def _pull(picture: Colour, corners: Corners, reach: float) -> Corners:
    """Corners with each side moved onto the edge within `reach` pixels; unchanged where that makes no sense."""
    sides = [_fit_side(picture, a, b, reach) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    if any(_parallel(sides[i - 1], sides[i]) for i in range(4)):
        return corners
    moved = np.array([_meet(sides[i - 1], sides[i]) for i in range(4)], np.float32)
    return moved if float(np.abs(moved - corners).max()) < 3 * reach else corners


def _fit_side(picture: Colour, start: Corners, end: Corners, reach: float) -> _Line:
    """The line through the strongest edge points within `reach` pixels of a side, robust to a thumb on it."""
    along = (end - start) / max(1e-6, float(np.linalg.norm(end - start)))
    normal = np.array([-along[1], along[0]], np.float32)
    steps = np.linspace(0.07, 0.93, 64, dtype=np.float32)
    across = np.arange(-reach, reach + 0.5, 0.5, dtype=np.float32)
    points = (start + (end - start) * steps[:, None])[:, None, :] + normal * across[None, :, None]
    x, y = np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])
    patch = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(patch.astype(np.float32), (0, 0), sigmaX=1.5, sigmaY=1.0)
    strength = np.abs(np.gradient(smooth, axis=1)).sum(axis=2)
    best = strength.argmax(axis=1)
    weight = strength.max(axis=1)
    keep = weight > 0.35 * np.median(weight)
    shift, slope = _robust_line(steps[keep], across[best][keep])
    first, last = start + normal * shift, end + normal * (shift + slope)
    angle = float(np.arctan2(last[1] - first[1], last[0] - first[0]))
    return _Line(angle, float(-np.sin(angle) * first[0] + np.cos(angle) * first[1]))


def _robust_line(at: Floats, value: Floats) -> tuple[float, float]:
    """Intercept and slope of value over at: the pair of points with most followers, then least squares over those."""
    count = len(at)
    rows, columns = np.triu_indices(count, k=max(1, count // 4))
    if count < 8 or not len(rows):
        return float(np.median(value)) if count else 0.0, 0.0
    slopes = (value[columns] - value[rows]) / (at[columns] - at[rows])
    starts = value[rows] - slopes * at[rows]
    misses = np.abs(value[None, :] - starts[:, None] - slopes[:, None] * at[None, :])
    chosen = int(np.minimum(misses, 1.5).sum(axis=1).argmin())
    near = misses[chosen] < 1.5
    if near.sum() < 4:
        return float(starts[chosen]), float(slopes[chosen])
    slope, intercept = np.polyfit(at[near], value[near], 1)
    return float(intercept), float(slope)
