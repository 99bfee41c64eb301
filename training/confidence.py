"""Fits what `app.vision.decoding.fuse` believes: how much each engine's word weighs, and which glyph a glyph may be.

    python -m training.confidence --pictures 120 --lines 900 [--out out/confidence]     gather, or go on, and fit
    python -m training.confidence --fit [--out out/confidence]                          fit what was gathered

Gathered on cards and practice lines drawn for this alone (seeds of their own, no face of `HELD_OUT`), read as the
product reads them. The constants it prints stand in `app/vision/decoding/calibration.py`.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.products import DIGITS, LATIN, Catalogue, FieldPattern
from app.eye.oneshot import make_looker
from app.rehearsal.content import ALPHABETS
from app.rehearsal.dice import between, stream
from app.rehearsal.lines import KINDS, STATES, LineStudio
from app.rehearsal.pictures import TIERS, render_card_picture
from app.rehearsal.typefaces import load_faces
from app.vision.card.locate import locate
from app.vision.decoding.decode import LOOK_ALIKES, decode_views
from app.vision.fields.spots import SpotReader
from app.vision.text.codes import CodeReader
from app.vision.text.recognise import GLYPHS, Engine, Recogniser, View

SEED = 510_000
FLOOR = 1e-4  # as in app.vision.decoding.fuse
PRIOR, PRIOR_ERROR, ALIKE = 1500.0, 1.5e-3, 0.6
"""Before anything was seen: so many readings of each glyph, this share wrong, most of that among look-alikes."""

EDGES = (0.0, 0.5, 0.7, 0.85, 0.93, 0.97, 0.985, 0.993, 0.997, 0.999, 1.001)
"""Bins of stated probability for the last correction."""

CONFIDENT = 0.9  # readings surer than this teach the table; the others carry their doubt themselves
LEAST_SHOWN = 1.5e-4

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """A field as it was read, and the truth."""

    source: str
    truth: str
    alphabet: str
    lengths: tuple[int, ...]
    views: tuple[View, ...]


@dataclass(frozen=True)
class Character:
    """One character: mean logarithms of each engine over the alphabet, their numbers of views, the true glyph."""

    alphabet: str
    logs: dict[Engine, Values]
    views: dict[Engine, int]
    truth: int


def gather(folder: Path, pictures: int, lines: int) -> None:
    """Append to what lies in the folder until there are so many pictures of each tier and lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in (("pictures", _cards(pictures)), ("lines", _lines(lines))):
        path = folder / f"{name}.pkl"
        done = sum(1 for _ in _stored(path))
        with path.open("ab") as file:
            for number, samples in enumerate(drawn):
                if number < done:
                    continue
                pickle.dump(samples(), file)
                file.flush()
                print(f"\r{name} {number + 1}", end="", file=sys.stderr, flush=True)


def _stored(path: Path) -> Iterator[list[Sample]]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        while True:
            try:
                yield pickle.load(file)  # written by this program
            except EOFError:
                return


def _cards(count: int) -> Iterator[Any]:
    looker = make_looker(Catalogue())

    def read(seed: int, tier: str) -> list[Sample]:
        picture, labels = render_card_picture(seed, tier)
        located = locate(np.ascontiguousarray(picture))
        if located.corners is None:
            return []
        look = looker.look(np.ascontiguousarray(picture), located)
        return list(samples_of(look, labels, tier))

    for index, tier in product(range(count), TIERS):
        yield lambda index=index, tier=tier: read(SEED + index, tier)


def samples_of(look: Any, labels: dict[str, Any], tier: str) -> Iterator[Sample]:
    """The readable fields of a card that were found."""
    for field, lengths in (("number", range(13, 21)), ("pin", range(4, 21))):
        spot, truth = getattr(look, field), labels.get(field)
        if truth and spot is not None:
            alphabet = ALPHABETS["digits" if field == "number" else labels["pin_alphabet"]]
            yield Sample(f"{tier} {field}", truth, alphabet, tuple(lengths), spot.views)


def _lines(count: int) -> Iterator[Any]:
    studio = LineStudio(tuple(f for f in load_faces(SEED) if not f.held_out), SEED)
    spots = SpotReader(Recogniser(), CodeReader())

    def read(number: int) -> list[Sample]:
        kind, state = KINDS[number % len(KINDS)], STATES[number // len(KINDS) % len(STATES)]
        rng = stream(SEED, "confidence", number)
        line = studio.draw(rng, between(rng, 0.1, 0.8), kind, state)
        wide = np.repeat(line.picture[..., None], 3, 2)
        rim = int(wide.shape[0] * 0.07)
        plain = np.ascontiguousarray(wide[rim : wide.shape[0] - rim, rim : wide.shape[1] - rim])
        alphabet = DIGITS if line.text.isdigit() else DIGITS + LATIN
        return [Sample(f"line {kind}", line.text, alphabet, tuple(range(4, 21)), spots.views(plain, wide))]

    for number in range(count):
        yield lambda number=number: read(number)


def characters(samples: Sequence[Sample]) -> Iterator[Character]:
    """Characters of the fields whose length was read rightly: a shifted reading says nothing about glyphs."""
    for sample in samples:
        said = decode_views(sample.views, FieldPattern(sample.alphabet, sample.lengths))
        said = [d for d in said if len(d.text) == len(sample.truth)]
        if not said or max(_agreement(d.text, sample.truth) for d in said) < 0.6:
            continue
        for at, glyph in enumerate(sample.truth):
            rows: dict[Engine, list[Values]] = {}
            for d in said:
                rows.setdefault(d.engine, []).append(
                    np.log([max(FLOOR, d.chars[at].get(g, 0.0)) for g in sample.alphabet])
                )
            logs = {engine: np.mean(values, axis=0) for engine, values in rows.items()}
            views = {engine: len(values) for engine, values in rows.items()}
            yield Character(sample.alphabet, logs, views, sample.alphabet.index(glyph))


def _agreement(one: str, other: str) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def chances(char: Character, weights: dict[Engine, float], repeat: float) -> Values:
    """Glyph probabilities of one character; the same formula as in `app.vision.decoding.fuse`."""
    total = sum(weights[e] * char.views[e] ** repeat * logs for e, logs in char.logs.items())
    raw = np.exp(total - np.max(total))
    return np.asarray(raw / raw.sum())


def fit(chars: Sequence[Character]) -> tuple[dict[Engine, float], float]:
    """Weights of the engines and the power of repetition under which the truths are likeliest."""
    best, at = np.inf, (1.0, 1.0, 0.25)
    for step in (0.25, 0.1, 0.05):
        around = [(v - 2 * step, v - step, v, v + step, v + 2 * step) for v in at]
        for pp, own, repeat in product(*around):
            if min(pp, own) <= 0 or not 0 <= repeat <= 0.5:
                continue
            weights = {Engine.PPOCR: pp, Engine.OWN: own}
            loss = -sum(np.log(max(1e-5, chances(c, weights, repeat)[c.truth])) for c in chars)
            if loss < best:
                best, at = float(loss), (pp, own, repeat)
    return {Engine.PPOCR: round(at[0], 3), Engine.OWN: round(at[1], 3)}, round(at[2], 3)


def confusions(chars: Sequence[Character], weights: dict[Engine, float], repeat: float) -> Values:
    """(36, 36): what a confidently read glyph turned out to be, rows adding to 1."""
    counts = np.array([_prior(glyph) for glyph in GLYPHS]) * PRIOR
    for char in chars:
        found = chances(char, weights, repeat)
        if found.max() >= CONFIDENT:
            read = GLYPHS.index(char.alphabet[int(found.argmax())])
            counts[read, GLYPHS.index(char.alphabet[char.truth])] += 1
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def mixed(char: Character, weights: dict[Engine, float], repeat: float, table: Values) -> Values:
    """Glyph probabilities after the table; the same formula as in `app.vision.decoding.fuse`."""
    columns = [GLYPHS.index(glyph) for glyph in char.alphabet]
    part = table[np.ix_(columns, columns)]
    return np.asarray(chances(char, weights, repeat) @ (part / part.sum(axis=1, keepdims=True)))


def knots(chars: Sequence[Character], weights: dict[Engine, float], repeat: float, table: Values) -> list[list[float]]:
    """Stated and found share of right glyphs at EDGES, never falling (pool adjacent violators): the last correction."""
    told = [(float(p.max()), bool(p.argmax() == c.truth)) for c in chars for p in [mixed(c, weights, repeat, table)]]
    pools: list[list[float]] = []  # number, sum stated, sum found
    for low, high in pairwise(EDGES):
        inside = [(p, right) for p, right in told if low <= p < high]
        if not inside:
            continue
        pools.append([len(inside), sum(p for p, _ in inside), sum(right for _, right in inside)])
        while len(pools) > 1 and pools[-1][2] / pools[-1][0] < pools[-2][2] / pools[-2][0]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    return [[round(p / n, 5), round(min(found / n, 1 - 1 / (n + 2)), 5)] for n, p, found in pools]


def _prior(glyph: str) -> Values:
    row = np.full(len(GLYPHS), PRIOR_ERROR * (1 - ALIKE) / (len(GLYPHS) - 1))
    alike = LOOK_ALIKES.get(glyph, "")
    for other in alike:
        row[GLYPHS.index(other)] += PRIOR_ERROR * ALIKE / len(alike)
    row[GLYPHS.index(glyph)] = 0.0
    row[GLYPHS.index(glyph)] = 1 - row.sum()
    return row


def tell(weights: dict[Engine, float], repeat: float, table: Values, found: list[list[float]]) -> str:
    """The constants as they stand in the product."""
    lines = [f"WEIGHTS = {{Engine.PPOCR: {weights[Engine.PPOCR]}, Engine.OWN: {weights[Engine.OWN]}}}"]
    lines.append(f"REPEAT = {repeat}")
    lines.append(f"STATED_FOUND = {found}")
    for glyph, row in zip(GLYPHS, table, strict=True):
        order = [i for i in np.argsort(-row) if GLYPHS[i] != glyph and row[i] >= LEAST_SHOWN][:5]
        shown = " ".join(f"{GLYPHS[i]}{1e5 * row[i]:.0f}" for i in order)
        rest = 1e5 * (1 - row[GLYPHS.index(glyph)] - sum(row[i] for i in order))
        lines.append(f'    "{glyph}": "{shown} ?{rest:.0f}",')
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="training.confidence", description=__doc__)
    parser.add_argument("--pictures", type=int, default=120, help="pictures of each tier")
    parser.add_argument("--lines", type=int, default=900, help="practice lines")
    parser.add_argument("--out", type=Path, default=Path("out/confidence"), help="where the readings are kept")
    parser.add_argument("--fit", action="store_true", help="fit what was gathered, read nothing more")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if not given.fit:
        gather(given.out, given.pictures, given.lines)
    samples = [s for path in sorted(given.out.glob("*.pkl")) for found in _stored(path) for s in found]
    chars = list(characters(samples))
    weights, repeat = fit(chars[:: max(1, len(chars) // 9000)])
    print(f"# {len(samples)} fields, {len(chars)} characters")
    table = confusions(chars, weights, repeat)
    print(tell(weights, repeat, table, knots(chars, weights, repeat, table)))


if __name__ == "__main__":
    main()
