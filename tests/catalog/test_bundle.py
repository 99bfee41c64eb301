"""Published catalogues: signed, named by their content, one step back, never silently another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.bundle import make_bundle, open_signed, read_bundle
from app.catalog.own import sign_bindings, with_bindings
from app.catalog.shelf import SHIPPED, Shelf, Sources, read_sources, shipped
from app.catalog.templates import read_products, version_of
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble, Trouble
from app.keys import Signer, verifier
from app.rehearsal.catalogue import fictional_toml

CENTRE = Signer(b"c" * 32)
STATION = Signer(b"s" * 32)
VERIFY = verifier(CENTRE.public_key)
OWN = verifier(STATION.public_key)
LONELY = "06901234999990"


def files(seed: int = 1, count: int = 3) -> Mapping[str, bytes]:
    text = fictional_toml(seed, count).replace("rehearsal = true", "rehearsal = false")
    return {"cards.toml": text.encode()}


def published(seed: int = 1, serial: int = 1, tenant: str = "t-1", signer: Signer = CENTRE) -> bytes:
    return make_bundle(files(seed), tenant, serial, 1_790_000_000_000, signer.sign).to_bytes()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "catalogue", "t-1", VERIFY)


def test_a_bundle_comes_back_as_it_was_signed() -> None:
    bundle = open_signed(published(), "t-1", VERIFY)
    assert bundle.version == version_of(files())
    assert [p.id for p in bundle.products()] == ["fictional-00000", "fictional-00001", "fictional-00002"]


def test_the_same_content_has_the_same_version_and_any_other_byte_another() -> None:
    assert read_bundle(published(1, 1)).version == read_bundle(published(1, 9)).version
    changed = {name: data + b"\n" for name, data in files().items()}
    assert version_of(changed) != version_of(files())
    assert version_of({"other.toml": files()["cards.toml"]}) != version_of(files())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (published(signer=Signer(b"x" * 32)), "catalog.untrusted"),
        (published(tenant="t-2"), "catalog.untrusted"),
        (published().replace(b"Market", b"Maarket").replace(b"Coffee", b"Cofffee"), "catalog.tampered"),
        (b"", "catalog.bad_bundle"),
        (b"[]", "catalog.bad_bundle"),
        (b'{"signed": {"text": "{}", "sig": ""}, "files": {}}', "catalog.bad_bundle"),
    ],
)
def test_what_is_not_of_this_centre_is_refused(shelf: Shelf, data: bytes, code: str) -> None:
    with pytest.raises(Trouble) as caught:
        shelf.install(data)
    assert caught.value.code == code
    assert shelf.standing.current == ""


def test_a_bundle_without_products_or_with_a_fault_is_never_signed() -> None:
    for bad, code in (({"a.toml": b""}, "catalog.missing"), ({"a.toml": b"[[product]]"}, "catalog.bad_template")):
        with pytest.raises(BadInput) as caught:
            make_bundle(bad, "t-1", 1, 1, CENTRE.sign)
        assert caught.value.code == code
    with pytest.raises(BadInput):
        make_bundle({"../evil.toml": files()["cards.toml"]}, "t-1", 1, 1, CENTRE.sign)


@given(st.integers(0, 3000), st.integers(0, 255))
def test_no_changed_byte_passes_unseen(at: int, value: int) -> None:
    data = bytearray(published())
    at %= len(data)
    if data[at] == value:
        return
    data[at] = value
    try:
        bundle = open_signed(bytes(data), "t-1", VERIFY)
    except Trouble:
        return
    assert bundle.files == files(), "only the spelling of the envelope may differ"


def test_installing_keeps_the_one_before_and_rolling_back_is_one_step(shelf: Shelf) -> None:
    first, second = shelf.install(published(1, 1)), shelf.install(published(2, 2))
    assert shelf.standing.current == second.version
    assert shelf.standing.before == (first.version, "")
    assert shelf.roll_back() == first.version
    assert read_sources(shelf.sources({}, rehearsal=False)).version == first.version
    assert shelf.roll_back() == ""
    assert read_sources(shelf.sources({}, rehearsal=False)) == shipped()
    with pytest.raises(BadInput, match="nothing_before"):
        shelf.roll_back()


def test_the_same_again_changes_nothing_and_an_older_one_is_refused(shelf: Shelf) -> None:
    shelf.install(published(1, 5))
    standing = shelf.standing
    shelf.install(published(1, 5))
    assert shelf.standing == standing
    with pytest.raises(BadInput, match="older"):
        shelf.install(published(2, 4))
    shelf.install(published(2, 6))
    shelf.roll_back()
    with pytest.raises(BadInput, match="older"):
        shelf.install(published(3, 5))


def test_only_a_few_old_ones_are_kept(shelf: Shelf, tmp_path: Path) -> None:
    for n in range(1, 10):
        shelf.install(published(n, n))
    assert len(list((tmp_path / "catalogue").glob("*.json"))) == 1 + 1 + 5
    for _ in range(5):
        shelf.roll_back()


def test_a_bundle_that_was_changed_on_the_disk_is_not_read(shelf: Shelf, tmp_path: Path) -> None:
    version = shelf.install(published()).version
    path = tmp_path / "catalogue" / f"{version}.json"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"gift", b"Gift").replace("卡".encode(), "店".encode()))
    with pytest.raises(EvidenceTrouble, match="tampered"):
        shelf.sources({}, rehearsal=False)
    path.write_bytes(published(2))
    with pytest.raises(EvidenceTrouble, match="tampered"):
        shelf.sources({}, rehearsal=False)
    path.unlink()
    with pytest.raises(StorageTrouble, match="shelf_damaged"):
        shelf.sources({}, rehearsal=False)


def test_whoever_reads_by_another_version_is_stopped(shelf: Shelf) -> None:
    shelf.install(published())
    sources = shelf.sources({}, rehearsal=True)
    assert read_sources(sources).version == sources.version
    with pytest.raises(EvidenceTrouble, match="tampered"):
        read_sources(replace(sources, version="0" * 64))


def test_a_rehearsal_has_its_own_products_beside_the_published_ones(shelf: Shelf) -> None:
    version = shelf.install(published()).version
    alone, beside = (read_sources(shelf.sources({}, rehearsal=r)) for r in (False, True))
    assert alone.version == version
    assert beside.version.startswith(f"{version}+")
    assert beside.by_id("yunshan-market-500") is not None
    assert alone.by_id("yunshan-market-500") is None


def test_what_is_shipped_has_a_version_too() -> None:
    assert len(shipped().version) == 64
    assert shipped().version == read_sources(SHIPPED).version


def test_bound_barcodes_find_their_product_and_change_the_version() -> None:
    plain = read_sources(SHIPPED)
    bound = read_sources(Sources(SHIPPED.paths, ((LONELY, "jd-e-card"),)))
    product = bound.by_gtin(LONELY)
    assert product is not None
    assert product.id == "jd-e-card"
    assert plain.by_gtin(LONELY) is None
    assert bound.version != plain.version


def test_a_binding_never_takes_a_barcode_from_the_catalogue() -> None:
    products = tuple(read_products("cards.toml", files()["cards.toml"]))
    taken = min(products[0].gtins)
    assert with_bindings(products, {taken: products[1].id, LONELY: "gone"}) == products


def test_bindings_are_the_stations_own(shelf: Shelf) -> None:
    assert shelf.bound("st-1", OWN) == {}
    shelf.bind(sign_bindings("st-1", {LONELY: "jd-e-card"}, STATION.sign))
    assert shelf.bound("st-1", OWN) == {LONELY: "jd-e-card"}
    for station, verify in (("st-2", OWN), ("st-1", VERIFY)):
        with pytest.raises(EvidenceTrouble, match="untrusted"):
            shelf.bound(station, verify)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"current": 1}', b'{"current":"","before":5,"serial":1}'])
def test_a_damaged_shelf_is_said(shelf: Shelf, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "shelf.json").write_bytes(content)
    with pytest.raises(StorageTrouble, match="shelf_damaged"):
        _ = shelf.standing
