"""Two cards never become one reading, however long the eye was kept from looking."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import zxingcpp

from app.core.cards import CardRead, FieldState, Secret
from app.core.products import Catalogue
from app.eye.codec import LeftTooEarly
from app.eye.watcher import Glimpse, Told, Watcher
from app.rehearsal.pictures import render_card_picture
from app.vision.look import Looker
from app.vision.picture.pixels import Colour


def _glimpses(picture: Colour, at_us: int, times: int) -> Iterator[Glimpse]:
    lightness = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    for n in range(times):
        yield Glimpse(at_us + n * 100_000, np.ascontiguousarray(lightness), lambda: picture)


@pytest.fixture(scope="module")
def cards() -> list[tuple[Colour, str]]:
    made = []
    for seed in (611, 612):
        picture, labels = render_card_picture(seed, "easy")
        made.append((np.ascontiguousarray(cv2.resize(picture, (1280, 720))), str(labels["number"])))
    return made


def test_a_card_that_took_the_place_of_another_begins_a_reading_of_its_own(
    looker: Looker, cards: list[tuple[Colour, str]]
) -> None:
    """The first card was looked at once; then the eye was starved, and saw the second card lie in its place."""
    (first, first_number), (second, second_number) = cards
    watcher = Watcher(looker, Catalogue())
    told: list[Told] = []
    frames = _glimpses(first, 0, 10)
    while not watcher._looks:  # until it has taken its first look
        told += watcher.see(next(frames))
    for glimpse in _glimpses(second, 4_000_000, 12):
        told += watcher.see(glimpse)
    reads = [item for item in told if isinstance(item, CardRead)]
    assert [read.number.secret() for read in reads if read.number.chars] == [Secret(second_number)]
    assert reads[0].first_us >= 4_000_000
    assert any(isinstance(item, LeftTooEarly) for item in told)
    assert first_number != second_number


def test_a_card_that_took_the_place_of_something_blank_is_read(looker: Looker, cards: list[tuple[Colour, str]]) -> None:
    """The parcel lay there, was looked at and had nothing to say; the eye missed that it was taken away."""
    (picture, number), _ = cards
    blank = picture.copy()
    quad = render_card_picture(611, "easy")[1]["card_quad"]
    cv2.fillConvexPoly(blank, np.array(quad, np.int32), (120, 160, 200))
    watcher = Watcher(looker, Catalogue())
    told: list[Told] = []
    for shown, at_us, times in ((blank, 0, 14), (picture, 5_000_000, 14)):
        for glimpse in _glimpses(shown, at_us, times):
            told += watcher.see(glimpse)
    reads = [item for item in told if isinstance(item, CardRead)]
    assert [read.number.secret() for read in reads] == [Secret(number)]


def test_a_card_that_took_the_place_of_the_parcels_label_is_read(
    looker: Looker, cards: list[tuple[Colour, str]]
) -> None:
    """The label is no card, though it holds a code: it must not pass for the card that comes after it."""
    (picture, number), _ = cards
    label = picture.copy()
    quad = np.array(render_card_picture(611, "easy")[1]["card_quad"], np.int32)
    cv2.fillConvexPoly(label, quad, (245, 245, 245))
    code = zxingcpp.create_barcode("SF1420773100987", zxingcpp.BarcodeFormat.Code128)
    bars = cv2.cvtColor(np.array(code.to_image(scale=2)), cv2.COLOR_GRAY2BGR)
    x, y = quad.mean(axis=0).astype(int) - (bars.shape[1] // 2, bars.shape[0] // 2)
    label[y : y + bars.shape[0], x : x + bars.shape[1]] = bars
    watcher = Watcher(looker, Catalogue())
    told: list[Told] = []
    for shown, at_us, times in ((label, 0, 14), (picture, 5_000_000, 14)):
        for glimpse in _glimpses(shown, at_us, times):
            told += watcher.see(glimpse)
    texts = [{b.text for b in item.barcodes} for item in told if isinstance(item, CardRead)]
    numbers = [item.number.secret() for item in told if isinstance(item, CardRead) and item.number.chars]
    assert texts[0] == {"SF1420773100987"}
    assert numbers == [Secret(number)]


def test_the_same_card_after_a_pause_is_one_reading(looker: Looker, cards: list[tuple[Colour, str]]) -> None:
    (first, number), _ = cards
    watcher = Watcher(looker, Catalogue())
    told: list[Told] = []
    for at_us in (0, 3_000_000):
        for glimpse in _glimpses(first, at_us, 6):
            told += watcher.see(glimpse)
    reads = [item for item in told if isinstance(item, CardRead)]
    assert [read.number.secret() for read in reads] == [Secret(number)]
    assert not any(isinstance(item, LeftTooEarly) for item in told)


@pytest.mark.parametrize("seed", [30030000, 30030006, 30030008])
def test_a_card_that_is_pushed_into_view_is_read_when_it_is_whole(looker: Looker, seed: int) -> None:
    """It was posted as far as it could be read over the picture's edge, and not looked at again: ten of twelve."""
    picture, labels = render_card_picture(seed, "easy", "clean")
    small = np.ascontiguousarray(cv2.resize(picture, (1280, 720)))
    corners = np.array(labels["card_quad"]) * 1280 / labels["width"]
    mat, there = small.copy(), np.zeros(small.shape[:2], np.uint8)
    middle = corners.mean(axis=0)
    cv2.fillConvexPoly(there, np.round(middle + (corners - middle) * 1.01).astype(np.int32), 255)
    mat[cv2.dilate(there, np.ones((21, 21), np.uint8)) > 0] = np.median(small[there == 0], axis=0)

    def pushed(right: float) -> Colour:
        move = np.array([[1, 0, right], [0, 1, 0]], np.float32)
        shown, card = mat.copy(), cv2.warpAffine(small, move, (1280, 720))
        where = cv2.warpAffine(there, move, (1280, 720)) > 0
        shown[where] = card[where]
        return shown

    outside = 1280 - corners[:, 0].max() + 0.25 * np.ptp(corners[:, 0])
    watcher, told, at_us = Watcher(looker, Catalogue()), list[Told](), 0
    shown = ((mat, 6), (pushed(outside), 14), (pushed(outside * 0.6), 1), (pushed(outside * 0.3), 1), (pushed(0), 14))
    for each, times in shown:
        for glimpse in _glimpses(each, at_us, times):
            told += watcher.see(glimpse)
        at_us += times * 100_000
    reads = [item for item in told if isinstance(item, CardRead)]
    assert [(read.number.secret(), read.pin.secret()) for read in reads] == [
        (Secret(labels["number"]), Secret(labels["pin"]))
    ]
    assert [(read.number.state, read.pin.state) for read in reads] == [(FieldState.READ, FieldState.READ)]
    assert not any(isinstance(item, LeftTooEarly) for item in told)
