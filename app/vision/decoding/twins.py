"""Zero or O, one or I: where a field may hold both, the glyph itself and its line decide, or a person.

What our recogniser says of a zero is half a guess from its neighbours. So its odds are weighed with those of the judge
that sees the glyph alone (`twinjudge`), with what else stands in the line, and with what the line's other glyphs of the
kind, like it or unlike it, are taken for: one line is one face. Fitted by `training/twins.py` on faces that the judge
never saw (docs/reading-panel.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, median

from app.core.cards import Candidate, CharReading, FieldState
from app.core.products import FieldPattern
from app.vision.decoding.decode import Decoded
from app.vision.decoding.fuse import SURE_FIELD, Fused
from app.vision.decoding.lineshape import Shape, heights, measure
from app.vision.decoding.twinjudge import Glance
from app.vision.picture.pixels import Colour
from app.vision.text.recognise import Engine

_LEAST_P = 1e-4
_PAIR = 0.99  # probability that it is one of the two
PAIRS = ("0O", "1I")
_TWINS = frozenset("".join(PAIRS))

TOLD = 4.0
"""Log odds, either way, from which a glyph is sure."""

WEIGHTS: Mapping[str, tuple[float, ...]] = {
    "0O": (-0.534, 1.099, 0.29, -0.21, -0.311, 0.25),
    "1I": (0.0, 1.0, 0.2, 0.0, 0.0, 0.0),
}
"""Log odds that a glyph is a zero and no O, or a one and no I, for `features`, on practice lines."""

ON_CARDS: Mapping[str, tuple[float, float]] = {"0O": (-1.5, 1.8), "1I": (0.0, 0.8)}
"""What is added to those odds, times the second, to say what was found on cards: they are clearer than practice lines,
and Os were taken for zeros now and then, but no zero for an O. A one was taken for an I with 4.5."""

_TALLER, _FAR_TALLER = 0.06, 0.16
"""Heights of a line by which digits of some faces stand taller than capitals (OCR-B: 0.08); more is no print."""

_FEW = 2  # digits or capitals of a line, of fewer nobody tells how tall they are
_UNEVEN = "JQ"  # capitals that may reach below the others

_SAME_WIDTH, _SAME_CORE = 0.12, 0.15  # differences between two round glyphs that speak neither for nor against one kind
_MOST_OF_OTHERS = 6.0


@dataclass(frozen=True, slots=True, repr=False)
class Sight:
    """One look's picture of a field, what its views said of it, and what its twins are by their glyph alone."""

    picture: Colour
    readings: Sequence[Decoded]
    twins: Sequence[Glance] = ()


def tell_twins(fused: Fused, sights: Sequence[Sight], pattern: FieldPattern) -> Fused:
    """The same field with each twin glyph sure where it is told from its twin, and doubtful elsewhere."""
    if pattern.check:
        return fused  # the check digit has had its say
    glyphs = "".join(c.best.glyph for c in fused.reading.chars)
    same = [replace(sight, readings=[r for r in sight.readings if len(r.text) == len(glyphs)]) for sight in sights]
    odds = _told(glyphs, [sight for sight in same if sight.readings], pattern)
    chars = tuple(_by_odds(c, *odds[at]) if at in odds else c for at, c in enumerate(fused.reading.chars))
    if chars == fused.reading.chars:
        return fused
    read = all(c.sure for c in chars)
    if read and math.prod(c.best.p for c in chars if c.best.glyph not in _TWINS) < SURE_FIELD:
        return fused
    state = FieldState.READ if read else FieldState.DOUBTFUL
    return Fused(replace(fused.reading, state=state, chars=chars), fused.lead)


def _by_odds(char: CharReading, pair: str, odds: float | None) -> CharReading:
    """The character as likely as it is told to be one of the pair; as read, and in doubt, where no look shows it."""
    if odds is None:
        return replace(char, sure=False)
    of_pair = sum(c.p for c in char.candidates if c.glyph in pair)
    sure = abs(odds) >= TOLD and of_pair >= _PAIR
    p = of_pair / (1 + math.exp(-abs(odds)))
    both = (Candidate(pair[odds <= 0], round(p, 5)), Candidate(pair[odds > 0], round(of_pair - p, 5)))
    return CharReading((*both, *(c for c in char.candidates if c.glyph not in pair)), sure)


def _told(glyphs: str, sights: Sequence[Sight], pattern: FieldPattern) -> dict[int, tuple[str, float | None]]:
    """By place of a twin its pair, and the log odds of the first of the two: the mean over the looks that show it, None
    where none does.
    """
    pairs = {at: pair for at, glyph in enumerate(glyphs) for pair in PAIRS if glyph in pair}
    pairs = {at: pair for at, pair in pairs.items() if all(pattern.allows_glyph(g, at) for g in pair)}
    if not pairs or not sights:
        return {at: (pair, None) for at, pair in pairs.items()}
    lines = [line_of(glyphs, sight) for sight in sights]
    odds = {
        at: on_cards(
            pair, fmean(sum(w * f for w, f in zip(WEIGHTS[pair], features(line, at), strict=True)) for line in lines)
        )
        for at, pair in pairs.items()
    }
    tall = frozenset[int]().union(*(tall_as_digits(glyphs, sight) for sight in sights))
    return {at: (pair, None if odds[at] < 0 and at in tall else odds[at]) for at, pair in pairs.items()}


def on_cards(pair: str, odds: float) -> float:
    """The log odds on a card, of those on practice lines."""
    add, times = ON_CARDS[pair]
    return add + times * odds


def tall_as_digits(glyphs: str, sight: Sight) -> frozenset[int]:
    """The zeros and Os that stand as tall as the line's digits, where its capitals do not: but for that the hollow zero
    of OCR-B looks like the O of other faces.
    """
    tall = heights(sight.picture, _lead(sight))
    digits = [h for g, h in zip(glyphs, tall, strict=True) if _kind(g) > 0]
    capitals = [h for g, h in zip(glyphs, tall, strict=True) if _kind(g) < 0 and g not in _UNEVEN]
    if min(len(digits), len(capitals)) < _FEW:
        return frozenset()
    high, low = median(digits), median(capitals)
    if not _TALLER <= high - low <= _FAR_TALLER:
        return frozenset()
    # In blur round letters stand above straight ones, so that each capital has to be lower.
    return frozenset(at for at, g in enumerate(glyphs) if g in PAIRS[0] and tall[at] > max(capitals))


def _lead(sight: Sight) -> Decoded:
    """The reading that tells places finest: ours, the first of its views, which is as wide as the picture."""
    return next((r for r in sight.readings if r.engine is Engine.OWN), sight.readings[0])


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """What one look shows of a field: per character the glyph it is taken for, its shape, and the log odds (of zero
    against O, or of one against I; 0 for others) by the judge that sees it alone, and by our recogniser.
    """

    glyphs: str
    shapes: Sequence[Shape]
    alone: Sequence[float]
    read: Sequence[float]


def line_of(glyphs: str, sight: Sight) -> Row:
    """One look at a field; it has readings, all of the length of `glyphs`."""
    lead = _lead(sight)
    middles = [(first + last) / 2 / max(1, lead.steps) for first, last in lead.spans]
    reach = 0.5 * min((b - a for a, b in pairwise(middles)), default=1.0)
    pairs = [next((pair for pair in PAIRS if glyph in pair), "") for glyph in glyphs]
    alone = [
        _alone(sight.twins, middle, reach, pair) if pair else 0.0 for middle, pair in zip(middles, pairs, strict=True)
    ]
    read = [_odds(sight.readings, at, *pair) if pair else 0.0 for at, pair in enumerate(pairs)]
    return Row(glyphs, measure(sight.picture, lead), alone, read)


def _alone(twins: Sequence[Glance], middle: float, reach: float, pair: str) -> float:
    """What the judge said of the glyph at a place; 0 where it was not asked."""
    seen = [glance for glance in twins if abs(glance.at - middle) < reach]
    if not seen:
        return 0.0
    nearest = min(seen, key=lambda glance: abs(glance.at - middle))
    return nearest.zero if pair == PAIRS[0] else nearest.one


def features(line: Row, at: int) -> tuple[float, ...]:
    """What `WEIGHTS` weigh for one twin of a line."""
    kinds = [_kind(glyph) for glyph in line.glyphs]
    near = [kinds[i] for i in range(max(0, at - 2), min(len(kinds), at + 3)) if i != at]
    rest = [kind for i, kind in enumerate(kinds) if i != at]
    others = _of_others(line, at)
    return 1.0, line.alone[at], line.read[at], fmean(near or [0.0]), fmean(rest or [0.0]), others


def _kind(glyph: str) -> float:
    """1 for a digit, -1 for a letter, 0 for what may be either: engines take a round glyph for what stands around."""
    return 0.0 if glyph in _TWINS else 1.0 if glyph.isdigit() else -1.0


def _of_others(line: Row, at: int) -> float:
    """What the line's other glyphs of the pair are by themselves, for those alike and against those unlike this one."""
    pair = next(pair for pair in PAIRS if line.glyphs[at] in pair)
    here, total = line.shapes[at], 0.0
    for i, glyph in enumerate(line.glyphs):
        if i != at and glyph in pair:
            apart = abs(math.log(line.shapes[i].width / here.width)) / _SAME_WIDTH
            apart += abs(line.shapes[i].core - here.core) / _SAME_CORE
            total += (1 - min(apart, 2.0)) * _within(line.alone[i], 4.0)
    return _within(total, _MOST_OF_OTHERS)


def _within(value: float, most: float) -> float:
    return min(max(value, -most), most)


def _odds(readings: Sequence[Decoded], at: int, glyph: str, twin: str) -> float:
    """Mean log odds of a glyph against its twin over our views; 0 when there is none of this length."""
    odds = [
        math.log(max(_LEAST_P, r.chars[at].get(glyph, 0.0)) / max(_LEAST_P, r.chars[at].get(twin, 0.0)))
        for r in readings
        if r.engine is Engine.OWN
    ]
    return fmean(odds) if odds else 0.0
