"""EAN-13, UPC-A and EAN-8 from a profile that is too small or too blurred for readers that look for edges."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from app.vision.picture.pixels import Floats
from app.vision.symbols.barprofile import (
    BENDS,
    BLURS,
    EVEN,
    GROWTHS,
    LEAST_NOISE,
    PER_MODULE,
    QUIET,
    Decoded,
    Sight,
    advance,
    at_scale,
    checked,
    darkness,
    draw,
    near,
    origins,
    pattern_costs,
)

_LEFT_ODD = tuple("0001101 0011001 0010011 0111101 0100011 0110001 0101111 0111011 0110111 0001011".split())  # noqa: SIM905
_RIGHT = tuple("".join("10"[int(bit)] for bit in code) for code in _LEFT_ODD)
_LEFT_EVEN = tuple(code[::-1] for code in _RIGHT)
_PARITY = tuple("000000 001011 001101 001110 010011 011001 011100 010101 010110 011010".split())  # noqa: SIM905
"""GS1 General Specifications 5.2.1: number sets A, C, B (0 = A, 1 = B in the parity of the first digit)."""

_SIZES = np.linspace(0.83, 1.05, 9)  # of the module width that the strip suggests

_COARSE = PER_MODULE // 2  # samples a module while only the likeliest widths and the direction are looked for
_KEPT = 5  # of these 18 that are looked at in full
_HOPELESS = 0.19
"""Misfit of the first, rough drawing above which no finer one is tried: the worst that was read in the end began with
0.183 (photographs) and 0.144 (cards); what is no symbol of this kind begins near 0.21."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A retail symbol: digits in each half and the modules of the whole."""

    half: int
    modules: int


EAN13, EAN8 = _Kind(6, 95), _Kind(4, 67)


def decode_retail(profile: Floats, width: float, kind: _Kind = EAN13, even: int = EVEN) -> Decoded | None:
    """The EAN-13 (UPC-A with a leading zero) or EAN-8 of a profile of lightness, in either direction.

    `width`: samples from the first bar to the last, as far as known; `even` as in `darkness`. None where nothing fits
    at all.
    """
    dark = darkness(profile, width / kind.modules, even)
    if dark is None:
        return None
    most = _HOPELESS**2 * (kind.modules + 2 * QUIET)
    sights = [
        Sight(width / kind.modules, even, direction, width * float(size) / kind.modules)
        for size in (*_SIZES[::2], *_SIZES[1::2])
        for direction in (1, -1)
    ]
    some = 2 * len(_SIZES[::2])  # paths give way by a twentieth: what is plain is so under every second size too
    rough = [(_coarsely(dark, sight, kind), sight) for sight in sights[:some]]
    first = _seen(dark, min(rough, key=lambda r: r[0])[1], kind)
    if first and (found := _judge(first[0], kind)).is_plain:
        return found
    rough += [(_coarsely(dark, sight, kind), sight) for sight in sights[some:]]
    likely = sorted((r for r in rough if r[0] <= most), key=lambda r: r[0])[:_KEPT]
    tries = [t for _, sight in likely for t in _seen(dark, sight, kind) if t.cost <= most]
    finer = (_finer(t, dark, kind) for t in sorted(tries, key=lambda t: t.cost)[:2])
    best = min(finer, key=lambda t: t.cost, default=None)
    return None if best is None else _judge(best, kind)


def _coarsely(dark: Floats, sight: Sight, kind: _Kind) -> float:
    """What the cheapest path through a line of this module width costs, as seen at half the resolution."""
    line = at_scale(dark[:: sight.direction], sight.module, _COARSE)
    placed = _place(_tables(line, _coarse_templates()), kind, len(line), _COARSE)
    return np.inf if placed is None else placed[0] * PER_MODULE / _COARSE


@dataclass(frozen=True, slots=True, repr=False)
class _Try:
    """The cheapest path through a line under one drawing of the patterns."""

    cost: float
    starts: tuple[int, ...]
    tables: _Tables
    sight: Sight
    blur: float
    growth: float


def _tried(line: Floats, sight: Sight, kind: _Kind, blur: float, growth: float) -> list[_Try]:
    tables = _tables(line, _templates(blur, growth))
    placed = _place(tables, kind, len(line))
    return [] if placed is None else [_Try(placed[0], placed[1], tables, sight, blur, growth)]


def _seen(dark: Floats, sight: Sight, kind: _Kind) -> list[_Try]:
    """A line under the usual drawing."""
    return _tried(sight.scaled(dark), sight, kind, BLURS[1], 0.0)


def _finer(rough: _Try, dark: Floats, kind: _Kind) -> _Try:
    """The same line under the blur, then the width of ink, then the slant that fit it best."""
    sight = rough.sight
    line = sight.scaled(dark)
    blurs = [t for blur in (BLURS[0], BLURS[2]) for t in _tried(line, sight, kind, blur, 0.0)]
    best = min([rough, *blurs], key=lambda t: t.cost)
    inks = [t for growth in GROWTHS for t in _tried(line, sight, kind, best.blur, growth)]
    best = min([best, *inks], key=lambda t: t.cost)
    slanted = [replace(sight, bend=bend) for bend in BENDS]
    bends = [t for s in slanted for t in _tried(s.scaled(dark), s, kind, best.blur, best.growth)]
    return min([best, *bends], key=lambda t: t.cost)


def _again(profile: Floats, found: _Try, kind: _Kind) -> Decoded | None:
    """Another profile of the same bars under the drawing that was found to fit them."""
    line = found.sight.line(profile)
    tries = [] if line is None else _tried(line, found.sight, kind, found.blur, found.growth)
    return _judge(tries[0], kind) if tries else None


@dataclass(frozen=True, slots=True)
class _Templates:
    """Drawn patterns (n, samples): digits (left ones 20, A then B, right ones 10), the outer guards and the middle."""

    digits: Floats
    ends: Floats
    middle: Floats


@lru_cache(maxsize=32)
def _templates(blur: float, growth: float) -> _Templates:
    quiet = "0" * QUIET

    def drawn(codes: tuple[str, ...], before: str, after: str) -> Floats:
        return np.stack([draw(code, before, after, blur, growth) for code in codes])

    return _Templates(
        digits=np.concatenate([drawn(_LEFT_ODD + _LEFT_EVEN, "1", "0"), drawn(_RIGHT, "0", "1")]),
        ends=drawn((quiet + "101", "101" + quiet), "0", "0"),
        middle=drawn(("01010",), "1", "1"),
    )


@lru_cache(maxsize=1)
def _coarse_templates() -> _Templates:
    """The drawn patterns at the resolution of the rough look."""
    fine, step = _templates(BLURS[1], 0.0), PER_MODULE // _COARSE
    return _Templates(
        **{f.name: (t := getattr(fine, f.name)).reshape(len(t), -1, step).mean(axis=2) for f in fields(fine)}
    )


@dataclass(frozen=True, slots=True)
class _Tables:
    left: Floats
    right: Floats
    guards: tuple[Floats, Floats, Floats]


def _tables(line: Floats, drawn: _Templates) -> _Tables:
    digits, ends = pattern_costs(line, drawn.digits), pattern_costs(line, drawn.ends)
    middle = pattern_costs(line, drawn.middle)[:, 0]
    return _Tables(digits[:, :20], digits[:, 20:], (ends[:, 0], middle, ends[:, 1]))


def _place(t: _Tables, kind: _Kind, size: int, per_module: int = PER_MODULE) -> tuple[float, tuple[int, ...]] | None:
    """Where the stages (guard, digits, guard, digits, guard) begin along the cheapest path, and its cost."""
    left, right = t.left.min(1), t.right.min(1)
    stages = [(t.guards[0], 3 + QUIET), *((left, 7),) * kind.half, (t.guards[1], 5), *((right, 7),) * kind.half]
    so_far = np.zeros(size, np.float32)
    back = []
    for cost, modules in stages:
        so_far, stage = advance(so_far, cost, modules * per_module)
        back.append(stage)
    last = t.guards[2]
    total = so_far[: len(last)] + last
    at = int(total.argmin())
    if not np.isfinite(total[at]):
        return None
    return float(total[at]), (*origins(back, at), at)


def _judge(found: _Try, kind: _Kind) -> Decoded:
    """The cheapest valid code along a path, with its misfit and its lead."""
    half, starts, tables = kind.half, found.starts, found.tables
    left = np.stack([near(tables.left, at) for at in starts[1 : 1 + half]])
    right = np.stack([near(tables.right, at) for at in starts[2 + half : 2 + 2 * half]])
    ends = zip(tables.guards, (starts[0], starts[1 + half], starts[-1]), strict=True)
    guards = sum(float(table[at]) for table, at in ends)
    text, cost, second = _cheapest(left, right, kind)
    misfit = (cost + guards) / (kind.modules + 2 * QUIET)
    lead = (second - cost) / (2 * max(misfit, LEAST_NOISE))
    free = _freely(left, right, kind) == text
    return Decoded(text, float(np.sqrt(misfit)), lead, free, lambda profile: _again(profile, found, kind))


def _freely(left: Floats, right: Floats, kind: _Kind) -> str:
    """The digits as they look, each for itself; "" when their parity is no digit's."""
    seen = left.argmin(1)
    digits = "".join(str(int(d) % 10) for d in (*seen, *right.argmin(1)))
    parity = "".join("01"[int(d) >= 10] for d in seen)
    if kind is EAN8:
        return digits if parity == "0000" else ""
    return f"{_PARITY.index(parity)}{digits}" if parity in _PARITY else ""


def _cheapest(left: Floats, right: Floats, kind: _Kind) -> tuple[str, float, float]:
    """The cheapest digits with a right check digit, their cost, and the cost of the runner-up.

    Weights alternate 3 and 1 and end with 1 (GS1 General Specifications 7.9).
    """
    parities = _PARITY if kind is EAN13 else ("0000",)
    weights = [1 if at % 2 else 3 for at in range(2 * kind.half)]
    sets = np.array([[int(p) for p in parity] for parity in parities])
    choices = 10 * sets[:, :, None] + np.arange(10)  # (first digits, places, values)
    rows = [left[at][choices[:, at]] for at in range(kind.half)]
    rows += [np.broadcast_to(row, (len(parities), 10)) for row in right]
    results = [
        (cost, "".join(map(str, (first, *values) if kind is EAN13 else values)))
        for first, found in enumerate(checked(rows, weights, 10, range(len(parities))))
        for cost, values in found
    ]
    results.sort()
    return results[0][1], results[0][0], results[1][0]
