"""Patterns of bars held against a profile of lightness: what the decoders of linear symbols share.

Readers that look for edges need about two pixels a module. Here each character's whole pattern of widths, blurred as
the picture is, is held against the profile at each place (deformable templates: Gallo and Manduchi, "Reading 1D
Barcodes with Mobile Phones Using Deformable Templates", IEEE TPAMI 33(9), 2011); a Viterbi path finds where the
characters stand; the cheapest text that obeys the check digit wins, and its lead over the runner-up tells how sure
it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.vision.picture.pixels import Floats, percentiles

PER_MODULE = 6  # samples
BLURS = (0.3, 0.55, 0.8)  # modules, standard deviation
GROWTHS = (-0.16, 0.16)  # modules by which bars are wider than drawn
BENDS = (-0.16, -0.08, 0.08, 0.16)  # change of the module width from the middle to either end
QUIET = 3  # modules of quiet zone that are looked at
LEAST_NOISE = 0.004  # squared share of the contrast: no profile is believed to be better than this
EVEN, EVEN_NEAR = 40, 14
"""Modules over which light is evened out: over the fewer, blurred narrow bars may pass for black ones; over the more,
glare beside a few digits spoils them.
"""
PLAIN_LEAD = 18.0
"""Lead from which a text that comes out by itself is read: nothing finer is tried. The highest lead of a wrong text was
9.4, under the finest drawing; under a rougher one leads are smaller."""
_DRIFT = 2  # samples by which a character may be longer or shorter than drawn
_DRIFT_COST = 0.02


@dataclass(frozen=True, slots=True, repr=False)
class Decoded:
    """A code and how well it explains the profile.

    `misfit`: root mean square difference to the drawn code, 0..1 of the contrast; `lead`: how much worse the runner-up
    is, in units of the noise (natural logarithm of the odds); `free`: the text comes out without help of the check
    digit; `again`: reads another profile of the same bars under the drawing that fits these.
    """

    text: str
    misfit: float
    lead: float
    free: bool
    again: Callable[[Floats], Decoded | None]

    @property
    def is_plain(self) -> bool:
        """Whether it is so far ahead that nothing else can stand there."""
        return self.free and self.lead >= PLAIN_LEAD


def darkness(profile: Floats, module: float, even: int = EVEN) -> Floats | None:
    """The profile as 0 (space) .. 1 (bar), uneven light taken out; None for too little contrast.

    `module`: its width in samples; `even`: modules over which light is evened out.
    """
    reach = max(3, int(even * module) | 1)
    line = profile.reshape(1, -1).astype(np.float32)
    span = (1, reach)
    ones = np.ones(span, np.uint8)
    high = cv2.blur(cv2.dilate(line, ones), (reach, 1))
    low = cv2.blur(cv2.erode(line, ones.reshape(1, -1)), (reach, 1))
    contrast = high - low
    strongest = percentiles(contrast, 80)[0]
    if strongest < 8.0:
        return None
    even = (high - line) / np.maximum(contrast, 0.35 * strongest)
    return cast(Floats, np.clip(even, -0.15, 1.15).reshape(-1).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Sight:
    """How a profile is looked at: light evened out over `even` modules of a width (samples) that the strip suggests, in
    one `direction` (1 or -1), by modules of `module` samples, bent by `bend`.
    """

    suggested: float
    even: int
    direction: int
    module: float
    bend: float = 0.0

    def line(self, profile: Floats) -> Floats | None:
        """The profile as a line of darkness with a fixed number of samples a module; None for too little contrast."""
        dark = darkness(profile, self.suggested, self.even)
        return None if dark is None else self.scaled(dark)

    def scaled(self, dark: Floats) -> Floats:
        """The same of a profile whose light is evened out already."""
        line = at_scale(dark[:: self.direction], self.module)
        return bent(line, self.bend) if self.bend else line


def at_scale(dark: Floats, module: float, per_module: int = PER_MODULE) -> Floats:
    """The line resampled to a fixed number of samples a module."""
    samples = max(8, round(len(dark) / module * per_module))
    way = cv2.INTER_AREA if samples < len(dark) else cv2.INTER_LINEAR
    return cast(Floats, cv2.resize(dark.reshape(1, -1), (samples, 1), interpolation=way).reshape(-1))


def bent(line: Floats, bend: float) -> Floats:
    """The line as seen at a slant: modules shrink by `bend` from its middle to its end, and grow to its beginning."""
    share = np.linspace(0.0, 1.0, len(line), dtype=np.float32)
    seen = (share + np.float32(bend) * share * (1 - share)) * (len(line) - 1)
    return cast(Floats, np.interp(seen, np.arange(len(line)), line).astype(np.float32))


def draw(code: str, before: str, after: str, blur: float, growth: float) -> Floats:
    """A pattern of modules as darkness, with two modules of what stands beside it, blurred; the sides cut off again."""
    fine = 4 * PER_MODULE
    bits = np.repeat(np.array([int(b) for b in before * 2 + code + after * 2], np.float32), fine)
    if growth:
        steps = np.ones((1, 2 * round(abs(growth) * fine / 2) + 1), np.uint8)
        grown = cv2.dilate(bits.reshape(1, -1), steps) if growth > 0 else cv2.erode(bits.reshape(1, -1), steps)
        bits = np.asarray(grown, np.float32).reshape(-1)
    soft = cv2.GaussianBlur(bits.reshape(1, -1), (0, 0), blur * fine, borderType=cv2.BORDER_REPLICATE).reshape(-1)
    inner = soft[2 * fine : len(soft) - 2 * fine]
    return cast(Floats, inner.reshape(-1, fine // PER_MODULE).mean(axis=1).astype(np.float32))


_NOTHING = np.zeros((0, 0), np.float32)


def pattern_costs(line: Floats, patterns: Floats) -> Floats:
    """Squared difference of each pattern at each place, in modules: (places, patterns)."""
    # Copied out: overlapping windows cannot be multiplied by fast routines. OpenCV's runs on one thread; numpy's wakes
    # all processors for these small products and burns five times as much of them.
    size = patterns.shape[1]
    row = np.ascontiguousarray(line, np.float32)
    # Numpy's own `sliding_window_view` takes longer than all of the rest here.
    windows = np.ndarray((len(row) - size + 1, size), np.float32, row, strides=(row.itemsize, row.itemsize)).copy()
    cost = cv2.gemm(windows, patterns, -2.0, _NOTHING, 0.0, flags=cv2.GEMM_2_T).astype(np.float32, copy=False)
    sums = np.zeros(len(row) + 1)
    np.cumsum(np.square(row, dtype=np.float64), out=sums[1:])
    cost += (sums[size:] - sums[:-size]).astype(np.float32)[:, None]
    cost += np.einsum("ij,ij->i", patterns, patterns)[None, :]
    np.maximum(cost, 0.0, out=cost)
    cost /= PER_MODULE
    return cast(Floats, cost)


_DRIFTS = np.arange(_DRIFT, -_DRIFT - 1, -1)
_PENALTIES = (_DRIFT_COST * np.abs(_DRIFTS)).astype(np.float32)


@dataclass(frozen=True, slots=True, repr=False)
class Stage:
    """One stage of a path: what it and all before it cost by where it ends, so many samples further on."""

    sums: Floats
    length: int

    def origin(self, end: int) -> int:
        """Where the cheapest way to this end began: looked up for the one path that is followed in the end."""
        ways = self.sums[end : end + len(_PENALTIES)] + _PENALTIES
        return end - self.length - _DRIFT + int(ways.argmin())


def origins(stages: Sequence[Stage], end: int) -> list[int]:
    """Where each stage of the cheapest path to an end begins."""
    begins = [end]
    for stage in reversed(stages):
        begins.append(stage.origin(begins[-1]))
    return begins[:0:-1]


def advance(so_far: Floats, cost: Floats, length: int) -> tuple[Floats, Stage]:
    """One stage on: the cheapest sum at each place behind it, and the way back."""
    size = len(so_far)
    padded = np.full(size + length + 2 * _DRIFT, np.inf, np.float32)
    first = length + _DRIFT
    padded[first : first + len(cost)] = so_far[: len(cost)] + cost
    best, offer = padded[:size] + _PENALTIES[0], np.empty(size, np.float32)
    for at in range(1, 2 * _DRIFT + 1):  # five passes over whole rows: a third of what one pass over windows takes
        np.add(padded[at : at + size], _PENALTIES[at], out=offer)
        np.minimum(best, offer, out=best)
    return best, Stage(padded, length)


def near(table: Floats, at: int) -> Floats:
    return cast(Floats, table[max(0, at - 1) : at + 2].min(axis=0))


def checked(
    rows: Sequence[Floats], weights: Sequence[int], modulus: int, begins: Sequence[int] = (0,)
) -> list[list[tuple[float, tuple[int, ...]]]]:
    """The two cheapest choices of one value a row whose weighted sum is a multiple of `modulus`, with their costs; for
    each of several tables at once.

    `rows`: for one place each, the cost of each value 0, 1, ... in each table (tables, values); `weights`: what a value
    counts there; `begins`: the sum each table begins with.
    """
    tables, sums = len(begins), np.arange(modulus)
    costs = np.full((tables, modulus, 2), np.inf)
    costs[np.arange(tables), begins, 0] = 0.0
    each = np.arange(tables * modulus)
    picks: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for row, weight in zip(rows, weights, strict=True):
        values = row.shape[1]
        came = (sums[:, None] - weight * np.arange(values)[None, :]) % modulus  # (sum now, value) -> sum before
        offers = (costs[:, came] + row[:, None, :, None]).reshape(len(each), 2 * values)
        first = offers.argmin(axis=1)
        least = offers[each, first]
        offers[each, first] = np.inf
        second = offers.argmin(axis=1)
        costs = np.stack([least, offers[each, second]], axis=1).reshape(tables, modulus, 2)
        order = np.stack([first, second], axis=1).reshape(tables, modulus, 2)
        value = order // 2
        picks.append((value, came[sums[None, :, None], value] * 2 + order % 2))
    return [[(float(costs[t, 0, rank]), _trace(picks, t, rank)) for rank in (0, 1)] for t in range(tables)]


def _trace(picks: list[tuple[NDArray[np.int64], NDArray[np.int64]]], table: int, rank: int) -> tuple[int, ...]:
    state, values = rank, []
    for value, before in reversed(picks):
        row, column = divmod(state, 2)
        values.append(int(value[table, row, column]))
        state = int(before[table, row, column])
    return tuple(reversed(values))
