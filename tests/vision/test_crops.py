"""The enlarged picture of a doubtful character: that character in the middle, marked, whatever the lattice said."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.vision.crops import CROP_H, around, between_gaps

PITCH, HEIGHT, COUNT = 40, 60, 10


def line() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Ten solid blocks in a row, one in each pitch."""
    picture = np.full((HEIGHT, PITCH * COUNT, 3), 240, np.uint8)
    for no in range(COUNT):
        cv2.rectangle(picture, (no * PITCH + 8, 12), (no * PITCH + 31, 48), (30, 30, 30), -1)
    return picture


@pytest.mark.parametrize("off", [-15, -7, 0, 7, 15])
def test_the_middle_is_found_although_the_lattice_is_a_little_off(off: int) -> None:
    shade = line()[:, :, 0]
    for no in range(COUNT):
        assert between_gaps(shade, no * PITCH + 20 + off, PITCH) == pytest.approx(no * PITCH + 20, abs=7), (
            "all of its ink is inside"
        )


@pytest.mark.parametrize("position", [0, 4, 9])
def test_the_character_stands_in_the_middle_of_its_picture_and_is_marked(position: int) -> None:
    spans = [(no * 4 + 1, no * 4 + 3) for no in range(COUNT)]
    shown = around(line(), spans, position, 4 * COUNT)
    height, width = shown.shape[:2]
    assert height == CROP_H
    amber = (shown[:, :, 2] > 200) & (shown[:, :, 0] < 120)
    columns = np.flatnonzero(amber.mean(axis=0) > 0.5)
    assert columns.min() + columns.max() == pytest.approx(width - 1, abs=3)
    inside = shown[60:100, columns.min() + 6 : columns.max() - 6, 0]
    dark = np.flatnonzero(inside.mean(axis=0) < 120)
    assert dark.mean() == pytest.approx(inside.shape[1] / 2, abs=12)


def test_a_field_of_one_character_has_a_picture_too() -> None:
    assert around(line()[:, :PITCH], [(0, 1)], 0, 1).shape[0] == CROP_H
