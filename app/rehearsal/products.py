"""The fictional products as the studio draws them: resources/templates/*.toml with its drawing-only [product.style].

`app.catalog` reads the same file for the reader; the studio stands beside it, not above it, so it keeps its own parse.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.core.products import DIGITS, LATIN, Box, CheckDigit, FieldPattern, Layout, by_place
from app.rehearsal.cards import CardStyle, Colour
from app.rehearsal.errors import TemplateError
from app.rehearsal.fonts import RESOURCES
from app.rehearsal.lettering import STYLES
from app.rehearsal.panel import MARKS

T = TypeVar("T")

REHEARSAL_TEMPLATES = RESOURCES / "templates" / "rehearsal.toml"

ALPHABETS = {"digits": DIGITS, "latin": LATIN, "alnum": DIGITS + LATIN}
_FIELDS = ("number", "panel", "pin", "expiry", "face_value", "barcode")
_COLOURS = ("ground", "ground_far", "ink", "title_ink")


@dataclass(frozen=True)
class StudioProduct:
    """A product the studio can draw. `second_code` is a further barcode format ("" for none) in `second_box`."""

    id: str
    name_zh: str
    name_en: str
    brand_zh: str
    brand_en: str
    category: str
    gtins: tuple[str, ...]
    face_values_yuan: tuple[int, ...]
    chip: str
    number: FieldPattern
    pin: FieldPattern
    layout: Layout
    style: CardStyle
    language: str
    terms_at: tuple[float, float]
    second_code: str
    second_box: Box | None


def load_studio_products(path: Path = REHEARSAL_TEMPLATES) -> dict[str, StudioProduct]:
    """The products of a template file by id. Raises TemplateError with the product and key that is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateError("template.missing", f"{path.name}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TemplateError("template.syntax", f"{path.name}: {error}") from error
    tables = document.get("product")
    if not isinstance(tables, list):
        raise TemplateError("template.key", f"{path.name}: product")
    products = [
        _product(table, f"{path.name}: {table.get('id', f'product {i + 1}')}") for i, table in enumerate(tables)
    ]
    return {product.id: product for product in products}


def _take(table: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    if key not in table:
        raise TemplateError("template.key", f"{where}: {key}")
    value = table[key]
    if not isinstance(value, kind):
        raise TemplateError("template.value", f"{where}: {key}")
    return value


def _product(table: Mapping[str, Any], where: str) -> StudioProduct:
    style = _take(table, "style", dict, where)
    layout = _take(table, "layout", dict, where)
    return StudioProduct(
        id=_take(table, "id", str, where),
        name_zh=_take(table, "name_zh", str, where),
        name_en=_take(table, "name_en", str, where),
        brand_zh=_take(style, "brand_zh", str, f"{where}.style"),
        brand_en=_take(style, "brand_en", str, f"{where}.style"),
        category=_take(table, "category", str, where),
        gtins=tuple(_take(table, "gtins", list, where)),
        face_values_yuan=tuple(_take(table, "face_values_yuan", list, where)),
        chip=_take(table, "chip", str, where),
        number=_pattern(_take(table, "number", dict, where), f"{where}.number"),
        pin=_pattern(_take(table, "pin", dict, where), f"{where}.pin"),
        layout=Layout(**{name: _box(layout[name], f"{where}.layout.{name}") for name in _FIELDS if name in layout}),
        style=_style(style, f"{where}.style"),
        language=_take(style, "language", str, where),
        terms_at=_pair(style.get("terms_at", [4.2, 43.6]), f"{where}.style.terms_at"),
        second_code=str(style.get("second_code", "")),
        second_box=_box(style["second_box"], f"{where}.style.second_box") if "second_box" in style else None,
    )


def _numbers(value: object, count: int, where: str) -> list[float]:
    if not isinstance(value, list) or len(value) != count or not all(isinstance(v, int | float) for v in value):
        raise TemplateError("template.value", where)
    return [float(v) for v in value]


def _box(value: object, where: str) -> Box:
    x, y, w, h = _numbers(value, 4, where)
    return Box(x, y, w, h)


def _pair(value: object, where: str) -> tuple[float, float]:
    x, y = _numbers(value, 2, where)
    return x, y


def _pattern(table: Mapping[str, Any], where: str) -> FieldPattern:
    try:
        check = CheckDigit(_take(table, "check", str, where))
    except ValueError as error:
        raise TemplateError("template.value", f"{where}.check") from error
    if "places" in table:
        places = [ALPHABETS.get(str(place), str(place)) for place in _take(table, "places", list, where)]
        return by_place(places, tuple(table.get("grouping", ())), check)
    alphabet = _take(table, "alphabet", str, where)
    grouping = tuple(table.get("grouping", ()))
    return FieldPattern(ALPHABETS.get(alphabet, alphabet), (_take(table, "length", int, where),), grouping, check)


def _style(table: Mapping[str, Any], where: str) -> CardStyle:
    """Colours are #rrggbb in the file and BGR in the style."""
    known: dict[str, Callable[[str], bool]] = {
        "number_style": STYLES.__contains__,
        "pin_style": STYLES.__contains__,
        "mark": MARKS.__contains__,
        "title_face": ("sans-bold", "serif-bold").__contains__,
        "group_mark": (" ", "-").__contains__,
    }
    chosen: dict[str, Any] = {key: _colour(_take(table, key, str, where), f"{where}.{key}") for key in _COLOURS}
    for key, allowed in known.items():
        if key in table and not allowed(table[key]):
            raise TemplateError("template.value", f"{where}.{key}")
        if key in table:
            chosen[key] = table[key]
    foil = float(table.get("foil", 0.0))
    return CardStyle(stripe=bool(table.get("stripe", False)), foil=foil, **chosen)


def _colour(text: str, where: str) -> Colour:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise TemplateError("template.value", where)
    red, green, blue = bytes.fromhex(text[1:])
    return blue, green, red
