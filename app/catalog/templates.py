"""Product templates from TOML files: what a card product is, in the words of `app.core.products`.

A file holds `[[product]]` tables: `id name_zh name_en category gtins face_values_yuan chip rehearsal`, with the
sub-tables `number` and `pin` (`alphabet length grouping check`), `layout` (boxes in millimetres) and `style`, which
only the rehearsal studio reads. `rehearsal = true` at the top of a file marks all its products.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.core.errors import BadInput
from app.core.products import (
    DIGITS,
    LATIN,
    Box,
    CheckDigit,
    CompositeCode,
    FieldPattern,
    Layout,
    Product,
    normalise_gtin,
)

_FILE_KEYS = {"product", "rehearsal", "version"}
_PRODUCT_KEYS = {
    "id",
    "name_zh",
    "name_en",
    "category",
    "gtins",
    "face_values_yuan",
    "chip",
    "rehearsal",
    "number",
    "pin",
    "layout",
    "style",
    "code",
}
_CODE_KEYS = {"prefix", "length", "number"}
_PATTERN_KEYS = {"alphabet", "length", "grouping", "check"}
_LAYOUT_KEYS = {"number", "panel", "pin", "expiry", "face_value", "barcode"}
_NAMED_ALPHABETS = {"digits": DIGITS, "latin": LATIN, "alnum": DIGITS + LATIN}


def load_products(path: Path | str) -> tuple[Product, ...]:
    """All products of a TOML file, or of every `*.toml` below a folder, in order of file name.

    Raises BadInput("catalog.bad_template") naming file, product and fault, BadInput("input.missing") for no such path.
    """
    root = Path(path)
    if not root.exists():
        raise BadInput("input.missing", root.name)
    files = sorted(root.glob("**/*.toml")) if root.is_dir() else [root]
    products = tuple(product for file in files for product in _read_file(file))
    _refuse_duplicates(products)
    return products


def _read_file(file: Path) -> Iterator[Product]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _fault(file.name, str(error)) from error
    _refuse_unknown(file.name, data, _FILE_KEYS)
    tables = data.get("product", [])
    if not isinstance(tables, list):
        raise _fault(file.name, "product must be an array of tables: [[product]]")
    for table in tables:
        yield _product(file.name, table, rehearsal=bool(data.get("rehearsal", False)))


def _product(file: str, table: Mapping[str, Any], rehearsal: bool) -> Product:
    where = f"{file}: product {table.get('id', '?')}"
    _refuse_unknown(where, table, _PRODUCT_KEYS)
    pin = table.get("pin")
    layout = table.get("layout")
    return Product(
        id=_text(where, table, "id"),
        name_zh=_text(where, table, "name_zh"),
        name_en=_text(where, table, "name_en"),
        category=_text(where, table, "category", ""),
        gtins=frozenset(_gtin(where, gtin) for gtin in table.get("gtins", [])),
        number=_pattern(f"{where}.number", table.get("number", {})),
        pin=None if pin is None else _pattern(f"{where}.pin", pin),
        face_values_fen=tuple(
            _positive(f"{where}.face_values_yuan", v) * 100 for v in table.get("face_values_yuan", [])
        ),
        chip=_text(where, table, "chip", ""),
        layout=None if layout is None else _layout(f"{where}.layout", layout),
        rehearsal=bool(table.get("rehearsal", rehearsal)),
        codes=tuple(_code(f"{where}.code", code) for code in table.get("code", [])),
    )


def _code(where: str, table: Mapping[str, Any]) -> CompositeCode:
    """A `[[product.code]]`: `prefix` and `length` of the whole; `number = [from, to]` from 0, the end left out."""
    _refuse_unknown(where, table, _CODE_KEYS)
    prefix, length = _text(where, table, "prefix"), _positive(f"{where}.length", table.get("length"))
    span = table.get("number")
    if not (isinstance(span, list) and len(span) == 2 and all(type(v) is int for v in span)):
        raise _fault(where, "number is [from, to]")
    if not len(prefix) <= span[0] < span[1] <= length:
        raise _fault(where, "number must stand behind the prefix and within the length")
    return CompositeCode(prefix, length, span[0], span[1])


def _pattern(where: str, table: Mapping[str, Any]) -> FieldPattern:
    _refuse_unknown(where, table, _PATTERN_KEYS)
    length = table.get("length", [])
    lengths = tuple(_positive(f"{where}.length", n) for n in (length if isinstance(length, list) else [length]))
    if not lengths:
        raise _fault(where, "length is missing")
    alphabet = table.get("alphabet", DIGITS)
    return FieldPattern(
        alphabet=_alphabet(f"{where}.alphabet", alphabet),
        lengths=lengths,
        grouping=_grouping(where, table.get("grouping", []), lengths),
        check=_check(f"{where}.check", table.get("check", "")),
    )


def _alphabet(where: str, value: object) -> str:
    alphabet = _NAMED_ALPHABETS.get(str(value), str(value))
    if not alphabet or set(alphabet) - set(DIGITS + LATIN):
        raise _fault(where, "only upper-case letters and digits are allowed")
    return "".join(sorted(set(alphabet)))


def _grouping(where: str, value: list[object], lengths: tuple[int, ...]) -> tuple[int, ...]:
    grouping = tuple(_positive(f"{where}.grouping", n) for n in value)
    if grouping and sum(grouping) not in lengths:
        raise _fault(where, f"grouping adds up to {sum(grouping)}, which is no allowed length")
    return grouping


def _check(where: str, value: object) -> CheckDigit:
    try:
        return CheckDigit(str(value))
    except ValueError as error:
        raise _fault(where, f"unknown rule {value!r}; known: {', '.join(c for c in CheckDigit if c)}") from error


def _layout(where: str, table: Mapping[str, Any]) -> Layout:
    _refuse_unknown(where, table, _LAYOUT_KEYS)
    return Layout(**{key: _box(f"{where}.{key}", value) for key, value in table.items()})


def _box(where: str, value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not all(isinstance(v, int | float) for v in value):
        raise _fault(where, "a box is [left, top, width, height] in millimetres")
    x, y, w, h = (float(v) for v in value)
    if min(x, y) < 0 or min(w, h) <= 0 or x + w > 86 or y + h > 54.5:
        raise _fault(where, "the box leaves the card (85.6 x 54 mm)")
    return Box(x, y, w, h)


def _gtin(where: str, value: object) -> str:
    gtin = normalise_gtin(str(value))
    if gtin is None:
        raise _fault(where, f"{value!r} is no GTIN: wrong length or check digit")
    return gtin


def _text(where: str, table: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise _fault(where, f"{key} must be a text")
    return value


def _positive(where: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise _fault(where, f"{value!r} is no whole number above 0")
    return value


def _refuse_unknown(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    if not isinstance(table, dict):
        raise _fault(where, "must be a table")
    unknown = sorted(set(table) - known)
    if unknown:
        raise _fault(where, f"unknown key {', '.join(unknown)}; known: {', '.join(sorted(known))}")


def _refuse_duplicates(products: tuple[Product, ...]) -> None:
    ids = Counter(p.id for p in products)
    gtins = Counter(g for p in products for g in p.gtins)
    for what, counts in (("id", ids), ("GTIN", gtins)):
        twice = sorted(k for k, n in counts.items() if n > 1)
        if twice:
            raise _fault("templates", f"{what} given twice: {', '.join(twice)}")


def _fault(where: str, why: str) -> BadInput:
    return BadInput("catalog.bad_template", f"{where}: {why}")
