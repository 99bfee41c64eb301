"""Product templates from TOML files: what a card product is, in the words of `app.core.products`.

A file holds `[[product]]` tables; which keys there are is told by the sets below, what they mean by `Product`, and
`docs/catalogue.md` says it at length. `rehearsal = true` at the top of a file marks all its products. `[product.style]`
is for the rehearsal studio only. `number` and `pin` are pattern tables; "unknown" says that the field is there and its
pattern is not known; `pin` left out: the product has none.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from app.catalog.layoutcheck import wrong_with
from app.core.errors import BadInput
from app.core.products import (
    DIGITS,
    LATIN,
    LEAST_MM,
    LONG_MM,
    SHORT_MM,
    UNKNOWN_NUMBER,
    UNKNOWN_PIN,
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
    by_place,
    normalise_gtin,
)

E = TypeVar("E", bound=StrEnum)

UNKNOWN = "unknown"

_WIDEST, _TOO_LARGE = 2**63, "a whole number has more than 64 bits"
_DEEPEST = 20

SIDES = ("back", "front", "none")

_FILE_KEYS = {"product", "rehearsal", "version"}
_PRODUCT_KEYS = {
    *("id", "name_zh", "name_en", "initials", "category", "gtins", "face_values_yuan", "chip", "rehearsal", "regions"),
    *("issuer", "number", "pin", "layout", "style", "validity", "scratch", "handling", "source", "confirmed", "code"),
}
_CODE_KEYS = {"prefix", "length", "number"}
_PATTERN_KEYS = {"alphabet", "length", "places", "grouping", "check"}
_LAYOUT_KEYS = {"number", "panel", "pin", "expiry", "face_value", "barcode"}
_ISSUER_KEYS = {"name_zh", "name_en", "gateway", "purpose"}
_NAMED_ALPHABETS = {"digits": DIGITS, "latin": LATIN, "alnum": DIGITS + LATIN}
_MOST_CHARS = 64  # of a field
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


def load_products(path: Path | str) -> tuple[Product, ...]:
    """All products of a TOML file, or of every `*.toml` below a folder, in order of file name.

    Raises BadInput("catalog.bad_template") naming file, product and fault, BadInput("input.missing") for no such path.
    """
    files = template_files(Path(path))
    products = tuple(product for file in files for product in _read_file(file))
    refuse_duplicates(products)
    return products


def template_files(root: Path) -> list[Path]:
    """The template files that a path stands for. Raises BadInput("input.missing")."""
    if not root.exists():
        raise BadInput("input.missing", root.name)
    return sorted(root.glob("**/*.toml")) if root.is_dir() else [root]


def version_of(texts: Mapping[str, bytes]) -> str:
    """The name of a catalogue's exact content: SHA-256 over file names and bytes, in hex."""
    whole = hashlib.sha256()
    for name in sorted(texts):
        whole.update(f"{hashlib.sha256(texts[name]).hexdigest()}  {name}\n".encode())
    return whole.hexdigest()


def _read_file(file: Path) -> Iterator[Product]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise fault(file.name, str(error.strerror)) from error
    yield from read_products(file.name, data)


def read_products(name: str, data: bytes) -> Iterator[Product]:
    """The products in the bytes of one template file called `name`. Raises BadInput("catalog.bad_template")."""
    for where, table, rehearsal in read_tables(name, data):
        yield product_of(where, table, rehearsal)


def read_tables(name: str, data: bytes) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """The product tables of a file as they stand there: where (for faults), the table, whether it is a rehearsal's."""
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise fault(name, str(error)) from error
    except ValueError as error:  # more digits than Python takes for a whole number
        raise fault(name, _TOO_LARGE) from error
    _refuse_monsters(name, document)
    _refuse_unknown(name, document, _FILE_KEYS)
    rehearsal = "rehearsal" in document and _flag(name, document, "rehearsal")
    tables = document.get("product", [])
    if not isinstance(tables, list):
        raise fault(name, "product must be an array of tables: [[product]]")
    for number, table in enumerate(tables, 1):
        known = table.get("id", number) if isinstance(table, dict) else number
        yield f"{name}: product {known}", table, rehearsal


def _refuse_monsters(name: str, document: Mapping[str, Any]) -> None:
    """Raises BadInput for values that not even a fault could show: whole numbers that TOML does not promise, and tables
    within tables that dotted keys make in one line.
    """
    waiting: list[tuple[object, int]] = [(document, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > _DEEPEST:
                raise fault(name, f"tables and lists lie more than {_DEEPEST} deep in each other")
            within = value.values() if isinstance(value, dict) else value
            waiting += [(one, depth + 1) for one in within]
        elif isinstance(value, int) and not -_WIDEST <= value < _WIDEST:
            raise fault(name, _TOO_LARGE)


def product_of(where: str, table: Mapping[str, Any], rehearsal: bool) -> Product:
    """One product from its table. Raises BadInput("catalog.bad_template") with the key and what may stand there."""
    _refuse_unknown(where, table, _PRODUCT_KEYS)
    product_id = _text(where, table, "id")
    if not _ID.fullmatch(product_id):
        raise fault(where, f"id {product_id!r}: small letters, digits and dashes, up to 64")
    return Product(
        id=product_id,
        name_zh=_text(where, table, "name_zh"),
        name_en=_text(where, table, "name_en"),
        initials=_initials(where, table),
        category=_text(where, table, "category", ""),
        gtins=frozenset(_gtin(where, gtin) for gtin in _list(where, table, "gtins")),
        number=_number(where, table),
        pin=_pin(where, table),
        face_values_fen=tuple(
            _positive(f"{where}.face_values_yuan", v) * 100 for v in _list(where, table, "face_values_yuan")
        ),
        chip=_text(where, table, "chip", ""),
        layout=_layout(f"{where}.layout", table["layout"]) if "layout" in table else None,
        rehearsal=_flag(where, table, "rehearsal") if "rehearsal" in table else rehearsal,
        regions=tuple(_region(where, region) for region in _list(where, table, "regions")),
        issuer=_issuer(f"{where}.issuer", table.get("issuer", {})),
        validity=_validity(f"{where}.validity", table.get("validity", {})),
        scratch=_scratch(f"{where}.scratch", table.get("scratch", {})),
        handling=_handling(f"{where}.handling", table.get("handling", {})),
        source=_source(where, table),
        confirmed=_flag(where, table, "confirmed") if "confirmed" in table else False,
        codes=_codes(where, table),
    )


def _codes(where: str, table: Mapping[str, Any]) -> tuple[CompositeCode, ...]:
    return tuple(_code(f"{where}.code", code) for code in _list(where, table, "code"))


def _code(where: str, table: Mapping[str, Any]) -> CompositeCode:
    """A `[[product.code]]`: `prefix` and `length` of the whole; `number = [from, to]` from 0, the end left out."""
    _refuse_unknown(where, table, _CODE_KEYS)
    prefix, length = _text(where, table, "prefix"), _positive(f"{where}.length", table.get("length"))
    span = table.get("number")
    if not (isinstance(span, list) and len(span) == 2 and all(type(v) is int for v in span)):
        raise fault(where, "number is [from, to]")
    if not len(prefix) <= span[0] < span[1] <= length:
        raise fault(where, "number must stand behind the prefix and within the length")
    return CompositeCode(prefix, length, span[0], span[1])


def _number(where: str, table: Mapping[str, Any]) -> FieldPattern:
    number = table.get("number", {})
    return UNKNOWN_NUMBER if number == UNKNOWN else _pattern(f"{where}.number", number)


def _pin(where: str, table: Mapping[str, Any]) -> FieldPattern | None:
    if "pin" not in table:
        return None
    return UNKNOWN_PIN if table["pin"] == UNKNOWN else _pattern(f"{where}.pin", table["pin"])


def _pattern(where: str, table: Mapping[str, Any]) -> FieldPattern:
    _refuse_unknown(where, table, _PATTERN_KEYS)
    check = _choice(f"{where}.check", table.get("check", ""), CheckDigit)
    if "places" in table:
        return _by_place(where, table, check)
    length = table.get("length", [])
    if length == UNKNOWN:
        others = ", ".join(sorted(set(table) - {"length"}))
        rather = f"leave out {others}" if others else 'write "unknown" instead of the table'
        raise fault(where, f"length is unknown, and with it the whole pattern: {rather}")
    lengths = tuple(
        _positive(f"{where}.length", n, _MOST_CHARS) for n in (length if isinstance(length, list) else [length])
    )
    if not lengths:
        raise fault(where, f"length is missing: a whole number up to {_MOST_CHARS}, or a list of them")
    alphabet = _alphabet(f"{where}.alphabet", table.get("alphabet", DIGITS))
    return FieldPattern(alphabet, lengths, _grouping(where, table, lengths), check)


def _by_place(where: str, table: Mapping[str, Any], check: CheckDigit) -> FieldPattern:
    for other in ("alphabet", "length"):
        if other in table:
            raise fault(where, f"{other} says again what places says: leave it out")
    places = [_alphabet(f"{where}.places", place) for place in _list(where, table, "places")]
    if not places or len(places) > 64:
        raise fault(where, "places is a list of 1 to 64 alphabets, one for each position")
    return by_place(places, _grouping(where, table, (len(places),)), check)


def _alphabet(where: str, value: object) -> str:
    alphabet = _NAMED_ALPHABETS.get(value, value) if isinstance(value, str) else ""
    if not alphabet or set(alphabet) - set(DIGITS + LATIN):
        raise fault(where, "a text of upper-case letters and digits only, or digits, latin, alnum")
    return "".join(sorted(set(alphabet)))


def _grouping(where: str, table: Mapping[str, Any], lengths: tuple[int, ...]) -> tuple[int, ...]:
    grouping = tuple(_positive(f"{where}.grouping", n) for n in _list(where, table, "grouping"))
    if grouping and sum(grouping) not in lengths:
        raise fault(where, f"grouping adds up to {sum(grouping)}, which is no allowed length")
    return grouping


def _choice(where: str, value: object, kind: type[E]) -> E:
    try:
        return kind(str(value))
    except ValueError as error:
        raise fault(where, f"unknown rule {value!r}; known: {', '.join(c for c in kind if c)}") from error


def _layout(where: str, table: Mapping[str, Any]) -> Layout:
    _refuse_unknown(where, table, _LAYOUT_KEYS)
    layout = Layout(**{key: box_of(f"{where}.{key}", value) for key, value in table.items()})
    if why := wrong_with(layout):
        raise fault(where, why)
    return layout


def box_of(where: str, value: object) -> Box:
    """A box from [left, top, width, height] in millimetres on a card, lying or printed upright.

    Raises BadInput("catalog.bad_template").
    """
    if not isinstance(value, list) or len(value) != 4 or not all(_is_number(v) for v in value):
        raise fault(where, "a box is [left, top, width, height] in millimetres")
    if all(0 <= v <= LONG_MM for v in value):  # before they are reckoned with: a whole number may be too large for it
        x, y, w, h = (float(v) for v in value)
        if not (w >= LEAST_MM and h >= LEAST_MM):
            raise fault(where, f"width and height are at least {LEAST_MM} mm")
        short, long = sorted((x + w, y + h))
        if short <= SHORT_MM and long <= LONG_MM:
            return Box(x, y, w, h)
    raise fault(where, "the box leaves the card (85.6 x 54 mm, or 54 x 85.6 printed upright)")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _issuer(where: str, table: Mapping[str, Any]) -> Issuer:
    _refuse_unknown(where, table, _ISSUER_KEYS)
    return Issuer(
        _text(where, table, "name_zh", ""),
        _text(where, table, "name_en", ""),
        _choice(f"{where}.gateway", table.get("gateway", ""), Gateway),
        _choice(f"{where}.purpose", table.get("purpose", ""), Purpose),
    )


def _validity(where: str, table: Mapping[str, Any]) -> Validity:
    _refuse_unknown(where, table, {"rule", "months"})
    months = _positive(f"{where}.months", table["months"]) if "months" in table else 0
    return Validity(_choice(f"{where}.rule", table.get("rule", ""), ExpiryRule), months)


def _scratch(where: str, table: Mapping[str, Any]) -> Scratch:
    _refuse_unknown(where, table, {"side", "zh", "en"})
    side = _text(where, table, "side", "")
    if side not in ("", *SIDES):
        raise fault(where, f"side {side!r}; known: {', '.join(SIDES)}")
    return Scratch(side, _text(where, table, "zh", ""), _text(where, table, "en", ""))


def _handling(where: str, table: Mapping[str, Any]) -> Handling:
    known = ("bound_account", "splits_balance", "batch_number")
    _refuse_unknown(where, table, set(known))
    return Handling(**{key: _flag(where, table, key) for key in known if key in table})


def _initials(where: str, table: Mapping[str, Any]) -> str:
    initials = _text(where, table, "initials", "")
    if set(initials) - set(DIGITS + LATIN):
        raise fault(where, f"initials {initials!r}: capital letters and digits only")
    return initials


def _source(where: str, table: Mapping[str, Any]) -> str:
    source = _text(where, table, "source", "")
    if source and not re.match(r"https?://\S+$", source):
        raise fault(where, "source is an address that can be opened (https://…)")
    return source


def _region(where: str, value: object) -> str:
    if not isinstance(value, str) or not _REGION.fullmatch(value):
        raise fault(where, f"region {value!r} is no ISO 3166 code (CN, CN-31, HK …)")
    return value


def _gtin(where: str, value: object) -> str:
    gtin = normalise_gtin(value) if isinstance(value, str) else None
    if gtin is None:
        raise fault(where, f"{value!r} is no GTIN: wrong length or check digit (write it in quotes)")
    return gtin


def _list(where: str, table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise fault(where, f"{key} must be a list: [ … ]")
    return value


def _flag(where: str, table: Mapping[str, Any], key: str) -> bool:
    value = table[key]
    if not isinstance(value, bool):
        raise fault(where, f"{key} is true or false; leave it out while nobody knows")
    return value


def _text(where: str, table: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or (default is None and not value) or len(value) > 500:
        raise fault(where, f"{key} must be a text")
    return value


def _positive(where: str, value: object, most: int = 9_999_999) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise fault(where, f"{value!r} is no whole number above 0, at most {most}")
    return value


def _refuse_unknown(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    if not isinstance(table, dict):
        raise fault(where, "must be a table")
    unknown = sorted(set(table) - known)
    if unknown:
        raise fault(where, f"unknown key {', '.join(unknown)}; known: {', '.join(sorted(known))}")


def refuse_duplicates(products: Sequence[Product]) -> None:
    """Raises BadInput("catalog.bad_template") when an id or a GTIN belongs to two products."""
    ids = Counter(p.id for p in products)
    gtins = Counter(g for p in products for g in p.gtins)
    for what, counts in (("id", ids), ("GTIN", gtins)):
        twice = sorted(k for k, n in counts.items() if n > 1)
        if twice:
            raise fault("templates", f"{what} given twice: {', '.join(twice)}")


def fault(where: str, why: str) -> BadInput:
    """What is wrong with a template, and where."""
    return BadInput("catalog.bad_template", f"{where}: {why}")
