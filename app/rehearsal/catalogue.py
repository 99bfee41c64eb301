"""A catalogue of fictional products from a seed: for capacity, search and rehearsal. No brand or number in it is real.

The tables are those of a template file with `[product.style]`, so that the studio can draw each of them.
"""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
from stdnum import ean

from app.catalog.initials import initials_of
from app.catalog.writing import Table, to_toml
from app.core.products import DIGITS, LATIN
from app.rehearsal.dice import between, chance, pick, stream

_FIRST = (
    *(("云", "Yun"), ("松", "Song"), ("竹", "Zhu"), ("枫", "Feng"), ("溪", "Xi"), ("岚", "Lan"), ("禾", "He")),
    *(("星", "Xing"), ("澄", "Cheng"), ("屿", "Yu"), ("鹭", "Lu"), ("棠", "Tang"), ("砚", "Yan"), ("霁", "Ji")),
    *(("帆", "Fan"), ("杉", "Shan"), ("榆", "Yu"), ("瑶", "Yao"), ("峤", "Qiao"), ("泊", "Bo"), ("芷", "Zhi")),
)
_LAST = (
    *(("野", "ye"), ("汇", "hui"), ("悦", "yue"), ("泽", "ze"), ("澜", "lan"), ("庭", "ting"), ("和", "he")),
    *(("舟", "zhou"), ("集", "ji"), ("原", "yuan"), ("川", "chuan"), ("谷", "gu"), ("里", "li"), ("行", "xing")),
)
_TRADES = (
    *(("supermarket", "超市", "Market"), ("supermarket", "生鲜", "Fresh"), ("e-commerce", "商城", "Mall")),
    *(("fuel", "加油", "Fuel"), ("game", "游戏", "Games"), ("telecom", "通信", "Mobile"), ("coffee", "咖啡", "Coffee")),
    *(("bookshop", "书店", "Books"), ("cinema", "影城", "Cinema"), ("bakery", "烘焙", "Bakery")),
)
_KINDS = (("礼品卡", "gift card"), ("充值卡", "recharge card"), ("购物卡", "shopping card"), ("提货卡", "pick-up card"))
_VALUES = (10, 20, 30, 50, 100, 200, 300, 500, 1000)
_PIN_ALPHABETS = ("digits", "digits", "23456789ABCDEFGHJKLMNPQRSTUVWXYZ", "alnum")
_CHECKS = ("luhn", "luhn", "", "", "gs1", "damm")
_CHIPS = ("", "", "", "NTAG213", "NTAG215", "MIFARE Classic 1K")
_MOST = 90_000


def fictional_tables(seed: int, count: int) -> list[Table]:
    """`count` products (up to 90,000), the same for the same seed; a longer list begins with the shorter one.

    Raises ValueError for a count beyond what the GTINs of the fictional company suffice for.
    """
    if not 0 < count <= _MOST:
        raise ValueError(f"between 1 and {_MOST} products")
    return [_table(stream(seed, "fictional", number), number) for number in range(count)]


def fictional_toml(seed: int, count: int) -> str:
    """The same as the text of a template file."""
    note = f"Fictional products from seed {seed}: for capacity, search and rehearsal. Nothing in it is real."
    return to_toml(fictional_tables(seed, count), rehearsal=True, note=note)


def _table(rng: np.random.Generator, number: int) -> Table:
    first, last, (category, trade_zh, trade_en) = pick(rng, _FIRST), pick(rng, _LAST), pick(rng, _TRADES)
    kind_zh, kind_en = pick(rng, _KINDS)
    brand_zh, brand_en = first[0] + last[0] + trade_zh, f"{first[1]}{last[1]} {trade_en}"
    value = pick(rng, _VALUES)
    table: Table = {"id": f"fictional-{number:05d}", "name_zh": brand_zh + kind_zh, "name_en": f"{brand_en} {kind_en}"}
    table |= {"initials": initials_of(brand_zh + kind_zh), "category": category, "gtins": [_gtin(number)]}
    table |= {"face_values_yuan": [value], "chip": pick(rng, _CHIPS), "regions": ["CN"], "confirmed": False}
    return table | {
        "number": _number(rng),
        "pin": _pin(rng),
        "layout": _layout(rng),
        "validity": {"rule": "printed"},
        "scratch": {"side": "back"},
        "handling": {"bound_account": chance(rng, 0.3), "splits_balance": chance(rng, 0.5)},
        "style": _style(rng, brand_zh, brand_en),
    }


def _gtin(number: int) -> str:
    """14 digits below the rehearsal company's prefix, after those that the hand-made rehearsal products have."""
    body = f"06901234{10_000 + number:05d}"
    return body + str(ean.calc_check_digit(body))


def _number(rng: np.random.Generator) -> Table:
    length = int(rng.choice((14, 15, 16, 16, 16, 17, 18, 19)))
    check = pick(rng, _CHECKS)
    grouping = {} if chance(rng, 0.3) else {"grouping": _fours(length)}
    if chance(rng, 0.4):
        prefix = [str(rng.integers(10)) for _ in range(int(rng.integers(4, 7)))]
        return {"places": prefix + ["digits"] * (length - len(prefix)), **grouping, "check": check}
    return {"alphabet": "digits", "length": length, **grouping, "check": check}


def _pin(rng: np.random.Generator) -> Table:
    length = int(rng.choice((6, 8, 8, 10, 12, 16)))
    if chance(rng, 0.15):
        return {"places": [LATIN, LATIN] + [DIGITS] * (length - 2), "check": ""}
    return {"alphabet": pick(rng, _PIN_ALPHABETS), "length": length, "grouping": _fours(length), "check": ""}


def _fours(length: int) -> list[int]:
    return [4] * (length // 4) + ([length % 4] if length % 4 else [])


def _layout(rng: np.random.Generator) -> dict[str, list[float]]:
    """Number and panel one above the other, the symbol below; all with a little play."""
    left, top = 13 + between(rng, 0, 2), 11.5 + between(rng, 0, 1.5)
    upper, lower = (top, 4.0), (top + 5.6, 7.6)
    if chance(rng, 0.4):
        upper, lower = (top + 9.2, 4.0), (top, 7.6)
    boxes = {
        "number": (left, upper[0], 48, upper[1]),
        "panel": (left, lower[0], 46, lower[1]),
        "pin": (left + 3, lower[0] + 2.2, 40, 3.6),
        "face_value": (62, 4.2, 20, 3.6),
        "expiry": (62, 9.2, 20, 2.3),
        "barcode": (4, 38.2, 33, 12.2),
    }
    return {name: [round(float(v), 2) for v in box] for name, box in boxes.items()}


def _style(rng: np.random.Generator, brand_zh: str, brand_en: str) -> dict[str, Any]:
    hue = between(rng, 0, 1)
    return {
        "language": pick(rng, ("zh", "zh", "en")),
        "brand_zh": brand_zh,
        "brand_en": brand_en,
        "ground": _colour(hue, between(rng, 0.03, 0.15), between(rng, 0.9, 0.98)),
        "ground_far": _colour(hue + between(rng, -0.1, 0.1), between(rng, 0.1, 0.3), between(rng, 0.8, 0.92)),
        "ink": _colour(hue, 0.4, 0.18),
        "title_ink": _colour(hue + 0.4, 0.6, 0.5),
        "number_style": pick(rng, ("mono", "sans", "ocr")),
        "pin_style": pick(rng, ("mono", "sans", "ocr")),
        "mark": pick(rng, ("刮开此涂层", "SCRATCH", "hatch")),
        "stripe": False,
        "terms_at": [50.0, 43.6],
    }


def _colour(hue: float, saturation: float, value: float) -> str:
    return "#" + "".join(f"{round(c * 255):02x}" for c in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
