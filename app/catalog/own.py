"""A station's own products: templates that a supervisor learned here, signed by the station's key until the centre
publishes them. In order of their adding, so that the last one can be taken back in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pydantic import ValidationError

from app.catalog.templates import read_products
from app.core.errors import BadInput, EvidenceTrouble
from app.core.products import Product
from app.keys import Verify
from app.wire import Name, Signed, Statement, open_statement, sign_statement

MOST_TEMPLATES = 200


class StationProducts(Statement):
    """The templates that stand beside the catalogue at one station: the text of a TOML file each."""

    TYPE = "station-products"
    station: Name
    templates: list[str]


def sign_own(station: str, templates: Sequence[str], sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a file of own products. Raises BadInput("catalog.bad_template") for more than `MOST_TEMPLATES`."""
    if len(templates) > MOST_TEMPLATES:
        raise BadInput("catalog.bad_template", f"more than {MOST_TEMPLATES} products of one station")
    signed = sign_statement(StationProducts(station=station, templates=list(templates)), sign)
    return signed.model_dump_json(indent=1).encode()


def open_own(data: bytes, station: str, verify: Verify) -> tuple[str, ...]:
    """The templates added at this station. Raises EvidenceTrouble("catalog.untrusted")."""
    try:
        stated = open_statement(StationProducts, Signed.model_validate_json(data), verify)
    except (ValidationError, EvidenceTrouble) as wrong:
        raise EvidenceTrouble("catalog.untrusted", "own products") from wrong
    if stated.station != station:
        raise EvidenceTrouble("catalog.untrusted", "own products of another station")
    return tuple(stated.templates)


def name_of(number: int) -> str:
    """What the file of an own template is called in faults and in the catalogue's version; numbers from 1."""
    return f"own-{number:03d}.toml"


def own_products(templates: Sequence[str]) -> Iterator[Product]:
    """The products of own templates. Raises BadInput("catalog.bad_template")."""
    for number, text in enumerate(templates, 1):
        yield from read_products(name_of(number), text.encode())
