"""Product templates: the shipped ones load, and each kind of mistake is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.catalog.importing import read_incoming
from app.catalog.templates import load_products, read_products
from app.catalog.writing import table_of, to_csv, to_toml
from app.core.errors import BadInput
from app.core.products import Box, Catalogue, CheckDigit
from tests.known_products import astray, plan_of, product_of, upright_plan

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
        ("length = 16", "length = 65", "65 is no whole number above 0, at most 64"),
        ("length = 16", "length = []", "length is missing: a whole number up to 64"),
        ("length = 16", "length = 99999999", "at most 64"),
        ("[4, 4, 4, 4]", "[4, 4]", "no allowed length"),
        ('check = "luhn"', 'check = "crc"', "unknown rule"),
        ('"23456789ABC"', '"abc"', "upper-case"),
        ("[14, 17.8, 46, 7.6]", "[14, 17.8, 80, 7.6]", "leaves the card"),
        ("[14, 17.8, 46, 7.6]", "[14, 17.8]", "left, top, width, height"),
        ('id = "a"', 'id = ""', "id must be a text"),
        ("rehearsal = true", "rehearsal = ", "cards.toml"),
        ("rehearsal = true", 'rehearsal = "no"', "rehearsal is true or false"),
        ('"23456789ABC"', "123", "a text of upper-case"),
        ('alphabet = "digits"\nlength = 16', 'length = "unknown"', "length is unknown"),
        ('alphabet = "23456789ABC"\nlength = [8, 10]', 'length = "unknown"', 'write "unknown" instead'),
        ("[14, 17.8, 46, 7.6]", "[14, 17.8, 46, 1e-300]", "at least 0.5 mm"),
        ("[14, 17.8, 46, 7.6]", "[4, 44, 46, 40]", "number: the box leaves the card, which other boxes"),
        ("[14, 17.8, 46, 7.6]", "[60, 50, 60, 60]", "leaves the card"),
        ("panel = [", "pin = [14, 12.2, 48, 4]\npanel = [", "number and pin have the same place"),
        ("panel = [", "expiry = [12, 11, 52, 6]\npanel = [", "number and expiry have the same place"),
        ("panel = [", "pin = [17, 30, 40, 3.6]\npanel = [", "pin lies outside of panel"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.code == "catalog.bad_template"
    assert why in caught.value.detail


@pytest.mark.parametrize(
    "places",
    [
        "number = [4, 27, 46, 3]\nbarcode = [6, 66, 32, 10]",  # printed upright
        "number = [4, 44, 48, 10.5]\nbarcode = [6, 30, 80, 10]",  # to the last of the play
        "number = [4, 49, 33, 2.5]\nbarcode = [4, 38, 33, 14]",  # the number in the bars' box
        "pin = [14, 17, 40, 4]\npanel = [16, 18, 38, 2.6]",  # a panel seen smaller than it is
        "number = [14, 12.2, 48, 4]\nexpiry = [14, 15, 30, 3]",  # boxes as wide as the widest seen
    ],
)
def test_places_of_one_card_are_taken(tmp_path: Path, places: str) -> None:
    text = GOOD.replace("number = [14, 12.2, 48, 4]\npanel = [14, 17.8, 46, 7.6]", places)
    assert text != GOOD
    load(tmp_path, text)


@pytest.mark.parametrize("tier", ["easy", "hard"])
def test_the_cards_that_the_studio_makes_up_have_templates(tier: str) -> None:
    for seed in range(4700000, 4700060):
        product = replace(product_of(plan_of(seed, tier), astray(seed)), name_zh="卡", name_en="Card")
        (read,) = read_products("back.toml", to_toml([table_of(product)]).encode())
        assert read.layout is not None
        assert product.layout is not None
        assert read.layout.boxes.keys() == product.layout.boxes.keys()


def test_so_have_those_printed_upright(monkeypatch: pytest.MonkeyPatch) -> None:
    product = product_of(upright_plan(19000600, monkeypatch), astray(1))
    known = replace(product, name_zh="卡", name_en="Card")
    (read,) = read_products("back.toml", to_toml([table_of(known)]).encode())
    assert read.layout is not None
    assert read.layout.upright
    judged = read_incoming("back.csv", to_csv([table_of(known)]).encode())
    assert judged.products[0].layout == read.layout


def test_ids_and_gtins_belong_to_one_product(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.toml").write_text(GOOD.replace('id = "a"', 'id = "b"'), encoding="utf-8")
    with pytest.raises(BadInput, match="GTIN given twice"):
        load_products(tmp_path)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_products(tmp_path / "nowhere")
    assert caught.value.code == "input.missing"
