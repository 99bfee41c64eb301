"""Quadrilaterals on a small picture that may be the card: blobs of several masks, and crossings of straight lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.picture.pixels import RATIO, Corners, Floats, Gray, percentiles

_LEAST_AREA, _MOST_AREA = 0.012, 0.98
_MOST_LINES = 18
_COLOURS = 4
_EVERY = 2  # rows and columns that tell how strong the strongest edges are
_SQUARE = 0.25  # radians by which the corners of a card may differ from right angles


def quads_of_blobs(lab: Gray, unlike: Floats) -> Floats:
    """Outlines (n, 4, 2) of the blobs that differ from the mat, are rimmed by edges, or are light or dark."""
    found = [quad for mask in _masks(lab, unlike) for quad in _quads_of_mask(mask)]
    return cast(Floats, np.stack(found)) if found else np.zeros((0, 4, 2), np.float32)


def quads_of_even_parts(lab: Gray) -> Floats:
    """Outlines (n, 4, 2) of parts without edges, and of parts of one colour: a card on wood as brown as it is has an
    even ground, and the mat has none.
    """
    gradient, kernel = _gradient(lab), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    even = (gradient <= percentiles(gradient[::_EVERY, ::_EVERY], 50)[0]).astype(np.uint8) * 255
    masks = [cv2.morphologyEx(even, cv2.MORPH_OPEN, kernel, iterations=2)]
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.5).astype(np.float32)
    centres = _colours(np.ascontiguousarray(smooth[::3, ::3].reshape(-1, 3)), _COLOURS)[1]
    nearest = np.stack([_squared(cv2.split(smooth), centre) for centre in centres]).argmin(axis=0)
    for colour in range(_COLOURS):
        alike = (nearest == colour).astype(np.uint8) * 255
        masks.append(cv2.morphologyEx(alike, cv2.MORPH_OPEN, kernel, iterations=3))
    found = [quad for mask in masks for quad in _quads_of_mask(cast(Gray, mask))]
    return cast(Floats, np.stack(found)) if found else np.zeros((0, 4, 2), np.float32)


def _gradient(lab: Gray) -> Floats:
    """Strength of the strongest edge over lightness and colour (colour edges count double: less noise)."""
    strengths = []
    for channel, weight in zip(cv2.split(cv2.GaussianBlur(lab, (0, 0), 1.2)), (1.0, 2.0, 2.0), strict=True):
        dx = cv2.Sobel(channel, cv2.CV_32F, 1, 0, ksize=3)
        dy = cv2.Sobel(channel, cv2.CV_32F, 0, 1, ksize=3)
        strengths.append(cv2.magnitude(dx, dy) * weight)
    return cast(Floats, np.maximum.reduce(strengths))


def _masks(lab: Gray, unlike: Floats) -> Iterator[Gray]:
    """Binary pictures in which the card may be a filled blob."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    gradient = _gradient(lab)
    parting = _otsu(unlike)
    for share in (0.7, 1.0, 1.4):
        level = max(6.0, share * parting)
        mask = (unlike > level).astype(np.uint8) * 255
        yield cast(Gray, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=2))
    for level in percentiles(gradient[::_EVERY, ::_EVERY], 86, 92, 96):
        edges = (gradient > level).astype(np.uint8) * 255
        yield cast(Gray, cv2.morphologyEx(edges, cv2.MORPH_CLOSE, kernel))
    for channel in cv2.split(lab):
        _, otsu = cv2.threshold(cv2.GaussianBlur(channel, (5, 5), 0), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        mask = otsu.astype(np.uint8)
        yield mask
        yield 255 - mask


def unlike_mat(lab: Gray) -> Floats:
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
    labels, centres = _colours(ring, 3)
    shares = np.bincount(labels.ravel(), minlength=3) / len(ring)
    channels = cv2.split(smooth)
    nearest = np.minimum.reduce([_squared(channels, c) for c in centres[shares > 0.15]])
    return cast(Floats, np.sqrt(nearest))


def _colours(levels: Floats, count: int) -> tuple[NDArray[np.int32], Floats]:
    """Levels (n, 3) as `count` colours: which each is of, and the colours (count, 3). Always the same."""
    cv2.setRNGSeed(1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, labels, centres = cv2.kmeans(levels, count, np.zeros((0, 1), np.int32), criteria, 1, cv2.KMEANS_PP_CENTERS)
    return cast(NDArray[np.int32], labels), cast(Floats, centres)


def _squared(channels: Sequence[cv2.typing.MatLike], centre: Floats) -> Floats:
    """The squared distance (h, w) of each pixel to a colour: channel by channel, a quarter of the time."""
    total, off = np.zeros((2, *channels[0].shape), np.float32)
    for channel, level in zip(channels, centre, strict=True):
        np.subtract(channel, level, out=off)
        off *= off
        total += off
    return cast(Floats, total)


def _otsu(values: Floats) -> float:
    top = percentiles(values[::_EVERY, ::_EVERY], 99.5)[0] or 1.0
    level, _ = cv2.threshold(np.clip(values * (255 / top), 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return float(level) * top / 255


def _quads_of_mask(mask: Gray) -> Iterator[Corners]:
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    whole = mask.shape[0] * mask.shape[1]
    for contour in contours:
        _, _, width, height = cv2.boundingRect(contour)
        if len(contour) < 8 or width * height <= _LEAST_AREA * whole:
            continue
        hull = cv2.convexHull(contour)
        size = cv2.contourArea(hull)
        if not _LEAST_AREA * whole < size < _MOST_AREA * whole:
            continue
        rectangle = cv2.boxPoints(cv2.minAreaRect(hull)).astype(np.float32)
        if size > 0.8 * cv2.contourArea(rectangle):
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


def quads_of_lines(lab: Gray) -> Floats:
    """Rectangles of long straight lines, for cards whose outline is broken, faint, or cut off by the picture.

    Two pairs of parallels; or one pair and one line across them, prolonged to a card's proportions.
    """
    segments = _segments(lab)
    if not len(segments):
        return np.zeros((0, 4, 2), np.float32)
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    lines = _distinct(segments[np.argsort(-lengths)])
    one, other = np.triu_indices(len(lines), 1)
    parallel = _turns(lines[one, 0], lines[other, 0]) < 0.17
    pairs = np.stack([lines[one[parallel]], lines[other[parallel]]], axis=1)  # (n, 2, 2)
    first, second = np.triu_indices(len(pairs), 1)
    square = _are_square(pairs[first, 0, 0], pairs[second, 0, 0])
    crossed = np.concatenate([pairs[first[square]], pairs[second[square]]], axis=1)
    pair, line = np.nonzero(_are_square(pairs[:, 0, 0][:, None], lines[None, :, 0]))
    opened = np.concatenate([pairs[pair], lines[line][:, None]], axis=1)
    return np.concatenate([_crossed(crossed), _prolonged(opened)]).astype(np.float32)


def _distinct(segments: Floats) -> NDArray[np.float64]:
    """The endless lines (n, 2) of the segments, longest first, near repeats left out: direction 0..pi, signed distance
    from the origin.
    """
    lines = np.empty((_MOST_LINES, 2))
    found = 0
    for x1, y1, x2, y2 in segments[:90].tolist():
        angle = float(np.arctan2(y2 - y1, x2 - x1)) % np.pi
        offset = float(-np.sin(angle) * x1 + np.cos(angle) * y1)
        known = lines[:found]
        if np.all((_turns(angle, known[:, 0]) > 0.06) | (np.abs(abs(offset) - np.abs(known[:, 1])) > 6)):
            lines[found] = angle, offset
            found += 1
        if found == _MOST_LINES:
            break
    return lines[:found]


def _turns(one: NDArray[np.float64] | float, other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles between directions, 0..pi/2."""
    turn = np.abs(one - other) % np.pi
    return np.minimum(turn, np.pi - turn)


def _are_square(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.abs(_turns(one, other) - np.pi / 2) < _SQUARE


def _crossed(pairs: NDArray[np.float64]) -> Floats:
    """Corners of two pairs of parallels (n, 4, 2), a b c d: a-c, a-d, b-d, b-c."""
    a, b, c, d = pairs.transpose(1, 0, 2)
    return cast(Floats, np.stack([_meet(a, c), _meet(a, d), _meet(b, d), _meet(b, c)], axis=1))


def _prolonged(triples: NDArray[np.float64]) -> Floats:
    """From two parallels a, b and c across them (n, 3, 2): a card on either side of c, lying along or across the
    parallels.
    """
    a, b, c = triples.transpose(1, 0, 2)
    one, other = _meet(a, c), _meet(b, c)
    across = other - one
    normal = np.stack([-across[:, 1], across[:, 0]], axis=1)
    lengths = (RATIO, -RATIO, 1 / RATIO, -1 / RATIO)
    cards = [np.stack([one, other, other + normal * n, one + normal * n], axis=1) for n in lengths]
    return cast(Floats, np.concatenate(cards))


def _meet(one: Floats, other: Floats) -> Floats:
    """Where lines (n, 2) of direction and offset cross: (n, 2)."""
    s1, c1, s2, c2 = np.sin(one[:, 0]), np.cos(one[:, 0]), np.sin(other[:, 0]), np.cos(other[:, 0])
    det = -s1 * c2 + c1 * s2
    x = (one[:, 1] * c2 - other[:, 1] * c1) / det
    y = (-s1 * other[:, 1] + s2 * one[:, 1]) / det
    return cast(Floats, np.stack([x, y], axis=1))


def arrange(quads: Floats) -> Floats:
    """Those of the quadrilaterals (n, 4, 2) that have a card's shape: clockwise, the first side a long one and as
    upright as can be.
    """
    if not len(quads):
        return quads
    x, y = quads[..., 0], quads[..., 1]
    signed = (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1)
    ordered = np.where((signed < 0)[:, None, None], quads[:, ::-1], quads)
    d = np.roll(ordered, -1, axis=1) - ordered
    e = np.roll(d, -1, axis=1)
    convex = (d[..., 0] * e[..., 1] - d[..., 1] * e[..., 0] > 0).all(axis=1)
    sides = np.linalg.norm(d, axis=2)
    one, other = sides[:, 0] + sides[:, 2], sides[:, 1] + sides[:, 3]
    ratio = np.maximum(one, other) / np.maximum(1e-6, np.minimum(one, other))
    opposite = np.maximum(sides, np.roll(sides, 2, axis=1)) / np.maximum(1e-6, np.minimum(sides, np.roll(sides, 2, 1)))
    fine = convex & (sides.min(axis=1) >= 8) & (ratio > 1.25) & (ratio < 2.0) & (opposite.max(axis=1) < 1.4)
    ordered = np.where((one < other)[:, None, None], np.roll(ordered, -1, axis=1), ordered)
    ordered = np.where((ordered[:, 1, 0] < ordered[:, 0, 0])[:, None, None], np.roll(ordered, 2, axis=1), ordered)
    return cast(Floats, ordered[fine].astype(np.float32))
