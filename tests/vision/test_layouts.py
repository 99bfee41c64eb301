"""Cards of known products are read where their layout says, not by a search for text; else by one."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.core.cards import FieldState
from app.core.products import DIGITS, Box, Catalogue, FieldPattern, Handling, Layout, Product
from app.rehearsal import variety
from app.rehearsal.pictures import render_card_picture
from app.vision.card.locate import Located, locate
from app.vision.conclude import conclude
from app.vision.fields.layouts import as_read, complete_layout, has_shape, line_at, quarters_to
from app.vision.fields.sorting import to_area
from app.vision.fields.spots import Spot
from app.vision.look import Look, Looker
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour, grey
from app.vision.picture.rectify import CARD_H, CARD_W, rectify, turn, turn_corners, unturned
from app.vision.symbols.cardcodes import read_card_codes, upside_down
from app.vision.text.lines import Line
from app.vision.text.recognise import NO_STEPS, Engine, LineText, TextSign, View
from app.vision.text.textlines import LineBox, LineFinder
from tests.known_products import astray, plan_of, product_of, upright_plan
from tests.vision.test_decode import lattice

SEED = 4700004
SIZE = (CARD_W, CARD_H)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The sizes of the pictures that were searched for text."""
    asked: list[tuple[int, ...]] = []
    search = LineFinder.search

    def counted(self: LineFinder, card: Colour, *size: tuple[int, int]) -> object:
        asked.append(card.shape)
        return search(self, card, *size)

    monkeypatch.setattr(LineFinder, "search", counted)
    return asked


def card_of(seed: int, tier: str = "easy") -> tuple[Colour, Located, dict[str, object], Product]:
    picture, labels = render_card_picture(seed, tier, "clean")
    located = locate(np.ascontiguousarray(picture))
    assert located.corners is not None
    return np.ascontiguousarray(picture), located, labels, product_of(plan_of(seed, tier), astray(seed))


def read(looker: Looker, picture: Colour, located: Located, product: Product) -> Look:
    catalogue = Catalogue((product,))
    looker.learn(catalogue)
    return looker.look(picture, located)


def told(look: Look, product: Product) -> tuple[str | None, str | None]:
    found = conclude([look], Catalogue((product,)))
    return tuple(  # type: ignore[return-value]
        field.secret().reveal() if field.state is FieldState.READ else None for field in (found.number, found.pin)
    )


@pytest.mark.parametrize("quarters", [0, 2])
def test_a_card_of_a_known_product_is_read_without_a_search_for_text(
    looker: Looker, searches: list[tuple[int, ...]], quarters: int
) -> None:
    picture, located, labels, product = card_of(SEED)
    assert located.corners is not None
    turned = replace(located, corners=turn_corners(located.corners, quarters))
    look = read(looker, picture, turned, product)
    assert told(look, product) == (labels["number"], labels["pin"])
    assert (look.expiry is None, look.face_value is None) == (False, False)
    assert searches == []


@pytest.mark.parametrize("seed", [40, 41, 43, 44])
def test_so_is_one_printed_upright_whose_bars_lie_on_the_card(
    looker: Looker, searches: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Its symbol is read in the frame alone, and stands only once the card is turned."""
    plan = upright_plan(seed, monkeypatch)
    drawn, labels = variety.render_rare_picture(seed, "easy", upright=True)
    picture = np.ascontiguousarray(drawn)
    product = product_of(plan)
    assert told(read(looker, picture, locate(picture), product), product) == (labels["number"], labels["pin"])
    assert searches == []


def test_where_the_layout_does_not_hold_the_card_is_searched(looker: Looker, searches: list[tuple[int, ...]]) -> None:
    picture, located, labels, product = card_of(SEED)
    layout = product.layout
    assert layout is not None
    assert layout.number is not None
    lower = replace(layout, number=replace(layout.number, y=layout.number.y + 9))
    for wrong in (
        lower,
        replace(layout, number=layout.panel, panel=layout.number, pin=layout.number),
        replace(layout, barcode=Box(1.0, 1.0, 8.0, 8.0)),
    ):
        searches.clear()
        other = replace(product, layout=wrong)
        assert told(read(looker, picture, located, other), other)[0] == labels["number"]
        assert searches, wrong


def test_an_unknown_product_and_one_of_whose_layout_a_place_is_missing_are_searched(
    looker: Looker, searches: list[tuple[int, ...]]
) -> None:
    picture, located, labels, product = card_of(SEED)
    assert product.layout is not None
    for other in (
        replace(product, gtins=frozenset()),
        replace(product, layout=None),
        replace(product, layout=replace(product.layout, expiry=None)),
    ):
        searches.clear()
        look = read(looker, picture, located, other)
        assert look.number is not None
        assert searches
    assert labels["number"]


def test_only_a_layout_with_a_place_for_everything_is_read_by() -> None:
    product = product_of(plan_of(SEED, "easy"))
    layout = product.layout
    assert layout is not None
    assert complete_layout(product, in_bars=False)
    for name in ("barcode", "number", "panel", "pin", "expiry", "face_value"):
        assert not complete_layout(replace(product, layout=replace(layout, **{name: None})), in_bars=False), name
    assert not complete_layout(replace(product, layout=None), in_bars=False)
    one_value = replace(product, layout=replace(layout, face_value=None), face_values_fen=(10_000,))
    assert not complete_layout(one_value, in_bars=False), "a card may print another"
    assert complete_layout(replace(product, pin=None, layout=replace(layout, panel=None, pin=None)), in_bars=False)
    assert complete_layout(replace(product, layout=replace(layout, number=None)), in_bars=True)
    batch = replace(product, handling=Handling(batch_number=True))
    assert not complete_layout(batch, in_bars=False), "which stands anywhere"


@pytest.mark.parametrize("quarters", range(4))
def test_a_turned_area_holds_the_turned_points(quarters: int) -> None:
    area, size = Area(100.0, 40.0, 300.0, 80.0), (CARD_W, CARD_H)
    over = area.turned(quarters, size)
    back = [unturned(point, quarters, size) for point in ((over.x, over.y), (over.right, over.bottom))]
    assert sorted(x for x, _ in back) == pytest.approx([area.x, area.right])
    assert sorted(y for _, y in back) == pytest.approx([area.y, area.bottom])


@pytest.mark.parametrize("quarters", range(4))
def test_a_symbol_at_its_place_tells_which_way_up_a_card_lies(quarters: int) -> None:
    layout = Layout(barcode=Box(4, 38, 33, 12), number=Box(14, 12, 48, 4))
    assert layout.barcode is not None
    lies = (4 - quarters) % 4  # the card as it lies: turned back by as much
    width, height = SIZE
    symbol = to_area(layout.barcode).turned(lies, SIZE)
    size = (width, height) if quarters % 2 == 0 else (height, width)
    assert quarters_to(layout, [symbol], size) == quarters
    elsewhere = replace(symbol, x=symbol.x + 200 if symbol.x < 300 else symbol.x - 200)
    assert quarters_to(layout, [elsewhere], size) is None
    assert quarters_to(layout, [], size) is None


def test_a_symbol_in_the_middle_does_not_tell_it() -> None:
    middle = Layout(barcode=Box(26, 20, 33, 13), number=Box(14, 4, 48, 4))
    assert middle.barcode is not None
    assert quarters_to(middle, [to_area(middle.barcode)], SIZE) is None


def test_a_card_printed_upright_is_turned_until_it_stands() -> None:
    layout = Layout(barcode=Box(8, 68, 33, 12), number=Box(4, 30, 46, 4))
    assert layout.barcode is not None
    symbol = to_area(layout.barcode).turned(3, (CARD_H, CARD_W))
    assert quarters_to(layout, [symbol], SIZE) == 1


def test_a_lying_card_printed_to_its_lower_edge_is_none_printed_upright() -> None:
    """A template's places may end half a millimetre below the card."""
    layout = Layout(barcode=Box(4, 38, 33, 12), number=Box(4, 44, 48, 10.5))
    assert layout.barcode is not None
    assert quarters_to(layout, [to_area(layout.barcode)], SIZE) == 0


def test_a_line_is_framed_by_its_ink_and_without_the_label_before_it() -> None:
    card = np.full((CARD_H, CARD_W, 3), 235, np.uint8)
    cv2.putText(card, "No:", (200, 330), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (40, 40, 40), 4)
    cv2.putText(card, "4188 9763 5204", (330, 330), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (40, 40, 40), 4)
    dark = np.flatnonzero((grey(card)[:, 320:] < 120).any(axis=0)) + 320
    rows = np.flatnonzero((grey(card) < 120).any(axis=1))
    for astray_px in (-8, 0, 8):
        line = line_at(card, Area(325 + astray_px, 285 + astray_px, 900, 50))
        assert line is not None
        assert 300 < line.x < dark[0]
        assert dark[-1] < line.right <= 325 + astray_px + 900 + 1
        assert rows[0] - 30 < line.y < rows[0]
        assert rows[-1] < line.y + line.h < rows[-1] + 30


def test_a_line_ends_where_its_last_sign_was_read() -> None:
    signs = tuple(TextSign(sign, at / 10, (at + 1) / 10, 0.99) for at, sign in enumerate("RMB100 "))
    whole = Line(LineBox(100, 50, 500, 40, 0.0, 1.0), LineText(signs, np.zeros((60, 39), np.float32)))
    line = as_read(whole)
    assert line.read.text == "RMB100"
    assert 400 < line.box.right < 420
    for sign, before in zip(line.read.signs, signs, strict=False):
        assert line.box.x + sign.start * line.box.w == pytest.approx(whole.box.x + before.start * whole.box.w)
    assert len(line.read.lattice) / 60 == pytest.approx(line.box.w / 500, abs=0.02)
    assert as_read(Line(whole.box, LineText((), NO_STEPS))) == Line(whole.box, LineText((), NO_STEPS))


@pytest.mark.parametrize(("text", "fits"), [("4188", True), ("418", False), ("41889", False)])
def test_a_field_has_the_length_of_its_product(text: str, fits: bool) -> None:
    rows = lattice(text)
    views = tuple(View(engine, rows, len(rows)) for engine in Engine)
    spot = Spot(Area(0, 0, 100, 40), (0, 100), views, np.full((40, 100, 3), 255, np.uint8))
    assert has_shape(spot, FieldPattern(DIGITS, (4,))) is fits
    assert not has_shape(None, FieldPattern(DIGITS, (4,)))


def test_an_amount_whose_last_zero_lies_under_a_thumb_is_not_told(looker: Looker) -> None:
    """RMB 1000 was stated as 100: the place of the value goes on under the thumb (11000398h)."""
    picture, _ = render_card_picture(11000398, "hard")
    located = locate(np.ascontiguousarray(picture))
    look = read(looker, np.ascontiguousarray(picture), located, product_of(plan_of(11000398, "hard"), astray(11000398)))
    assert look.face_value is None


def test_where_nothing_is_printed_there_is_no_line() -> None:
    card = np.full((CARD_H, CARD_W, 3), 235, np.uint8)
    assert line_at(card, Area(325, 285, 900, 50)) is None


def test_the_symbols_of_a_card_that_is_turned_by_half_need_not_be_read_again() -> None:
    picture, located, _, _ = card_of(SEED)
    assert located.corners is not None
    card = rectify(picture, located.corners)
    codes = read_card_codes(grey(picture), grey(card), located.corners)
    over = turn(card, 2)
    anew = read_card_codes(grey(picture), grey(over), turn_corners(located.corners, 2))
    same = upside_down(codes, (over.shape[1], over.shape[0]))
    assert {(h.format, h.text, h.source) for h in same.hits} == {(h.format, h.text, h.source) for h in anew.hits}
    assert same.bars
    assert all(any(a.share_of(b) > 0.8 for b in anew.bars) for a in same.bars)
