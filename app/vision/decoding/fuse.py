"""From several readings of one field to one answer, or to exactly the doubtful characters.

Probabilities are combined per character before anything is decided; strings are not voted over. Readings of one card
are not independent (a systematic misread repeats), so their sum counts less than it would if they were; how much less,
and what a glyph may be after all, was fitted (`calibration`), so that a stated probability is the share that is right.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

import numpy as np

from app.core.cards import UNREADABLE, Candidate, CharReading, FieldReading, FieldState, Whole
from app.core.products import UNKNOWN_PIN, FieldPattern
from app.vision.decoding.calibration import REPEAT, WEIGHTS, corrected, mistakes
from app.vision.decoding.decode import Decoded
from app.vision.decoding.groups import LARGEST_GROUP, gaps_of
from app.vision.text.recognise import Engine

SURE = 0.98
"""What every character of a field needs to be sure."""

BEYOND_DISPUTE = 0.997
"""From here on a character is sure although some views put another glyph first: one engine's view of a glyph is often
wrong in the same way throughout, which the probability takes into account."""

SURE_FIELD = 0.98
"""What their product needs: many characters that are hardly sure make no sure field."""

_BY_OURS = 0.99
"""What each of our views needs for a glyph that PP-OCR takes for another throughout: with 0.95 a torn nine was a sure
zero, and of 2,400 PINs and numbers read rightly none needs less."""

_HARDLY, _HALFHEARTED = 0.99, 0.9
"""Below the first a character is not sure whose mean over our views is below the second: it is PP-OCR's word alone."""

_LIKELY, _HALF, _ANEW = 0.9, 0.5, 0.85
"""What a doubtful glyph needs at first, in each further view, and in the mean over these. With less at first a 5 whose
left side scraping had taken was stated as a 3 at 0.85, all views agreeing (8000431 hard)."""

LEAST_AGREEMENT = 0.8
CONFUSED = 0.85
"""Mean probability over an engine's views from which it has taken one glyph of a line for another: where it says that
other glyph again, nobody knows which of the two stands there."""

_FLOOR = 1e-4
_UNREADABLE = 0.45
_MOST_CANDIDATES = 4
_TWINS = ("0O", "1I")
"""Many fonts print these alike: where the alphabet has both, neither is ever sure and a person decides."""

_ALIKE = ("0OQD", "1IL")
"""Glyphs that engines take for each other whatever the print is like."""

_MORE_STROKES: Mapping[str, str] = {
    **{"0": "8Q", "2": "8Z", "3": "89B", "5": "689", "6": "80", "7": "29Z", "9": "80"},
    **{"B": "8", "C": "0GOQ", "E": "8B", "F": "BEPR", "I": "BDEFHKLMNPRT", "J": "U", "K": "R", "L": "EU"},
    **{"N": "M", "O": "8Q", "P": "8BR", "S": "8", "U": "0DO", "V": "WY", "Y": "X"},
}
"""Glyphs of which each is what is left when a stroke has been scraped off: scraped so, a U is read as a J."""

_HALF_A_ZERO = "3569CE"
"""What is left of a zero with a dot or slash when a side has been scraped off."""

_NEARLY_A_ZERO = "G"
"""The same, for who is asked about it: of what is read as a G no zero is presumed, but one may be picked."""

_STROKE_SEEN = 0.045
"""Mean probability over our views of a glyph with more strokes from which nobody knows whether one is missing; of the
zero that scraping had made a nine (12001070 hard) 0.05 was left."""

_STROKE_TOLD = 0.01
"""The same where PP-OCR's views name that glyph as well."""

_READ = 0.3  # of a view's glyph from where it is read, and not only less unlikely than others
_NEGLIGIBLE = 1e-3
_IDLE = 0.004
_MOST_FILLINGS = 512
_PLAUSIBLE = 2e-3  # share of what was read that fits the check digit, below which the reading is wrong somewhere else
_WEAKEST = 3
_STRANGE = 0.6
_SPACED, _ONE_LOST, _TWO_LOST = 1.45, 1.75, 3.4  # pitches between the neighbours of a space, of lost characters
_PARTED, _WIDER = 1.47, 0.7  # pitches: a narrow space, what one is wider than another for a character
_STANDS_OUT = 1.4  # a gap against the next widest: where one character is lost of even print it is about two
_IN_A_GROUP, _THAN_SPACES = 1.7, 1.1  # pitches, and of the spaces before it: a gap where a group of four has none
_FOUR = 4


@dataclass(frozen=True, slots=True, repr=False)
class Fused:
    """One field over all readings. `lead`: the reading whose spans show where the characters stand, for crops."""

    reading: FieldReading
    lead: Decoded | None


def fuse(
    readings: Sequence[Decoded],
    pattern: FieldPattern,
    scraped: bool = True,
    further: Sequence[Decoded] = (),
    torn: bool = True,
) -> Fused:
    """One answer from the readings of all frames and views. `scraped`: whether a layer may have lain over the print;
    `further`: what views that were taken because of a doubt say to it, see `_seen_anew`; `torn`: whether strokes may
    have gone with the layer.
    """
    if not readings:
        return Fused(UNREADABLE, None)
    length, agreement = _length(readings)
    same = [r for r in readings if len(r.text) == length]
    lead = max(same, key=lambda r: r.p * math.prod(max(c.values()) for c in r.chars))
    chances = [combine([(r.engine, r.chars[i]) for r in same], _alphabet(pattern, i)) for i in range(length)]
    if sum(next(iter(c.values())) for c in chances) / max(1, length) < _UNREADABLE:
        return Fused(UNREADABLE, lead)
    checked = under_check(chances, pattern)
    sound = agreement >= LEAST_AGREEMENT
    confused = _confused(chances, same)
    chars = tuple(
        _reading(c, pattern, i, sound and (bool(pattern.check) or _undisputed(c, i, same)))
        for i, c in enumerate(checked or chances)
    )
    if scraped and torn and not pattern.check:
        chars = tuple(
            replace(c, sure=c.sure and c.best.glyph not in confused and not _lacks_stroke(c.best.glyph, at, same))
            for at, c in enumerate(chars)
        )
    if checked is None or (_all_sure(chars) and math.prod(c.best.p for c in chars) < SURE_FIELD):
        chars = _doubt_weakest(chars)
    holed = sum(has_hole(r, pattern) for r in same) * 2 > len(same)
    if holed:
        chars = tuple(CharReading(c.candidates, sure=False) for c in chars)
    # Twins have their own judge.
    if any(not c.sure and not _is_twin(c.best.glyph, pattern, at) for at, c in enumerate(chars)):
        chars = tuple(replace(c, sure=c.sure and _read(at, same) == {c.best.glyph}) for at, c in enumerate(chars))
    if further and sound and not holed and not pattern.check:
        never = {at for at, c in enumerate(chances) if _is_disputed(c, at, same)}
        if torn:
            never |= {at for at, c in enumerate(chances) if next(iter(c)) in confused}
            never |= {at for at, c in enumerate(chars) if _lacks_stroke(c.best.glyph, at, same)}
        chars = _seen_anew(chars, never, further, pattern)
    state = FieldState.READ if _all_sure(chars) else FieldState.DOUBTFUL
    may_be_torn = scraped and not pattern.check
    shown = (_shown(c, (checked or chances)[at], at, same, may_be_torn) for at, c in enumerate(chars))
    return Fused(FieldReading(state, tuple(shown)), lead)


def _alphabet(pattern: FieldPattern, position: int) -> str:
    return "".join(g for g in pattern.alphabet if pattern.allows_glyph(g, position))


def has_hole(reading: Decoded, pattern: FieldPattern) -> bool:
    """Whether between two characters something was not read: there is room for two more, or for one, and print that
    is not parted into groups elsewhere has no reason to be parted there. Narrow spaces of proportional print are hardly
    wider than its widest pairs; but then no gap stands out from the next one.
    """
    gaps = gaps_of(reading.spans, reading.text)
    if len(gaps) < 3:
        return False
    wide = [at + 1 for at, gap in enumerate(gaps) if gap > _SPACED]
    groups = [b - a for a, b in pairwise([0, *wide, len(reading.spans)])]
    ungrouped = max(groups) > max((LARGEST_GROUP, *pattern.grouping))
    second, widest = sorted(gaps)[-2:]
    if not pattern.grouping and _breaks_a_group(gaps):
        return True
    if ungrouped:
        return widest > _ONE_LOST and widest > _STANDS_OUT * second
    return widest > _TWO_LOST or (not pattern.grouping and _is_unevenly_parted(gaps))


def _is_unevenly_parted(gaps: Sequence[float]) -> bool:
    """Whether a group inside of the line is shorter than the first, or one space wider than another: groups are filled
    from the left and parted alike, so a character between was not read.
    """
    starts = [at + 1 for at, gap in enumerate(gaps) if gap > _PARTED]
    groups = [b - a for a, b in pairwise([0, *starts, len(gaps) + 1])]
    if len(groups) < 2 or max(groups) > LARGEST_GROUP:
        return False
    spaces = [gaps[start - 1] for start in starts]
    return min(groups[:-1]) < groups[0] or max(spaces) - min(spaces) > _WIDER


def _breaks_a_group(gaps: Sequence[float]) -> bool:
    """Whether the widest gap stands within a group of four, wider than the narrow spaces of proportional print that
    part the fours before it: of a 1 that glare has taken no more is left.
    """
    at = max(range(len(gaps)), key=lambda i: gaps[i])
    spaces = gaps[_FOUR - 1 : at : _FOUR]
    inner = sorted(gap for i, gap in enumerate(gaps[:at]) if (i + 1) % _FOUR)
    if (at + 1) % _FOUR == 0 or len(spaces) < 2 or min(spaces) < _THAN_SPACES * inner[len(inner) // 2]:
        return False
    return gaps[at] > max(_IN_A_GROUP, _THAN_SPACES * max(spaces))


def _length(readings: Sequence[Decoded]) -> tuple[int, float]:
    """The length most readings stand for, and the share of their weight, 0..1."""
    weights: dict[int, float] = {}
    for r in readings:
        clean = 1.0 - 0.7 * max(0.0, r.strange - _STRANGE)
        # A view that hardly believes in its own length says little about it, however its text stands out there.
        weights[len(r.text)] = weights.get(len(r.text), 0.0) + min(r.p, r.of_length) * clean + 0.02
    best = max(weights, key=lambda n: weights[n])
    # The share that other lengths have inside each reading counts as disagreement too.
    # Not so texts of the same length: which glyph stands where is for the characters' own chances to say.
    same = [r.of_length for r in readings if len(r.text) == best]
    inner = sum(same) / len(same)
    return best, weights[best] / sum(weights.values()) * min(1.0, inner + 0.3)


def _undisputed(chances: Mapping[str, float], at: int, readings: Sequence[Decoded]) -> bool:
    """Whether nearly all views put the likeliest glyph first, or each of ours does so beyond doubt."""
    best = next(iter(chances))
    ours = [r.chars[at].get(best, 0.0) for r in readings if r.engine is Engine.OWN]
    if chances[best] < _HARDLY and fmean(ours or [1.0]) < _HALFHEARTED:
        return False
    if chances[best] >= BEYOND_DISPUTE or _agreed([r.chars[at] for r in readings], best):
        return True
    return bool(ours) and min(ours) >= _BY_OURS


def _is_disputed(chances: Mapping[str, float], at: int, readings: Sequence[Decoded]) -> bool:
    """Whether a glyph is doubtful though its probability is not: the views differ about it."""
    return next(iter(chances.values())) >= SURE and not _undisputed(chances, at, readings)


def _seen_anew(
    chars: tuple[CharReading, ...], never: Collection[int], further: Sequence[Decoded], pattern: FieldPattern
) -> tuple[CharReading, ...]:
    """The characters, the doubtful ones (twins aside) sure where each further view reads the same in all of them.

    A place in `never` is doubted for another reason than a low probability: then all doubts stay, since views of one
    engine repeat its mistakes.
    """
    doubted = {at for at, c in enumerate(chars) if not c.sure and not _is_twin(c.best.glyph, pattern, at)}
    unasked = any(not _is_twin(chars[at].best.glyph, pattern, at) for at in never)
    if unasked or any(len(view.text) != len(chars) for view in further):
        return chars
    said = {at: [view.chars[at] for view in further] for at in doubted}
    if not all(_agrees(views, chars[at].best) for at, views in said.items()):
        return chars
    return tuple(replace(c, sure=True) if at in doubted else c for at, c in enumerate(chars))


def _agrees(views: Sequence[Mapping[str, float]], best: Candidate) -> bool:
    """Whether further views have a doubtful glyph beyond doubt."""
    seen = [view.get(best.glyph, 0.0) for view in views]
    first = all(max(view, key=lambda g: view[g]) == best.glyph for view in views)
    return first and best.p >= _LIKELY and min(seen) >= _HALF and fmean(seen) >= _ANEW


def _confused(chances: Sequence[Mapping[str, float]], readings: Sequence[Decoded]) -> set[str]:
    """Glyphs that an engine is sure to see at a place of this line where another one stands (twins aside), and that
    scraping makes of it: torn so, the two look alike here.
    """
    found: set[str] = set()
    for engine in {r.engine for r in readings}:
        views = [r for r in readings if r.engine is engine]
        for at, glyphs in enumerate(chances):
            best = next(iter(glyphs))
            said = Counter(max(v.chars[at], key=lambda g: v.chars[at][g]) for v in views).most_common(1)[0][0]
            twins = any({best, said} <= set(pair) for pair in _ALIKE)
            torn = best in _MORE_STROKES.get(said, "") or (best == "0" and said in _HALF_A_ZERO)
            if said != best and torn and not twins and fmean(v.chars[at].get(said, 0.0) for v in views) >= CONFUSED:
                found.add(said)
    return found


def _lacks_stroke(glyph: str, at: int, readings: Sequence[Decoded]) -> bool:
    """Whether our views, or both engines, see a trace of a glyph that has a stroke more, as of the U and the B that
    scraping had made a J and an E of.
    """
    for more in _MORE_STROKES.get(glyph, ""):
        ours, theirs = (
            fmean([r.chars[at].get(more, 0.0) for r in readings if r.engine is engine] or [0.0])
            for engine in (Engine.OWN, Engine.PPOCR)
        )
        if ours >= _STROKE_SEEN or min(ours, theirs) >= _STROKE_TOLD:
            return True
    return False


def _agreed(views: Sequence[Mapping[str, float]], best: str) -> bool:
    """Whether nearly all views put the same glyph first."""
    return sum(1 for view in views if max(view, key=lambda g: view[g]) == best) >= LEAST_AGREEMENT * len(views)


def combine(views: Sequence[tuple[Engine, Mapping[str, float]]], alphabet: str) -> dict[str, float]:
    """Glyph -> probability over all views, best first: logs averaged for each engine, weighed, what each glyph may be
    after all mixed in, and the likeliest glyph's probability corrected to what was found.
    """
    total = np.zeros(len(alphabet))
    for engine, weight in WEIGHTS.items():
        chances = [_listed(view, alphabet) for who, view in views if who is engine]
        if chances:
            total += weight * len(chances) ** REPEAT * np.log(chances).mean(axis=0)
    raw = np.exp(total - total.max())
    mixed = (raw / raw.sum()) @ mistakes(alphabet)
    best = int(mixed.argmax())
    p = corrected(float(mixed[best]))
    rest = mixed * ((1 - p) / max(1e-9, 1 - mixed[best]))
    rest[best] = p
    order = np.argsort(-rest, kind="stable")
    return {alphabet[i]: float(rest[i]) for i in order}


def _listed(view: Mapping[str, float], alphabet: str) -> list[float]:
    """The probability of each glyph of an alphabet in a view, never quite nothing."""
    listed = [_FLOOR] * len(alphabet)
    for glyph, p in view.items():
        if p > _FLOOR and glyph in alphabet:
            listed[alphabet.index(glyph)] = p
    return listed


def under_check(chars: Sequence[dict[str, float]], pattern: FieldPattern) -> list[dict[str, float]] | None:
    """The probabilities given that the check digit holds; unchanged without one, None when hardly anything fits it."""
    if not pattern.check or not chars:
        return list(chars)
    fillings = _fillings(chars)
    fitting = [(text, p) for text, p in fillings if pattern.check_holds(text)]
    share = sum(p for _, p in fitting) / sum(p for _, p in fillings)
    if share < _PLAUSIBLE:
        return None
    given: list[dict[str, float]] = [{} for _ in chars]
    for text, p in fitting:
        for glyphs, glyph in zip(given, text, strict=True):
            glyphs[glyph] = glyphs.get(glyph, 0.0) + p
    total = sum(p for _, p in fitting)
    return [dict(sorted(((g, p / total) for g, p in glyphs.items()), key=lambda item: -item[1])) for glyphs in given]


def _fillings(chars: Sequence[dict[str, float]]) -> list[tuple[str, float]]:
    """The likeliest texts with their probability, best first."""
    texts = [("", 1.0)]
    for chances in chars:
        shown = [(g, p) for g, p in chances.items() if p >= _NEGLIGIBLE / 10] or [next(iter(chances.items()))]
        texts = [(text + g, q * p) for text, q in texts for g, p in shown]
        texts = sorted(texts, key=lambda item: -item[1])[:_MOST_FILLINGS]
    return texts


def _reading(chances: Mapping[str, float], pattern: FieldPattern, at: int, trusted: bool) -> CharReading:
    best = next(iter(chances))
    sure = trusted and not _is_twin(best, pattern, at) and chances[best] >= SURE
    shown = [Candidate(g, round(p, 5)) for g, p in chances.items()]
    return CharReading(tuple(shown[:_MOST_CANDIDATES]), sure)


def _is_twin(glyph: str, pattern: FieldPattern, at: int) -> bool:
    """Whether another glyph that prints alike may stand at this place, too."""
    return any(glyph in pair and all(pattern.allows_glyph(g, at) for g in pair) for pair in _TWINS)


def in_doubt(fused: Fused) -> bool:
    """Whether a character is doubtful that is none of those which print alike."""
    return any(not c.sure and not _is_twin(c.best.glyph, UNKNOWN_PIN, at) for at, c in enumerate(fused.reading.chars))


def _shown(
    char: CharReading, chances: Mapping[str, float], at: int, readings: Sequence[Decoded], torn: bool
) -> CharReading:
    """A sure character without the glyphs that it hardly may be; one that is asked about has to offer them, behind the
    likeliest first those that some view reads there: three are shown, and what all views make of a glyph between them
    may be one that none of them saw. Where it may be `torn`, what it may have been comes before what no view thinks of.
    """
    if char.sure:
        return replace(char, candidates=(char.best, *(c for c in char.candidates[1:] if c.p >= _IDLE)))
    read = _read(at, readings)
    before = _before_scraping(char.best.glyph) if torn else ""

    def rank(glyph: str) -> int:
        return 0 if glyph in read else 1 if chances[glyph] >= _IDLE else 2 if glyph in before else 3

    order = [char.best.glyph, *sorted((g for g in chances if g != char.best.glyph), key=rank)]
    return replace(char, candidates=tuple(Candidate(g, round(chances[g], 5)) for g in order[:_MOST_CANDIDATES]))


def _before_scraping(glyph: str) -> str:
    """What may have been a glyph with more strokes."""
    return _MORE_STROKES.get(glyph, "") + ("0" if glyph in _HALF_A_ZERO + _NEARLY_A_ZERO else "")


def _read(at: int, readings: Sequence[Decoded]) -> set[str]:
    """The glyphs that the views read at a place."""
    return {best for r in readings if r.chars[at][best := max(r.chars[at], key=lambda g: r.chars[at][g])] >= _READ}


def _all_sure(chars: Sequence[CharReading]) -> bool:
    return all(c.sure for c in chars)


def _doubt_weakest(chars: Sequence[CharReading]) -> tuple[CharReading, ...]:
    """A text that breaks its check digit, or is not sure as a whole: its weakest characters are doubtful after all."""
    weakest = sorted(range(len(chars)), key=lambda i: chars[i].best.p)[:_WEAKEST]
    return tuple(CharReading(c.candidates, sure=False) if i in weakest else c for i, c in enumerate(chars))


def doubt_all(fused: Fused) -> Fused:
    """The same reading with no character sure: it may not be all of the field, or not the field."""
    if fused.reading.state is not FieldState.READ:
        return fused
    chars = tuple(CharReading(c.candidates, sure=False) for c in fused.reading.chars)
    return Fused(FieldReading(FieldState.DOUBTFUL, chars, wholes=(Whole(fused.reading.chars, 1.0),)), fused.lead)


def confirm(reading: FieldReading, text: str) -> FieldReading | None:
    """The reading made sure by another source of the same text (a Code 128); None when they do not fit together.

    At least seven characters in ten must agree, and no sure character may differ.
    """
    if len(reading.chars) != len(text) or not text:
        return None
    agree = sum(c.best.glyph == t for c, t in zip(reading.chars, text, strict=True))
    if agree < 0.7 * len(text) or any(c.sure and c.best.glyph != t for c, t in zip(reading.chars, text, strict=True)):
        return None
    chars = tuple(_confirmed(c, t) for c, t in zip(reading.chars, text, strict=True))
    return FieldReading(FieldState.READ, chars)


def _confirmed(char: CharReading, glyph: str) -> CharReading:
    others = tuple(c for c in char.candidates if c.glyph != glyph)
    return CharReading((Candidate(glyph, 0.999), *others), sure=True)
