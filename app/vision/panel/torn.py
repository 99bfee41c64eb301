"""Was a panel scratched too hard? Strokes of characters go with its layer then, and what is left of an 8 is a 3 to
whoever reads it. Hardly anything tells which character has lost one; but such a line shows it all along.

A small network (`training/torn.py`, `torn.onnx`) sees the line as a whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.paths import RESOURCES
from app.vision.models import check_sum, compile_model, load_model
from app.vision.picture.pixels import Colour, grey
from app.vision.text.closeup import close_up, ink_rows
from app.vision.text.codes import scaled

MODEL = "torn.onnx"
HEIGHT = 40
_WIDEST = 880

TORN = 0.3
"""Probability from which strokes may be missing."""

SURELY = 0.95
"""Probability from which a person is told: of 3,385 open panels 51 of the 403 scraped ones and six others."""

_SHARES = (0.82, 0.66)  # of the picture's height that the ink takes: it is asked twice


class TornJudge:
    """Judges lines; one instance a process. Four milliseconds a line on one thread."""

    def __init__(self, folder: Path | None = None) -> None:
        path = (folder or RESOURCES / "models") / MODEL
        check_sum(path)
        self._model: Any = compile_model(load_model(path), 1, exact=True)  # small: nothing to gain

    def look(self, line: Colour, rows: tuple[int, int] | None = None) -> float:
        """The probability, 0..1, that a line's print was scraped. `rows` of its ink, where known."""
        rows = rows or ink_rows(line)
        seen = [self._model(scaled(grey(close_up(line, share, rows)), HEIGHT, _WIDEST)[0])[0][0] for share in _SHARES]
        return float(np.mean(seen))
