"""Pictures that hide the end of a card's line: cropped through it, or with something laid over it.

`field` is "number" or "pin"; `share` how much of the line stays, from its first character.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from app.vision.picture.pixels import Colour, Corners, Floats

TONES = {"paper": 235, "dark": 40, "sticker": 225}
SKIN = (125, 150, 205)
_FINGER_MM = 8.0  # half as wide
_STICKER_MM = (8.0, 30.0)
_SHEET_MM = (40.0, 60.0)  # to either side of the line, and along it
_CARD_MM = (27.0, 85.6)

Labels = dict[str, Any]


def cropped(picture: Colour, labels: Labels, field: str, share: float) -> Colour:
    """The picture cut across the line, the side with its end away."""
    corners = _quad(labels, field)
    at, way = corners[0] * (1 - share) + corners[1] * share, corners[1] - corners[0]
    if abs(way[0]) > abs(way[1]):
        part = picture[:, : int(at[0])] if way[0] > 0 else picture[:, int(at[0]) :]
    else:
        part = picture[: int(at[1])] if way[1] > 0 else picture[int(at[1]) :]
    return np.ascontiguousarray(part)


def covered(picture: Colour, labels: Labels, field: str, kind: str, share: float) -> Colour:
    """The picture with paper, something dark or a sticker over the line's end."""
    place = _place(labels, field, share, *(_STICKER_MM if kind == "sticker" else _SHEET_MM))
    return _laid(picture, np.full_like(picture, TONES[kind]), _shape(picture, place), labels)


def under_a_finger(picture: Colour, labels: Labels, field: str, share: float) -> Colour:
    """The picture with a finger's tip over the line's end, which comes from below."""
    corners, per_mm = _quad(labels, field), float(labels["px_per_mm"])
    way = corners[1] - corners[0]
    along = way / np.linalg.norm(way)
    down = np.array([-along[1], along[0]], np.float32)
    tip = corners.mean(axis=0) + (share - 0.5) * way + _FINGER_MM * per_mm * along
    shape = np.zeros(picture.shape[:2], np.float32)
    far = tip + 100 * per_mm * (0.5 * along + down)
    ends = [tuple(int(v) for v in np.round(point)) for point in (tip, far)]
    cv2.line(shape, ends[0], ends[1], 1.0, round(2 * _FINGER_MM * per_mm))
    return _laid(picture, np.full_like(picture, SKIN), shape, labels)


def under_slanting_paper(picture: Colour, labels: Labels, field: str, share: float, slant: float) -> Colour:
    """The picture with paper over the line's end whose edge is turned by `slant` (radians) against upright."""
    place = _place(labels, field, share, *_SHEET_MM)
    middle = (place[0] + place[3]) / 2
    turn = np.array([[np.cos(slant), np.sin(slant)], [-np.sin(slant), np.cos(slant)]], np.float32)
    turned = np.asarray((place - middle) @ turn + middle, np.float32)
    return _laid(picture, np.full_like(picture, TONES["paper"]), _shape(picture, turned), labels)


def under_a_card(picture: Colour, labels: Labels, field: str, other: tuple[Colour, Labels], share: float) -> Colour:
    """The picture with another one's card over the line's end."""
    above, its = other
    place = _place(labels, field, share, *_CARD_MM)
    bent = cv2.getPerspectiveTransform(np.array(its["card_quad"], np.float32), place)
    size = (picture.shape[1], picture.shape[0])
    return _laid(picture, np.asarray(cv2.warpPerspective(above, bent, size), np.uint8), _shape(picture, place), labels)


def _quad(labels: Labels, field: str) -> Corners:
    return np.array(labels[f"{field}_quad"], np.float32)


def _place(labels: Labels, field: str, share: float, half_mm: float, along_mm: float) -> Corners:
    """A rectangle across the line, from a share of it on; its corners as a card's are numbered."""
    quad, per_mm = _quad(labels, field), float(labels["px_per_mm"])
    way = quad[1] - quad[0]
    along = way / np.linalg.norm(way)
    down = np.array([-along[1], along[0]], np.float32)
    begin, wide, high = quad[0] + share * way, along_mm * per_mm * along, half_mm * per_mm * down
    return np.array([begin - high, begin + wide - high, begin + wide + high, begin + high], np.float32)


def _shape(picture: Colour, place: Corners) -> Floats:
    shape = np.zeros(picture.shape[:2], np.float32)
    cv2.fillConvexPoly(shape, np.round(place).astype(np.int32), 1.0)
    return shape


def _laid(picture: Colour, above: Colour, shape: Floats, labels: Labels) -> Colour:
    """What lies above where a shape is 1, with a soft shadow."""
    shadow = 1 - 0.3 * cv2.GaussianBlur(shape, (0, 0), 0.8 * float(labels["px_per_mm"]))[..., None]
    soft = cv2.GaussianBlur(shape, (0, 0), 0.8)[..., None]
    return np.asarray(picture * shadow * (1 - soft) + above * soft, np.uint8)
