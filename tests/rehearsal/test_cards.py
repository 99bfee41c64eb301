"""Cards are drawn from a seed and their labels are true."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import ean, luhn

from app.core.products import CheckDigit, FieldPattern
from app.rehearsal.cards import CARD_H_MM, CARD_W_MM, print_back, print_front
from app.rehearsal.casting import plan_card, product_content
from app.rehearsal.content import OPEN_STATES, draw_value, grouped, random_gtin, retail_barcode
from app.rehearsal.deck import DeckCard
from app.rehearsal.dice import stream
from app.rehearsal.errors import TemplateError
from app.rehearsal.glyphs import DOTS, STROKES, dot_rows, stroke_lines
from app.rehearsal.lettering import STYLES, set_line
from app.rehearsal.panel import PANEL_STATES
from app.rehearsal.products import StudioProduct, load_studio_products
from app.rehearsal.smudge import smudge_digit

PRODUCTS = load_studio_products()


def decoded(image: np.ndarray) -> set[str]:
    return {code.text for code in zxingcpp.read_barcodes(image)}


def test_the_catalogue_has_many_brands_in_every_category() -> None:
    assert len(PRODUCTS) >= 14
    assert len({product.brand_en for product in PRODUCTS.values()}) >= 10
    categories = {product.category for product in PRODUCTS.values()}
    assert categories == {"supermarket", "ecommerce", "fuel", "game", "telecom", "coffee"}
    assert {product.language for product in PRODUCTS.values()} == {"zh", "en"}


def test_gtins_are_valid_and_belong_to_one_product() -> None:
    gtins = [gtin for product in PRODUCTS.values() for gtin in product.gtins]
    assert len(gtins) == len(set(gtins))
    for gtin in gtins:
        assert len(gtin) == 14
        assert ean.is_valid(gtin)


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=lambda p: p.id)
def test_barcodes_on_a_card_say_what_its_label_says(product: StudioProduct) -> None:
    card = print_back(plan_card(product, DeckCard(product.id), 5), 14.0)
    found = decoded(card.image)
    for code in product_content(product, 5).barcodes:
        # A reader may give a UPC-A as the EAN-13 with a leading zero.
        assert {code.text, f"0{code.text}"} & found, code.format


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=lambda p: p.id)
def test_number_and_pin_obey_the_pattern_and_stand_inside_the_card(product: StudioProduct) -> None:
    content = product_content(product, 11)
    assert product.number.matches(content.number)
    assert product.pin.matches(content.pin)
    card = print_back(plan_card(product, DeckCard(product.id), 11), 8.0)
    panel, pin = card.panel, card.pin
    assert panel is not None
    assert pin is not None
    for box in (card.number, panel, pin):
        assert box is not None
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.w <= CARD_W_MM
        assert box.y + box.h <= CARD_H_MM
    assert panel.x <= pin.x
    assert pin.x + pin.w <= panel.x + panel.w + 0.2


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others() -> None:
    product = PRODUCTS["orange-boat-300"]
    first, again, other = (print_back(plan_card(product, DeckCard(product.id), seed), 8.0) for seed in (1, 1, 2))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("state", PANEL_STATES)
def test_an_open_panel_shows_every_character_and_a_closed_one_hides_some(state: str) -> None:
    product = PRODUCTS["yunshan-market-500"]
    for seed in range(4):
        card = print_back(plan_card(product, DeckCard(product.id, pin_state=state), seed), 12.0)
        if state in OPEN_STATES:
            assert card.pin_min_ink > 0.6
        else:
            assert card.pin_min_ink < (0.65 if state == "patchy" else 0.35)  # the lower half of a glyph may be seen


def test_a_front_has_no_barcode_and_no_number() -> None:
    product = PRODUCTS["orange-boat-300"]
    front = print_front(plan_card(product, DeckCard(product.id), 3), 10.0)
    assert front.number is None
    assert decoded(front.image) == set()


def test_a_smudge_touches_one_digit_only() -> None:
    product = PRODUCTS["maitian-fresh-100"]
    plan = plan_card(product, DeckCard(product.id), 3)
    card = print_back(plan, 10.0)
    worn = smudge_digit(card, plan)
    changed = np.argwhere((card.image != worn.image).any(axis=2))
    assert card.number is not None
    width_mm = (changed[:, 1].max() - changed[:, 1].min()) / card.ppm
    assert 0.5 < width_mm < 2 * card.number.w / len(plan.content.number)


def test_the_truth_about_a_card_is_not_in_its_repr() -> None:
    product = PRODUCTS["yunshan-market-500"]
    plan = plan_card(product, DeckCard(product.id), 3)
    assert plan.content.number not in repr(plan)
    assert plan.content.pin not in repr(plan)
    assert plan.content.pin not in repr(plan.content)


@given(seed=st.integers(0, 2**40), length=st.integers(8, 20))
@settings(max_examples=60, deadline=None)
def test_drawn_values_have_their_check_digit(seed: int, length: int) -> None:
    rng = stream(seed, "test")
    value = draw_value(rng, FieldPattern("0123456789", (length,), check=CheckDigit.LUHN))
    assert len(value) == length
    assert luhn.is_valid(value)
    assert FieldPattern("0123456789", (13,), check=CheckDigit.GS1).matches(
        draw_value(rng, FieldPattern("0123456789", (13,), check=CheckDigit.GS1))
    )
    for digits in (12, 13):
        gtin = random_gtin(rng, digits)
        assert len(gtin) == digits
        assert ean.is_valid(gtin)


@given(st.text("0123456789", min_size=1, max_size=20), st.lists(st.integers(1, 6), max_size=5))
def test_grouping_changes_nothing_but_the_gaps(value: str, groups: list[int]) -> None:
    text = grouped(value, tuple(groups))
    assert text.replace(" ", "") == value


def test_a_gtin_prints_as_upc_or_ean() -> None:
    assert retail_barcode("00123450051955").format == "UPCA"
    assert retail_barcode("06901234050103").text == "6901234050103"


@pytest.mark.parametrize("style", STYLES)
def test_every_style_prints_every_character_with_ink_of_its_own(style: str) -> None:
    text = "0123456789 ABCDEFGHJKLMNPQRSTUVWXYZ"
    line = set_line(text, style, 24.0, 5000.0)
    assert len(line.boxes) == len(text) - 1
    assert all(line.mask[:, a:b].sum() > 10 for a, b in line.boxes)
    assert set_line(text, style, 24.0, 300.0).size[0] <= 310


def test_own_glyphs_are_all_different() -> None:
    assert set(DOTS) == set(STROKES)
    assert len({str(dot_rows(glyph)) for glyph in DOTS}) == len(DOTS)
    assert len({str(stroke_lines(glyph)) for glyph in STROKES}) == len(STROKES)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("product = [", "template.syntax"),
        (f"product = {'9' * 5000}", "template.syntax"),
        ("", "template.key"),
        ('[[product]]\nid = "x"\n', "template.key"),
        ('[[product]]\nid = "x"\nstyle = 3\n', "template.value"),
    ],
)
def test_a_broken_template_is_named(tmp_path, text: str, code: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError) as trouble:
        load_studio_products(path)
    assert trouble.value.code == code
    assert "broken.toml" in trouble.value.detail


def test_a_missing_template_is_named(tmp_path) -> None:
    with pytest.raises(TemplateError) as trouble:
        load_studio_products(tmp_path / "nowhere.toml")
    assert trouble.value.code == "template.missing"
