"""A number that glare or relief hides is told by the card's own Code 128, but only where the print resembles it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.cards import FieldState, PanelState
from app.core.products import DIGITS, Catalogue, FieldPattern
from app.vision.conclude import _resembles, conclude
from app.vision.decoding.decode import decode_views
from app.vision.decoding.fuse import fuse
from app.vision.fields.spots import Spot
from app.vision.look import Look
from app.vision.picture.area import Area
from app.vision.symbols.barcode import Hit
from app.vision.text.recognise import BLANK, GLYPHS, Engine, View

CODE = "35076956135160354"
PIN = FieldPattern(DIGITS, tuple(range(4, 21)))
CORNERS = np.array([[0, 0], [1600, 0], [1600, 1009], [0, 1009]], np.float32)


def look_at(printed: str, *hits: Hit) -> Look:
    """A look that read a number beyond doubt, beside these symbols."""
    lattice = np.full((2 * len(printed) + 1, BLANK + 1), 1e-6, np.float32)
    lattice[:, BLANK] = 1.0
    for at, glyph in enumerate(printed):
        lattice[2 * at + 1, [GLYPHS.index(glyph), BLANK]] = 1.0, 1e-6
    views = tuple(View(engine, lattice, len(lattice)) for engine in Engine)
    picture = np.full((48, 24 * len(printed), 3), 250, np.uint8)
    picture[10:38, 8::24] = picture[10:38, 12::24] = 20
    spot = Spot(Area(100, 100, 800, 70), (100, 900), views, picture)
    return Look(CORNERS, 1.0, 0.0, hits, number=spot, number_proved=True)


def test_a_number_is_not_doubted_for_what_scraping_would_do() -> None:
    """A nine of which our views see a little of a zero: below a layer it may be a torn zero, elsewhere it is a nine."""
    look = look_at(CODE)
    assert look.number is not None
    nine = 2 * CODE.index("9") + 1
    views = []
    for view in look.number.views:
        seen = view.lattice.copy()
        if view.engine is Engine.OWN:
            seen[nine, [GLYPHS.index("9"), GLYPHS.index("0")]] = 0.91, 0.09
        views.append(View(view.engine, seen, len(seen)))
    spot = replace(look.number, views=tuple(views))
    found = conclude([replace(look, number=spot)], Catalogue())
    assert (found.number.state, found.number.secret().reveal()) == (FieldState.READ, CODE)
    assert fuse(decode_views(views, PIN), PIN).reading.doubts == (CODE.index("9"),)


def test_what_lies_in_the_panel_is_offered_as_the_number_only_where_something_proves_it() -> None:
    """Glare hid the number, and the PIN was asked about in its place: no answer was right (3000100h)."""
    look = replace(look_at(CODE), number_proved=False)
    below, beside = (replace(look, panel_area=Area(50, y, 900, 140)) for y in (70, 400))
    states = [conclude([one], Catalogue()).number.state for one in (look, beside, below)]
    assert states == [FieldState.DOUBTFUL, FieldState.DOUBTFUL, FieldState.UNREADABLE]
    assert conclude([replace(below, number_proved=True)], Catalogue()).number.state is FieldState.READ


@pytest.mark.parametrize(
    "seen",
    [
        CODE,
        "35076956135168354",  # a misread character
        "350769565160354",  # two lost in one place
    ],
)
def test_print_with_few_characters_lost_resembles_its_symbol(seen: str) -> None:
    assert _resembles(seen, CODE)


@pytest.mark.parametrize(
    "seen",
    [
        "",
        "3507695613516",  # the symbol says more than is printed: perhaps no number at all
        "76956135160354",
        "3507956135160",  # lost in two places
        "35076956135160354" + "12",
        "62223456135199999",
        "3507600354",  # too little of it
    ],
)
def test_other_print_does_not(seen: str) -> None:
    assert not _resembles(seen, CODE)


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (CODE[:14], CODE),  # the finder left the last group out
        (CODE[2:], CODE),
        (CODE, CODE),
        ("350769561" + "99999", "350769561" + "99999"),  # another code than the number
    ],
)
def test_print_that_is_the_beginning_or_the_end_of_its_symbol_is_not_all_of_the_number(printed: str, told: str) -> None:
    """0449081343800 was stated for a 044908134380015 that its Code 128 held, read twice."""
    hits = tuple(Hit("CODE128", CODE, source, CORNERS) for source in ("zxing raw", "zxing card"))
    found = conclude([look_at(printed, *hits)], Catalogue())
    assert found.number.state is FieldState.READ
    assert found.number.secret().reveal() == told


@pytest.mark.parametrize(
    ("printed", "sources", "state"),
    [
        ("6934063725881", ["zxing raw", "zxing card"], FieldState.UNREADABLE),  # the product's code is no number
        ("6934063725881", [], FieldState.DOUBTFUL),  # it may be that
        ("6917950367050", ["zxing raw", "zxing card"], FieldState.READ),
        ("6934063725888", [], FieldState.READ),  # no product's check digit
    ],
)
def test_what_may_be_the_product_is_not_stated_as_the_number(
    printed: str, sources: list[str], state: FieldState
) -> None:
    hits = [Hit("EAN13", "6934063725881", source, CORNERS) for source in sources]
    assert conclude([look_at(printed, *hits)], Catalogue()).number.state is state


@pytest.mark.parametrize(
    ("printed", "panel_at", "sources", "state"),
    [
        ("82397093950380", 60, 2, FieldState.READ),
        ("82397093950380", 60, 1, FieldState.DOUBTFUL),  # one reading of a symbol tells no number
        ("82397093950380", 400, 2, FieldState.DOUBTFUL),  # stands elsewhere
        (CODE[:14], 60, 2, FieldState.DOUBTFUL),  # a part of the number
    ],
)
def test_where_bars_tell_the_number_another_value_in_the_panel_is_the_pin(
    printed: str, panel_at: int, sources: int, state: FieldState
) -> None:
    """Glare hid labels and number of 12000737h; nothing proved that what its panel shows is no number."""
    hits = tuple(Hit("CODE128", CODE, source, CORNERS) for source in ("zxing raw", "zxing card")[:sources])
    look = look_at(printed, *hits)
    look = replace(look, number=None, number_proved=False, pin=look.number, panel=PanelState.OPEN)
    found = conclude([replace(look, panel_area=Area(50, panel_at, 900, 140))], Catalogue())
    assert found.pin.state is state
