"""Cards on a scanned sheet: every one found, none joined with another, nothing taken for one."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from app.rehearsal.cards import print_back
from app.rehearsal.casting import plan_card
from app.rehearsal.deck import DeckCard
from app.rehearsal.products import load_studio_products
from app.vision.card.sheet import alone, cut_sheet

DPI = 150.0
PPM = DPI / 25.4
PRODUCTS = list(load_studio_products().values())
Picture = npt.NDArray[Any]


def card(no: int) -> Picture:
    product = PRODUCTS[no % len(PRODUCTS)]
    return np.asarray(print_back(plan_card(product, DeckCard(product.id), 500 + no), PPM).image)


def a4(lid: tuple[int, int, int] = (250, 250, 250)) -> Picture:
    sheet = np.full((1754, 1240, 3), lid, np.uint8)
    noise = np.random.default_rng(1).normal(0, 1.5, sheet.shape)
    return np.clip(sheet + noise, 0, 255).astype(np.uint8)


def lay(sheet: Picture, picture: Picture, x: int, y: int, degrees: float) -> None:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += (x, y)
    cv2.warpAffine(picture, turn, (sheet.shape[1], sheet.shape[0]), sheet, borderMode=cv2.BORDER_TRANSPARENT)


@pytest.mark.parametrize("lid", [(250, 250, 250), (20, 20, 22), (200, 205, 190)])
def test_eight_cards_on_a_sheet(lid: tuple[int, int, int]) -> None:
    sheet = a4(lid)
    for no, degrees in enumerate((-4, 3, 0, 7, 180, -2, 176, 178)):
        lay(sheet, card(no), 70 + no % 2 * 600, 110 + no // 2 * 400, degrees)
    found = cut_sheet(sheet, DPI)
    assert len(found.cards) == 8
    assert found.unclear == 0
    middles = [c.corners.mean(axis=0) for c in found.cards if c.corners is not None]
    assert all(abs(a[1] - b[1]) < 60 and a[0] < b[0] for a, b in zip(middles[::2], middles[1::2], strict=True))


def test_corners_are_where_the_card_lies() -> None:
    sheet = a4()
    lay(sheet, card(0), 300, 500, 0)
    (only,) = cut_sheet(sheet, DPI).cards
    assert only.corners is not None
    width, height = card(0).shape[1], card(0).shape[0]
    wanted = [[300, 500], [300 + width, 500], [300 + width, 500 + height], [300, 500 + height]]
    assert np.abs(only.corners - np.array(wanted)).max() < 3


def test_a_card_laid_across_and_upside_down_is_found() -> None:
    sheet = a4()
    lay(sheet, card(3), 300, 500, 90)
    lay(sheet, card(4), 300, 1100, 183)
    found = [c.corners for c in cut_sheet(sheet, DPI).cards]
    assert len(found) == 2
    sides = [(np.linalg.norm(c[1] - c[0]), np.linalg.norm(c[2] - c[1])) for c in found if c is not None]
    assert all(long > 1.5 * short for long, short in sides)


def test_overlapping_cards_and_paper_are_no_cards() -> None:
    sheet = a4()
    lay(sheet, card(0), 100, 100, 0)
    lay(sheet, card(1), 250, 250, 0)
    cv2.rectangle(sheet, (100, 900), (900, 1500), (180, 200, 220), -1)
    found = cut_sheet(sheet, DPI)
    assert found.cards == ()
    assert found.unclear == 2


@pytest.mark.parametrize("picture", [a4(), np.zeros((300, 300, 3), np.uint8), np.full((2000, 40, 3), 9, np.uint8)])
def test_an_empty_sheet_holds_nothing(picture: Picture) -> None:
    assert cut_sheet(picture, DPI).cards == ()


def test_a_scan_of_one_card_alone() -> None:
    (only,) = cut_sheet(card(2), DPI).cards
    assert only.corners is not None
    assert tuple(only.corners[0]) == (0, 0)


def test_nothing_of_a_neighbour_stays_beside_a_card() -> None:
    """A neighbour's barcode beside a card would give it the neighbour's product."""
    sheet = a4()
    lay(sheet, card(0), 100, 100, 8)
    sheet[:, 640:] = (0, 0, 255)
    (only,) = cut_sheet(sheet, DPI).cards
    picture, there, offset = alone(sheet, only, DPI)
    assert there.corners is not None
    assert only.corners is not None
    assert np.abs(there.corners + offset - only.corners).max() < 1e-3
    red = (picture[:, :, 2] > 250) & (picture[:, :, 1] < 5)
    assert not red.any()
