"""Compiled products: the same as from TOML, trusted only when this station made them of this version."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.bundle import make_bundle
from app.catalog.compiled import SHAPE, compile_products, products_of, rows_in, trusted_hash
from app.catalog.shelf import Shelf, Sources, compiled_path, read_sources, shipped
from app.catalog.templates import read_products
from app.core.products import Product
from app.keys import Signer, new_seed, verifier
from app.rehearsal.catalogue import fictional_toml

CENTRE, STATION, STRANGER = (Signer(new_seed()) for _ in range(3))
OWN = verifier(STATION.public_key)
PRODUCTS = (*shipped().products, *read_products("f.toml", fictional_toml(7, 60).encode()))


@given(st.lists(st.sampled_from(PRODUCTS), max_size=20))
def test_the_same_products_come_back(products: list[Product]) -> None:
    rows = compile_products(products)
    assert products_of(rows) == tuple(products)
    assert compile_products(products_of(rows)) == rows


@given(st.binary(max_size=200))
def test_no_bytes_but_ours_are_products(data: bytes) -> None:
    with pytest.raises(ValueError):
        products_of(data)


@pytest.mark.parametrize("spoil", [{"shape": "0" * 16}, {"products": [[1]]}, {"products": 3}, {"patterns": [[]]}])
def test_rows_of_another_release_are_refused(spoil: dict[str, object]) -> None:
    whole = json.loads(compile_products(PRODUCTS[:3])) | spoil
    with pytest.raises(ValueError):
        products_of(json.dumps(whole).encode())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    one = Shelf(tmp_path / "catalogue", "t-1", verifier(CENTRE.public_key))
    files = {"fictional.toml": fictional_toml(7, 30).encode()}
    one.install(make_bundle(files, "t-1", 1, 0, CENTRE.sign).to_bytes())
    return one


def compiled(shelf: Shelf) -> str:
    return shelf.compiled("st-1", OWN, STATION.sign)


def file_of(shelf: Shelf) -> Path:
    return compiled_path(Path(shelf.sources({}, rehearsal=False).paths[0]))


def test_a_station_reads_the_same_catalogue_by_them(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = shelf.sources({"06901234077711": shelf_first(shelf).id}, rehearsal=False)
    quick = replace(plain, compiled=compiled(shelf))
    known = read_sources(plain)
    monkeypatch.setattr("app.catalog.bundle.Bundle.products", lambda _bundle: pytest.fail("TOML was read again"))
    assert read_sources(quick) == known
    assert compiled(shelf) == quick.compiled, "made once"


def shelf_first(shelf: Shelf) -> Product:
    return read_sources(shelf.sources({}, rehearsal=False)).products[0]


@pytest.mark.parametrize("damage", [b"", b"{}\n[]", b"\x00" * 99])
def test_damaged_ones_are_made_anew_and_never_believed(shelf: Shelf, damage: bytes) -> None:
    good, path = compiled(shelf), file_of(shelf)
    path.write_bytes(damage)
    sources = replace(shelf.sources({}, rehearsal=False), compiled=good)
    assert len(read_sources(sources).products) == 30, "from the bundle itself"
    assert compiled(shelf) == good
    assert rows_in(path.read_bytes()) != damage


def test_changed_rows_are_not_believed_whoever_signed_them(shelf: Shelf) -> None:
    good, path = compiled(shelf), file_of(shelf)
    version = shelf.standing.current
    forged = compile_products([replace(p, name_zh="假") for p in products_of(rows_in(path.read_bytes()))])
    head = path.read_bytes().partition(b"\n")[0]
    path.write_bytes(head + b"\n" + forged)
    assert trusted_hash(path.read_bytes(), "st-1", version, OWN) == ""
    sources = replace(shelf.sources({}, rehearsal=False), compiled=good)
    assert "假" not in {product.name_zh for product in read_sources(sources).products}
    assert compiled(shelf) == good


def test_another_stations_or_versions_are_made_anew(shelf: Shelf) -> None:
    compiled(shelf)
    data, version = file_of(shelf).read_bytes(), shelf.standing.current
    assert trusted_hash(data, "st-1", version, OWN)
    assert not trusted_hash(data, "st-2", version, OWN)
    assert not trusted_hash(data, "st-1", "0" * 64, OWN)
    assert not trusted_hash(data, "st-1", version, verifier(STRANGER.public_key))
    assert not trusted_hash(data.replace(SHAPE.encode(), b"0" * 16), "st-1", version, OWN)


def test_what_was_shipped_is_not_compiled(tmp_path: Path) -> None:
    fresh = Shelf(tmp_path / "none", "t-1", verifier(CENTRE.public_key))
    assert compiled(fresh) == ""
    assert read_sources(Sources((str(tmp_path),), compiled="0" * 64)).products == ()
