"""Find the card on any mat: an ID-1 rectangle, turned, tilted, partly under a thumb, dark on dark.

Several cheap strategies propose quadrilaterals on a small picture; each is held against the edges it claims to have;
the best is refined to a fraction of a pixel on the full picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import cast

import cv2
import numpy as np

from app.vision.card.borders import lies_on_border
from app.vision.card.outline import Scene, area, lies_apart, pull, supports
from app.vision.card.proposals import arrange, quads_of_blobs, quads_of_even_parts, quads_of_lines, unlike_mat
from app.vision.picture.pixels import RATIO, Colour, Corners, Floats, Gray

SMALL_W = 480
"""Width at which quadrilaterals are proposed."""

_MOST_H = 1120
"""Height of that small picture at most, as of a telephone's upright one: a longer picture is made smaller still."""

_MOST_LARGER = 2.0  # a picture narrower than half of that is enlarged no further

MIN_AREA = 0.035
"""Share of the picture below which a card is too far away to be read (under 5 pixels a millimetre at 1080p)."""

_LEAST_AREA, _MOST_AREA = 0.012, 1.6  # a card may reach beyond the picture
_LEAST_SUPPORT = 0.66
_PLAIN = 1.18  # support from which an outline needs no second search
_AROUND = 0.2  # support that an outline around another may lack
_UNPULLED = 0.05  # what an outline loses that does not stand on the nearest edges
_APART = 3  # further outlines that lie elsewhere: a second card
_TRIED = 10  # outlines that are pulled onto their edges


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


def locate(picture: Colour) -> Located:
    """Where the card lies in a colour picture of any size."""
    height, width = picture.shape[:2]
    scale = min(SMALL_W / width, _MOST_H / height, _MOST_LARGER)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    lab = cast(Gray, cv2.cvtColor(small, cv2.COLOR_BGR2LAB))
    scene = Scene(lab, cast(Gray, cv2.GaussianBlur(lab, (0, 0), 1.0)), unlike_mat(lab))
    quads, scores = _judged(quads_of_blobs(lab, scene.unlike), scene)
    if not len(scores) or scores[0] < _PLAIN:
        quads, scores = _with((quads, scores), _judged(quads_of_lines(lab), scene))
    if not len(scores) or scores[0] < _LEAST_SUPPORT or _reaches_out(quads[0], scene.size):
        quads, scores = _with((quads, scores), _judged(quads_of_even_parts(lab), scene))
    if not len(scores) or scores[0] < _LEAST_SUPPORT:
        return Located(Found.NONE)
    best, support = _grown(quads[_outermost(quads, scores)], scene)
    corners = refine(picture, best / np.float32(scale))
    return Located(_judge(best, corners, picture, scene, quads, scores), corners, support)


def refine(picture: Colour, corners: Corners) -> Corners:
    """Corners to a fraction of a pixel: each side is fitted to the strongest edge across it, then sides are crossed."""
    reach = max(4.0, 0.012 * float(np.linalg.norm(corners[1] - corners[0])))
    for within in (reach, reach / 3):
        corners = pull(picture, corners[None], within, samples=64)[0]
    return corners


def _judged(proposed: Floats, scene: Scene) -> tuple[Floats, Floats]:
    """The likeliest outlines, as proposed and pulled onto the edges near by, with their support, best first."""
    quads = _of_size(arrange(proposed), scene)
    quads = _distinct(quads, supports(quads, scene))
    pulled = _of_size(arrange(pull(scene.lab, quads, 7.0)), scene)
    both = np.concatenate([pulled, quads])
    # A blob's rim lies a little off the edge and is no worse supported there where the edge is strong.
    scores = supports(both, scene) - np.where(np.arange(len(both)) < len(pulled), 0.0, _UNPULLED)
    order = np.argsort(-scores, kind="stable")
    return both[order], scores[order]


def _with(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Outlines and their support of two searches, best first."""
    quads, scores = (np.concatenate(both) for both in zip(one, other, strict=True))
    order = np.argsort(-scores, kind="stable")
    return quads[order], scores[order]


def _of_size(quads: Floats, scene: Scene) -> Floats:
    """Outlines that are neither tiny nor larger than any card may be."""
    whole = scene.size[0] * scene.size[1]
    sizes = np.array([area(q) for q in quads]) / whole
    return quads[(sizes > _LEAST_AREA) & (sizes < _MOST_AREA)] if len(quads) else quads


def _distinct(quads: Floats, scores: Floats) -> Floats:
    """The best supported outlines, near repeats left out."""
    kept: list[Corners] = []
    for at in np.argsort(-scores, kind="stable"):
        if all(float(np.abs(quads[at] - known).max()) >= 4 for known in kept):
            kept.append(quads[at])
        if len(kept) == _TRIED:
            break
    if not kept:
        return quads
    ranked = (quads[at] for at in np.argsort(-scores, kind="stable"))
    apart = islice((q for q in ranked if lies_apart(kept[0], q)), _APART)
    return np.stack([*kept, *apart])


def _outermost(quads: Floats, scores: Floats) -> int:
    """Which outline is the card: the best, or one around it that is hardly worse (panels and plates lie on cards)."""
    chosen = 0
    for at in range(1, len(quads)):
        if scores[at] < scores[0] - _AROUND:
            break
        around = area(quads[at]) > 1.5 * area(quads[chosen])
        if around and all(cv2.pointPolygonTest(quads[at], tuple(map(float, c)), True) > -4 for c in quads[chosen]):
            chosen = at
    return chosen


def _grown(best: Corners, scene: Scene) -> tuple[Corners, float]:
    """The outline with one side moved to where the proportions are right, if that fits better (magnetic stripes)."""
    wide = float(np.linalg.norm(best[1] - best[0]) + np.linalg.norm(best[2] - best[3])) / 2
    high = float(np.linalg.norm(best[3] - best[0]) + np.linalg.norm(best[2] - best[1])) / 2
    choices = [best]
    for side in range(4):
        factor = wide / RATIO / high if side % 2 == 0 else high * RATIO / wide
        moved = best.copy()
        one, two, across = side, (side + 1) % 4, (side + 2) % 4
        moved[one] = best[side - 1] + (best[one] - best[side - 1]) * factor
        moved[two] = best[across] + (best[two] - best[across]) * factor
        choices.append(moved)
    pulled = np.concatenate([best[None], pull(scene.lab, np.stack(choices), 5.0)])
    scores = supports(pulled, scene)
    chosen = int(scores.argmax())
    return pulled[chosen], float(scores[chosen])


def _reaches_out(corners: Corners, size: tuple[int, int]) -> bool:
    """Whether a corner lies beyond the picture by more than a fiftieth of its width."""
    margin = 0.02 * size[0]
    return bool(((corners < -margin) | (corners > np.array(size) + margin)).any())


def _judge(best: Corners, corners: Corners, picture: Colour, scene: Scene, quads: Floats, scores: Floats) -> Found:
    height, width = picture.shape[:2]
    if _reaches_out(corners, (width, height)) or lies_on_border(corners, (width, height)):
        return Found.CUT_OFF
    within = [not _reaches_out(q, scene.size) for q in quads]
    if _second_card(best, quads[within], scores[within]):
        return Found.TWO
    return Found.TOO_FAR if area(corners) < MIN_AREA * height * width else Found.ONE


def _second_card(best: Corners, quads: Floats, scores: Floats) -> bool:
    """A second rectangle of the same size, clearly apart and nearly as well supported."""
    least = max(0.8, float(scores.max(initial=0.0)) - 0.15)
    for other, score in zip(quads, scores, strict=True):
        alike = 0.6 < area(other) / area(best) < 1.67
        if score > least and alike and lies_apart(best, other):
            return True
    return False
