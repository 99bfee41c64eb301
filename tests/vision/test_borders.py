"""A card that the picture does not show whole: nothing of a line that may go on beyond it counts as all of it."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import Catalogue
from app.eye.oneshot import conclude_picture, read_picture
from app.rehearsal.pictures import render_card_picture
from app.vision.card.borders import ends_out_of_view, lies_on_border
from app.vision.look import Looker
from app.vision.picture.area import Area
from tests.hiding import cropped

SIZE = (1920, 1080)
CARD = np.array([[200, 100], [1800, 100], [1800, 1109], [200, 1109]], np.float32)


def quad(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


@pytest.mark.parametrize(
    ("corners", "size", "cut"),
    [
        (quad(300, 200, 1300, 830), SIZE, False),
        (quad(919, 200, 1919, 830), SIZE, True),  # its right side is the picture's
        (quad(300, 2, 1300, 632), SIZE, True),
        (quad(0, 0, 1599, 1008), (1600, 1009), False),  # cut out by a scanner
        (quad(0, 0, 999, 1008), (1000, 1009), True),  # no card is as wide as high
    ],
)
def test_a_side_that_is_the_pictures_is_no_cards_edge(corners: np.ndarray, size: tuple[int, int], cut: bool) -> None:
    assert lies_on_border(corners, size) is cut


def test_a_line_is_whole_only_where_its_next_character_would_be_seen() -> None:
    whole = quad(300, 200, 1300, 830)
    assert ends_out_of_view(Area(200, 400, 900, 80), whole, SIZE) == (False, False)
    assert ends_out_of_view(Area(200, 400, 1300, 80), whole, SIZE) == (False, True), "the edge itself cuts it"
    assert ends_out_of_view(Area(40, 400, 900, 80), whole, SIZE) == (True, False)
    beyond = quad(1200, 200, 2200, 830)  # 720 of 1000 pixels are in the picture
    assert ends_out_of_view(Area(200, 400, 700, 80), beyond, SIZE) == (False, False)
    assert ends_out_of_view(Area(200, 400, 900, 80), beyond, SIZE) == (False, True)


def test_who_reads_a_card_that_is_cut_off_is_told(looker: Looker) -> None:
    picture, labels = render_card_picture(19700006, "easy", "clean")
    corners = np.array(labels["card_quad"], np.float32)
    lower = int(0.75 * corners[:, 1].max() + 0.25 * corners[:, 1].min())
    part = read_picture(np.ascontiguousarray(picture[:lower]), looker, Catalogue())
    assert part["warnings"] == ["cut-off"]


@pytest.mark.parametrize("seed", [19700004, 19700013, 19700024])
def test_what_stands_beyond_the_picture_is_not_said_to_be_absent(looker: Looker, seed: int) -> None:
    """A panel that the picture does not show: its card was taken for one without a PIN, and nobody was asked."""
    picture, labels = render_card_picture(seed, "easy", "clean")
    panel, number = (np.array(labels[f"{name}_quad"]) for name in ("panel", "number"))
    lower = panel[:, 1].min() > number[:, 1].max()
    part = picture[: int(panel[:, 1].min() - 3)] if lower else picture[int(panel[:, 1].max() + 3) :]
    found = conclude_picture(np.ascontiguousarray(part), looker, Catalogue())
    assert found is not None
    assert found.number.state is FieldState.READ
    assert found.pin.state is FieldState.UNREADABLE
    assert not found.sure


@pytest.mark.parametrize("field", ["number", "pin"])
@pytest.mark.parametrize("seed", [19700000, 19700003, 19700006, 19700009])
def test_a_card_over_the_edge_of_the_picture_is_not_read_in_part(looker: Looker, seed: int, field: str) -> None:
    """Of 88 sample pictures cut so 22 were stated without the end of their number or PIN, as sure as can be."""
    picture, labels = render_card_picture(seed, "easy", "clean")
    whole = read_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert whole[field] == labels[field]
    assert whole["warnings"] == []
    part = read_picture(cropped(np.ascontiguousarray(picture), labels, field, 0.8), looker, Catalogue())
    assert part["number"] in (None, labels["number"])
    assert part["pin"] in (None, labels["pin"])
    assert part[field] is None
