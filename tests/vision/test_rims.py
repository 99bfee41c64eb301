"""Whether a character beyond the end of a PIN would be seen: by the layer that stays above and below the line."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from app.vision.ends.rims import NO_RIMS, plain_ends, rims_along
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour

PITCH, TOP, BOTTOM = 40, 120, 170
LAST = 7
SPANS = [(4 * at + 1, 4 * at + 3) for at in range(8)]
LINE = Area(200.0, TOP - 10.0, 8.0 * PITCH, BOTTOM - TOP + 20.0)
PANEL = Area(120.0, TOP - 40.0, 700.0, BOTTOM - TOP + 80.0)


def card(characters: Iterable[int], light: tuple[float, float] = (0.0, 0.0), ink: int = 40) -> Colour:
    """A scratched panel with strokes at the places of these characters (0 to 7 are the line that was read, the others
    are as dark as `ink`).

    `light`: how much of what lies there a reflection takes at the last character, and from the one behind it on.
    """
    out = np.full((300, 1000), 90, np.uint8)
    cv2.rectangle(out, (120, TOP - 40), (819, BOTTOM + 40), 150, -1)
    cv2.rectangle(out, (160, TOP - 18), (760, BOTTOM + 18), 235, -1)
    for at in characters:
        middle = 200 + PITCH * at + PITCH // 2
        level = ink if at > LAST else 40
        cv2.rectangle(out, (middle - 11, TOP), (middle - 5, BOTTOM), level, -1)
        cv2.rectangle(out, (middle + 5, TOP), (middle + 11, BOTTOM), level, -1)
    end = 200 + PITCH * 7
    share = np.interp(
        np.arange(1000), (end - 20, end, end + PITCH, end + PITCH + 10), (0, light[0], light[0], light[1])
    )
    lit = out * (1 - share) + 255 * share
    noisy = lit + np.random.default_rng(5).normal(0, 2, lit.shape)
    return cv2.cvtColor(np.clip(noisy, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


def ends(picture: Colour, panel: Area | None = PANEL, asked: tuple[int, ...] = (0, LAST)) -> frozenset[int]:
    """What is told of the line."""
    rims = rims_along(picture, LINE, (TOP, BOTTOM), panel)
    line = np.ascontiguousarray(picture[int(LINE.y) : int(LINE.bottom), int(LINE.x) : int(LINE.right)])
    return plain_ends(rims, line, SPANS, 32, asked)


def test_a_pale_end_is_one_where_the_layer_beyond_it_is_seen_and_the_paper_is_plain() -> None:
    assert ends(card(range(8), light=(0.3, 0.4))) == {LAST}


def test_light_that_takes_the_layer_too_may_have_taken_a_character() -> None:
    assert LAST not in ends(card(range(8), light=(0.3, 0.9)))


@pytest.mark.parametrize("lost", [range(8, 9), range(9, 13)])
def test_print_that_is_left_faintly_beyond_the_end_is_seen(lost: range) -> None:
    """In the next place, or behind a space."""
    assert LAST not in ends(card([*range(8), *lost], light=(0.3, 0.4)))


def test_a_group_that_is_left_very_faintly_behind_a_space_is_seen() -> None:
    """A7JU EFNM FCEE was stated as EFNM FCEE: of the first group a trace of two characters was left (9000331h)."""
    assert LAST not in ends(card([*range(8), *range(9, 13)], light=(0.3, 0.4), ink=150))
    assert LAST in ends(card([*range(8), *range(9, 13)], light=(0.3, 0.4), ink=228)), "nobody sees that"


def test_a_last_character_that_is_hardly_left_tells_nothing() -> None:
    assert LAST not in ends(card(range(8), light=(0.7, 0.4)))


def test_without_a_panel_or_without_its_rim_nothing_is_told() -> None:
    picture = card(range(8), light=(0.3, 0.4))
    assert ends(picture, None) == frozenset()
    picture[: TOP - 6] = picture[TOP - 6]
    picture[BOTTOM + 6 :] = picture[BOTTOM + 6]
    assert ends(picture) == frozenset()
    assert plain_ends(NO_RIMS, picture, SPANS, 32, (0, LAST)) == frozenset()


def test_only_what_is_asked_about_is_told() -> None:
    picture = card(range(8), light=(0.3, 0.4))
    assert ends(picture) == {LAST}
    assert ends(picture, asked=(0,)) == frozenset()
