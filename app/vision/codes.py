"""The second opinion on numbers and PINs: our own recogniser, a small CTC network that knows 0-9 and A-Z only.

Trained on lines the rehearsal studio draws (`training/`), it makes other mistakes than the PP-OCR recogniser, which is
trained on all the world's text. Its weights lie in resources/models with their checksum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from app.core.errors import BadInput
from app.core.products import DIGITS, LATIN
from app.paths import RESOURCES
from app.vision.models import compile_model, load_model
from app.vision.pixels import Colour, Floats, Gray, grey

MODEL = "codes.onnx"
CHECKSUMS = "SHA256SUMS"
HEIGHT = 32
STRIDE = 2  # pixels of the scaled line per step

_GRID = 64  # widths are multiples of this, so that few shapes have to be prepared
_WIDEST = 704
_TAIL = 12  # least pixels after the line: the network reads a glyph at the very end less surely
_COLUMNS = len(DIGITS + LATIN) + 3  # as a `LineText.lattice`: glyphs, separator, other, blank


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

    def read(self, lines: Sequence[Colour]) -> list[Floats]:
        """A lattice (steps, 39) for each picture of a line, columns as in `LineText.lattice`, rows adding to 1."""
        return [self._read_one(line) for line in lines]

    def _read_one(self, line: Colour) -> Floats:
        chances = cast(Floats, self._model(scaled(grey(line)))[0][0])
        out = np.zeros((len(chances), _COLUMNS), np.float32)
        out[:, : _COLUMNS - 3] = chances[:, 1:]
        out[:, -1] = chances[:, 0]
        return out


def scaled(line: Gray) -> Floats:
    """A line as the network takes it, (1, 1, HEIGHT, a multiple of 64), prolonged by its last column as in training."""
    wanted = round(line.shape[1] * HEIGHT / line.shape[0])
    used = int(np.clip(wanted, 8, _WIDEST - _TAIL))
    way = cv2.INTER_AREA if line.shape[0] > HEIGHT else cv2.INTER_CUBIC
    narrow = cv2.resize(line, (used, HEIGHT), interpolation=way)
    width = -(-(used + _TAIL) // _GRID) * _GRID
    return np.pad(narrow, ((0, 0), (0, width - used)), "edge").astype(np.float32)[None, None]


def check_sum(path: Path) -> None:
    """Raises BadInput("reading.model_missing") when the file is not there or is not the one its folder lists."""
    try:
        listed = (path.parent / CHECKSUMS).read_text("ascii").split()
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput("reading.model_missing", path.name) from error
    if dict(zip(listed[1::2], listed[::2], strict=False)).get(path.name) != found:
        raise BadInput("reading.model_missing", f"{path.name}: damaged")
