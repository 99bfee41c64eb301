"""Import: all of a file or nothing, with each wrong line; what is exported reads back the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalog.importing import read_incoming
from app.catalog.initials import initials_of
from app.catalog.templates import load_products, read_products
from app.catalog.writing import COLUMNS, table_of, to_csv, to_toml
from app.core.errors import BadInput
from app.core.products import DIGITS, LATIN, CompositeCode, Product
from app.paths import TEMPLATES
from app.rehearsal.catalogue import fictional_toml

HEAD = "id,name_zh,name_en,gtins,number.alphabet,number.length,pin.length\n"
GOOD = HEAD + "a-card,甲卡,Card A,6924985861422,digits,16,8\nb-card,乙卡,Card B,,digits,15 16,unknown\n"


def fictional(count: int) -> tuple[Product, ...]:
    return tuple(read_products("fictional.toml", fictional_toml(3, count).encode()))


def test_a_good_csv_gives_products_with_their_initials() -> None:
    judged = read_incoming("cards.csv", GOOD.encode())
    assert judged.wrong == ()
    first, second = judged.products
    assert (first.initials, first.gtins, first.number.lengths) == ("JK", {"06924985861422"}, (16,))
    assert (second.number.lengths, second.pin is not None) == ((15, 16), True)


@pytest.mark.parametrize(
    ("line", "where", "why"),
    [
        ("c,丙卡,C,6924985861423,digits,16,", "line 4", "no GTIN"),
        ("c,丙卡,C,,digits,sixteen,", "line 4", "no whole number"),
        (f"c,丙卡,C,,digits,{'9' * 400},", "line 4", "no whole number"),
        ("c,丙卡,C,,digits,unknown,", "line 4", "leave out alphabet"),
        ("c,丙卡,C,,hex,16,", "line 4", "upper-case"),
        ("c,,C,,digits,16,", "line 4", "name_zh"),
        ("C c,丙卡,C,,digits,16,", "line 4", "small letters"),
        ("c,丙卡,C,,digits,16,,surplus", "line 4", "too many cells"),
        ("a-card,丙卡,C,,digits,16,", "product a-card", "id given twice"),
        ("c,丙卡,C,6924985861422,digits,16,", "product c", "belongs to a-card too"),
    ],
)
def test_one_wrong_line_and_nothing_is_taken(line: str, where: str, why: str) -> None:
    judged = read_incoming("cards.csv", (GOOD + line + "\n").encode())
    assert judged.products == ()
    assert judged.tables == ()
    assert any(where in wrong.where and why in wrong.why for wrong in judged.wrong), judged.wrong


@pytest.mark.parametrize("said", ["check", "grouping"])
def test_what_is_said_beside_an_unknown_length_is_not_dropped(said: str) -> None:
    value = {"check": "luhn", "grouping": "4 4"}[said]
    text = f"id,name_zh,name_en,number.length,number.{said}\na,甲卡,A,unknown,{value}\n"
    (wrong,) = read_incoming("cards.csv", text.encode()).wrong
    assert f"leave out {said}" in wrong.why


def test_a_place_of_400_digits_is_named() -> None:
    text = f"id,name_zh,name_en,number.length,layout.number\na,甲卡,A,16,{'9' * 400} 1 1 1\n"
    (wrong,) = read_incoming("cards.csv", text.encode()).wrong
    assert (wrong.where, "millimetres" in wrong.why) == ("cards.csv: line 2.layout.number", True)


def test_every_wrong_line_is_told() -> None:
    judged = read_incoming("cards.csv", (HEAD + "A,甲,A,,digits,1,\nb,乙,B,,digits,0,\nc,丙,C,7,digits,4,\n").encode())
    assert [wrong.where.split()[2][0] for wrong in judged.wrong] == ["2", "3", "4"]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"", b"id,nonsense\n", b'id,name_zh\n"a', b"[[product]]\nid = 7"])
def test_what_is_no_csv_is_said(data: bytes) -> None:
    assert read_incoming("cards.csv", data).wrong


def test_a_gtin_of_a_known_product_is_not_taken_over() -> None:
    known = fictional(1)
    text = HEAD + f"x,甲卡,X,{next(iter(known[0].gtins))},digits,16,\n"
    judged = read_incoming("cards.csv", text.encode(), known)
    assert "belongs to fictional-00000 already" in judged.wrong[0].why


@given(st.binary(max_size=200), st.sampled_from(["x.csv", "x.toml"]))
@settings(max_examples=150)
def test_no_bytes_upset_the_import(data: bytes, name: str) -> None:
    judged = read_incoming(name, data)
    assert not (judged.wrong and judged.products)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(st.dictionaries(st.sampled_from(COLUMNS), CELL, min_size=1, max_size=8))
@settings(max_examples=150)
def test_no_cells_upset_the_import(row: dict[str, str]) -> None:
    text = ",".join(row) + "\n" + ",".join('"' + cell.replace('"', '""') + '"' for cell in row.values()) + "\n"
    judged = read_incoming("x.csv", text.encode())
    assert not (judged.wrong and judged.products)


def test_export_reads_back_to_the_same_products() -> None:
    first, *others = load_products(TEMPLATES / "starter.toml")
    composite = replace(first, codes=(CompositeCode("6901", 30, 13, 29), CompositeCode("29", 22, 2, 18)))
    products = (composite, *others, *fictional(40))
    tables = [table_of(p) | ({"rehearsal": True} if p.rehearsal else {}) for p in products]
    assert tuple(read_products("back.toml", to_toml(tables).encode())) == products
    judged = read_incoming("back.csv", to_csv(tables).encode())
    assert judged.wrong == ()
    assert judged.products == products


def test_initials() -> None:
    assert initials_of("云杉超市礼品卡") == "YSCSLPK"
    assert initials_of("重庆银行Q币卡100元") == "CQYHQBK100Y"


@given(st.text(max_size=20))
def test_initials_are_capitals_and_digits(text: str) -> None:
    assert set(initials_of(text)) <= set(DIGITS + LATIN)


def test_the_fictional_catalogue_is_the_same_every_time_and_each_name_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text(fictional_toml(7, 400), encoding="utf-8")
    products = load_products(tmp_path)
    assert len(products) == 400
    assert len({g for p in products for g in p.gtins}) == 400
    assert all(p.rehearsal and p.layout and p.pin and p.initials for p in products)
    assert fictional_toml(7, 400) == fictional_toml(7, 400)
    assert not {g for p in load_products(TEMPLATES) for g in p.gtins} & {g for p in products for g in p.gtins}
    with pytest.raises(ValueError, match="between 1 and"):
        fictional_toml(7, 0)


def test_a_source_is_an_address() -> None:
    text = fictional_toml(1, 1).replace("[product.number]", 'source = "a friend"\n[product.number]', 1)
    with pytest.raises(BadInput, match="can be opened"):
        tuple(read_products("x.toml", text.encode()))
