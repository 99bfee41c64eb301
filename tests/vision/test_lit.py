"""Light beyond the ends of a line: what it may have swallowed, and where it is over before more could stand there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import DIGITS, UNKNOWN_NUMBER, FieldPattern
from app.vision.conclude import _whole
from app.vision.ends.beyond import Beyond
from app.vision.ends.lit import UNLIT, Lit, ends_in_light, lit_along, past_ends, unended
from app.vision.fields.spots import Spot
from app.vision.hopeless import hopeless
from app.vision.picture.area import Area
from tests.vision.test_fading import HEIGHT, PITCH, TEXT, line, paling, read, spans

BESIDE = 4 * PITCH
COUNT = len(TEXT)
WIDTH = PITCH * COUNT
ALL = (WIDTH, spans(COUNT), 10 * COUNT)


def card(lit_from: int | None = None, lit_to: int = 10_000, light: int = 250, print_on: int = 150) -> np.ndarray:
    """A card with the text in its middle, and light over its columns from and to these, as the text's pixels count."""
    picture = np.full((3 * HEIGHT, WIDTH + 2 * BESIDE, 3), print_on, np.uint8)
    picture[HEIGHT : 2 * HEIGHT, BESIDE : BESIDE + WIDTH] = np.minimum(line().astype(int) + print_on - 150, 255)
    if lit_from is not None:
        picture[:, BESIDE + lit_from : BESIDE + lit_to] = np.maximum(
            picture[:, BESIDE + lit_from : BESIDE + lit_to], light
        )
    return picture


def spot(picture: np.ndarray, right: float = 10_000.0) -> Spot:
    area = Area(BESIDE, HEIGHT, WIDTH, HEIGHT)
    return Spot(area, (BESIDE, right), (), picture[HEIGHT : 2 * HEIGHT, BESIDE : BESIDE + WIDTH], lit=lit_of(picture))


def lit_of(picture: np.ndarray) -> Lit:
    return lit_along(picture, Area(BESIDE, HEIGHT, WIDTH, HEIGHT))


def test_light_is_told_for_each_column_of_the_line_and_beside_it() -> None:
    lit = lit_of(card(WIDTH + PITCH, light=240))
    assert (lit.before, len(lit.levels)) == (BESIDE, WIDTH + 2 * BESIDE)
    assert abs(lit.levels[10] - 150) < 2
    assert lit.levels[-10] == 240
    at_rim = lit_along(card(), Area(0, HEIGHT, WIDTH, HEIGHT))
    assert at_rim.before == 0
    assert lit_along(np.zeros((0, 0, 3), np.uint8), Area(0, 0, 10, 10)) is UNLIT


@pytest.mark.parametrize(("light", "swallowed"), [(250, True), (200, False)])
def test_a_line_that_ends_where_a_reflection_begins_may_go_on_in_it(light: int, swallowed: bool) -> None:
    """7962 7981 1899 3926 was stated for … 3926 43: full contrast to its end, and burnt out behind."""
    lit = lit_of(card(WIDTH + 4, light=light))
    assert ends_in_light(lit, *ALL, until=10_000.0) == ({COUNT - 1} if swallowed else set())
    assert not ends_in_light(lit, *ALL, until=WIDTH + PITCH / 2), "bars or a frame stand there: there is no room"
    assert not ends_in_light(lit_of(card(WIDTH + 4, light=light, print_on=225)), *ALL, until=10_000.0), "white paper"
    assert not ends_in_light(UNLIT, *ALL, until=10_000.0)


@pytest.mark.parametrize(("print_on", "swallowed"), [(140, True), (160, False)])
def test_on_dull_paper_a_reflection_need_not_be_white(print_on: int, swallowed: bool) -> None:
    """8231 9432 8686 1841 was stated without its 4, which stood in a grey light on a brown card (5000376h)."""
    lit = lit_of(card(WIDTH + 4, light=216, print_on=print_on))
    assert ends_in_light(lit, *ALL, until=10_000.0) == ({COUNT - 1} if swallowed else set())


def test_such_a_number_is_not_stated_and_nothing_is_offered_for_it() -> None:
    sure, lit, clear = read(UNKNOWN_NUMBER), spot(card(WIDTH + 4)), spot(card())
    assert _whole(sure, [clear], UNKNOWN_NUMBER).reading.state is FieldState.READ
    assert _whole(sure, [lit, clear], UNKNOWN_NUMBER).reading.state is FieldState.READ, "one clear look is enough"
    asked = _whole(sure, [lit], UNKNOWN_NUMBER)
    assert (asked.reading.state, asked.reading.doubts) == (FieldState.DOUBTFUL, (COUNT - 1,))
    assert hopeless(asked, False, [lit], UNKNOWN_NUMBER)
    known = FieldPattern(DIGITS, (COUNT,))
    assert _whole(read(known), [lit], known).reading.state is FieldState.READ


def test_a_number_that_begins_in_a_reflection_is_not_offered_but_one_that_is_sure_is_stated() -> None:
    """22384614112147 was offered without its first digit (6300060h). But beside most numbers stands their label."""
    lit, clear = spot(card(-BESIDE, 4)), spot(card())
    assert ends_in_light(lit.lit, *ALL, until=10_000.0) == {0}
    sure = read(UNKNOWN_NUMBER)
    assert _whole(sure, [lit], UNKNOWN_NUMBER).reading.state is FieldState.READ
    doubtful = replace(sure, reading=replace(sure.reading, state=FieldState.DOUBTFUL))
    assert hopeless(doubtful, False, [lit], UNKNOWN_NUMBER)
    assert not hopeless(doubtful, False, [lit, clear], UNKNOWN_NUMBER), "one clear look is enough"


@pytest.mark.parametrize("at_start", [False, True])
def test_an_end_beyond_which_a_reflection_is_over_is_the_end(at_start: bool) -> None:
    """22338639 under a small reflection: three pitches before it the card is as dark as elsewhere."""
    steep, places, steps = paling(TEXT, 0.5, 0.75, 0.95, at_start=at_start)
    end = 0 if at_start else COUNT - 1
    small = card(-PITCH, PITCH) if at_start else card(WIDTH - PITCH, WIDTH + PITCH)
    wide = card(-BESIDE, PITCH) if at_start else card(WIDTH - PITCH)
    assert past_ends(lit_of(small), *ALL) == {end}
    assert past_ends(lit_of(wide), *ALL) == frozenset()
    assert past_ends(UNLIT, *ALL) == frozenset()
    fused = read(UNKNOWN_NUMBER)
    doubtful = replace(fused, reading=replace(fused.reading, state=FieldState.DOUBTFUL))
    area = Area(BESIDE, HEIGHT, WIDTH, HEIGHT)
    for picture, lost in ((small, False), (wide, True)):
        one = Spot(area, (BESIDE, float(BESIDE + WIDTH)), (), steep, lit=lit_of(picture))
        assert hopeless(doubtful, False, [one], UNKNOWN_NUMBER) is lost
        asked = _whole(fused, [one], UNKNOWN_NUMBER).reading
        assert asked.state is (FieldState.DOUBTFUL if lost else FieldState.READ), "pale as it is, it is the end"
    assert len(places) == COUNT
    assert steps == 10 * COUNT


def test_light_that_falls_only_behind_the_next_places_has_not_ended_before_them() -> None:
    """518528628403 was stated without its 3: of its 0 a quarter was left, and the reflection ended a space behind."""
    hardly, _, _ = paling(TEXT, 0.27, 0.59, 0.8)
    fused, area = read(UNKNOWN_NUMBER), Area(BESIDE, 0, WIDTH, HEIGHT)
    for places, asked in ((1.0, False), (2.0, True)):
        light = lit_of(card(WIDTH - PITCH, WIDTH + int(places * PITCH)))
        assert past_ends(light, *ALL) == {COUNT - 1}
        assert (COUNT - 1 in unended(light, *ALL)) is asked
        one = Spot(area, (BESIDE, float(BESIDE + WIDTH)), (), hardly, lit=light)
        closed = [(Beyond.CLOSED, Beyond.CLOSED)]
        assert (_whole(fused, [one], UNKNOWN_NUMBER, closed).reading.state is FieldState.DOUBTFUL) is asked
