"""Bringing products in from CSV or TOML: everything is read and judged before anything is written.

A line that is wrong is told with file, line and key; then nothing of the file is taken.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.catalog.initials import initials_of
from app.catalog.templates import UNKNOWN, product_of, read_tables
from app.catalog.writing import COLUMNS
from app.core.errors import BadInput
from app.core.products import Product

_LISTS = ("gtins", "regions", "places")
_NUMBER_LISTS = ("face_values_yuan", "grouping", "number", "panel", "pin", "expiry", "face_value", "barcode")
_NUMBERS = ("months",)
_MOST_DIGITS = 18
_FLAGS = ("bound_account", "splits_balance", "batch_number", "confirmed", "rehearsal")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one line: where (file and line, or file and product) and why."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """An import that was judged: all its products, or what is wrong. `tables` as they will be written."""

    products: tuple[Product, ...]
    tables: tuple[Mapping[str, Any], ...]
    wrong: tuple[Wrong, ...]
    rehearsal: bool = False


def read_incoming(name: str, data: bytes, known: Sequence[Product] = ()) -> Incoming:
    """Judge the bytes of a CSV or TOML file called `name` against what is `known` already (same id: replaces it)."""
    try:
        rows = list(_csv_tables(name, data) if name.lower().endswith(".csv") else read_tables(name, data))
    except BadInput as trouble:
        return Incoming((), (), (_wrong(trouble),))
    products, tables, wrong = [], [], []
    for where, raw, rehearsal in rows:
        try:
            table = with_initials(raw)
            products.append(product_of(where, table, rehearsal))
            tables.append(table)
        except BadInput as trouble:
            wrong.append(_wrong(trouble))
    wrong += _clashes(name, products, known)
    marked = any(rehearsal for _, _, rehearsal in rows)
    return Incoming(() if wrong else tuple(products), () if wrong else tuple(tables), tuple(wrong), marked)


def with_initials(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A product's table with the pinyin initials that it does not give."""
    name_zh = table.get("name_zh") if isinstance(table, dict) else None
    if not isinstance(name_zh, str) or table.get("initials"):
        return table
    initials = initials_of(name_zh)
    return {**table, "initials": initials} if initials else table


def _wrong(trouble: BadInput) -> Wrong:
    where, _, why = trouble.detail.partition(": ")
    if why.startswith(("product ", "line ")):
        part, _, why = why.partition(": ")
        where = f"{where}: {part}"
    return Wrong(where, why)


def _clashes(name: str, products: Iterable[Product], known: Iterable[Product]) -> list[Wrong]:
    """Ids given twice in the file, and GTINs that two products claim."""
    owner: dict[str, str] = {}
    wrong = []
    seen: set[str] = set()
    for product in products:
        where = f"{name}: product {product.id}"
        if product.id in seen:
            wrong.append(Wrong(where, "id given twice"))
        seen.add(product.id)
        taken = [g for g in sorted(product.gtins) if owner.setdefault(g, product.id) != product.id]
        wrong += [Wrong(where, f"GTIN {g} belongs to {owner[g]} too") for g in taken]
    for product in known:
        if product.id not in seen:
            taken = sorted(g for g in product.gtins if g in owner)
            wrong += [Wrong(f"{name}: product {owner[g]}", f"GTIN {g} belongs to {product.id} already") for g in taken]
    return wrong


def _csv_tables(name: str, data: bytes) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("catalog.bad_template", f"{name}: not UTF-8 (byte {error.start})") from error
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        strangers = [column for column in reader.fieldnames or () if column not in COLUMNS]
        if strangers or not reader.fieldnames:
            wanted = f"unknown column {', '.join(strangers)}; known: {', '.join(COLUMNS)}"
            raise BadInput("catalog.bad_template", f"{name}: {wanted}")
        for row in reader:
            where = f"{name}: line {reader.line_num}"
            yield where, _table(row), False
    except csv.Error as error:
        raise BadInput("catalog.bad_template", f"{name}: line {reader.line_num}: {error}") from error


def _table(row: Mapping[str | None, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for column, cell in row.items():
        if column is None:
            table["too many cells"] = cell  # refused with its line when the table is judged
        elif cell is not None and cell.strip():
            name, _, key = column.partition(".")
            value = _typed(column, cell.strip())
            if key:
                table.setdefault(name, {})[key] = value
            else:
                table[name] = value
    alone = {"length": UNKNOWN}  # beside anything else it is refused when the table is judged: one of both is wrong
    return {name: UNKNOWN if value == alone else value for name, value in table.items()}


def _typed(column: str, cell: str) -> Any:
    """A cell as TOML would hold it; what does not fit stays a text and is refused where it is read."""
    key = column.rpartition(".")[2]
    if key in _LISTS:
        return cell.split()
    if key in _FLAGS:
        return {"true": True, "false": False}.get(cell.lower(), cell)
    if key == "code":
        return [_composite(part) for part in cell.split()]
    if key == "length" and cell != UNKNOWN:
        lengths = [_number(part) for part in cell.split()]
        return lengths[0] if len(lengths) == 1 else lengths
    if key in _NUMBER_LISTS and (column != key or key == "face_values_yuan"):
        return [_number(part) for part in cell.split()]
    return _number(cell) if key in _NUMBERS else cell


def _composite(part: str) -> Any:
    """prefix:length:from:to as the table of a composite code."""
    pieces = part.split(":")
    if len(pieces) != 4:
        return part
    prefix, length, *span = pieces
    return {"prefix": prefix, "length": _number(length), "number": [_number(end) for end in span]}


def _number(part: str) -> Any:
    whole = part.lstrip("-").isdigit()
    if whole and len(part) > _MOST_DIGITS:
        return part
    try:
        return int(part) if whole else float(part)
    except ValueError:
        return part
