"""Typefaces for whole sheets of practice lines: every glyph drawn once as a small mask, so that a line is only pasted.

Families: mono, sans, serif, ocr (our strokes and OCR-A where the system has it), dot (needle and ink-jet matrices).
Faces named in HELD_OUT are never used for training; they are for measuring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from app.core.products import DIGITS, LATIN
from app.rehearsal.dice import between, chance, pick, stream
from app.rehearsal.errors import FontMissing
from app.rehearsal.fonts import find_font
from app.rehearsal.glyphs import DOTS, all_dot_rows, dot_rows, stroke_lines

Pixels = npt.NDArray[Any]

CAP = 32
"""Height of a capital in a mask, pixels."""

ABOVE, BELOW = 5, 9
"""Room above and below the capital: accents of old-style digits, the tail of a Q."""

SIGNS = DIGITS + LATIN + "-"

_FILES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "mono": (
        ("JetBrainsMono-Regular.ttf", 0),
        ("JetBrainsMono-SemiBold.ttf", 0),
        ("JetBrainsMono-Bold.ttf", 0),
        ("DejaVuSansMono.ttf", 0),
        ("DejaVuSansMono-Bold.ttf", 0),
        ("NotoSansMono-Regular.ttf", 0),
        ("NotoSansMono-Bold.ttf", 0),
        ("NotoMono-Regular.ttf", 0),
        ("LiberationMono-Regular.ttf", 0),
        ("LiberationMono-Bold.ttf", 0),
        ("NimbusMonoPS-Bold.otf", 0),
        ("anonymous-pro-latin-400-normal.woff", 0),
        ("courier-prime-latin-400-normal.woff", 0),
        ("courier-prime-latin-700-normal.woff", 0),
        ("ibm-plex-mono-latin-400-normal.woff", 0),
        ("ibm-plex-mono-latin-700-normal.woff", 0),
        ("roboto-mono-latin-400-normal.woff", 0),
        ("roboto-mono-latin-700-normal.woff", 0),
        ("share-tech-mono-latin-400-normal.woff", 0),
        ("space-mono-latin-400-normal.woff", 0),
        ("space-mono-latin-700-normal.woff", 0),
    ),
    "sans": (
        ("NotoSansCJK-Regular.ttc", 2),
        ("NotoSansCJK-Bold.ttc", 2),
        ("DejaVuSans.ttf", 0),
        ("DejaVuSansCondensed-Bold.ttf", 0),
        ("LiberationSans-Regular.ttf", 0),
        ("LiberationSans-Bold.ttf", 0),
        ("LiberationSansNarrow-Regular.ttf", 0),
        ("NimbusSans-Regular.otf", 0),
        ("URWGothic-Book.otf", 0),
        ("roboto-condensed-latin-400-normal.woff", 0),
        ("roboto-condensed-latin-700-normal.woff", 0),
        ("barlow-latin-400-normal.woff", 0),
        ("barlow-latin-700-normal.woff", 0),
    ),
    "serif": (("DejaVuSerif.ttf", 0), ("LiberationSerif-Bold.ttf", 0), ("NimbusRoman-Regular.otf", 0)),
    "ocr": (("OCRA.ttf", 0), ("OCRABold.ttf", 0)),
    "dot": (
        ("doto-latin-400-normal.woff", 0),
        ("doto-latin-700-normal.woff", 0),
        ("dotgothic16-latin-400-normal.woff", 0),
        ("vt323-latin-400-normal.woff", 0),
    ),
}
"""Files by family. Those the system or `--fonts` does not have are left out."""

HELD_OUT = frozenset(
    {"LiberationMono-Regular.ttf", "LiberationMono-Bold.ttf", "NimbusSans-Regular.otf", "LiberationSans-Bold.ttf"}
    | {"space-mono-latin-400-normal.woff", "space-mono-latin-700-normal.woff", "barlow-latin-700-normal.woff"}
    | {"strokes-held-out", "dot-held-out", "dot-mixed-held-out", "OCRABold.ttf", "NimbusRoman-Regular.otf"}
)

_DOT_SOURCES = (
    *("DejaVuSansMono-Bold.ttf", "NotoSansMono-Regular.ttf", "JetBrainsMono-Regular.ttf"),
    *("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "URWGothic-Book.otf"),
)
_DOT_GRIDS = ((5, 7), (5, 9), (6, 8), (6, 9), (7, 9), (8, 12), (10, 16))
_DOT_HELD_OUT = ("DejaVuSansMono-Bold.ttf", (7, 9))
_DOT_MIXES = 24


@dataclass(frozen=True, eq=False)
class Face:
    """Masks of SIGNS: uint8, ABOVE + CAP + BELOW high; `advance` is pixels from one glyph to the next."""

    name: str
    family: str
    glyphs: Mapping[str, Pixels]
    advance: Mapping[str, float]

    @property
    def held_out(self) -> bool:
        return self.name in HELD_OUT


def load_faces(seed: int, folders: Iterable[Path] = ()) -> tuple[Face, ...]:
    """All faces this system can draw, the same for the same seed and fonts; `folders` hold further font files."""
    return (*_typeset(tuple(folders)), *_stroked(seed), *_dotted(seed))


def _typeset(folders: tuple[Path, ...]) -> Iterator[Face]:
    for family, files in _FILES.items():
        for name, index in files:
            path = _locate(name, folders)
            if path is not None:
                yield _from_font(name, family, path, index)


def _locate(name: str, folders: tuple[Path, ...]) -> Path | None:
    """A missing font makes the practice poorer, not impossible."""
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    try:
        return find_font(name)
    except FontMissing:
        return None


def _from_font(name: str, family: str, path: Path, index: int) -> Face:
    trial = ImageFont.truetype(str(path), 100, index=index)
    _, top, _, bottom = trial.getbbox("H")
    kind = ImageFont.truetype(str(path), round(100 * CAP / (bottom - top)), index=index)
    _, top, _, _ = kind.getbbox("H")
    glyphs, advance = {}, {}
    for sign in SIGNS:
        advance[sign] = float(kind.getlength(sign))
        canvas = Image.new("L", (round(advance[sign]) + 6, ABOVE + CAP + BELOW), 0)
        ImageDraw.Draw(canvas).text((3, ABOVE - top), sign, fill=255, font=kind)
        glyphs[sign] = np.asarray(canvas, np.uint8)
    return Face(name, family, glyphs, advance)


def _stroked(seed: int) -> Iterator[Face]:
    """Our stroke table as it is, and with pens, widths and joints of chance: what OCR-A and OCR-B vary in."""
    yield _strokes("strokes", None)
    for index in range(6):
        yield _strokes(f"strokes-{index}", stream(seed, "strokes", index))
    yield _strokes("strokes-held-out", stream(seed, "strokes", "held-out"))


def _strokes(name: str, rng: np.random.Generator | None) -> Face:
    zoom = 4
    pen = CAP * (0.115 if rng is None else between(rng, 0.09, 0.17))
    wide = CAP * (0.58 if rng is None else between(rng, 0.5, 0.68))
    advance = CAP * (0.84 if rng is None else between(rng, 0.78, 0.95))
    rounding = rng is not None and chance(rng, 0.5)
    glyphs = {}
    for sign in SIGNS:
        canvas = np.zeros(((ABOVE + CAP + BELOW) * zoom, (round(advance) + 6) * zoom), np.uint8)
        for line in stroke_lines(sign):
            grid = np.array(line, np.float64)
            if rng is not None:
                grid = grid + rng.normal(0, 0.12, grid.shape)
            points = _rounded(grid) if rounding else grid
            x = 3 + pen * 0.8 + points[:, 0] * (wide - pen) / 4
            y = ABOVE + pen / 2 + points[:, 1] * (CAP - pen) / 6
            path = np.round(np.stack([x, y], axis=1) * zoom).astype(np.int32)
            cv2.polylines(canvas, [path], False, 255, max(round(pen * zoom), 1), cv2.LINE_AA)
        glyphs[sign] = cv2.resize(canvas, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
    return Face(name, "ocr", glyphs, dict.fromkeys(SIGNS, advance))


def _rounded(points: Pixels) -> Pixels:
    """A polyline with its corners cut twice (Chaikin), its ends kept: bends as OCR-B has them."""
    for _ in range(2):
        if len(points) < 3:
            return points
        near, far = points[:-1] * 0.75 + points[1:] * 0.25, points[:-1] * 0.25 + points[1:] * 0.75
        points = np.concatenate([points[:1], np.stack([near, far], axis=1).reshape(-1, 2)[1:-1], points[-1:]])
    return points


def _dotted(seed: int) -> Iterator[Face]:
    """The 5x7 table with dots of several sizes and shapes, and finer matrices taken from outlines."""
    yield _dots("dot", {sign: np.array(dot_rows(sign)) for sign in DOTS}, None)
    for index in range(_DOT_MIXES):
        rng = stream(seed, "dot", index)
        mixed = {sign: np.array(pick(rng, all_dot_rows(sign))) for sign in DOTS}
        yield _dots("dot-mixed-held-out" if index == _DOT_MIXES - 1 else f"dot-{index}", mixed, rng)
    outlines = [f for f in _typeset(()) if f.name in _DOT_SOURCES]
    for face in outlines:
        for grid in _DOT_GRIDS:
            rng = stream(seed, "dot", face.name, *grid)
            held_out = (face.name, grid) == _DOT_HELD_OUT
            yield _dots("dot-held-out" if held_out else f"dot-{face.name}-{grid}", _matrix(face, grid), rng)


def _matrix(face: Face, grid: tuple[int, int]) -> dict[str, Pixels]:
    """Each glyph of a face on a matrix of `grid` (columns, rows), its ink box stretched over the whole of it."""
    boxes = {}
    for sign in SIGNS:
        ink = face.glyphs[sign][ABOVE : ABOVE + CAP + (BELOW if sign == "Q" else 0)]  # else it were an O
        ink = ink[: np.flatnonzero(ink.max(axis=1) > 99)[-1] + 1] if sign == "Q" else ink
        columns = np.flatnonzero(ink.max(axis=0) > 99)
        cell = ink[:, columns[0] : columns[-1] + 1]
        width = min(grid[0], max(1, round(cell.shape[1] * grid[1] / CAP)))
        boxes[sign] = cv2.resize(cell, (width, grid[1]), interpolation=cv2.INTER_AREA) > 96
    return boxes


def _dots(name: str, rows: Mapping[str, Pixels], rng: np.random.Generator | None) -> Face:
    zoom = 4
    high = max(matrix.shape[0] for matrix in rows.values())
    wide = max(matrix.shape[1] for matrix in rows.values())
    step = CAP / (high - 0.4)
    stretch = 1.0 if rng is None else between(rng, 0.82, 1.12)
    radius = step * (0.44 if rng is None else between(rng, 0.3, 0.66))
    square = rng is not None and chance(rng, 0.25)
    advance = CAP * 0.86 if rng is None else (wide + pick(rng, (0.8, 1.0, 1.2, 2.0))) * step * stretch
    glyphs = {}
    for sign, matrix in rows.items():
        canvas = np.zeros(((ABOVE + CAP + BELOW) * zoom, (round(wide * step * stretch) + 8) * zoom), np.uint8)
        shift = (wide - matrix.shape[1]) / 2
        for y, x in np.argwhere(matrix):
            at = ((4 + (x + shift + 0.4) * step * stretch) * zoom, (ABOVE + (y + 0.3) * step) * zoom)
            _dot(canvas, at, radius * zoom, square)
        glyphs[sign] = cv2.resize(canvas, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
    return Face(name, "dot", glyphs, dict.fromkeys(rows, advance))


def _dot(canvas: Pixels, at: tuple[float, float], radius: float, square: bool) -> None:
    x, y = at
    if square:
        low, high = (round(x - radius), round(y - radius)), (round(x + radius), round(y + radius))
        cv2.rectangle(canvas, low, high, 255, -1)
    else:
        cv2.circle(canvas, (round(x), round(y)), max(round(radius), 1), 255, -1, cv2.LINE_AA)


def set_text(face: Face, text: str, spacing: float = 1.0, gap: float = 1.0) -> Pixels:
    """A line as a uint8 mask, ABOVE + CAP + BELOW high; `spacing` stretches advances, a space is `gap` of a zero's."""
    xs, x = [], 2.0
    for sign in text:
        xs.append(round(x))
        x += (face.advance["0"] * gap if sign == " " else face.advance[sign]) * spacing
    mask = np.zeros((ABOVE + CAP + BELOW, round(x) + 12), np.uint8)
    for sign, left in zip(text, xs, strict=True):
        if sign != " ":
            glyph = face.glyphs[sign]
            view = mask[:, left : left + glyph.shape[1]]
            np.maximum(view, glyph[:, : view.shape[1]], out=view)
    return mask


def heavier(face: Face, pixels: int) -> Face:
    """The face with strokes thicker (positive) or thinner (negative) by about `pixels`."""
    kernel = np.ones((abs(pixels) + 1, abs(pixels) + 1), np.uint8)
    change = cv2.dilate if pixels > 0 else cv2.erode
    return replace(face, glyphs={sign: np.asarray(change(mask, kernel)) for sign, mask in face.glyphs.items()})
