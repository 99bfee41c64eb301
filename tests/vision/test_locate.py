"""The card is found on rendered mats, two are told from one, and nothing is found where nothing lies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.rehearsal.pictures import render_card_picture
from app.rehearsal.scenes import render_scene
from app.vision.card.locate import Found, locate
from app.vision.card.outline import lies_apart, overlap
from app.vision.card.proposals import arrange
from app.vision.picture.rectify import rectify, to_frame


def mat(seed: int = 1) -> np.ndarray:
    """A plain dark mat with camera noise, 1280 x 720."""
    noise = np.random.default_rng(seed).normal(0, 3, (720, 1280, 3))
    return np.clip(np.array([58, 66, 60]) + noise, 0, 255).astype(np.uint8)


def with_card(picture: np.ndarray, centre: tuple[float, float], width: float, turn_deg: float) -> np.ndarray:
    """A light ID-1 card drawn on the picture; its corners clockwise from the top left."""
    height = width / 1.586
    corners = cv2.boxPoints(((centre[0], centre[1]), (width, height), turn_deg)).astype(np.float32)
    cv2.fillConvexPoly(picture, np.round(corners).astype(np.int32), (214, 222, 226), cv2.LINE_AA)
    return corners


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [
        (1920, 1080, (480, 270)),
        (1280, 720, (480, 270)),
        (3024, 4032, (480, 640)),
        (1080, 1920, (480, 853)),
        (1080, 2400, (480, 1067)),
        (4000, 340, (480, 41)),
        (500, 6000, (93, 1120)),
        (60, 700, (96, 1120)),
        (20, 4000, (16, 1120)),
        (100, 80, (200, 160)),
        (60_000, 17, (480, 16)),
    ],
)
def test_a_picture_is_searched_at_a_bearable_size(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int, small: tuple[int, int]
) -> None:
    """A thin picture was enlarged to gigabytes: every one was made as wide as any other."""
    sizes: list[tuple[int, int]] = []

    def resize(picture: np.ndarray, size: tuple[int, int], **_: object) -> np.ndarray:
        sizes.append(size)
        raise InterruptedError

    monkeypatch.setattr("app.vision.card.locate.cv2.resize", resize)
    with pytest.raises(InterruptedError):
        locate(np.zeros((height, width, 3), np.uint8))
    assert sizes == [small]


def test_rendered_cards_are_found() -> None:
    overlaps = []
    for seed in (801, 802, 803):
        for tier in ("easy", "typical"):
            picture, labels = render_card_picture(seed, tier)
            located = locate(np.ascontiguousarray(picture))
            assert located.corners is not None
            overlaps.append(overlap(np.array(labels["card_quad"], np.float32), located.corners))
    assert min(overlaps) > 0.96
    assert np.median(overlaps) > 0.98


@pytest.mark.parametrize("seed", [8000450, 8000116])
def test_a_brown_card_on_brown_wood_is_found(seed: int) -> None:
    """The wood's grain is stronger than the card's edges: of one no outline was proposed, of one half of the card."""
    picture, labels = render_card_picture(seed, "easy")
    located = locate(np.ascontiguousarray(picture))
    assert located.found is Found.ONE
    assert located.corners is not None
    assert overlap(np.array(labels["card_quad"], np.float32), located.corners) > 0.97


@pytest.mark.parametrize("turn_deg", [0, 12, -31, 78])
def test_a_drawn_card_is_found_at_any_turn(turn_deg: float) -> None:
    picture = mat()
    corners = with_card(picture, (640, 360), 560, turn_deg)
    located = locate(picture)
    assert located.found is Found.ONE
    assert located.corners is not None
    assert overlap(corners, located.corners) > 0.98


@pytest.mark.parametrize("situation", ["stripe", "alike", "thumb", "clutter", "cut-off"])
def test_a_card_is_found_in_every_situation(situation: str) -> None:
    picture, labels = render_scene(101, situation, "typical")
    located = locate(np.ascontiguousarray(picture))
    assert located.found == labels["found"]
    assert located.corners is not None
    assert overlap(np.array(labels["card_quad"], np.float32), located.corners) > 0.9


def test_a_hand_on_an_empty_table_is_no_card() -> None:
    picture, _ = render_scene(102, "empty", "easy")
    assert locate(np.ascontiguousarray(picture)).found is Found.NONE


def test_outlines_that_touch_lie_apart_and_one_on_another_does_not() -> None:
    quad = np.array([[10, 10], [110, 10], [110, 70], [10, 70]], np.float32)
    assert lies_apart(quad, quad + np.float32([96, 0]))
    assert not lies_apart(quad, quad)
    assert not lies_apart(quad, quad + np.float32([50, 0]))


def test_an_outline_overlaps_itself_fully() -> None:
    quad = np.array([[123, 8], [350, 116], [286, 263], [47, 153]], np.float32)
    assert overlap(quad, quad) == pytest.approx(1, abs=0.01)
    assert overlap(quad, quad + 0.4) > 0.98


def test_only_shapes_of_a_card_are_arranged() -> None:
    card = np.array([[40, 40], [40, 100], [135, 100], [135, 40]], np.float32)  # counter-clockwise
    square = np.array([[0, 0], [60, 0], [60, 60], [0, 60]], np.float32)
    crossed = card[[0, 2, 1, 3]]
    arranged = arrange(np.stack([square, card, crossed]))
    assert arranged.tolist() == [[[40, 40], [135, 40], [135, 100], [40, 100]]]


def test_an_empty_mat_holds_no_card() -> None:
    assert locate(mat()).found is Found.NONE


def test_two_cards_are_two() -> None:
    picture = mat()
    with_card(picture, (330, 350), 480, 4)
    with_card(picture, (950, 380), 480, -6)
    assert locate(picture).found is Found.TWO


def test_a_small_card_is_too_far() -> None:
    picture = mat()
    with_card(picture, (640, 360), 190, 8)
    assert locate(picture).found is Found.TOO_FAR


def test_a_card_over_the_edge_is_cut_off() -> None:
    picture = mat()
    with_card(picture, (1130, 360), 620, 0)
    assert locate(picture).found is Found.CUT_OFF


def test_points_of_the_card_go_back_to_the_frame() -> None:
    picture = mat()
    with_card(picture, (640, 360), 560, 12)
    located = locate(picture)
    assert located.corners is not None
    card = rectify(picture, located.corners)
    back = to_frame(located.corners, np.array([[0, 0], [card.shape[1], 0]], np.float32))
    assert np.abs(back - located.corners[:2]).max() < 0.5
