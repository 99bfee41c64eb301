"""Values and dates that end where something lies over the card, or that lost a digit to light, are not stated."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.core.products import Catalogue
from app.eye.oneshot import conclude_picture
from app.rehearsal.pictures import render_card_picture
from app.vision.ends.beside import goes_under
from app.vision.ends.cutshort import is_cut_short
from app.vision.look import Looker
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.text.lines import Line
from app.vision.text.recognise import BLANK, LineText, TextSign
from app.vision.text.textlines import LineBox

GROUND, INK, SKIN = (75, 55, 105), (235, 225, 240), (134, 171, 220)
AREA = Area(40, 40, 200, 60)
VALUE = Area(42, 40, 132, 60)  # its ink


def card(ground: tuple[int, int, int] = GROUND, ink: tuple[int, int, int] = INK) -> Colour:
    """A card with a 300 in the area and nothing behind it."""
    picture = np.full((160, 480, 3), ground, np.uint8)
    cv2.putText(picture, "300", (45, 88), cv2.FONT_HERSHEY_DUPLEX, 2.2, ink, 9, cv2.LINE_AA)
    noise = np.random.default_rng(3).normal(0, 5, picture.shape)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 2) + noise, 0, 255).astype(np.uint8)


def with_thumb(picture: Colour, left: int) -> Colour:
    thumb = picture.copy()
    cv2.ellipse(thumb, (left + 120, 110), (120, 100), 0, 0, 360, SKIN, -1)
    return thumb


@pytest.mark.parametrize(
    ("ground", "ink"), [(GROUND, INK), ((190, 200, 195), (60, 40, 50)), ((90, 140, 60), (250,) * 3)]
)
def test_print_goes_under_what_has_another_colour_than_it_and_its_ground(
    ground: tuple[int, int, int], ink: tuple[int, int, int]
) -> None:
    """Value RMB 300 was stated as 30 where a thumb lay over its last zero (3000215h)."""
    bare = card(ground, ink)
    assert not goes_under(bare, AREA)
    assert goes_under(with_thumb(bare, 225), AREA)
    assert not goes_under(with_thumb(bare, 300), AREA), "it lies beside"
    assert goes_under(with_thumb(bare, 300), AREA, reach=1.1), "a day would stand there"


@pytest.mark.parametrize("more", [-50, 60])
def test_light_and_shade_behind_a_value_are_nothing_that_lies_there(more: int) -> None:
    lit = card().astype(int)
    lit[:, 240:] += more
    assert not goes_under(np.clip(lit, 0, 255).astype(np.uint8), AREA)


def test_nothing_is_beyond_the_card() -> None:
    assert not goes_under(card()[:, :241], AREA)
    assert not goes_under(card(), Area(40, 150, 200, 0))


def value_line(digits: int) -> Line:
    """The line that a value of so many digits makes on that card."""
    step = 1 / digits
    signs = tuple(TextSign(sign, at * step, (at + 1) * step, 0.99) for at, sign in enumerate("300"[:digits]))
    box = LineBox(VALUE.x, VALUE.y, VALUE.w, VALUE.h, 0.0, 1.0)
    return Line(box, LineText(signs, np.zeros((1, BLANK + 1), np.float32)))


def lit_from(picture: Colour, left: int, veil: float, over: int = 40) -> Colour:
    """The card with so much of a white light 0..1 from a column on, which grows over so many columns."""
    share = np.interp(np.arange(picture.shape[1]), [left, left + over], [0, veil])[None, :, None]
    return np.clip(picture + (250 - picture.astype(float)) * share, 0, 255).astype(np.uint8)


def test_print_that_pales_into_light_may_go_on_there() -> None:
    """Value RMB 20 was stated of 200 (5000104h): its second digit pales towards a reflection."""
    dark = card((130, 135, 132), (40, 45, 42))
    for picture, short in ((dark, False), (lit_from(dark, 105, 0.8), True), (lit_from(dark, 180, 0.8, 160), False)):
        assert is_cut_short(picture, value_line(3), 3, VALUE) is short
    shade = np.asarray(dark * np.interp(np.arange(dark.shape[1]), [150, 270], [1, 0.5])[None, :, None], np.uint8)
    assert not is_cut_short(shade, value_line(3), 3, VALUE), "it hides no print"
    paper = dark.copy()
    paper[:, 185:] = 235
    assert is_cut_short(paper, value_line(3), 3, VALUE), "its edge lies across the row"
    assert is_cut_short(shade, value_line(3), 3, VALUE, part_missing=True), "of a month's line the day may be gone"
    assert not is_cut_short(shade, value_line(3), 2, VALUE, part_missing=True), "more of the line was read behind it"
    assert not is_cut_short(dark, value_line(3), 3, VALUE, part_missing=True)
    assert not is_cut_short(lit_from(dark, 105, 0.8), value_line(1), 1, VALUE), "one sign tells nothing"


@pytest.mark.parametrize(
    ("seed", "field"),
    [
        (3000215, "face_value"),  # a thumb lies on the last zero of 300
        (3000442, "face_value"),  # glare on the middle one of 200元
        (3000411, "expiry"),  # a thumb on the day of 2027-04-04: the end of its month was stated
        (5000104, "face_value"),  # the last zero of 200 in a reflection, towards which the one before it pales
        (5000481, "expiry"),  # a reflection over the day of 2027-05-13
        (12000656, "expiry"),  # a ring of shade before that of 2027-08-28
    ],
)
def test_rendered_values_that_are_not_seen_whole_are_not_stated(looker: Looker, seed: int, field: str) -> None:
    picture, labels = render_card_picture(seed, "hard")
    found = conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert labels[field]
    assert getattr(found, field) is None
