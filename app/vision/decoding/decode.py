"""Pattern-constrained decoding: the texts a CTC lattice can mean under a field's alphabet, lengths and check digit.

Prefix beam search (Hannun et al. 2014) over the recogniser's own probabilities. Separators and signs that no field has
count as blank. A glyph outside the alphabet lends its probability to the glyph of the alphabet that it looks like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.core.products import LATIN, CheckDigit, FieldPattern
from app.vision.picture.pixels import Floats
from app.vision.text.recognise import BLANK, GLYPHS, OTHER, SEPARATOR, Engine, View

BEAM = 24
_LEAST_P = 2e-4  # a glyph below this does not open a branch
_FLOOR = 1e-8
_HOPELESS = 1e-6  # of the best prefix; what is behind it by more is not followed

PLAIN_LETTERS = frozenset(LATIN) - frozenset("OQDILSBZGUVT")
"""Letters that no digit looks like: one of them proves that a field holds letters."""

LOOK_ALIKES: Mapping[str, str] = {
    "O": "0QD",
    "0": "OQD",
    "Q": "O0",
    "D": "0O",
    "I": "1L",
    "1": "I7L",
    "L": "1I",
    "Z": "2",
    "2": "Z",
    "S": "5",
    "5": "S",
    "B": "8",
    "8": "B",
    "G": "6",
    "6": "G",
    "U": "V",
    "V": "U",
    "7": "1T",
    "T": "7",
    "A": "4",
    "4": "A",
}
"""Glyphs that print alike, likeliest first."""


@dataclass(frozen=True, slots=True, repr=False)
class Decoded:
    """One reading of a field by one lattice.

    `chars`: per character glyph -> probability, adding to 1. `p`: share of the best text among all texts allowed.
    `spans`: the steps (first, last + 1) of each character, of `steps` in all. `strange` 0..1: how far signs stood
    there that no field has. `of_length`: the share of all texts of this length among those of any length; `lengths`:
    the shares of the lengths that the pattern allows.
    """

    text: str
    chars: tuple[Mapping[str, float], ...]
    p: float
    spans: tuple[tuple[int, int], ...]
    strange: float
    steps: int
    engine: Engine = Engine.PPOCR
    of_length: float = 1.0
    lengths: Mapping[int, float] = field(default_factory=dict)


def decode(lattice: Floats, pattern: FieldPattern) -> Decoded | None:
    """The likeliest text that fits the pattern, None when none does. `lattice` (steps, 39) as `LineText.lattice`."""
    if not len(lattice):
        return None
    places = pattern.places or (pattern.alphabet,) * max(pattern.lengths)
    folded = {place: _folded(lattice, pattern.alphabet, place) for place in set(places)}
    most = np.maximum.reduce(list(folded.values()))
    sums = most.sum(axis=1, keepdims=True)  # over all places: one that holds few glyphs takes no others for blanks
    narrow, taken = cast(Floats, most / sums), {place: cast(Floats, rows / sums) for place, rows in folded.items()}
    every = _beam(narrow, [taken[place] for place in places])
    texts = [(t, p) for t, p in every if len(t) in pattern.lengths]
    if not texts:
        return None
    best = _with_check(texts, pattern)
    total = sum(p for _, p in texts)
    share = sum(p for t, p in texts if t == best) / total if total > 0 else 0.0
    spans = _align(narrow, best)
    each = {place: _to_one(rows) for place, rows in folded.items()}
    stand = zip(spans, places[: len(best)], strict=True)
    chars = tuple(_chances(each[place], span, pattern.alphabet) for span, place in stand)
    text = "".join(pattern.alphabet[i] for i in best)
    whole = sum(p for _, p in every)
    lengths = {
        n: sum(p for t, p in texts if len(t) == n) / whole if whole > 0 else 0.0 for n in {len(t) for t, _ in texts}
    }
    strange = _strangeness(lattice, spans)
    return Decoded(text, chars, share, spans, strange, len(lattice), of_length=lengths[len(best)], lengths=lengths)


def decode_views(views: Iterable[View], pattern: FieldPattern) -> list[Decoded]:
    """What each view says under the pattern; places are told in steps of the picture's own width."""
    return [said for view in views if (said := _said(view, pattern)) is not None]


def _said(view: View, pattern: FieldPattern) -> Decoded | None:
    """What a view says under the pattern, searched for once."""
    if pattern not in view.said:
        found = decode(view.lattice, pattern)
        view.said[pattern] = None if found is None else replace(found, steps=view.steps, engine=view.engine)
    return cast(Decoded | None, view.said[pattern])


def places_of(view: View, text: str) -> list[float]:
    """Where the characters of a text that is known to stand there do so: shares of the picture's width."""
    narrow = _to_one(_folded(view.lattice, GLYPHS, GLYPHS))
    spans = _align(narrow, tuple(GLYPHS.index(glyph) for glyph in text))
    return [(first + last) / 2 / max(1, view.steps) for first, last in spans]


def _folded(lattice: Floats, alphabet: str, place: str) -> Floats:
    """The lattice over the alphabet and blank (last column), look-alikes folded into what `place` allows."""
    return cast(Floats, np.maximum(lattice @ _fold(alphabet, place), _FLOOR))


def _to_one(rows: Floats) -> Floats:
    """Rows that add to 1."""
    return cast(Floats, rows / rows.sum(axis=1, keepdims=True))


@lru_cache(maxsize=64)
def _fold(alphabet: str, place: str) -> Floats:
    """What each column of a lattice gives to each glyph of the alphabet, and to blank (last column)."""
    fold = np.zeros((BLANK + 1, len(alphabet) + 1), np.float32)
    for glyph in GLYPHS:
        like = glyph if glyph in place else next((g for g in LOOK_ALIKES.get(glyph, "") if g in place), None)
        if like is not None:
            fold[GLYPHS.index(glyph), alphabet.index(like)] = 1.0 if like == glyph else 0.8
    fold[[BLANK, SEPARATOR, OTHER], -1] = 1.0, 1.0, 0.5
    return fold


_Prefix = tuple[int, ...]
_Ends = tuple[float, float]
"""Probability of a prefix that ends in blank, and of one that ends in its last glyph."""


_Likely = dict[int, float]
"""Glyphs that may stand at one step, with their probability."""


def _beam(narrow: Floats, positions: Sequence[Floats]) -> list[tuple[_Prefix, float]]:
    """Prefixes with their probability, best first. `positions`: the rows as each position of the text takes them, one
    array for positions that hold the same glyphs; `narrow`: as any of them does.
    """
    blank = narrow.shape[1] - 1
    beams: dict[_Prefix, _Ends] = {(): (1.0, 0.0)}
    open_rows = np.any(narrow[:, :-1] > _LEAST_P, axis=1)
    kinds = {id(rows): rows for rows in positions}
    closed = 1.0  # most steps are blank: nothing grows there, the order stays
    for step, (blank_p, is_open) in enumerate(zip(narrow[:, blank].tolist(), open_rows.tolist(), strict=True)):
        if not is_open:
            closed *= blank_p
            continue
        if closed != 1.0:
            beams = {prefix: ((a + b) * closed, 0.0) for prefix, (a, b) in beams.items()}
            closed = 1.0
        likely = {kind: _likely(rows[step]) for kind, rows in kinds.items()}
        beams = _best(_grown(beams, blank_p, [likely[id(rows)] for rows in positions]))
    return sorted(((t, (a + b) * closed) for t, (a, b) in beams.items()), key=lambda item: -item[1])


def _likely(row: Floats) -> _Likely:
    return {glyph: p for glyph, p in enumerate(row[:-1].tolist()) if p > _LEAST_P}


def _grown(beams: dict[_Prefix, _Ends], blank_p: float, likely: Sequence[_Likely]) -> dict[_Prefix, _Ends]:
    """The prefixes after one more step: a blank stands there, or a glyph that is likely at its position."""
    grown: dict[_Prefix, _Ends] = {}
    nothing = (0.0, 0.0)
    for prefix, (ends_blank, ends_glyph) in beams.items():
        both, at = ends_blank + ends_glyph, len(prefix)
        last = prefix[-1] if prefix else -1
        in_blank, in_glyph = grown.get(prefix, nothing)
        in_blank += both * blank_p
        if prefix:
            in_glyph += ends_glyph * likely[at - 1].get(last, 0.0)
        for glyph, p in likely[at].items() if at < len(likely) else ():
            longer = (*prefix, glyph)
            a, b = grown.get(longer, nothing)
            grown[longer] = (a, b + (ends_blank if glyph == last else both) * p)
        grown[prefix] = (in_blank, in_glyph)
    return grown


def _best(grown: dict[_Prefix, _Ends]) -> dict[_Prefix, _Ends]:
    kept = sorted(grown.items(), key=_weight, reverse=True)[:BEAM]
    scale = _weight(kept[0]) or 1.0
    return {prefix: (a / scale, b / scale) for prefix, (a, b) in kept if a + b >= _HOPELESS * scale}


def _weight(item: tuple[_Prefix, _Ends]) -> float:
    return item[1][0] + item[1][1]


def _with_check(texts: list[tuple[_Prefix, float]], pattern: FieldPattern) -> _Prefix:
    """The likeliest text whose check digit holds, if it is not far behind; else the likeliest of all.

    One branch in ten fits a check digit by chance: a text that the lattice hardly supports is not preferred.
    """
    if pattern.check is CheckDigit.NONE:
        return texts[0][0]
    for text, p in texts:
        if p > 0.02 * texts[0][1] and pattern.check_holds("".join(pattern.alphabet[i] for i in text)):
            return text
    return texts[0][0]


def _align(narrow: Floats, text: _Prefix) -> tuple[tuple[int, int], ...]:
    """The steps each glyph of the text takes on the likeliest path (Viterbi over glyphs with blanks between).

    Sign by sign over all steps: who stands on a sign at a step came to it at the best of the steps before, less what
    the sign cost until then. That is a running maximum, and there are a tenth as many signs as steps.
    """
    blank = narrow.shape[1] - 1
    states = [blank]
    for glyph in text:
        states += [glyph, blank]
    skips = [i > 2 and i % 2 == 1 and states[i] != states[i - 2] for i in range(len(states))]
    logs = np.log(narrow.T[states]).astype(np.float64)
    sums = np.cumsum(logs, axis=1)
    before = sums - logs
    scores = np.full((len(states) + 2, len(narrow) + 1), -np.inf)  # two rows and a step of no path before the first
    scores[1, 0] = 0.0
    gains = np.empty_like(logs)
    for state, gain in enumerate(gains):
        direct = scores[state + 1, :-1]
        came = np.maximum(direct, scores[state, :-1]) if skips[state] or state == 1 else direct
        np.subtract(came, before[state], out=gain)
        np.maximum.accumulate(gain, out=gain)
        np.add(gain, sums[state], out=scores[state + 2, 1:])
    return _walk_back(scores, gains, skips, len(text))


def _walk_back(
    scores: NDArray[np.float64], gains: NDArray[np.float64], skips: Sequence[bool], length: int
) -> tuple[tuple[int, int], ...]:
    """The steps of each glyph on the best path that the scores (2 + states, 1 + steps) hold; `gains` as they rose."""
    end = scores[2:, -1]
    state = len(end) - 1 if length == 0 or end[-1] >= end[-2] else len(end) - 2
    spans = [(0, 0)] * length
    last = gains.shape[1] - 1
    while last >= 0:
        first = int(np.searchsorted(gains[state], gains[state, last]))
        if state % 2 == 1:
            spans[state // 2] = (first, last + 1)
        state -= 2 if skips[state] and scores[state, first] > scores[state + 1, first] else 1
        last = first - 1
    return tuple(spans)


def _chances(narrow: Floats, span: tuple[int, int], alphabet: str) -> dict[str, float]:
    """Glyph -> probability over a character's steps, each step weighing by how much of it is not blank."""
    rows = narrow[span[0] : max(span[1], span[0] + 1)]
    weights = (1 - rows[:, -1]) + 1e-4
    mix = (rows[:, :-1] / rows[:, :-1].sum(axis=1, keepdims=True) * weights[:, None]).sum(axis=0) / weights.sum()
    present = float(weights.max())  # a step that is mostly blank is weak ground for any glyph
    mix = mix * present + (1 - present) / len(alphabet)
    order = np.argsort(-mix)[:6]
    return {alphabet[i]: float(mix[i]) for i in order if mix[i] > 1e-4}


def _strangeness(lattice: Floats, spans: Iterable[tuple[int, int]]) -> float:
    """The strongest foreign sign between the first and the last character, 0..1."""
    edges = [edge for span in spans for edge in span]
    inside = lattice[min(edges) : max(edges), OTHER] if edges else lattice[:0, OTHER]
    return float(inside.max()) if len(inside) else 0.0
