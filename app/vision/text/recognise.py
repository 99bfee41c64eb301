"""What a line of text says: the PP-OCR recogniser, giving per-step probabilities, not only a string.

The model answers a CTC lattice over 18,710 signs. Kept of it: the greedy text with the place of each sign (to find
labels), and the lattice folded to the signs that fields are made of (to decode under a pattern).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.products import DIGITS, LATIN, FieldPattern
from app.vision.models import RECOGNISER, compile_model, load_model, models_folder, narrow_head
from app.vision.picture.pixels import Colour, Floats

GLYPHS = DIGITS + LATIN
"""The signs a field is made of; columns 0..35 of a lattice."""

SEPARATOR, OTHER, BLANK = len(GLYPHS), len(GLYPHS) + 1, len(GLYPHS) + 2
"""Further columns: printed separators (space - . ·), every other sign, and CTC's blank."""

HEIGHT = 48
NO_STEPS: Floats = np.zeros((0, BLANK + 1), np.float32)
"""The lattice of a line that was not read in whole."""

STRIDE = 8  # pixels of the scaled line per step
_WIDTHS = (96, 160, 224, 288, 352, 416, 480, 560, 640, 720, 800, 880, 960, 1120, 1280)
"""Widths a line is filled up to: few shapes, so that each is prepared once."""

_LAST_COMMON_ROW = 0xD7  # of GB 2312-1980: rows 16 to 55 are its first level, in EUC from 0xB0 to 0xD7
_SEPARATORS = " -–—－·.。:：_'’,"


class Engine(StrEnum):
    """Who read a view: engines make mistakes of their own, views of one engine repeat its mistakes."""

    PPOCR = "ppocr"
    OWN = "own"


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """One reading of a field. `lattice` as in `LineText`; `steps` how many of its rows the picture's width takes.

    `said`: what it was found to mean, by pattern; kept here because every new frame of a card concludes over all looks.
    """

    engine: Engine
    lattice: Floats
    steps: int
    said: dict[FieldPattern, object] = field(init=False, default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, repr=False)
class TextSign:
    """One sign of the greedy text: its place as shares 0..1 of the line's width, its probability."""

    text: str
    start: float
    end: float
    p: float


@dataclass(frozen=True, slots=True, repr=False)
class LineText:
    """A line as read. `lattice` (steps, 39): probabilities over GLYPHS, SEPARATOR, OTHER, BLANK, rows adding to 1.

    It is empty (no steps) where PP-OCR did not read the whole of the line.
    """

    signs: tuple[TextSign, ...]
    lattice: Floats

    @property
    def text(self) -> str:
        return "".join(s.text for s in self.signs)

    @property
    def score(self) -> float:
        """Mean probability of the signs, 0 for an empty line."""
        return sum(s.p for s in self.signs) / len(self.signs) if self.signs else 0.0

    @property
    def view(self) -> View:
        """The line as one reading of a field."""
        return View(Engine.PPOCR, self.lattice, len(self.lattice))

    def part(self, start: float) -> View:
        """What stands from a share 0..1 of the width to the end, as one reading of a field."""
        rows = self.lattice[round(start * len(self.lattice)) :]
        return View(Engine.PPOCR, rows, len(rows))


class Recogniser:
    """The text recogniser; one instance a process. 15 to 30 ms a line on one thread."""

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        model = load_model((folder or models_folder()) / RECOGNISER)
        signs = ["", *model.get_rt_info(["framework", "character"]).astype(str).split("\n"), " "]
        kept = [column for column, sign in enumerate(signs) if _is_printed_here(sign)]
        narrow_head(model, kept)
        self._signs = [signs[column] for column in kept]
        self._fold = _folding(self._signs)
        self._model = compile_model(model, threads)

    def warm_up(self) -> None:
        """Prepare the common shapes, so that the first card is not slower than the others."""
        for width in _WIDTHS:
            self._model(np.zeros((1, 3, HEIGHT, width), np.float32))

    def read(self, lines: Sequence[Colour]) -> list[LineText]:
        """Each picture of a line as text, in the order given; one at a time, so memory stays bounded."""
        return [self._read_one(line) for line in lines]

    def _read_one(self, line: Colour) -> LineText:
        tensor, used = _tensor(line)
        steps = cast(Floats, self._model(tensor)[0][0])
        steps = steps[: max(1, -(-used // STRIDE))]
        return LineText(self._greedy(steps), self._folded(steps))

    def _greedy(self, steps: Floats) -> tuple[TextSign, ...]:
        best = steps.argmax(axis=1)
        signs: list[TextSign] = []
        count = len(best)
        for at, column in enumerate(best):
            if column == 0 or column >= len(self._signs):
                continue
            p = float(steps[at, column])
            if at and best[at - 1] == column:
                last = signs.pop()
                signs.append(TextSign(last.text, last.start, (at + 1) / count, max(last.p, p)))
            else:
                signs.append(TextSign(self._signs[column], at / count, (at + 1) / count, p))
        return tuple(signs)

    def _folded(self, steps: Floats) -> Floats:
        out = np.zeros((len(steps), BLANK + 1), np.float32)
        for target, columns, weights in self._fold:
            out[:, target] += steps[:, columns] @ weights
        out[:, BLANK] = steps[:, 0]
        out[:, OTHER] = np.clip(1 - out.sum(axis=1), 0, 1)
        return cast(Floats, out / out.sum(axis=1, keepdims=True))


def _is_printed_here(sign: str) -> bool:
    """Whether a sign can stand on a card: blank, ASCII, full-width forms, the 3,755 common characters of GB 2312.

    A quarter of the model's time goes into telling 18,710 signs apart, most of which no card shows.
    """
    if len(sign) != 1 or sign.isascii() or "\uff00" <= sign <= "\uffef":
        return True
    try:
        return sign.encode("gb2312")[0] <= _LAST_COMMON_ROW
    except UnicodeEncodeError:
        return False


def _folding(signs: list[str]) -> list[tuple[int, NDArray[np.intp], Floats]]:
    """Which columns of the model feed which column of a lattice. A small l may be a one or an I: half to each."""
    targets: dict[int, dict[int, float]] = {}
    for column, sign in enumerate(signs):
        for target, weight in _targets(sign):
            targets.setdefault(target, {})[column] = weight
    return [(t, np.array(list(c), np.intp), np.array(list(c.values()), np.float32)) for t, c in sorted(targets.items())]


def _targets(sign: str) -> list[tuple[int, float]]:
    if sign == "l":
        return [(GLYPHS.index("1"), 0.5), (GLYPHS.index("I"), 0.5)]
    if len(sign) == 1 and sign.isascii() and sign.upper() in GLYPHS:
        return [(GLYPHS.index(sign.upper()), 1.0)]
    return [(SEPARATOR, 1.0)] if sign and sign in _SEPARATORS else []


def _tensor(line: Colour) -> tuple[Floats, int]:
    """A line scaled to the model's height, padded to one of the prepared widths, and the pixels really used."""
    wanted = round(line.shape[1] * HEIGHT / line.shape[0])
    used = int(np.clip(wanted, 16, _WIDTHS[-1]))
    shrink = cv2.INTER_AREA if line.shape[0] > HEIGHT else cv2.INTER_CUBIC
    scaled = cv2.resize(line, (used, HEIGHT), interpolation=shrink)
    width = next(w for w in _WIDTHS if w >= used)
    tensor = np.zeros((1, 3, HEIGHT, width), np.float32)
    tensor[0, :, :, :used] = (scaled.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)
    return tensor, used
