"""The products of a published catalogue in a form that loads at once: JSON rows instead of TOML to be judged again.

It is no second source: it is made at the station from the bundle that it lies beside, names the version it was made
from, is signed by the station's key, and whoever reads it is told its SHA-256. One that is missing, damaged, of another
version or of a release with other fields is made anew from the bundle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any

from pydantic import ValidationError

from app.core.errors import EvidenceTrouble
from app.core.products import (
    Box,
    CheckDigit,
    CompositeCode,
    ExpiryRule,
    FieldPattern,
    Gateway,
    Handling,
    Issuer,
    Layout,
    Product,
    Purpose,
    Scratch,
    Validity,
)
from app.keys import Verify
from app.wire import Hex64, Name, Signed, Statement, open_statement, sign_statement

_KINDS = (Product, FieldPattern, Layout, Box, Issuer, Validity, Scratch, Handling, CompositeCode)
SHAPE = hashlib.sha256(repr([(k.__name__, [f.name for f in fields(k)]) for k in _KINDS]).encode()).hexdigest()[:16]
"""Names the fields that products have in this release: rows of another release are not read."""


class CompiledStatement(Statement):
    """A station states that these products are those of a bundle. `sha256`: of the rows."""

    TYPE = "catalogue-compiled"
    station: Name
    version: Hex64
    sha256: Hex64


def compile_products(products: Sequence[Product]) -> bytes:
    """The rows of products; a pattern that many have stands there once."""
    patterns: dict[FieldPattern, int] = {}
    rows = [_row(product, patterns) for product in products]
    table = [[p.alphabet, p.lengths, p.grouping, p.check.value, p.places] for p in patterns]
    whole = {"shape": SHAPE, "patterns": table, "products": rows}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _row(product: Product, patterns: dict[FieldPattern, int]) -> list[Any]:
    values: dict[str, Any] = {f.name: getattr(product, f.name) for f in fields(Product)}
    values["gtins"] = sorted(product.gtins)
    values["number"] = patterns.setdefault(product.number, len(patterns))
    values["pin"] = None if product.pin is None else patterns.setdefault(product.pin, len(patterns))
    values["layout"] = None if product.layout is None else astuple(product.layout)
    for name in ("issuer", "validity", "scratch", "handling"):
        values[name] = astuple(values[name])
    values["codes"] = [astuple(code) for code in product.codes]
    return list(values.values())


def products_of(data: bytes) -> tuple[Product, ...]:
    """The products back. Raises ValueError for rows of another release, or none of ours."""
    try:
        whole = json.loads(data)
        if whole["shape"] != SHAPE:
            raise ValueError("rows of another release")
        patterns = [
            FieldPattern(a, tuple(lengths), tuple(groups), CheckDigit(check), tuple(places))
            for a, lengths, groups, check, places in whole["patterns"]
        ]
        return tuple(_product(row, patterns) for row in whole["products"])
    except (KeyError, TypeError, IndexError, RecursionError) as wrong:
        raise ValueError("no compiled products") from wrong


_PLACES = {f.name: n for n, f in enumerate(fields(Product))}


def _product(row: list[Any], patterns: Sequence[FieldPattern]) -> Product:
    """A product from its row: the values in the order of its fields."""
    for name in ("face_values_fen", "regions"):
        row[_PLACES[name]] = tuple(row[_PLACES[name]])
    at = _PLACES
    row[at["gtins"]] = frozenset(row[at["gtins"]])
    row[at["number"]] = patterns[row[at["number"]]]
    row[at["pin"]] = None if row[at["pin"]] is None else patterns[row[at["pin"]]]
    row[at["layout"]] = None if row[at["layout"]] is None else Layout(*map(_box, row[at["layout"]]))
    zh, en, gateway, purpose = row[at["issuer"]]
    row[at["issuer"]] = Issuer(zh, en, Gateway(gateway), Purpose(purpose))
    rule, months = row[at["validity"]]
    row[at["validity"]] = Validity(ExpiryRule(rule), months)
    row[at["scratch"]] = Scratch(*row[at["scratch"]])
    row[at["handling"]] = Handling(*row[at["handling"]])
    row[at["codes"]] = tuple(CompositeCode(*code) for code in row[at["codes"]])
    return Product(*row)


def _box(values: Iterable[float] | None) -> Box | None:
    return None if values is None else Box(*values)


def seal_compiled(rows: bytes, station: str, version: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a compiled file: the signed statement in one line, then the rows."""
    stated = CompiledStatement(station=station, version=version, sha256=hashlib.sha256(rows).hexdigest())
    return sign_statement(stated, sign).model_dump_json().encode() + b"\n" + rows


def rows_in(file: bytes) -> bytes:
    """The rows of a compiled file, whoever signed it."""
    return file.partition(b"\n")[2]


def trusted_hash(file: bytes, station: str, version: str, verify: Verify) -> str:
    """The SHA-256 of the rows when this station made them of this version in this release; "" else."""
    head, _, rows = file.partition(b"\n")
    try:
        stated = open_statement(CompiledStatement, Signed.model_validate_json(head), verify)
    except (ValidationError, EvidenceTrouble):
        return ""
    ours = (stated.station, stated.version, stated.sha256) == (station, version, hashlib.sha256(rows).hexdigest())
    return stated.sha256 if ours and rows.startswith(b'{"shape":"' + SHAPE.encode()) else ""
