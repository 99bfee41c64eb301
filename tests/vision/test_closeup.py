"""The close crop: it holds the ink, survives any size, and lets our recogniser read what a loose crop hid from it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.core.products import DIGITS, LATIN, FieldPattern
from app.rehearsal.dice import stream
from app.rehearsal.lines import LineStudio
from app.rehearsal.typefaces import load_faces
from app.vision.decoding.decode import decode
from app.vision.text.closeup import close_up, even_out, ink_rows, widen
from app.vision.text.codes import CodeReader

MIXED = FieldPattern(DIGITS + LATIN, tuple(range(4, 21)))


def bars(height: int, top: int, bottom: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Upright strokes between two rows of light paper."""
    picture = np.full((height, 300, 3), 220, np.uint8)
    for x in range(10, 290, 14):
        cv2.rectangle(picture, (x, top), (x + 5, bottom - 1), (60, 60, 60), -1)
    return picture


@pytest.mark.parametrize(("top", "bottom"), [(20, 50), (12, 44), (8, 58)])
def test_the_rows_of_ink_are_found_and_fill_their_share(top: int, bottom: int) -> None:
    picture = bars(70, top, bottom)
    assert ink_rows(picture) == (pytest.approx(top, abs=4), pytest.approx(bottom, abs=4))
    near = close_up(picture, 0.8)
    first, last = ink_rows(near)
    assert (last - first) / near.shape[0] == pytest.approx(0.8, abs=0.1)
    assert (first + last) / 2 == pytest.approx(near.shape[0] / 2, abs=3)


def test_a_panel_edge_above_the_line_is_left_out() -> None:
    picture = bars(70, 22, 52)
    picture[:6] = 120  # the layer above; a clean edge has no steps sideways
    assert ink_rows(picture)[0] > 15


@pytest.mark.parametrize("size", [(6, 6), (8, 8), (9, 400), (200, 12)])
@pytest.mark.parametrize("noise", [0, 60])
def test_any_picture_stays_a_picture(size: tuple[int, int], noise: int) -> None:
    rng = np.random.default_rng(5)
    picture = np.clip(120 + noise * rng.standard_normal((*size, 3)), 0, 255).astype(np.uint8)
    for made in (close_up(picture, 0.82), even_out(picture), widen(picture, 0.9)):
        assert made.dtype == np.uint8
        assert made.ndim == 3
        assert min(made.shape[:2]) >= 4


def test_light_on_one_side_is_evened_out() -> None:
    picture = bars(60, 15, 45).astype(np.float32)
    picture = (picture * np.linspace(0.3, 1.1, 300)[None, :, None]).clip(0, 255).astype(np.uint8)
    even = even_out(picture)[15:45, :, 0].astype(float)
    assert even[:, :100].std() == pytest.approx(even[:, 200:].std(), rel=0.15)


def test_a_line_lost_in_its_margin_is_read_close_up() -> None:
    """Of loose crops, as boxes of the line finder are, our recogniser dropped characters it reads close up."""
    studio, reader = LineStudio(load_faces(31), 31), CodeReader()
    right = {"loose": 0, "close": 0}
    for index in range(16):
        line = studio.draw(stream(31, "loose", index), 0.25, "mono", "plain")
        rim = line.picture.shape[0] // 2
        loose = cv2.copyMakeBorder(line.picture, rim, rim, 0, 0, cv2.BORDER_REPLICATE)
        wide = np.repeat(np.asarray(loose, np.uint8)[:, :, None], 3, axis=2)
        for name, picture in (("loose", wide), ("close", close_up(wide, 0.82))):
            pattern = FieldPattern(DIGITS if line.text.isdigit() else MIXED.alphabet, MIXED.lengths)
            found = decode(reader.read([picture])[0].lattice, pattern)
            right[name] += found is not None and found.text.replace("O", "0") == line.text.replace("O", "0")
    assert right["close"] >= right["loose"] + 2
    assert right["close"] >= 12
