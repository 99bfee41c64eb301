"""Finding a product by what a clerk knows of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.search import Finder, folded
from app.catalog.templates import load_products, read_products
from app.paths import TEMPLATES
from app.rehearsal.catalogue import fictional_toml

PRODUCTS = (*load_products(TEMPLATES), *read_products("f.toml", fictional_toml(5, 300).encode()))
FINDER = Finder(PRODUCTS)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("京东", "jd-e-card"),
        ("京东Ｅ卡", "jd-e-card"),
        ("jdek", "jd-e-card"),
        ("JD E-Card", "jd-e-card"),
        ("xbkxlk", "starbucks-cn-gift-card"),
        ("星礼", "starbucks-cn-gift-card"),
        ("starbucks", "starbucks-cn-gift-card"),
        ("6901234050103", "yunshan-market-500"),
        ("06901234050103", "yunshan-market-500"),
        ("050103", "yunshan-market-500"),
        ("sinopec-recharge-card", "sinopec-recharge-card"),
        ("充值 卡 全国", ""),
    ],
)
def test_a_product_is_found(query: str, first: str) -> None:
    found = FINDER.find(query)
    assert (found[0].id if found else "") == first


@pytest.mark.parametrize("query", ["", "   ", "-", "nothing like it", "999999999999"])
def test_nothing_fits(query: str) -> None:
    assert FINDER.find(query) == ()


def test_the_best_come_first_and_no_more_than_wanted() -> None:
    found = FINDER.find("云", most=5)
    assert len(found) == 5
    assert all("云" in p.name_zh for p in found)
    assert found[0].name_zh.startswith("云")


@given(st.text(max_size=30))
def test_no_query_upsets_it(query: str) -> None:
    assert len(FINDER.find(query, 3)) <= 3


@given(st.sampled_from(PRODUCTS), st.integers(0, 3))
def test_every_product_is_found_by_each_of_its_names(product: object, which: int) -> None:
    from_names = (product.name_zh, product.name_en, product.initials, product.id)[which]  # type: ignore[attr-defined]
    assert product in FINDER.find(from_names, most=len(PRODUCTS)) or not folded(from_names)
