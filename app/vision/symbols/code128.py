"""Code 128 from a profile that is too small or too blurred for readers that look for edges (ISO/IEC 15417)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from app.core.codes import GS
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

_TABLE = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232"
)
_WIDTHS = tuple(_TABLE.split())
_STOP = "2331112"
_MODULES, _STOP_MODULES = 11, 13
_STARTS = slice(103, 106)
_USUAL = 110  # modules of a symbol, as far as the evenness of light goes
_FEWEST, _MOST = 3, 26  # characters between start and stop, the check character included
_SIZES = (0.93, 0.96, 0.99, 1.02)  # of the width that the strip suggests
_COARSE = PER_MODULE // 2  # samples a module while only the ends are looked at
_HOPELESS = 0.26
"""Misfit of the rough drawing above which no finer one is tried: the worst that was read began with 0.244."""
_NEVER = 1e9  # more than any pattern costs
_KEPT = 4  # numbers of characters that are tried in full


def decode_code128(profile: Floats, width: float) -> Decoded | None:
    """The Code 128 of a profile of lightness, in either direction; FNC1 becomes GS, one at the front is kept.

    `width`: samples from the first bar to the last, as far as known. None where nothing fits at all.
    """
    dark = darkness(profile, width / _USUAL)
    if dark is None:
        return None
    rough = sorted(_rough(dark, width), key=lambda r: r.cost)[:_KEPT]
    tries: list[_Try] = []
    for at in rough:
        seen = _tried(at.sight.scaled(dark), at.sight, at.count, BLURS[1], 0.0)
        tries += (t for t in seen if t.misfit <= _HOPELESS**2)
        if len(tries) == 1 and at is rough[0] and (found := _judge(tries[0])) is not None and found.is_plain:
            return found
    finer = (_finer(t, dark) for t in sorted(tries, key=lambda t: t.misfit)[:2])
    best = min(finer, key=lambda t: t.misfit, default=None)
    return None if best is None else _judge(best)


@dataclass(frozen=True, slots=True, repr=False)
class _Rough:
    """How well start and stop alone fit a number of characters, and how the profile has to be seen for that."""

    cost: float
    count: int
    sight: Sight


def _rough(dark: Floats, width: float) -> list[_Rough]:
    """The best size of module for each number of characters, either way round; seen at half the resolution, which
    tells as much.
    """
    found = []
    for count in range(_FEWEST, _MOST + 1):
        modules = _MODULES * (count + 1) + _STOP_MODULES
        sizes = [width * size / modules for size in _SIZES]
        whole = (modules + 2 * QUIET) * _COARSE
        lines = [(line, size) for size in sizes if len(line := at_scale(dark, size, _COARSE)) >= whole]
        if lines:
            fits = [
                [_Rough(_ends_fit(line[::way], count), count, _sight(width, way, size)) for line, size in lines]
                for way in (1, -1)
            ]
            found += [min(costs, key=lambda c: c.cost) for costs in fits]
    return found


def _sight(width: float, direction: int, module: float) -> Sight:
    return Sight(width / _USUAL, EVEN, direction, module)


def _ends_fit(line: Floats, count: int) -> float:
    """The cheapest start and stop that stand as far apart as `count` characters need."""
    start, stop = _coarse_ends()
    gap = (QUIET + _MODULES * (count + 1)) * _COARSE
    begins = pattern_costs(line[: len(line) - gap + start.shape[1]], start).min(1)
    slack = max(2, gap // 60)
    stops = np.full((1, len(begins) + 2 * slack), _NEVER, np.float32)
    found = pattern_costs(line[gap - slack :], stop)[: stops.shape[1], 0]
    stops[0, : len(found)] = found
    nearest = cv2.erode(stops, np.ones((1, 2 * slack + 1), np.uint8))[0, slack:]
    return float((begins + nearest[: len(begins)]).min())


@lru_cache(maxsize=32)
def _templates(blur: float, growth: float) -> tuple[Floats, Floats, Floats]:
    """Drawn patterns: the three starts with their quiet zone, all characters but the starts, the stop with its own."""
    bits = [_bits(w) for w in _WIDTHS]
    starts = np.stack([draw("0" * QUIET + b, "0", "1", blur, growth) for b in bits[_STARTS]])
    inner = np.stack([draw(b, "0", "1", blur, growth) for b in bits[: _STARTS.start]])
    return starts, inner, draw(_bits(_STOP) + "0" * QUIET, "0", "0", blur, growth)[None]


@lru_cache(maxsize=1)
def _coarse_ends() -> tuple[Floats, Floats]:
    """The drawn starts and the stop at the resolution of the rough look."""
    start, _, stop = _templates(BLURS[1], 0.0)
    step = PER_MODULE // _COARSE
    return tuple(t.reshape(len(t), -1, step).mean(axis=2) for t in (start, stop))


def _bits(widths: str) -> str:
    return "".join("10"[at % 2] * int(w) for at, w in enumerate(widths))


@dataclass(frozen=True, slots=True, repr=False)
class _Try:
    """The cheapest path through a line: the cost of each value at each character, and of the stop."""

    misfit: float  # mean squared difference a module
    rows: tuple[Floats, ...]
    stop: float
    sight: Sight
    count: int
    blur: float
    growth: float


def _tried(line: Floats, sight: Sight, count: int, blur: float, growth: float) -> list[_Try]:
    start, inner, stop = (pattern_costs(line, drawn) for drawn in _templates(blur, growth))
    lengths = [QUIET + _MODULES, *(_MODULES,) * count]
    so_far, back = np.zeros(len(line), np.float32), []
    for cost, modules in zip([start.min(1), *(inner.min(1),) * count], lengths, strict=True):
        so_far, stage = advance(so_far, cost, modules * PER_MODULE)
        back.append(stage)
    total = so_far[: len(stop)] + stop[:, 0]
    at = int(total.argmin())
    if not np.isfinite(total[at]):
        return []
    begins = origins(back, at)
    rows = (near(start, begins[0]), *(near(inner, b) for b in begins[1:]))
    modules = sum(lengths) + _STOP_MODULES + QUIET
    return [_Try(float(total[at]) / modules, rows, float(stop[at, 0]), sight, count, blur, growth)]


def _finer(rough: _Try, dark: Floats) -> _Try:
    """The same line under the blur, then the width of ink, then the slant that fit it best."""
    sight, count = rough.sight, rough.count
    line = sight.scaled(dark)
    blurs = [t for blur in (BLURS[0], BLURS[2]) for t in _tried(line, sight, count, blur, 0.0)]
    best = min([rough, *blurs], key=lambda t: t.misfit)
    inks = [t for growth in GROWTHS for t in _tried(line, sight, count, best.blur, growth)]
    best = min([best, *inks], key=lambda t: t.misfit)
    slanted = [replace(sight, bend=bend) for bend in BENDS]
    bends = [t for s in slanted for t in _tried(s.scaled(dark), s, count, best.blur, best.growth)]
    return min([best, *bends], key=lambda t: t.misfit)


def _again(profile: Floats, found: _Try) -> Decoded | None:
    """Another profile of the same bars under the drawing that was found to fit them."""
    line = found.sight.line(profile)
    tries = [] if line is None else _tried(line, found.sight, found.count, found.blur, found.growth)
    return _judge(tries[0]) if tries else None


def _judge(found: _Try) -> Decoded | None:
    """The cheapest text with a right check character, its misfit and its lead; None where it means nothing."""
    weights = [1, *range(1, found.count), -1]  # start, characters, and the check character that equals their sum
    (cost, values), (second, _) = checked([row[None] for row in found.rows], weights, 103)[0]
    text = as_text(values[0], values[1:-1])
    if not text:
        return None
    modules = _MODULES * (found.count + 1) + _STOP_MODULES + 2 * QUIET
    misfit = (cost + found.stop) / modules
    free = tuple(int(row.argmin()) for row in found.rows) == values
    lead = (second - cost) / (2 * max(misfit, LEAST_NOISE))
    return Decoded(text, float(np.sqrt(misfit)), lead, free, lambda profile: _again(profile, found))


def as_text(start: int, values: Sequence[int]) -> str | None:
    """The text of the values between start (0, 1, 2: set A, B, C) and check character; None for what nobody writes."""
    letters, shift, text = "ABC"[start], False, []
    for value in values:
        current = letters
        if shift:
            current, shift = {"A": "B", "B": "A"}[letters], False
        match current, value:
            case "C", v if v < 100:
                text.append(f"{v:02d}")
            case _, 102:
                text.append(GS)
            case ("B", 99) | ("A", 99):
                letters = "C"
            case ("A" | "C", 100):
                letters = "B"
            case ("B" | "C", 101):
                letters = "A"
            case ("A" | "B", 98):
                shift = True
            case "A", v if v < 96:
                text.append(chr(v + 32) if v < 64 else chr(v - 64))
            case "B", v if v < 96:
                text.append(chr(v + 32))
            case _:
                return None  # FNC2, FNC3 and FNC4 stand in no code of this trade
    return "".join(text)
