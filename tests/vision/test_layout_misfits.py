"""Cards whose print is not what their product's layout says: a part of it is never stated for the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import cv2
import numpy as np
import pytest

from app.core.cards import FieldState, Printed
from app.core.products import UNKNOWN_NUMBER, Box, Catalogue, Product
from app.rehearsal.cards import CardPlan, print_back
from app.rehearsal.content import Barcode, grouped
from app.rehearsal.lettering import plain_text
from app.rehearsal.pictures import photograph
from app.vision.card.locate import locate
from app.vision.conclude import Conclusion, conclude
from app.vision.fields.layouts import holds_number, row_at
from app.vision.look import Looker
from app.vision.picture.area import Area
from app.vision.picture.pixels import Colour
from app.vision.picture.rectify import CARD_H, CARD_W
from app.vision.symbols.barcode import hit_of
from tests.known_products import plan_of, product_of

_LATE_MM = 1.6  # by which a place may begin behind its print, and play does not make up for
_VALUE_H, _DATE_H = 0.86, 0.9  # of an em, in which the studio prints the two


def as_read(looker: Looker, plan: CardPlan, product: Product, **places: Box | None) -> Conclusion:
    """What is concluded of a card, with other places in its product's layout."""
    assert product.layout is not None
    catalogue = Catalogue((replace(product, layout=replace(product.layout, **places)),))
    picture = np.ascontiguousarray(photograph(plan, plan.seed)[0])
    looker.learn(catalogue)
    return conclude([looker.look(picture, locate(picture))], catalogue)


def card_of(seed: int, **words: str) -> tuple[CardPlan, Product]:
    """A card of chance with other words on it, and its product."""
    plan = replace(plan_of(seed, "easy"), pin_state="clean")
    return replace(plan, words=replace(plan.words, **words)), product_of(plan)


def width(text: str, face: str, em_mm: float) -> float:
    return plain_text(text, face, em_mm * 20).size[0] / 20


def value_box(plan: CardPlan, before: str, text: str) -> Box:
    """The place of a part of the printed value, behind what stands before it."""
    return part_of(plan.layout.face_value, plan.words.value, "sans-bold", _VALUE_H, before, text)


def expiry_box(plan: CardPlan, before: str, text: str) -> Box:
    return part_of(plan.layout.expiry, plan.words.expiry, "sans", _DATE_H, before, text)


def part_of(box: Box | None, words: str, face: str, height: float, before: str, text: str) -> Box:
    assert box is not None
    em = box.h / height
    shrunk = min(1.0, box.w / width(words, face, em))
    left, wide = (shrunk * width(part, face, em) if part else 0.0 for part in (before, text))
    return Box(box.x + left, box.y, wide, box.h)


@pytest.mark.parametrize("seed", [19000103, 19000106])
def test_a_number_of_whose_place_the_first_group_is_left_out_is_not_cut(looker: Looker, seed: int) -> None:
    plan, product = card_of(seed)
    place, text = print_back(plan).number, grouped(plan.content.number, plan.content.number_groups)
    assert place is not None
    cut = (text.find(" ") + 1 or 3) * place.w / len(text)
    lenient = replace(product, number=UNKNOWN_NUMBER)
    found = as_read(looker, plan, lenient, number=replace(place, x=place.x + cut, w=place.w - cut))
    if found.number.state is FieldState.READ:
        assert found.number.secret().reveal() == plan.content.number
    assert product.number.lengths == (len(plan.content.number),)


def test_that_no_expiry_is_printed_is_told_by_all_lines_of_a_card_only(looker: Looker) -> None:
    """Elsewhere than its place: the few lines that a layout knows say nothing of it."""
    plan, product = card_of(19000000)
    found = as_read(looker, plan, product, expiry=Box(4.2, 3.4, 22.0, 4.4))
    assert (found.expiry_printed, found.expiry) == (Printed.READ, plan.content.expiry)


def test_a_day_of_issue_is_no_expiry_though_the_place_begins_behind_its_caption(looker: Looker) -> None:
    plan, product = card_of(19000500, expiry="发卡日期 2024-05-01")
    found = as_read(looker, plan, product, expiry=expiry_box(plan, "发卡日期 ", "2024-05-01"))
    assert found.expiry is None


def test_a_span_ends_with_its_second_day_though_the_place_ends_with_the_first(looker: Looker) -> None:
    plan, product = card_of(19000500, expiry="有效期 2024-01-01至2027-12-27")
    found = as_read(looker, plan, product, expiry=expiry_box(plan, "", "有效期 2024-01-01"))
    assert found.expiry in (None, date(2027, 12, 27))


@pytest.mark.parametrize(
    ("seed", "printed", "before", "text"),
    [(19000500, "1500元", "1", "500元"), (19000502, "¥5000", "", "¥500"), (19000503, "面值 ¥1000", "", "面值 ¥100")],
)
def test_a_value_is_read_to_both_its_ends(looker: Looker, seed: int, printed: str, before: str, text: str) -> None:
    plan, product = card_of(seed, value=printed)
    place = value_box(plan, before, text)
    found = as_read(looker, plan, product, face_value=replace(place, x=place.x + _LATE_MM) if before else place)
    assert found.face_value is None or str(found.face_value.units) in printed
    assert found.face_value is None or found.face_value.units >= 1000


def test_a_card_that_prints_another_value_than_the_only_one_of_its_product_does_not_state_that(looker: Looker) -> None:
    plan, product = card_of(19000501, value="¥500")
    found = as_read(looker, plan, replace(product, face_values_fen=(10_000,)), face_value=None)
    assert found.face_value is None


def test_a_number_that_a_qr_code_holds_too_is_read_from_its_print(looker: Looker) -> None:
    plan, product = card_of(19000620)
    codes = (*plan.content.barcodes[:1], Barcode("QRCode", plan.content.number))
    both = replace(
        plan, content=replace(plan.content, barcodes=codes), code_boxes=(*plan.code_boxes[:1], Box(70, 3, 11, 11))
    )
    assert plan.layout.number is not None
    found = as_read(looker, both, product, number=None)
    assert found.number.secret().reveal() == plan.content.number


def test_only_code_128_holds_a_number_that_is_printed_nowhere() -> None:
    corners, pattern = np.zeros((4, 2), np.float32), UNKNOWN_NUMBER
    number, other = "4188976352041", "4188976352042"
    bars = [hit_of("CODE128", number, source, corners) for source in ("zxing card", "zbar card")]
    assert holds_number(bars, pattern)
    assert not holds_number(bars[:1], pattern), "read once"
    assert not holds_number([*bars, hit_of("CODE128", other, "zxing frame", corners + 500)], pattern), "two of them"
    assert not holds_number([hit_of("QR", number, "zxing card", corners)], pattern), "which only confirms print"


def test_a_row_goes_as_far_as_its_ink() -> None:
    card = np.full((CARD_H, CARD_W, 3), 235, np.uint8)
    put(card, "Issued", 235)
    put(card, "2024-05-01", 420)
    put(card, "elsewhere", 860)
    row = row_at(card, Area(420, 280, 120, 60))
    assert row is not None
    assert 205 < row.x < 240
    assert 700 < row.right < 800


def test_a_row_without_an_end_is_none() -> None:
    card = np.full((CARD_H, CARD_W, 3), 235, np.uint8)
    for x in range(0, CARD_W, 30):
        put(card, "I", x)
    assert row_at(card, Area(420, 280, 120, 60)) is None


def put(card: Colour, text: str, x: int) -> None:
    cv2.putText(card, text, (x, 330), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (40, 40, 40), 4)
