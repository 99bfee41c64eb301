"""Zero or O, one or I, by the print alone: a small network that sees each character of a line by itself, and all of
them for the face they are printed in.

Recognisers take a round glyph for what stands around it, since nearly all they were trained on is digits only or has no
twins. This one (`training/twins.py`, `twins.onnx`) was shown nothing but lines in which a zero is as likely as an O,
whatever stands beside it. What stands there tells it the face, and whether the zeros of that face have a dot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from app.paths import RESOURCES
from app.vision.models import check_sum, compile_model, load_model
from app.vision.picture.pixels import Colour, Floats, Gray, grey
from app.vision.text.closeup import believed_rows
from app.vision.text.recognise import GLYPHS, View

MODEL = "twins.onnx"
WIDTH, HEIGHT = 64, 32
"""Size of the window the network sees, the character in its middle."""

KINDS = "0O1I"
"""What it tells apart; its fifth answer is "another glyph"."""

_ALIKE = {"O": "0", "I": "1"}
_NAMES = "".join(glyph for glyph in GLYPHS if glyph not in _ALIKE)

SIGNS = len(_NAMES)
"""Of how many signs a character is told to be one: the twins count as one, or they would be told by their reading."""

_INK = 24  # rows of the window that the line's ink takes
_LEAST_P = 1e-5


@dataclass(frozen=True, slots=True)
class Glance:
    """One character: its middle as a share of the line's width, the log odds of zero against O and one against I."""

    at: float
    zero: float
    one: float


class TwinJudge:
    """The network; one instance a process. About a quarter of a millisecond a character on one thread."""

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        path = (folder or RESOURCES / "models") / MODEL
        check_sum(path)
        self._model: Any = compile_model(load_model(path), threads, exact=True)  # small: nothing to gain

    def look(self, line: Colour, view: View, rows: tuple[int, int] | None = None) -> tuple[Glance, ...]:
        """Every character of a line that `view` (of the same width) takes for one of the twins. `rows` of its ink."""
        places = places_seen(view)
        if not any(glyph in KINDS for _, glyph in places):
            return ()
        cut = np.stack(windows(line, [at for at, _ in places], rows))
        signs = np.array([sign_of(glyph) for _, glyph in places])
        told = cast(Floats, self._model([cut[:, None], signs])[0])
        return tuple(
            Glance(at, _odds(chances, 0), _odds(chances, 2))
            for (at, glyph), chances in zip(places, told, strict=True)
            if glyph in KINDS
        )


def sign_of(glyph: str) -> int:
    """The number of what a character was read as."""
    return _NAMES.index(_ALIKE.get(glyph, glyph))


def _odds(chances: Floats, kind: int) -> float:
    return math.log(max(_LEAST_P, float(chances[kind])) / max(_LEAST_P, float(chances[kind + 1])))


def places_seen(view: View) -> list[tuple[float, str]]:
    """Where, as shares of the width, the likeliest path of a view has which glyph."""
    best = view.lattice[: view.steps].argmax(axis=1)
    ends = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
    return [
        ((first + last) / 2 / view.steps, GLYPHS[best[first]])
        for first, last in pairwise(ends.tolist())
        if best[first] < len(GLYPHS)
    ]


def windows(line: Colour, places: Sequence[float], rows: tuple[int, int] | None = None) -> list[Floats]:
    """The (HEIGHT, WIDTH) windows 0..255 around places of a line (shares of its width), its ink equally high in all."""
    shade = grey(line)
    top, bottom = believed_rows(line, rows)
    zoom = _INK / (bottom - top)
    if zoom < 1:
        shade = cast(Gray, cv2.resize(shade, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA))
    scale = line.shape[0] / len(shade)
    step = 1 / (zoom * scale)
    middle = (top + bottom) / 2 / scale
    cut = []
    for at in places:
        left = at * shade.shape[1] - WIDTH / 2 * step
        move = np.array([[step, 0, left], [0, step, middle - HEIGHT / 2 * step]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        window = cv2.warpAffine(shade, move, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        cut.append(window.astype(np.float32))
    return cut
