"""What is painted over before a picture may be kept for review, and the painting. Pure; time comes in as numbers.

The eye tells a `Word` for some frames: where a card lies and which of its fields must not be seen. A frame between
two words is covered by both. Whenever that is not sure, more is covered, never less:

    both words, same place, fields known     the fields                                         "fields"
    both words, same place, fields unknown   the card's whole face                              "card"
    it moved, or anything else does          the hull of its places around that time, enlarged  "moving"
    it came or went, or left a moment ago    the mat                                            "passing"
    two cards, cut off, place unknown        the mat                                            "unclear"
    no word by the deadline                  the mat: where a card lay, it need not lie still    "silent"
    both "empty", long apart                 the mat: a card may have come and gone unseen       "silent"

The mat is the whole picture unless a smaller one is given. A card's fields are covered from the first moment that it
is in view, whether or not its coating is whole: what happens to a coating between two words, nobody has seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core.cards import Point, Quad
from app.frames import Plane, split_planes

AROUND_US = 500_000
"""A card seen this shortly before or after a frame may be in it although the nearest words say "none"."""

SILENT_US = 1_300_000
"""Two words further apart than this say nothing about the frames between them; one long look takes about a second."""

_VISIT_US = 500_000
"""Between two words "empty" further apart than this a hand may have brought a card and taken it away again."""

_LAG_US = 300_000  # a moving card's place is looked for each 0.13 s and takes some time to find
_STALE_US = 150_000  # after the newest word, it holds for so long where nothing moved
_SAME_PLACE = 0.012  # of the picture's width: what a corner jitters while the card lies still
_BLOCK = (40, 118, 138)  # Y, U, V of the blocks: a dark red-grey that no scene has by itself

MARGIN_PX, MARGIN_SHARE = 6, 0.35
"""A field is covered with this margin on all sides: so many pixels, and so much of its shorter side."""

Outline = tuple[Point, ...]
"""A convex outline in frame pixels."""


@dataclass(frozen=True, slots=True)
class Word:
    """What the eye says of one frame. `calm`: nothing moved, so that places are exact. `hide`: fields to cover, ()
    when they are not known. `empty`: certainly no card; a card None that is not empty lies nobody knows where.
    """

    frame_us: int
    card: Quad | None
    empty: bool
    calm: bool
    hide: tuple[Quad, ...] = ()


@dataclass(frozen=True, slots=True)
class Cover:
    """What to paint over one frame and why; `reason` "" paints nothing."""

    reason: str
    outlines: tuple[Outline, ...] = ()


CLEAR = Cover("")


def cover(words: Sequence[Word], at_us: int, width: int, height: int, mat: Quad | None = None) -> Cover:
    """What must be covered in the frame of time `at_us`; `words` in order of time, as many as have come by now."""
    whole = mat or _picture(width, height)
    before = next((word for word in reversed(words) if word.frame_us <= at_us), None)
    after = next((word for word in words if word.frame_us >= at_us), None)
    if after is None and before is not None and before.calm and at_us - before.frame_us <= _STALE_US:
        after = before
    if before is None or after is None or after.frame_us - before.frame_us > SILENT_US:
        return Cover("silent", (whole,))
    if before.card is None or after.card is None:
        return _no_card(words, before, after, at_us, whole)
    same = _same_place(before.card, after.card, _SAME_PLACE * width)
    if not same or not (before.calm and after.calm):
        return _moving([word for word in words if abs(word.frame_us - at_us) <= AROUND_US], before, after, at_us, whole)
    return _still(before, after)


def covered_whole(width: int, height: int) -> Cover:
    """All of a picture, where the words that there are speak of another view."""
    return Cover("unclear", (_picture(width, height),))


def _picture(width: int, height: int) -> Outline:
    return (0, 0), (width, 0), (width, height), (0, height)


def _moving(near: Sequence[Word], before: Word, after: Word, at_us: int, whole: Outline) -> Cover:
    """While something moves the eye finds the card only now and then and repeats the old place in between."""
    if any(word.card is None for word in near):
        return Cover("passing", (whole,))
    places = [word.card for word in near if word.card and abs(word.frame_us - at_us) <= _LAG_US]
    places += [word.card for word in (before, after) if word.card]
    return Cover("moving", (_hull([point for place in places for point in _scaled(place, 1.25)]),))


def _still(before: Word, after: Word) -> Cover:
    """The card lies where it lay: fields that one of the words knows hold for the other."""
    assert before.card is not None
    assert after.card is not None
    known = [word.hide for word in (before, after) if word.hide]
    if not known:
        return Cover("card", (_hull((*_scaled(before.card, 1.1), *_scaled(after.card, 1.1))),))
    return Cover("fields", tuple(_grown(quad) for quad in dict.fromkeys(quad for hide in known for quad in hide)))


def _no_card(words: Sequence[Word], before: Word, after: Word, at_us: int, whole: Outline) -> Cover:
    if not (before.empty or before.card) or not (after.empty or after.card):
        return Cover("unclear", (whole,))
    if before.empty and after.empty and after.frame_us - before.frame_us > _VISIT_US:
        return Cover("silent", (whole,))
    near = (word for word in words if abs(word.frame_us - at_us) <= AROUND_US)
    passing = before.card or after.card or any(not word.empty for word in near)
    return Cover("passing", (whole,)) if passing else CLEAR


def paint(planes: Plane, width: int, height: int, outlines: Iterable[Outline]) -> None:
    """Fill the outlines with one solid colour, in place. `planes`: flat Y, U, V, width*height*3/2 bytes."""
    for outline in outlines:
        for plane, level, step in zip(split_planes(planes, width, height), _BLOCK, (1, 2, 2), strict=True):
            _fill(plane, [(x / step, y / step) for x, y in outline], level)


def _fill(plane: Plane, outline: Sequence[Point], level: int) -> None:
    """A convex outline, row by row; a pixel that it touches counts as inside."""
    rows, columns = plane.shape
    top = max(0, math.floor(min(y for _, y in outline)))
    bottom = min(rows, math.ceil(max(y for _, y in outline)))
    for row in range(top, bottom):
        span = _span(outline, row, row + 1)
        if span is not None:
            plane[row, max(0, math.floor(span[0])) : max(0, min(columns, math.ceil(span[1])))] = level


def _span(outline: Sequence[Point], top: float, bottom: float) -> tuple[float, float] | None:
    """How far the part of the outline between two heights reaches to the left and right."""
    xs: list[float] = []
    for (x0, y0), (x1, y1) in zip(outline, (*outline[1:], outline[0]), strict=True):
        low, high = max(top, min(y0, y1)), min(bottom, max(y0, y1))
        if low > high:
            continue
        if y0 == y1:
            xs += [x0, x1]
            continue
        xs += [x0 + (x1 - x0) * (y - y0) / (y1 - y0) for y in (low, high)]
    return (min(xs), max(xs)) if xs else None


def rounded(outline: Outline) -> list[int]:
    """The upright box around an outline as a record's quad: x and y from the top left clockwise."""
    left, right = math.floor(min(x for x, _ in outline)), math.ceil(max(x for x, _ in outline))
    top, bottom = math.floor(min(y for _, y in outline)), math.ceil(max(y for _, y in outline))
    return [left, top, right, top, right, bottom, left, bottom]


def _same_place(a: Quad, b: Quad, within: float) -> bool:
    return all(math.dist(p, q) <= within for p, q in zip(a, b, strict=True))


def _scaled(quad: Quad, factor: float) -> Outline:
    x, y = (sum(p[0] for p in quad) / 4, sum(p[1] for p in quad) / 4)
    return tuple((x + (px - x) * factor, y + (py - y) * factor) for px, py in quad)


def _grown(quad: Quad) -> Outline:
    """A field with a margin on all sides: a third of its height, and some pixels for the jitter of its corners."""
    a, b, _, d = quad
    margin = MARGIN_PX + MARGIN_SHARE * min(math.dist(a, b), math.dist(a, d))
    along, down = _unit(a, b), _unit(a, d)
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return tuple(
        (x + margin * (s * along[0] + t * down[0]), y + margin * (s * along[1] + t * down[1]))
        for (x, y), (s, t) in zip(quad, signs, strict=True)
    )


def _unit(a: Point, b: Point) -> Point:
    length = math.dist(a, b) or 1.0
    return (b[0] - a[0]) / length, (b[1] - a[1]) / length


def _hull(points: Sequence[Point]) -> Outline:
    """The convex hull (monotone chain, Andrew 1979)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return tuple(ordered)
    lower, upper = _chain(ordered), _chain(ordered[::-1])
    return (*lower[:-1], *upper[:-1])


def _chain(points: Sequence[Point]) -> list[Point]:
    chain: list[Point] = []
    for x, y in points:
        while len(chain) > 1 and _turns_right(chain[-2], chain[-1], (x, y)):
            chain.pop()
        chain.append((x, y))
    return chain


def _turns_right(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0
