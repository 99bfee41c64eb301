"""The second opinion on numbers and PINs: our own recogniser, a small CTC network that knows 0-9 and A-Z only.

Trained on lines the rehearsal studio draws (`training/`), it makes other mistakes than the PP-OCR recogniser, which is
trained on all the world's text. Its weights lie in resources/models with their checksum.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from app.paths import RESOURCES
from app.vision.models import check_sum, compile_model, load_model
from app.vision.picture.pixels import Colour, Floats, Gray, grey
from app.vision.text.recognise import BLANK, GLYPHS, NO_STEPS, Engine, LineText, TextSign, View

MODEL = "codes.onnx"
HEIGHT = 32
STRIDE = 2  # pixels of the scaled line per step

_GRID = 64  # widths are multiples of this, so that few shapes have to be prepared
_WIDEST = 704
_TAIL = 12  # least pixels after the line: the network reads a glyph at the very end less surely


class CodeReader:
    """Our recogniser; one instance a process. A few milliseconds a line on one thread."""

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        path = (folder or RESOURCES / "models") / MODEL
        check_sum(path)
        self._model: Any = compile_model(load_model(path), threads)

    def warm_up(self) -> None:
        """Prepare the common shapes, so that the first card is not slower than the others."""
        for width in range(_GRID * 2, _WIDEST + 1, _GRID):
            self._model(np.zeros((1, 1, HEIGHT, width), np.float32))

    def read(self, lines: Sequence[Colour]) -> list[View]:
        """Each picture of a line as a reading: columns as in `LineText.lattice`, rows adding to 1."""
        return [self._read_one(line) for line in lines]

    def signs(self, line: Colour) -> list[TextSign]:
        """The likeliest glyphs of a line and where they stand."""
        return _signs(self._read_one(line))

    def text(self, line: Colour) -> LineText:
        """A line that can hold nothing but glyphs as text."""
        return LineText(tuple(_signs(self._read_one(line))), NO_STEPS)

    def _read_one(self, line: Colour) -> View:
        tensor, used = scaled(grey(line))
        chances = cast(Floats, self._model(tensor)[0][0])
        out = np.zeros((len(chances), BLANK + 1), np.float32)
        out[:, : len(GLYPHS)] = chances[:, 1:]
        out[:, BLANK] = chances[:, 0]
        return View(Engine.OWN, out, used // STRIDE)


def _signs(view: View) -> list[TextSign]:
    best, count = view.lattice.argmax(axis=1), max(1, view.steps)
    signs: list[TextSign] = []
    for at, column in enumerate(best):
        if column >= len(GLYPHS):
            continue
        p, end = float(view.lattice[at, column]), min(1.0, (at + 1) / count)
        if at and best[at - 1] == column:
            last = signs.pop()
            signs.append(TextSign(last.text, last.start, end, max(last.p, p)))
        else:
            signs.append(TextSign(GLYPHS[column], min(1.0, at / count), end, p))
    return signs


def scaled(line: Gray, height: int = HEIGHT, widest: int = _WIDEST) -> tuple[Floats, int]:
    """A line as a network takes it, (1, 1, its height, a multiple of 64), prolonged by its last column as in training;
    and how many of its columns the line itself takes.
    """
    wanted = round(line.shape[1] * height / line.shape[0])
    used = int(np.clip(wanted, 8, widest - _TAIL))
    way = cv2.INTER_AREA if line.shape[0] > height else cv2.INTER_CUBIC
    narrow = cv2.resize(line, (used, height), interpolation=way)
    width = -(-(used + _TAIL) // _GRID) * _GRID
    return np.pad(narrow, ((0, 0), (0, width - used)), "edge").astype(np.float32)[None, None], used
