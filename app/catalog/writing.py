"""Products back as TOML and CSV: what a station exports reads back to the same products."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from app.catalog.templates import UNKNOWN
from app.core.products import (
    DIGITS,
    LATIN,
    UNKNOWN_NUMBER,
    UNKNOWN_PIN,
    Box,
    FieldPattern,
    Layout,
    Product,
)

Table = dict[str, Any]

_ALPHABETS = {DIGITS: "digits", LATIN: "latin", DIGITS + LATIN: "alnum"}

COLUMNS = (
    *("id", "name_zh", "name_en", "initials", "category", "gtins", "face_values_yuan", "chip", "regions"),
    *("issuer.name_zh", "issuer.name_en", "issuer.gateway", "issuer.purpose"),
    *("number.alphabet", "number.length", "number.places", "number.grouping", "number.check"),
    *("pin.alphabet", "pin.length", "pin.places", "pin.grouping", "pin.check"),
    *("layout.number", "layout.panel", "layout.pin", "layout.expiry", "layout.face_value", "layout.barcode"),
    *("validity.rule", "validity.months", "scratch.side", "scratch.zh", "scratch.en"),
    *("handling.bound_account", "handling.splits_balance", "handling.batch_number", "source", "confirmed"),
    *("code", "rehearsal"),
)
"""The columns of the CSV form: keys of the TOML form, those of a sub-table with a dot. Lists are split by spaces.

A composite code is one word there: prefix:length:from:to.
"""


def table_of(product: Product) -> Table:
    """A product as the table that `templates.product_of` reads."""
    table: Table = {"id": product.id, "name_zh": product.name_zh, "name_en": product.name_en}
    table |= _given(initials=product.initials, category=product.category, gtins=sorted(product.gtins))
    table |= _given(face_values_yuan=[fen // 100 for fen in product.face_values_fen], chip=product.chip)
    table |= _given(regions=list(product.regions), source=product.source)
    table |= {"confirmed": product.confirmed}
    table["number"] = UNKNOWN if product.number == UNKNOWN_NUMBER else pattern_table(product.number)
    if product.pin is not None:
        table["pin"] = UNKNOWN if product.pin == UNKNOWN_PIN else pattern_table(product.pin)
    issuer, validity, scratch, handling = product.issuer, product.validity, product.scratch, product.handling
    parts = {
        "layout": layout_table(product.layout) if product.layout else {},
        "issuer": _given(
            name_zh=issuer.name_zh, name_en=issuer.name_en, gateway=issuer.gateway.value, purpose=issuer.purpose.value
        ),
        "validity": _given(rule=validity.rule.value, months=validity.months),
        "scratch": _given(side=scratch.side, zh=scratch.zh, en=scratch.en),
        "handling": {f.name: v for f in fields(handling) if (v := getattr(handling, f.name)) is not None},
    }
    table |= _given(code=[{"prefix": c.prefix, "length": c.length, "number": [c.start, c.end]} for c in product.codes])
    return table | {name: part for name, part in parts.items() if part or (name == "layout" and product.layout)}


def _given(**values: Any) -> Table:
    return {key: value for key, value in values.items() if value}


def pattern_table(pattern: FieldPattern) -> Table:
    """A pattern as its table."""
    if pattern.places:
        table: Table = {"places": [_ALPHABETS.get(place, place) for place in pattern.places]}
    else:
        lengths = list(pattern.lengths)
        length = lengths[0] if len(lengths) == 1 else lengths
        table = {"alphabet": _ALPHABETS.get(pattern.alphabet, pattern.alphabet), "length": length}
    return table | _given(grouping=list(pattern.grouping), check=pattern.check.value)


def layout_table(layout: Layout) -> Table:
    """A layout as its table."""
    return {f.name: _box(box) for f in fields(layout) if (box := getattr(layout, f.name)) is not None}


def _box(box: Box) -> list[float]:
    return [round(v, 2) for v in (box.x, box.y, box.w, box.h)]


def to_toml(tables: Iterable[Table], rehearsal: bool = False, note: str = "") -> str:
    """The text of a template file; `note` stands above it as a comment."""
    lines = [f"# {line}" for line in note.splitlines()]
    lines += ["rehearsal = true", ""] if rehearsal else []
    for table in tables:
        lines.append("[[product]]")
        lines += [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
        for name, part in table.items():
            if isinstance(part, dict):
                lines.append(f"[product.{name}]")
                lines += [f"{key} = {_value(value)}" for key, value in part.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: object) -> str:
    """A value in TOML: JSON's spelling, which TOML shares but for DEL and for tables within a line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def to_csv(tables: Iterable[Table]) -> str:
    """The text of a CSV file with a header, one product a line."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        writer.writerow({column: _cell(column, table) for column in COLUMNS})
    return out.getvalue()


def _cell(column: str, table: Table) -> str:
    name, _, key = column.partition(".")
    value = table.get(name, "")
    if key and value == UNKNOWN:
        return UNKNOWN if key == "length" else ""
    if key:
        value = value.get(key, "") if isinstance(value, dict) else ""
    if column == "code":
        return " ".join(":".join(map(str, (c["prefix"], c["length"], *c["number"]))) for c in value or ())
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
