"""The pictures of doubtful characters that a person is shown, enlarged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cv2
import numpy as np

from app.core.cards import LINE, Crop, FieldState
from app.vision.decoding.fuse import Fused
from app.vision.fields.spots import Spot
from app.vision.lengths import InLength
from app.vision.picture.pixels import Colour, Gray, grey, png

_FRAME = (87, 203, 255)
"""Amber (BGR), as the screen marks a doubtful character."""

CROP_H = 168
_LINE_H = 96


def crops_of(
    name: str, fused: Fused, lengths: Sequence[InLength], spots: Sequence[Spot | None], best: int
) -> Iterable[Crop]:
    """The picture of each doubtful character with its neighbours, from the best look that shows the field; where its
    length is open in every length, and the whole line.
    """
    spot = spots[best] or next((s for s in spots if s is not None), None)
    if spot is None or fused.reading.state is not FieldState.DOUBTFUL:
        return  # nobody is asked which of these it is
    others = [one.fused for one in lengths if len(one.fused.reading.chars) != len(fused.reading.chars)]
    for one in (fused, *others):
        chars = one.reading.chars
        if one.lead is not None and len(one.lead.spans) == len(chars):
            for at in one.reading.doubts:
                shown = around(spot.picture, one.lead.spans, at, one.lead.steps)
                yield Crop(name, at, png(shown), len(chars))
    if lengths or fused.reading.wholes:
        scale = _LINE_H / spot.picture.shape[0]
        line = cv2.resize(spot.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        yield Crop(name, LINE, png(np.ascontiguousarray(line, np.uint8)))


def between_gaps(shade: Gray, middle: float, pitch: float) -> int:
    """The middle of a character in pixels: moved by less than half a pitch to where paper, not ink, stands on both
    sides of it. Steps of a lattice say only roughly where a character is."""
    ink = np.abs(shade.astype(np.float32) - np.median(shade)).mean(axis=0)
    smooth = cv2.blur(ink[None, :], (max(1, round(0.16 * pitch)) | 1, 1))[0]
    reach = int(0.45 * pitch)
    places = np.arange(round(middle) - reach, round(middle) + reach + 1)
    left, right = places - 0.5 * pitch, places + 0.5 * pitch
    edges = [smooth[np.clip(np.round(side), 0, len(smooth) - 1).astype(int)] for side in (left, right)]
    away = np.abs(places - middle) / max(1.0, pitch) * float(smooth.max()) * 0.2
    return int(np.clip(places[int(np.argmin(edges[0] + edges[1] + away))], 0, shade.shape[1]))


def around(picture: Colour, spans: Sequence[tuple[int, int]], position: int, steps: int) -> Colour:
    """The character in the middle, marked, half a neighbour on either side, enlarged."""
    height, width = picture.shape[:2]
    to_px = width / max(1, steps)
    middles = [(first + last) / 2 * to_px for first, last in spans]
    gaps = sorted(b - a for a, b in pairwise(middles))
    pitch = gaps[len(gaps) // 2] if gaps else 0.7 * height
    half = round(max(12.0, 0.67 * height))
    margin = cv2.copyMakeBorder(picture, 0, 0, half, half, cv2.BORDER_REPLICATE)
    middle = half + between_gaps(grey(picture), min(max(0.0, middles[position]), width), pitch)
    scale = CROP_H / height
    cut = margin[:, middle - half : middle + half]
    shown = cv2.resize(cut, (round(2 * half * scale), CROP_H), interpolation=cv2.INTER_CUBIC)
    reach = round(min(0.62 * pitch, 0.9 * half) * scale)
    centre = shown.shape[1] // 2
    cv2.rectangle(shown, (centre - reach, 6), (centre + reach, CROP_H - 7), _FRAME, 3, cv2.LINE_AA)
    return np.ascontiguousarray(shown, np.uint8)
