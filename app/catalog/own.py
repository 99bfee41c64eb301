"""What a station itself states beside the catalogue, signed by its key: products of its own, and barcodes bound here.

Its own products are templates that a supervisor learned here, until the centre publishes them; in order of their
adding, so that the last one can be taken back in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import ValidationError

from app.catalog.templates import read_products
from app.core.errors import BadInput, EvidenceTrouble
from app.core.products import Product
from app.keys import Verify
from app.wire import Name, Signed, Statement, open_statement, sign_statement

MOST_TEMPLATES = 200


class _StatedHere(Statement):
    station: Name


H = TypeVar("H", bound=_StatedHere)


def _signed(stated: _StatedHere, sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of its file."""
    return sign_statement(stated, sign).model_dump_json(indent=1).encode()


def _opened(kind: type[H], data: bytes, station: str, verify: Verify) -> H:
    """What stands in such a file, by this very station. Raises EvidenceTrouble("catalog.untrusted")."""
    try:
        stated = open_statement(kind, Signed.model_validate_json(data), verify)
    except (ValidationError, EvidenceTrouble) as wrong:
        raise EvidenceTrouble("catalog.untrusted", kind.TYPE) from wrong
    if stated.station != station:
        raise EvidenceTrouble("catalog.untrusted", f"{kind.TYPE} of another station")
    return stated


class StationProducts(_StatedHere):
    """The templates that stand beside the catalogue at one station: the text of a TOML file each."""

    TYPE = "station-products"
    templates: list[str]


def sign_own(station: str, templates: Sequence[str], sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a file of own products. Raises BadInput("catalog.bad_template") for more than `MOST_TEMPLATES`."""
    if len(templates) > MOST_TEMPLATES:
        raise BadInput("catalog.bad_template", f"more than {MOST_TEMPLATES} products of one station")
    return _signed(StationProducts(station=station, templates=list(templates)), sign)


def open_own(data: bytes, station: str, verify: Verify) -> tuple[str, ...]:
    """The templates added at this station. Raises EvidenceTrouble("catalog.untrusted")."""
    return tuple(_opened(StationProducts, data, station, verify).templates)


def name_of(number: int) -> str:
    """What the file of an own template is called in faults and in the catalogue's version; numbers from 1."""
    return f"own-{number:03d}.toml"


def own_products(templates: Sequence[str]) -> Iterator[Product]:
    """The products of own templates. Raises BadInput("catalog.bad_template")."""
    for number, text in enumerate(templates, 1):
        yield from read_products(name_of(number), text.encode())


class GtinBindings(_StatedHere):
    """Barcodes that a supervisor bound to products at one station. GTIN-14 to product id."""

    TYPE = "gtin-bindings"
    bound: dict[str, str]


def sign_bindings(station: str, bound: Mapping[str, str], sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a bindings file."""
    return _signed(GtinBindings(station=station, bound=dict(bound)), sign)


def open_bindings(data: bytes, station: str, verify: Verify) -> dict[str, str]:
    """What was bound at this station. Raises EvidenceTrouble("catalog.untrusted")."""
    return _opened(GtinBindings, data, station, verify).bound


def with_bindings(products: Sequence[Product], bound: Mapping[str, str]) -> tuple[Product, ...]:
    """Products with the GTINs that were bound to them.

    A GTIN that the catalogue itself knows by now keeps the catalogue's product; an id that is gone changes nothing.
    """
    known = {gtin for product in products for gtin in product.gtins}
    more: dict[str, set[str]] = {}
    for gtin, product_id in bound.items():
        if gtin not in known:
            more.setdefault(product_id, set()).add(gtin)
    return tuple(replace(p, gtins=p.gtins | more[p.id]) if p.id in more else p for p in products)
