"""Damaged and invented template files: products or a word that names the fault, never a crash."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog.templates import load_products
from app.core.errors import BadInput

TEMPLATES = sorted((Path(__file__).parents[2] / "resources" / "templates").glob("*.toml"))
REAL = TEMPLATES[0].read_bytes()[:6000]
KEYS = ["id", "name_zh", "name_en", "category", "gtins", "face_values_yuan", "chip", "number", "pin", "layout", "code"]

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
values = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70).map(str),
        st.sampled_from([400, 4000, 5000]).map(lambda digits: "9" * digits),
        st.sampled_from([10, 400, 9000]).map(lambda digits: "0x" + "f" * digits),
        st.floats(allow_nan=True).map(lambda v: repr(v) if v == v and abs(v) != float("inf") else "nan"),
        st.sampled_from(['""', '"6901234567892"', "true", "1979-05-27", "inf", '"digits"', '"\\u0000"']),
        st.text("abcXYZ0189 甲", max_size=6).map(lambda t: f'"{t}"'),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda v: "[" + ", ".join(v) + "]"),
        st.dictionaries(st.sampled_from(["length", "alphabet", "check", "grouping", "number", "prefix"]), inner).map(
            lambda d: "{" + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}"
        ),
    ),
    max_leaves=8,
)


GOOD = {
    "id": '"a"',
    "name_zh": '"甲卡"',
    "name_en": '"Card A"',
    "gtins": '["6924985861422"]',
    "face_values_yuan": "[100, 500]",
    "number": '{alphabet = "digits", length = 16, grouping = [4, 4, 4, 4], check = "luhn"}',
    "pin": "{length = [8, 10]}",
    "layout": "{number = [14, 12.2, 48, 4]}",
    "code": '[{prefix = "99", length = 20, number = [2, 18]}]',
}


def read_or_refused(tmp_path: Path, data: bytes) -> bool:
    """Whether a file gives products, or the one word for a bad template with the file's name."""
    path = tmp_path / "t.toml"
    path.write_bytes(data)
    try:
        load_products(path)
    except BadInput as word:
        return word.code == "catalog.bad_template" and bool(word.detail)
    return True


@quick
@given(
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 1 << 16)
)
def test_a_damaged_template_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[tuple[int, int]], cut: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network look-up")

    monkeypatch.setattr(socket, "socket", refuse)
    data = bytearray(REAL[: len(REAL) - cut % 500])
    for place, value in changes:
        data[place % len(data)] = value
    assert read_or_refused(tmp_path, bytes(data))


@quick
@given(st.dictionaries(st.sampled_from(KEYS), values, min_size=1, max_size=2))
def test_values_of_the_wrong_kind_are_named(tmp_path: Path, table: dict[str, str]) -> None:
    lines = "\n".join(f"{key} = {value}" for key, value in {**GOOD, **table}.items())
    assert read_or_refused(tmp_path, f"[[product]]\n{lines}\n".encode())


boxes = st.lists(st.one_of(st.floats(-1, 90).map(repr), values), min_size=3, max_size=5)


@quick
@given(st.dictionaries(st.sampled_from(["number", "panel", "pin", "expiry", "face_value", "barcode"]), boxes))
def test_places_of_any_kind_are_named(tmp_path: Path, layout: dict[str, list[str]]) -> None:
    lines = "\n".join(f"{key} = {value}" for key, value in GOOD.items() if key != "layout")
    places = "\n".join(f"{name} = [{', '.join(box)}]" for name, box in layout.items())
    assert read_or_refused(tmp_path, f"[[product]]\n{lines}\n[product.layout]\n{places}\n".encode())


@pytest.mark.parametrize(
    "key", ["id", "gtins", "number.length", "number.check", "number.places", "layout.pin", "regions"]
)
@pytest.mark.parametrize("value", ["9" * 400, "9" * 5000, "0x" + "f" * 9000, "[0x" + "f" * 9000 + "]"])
def test_numbers_that_cannot_be_shown_are_named(tmp_path: Path, key: str, value: str) -> None:
    lines = "\n".join(f"{name} = {v}" for name, v in GOOD.items() if name != key.partition(".")[0])
    path = tmp_path / "t.toml"
    path.write_text(f"[[product]]\n{lines}\n{key} = {value}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"t\.toml: a whole number has more than 64 bits"):
        load_products(path)


def test_tables_too_deep_to_be_shown_are_named(tmp_path: Path) -> None:
    lines = "\n".join(f"{name} = {v}" for name, v in GOOD.items() if name != "number")
    path = tmp_path / "t.toml"
    path.write_text(f"[[product]]\n{lines}\nnumber.length.{'a.' * 5000}a = 1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="deep in each other"):
        load_products(path)


@quick
@given(st.binary(max_size=200))
def test_noise_is_no_template(tmp_path: Path, noise: bytes) -> None:
    assert read_or_refused(tmp_path, noise)


@quick
@given(st.sampled_from(["product", "rehearsal", "version"]), values)
def test_a_file_of_the_wrong_shape_is_named(tmp_path: Path, key: str, value: str) -> None:
    assert read_or_refused(tmp_path, f"{key} = {value}\n".encode())


def test_the_good_one_is_good(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("[[product]]\n" + "\n".join(f"{key} = {value}" for key, value in GOOD.items()), encoding="utf-8")
    (product,) = load_products(path)
    assert product.codes[0].number_in("99" + "4" * 16 + "00") == "4" * 16
