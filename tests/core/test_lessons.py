"""Regions drawn on a card: whatever a hand does, they stay on it and can be written into a template."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.catalog.templates import box_of
from app.core.lessons import CARD_MM, LEAST_MM, Size, drawn_between, fresh_box, moved, stretched
from app.core.products import Box

ANYWHERE = st.floats(-200, 200)
BOXES = st.builds(drawn_between, ANYWHERE, ANYWHERE, ANYWHERE, ANYWHERE)


UPRIGHT_MM = (CARD_MM[1], CARD_MM[0])
SIZES = st.sampled_from([CARD_MM, UPRIGHT_MM])


def on_card(box: Box) -> bool:
    box_of("a drawn region", [box.x, box.y, box.w, box.h])  # raises where a template would be refused
    return box.w >= LEAST_MM and box.h >= LEAST_MM


@given(SIZES, ANYWHERE, ANYWHERE, ANYWHERE, ANYWHERE)
def test_a_region_stays_on_the_card(size: Size, x1: float, y1: float, x2: float, y2: float) -> None:
    box = drawn_between(x1, y1, x2, y2, size)
    for one in (box, moved(box, x1, y2, size), stretched(box, x1, y2, size), fresh_box(size)):
        assert on_card(one)
        assert one.x + one.w <= size[0] + 1e-6
        assert one.y + one.h <= size[1] + 1e-6


@given(BOXES, st.integers(0, 5), st.integers(0, 5))
def test_moving_keeps_the_size_and_stretching_the_corner(box: Box, x: int, y: int) -> None:
    there = moved(box, x / 2, y / 2)
    assert (there.w, there.h) == (box.w, box.h)
    wider = stretched(box, x / 2, y / 2)
    assert (wider.x, wider.y) == (box.x, box.y)
    assert wider.w >= box.w - 0.1
    assert wider.h >= box.h - 0.1


def test_from_whichever_corner_it_is_drawn() -> None:
    assert drawn_between(10, 20, 30, 25) == drawn_between(30, 25, 10, 20) == Box(10, 20, 20, 5)
    assert on_card(fresh_box())
    assert drawn_between(*CARD_MM, *CARD_MM).w == LEAST_MM
