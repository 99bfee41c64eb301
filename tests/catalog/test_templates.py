"""Product templates: the shipped ones load, and each kind of mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.catalog.templates import load_products
from app.core.errors import BadInput
from app.core.products import Box, Catalogue, CheckDigit

GOOD = """
rehearsal = true
[[product]]
id = "a"
name_zh = "甲卡"
name_en = "Card A"
category = "supermarket"
gtins = ["6924985861422"]
face_values_yuan = [100, 500]
chip = "NTAG213"
[product.number]
alphabet = "digits"
length = 16
grouping = [4, 4, 4, 4]
check = "luhn"
[product.pin]
alphabet = "23456789ABC"
length = [8, 10]
[product.layout]
number = [14, 12.2, 48, 4]
panel = [14, 17.8, 46, 7.6]
[product.style]
anything = "only the studio reads this"
"""


def load(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cards.toml"
    file.write_text(text, encoding="utf-8")
    load_products(file)


def test_a_template_says_what_a_product_is(tmp_path: Path) -> None:
    (tmp_path / "cards.toml").write_text(GOOD, encoding="utf-8")
    (product,) = load_products(tmp_path)
    assert (product.id, product.name("zh_CN"), product.name("en"), product.chip) == ("a", "甲卡", "Card A", "NTAG213")
    assert product.gtins == {"06924985861422"}
    assert product.face_values_fen == (10_000, 50_000)
    assert product.rehearsal
    assert product.number.lengths == (16,)
    assert product.number.check is CheckDigit.LUHN
    assert product.pin is not None
    assert product.pin.lengths == (8, 10)
    assert product.layout is not None
    assert product.layout.panel == Box(14, 17.8, 46, 7.6)
    assert Catalogue((product,)).by_gtin("06924985861422") is product


def test_the_shipped_templates_load() -> None:
    products = load_products(Path(__file__).parents[2] / "resources" / "templates")
    assert products
    assert all(p.gtins for p in products if p.rehearsal)
    real = [p for p in products if not p.rehearsal]
    assert {p.category for p in real} == {"supermarket", "e-commerce", "fuel", "game", "telecom", "coffee"}
    assert all(p.source and p.initials and not p.confirmed and not p.gtins for p in real)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('category = "supermarket"', 'categorie = "x"', "unknown key categorie"),
        ("6924985861422", "6924985861423", "no GTIN"),
        ("length = 16", "length = 0", "no whole number above 0"),
        ("[4, 4, 4, 4]", "[4, 4]", "no allowed length"),
        ('check = "luhn"', 'check = "crc"', "unknown rule"),
        ('"23456789ABC"', '"abc"', "upper-case"),
        ("[14, 17.8, 46, 7.6]", "[14, 17.8, 80, 7.6]", "leaves the card"),
        ("[14, 17.8, 46, 7.6]", "[14, 17.8]", "left, top, width, height"),
        ('id = "a"', 'id = ""', "id must be a text"),
        ("rehearsal = true", "rehearsal = ", "cards.toml"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.code == "catalog.bad_template"
    assert why in caught.value.detail


def test_ids_and_gtins_belong_to_one_product(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.toml").write_text(GOOD.replace('id = "a"', 'id = "b"'), encoding="utf-8")
    with pytest.raises(BadInput, match="GTIN given twice"):
        load_products(tmp_path)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_products(tmp_path / "nowhere")
    assert caught.value.code == "input.missing"
