"""The scratch panel over a PIN: its metallic coating, and what a coin leaves of it.

States: covered, marked (closed too, with old rubs and scratches that reveal nothing), partial (part of the PIN still
under the coating: one end, or in `patchy` islands anywhere), clean, residue (open, with crumbs and thin film), over
(open, with the print below scratched too), cleared (the whole layer gone but for its rim).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.rehearsal.dice import between, chance, pick
from app.rehearsal.lettering import lay_ink, plain_text

Pixels = npt.NDArray[Any]
Rect = tuple[int, int, int, int]

MARKS = ("SCRATCH", "刮开此涂层", "hatch", "dots", "")
UNDER_MARKS = ("", "hatch", "dots", "waves")
CLOSED_STATES = ("covered", "marked")
PANEL_STATES = (*CLOSED_STATES, "partial", "patchy", "clean", "residue", "over", "cleared")
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scratch:
    """Coverage of the panel, float32 HxW each: `coat` 1 = coated; `torn` 1 = the print below is scraped away."""

    coat: Pixels
    torn: Pixels


def cloud(rng: np.random.Generator, shape: tuple[int, int], grain_px: float) -> Pixels:
    """Smooth noise, float32 HxW with mean 0 and deviation 1, its features about `grain_px` wide."""
    height, width = shape
    small = (max(int(height / grain_px), 2), max(int(width / grain_px), 2))
    field = rng.standard_normal(small).astype(np.float32)
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) * 1.2


def coating(
    rng: np.random.Generator, shape: tuple[int, int], mark: str, ppm: float, colour: Colour | None = None
) -> Pixels:
    """The layer as float32 HxWx3 BGR, metallic grey or of `colour`, with `mark` (one of MARKS) printed over it."""
    width = shape[1]
    tone = between(rng, 128, 172) + cloud(rng, shape, ppm * 0.7) * 5 + cloud(rng, shape, ppm * 0.14) * 6
    tone = tone + np.linspace(-8, 8, width, dtype=np.float32)[None, :] * pick(rng, (-1, 1))
    layer = np.repeat(tone.astype(np.float32)[..., None], 3, axis=2) + np.array((2, 0, -2), np.float32)
    darker = (96, 94, 92)
    if colour is not None:
        layer += np.array(colour, np.float32) - layer.mean(axis=(0, 1))
        darker = (int(colour[0] * 0.65), int(colour[1] * 0.65), int(colour[2] * 0.65))
    if mark == "hatch":
        layer[_hatch(shape, ppm)] -= 16
    elif mark == "dots":
        layer[_dots(shape, ppm)] -= 18
    elif mark:
        line = plain_text(f"{mark} " * 12, "sans-bold", ppm * 1.7)
        for row in range(4):
            lay_ink(layer, line, (-row % 2 * round(ppm * 3), round(row * ppm * 2.3)), darker, 0.32)
    return layer


def _hatch(shape: tuple[int, int], ppm: float) -> Pixels:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    return np.asarray((rows + columns) % max(round(ppm * 1.3), 4) < ppm * 0.4)


def _dots(shape: tuple[int, int], ppm: float) -> Pixels:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    step = max(ppm * 1.5, 4)
    return np.asarray(((rows % step - step / 2) ** 2 + (columns % step - step / 2) ** 2) < (ppm * 0.3) ** 2)


def print_under(paper: Pixels, mark: str, ppm: float) -> None:
    """Security print on the paper below the coating (`mark` one of UNDER_MARKS), in place."""
    shape = (paper.shape[0], paper.shape[1])
    if mark == "hatch":
        paper[_hatch(shape, ppm * 1.4)] -= 22
    elif mark == "dots":
        paper[_dots(shape, ppm)] -= 24
    elif mark == "waves":
        rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
        paper[(rows + ppm * 0.6 * np.sin(columns / (ppm * 1.1))) % (ppm * 0.9) < ppm * 0.22] -= 26


def scratch(
    rng: np.random.Generator,
    state: str,
    shape: tuple[int, int],
    pin: Rect,
    ppm: float,
    share: float | None = None,
    beyond_mm: tuple[float, float] | None = None,
) -> Scratch:
    """What is left of the coating in `state` on a panel of HxW pixels whose PIN lies in `pin` (x0, y0, x1, y1).

    `share` of the PIN's width is open in a `partial` one, `beyond_mm` how far the rubbing goes on beyond the PIN's left
    and right end where it reaches them; None leaves it to chance.
    """
    torn = np.zeros(shape, np.float32)
    if state in CLOSED_STATES:
        nicks = _nicks(rng, shape, ppm)
        return Scratch(1 - (np.maximum(nicks, _old_marks(rng, shape, ppm)) if state == "marked" else nicks), torn)
    if state == "cleared":
        return Scratch(_rim(rng, shape, ppm), torn)
    if state == "patchy":
        return Scratch(1 - _patches(rng, shape, pin, ppm), torn)
    coat = 1 - _rubbed(rng, shape, _reach(rng, state, pin, ppm, share, beyond_mm), ppm)
    if state == "residue":
        coat = np.maximum(coat, _film(rng, shape, ppm))
    if state == "over":
        torn = _gouges(rng, shape, pin, ppm)
    if state in ("clean", "over"):
        coat = np.maximum(coat, _crumbs(rng, shape, ppm))
    return Scratch(coat, torn)


def _old_marks(rng: np.random.Generator, shape: tuple[int, int], ppm: float) -> Pixels:
    """Wear of a closed panel: dull rubs and a few long scratches, too thin to show what lies below."""
    canvas = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(2, 9))):
        start = np.array([rng.integers(shape[1]), rng.integers(shape[0])])
        steps = rng.normal(0, ppm * 1.2, (4, 2)).cumsum(axis=0) * (1.8, 0.5)
        wide = max(1, round(ppm * between(rng, 0.06, 0.2)))
        points = np.round(start + steps).astype(np.int32)
        cv2.polylines(canvas, [points], False, int(rng.integers(120, 255)), wide, cv2.LINE_AA)
    rubs = np.clip(cloud(rng, shape, ppm * 2.2) - 0.9, 0, 1) * 0.3
    return np.clip(canvas.astype(np.float32) / 255 + rubs, 0, 1).astype(np.float32)


def _rim(rng: np.random.Generator, shape: tuple[int, int], ppm: float) -> Pixels:
    """What stays when the whole layer is scratched off: a broken rim and crumbs."""
    height, width = shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    edge = np.minimum.reduce([rows, columns, height - 1 - rows, width - 1 - columns])
    ragged = between(rng, 0.0, 0.7) * ppm - edge + cloud(rng, shape, ppm * 0.8) * ppm * 0.25
    return np.asarray(np.maximum(np.clip(ragged / (ppm * 0.15), 0, 1), _crumbs(rng, shape, ppm)), np.float32)


def _patches(rng: np.random.Generator, shape: tuple[int, int], pin: Rect, ppm: float) -> Pixels:
    """1 where single rubs opened parts of the PIN: at both ends, in the middle, or only its lower half."""
    x0, y0, x1, y1 = pin
    width, pad = x1 - x0, round(ppm * between(rng, 0.5, 1.0))
    kind = int(rng.integers(3))
    if kind == 2:
        low = y0 + round((y1 - y0) * between(rng, 0.35, 0.7))
        rects = [(x0 - pad, low, x1 + pad, y1 + pad)]
    else:
        a, b = x0 + round(width * between(rng, 0.15, 0.4)), x0 + round(width * between(rng, 0.6, 0.85))
        ends = [(x0 - pad, y0 - pad, a, y1 + pad), (b, y0 - pad, x1 + pad, y1 + pad)]
        rects = ends if kind == 0 else [(a, y0 - pad, b, y1 + pad)]
    return np.asarray(np.maximum.reduce([_rubbed(rng, shape, rect, ppm) for rect in rects]), np.float32)


def _reach(
    rng: np.random.Generator,
    state: str,
    pin: Rect,
    ppm: float,
    wanted: float | None,
    beyond_mm: tuple[float, float] | None,
) -> Rect:
    """The part that was rubbed: a little more than the PIN, or for `partial` only 30 to 65 % of its width."""
    x0, y0, x1, y1 = pin
    pad = round(ppm * between(rng, 0.6, 1.1))
    wide = 1 if state == "partial" else 2
    left, right = (pad * wide, pad * wide) if beyond_mm is None else (round(mm * ppm) for mm in beyond_mm)
    if state != "partial":
        return x0 - left, y0 - pad, x1 + right, y1 + pad
    by_chance = between(rng, 0.3, 0.65)
    share = by_chance if wanted is None else wanted
    cut = round((x1 - x0) * share)
    return (x0 - left, y0 - pad, x0 + cut, y1 + pad) if chance(rng, 0.5) else (x1 - cut, y0 - pad, x1 + right, y1 + pad)


def _rubbed(rng: np.random.Generator, shape: tuple[int, int], reach: Rect, ppm: float) -> Pixels:
    """1 where a coin's edge went back and forth over `reach`, with ragged borders."""
    zone = np.zeros(shape, np.uint8)
    x0, y0, x1, y1 = reach
    thickness = max(round(ppm * 1.5), 2)
    steps = max(round((x1 - x0) / (thickness * 0.45)), 4)
    xs = np.linspace(x0 + thickness / 2, x1 - thickness / 2, steps)
    low, high = y0 + thickness / 3, y1 - thickness / 3
    ys = np.where(np.arange(steps) % 2 == 0, low, high) + rng.normal(0, ppm * 0.25, steps)
    path = np.stack([xs + rng.normal(0, ppm * 0.2, steps), ys], axis=1)
    cv2.polylines(zone, [np.round(path).astype(np.int32)], False, 255, thickness)
    cv2.rectangle(zone, (x0 + thickness // 2, y0 + thickness // 3), (x1 - thickness // 2, y1 - thickness // 3), 255, -1)
    soft = cv2.GaussianBlur(zone.astype(np.float32) / 255, (0, 0), ppm * 0.28)
    ragged = soft + cloud(rng, shape, ppm * 0.5) * 0.07 + cloud(rng, shape, ppm * 0.15) * 0.06
    return np.clip((ragged - 0.42) * 7, 0, 1).astype(np.float32)


def _film(rng: np.random.Generator, shape: tuple[int, int], ppm: float) -> Pixels:
    """Crumbs and a thin film that a hasty thumb leaves, at most half as dense as the coating."""
    blots = np.clip(cloud(rng, shape, ppm * 0.55) - between(rng, 0.75, 1.15), 0, 1) * 0.75
    streaks = cv2.GaussianBlur(rng.random(shape).astype(np.float32), (0, 0), sigmaX=ppm * 0.9, sigmaY=ppm * 0.05)
    lines = np.clip((streaks - streaks.mean()) / (streaks.std() + 1e-6) - 1.5, 0, 1) * 0.4
    return np.asarray(np.clip(blots + lines, 0, 0.55), np.float32)


def _crumbs(rng: np.random.Generator, shape: tuple[int, int], ppm: float) -> Pixels:
    return np.asarray(np.clip((cloud(rng, shape, ppm * 0.3) - 2.5) * 3, 0, 0.6), np.float32)


def _nicks(rng: np.random.Generator, shape: tuple[int, int], ppm: float) -> Pixels:
    """Short fine scratches of a closed panel that has lain in a bag."""
    canvas = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(0, 6))):
        start = np.array([rng.integers(shape[1]), rng.integers(shape[0])])
        steps = rng.normal(0, ppm * 0.5, (5, 2)).cumsum(axis=0) * (1.6, 0.5)
        cv2.polylines(canvas, [np.round(start + steps).astype(np.int32)], False, 170, 1, cv2.LINE_AA)
    return canvas.astype(np.float32) / 255


def _gouges(rng: np.random.Generator, shape: tuple[int, int], pin: Rect, ppm: float) -> Pixels:
    """Scrapes through the printed PIN: many thin slanting lines and a few torn spots, never a whole character."""
    canvas = np.zeros(shape, np.uint8)
    x0, y0, x1, y1 = pin
    for _ in range(int((x1 - x0) / ppm * between(rng, 0.9, 1.6))):
        x, slant = rng.uniform(x0, x1), rng.normal(0, ppm)
        points = np.array([[x, y0 - ppm], [x + slant, y1 + ppm]])
        cv2.polylines(canvas, [np.round(points).astype(np.int32)], False, int(rng.integers(90, 200)), 1, cv2.LINE_AA)
    spots = np.clip((cloud(rng, shape, ppm * 0.45) - 1.55) * 2, 0, 0.8)
    return np.clip(canvas.astype(np.float32) / 255 + spots, 0, 1).astype(np.float32)


def lay_debris(rng: np.random.Generator, card: Pixels, panel: Rect, ppm: float) -> None:
    """Dark crumbs of coating on the card around a rubbed panel."""
    x0, y0, x1, y1 = panel
    for _ in range(int(rng.integers(6, 18))):
        centre = (int(rng.uniform(x0 - ppm, x1 + ppm)), int(pick(rng, (y0, y1)) + rng.normal(0, ppm * 0.7)))
        tone = between(rng, 90, 150)
        cv2.circle(card, centre, max(round(ppm * between(rng, 0.03, 0.11)), 1), (tone, tone, tone), -1, cv2.LINE_AA)
