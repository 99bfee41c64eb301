"""A date whose end is too pale for the line finder: what stands there is looked for before a month, or a day of one
digit, is stated.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from app.core.cards import Printed
from app.rehearsal.pictures import render_card_picture
from app.vision.card.locate import Found, Located
from app.vision.fields.printed import find_expiry, span
from app.vision.look import Look, Looker
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.picture.rectify import CARD_H, CARD_W, rectify

SEED = 4  # its date is 2030-12-16
WHOLE = np.array([[0, 0], [CARD_W, 0], [CARD_W, CARD_H], [0, CARD_H]], np.float32)


@pytest.fixture(scope="module")
def card() -> Colour:
    picture, labels = render_card_picture(SEED, "easy")
    assert labels["expiry"] == "2030-12-16"
    return rectify(np.ascontiguousarray(picture), np.array(labels["card_quad"], np.float32))


@pytest.fixture(scope="module")
def ends(looker: Looker, card: Colour) -> dict[str, Area]:
    """Where the last signs of the date stand."""
    _, seen = find_expiry(looker.read_lines(card))
    assert seen is not None
    whole = seen.line.area
    lefts = {end: span(seen.line, seen.at[1] - len(end), seen.at[1])[0] for end in ("-16", "6")}
    return {end: Area(whole.x + x * whole.w, whole.y, (1 - x) * whole.w, whole.h) for end, x in lefts.items()}


def seen_with(looker: Looker, card: Colour, pale: Area, share: float) -> Look:
    """What is read where so much of the print in an area has paled to the ground it stands on."""
    lit = card.copy()
    part = lit[int(pale.y) : int(pale.bottom), int(pale.x) : int(pale.right)]
    ground = np.median(part.reshape(-1, 3), axis=0)
    part[:] = part * (1 - share) + ground * share
    return looker.look(lit, Located(Found.ONE, WHOLE, 1.0))


@pytest.mark.parametrize("share", [0.9, 0.95])
def test_a_month_behind_which_a_pale_day_stands_is_no_date(
    looker: Looker, card: Colour, ends: dict[str, Area], share: float
) -> None:
    look = seen_with(looker, card, ends["-16"], share)
    assert (look.expiry_printed, look.expiry) == (Printed.UNREAD, None)


def test_a_month_with_nothing_behind_it_ends_with_its_last_day(
    looker: Looker, card: Colour, ends: dict[str, Area]
) -> None:
    look = seen_with(looker, card, ends["-16"], 1.0)
    assert (look.expiry_printed, look.expiry) == (Printed.READ, date(2030, 12, 31))


def test_a_day_that_is_hardly_pale_is_read(looker: Looker, card: Colour, ends: dict[str, Area]) -> None:
    assert seen_with(looker, card, ends["-16"], 0.6).expiry == date(2030, 12, 16)


def test_a_day_whose_second_digit_is_pale_is_read_whole_or_not_at_all(
    looker: Looker, card: Colour, ends: dict[str, Area]
) -> None:
    for share in (0.8, 0.9, 0.95):
        assert seen_with(looker, card, ends["6"], share).expiry in (None, date(2030, 12, 16)), share
